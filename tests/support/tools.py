"""Programs and packages that tests need beside those that are always installed."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

REQUIRED = os.environ.get("U2NET_TEST_TOOLS") == "required"
"""Set where every test must run: what is missing is a failure there, and no reason to skip."""


def program(*names: str, package: str) -> str:
    """The path of the first of these programs that is here. Without one the test is skipped, or fails.

    package: Debian's, for the message.
    """
    path = optional_program(*names, package=package)
    return path or pytest.skip(_missing(names[0], package), allow_module_level=True)


def optional_program(*names: str, package: str) -> str | None:
    """The same for a test that has another way without it."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None and REQUIRED:
        pytest.fail(_missing(names[0], package), pytrace=False)
    return path


def need_package(name: str) -> None:
    """Skip, or fail, where a Python package is not installed."""
    if importlib.util.find_spec(name):
        return
    message = f"no {name} here; run: pip install {name}"
    if REQUIRED:
        pytest.fail(message, pytrace=False)
    pytest.skip(message, allow_module_level=True)


def _missing(name: str, package: str) -> str:
    return f"no {name} on this machine; on Debian: apt-get install {package}"
