"""Views of parts of a picture go into its map without a seam, and change nothing where they know nothing new."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from support.color_network import disc
from u2net.segmentation.coordinates import whole
from u2net.segmentation.merge_views import View, merge
from u2net.segmentation.tiled_refinement import tiles_of
from u2net.types import Box

SIZE = (600, 800)


def shrunk(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    small: NDArray[np.float32] = cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA)
    return small


def test_merged_tiles_have_no_seams() -> None:
    """Tiles that disagree a little everywhere leave no step where one ends."""
    blurred: NDArray[np.float32] = cv2.GaussianBlur(disc(SIZE, (400, 300), 200), (0, 0), 40)
    coarse = shrunk(blurred, (64, 64))
    levels = [
        [
            View(box, np.clip(coarse_of(blurred, box) + (0.03 if index % 2 else -0.03), 0, 1))
            for index, box in enumerate(boxes)
        ]
        for boxes in (tiles_of((100, 50, 700, 550), 2), tiles_of((100, 50, 700, 550), 3))
    ]
    merged = merge(coarse, levels, SIZE)
    smooth = shrunk(blurred, merged.shape)  # type: ignore[arg-type]
    for axis in (0, 1):
        steps = np.diff(merged - smooth, axis=axis)
        assert np.abs(steps).max() < 0.012
    assert np.abs(merged - smooth).max() < 0.045


def coarse_of(values: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    left, top, right, bottom = box
    return shrunk(values[top:bottom, left:right], (64, 64))


def test_views_that_are_the_map_change_nothing() -> None:
    values = disc((64, 64), (30, 30), 20, soft_px=9)
    same = merge(values, [[View(whole(SIZE), values)]], SIZE)
    np.testing.assert_allclose(same, values, atol=1e-6)
