"""Which parts of a map a hint points at.

In all of these: labels: (h, w) int32, the parts of the map, as `label_parts` numbers them. size: the picture's (H, W).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.imaging.regions import PART_ABOVE, TIED_ABOVE
from u2net.segmentation.coordinates import cell_at, cells_of, whole
from u2net.segmentation.hints import Hint, box_in
from u2net.types import Saliency, Size, size_of

_MOSTLY = 0.8
"""A part lies in a box if so much of it does."""

_SLACK = 0.02
"""A point that misses a part by less than this, in sides of the map, means it."""


def parts_of(hint: Hint, labels: NDArray[np.int32], size: Size) -> list[int]:
    """The part that a point lies on, the parts that lie in a box."""
    if hint.point:
        part = int(labels[cell_at(hint.point, whole(size), size_of(labels))])
        return [part] if part else []
    inside = np.bincount(
        labels[cells_of(box_in(hint, size), size, size_of(labels))].ravel(), minlength=labels.max() + 1
    )
    areas = np.bincount(labels.ravel())
    return [part for part in range(1, len(areas)) if inside[part] >= _MOSTLY * areas[part]]


def hints_by_part(hints: Sequence[Hint], labels: NDArray[np.int32], size: Size) -> dict[int, list[Hint]]:
    """The parts that hints point at, and for each of them which hints do."""
    found: dict[int, list[Hint]] = {}
    for hint in hints:
        for part in parts_of(hint, labels, size):
            found.setdefault(part, []).append(hint)
    return found


def part_beside(point: tuple[int, int], saliency: Saliency, labels: NDArray[np.int32], size: Size) -> list[int]:
    """The nearest part, if it is tied to the point by soft saliency, or if the point misses it by a little."""
    row, column = cell_at(point, whole(size), size_of(labels))
    ties = _ties(saliency)
    tied = labels * (ties == ties[row, column]) if ties[row, column] else np.zeros_like(labels)
    rows, columns = np.nonzero(tied if tied.any() else labels)
    if not rows.size:
        return []
    distances = np.hypot(rows - row, columns - column)
    nearest = int(distances.argmin())
    part = int(labels[rows[nearest], columns[nearest]])
    return [part] if tied.any() or distances[nearest] <= _SLACK * max(labels.shape) else []


def soft_region_at(point: tuple[int, int], saliency: Saliency, size: Size) -> NDArray[np.bool_]:
    """(h, w) bool: the soft region at a point, if there is one that holds no part."""
    ties = _ties(saliency)
    tie = ties[cell_at(point, whole(size), size_of(saliency))]
    here = ties == tie
    return here if tie and not (saliency[here] > PART_ABOVE).any() else np.zeros_like(here)


def _ties(saliency: Saliency) -> NDArray[np.int32]:
    """Regions that hang together, however softly, numbered from 1."""
    ties: NDArray[np.int32] = cv2.connectedComponents((saliency > TIED_ABOVE).view(np.uint8), connectivity=8)[1]
    return ties
