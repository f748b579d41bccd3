"""Runs of a few steps, without what takes most of their time."""

from __future__ import annotations

import pytest

from u2net.train import run_log


@pytest.fixture
def real_curves() -> None:
    """For a test that looks at them."""


@pytest.fixture(autouse=True)
def no_curves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing curves.png is more than half of what a run of ten steps takes."""
    if "real_curves" not in request.fixturenames:
        monkeypatch.setattr(run_log, "curves", lambda *_: b"curves")
