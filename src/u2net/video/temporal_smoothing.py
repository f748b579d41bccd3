"""Maps of frames that follow each other, smoothed over time, so that what stands still does not flicker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.imaging.resize import at_most, shrunk
from u2net.types import Pixels, Saliency

Thumbnail: TypeAlias = NDArray[np.float32]
"""A frame made small, (h, w, 3) in [0, 1]: what tells whether, and where, the picture has changed."""

REACH = 3
"""So many frames before and after one are averaged with it: noise of the maps that is new in every frame moves
sqrt(7) times less away from its mean, and 7 times less from frame to frame."""

LOOK_PX = 160
"""The long side of a thumbnail; the network's maps are twice as fine, and as blurred."""

CUT_ABOVE = 0.12
"""The mean change of color, full scale 1, from which on the next frame is another scene. Photographs of different
things differ by .2 to .4, neighbouring frames of one scene by less than .08."""

_SAME_BELOW, _OTHER_ABOVE = 0.04, 0.12
"""A place counts as unchanged below the first and not at all above the second: what GIF's dithering and JPEG's noise do
to a thumbnail stays below .03."""


def thumbnail(pixels: Pixels) -> Thumbnail:
    """What `smooth` compares frames by: (h, w, 3) float32 in [0, 1], of at most 160 pixels a side.

    pixels: (H, W, 3) RGB, uint8 or uint16.

    >>> from u2net.video import thumbnail
    >>> thumbnail(u2net.read("examples/coffee.jpg").pixels).shape
    (107, 160, 3)
    """
    size = at_most(pixels.shape, LOOK_PX)
    small: Thumbnail = np.divide(shrunk(pixels, size), np.float32(np.iinfo(pixels.dtype).max), dtype=np.float32)
    return small


def is_scene_change(before: Thumbnail, after: Thumbnail) -> bool:
    """Whether a new scene begins between two frames that follow each other."""
    return bool(np.abs(before - after).mean() > CUT_ABOVE)


def unchanged(one: Thumbnail, other: Thumbnail) -> NDArray[np.float32]:
    """Where two frames show the same: (h, w) float32, 1 for the same, 0 for something else."""
    differs = cv2.blur(np.abs(one - other).max(axis=2), (3, 3))
    same = np.clip((_OTHER_ABOVE - differs) / (_OTHER_ABOVE - _SAME_BELOW), 0, 1)
    # Near what has changed the map has changed too: its edges are as wide as that.
    eroded: NDArray[np.float32] = cv2.erode(same, np.ones((3, 3), np.uint8))
    return eroded


def smooth(maps: Sequence[Saliency], thumbnails: Sequence[Thumbnail], middle: int) -> Saliency:
    """One map of a scene, averaged with its neighbours where the picture is the same.

    maps: (h, w) float32 in [0, 1], of frames in their order; others than the middle one may have other sizes.
    thumbnails: as many. middle: which is wanted. Where the picture has changed the frame's own map stays, so nothing
    drags behind. Returns (h, w) float32 in [0, 1]. Raises ValueError where maps and thumbnails are not as many.

    >>> from u2net.video import smooth, thumbnail
    >>> still = thumbnail(u2net.read("examples/coffee.jpg").pixels)
    >>> maps = [np.full((10, 15), level, np.float32) for level in (0.2, 0.4, 0.6)]
    >>> np.allclose(smooth(maps, [still] * 3, 1), 0.4)
    True
    """
    own = maps[middle]
    size = own.shape[1], own.shape[0]
    total, weights = own.copy(), np.ones_like(own)
    for index, (values, small) in enumerate(zip(maps, thumbnails, strict=True)):
        if index == middle:
            continue
        weight = cv2.resize(unchanged(small, thumbnails[middle]), size, interpolation=cv2.INTER_LINEAR)
        there = values if values.shape == own.shape else cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
        total += weight * there
        weights += weight
    total /= weights
    return total
