"""From a prediction to a cutout: the alpha's edges, then the object's own colours."""

from __future__ import annotations

import numpy as np

from u2net.composite import Cutout, cutout, lay_over_colour
from u2net.matte import Edges, refine
from u2net.predict import Prediction
from u2net.types import Picture


def cut_out(picture: Picture, prediction: Prediction, *, edges: Edges = "auto", foreground: bool = True) -> Cutout:
    """Cut out of a picture what a prediction of it found; `edges` and `foreground` as for `u2net.remove`.

    Where there is no object the cutout is transparent everywhere. Raises what `matte.refine` raises.
    """
    if not prediction.found:
        return cutout(picture, np.zeros(picture.size, np.float32), confidence=prediction.confidence)
    # As the network saw it: what is hidden under an alpha of 0 must not change the edges.
    seen = lay_over_colour(picture, prediction.spec.mean)
    alpha = refine(seen, prediction.coarse(), edges)
    return cutout(picture, alpha, confidence=prediction.confidence, foreground=foreground)


def is_cutout(picture: Picture) -> bool:
    """Whether a picture is a cutout already: some of its pixels are more than half transparent."""
    return picture.alpha is not None and int(picture.alpha.min()) <= np.iinfo(picture.alpha.dtype).max // 2
