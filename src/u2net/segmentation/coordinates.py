"""From pixels of a picture to cells of maps and back. A map covers the picture, or a box of it, from side to side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from u2net.types import Box, Saliency, Size

MAX_CELLS = 1 << 22
"""A map has at most so many cells: 16 MB."""


def whole(size: Size) -> Box:
    """The box that is all of a picture of `size`, or all cells of a map of it."""
    return 0, 0, size[1], size[0]


def finest(size: Size, maps: Sequence[tuple[Box, Size]]) -> Size:
    """The (rows, columns) that a map of a picture of `size` needs to be as fine as maps of the given sizes of boxes.

    Never finer than the picture, and at most MAX_CELLS.
    """
    rows = min(1.0, max(cells[0] / (bottom - top) for (_, top, _, bottom), cells in maps)) * size[0]
    columns = min(1.0, max(cells[1] / (right - left) for (left, _, right, _), cells in maps)) * size[1]
    fit = min(1.0, float(np.sqrt(MAX_CELLS / (rows * columns))))
    return max(1, round(rows * fit)), max(1, round(columns * fit))


def cell_at(point: tuple[int, int], box: Box, shape: Size) -> tuple[int, int]:
    """The (row, column) where the middle of a pixel (x, y) lies in a map, of (rows, columns), of a box of a picture."""
    left, top, right, bottom = box
    row = int((point[1] + 0.5 - top) * shape[0] / (bottom - top))
    column = int((point[0] + 0.5 - left) * shape[1] / (right - left))
    return min(max(row, 0), shape[0] - 1), min(max(column, 0), shape[1] - 1)


def cells_of(box: Box, size: Size, shape: Size) -> tuple[slice, slice]:
    """(rows, columns) of a map, of (rows, columns), of a picture of `size`: the cells whose middles lie in a box."""
    left, top, right, bottom = box
    return _cells(top, bottom, size[0], shape[0]), _cells(left, right, size[1], shape[1])


def box_of(cells: Box, size: Size, shape: Size, *, margin: float = 0.0) -> Box:
    """The box of a picture that holds a box of cells of its map, `margin` times its sides larger on every side."""
    left, top, right, bottom = cells
    across, down = size[1] / shape[1], size[0] / shape[0]
    more_x, more_y = margin * (right - left) * across, margin * (bottom - top) * down
    return (
        max(0, int(np.floor(left * across - more_x))),
        max(0, int(np.floor(top * down - more_y))),
        min(size[1], int(np.ceil(right * across + more_x))),
        min(size[0], int(np.ceil(bottom * down + more_y))),
    )


def resample(values: Saliency, box: Box, size: Size, shape: Size) -> Saliency:
    """The map of a box, at those cells of a map of the picture that `cells_of` gives.

    values: (h, w) float32. shape: (rows, columns) of the map of all of the picture, whose size is `size`.
    Returns float32, bilinear between the middles of cells, and beyond the outermost of them as there.
    """
    rows, columns = cells_of(box, size, shape)
    left, top, right, bottom = box
    y = ((np.arange(rows.start, rows.stop) + 0.5) * (size[0] / shape[0]) - top) * (
        values.shape[0] / (bottom - top)
    ) - 0.5
    x = ((np.arange(columns.start, columns.stop) + 0.5) * (size[1] / shape[1]) - left) * (
        values.shape[1] / (right - left)
    ) - 0.5
    return _interpolated(_interpolated(values, y).T, x).T


def _cells(start: int, stop: int, side: int, cells: int) -> slice:
    first = int(np.ceil(start * cells / side - 0.5))
    last = int(np.ceil(stop * cells / side - 0.5))
    first = min(first, cells - 1)
    return slice(first, max(last, first + 1))


def _interpolated(values: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows of an array at fractions of a row."""
    inside = np.clip(positions, 0, values.shape[0] - 1)
    low = inside.astype(np.intp)
    part = (inside - low).astype(np.float32)[:, None]
    mixed: NDArray[np.float32] = values[low] * (1 - part) + values[np.minimum(low + 1, values.shape[0] - 1)] * part
    return mixed
