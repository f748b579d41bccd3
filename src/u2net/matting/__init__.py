"""From a coarse map to alpha and foreground; a method of the literature is a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from u2net.lazy import attach

if TYPE_CHECKING:
    from u2net.matting.alpha import EDGES as EDGES
    from u2net.matting.alpha import ClosedForm as ClosedForm
    from u2net.matting.alpha import Guided as Guided
    from u2net.matting.alpha import matte_trimap as matte_trimap
    from u2net.matting.alpha import refine as refine
    from u2net.matting.alpha import refine_closed_form as refine_closed_form
    from u2net.matting.alpha import refine_guided as refine_guided
    from u2net.matting.foreground import estimate_foreground as estimate_foreground
    from u2net.matting.trimap import to_trimap as to_trimap

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "u2net.matting.alpha": (
            "EDGES",
            "ClosedForm",
            "Guided",
            "matte_trimap",
            "refine",
            "refine_closed_form",
            "refine_guided",
        ),
        "u2net.matting.foreground": ("estimate_foreground",),
        "u2net.matting.trimap": ("to_trimap",),
    },
)
