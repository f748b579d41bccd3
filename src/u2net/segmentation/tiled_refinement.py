"""Look again, closer: the object's box and its tiles through the network, merged where they say what the map said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.imaging.regions import PART_ABOVE, bounding_box
from u2net.inference.predict import Prediction, predict_box
from u2net.inference.session import Session
from u2net.segmentation.grid import box_of, cells_of, grid_for, on_grid
from u2net.types import Box, Picture, Saliency, Size, size_of

MARGIN = 0.1
"""The box that is looked at is so much larger on every side than the object, in sides of the object."""

TILINGS = (1, 2, 3)
"""The box is looked at whole, in 2 x 2 tiles and in 3 x 3: at most 14 runs of the network."""

OVERLAP = 0.35
"""Tiles share so much of their side with the next one."""

_SMALLEST_TILE = 0.5
"""Tiles have at least so much of the network's own side in pixels of the picture: smaller ones show nothing new."""

_FEATHER = 0.18
"""A tile's say grows from its edge to so much of its side."""

_DECIDED = 0.02
"""The map is undecided where it is so far from 0 and from 1."""

_REACH = 4
"""Changes reach so many cells of the map, and then fade over as many, beyond where it is undecided."""

_BLUR = 3.0
_NEAR = 9
_AGREES, _DIFFERS = 0.06, 0.2
"""A tile is believed where, both blurred by so many cells of the map, it differs from the map by less than the first,
and not at all where it differs by more than the second; the worst of a square of _NEAR cells counts, averaged over
another. Chosen with benchmarks/detail.py; two thirds or one and a half of each change little."""


@dataclass(frozen=True, eq=False)
class TilePrediction:
    """A box of the picture, and what the network says of it: (h, w) float32, settled."""

    box: Box
    values: Saliency


def refine_by_tiles(session: Session, picture: Picture, prediction: Prediction) -> Prediction:
    """Refine a prediction by running the network on the object's box and on tiles of it.

    Returns a settled prediction; its map is finer, as the tiles are, but never finer than the picture. Where there is
    no object it is the one that was given, settled.
    A tile is easily wrong: without its surroundings the network takes a leaf for the object, or the object for
    background. So it is believed only where, made as coarse as the map, it says what the map says, and it changes only
    what is near the map's undecided cells: edges and thin parts. Tiles without such cells are not run.
    """
    settled = prediction.settled()
    inner = bounding_box(settled.map > PART_ABOVE)
    if not prediction.found or inner is None:
        return settled
    grid = size_of(settled.map)
    near = _near_undecided(settled.map)
    box = box_of(inner, picture.size, grid, margin=MARGIN)
    levels = []
    for count in TILINGS:
        boxes = [tile for tile in tiles_of(box, count) if near[cells_of(tile, picture.size, grid)].any()]
        if count == 1 or _longest_side(boxes) >= max(session.spec.size) * _SMALLEST_TILE:
            levels.append([TilePrediction(tile, predict_box(session, picture, tile).map) for tile in boxes])
    return settled.with_map(merge(settled.map, levels, picture.size))


def tiles_of(box: Box, count: int) -> list[Box]:
    """`count` x `count` equal boxes that overlap and fill a box."""
    left, top, right, bottom = box
    columns, rows = _spans(left, right, count), _spans(top, bottom, count)
    return [(x[0], y[0], x[1], y[1]) for y in rows for x in columns]


def merge(coarse: Saliency, levels: Sequence[Sequence[TilePrediction]], size: Size) -> Saliency:
    """Lay predictions of tiles into a map, level after level, where they agree with it.

    coarse: (h, w) float32 in [0, 1]. levels: the coarsest first. size: the picture's (H, W).
    Returns (rows, columns) float32 in [0, 1], as fine as the smallest tile.
    """
    views = [view for level in levels for view in level]
    if not views:
        return coarse
    grid = grid_for(size, [(view.box, size_of(view.values)) for view in views])
    result = on_grid(coarse, (0, 0, size[1], size[0]), size, grid)
    blurred = cv2.GaussianBlur(coarse, (0, 0), _BLUR)
    near = _near_undecided(coarse)
    for level in levels:
        if level:
            _lay(result, level, blurred, near, size)
    return result


