"""Looking where a user points and the whole picture's map has nothing: in windows around a point, and into a box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from u2net.imaging.regions import PART_ABOVE, bounding_box, label_parts, only_parts
from u2net.inference.predict import Look
from u2net.segmentation.coordinates import box_of, cell_at, cells_of
from u2net.segmentation.merge_views import View
from u2net.types import EMPTY_BELOW, Box, Size, size_of

WINDOWS = (0.2, 0.35, 0.6)
"""The windows around a point, in longer sides of the picture."""

_GROWTHS = 3
"""How often a window grows, so that a point costs at most 12 runs of the network."""

_CUT_OFF_COSTS = 3.0
"""What lies on a sixth of a window's edge is not believed: where the network sees little else it takes the sky for an
object."""

_ABOUT = 0.1
"""Candidates whose scores differ by less are equal."""

_BOX_MARGINS = (0.1, 0.25, 0.4)
"""What lies in a box is looked at with so much around it on every side, in sides of the box."""


@dataclass(frozen=True, eq=False)
class Candidate(View):
    """A view that holds only the subject, and how sure the network is of it."""

    confidence: float


def search_at_point(point: tuple[int, int], size: Size, look: Look) -> Candidate | None:
    """What lies at a point (x, y), seen in windows around it; None where no window has anything there.

    size: the picture's (H, W). look: runs the network on a box of the picture.
    A window grows where it cuts off what it sees. The surest candidate counts, and of about equal ones that of the
    largest window.
    """
    best, best_score = None, EMPTY_BELOW
    for share in WINDOWS:
        box = _window(point, round(share * max(size)), size)
        for _ in range(_GROWTHS + 1):
            candidate = _at_point(point, box, look)
            if candidate is None:
                break
            cut = _cut_off(candidate, size)
            score = candidate.confidence - _CUT_OFF_COSTS * float(np.mean(cut))
            if score >= max(EMPTY_BELOW, best_score - _ABOUT):
                best, best_score = candidate, max(score, best_score)
            if max(cut) == 0:
                break
            box = _grown(box, cut, size)
    return best


def search_in_box(wanted: Box, size: Size, look: Look) -> Candidate | None:
    """What lies in a box of the picture, cut off at the box; None where nothing does.

    size, look: as for `search_at_point`.
    Of candidates with less and more around the box the one counts whose saliency fills the box best and lies in it
    most.
    """
    best, best_score = None, 0.0
    for margin in _BOX_MARGINS:
        box = box_of(wanted, size, size, margin=margin)
        seen = look(box)
        own = (wanted[0] - box[0], wanted[1] - box[1], wanted[2] - box[0], wanted[3] - box[1])
        cells = cells_of(own, (box[3] - box[1], box[2] - box[0]), size_of(seen.map))
        values = np.zeros_like(seen.map)
        values[cells] = seen.map[cells]
        candidate = Candidate(box, values, float(values.max()) * seen.scale)
        within = float(values.sum() / max(seen.map.sum(), 1e-6))
        score = candidate.confidence * fills(candidate, wanted) * within
        if candidate.confidence >= EMPTY_BELOW and score > best_score:
            best, best_score = candidate, score
    return best


def fills(view: View, box: Box) -> float:
    """How well what a view shows fills a box of the picture: intersection over union of its own box and that one."""
    inner = bounding_box(view.values > PART_ABOVE)
    if inner is None:
        return 0.0
    size = (view.box[3] - view.box[1], view.box[2] - view.box[0])
    left, top, right, bottom = box_of(inner, size, size_of(view.values))
    x, y = view.box[:2]
    own = (left + x, top + y, right + x, bottom + y)
    shared = (max(own[0], box[0]), max(own[1], box[1]), min(own[2], box[2]), min(own[3], box[3]))
    common = _area(shared)
    return common / (_area(own) + _area(box) - common)


def _at_point(point: tuple[int, int], box: Box, look: Look) -> Candidate | None:
    """What the network sees in a box, of that only the part at a point, and how sure it is of the point."""
    seen = look(box)
    labels = label_parts(seen.map)
    cell = cell_at(point, box, size_of(labels))
    sure = float(seen.map[cell]) * seen.scale
    if sure < EMPTY_BELOW or not labels[cell]:
        return None
    return Candidate(box, only_parts(seen.map, labels, [int(labels[cell])]), sure)


def _window(point: tuple[int, int], side: int, size: Size) -> Box:
    """A square around a point, moved into the picture where it leaves it."""
    height, width = (min(max(side, 1), extent) for extent in size)
    left = min(max(point[0] - width // 2, 0), size[1] - width)
    top = min(max(point[1] - height // 2, 0), size[0] - height)
    return left, top, left + width, top + height


def _cut_off(candidate: Candidate, size: Size) -> list[float]:
    """How much of a window's sides the part lies on: left, top, right, bottom, each 0 to 1; 0 at the picture's own."""
    left, top, right, bottom = candidate.box
    sides = [(left > 0, candidate.values[:, 0]), (top > 0, candidate.values[0])]
    sides += [(right < size[1], candidate.values[:, -1]), (bottom < size[0], candidate.values[-1])]
    return [float((values > PART_ABOVE).mean()) if inside else 0.0 for inside, values in sides]


def _grown(box: Box, cut: list[float], size: Size) -> Box:
    """A box with its sides where something is cut off moved out by half of its extent, inside the picture."""
    left, top, right, bottom = box
    more_x, more_y = (right - left) // 2 + 1, (bottom - top) // 2 + 1
    return (
        max(0, left - more_x * (cut[0] > 0)),
        max(0, top - more_y * (cut[1] > 0)),
        min(size[1], right + more_x * (cut[2] > 0)),
        min(size[0], bottom + more_y * (cut[3] > 0)),
    )


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])
