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

from u2net.version import __version__ as __version__

if TYPE_CHECKING:
    from u2net.batch.process import Outcome
    from u2net.batch.remove_many import remove_many
    from u2net.compose.background import Gradient
    from u2net.compose.crop import Crop
    from u2net.compose.cutout import Cutout
    from u2net.errors import U2NetError
    from u2net.inference.open_session import open_session
    from u2net.inference.session import Session
    from u2net.io.picture import Picture
    from u2net.io.read import read
    from u2net.models.registry import MODELS
    from u2net.models.spec import ModelSpec
    from u2net.segmentation.hints import Hint
    from u2net.tasks.remove import remove, saliency

__all__ = [
    "MODELS",
    "Crop",
    "Cutout",
    "Gradient",
    "Hint",
    "ModelSpec",
    "Outcome",
    "Picture",
    "Session",
    "U2NetError",
    "open_session",
    "read",
    "remove",
    "remove_many",
    "saliency",
]

_HOME = {
    "MODELS": "u2net.models.registry",
    "Cutout": "u2net.compose.cutout",
    "Crop": "u2net.compose.crop",
    "Gradient": "u2net.compose.background",
    "Hint": "u2net.segmentation.hints",
    "ModelSpec": "u2net.models.spec",
    "Outcome": "u2net.batch.process",
    "Picture": "u2net.io.picture",
    "Session": "u2net.inference.session",
    "U2NetError": "u2net.errors",
    "open_session": "u2net.inference.open_session",
    "read": "u2net.io.read",
    "remove": "u2net.tasks.remove",
    "remove_many": "u2net.batch.remove_many",
    "saliency": "u2net.tasks.remove",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'u2net' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
