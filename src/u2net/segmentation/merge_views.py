"""What the network says of boxes of a picture, merged into its map of the whole where it says what the map says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.segmentation.coordinates import cells_of, finest, resample, whole
from u2net.types import Box, Saliency, Size, size_of

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
class View:
    """A box of the picture, and what the network sees there: (h, w) float32 in [0, 1], the box from side to side."""

    box: Box
    values: Saliency


def merge(coarse: Saliency, levels: Sequence[Sequence[View]], size: Size) -> Saliency:
    """Lay views into a map, level after level, where they agree with it.

    coarse: (h, w) float32 in [0, 1]. levels: the coarsest first. size: the picture's (H, W).
    Returns (rows, columns) float32 in [0, 1], as fine as the finest view, but never finer than the picture.
    """
    views = [view for level in levels for view in level]
    if not views:
        return coarse
    shape = finest(size, [(view.box, size_of(view.values)) for view in views])
    result = resample(coarse, whole(size), size, shape)
    blurred = cv2.GaussianBlur(coarse, (0, 0), _BLUR)
    near = near_undecided(coarse)
    for level in levels:
        if level:
            _lay(result, level, blurred, near, size)
    return result


def _lay(result: Saliency, level: Sequence[View], blurred: Saliency, near: NDArray[np.float32], size: Size) -> None:
    """Change the cells of `result` that this level's views cover."""
    shape = size_of(result)
    outer = tuple(pick(view.box[side] for view in level) for side, pick in enumerate((min, min, max, max)))
    rows, columns = cells_of(outer, size, shape)  # type: ignore[arg-type]  # four of them
    window = result[rows, columns]
    weighted, weights = np.zeros_like(window), np.zeros_like(window)
    for view in level:
        at_y, at_x = cells_of(view.box, size, shape)
        here = (_moved(at_y, rows.start), _moved(at_x, columns.start))
        values = resample(view.values, view.box, size, shape)
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


def _belief(view: View, blurred: Saliency, cells: tuple[slice, slice], size: Size) -> NDArray[np.float32]:
    """How far a view is believed at cells of the map, 0 to 1: where it is the map, seen closer."""
    wanted = blurred[cells]
    sigmas = [_BLUR * inner / outer for inner, outer in zip(view.values.shape, wanted.shape, strict=True)]
    soft = cv2.GaussianBlur(view.values, (0, 0), sigmaX=sigmas[1], sigmaY=sigmas[0])
    differs = np.abs(resample(soft, view.box, size, size_of(blurred)) - wanted)
    worst = cv2.dilate(differs, np.ones((_NEAR, _NEAR), np.uint8))
    mean = cv2.blur(worst, (_NEAR, _NEAR))
    belief: NDArray[np.float32] = np.clip((_DIFFERS - mean) / (_DIFFERS - _AGREES), 0, 1, dtype=np.float32)
    return belief


def near_undecided(values: Saliency) -> NDArray[np.float32]:
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


def _moved(cells: slice, by: int) -> slice:
    return slice(cells.start - by, cells.stop - by)
