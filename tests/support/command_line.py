"""The command line in this process, quicker than in one of its own; and what starts one without the rights of root."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner, Result

from u2net.cli import cli, main

# Root may write into every folder; without these two rights (DAC_OVERRIDE, DAC_READ_SEARCH) it may not.
AS_ANYONE = """
import ctypes, os, sys
if sys.platform == "linux" and os.getuid() == 0:
    for right in (1, 2):
        assert ctypes.CDLL(None).prctl(24, right, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def u2net(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=stdin, standalone_mode=False)


def remove(*arguments: str, stdin: bytes | None = None) -> Result:
    return u2net("remove", "-m", "u2netp", *arguments, stdin=stdin)


def exit_of(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["u2net", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)
