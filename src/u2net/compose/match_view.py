"""Where a photograph of a scene lies in a picture of that scene, by matching features."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.imaging.resize import at_most, shrunk
from u2net.types import Pixels

WORK_PX = 1200
"""The long side at which features are looked for: more takes longer and finds the same place."""

LEAST_MATCHES = 12
"""So many matches must agree on one place; between pictures of different things no more than eight did."""

_RATIO = 0.75
"""A match counts if the next best one is so much farther away. Lowe, "Distinctive Image Features from Scale-Invariant
Keypoints", IJCV 2004, section 7.1, has .8; there are enough matches to be stricter."""

_OFF_PX = 4.0
_MOST_FEATURES = 4000


@dataclass(frozen=True)
class Location:
    """Where a view lies in the target.

    x, y: of the view's middle, in pixels of the target from its upper left corner. scale: pixels of the target for one
    of the view, there. rotation: of the view in the target, in degrees, clockwise. matches: that agree on it.
    """

    x: float
    y: float
    scale: float
    rotation: float
    matches: int


def match_view(view: Pixels, target: Pixels) -> Location:
    """Find where a photograph of a scene (a screen, a poster, a part of a landscape) lies in a picture of it.

    view, target: (H, W, 3) RGB, uint8 or uint16. Raises BadInput where too few features agree on one place.
    Source: SIFT (Lowe 2004), matched by the ratio test; a homography by RANSAC.

    >>> from u2net.compose import match_view
    >>> scene = u2net.read("examples/astronaut.jpg").pixels
    >>> found = match_view(scene[100:300, 150:400], scene)
    >>> round(found.x), round(found.y)
    (275, 200)
    """
    (points, kinds, view_scale), (target_points, target_kinds, target_scale) = _features(view), _features(target)
    found = min(len(points), len(target_points))
    pairs = []
    if found >= LEAST_MATCHES:
        for best in cv2.BFMatcher(cv2.NORM_L2).knnMatch(kinds, target_kinds, k=2):
            if len(best) == 2 and best[0].distance < _RATIO * best[1].distance:
                pairs.append((best[0].queryIdx, best[0].trainIdx))
    agree, matrix = 0, None
    if len(pairs) >= LEAST_MATCHES:
        here, there = points[[a for a, _ in pairs]], target_points[[b for _, b in pairs]]
        matrix, inliers = cv2.findHomography(here, there, cv2.RANSAC, _OFF_PX, maxIters=5000, confidence=0.999)
        agree = 0 if matrix is None else int(inliers.sum())
    if matrix is None or agree < LEAST_MATCHES:
        raise BadInput(
            f"the view was not found in the target: {agree} features agree on a place, and it takes {LEAST_MATCHES} "
            f"(of {len(points)} in the view {len(pairs)} resemble one of the target's {len(target_points)}); take a "
            "sharper view that shows more of the target, or give the place with --at"
        )
    to_work = np.diag([view_scale[0], view_scale[1], 1.0])
    to_full = np.diag([1 / target_scale[0], 1 / target_scale[1], 1.0])
    whole = to_full @ matrix @ to_work
    middle = np.array([view.shape[1] / 2, view.shape[0] / 2])
    centre, across, down = (_moved(whole, middle + step) for step in ((0, 0), (1, 0), (0, 1)))
    right, below = across - centre, down - centre
    area = float(right[0] * below[1] - right[1] * below[0])
    if area <= 0:
        raise BadInput(
            "the view seems to be a mirror image of the target, or seen from behind; give the place with --at"
        )
    rotation = math.degrees(math.atan2(right[1] - below[0], right[0] + below[1]))
    return Location(float(centre[0]), float(centre[1]), math.sqrt(area), rotation, agree)


def _features(pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, tuple[float, float]]:
    """(n, 2) places in a copy made small, from its corner; what they look like; the copy's scale in x and y."""
    height, width = pixels.shape[:2]
    size = at_most((height, width), WORK_PX)
    small = shrunk(pixels, size)
    if small.dtype == np.uint16:
        small = (small >> 8).astype(np.uint8)
    grey = cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY)
    finder = cv2.SIFT_create(nfeatures=_MOST_FEATURES)  # type: ignore[attr-defined]  # OpenCV's own types lack it
    keys, kinds = finder.detectAndCompute(grey, None)
    # A pixel's middle is at a whole number for OpenCV.
    places = np.array([key.pt for key in keys], np.float32).reshape(-1, 2) + np.float32(0.5)
    return places, kinds, (size[1] / width, size[0] / height)


def _moved(matrix: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, w = matrix @ [*point, 1.0]
    return np.array([x / w, y / w])