def _lay(
    result: Saliency, level: Sequence[TilePrediction], blurred: Saliency, near: NDArray[np.float32], size: Size
) -> None:
    """Change the cells of `result` that this level's views cover."""
    grid = size_of(result)
    outer = tuple(pick(view.box[side] for view in level) for side, pick in enumerate((min, min, max, max)))
    rows, columns = cells_of(outer, size, grid)  # type: ignore[arg-type]  # four of them
    window = result[rows, columns]
    weighted, weights = np.zeros_like(window), np.zeros_like(window)
    for view in level:
        at_y, at_x = cells_of(view.box, size, grid)
        here = (_moved(at_y, rows.start), _moved(at_x, columns.start))
        values = on_grid(view.values, view.box, size, grid)
        cells = cells_of(view.box, size, size_of(blurred))
        belief = _belief(view, blurred, cells, size) * near[cells]
        weight = cv2.resize(belief, values.shape[::-1], interpolation=cv2.INTER_LINEAR) * _feather(
            view.box, size, values
        )
        weighted[here] += weight * values
        weights[here] += weight
    change = weighted - weights * window
    change /= np.maximum(weights, 0.5)
    window += change


def _belief(view: TilePrediction, blurred: Saliency, cells: tuple[slice, slice], size: Size) -> NDArray[np.float32]:
    """How far a view is believed at cells of the map, 0 to 1: where it is the map, seen closer."""
    wanted = blurred[cells]
    sigmas = [_BLUR * inner / outer for inner, outer in zip(view.values.shape, wanted.shape, strict=True)]
    soft = cv2.GaussianBlur(view.values, (0, 0), sigmaX=sigmas[1], sigmaY=sigmas[0])
    differs = np.abs(on_grid(soft, view.box, size, size_of(blurred)) - wanted)
    worst = cv2.dilate(differs, np.ones((_NEAR, _NEAR), np.uint8))
    mean = cv2.blur(worst, (_NEAR, _NEAR))
    belief: NDArray[np.float32] = np.clip((_DIFFERS - mean) / (_DIFFERS - _AGREES), 0, 1, dtype=np.float32)
    return belief


def _near_undecided(values: Saliency) -> NDArray[np.float32]:
    """(h, w) float32: 1 near cells that are neither 0 nor 1, fading to 0."""
    side = 2 * _REACH + 1
    undecided = ((values > _DECIDED) & (values < 1 - _DECIDED)).astype(np.float32)
    near: NDArray[np.float32] = cv2.blur(cv2.dilate(undecided, np.ones((side, side), np.uint8)), (side, side))
    return near


def _feather(box: Box, size: Size, values: Saliency) -> NDArray[np.float32]:
    """The shape of `values`, 1 in the middle, towards 0 at sides that are not the picture's own."""
    left, top, right, bottom = box
    across = _ramp(values.shape[1], left > 0, right < size[1])
    return _ramp(values.shape[0], top > 0, bottom < size[0])[:, None] * across


def _ramp(count: int, from_start: bool, from_end: bool) -> NDArray[np.float32]:
    place = ((np.arange(count) + 0.5) / count).astype(np.float32)
    ramp = np.ones(count, np.float32)
    if from_start:
        ramp = np.minimum(ramp, place / np.float32(_FEATHER))
    if from_end:
        ramp = np.minimum(ramp, (1 - place) / np.float32(_FEATHER))
    return ramp


def _spans(start: int, stop: int, count: int) -> list[tuple[int, int]]:
    length = int(np.ceil((stop - start) / (count - (count - 1) * OVERLAP)))
    firsts = [start + round(index * (stop - start - length) / max(1, count - 1)) for index in range(count)]
    return [(first, first + length) for first in firsts]


def _longest_side(boxes: Sequence[Box]) -> int:
    return max((max(right - left, bottom - top) for left, top, right, bottom in boxes), default=0)


def _moved(cells: slice, by: int) -> slice:
    return slice(cells.start - by, cells.stop - by)
