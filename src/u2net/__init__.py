"""U²-Net: find the object in a picture, cut it out with clean edges, put it somewhere else.

    import u2net
    cutout = u2net.remove("cat.jpg")        # a Cutout: .pixels, .alpha, .box, .over("white"), .save("cat.png")
    saliency = u2net.saliency("cat.jpg")    # (H, W) float32 in [0, 1]
    session = u2net.open_session("u2netp")  # load once, use from many threads

Importing the package loads nothing heavy: the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from u2net.remove import remove

if TYPE_CHECKING:
    from u2net.background import Gradient
    from u2net.composite import Cutout
    from u2net.errors import U2NetError
    from u2net.framing import Framing
    from u2net.models import MODELS
    from u2net.pixels import read
    from u2net.session import Session, open_session
    from u2net.subject import saliency
    from u2net.types import Hint, ModelSpec, Picture

__version__ = "0.1.0"

__all__ = [
    "MODELS",
    "Cutout",
    "Framing",
    "Gradient",
    "Hint",
    "ModelSpec",
    "Picture",
    "Session",
    "U2NetError",
    "open_session",
    "read",
    "remove",
    "saliency",
]

_HOME = {
    "MODELS": "u2net.models",
    "Cutout": "u2net.composite",
    "Framing": "u2net.framing",
    "Gradient": "u2net.background",
    "Hint": "u2net.types",
    "ModelSpec": "u2net.types",
    "Picture": "u2net.types",
    "Session": "u2net.session",
    "U2NetError": "u2net.errors",
    "open_session": "u2net.session",
    "read": "u2net.pixels",
    "saliency": "u2net.subject",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'u2net' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
