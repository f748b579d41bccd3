"""Programs that tests need, and that are no Python packages."""

from __future__ import annotations

import os
import shutil

import pytest

REQUIRED = os.environ.get("U2NET_TEST_TOOLS") == "required"
"""Set where every test must run: a missing program is a failure there, and no reason to skip."""


def program(*names: str, package: str) -> str:
    """The path of the first of these programs that is here. Without one the test is skipped, or fails.

    package: Debian's, for the message.
    """
    for name in names:
        if path := shutil.which(name):
            return path
    message = f"no {names[0]} on this machine; on Debian: apt-get install {package}"
    if REQUIRED:
        pytest.fail(message, pytrace=False)
    pytest.skip(message, allow_module_level=True)
