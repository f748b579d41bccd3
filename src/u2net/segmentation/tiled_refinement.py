"""Look again, closer: the object's box and its tiles through the network, merged where they say what the map said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from u2net.imaging.regions import PART_ABOVE, bounding_box
from u2net.inference.predict import Look, Subject
from u2net.segmentation.coordinates import box_of, cells_of
from u2net.segmentation.merge_views import View, merge, near_undecided
from u2net.types import Box, size_of

MARGIN = 0.1
"""The box that is looked at is so much larger on every side than the object, in sides of the object."""

TILINGS = (1, 2, 3)
"""The box is looked at whole, in 2 x 2 tiles and in 3 x 3: at most 14 runs of the network."""

OVERLAP = 0.35
"""Tiles share so much of their side with the next one."""

_SMALLEST_TILE = 0.5
"""Tiles have at least so much of the network's own side in pixels of the picture: smaller ones show nothing new."""


def refine_by_tiles(subject: Subject, look: Look) -> Subject:
    """Refine a subject by running the network on the object's box and on tiles of it.

    look: runs the network on a box of the picture.
    Returns the subject with a finer map, as fine as the tiles are, but never finer than the picture. Where there is no
    object it is the one that was given.
    A tile is easily wrong: without its surroundings the network takes a leaf for the object, or the object for
    background. So it is believed only where, made as coarse as the map, it says what the map says, and it changes only
    what is near the map's undecided cells: edges and thin parts. Tiles without such cells are not run.
    """
    inner = bounding_box(subject.map > PART_ABOVE)
    if not subject.found or inner is None:
        return subject
    shape = size_of(subject.map)
    near = near_undecided(subject.map)
    box = box_of(inner, subject.size, shape, margin=MARGIN)
    levels = []
    for count in TILINGS:
        tiles = [tile for tile in tiles_of(box, count) if near[cells_of(tile, subject.size, shape)].any()]
        if count == 1 or _longest_side(tiles) >= max(subject.spec.size) * _SMALLEST_TILE:
            levels.append([View(tile, look(tile).map) for tile in tiles])
    return replace(subject, map=merge(subject.map, levels, subject.size))


def tiles_of(box: Box, count: int) -> list[Box]:
    """`count` x `count` equal boxes that overlap and fill a box."""
    left, top, right, bottom = box
    columns, rows = _spans(left, right, count), _spans(top, bottom, count)
    return [(x[0], y[0], x[1], y[1]) for y in rows for x in columns]


def _spans(start: int, stop: int, count: int) -> list[tuple[int, int]]:
    length = int(np.ceil((stop - start) / (count - (count - 1) * OVERLAP)))
    firsts = [start + round(index * (stop - start - length) / max(1, count - 1)) for index in range(count)]
    return [(first, first + length) for first in firsts]


def _longest_side(boxes: Sequence[Box]) -> int:
    return max((max(right - left, bottom - top) for left, top, right, bottom in boxes), default=0)
