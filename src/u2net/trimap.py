"""A saliency map to a trimap: which pixels matting may change."""

from __future__ import annotations

import cv2
import numpy as np

from u2net.errors import BadInput
from u2net.types import Saliency, Trimap


def to_trimap(saliency: Saliency, *, low: float = 0.02, high: float = 0.98, band_px: float = 12) -> Trimap:
    """Mark which pixels the matting step may change.

    saliency: (H, W) float32 in [0, 1]. Returns (H, W) float32: 0 background, 1 foreground, 0.5 unknown.
    Unknown are the values from `low` to `high`, and what is nearer than `band_px` to a pixel that is not on the same
    sure side.
    Raises BadInput unless 0 <= low < high <= 1 and band_px >= 0.
    """
    if not 0 <= low < high <= 1 or not band_px >= 0:
        raise BadInput(f"expected 0 <= low < high <= 1 and band_px >= 0, got {low}, {high} and {band_px}")
    trimap = np.full(saliency.shape, np.float32(0.5))
    for side, value in ((saliency < low, 0), (saliency > high, 1)):
        if side.all():
            trimap[:] = value
        elif side.any():
            trimap[cv2.distanceTransform(side.view(np.uint8), cv2.DIST_L2, 5) > band_px] = value
    return trimap
