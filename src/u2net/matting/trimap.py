"""A saliency map to a trimap: which pixels matting may change."""

from __future__ import annotations

import math

import cv2
import numpy as np

from u2net.errors import BadInput
from u2net.types import Saliency, Trimap

LOW, HIGH = 0.02, 0.98
"""A map is undecided between these two."""


def to_trimap(saliency: Saliency, *, low: float = LOW, high: float = HIGH, band_px: float = 12) -> Trimap:
    """Mark which pixels the matting step may change.

    saliency: (H, W) float32 in [0, 1]. Returns (H, W) float32: 0 background, 1 foreground, 0.5 unknown.
    Unknown are the values from `low` to `high`, and what is nearer than `band_px` to a pixel that is not on the same
    sure side; but of thin parts the inner half stays sure.
    Raises BadInput unless 0 <= low < high <= 1 and band_px >= 0.

    >>> from u2net.matting import to_trimap
    >>> np.unique(to_trimap(u2net.saliency("examples/cat.png", "u2netp")))
    array([0. , 0.5, 1. ], dtype=float32)
    """
    if not 0 <= low < high <= 1 or not band_px >= 0:
        raise BadInput(f"expected 0 <= low < high <= 1 and band_px >= 0, got {low}, {high} and {band_px}")
    trimap = np.full(saliency.shape, np.float32(0.5))
    for side, value in ((saliency < low, 0), (saliency > high, 1)):
        if side.all():
            trimap[:] = value
        elif side.any():
            distance = cv2.distanceTransform(side.view(np.uint8), cv2.DIST_L2, 5)
            # A leg as thin as the band would hold no sure pixel, and matting would take it for background.
            reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * math.ceil(band_px) + 1,) * 2)
            thickest = cv2.dilate(distance, reach)
            trimap[distance > np.minimum(band_px, thickest / 2)] = value
    return trimap
