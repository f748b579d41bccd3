"""U²-Net: find the object in a picture, cut it out with clean edges, put it somewhere else.

    import u2net
    cutout = u2net.remove("cat.jpg")        # a Cutout: .pixels, .alpha, .box, .over("white"), .save("cat.png")
    saliency = u2net.saliency("cat.jpg")    # (H, W) float32 in [0, 1]
    session = u2net.open_session("u2netp")  # load once, use from many threads

More lies in `u2net.matting`, `u2net.compose`, `u2net.video`, `u2net.evaluation`, `u2net.datasets` and `u2net.train`:
the names in their `__all__` are public, other modules are not.
Importing a package loads nothing heavy: the names below are fetched when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from u2net.lazy import attach
from u2net.version import __version__ as __version__

if TYPE_CHECKING:
    from u2net.batch.process import Outcome as Outcome
    from u2net.batch.remove_many import remove_many as remove_many
    from u2net.compose.background import Gradient as Gradient
    from u2net.compose.crop import Crop as Crop
    from u2net.compose.cutout import Cutout as Cutout
    from u2net.errors import U2NetError as U2NetError
    from u2net.inference.open_session import open_session as open_session
    from u2net.inference.session import Session as Session
    from u2net.io.picture import Picture as Picture
    from u2net.io.read import read as read
    from u2net.models.registry import MODELS as MODELS
    from u2net.models.spec import ModelSpec as ModelSpec
    from u2net.segmentation.hints import Hint as Hint
    from u2net.tasks.remove import remove as remove
    from u2net.tasks.remove import saliency as saliency

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "u2net.batch.process": ("Outcome",),
        "u2net.batch.remove_many": ("remove_many",),
        "u2net.compose.background": ("Gradient",),
        "u2net.compose.crop": ("Crop",),
        "u2net.compose.cutout": ("Cutout",),
        "u2net.errors": ("U2NetError",),
        "u2net.inference.open_session": ("open_session",),
        "u2net.inference.session": ("Session",),
        "u2net.io.picture": ("Picture",),
        "u2net.io.read": ("read",),
        "u2net.models.registry": ("MODELS",),
        "u2net.models.spec": ("ModelSpec",),
        "u2net.segmentation.hints": ("Hint",),
        "u2net.tasks.remove": ("remove", "saliency"),
    },
)
