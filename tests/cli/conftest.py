"""Commands share the sessions that they open: what is tested here is what they do with one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from u2net.compat import rembg_session
from u2net.inference import open_session as opening
from u2net.inference.session import Session
from u2net.models.registry import DEFAULT_MODEL

PUBLISHED = ("u2net", "u2netp")
CACHE = os.environ.get("U2NET_CACHE")
opened: dict[tuple[Any, ...], Session] = {}


def shared(really: Callable[..., Session]) -> Callable[..., Session]:
    """`open_session`, once for each choice of a published model; others, and other cache folders, each time."""

    def open_session(model: Any = DEFAULT_MODEL, **how: Any) -> Session:
        if model not in PUBLISHED or os.environ.get("U2NET_CACHE") != CACHE:
            return really(model, **how)
        key = (model, *sorted((name, value) for name, value in how.items() if name not in ("on_progress", "offline")))
        if key not in opened:
            opened[key] = really(model, **how)
        return opened[key]

    return open_session


@pytest.fixture(autouse=True)
def shared_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    open_session = shared(opening.open_session)
    monkeypatch.setattr(opening, "open_session", open_session)
    monkeypatch.setattr(rembg_session, "open_session", open_session)
