"""One part of a map in two: what belongs to some points of it, and what to others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.imaging.regions import PART_ABOVE, bounding_box
from u2net.segmentation.coordinates import box_of
from u2net.types import Box, Picture, Saliency, Size, size_of

Cell: TypeAlias = tuple[int, int]
"""(row, column)."""

_WEAK = 40.0
_EDGE = 60.0
"""The way into a cell costs 1, and so much times what it lacks in saliency, and so much times the change of color
there (1 is full scale)."""

_SOFT = 4.0
"""Where both sides are about as near the map fades, over so much of a difference: some cells."""

_DEEP = 3.0
"""So many cells from its edge a part is surely within."""

_GROWN = 0.03
_MOST_SWEEPS = 40


def split_by_seeds(
    saliency: Saliency, part: NDArray[np.bool_], picture: Picture, mine: Sequence[Cell], others: Sequence[Cell]
) -> Saliency:
    """Take away from a part of a map what is nearer to the cells of others than to mine.

    saliency: (h, w) float32 in [0, 1], which covers the picture. part: (h, w) bool, one part of it.
    mine, others: cells of the part or beside it, at least one of others; without any of mine it is the cell deepest in
    the part and far from the others.
    Returns (h, w) float32: the cut runs where the map is weak or the colors change, and fades over a few cells; the
    other parts are unchanged.
    Source: geodesic segmentation (Bai and Sapiro, ICCV 2007).
    """
    inner = bounding_box(part)
    assert inner
    left, top, right, bottom = _grown(inner, size_of(saliency))
    window = (slice(top, bottom), slice(left, right))
    values = saliency[window]
    cost = 1 + _WEAK * (1 - values) + _EDGE * _color_change(picture, (left, top, right, bottom), size_of(saliency))
    depth = cv2.distanceTransform(np.pad(part[window].view(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    seeds = [[_inside((row - top, column - left), depth) for row, column in cells] for cells in (mine, others)]
    seeds[0] = seeds[0] or [_deepest(depth, seeds[1])]
    near_mine, near_others = (_geodesic_distance(cost.astype(np.float32), cells) for cells in seeds)
    weight = np.clip((near_others - near_mine) / np.float32(_SOFT) + np.float32(0.5), 0, 1)
    other_parts = (values > PART_ABOVE) & ~part[window]
    if other_parts.any():
        to_part, to_others = (
            cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 5) for mask in (part[window], other_parts)
        )
        weight[to_others < to_part] = 1
    result = saliency.copy()
    result[window] = values * weight
    return result


def _geodesic_distance(cost: NDArray[np.float32], seeds: Sequence[Cell]) -> NDArray[np.float32]:
    """(h, w) float32: the cost of the cheapest way from a seed to each cell, over sides and corners.

    Swept down, up, right and left, row by row, until nothing changes: a few times, but for labyrinths.
    """
    ways = np.full(cost.shape, np.inf, np.float32)
    for seed in seeds:
        ways[seed] = 0
    for _ in range(_MOST_SWEEPS):
        before = ways.copy()
        for turned, price in ((ways, cost), (ways[::-1], cost[::-1]), (ways.T, cost.T), (ways.T[::-1], cost.T[::-1])):
            _sweep(turned, price)
        if np.array_equal(before, ways):
            break
    return ways


def _sweep(ways: NDArray[np.float32], cost: NDArray[np.float32]) -> None:
    """Down, in place: into each cell from the three above it."""
    slant = np.float32(np.sqrt(2))
    above = np.full(ways.shape[1] + 2, np.inf, np.float32)
    for row in range(1, ways.shape[0]):
        above[1:-1] = ways[row - 1]
        straight = above[1:-1] + cost[row]
        aslant = np.minimum(above[:-2], above[2:]) + slant * cost[row]
        ways[row] = np.minimum(ways[row], np.minimum(straight, aslant))


def _color_change(picture: Picture, cells: Box, shape: Size) -> NDArray[np.float32]:
    """How much the color changes at these cells of a map of the picture, 0 to 1: the largest difference that a channel
    has between neighbours. shape: (rows, columns) of the map."""
    left, top, right, bottom = box_of(cells, picture.size, shape)
    pixels = picture.pixels[top:bottom, left:right]
    size = (cells[2] - cells[0], cells[3] - cells[1])
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    change = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    share: NDArray[np.float32] = change.max(axis=2).astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return share


def _inside(cell: Cell, depth: NDArray[np.float32]) -> Cell:
    """The cell; where it lies beside the part or on its very edge, which is dear to cross, the nearest one within."""
    enough = min(_DEEP, float(depth.max()) / 2)
    rows, columns = np.nonzero(depth >= enough)
    nearest = int(np.hypot(rows - cell[0], columns - cell[1]).argmin())
    return int(rows[nearest]), int(columns[nearest])


def _deepest(depth: NDArray[np.float32], others: Sequence[Cell]) -> Cell:
    """A cell in the middle of the part, away from the others."""
    away = np.ones(depth.shape, np.uint8)
    for cell in others:
        away[cell] = 0
    worth = depth * cv2.distanceTransform(away, cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(worth.argmax()), worth.shape)
    return int(row), int(column)


def _grown(box: Box, size: Size) -> Box:
    by = round(_GROWN * max(size)) + 1
    return max(0, box[0] - by), max(0, box[1] - by), min(size[1], box[2] + by), min(size[0], box[3] + by)
