"""Large pictures made small, and small maps at picture size in pieces, so that the whole never lies in memory.

Enlarging is bilinear. Pixel centres are aligned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.types import Box, Size

Rows: TypeAlias = Callable[[int, int], NDArray[np.float32]]
"""Gives rows top to bottom (half-open) of an (H, W) float32 array."""

_SAMPLES = 4
"""So many pixels along a side, evenly spread, are enough to tell the mean of a large square of them."""
_PER_ROW = 1 << 10  # cv2.remap refuses sides of 32768 and more


def scaled(size: Size | tuple[int, ...], scale: float) -> Size:
    """(H, W) times a scale, in whole pixels, each side at least 1."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def at_most(size: Size | tuple[int, ...], longest: float) -> Size:
    """(H, W) made smaller, if need be, so that the longer side is no longer than this."""
    return scaled(size, min(1.0, longest / max(size[:2])))


def shrunk(array: NDArray[Any], size: Size) -> NDArray[Any]:
    """(H, W) or (H, W, C) at a smaller or equal size (h, w): means of each small pixel's area, in the same dtype.

    Very large pictures are sampled: the mean of all of 24 megapixels takes .1 s.
    """
    if array.shape[:2] == size:
        return array
    every_y, every_x = (max(1, have // (want * _SAMPLES)) for have, want in zip(array.shape, size, strict=False))
    sampled = np.ascontiguousarray(array[every_y // 2 :: every_y, every_x // 2 :: every_x])
    small: NDArray[Any] = cv2.resize(sampled, size[::-1], interpolation=cv2.INTER_AREA)
    return small


def enlarged_rows(small: NDArray[np.float32], size: Size) -> Rows:
    """(h, w) or (h, w, C) float32 as a function that gives rows of it at `size` (H, W): as one cv2.resize."""
    if small.shape == size:
        return lambda top, bottom: small[top:bottom]
    wide: NDArray[np.float32] = cv2.resize(small, (size[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
    last = small.shape[0] - 1

    def rows(top: int, bottom: int) -> NDArray[np.float32]:
        mixed = np.empty((bottom - top, *wide.shape[1:]), np.float32)
        for row, y in enumerate(range(top, bottom)):
            position = min(max((y + 0.5) * (small.shape[0] / size[0]) - 0.5, 0), last)
            low, part = int(position), position % 1
            cv2.addWeighted(wide[low], 1 - part, wide[min(low + 1, last)], part, 0, dst=mixed[row])
        return mixed

    return rows


def enlarged_tile(small: NDArray[np.float32], size: Size, box: Box) -> NDArray[np.float32]:
    """What (h, w, C) float32, C at most 4, would be in a box of `size` (H, W). Positions count in 32nds of a pixel."""
    left, top, right, bottom = box
    across, down = small.shape[1] / size[1], small.shape[0] / size[0]
    to_small = np.array([[across, 0, (left + 0.5) * across - 0.5], [0, down, (top + 0.5) * down - 0.5]])
    tile: NDArray[np.float32] = cv2.warpAffine(
        small,
        to_small,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return tile


def enlarged_at(small: NDArray[np.float32], size: Size, y: NDArray[Any], x: NDArray[Any]) -> NDArray[np.float32]:
    """What (h, w, C) float32 would be at the pixels y, x (n each) of `size` (H, W). Returns (n, C) float32.

    Positions count in 32nds of a small pixel. C is at most 4.
    """
    count, columns = y.size, min(_PER_ROW, y.size)
    padding = -count % columns
    at_y, at_x = (
        np.pad((at.astype(np.float32) + np.float32(0.5)) * np.float32(scale) - np.float32(0.5), (0, padding))
        for at, scale in ((y, small.shape[0] / size[0]), (x, small.shape[1] / size[1]))
    )
    sampled: NDArray[np.float32] = cv2.remap(
        small,
        at_x.reshape(-1, columns),
        at_y.reshape(-1, columns),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return sampled.reshape(count + padding, -1)[:count]
