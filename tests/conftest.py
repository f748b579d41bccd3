"""Where pictures, truths, weights and sessions come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import u2net
from u2net.session import Session

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of published results and truths; not part of the repository."""
    folder = os.environ.get("U2NET_TEST_DATA")
    if not folder:
        pytest.skip("needs the reference data: set U2NET_TEST_DATA to its folder")
    return Path(folder)


@pytest.fixture(scope="session")
def session_of() -> Callable[[str], Session]:
    """Sessions in f32 with the published weights, fetched once into the user's own cache and opened once."""
    opened: dict[str, Session] = {}

    def open_once(name: str) -> Session:
        if name not in opened:
            opened[name] = u2net.open_session(name, precision="f32")
        return opened[name]

    return open_once


@pytest.fixture(scope="session")
def small(session_of: Callable[[str], Session]) -> Session:
    """u2netp, the quick one."""
    return session_of("u2netp")
