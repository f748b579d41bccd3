"""The subject that a user points at: among what was found, or looked for where nothing was."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.imaging.regions import PART_ABOVE, TIED_ABOVE, bounding_box, label_parts, only_parts
from u2net.inference.predict import Prediction, predict_box
from u2net.inference.session import Session
from u2net.segmentation.geodesic import split_by_seeds
from u2net.segmentation.grid import box_of, cell_at, cells_of, grid_for, on_grid
from u2net.segmentation.hint_search import Candidate, fills, search_at_point, search_in_box
from u2net.segmentation.tiled_refinement import TilePrediction, merge
from u2net.types import EMPTY_BELOW, Box, Picture, Saliency, Size, size_of

log = logging.getLogger("u2net")

MARGIN = 0.25
"""The network sees a chosen part with so much around it on every side, in sides of the part."""

_MOSTLY = 0.8
"""A part lies in a box if so much of it does."""

_FILLED = 0.85
"""Parts fill a box if their own box and it share so much (intersection over union); else the box is looked into."""

_SLACK = 0.02
"""A point that misses a part by less than this, in sides of the map, means it."""


@dataclass(frozen=True)
class Hint:
    """What a user says about the subject: a point on it, or a box around it. Give one of the two.

    point: (x, y). box: (left, top, right, bottom), right and bottom one past the last pixel. Both in pixels of the
    picture as it is seen: upright, (0, 0) at the top left.
    positive: False for what is not wanted.
    Raises BadInput for neither or both, for what are no whole numbers, and for an empty box.
    """

    point: tuple[int, int] | None = None
    box: Box | None = None
    positive: bool = True

    def __post_init__(self) -> None:
        given, count = (self.point, 2) if self.box is None else (self.box, 4)
        if (self.point is None) == (self.box is None):
            raise BadInput("a hint has a point or a box: Hint(point=(x, y)) or Hint(box=(left, top, right, bottom))")
        if len(given or ()) != count or not all(isinstance(one, (int, np.integer)) for one in given or ()):
            raise BadInput(f"a hint's {'point' if count == 2 else 'box'} has {count} whole numbers, not {given!r}")
        if self.box is not None and (self.box[0] >= self.box[2] or self.box[1] >= self.box[3]):
            raise BadInput(f"the {self} is empty; its numbers are left, top, right, bottom")

    def __str__(self) -> str:
        """As on the command line: `hint 120,80`."""
        kind = ("hint" if self.box is None else "hint-box") + ("" if self.positive else "-not")
        return f"{kind} {','.join(map(str, self.point or self.box or ()))}"


def check_hints(hints: Sequence[Hint], size: Size) -> None:
    """Raise BadInput for what are no hints, for hints outside a picture of `size`, and for those that contradict each
    other."""
    if isinstance(hints, Hint) or not all(isinstance(hint, Hint) for hint in hints):
        raise BadInput(f"hints are a list of u2net.Hint, such as [Hint(point=(120, 80))], not {hints!r}")
    height, width = size
    for hint in hints:
        left, top, right, bottom = _box(hint)
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            raise BadInput(f"the {hint} lies outside the picture, which is {width} x {height} pixels (x,y from 0,0)")
    for wanted in (hint for hint in hints if hint.positive):
        for unwanted in (hint for hint in hints if not hint.positive):
            inner, outer = _box(wanted), _box(unwanted)
            if inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]:
                raise BadInput(f"the {wanted} and the {unwanted} contradict each other; leave one of them out")


def choose(session: Session, picture: Picture, prediction: Prediction, hints: Sequence[Hint]) -> Prediction:
    """Keep what positive hints point at, and take away what negative ones do.

    hints: at least one. Returns a settled prediction; its map may be finer than the network's. Where the hints leave
    nothing its map is 0.

    A point means the part of the map that it lies on; the network then sees that part closer. Where there is none,
    windows around the point are looked at, and the one whose map is surest of the point is taken. A box means the parts
    that lie in it; where there is none, what the network sees in the box, cut off at the box.
    A negative point takes away the part that it lies on; a part that a positive hint means too is split between them,
    by the closer look if that shows them apart, else where the map is weak or the colors change. A negative box takes
    away the parts that lie in it, and of others what does.
    Raises BadInput as `check_hints`.
    """
    check_hints(hints, picture.size)
    wanted, unwanted = ([hint for hint in hints if hint.positive is sign] for sign in (True, False))
    settled = prediction.settled()
    if wanted:
        candidates = _candidates(session, picture, settled, wanted, unwanted)
        settled = _merged_candidates(settled, candidates)
    return settled.with_map(_without(settled.map, picture, wanted, unwanted)) if unwanted else settled


def _candidates(
    session: Session, picture: Picture, settled: Prediction, wanted: Sequence[Hint], unwanted: Sequence[Hint]
) -> list[Candidate]:
    """One for each part and each place that positive hints mean; says which hints met nothing, unless all did."""
    labels = label_parts(settled.map) if settled.found else np.zeros(settled.map.shape, np.int32)
    points: dict[int, list[Hint]] = {}
    candidates, missed = [], []
    for hint in wanted:
        parts = _parts_in(hint, labels, picture.size)
        candidate = None
        if hint.point and not parts:
            candidate = search_at_point(session, picture, hint.point)
            parts = [] if candidate else _near(hint.point, settled.map, labels, picture.size)
        if hint.box:
            box = _clipped(hint, picture.size)
            fit = (
                fills(TilePrediction(_whole(picture.size), np.isin(labels, parts).astype(np.float32)), box)
                if parts
                else 0.0
            )
            candidate = search_in_box(session, picture, box) if fit < _FILLED else None
            candidate = candidate if candidate and fills(candidate, box) > fit else None
            parts = [] if candidate else parts
        for part in parts:
            points.setdefault(part, []).append(hint)
        candidates += [candidate] if candidate else []
        missed += [] if candidate or parts else [hint]
    candidates += [_closer(session, picture, settled, labels, part, met, unwanted) for part, met in points.items()]
    if candidates:
        for hint in missed:
            log.warning("nothing found at the %s", hint)
    return candidates


def _parts_in(hint: Hint, labels: NDArray[np.int32], size: Size) -> list[int]:
    """The parts that a hint means."""
    if hint.point:
        part = int(labels[cell_at(hint.point, _whole(size), size_of(labels))])
        return [part] if part else []
    inside = np.bincount(
        labels[cells_of(_clipped(hint, size), size, size_of(labels))].ravel(), minlength=labels.max() + 1
    )
    areas = np.bincount(labels.ravel())
    return [part for part in range(1, len(areas)) if inside[part] >= _MOSTLY * areas[part]]


def _near(point: tuple[int, int], saliency: Saliency, labels: NDArray[np.int32], size: Size) -> list[int]:
    """The nearest part, if it is tied to the point by soft saliency, or if the point misses it by a little."""
    row, column = cell_at(point, _whole(size), size_of(labels))
    ties = _ties(saliency)
    tied = labels * (ties == ties[row, column]) if ties[row, column] else np.zeros_like(labels)
    rows, columns = np.nonzero(tied if tied.any() else labels)
    if not rows.size:
        return []
    distances = np.hypot(rows - row, columns - column)
    nearest = int(distances.argmin())
    part = int(labels[rows[nearest], columns[nearest]])
    return [part] if tied.any() or distances[nearest] <= _SLACK * max(labels.shape) else []


def _ties(saliency: Saliency) -> NDArray[np.int32]:
    """Regions that hang together, however softly, numbered from 1."""
    ties: NDArray[np.int32] = cv2.connectedComponents((saliency > TIED_ABOVE).view(np.uint8), connectivity=8)[1]
    return ties


def _closer(
    session: Session,
    picture: Picture,
    settled: Prediction,
    labels: NDArray[np.int32],
    part: int,
    met: Sequence[Hint],
    unwanted: Sequence[Hint],
) -> Candidate:
    """A part of the map, refined by a closer look; or what of it the closer look shows apart from negative points."""
    alone = only_parts(settled.map, labels, [part])
    inner = bounding_box(labels == part)
    assert inner
    box = box_of(inner, picture.size, size_of(labels), margin=MARGIN)
    fine = predict_box(session, picture, box)
    apart = [hint for hint in unwanted if hint.point and _parts_in(hint, labels, picture.size) == [part]]
    if apart and fine.found:
        fine_labels = label_parts(fine.map)
        mine, others = (
            {int(fine_labels[cell_at(hint.point, box, size_of(fine.map))]) for hint in hints if hint.point}
            for hints in (met, apart)
        )
        if mine and 0 not in mine and not mine & others:
            return Candidate(box, only_parts(fine.map, fine_labels, mine), fine.confidence)
    merged = merge(alone, [[TilePrediction(box, fine.map)]], picture.size)
    return Candidate(_whole(picture.size), merged, float(alone.max()) * settled.ceiling)


def _merged_candidates(settled: Prediction, candidates: Sequence[Candidate]) -> Prediction:
    """All that was found in one map; a map of 0 where nothing was."""
    if not candidates:
        return settled.with_map(np.zeros_like(settled.map))
    grid = grid_for(settled.size, [(candidate.box, size_of(candidate.values)) for candidate in candidates])
    together = np.zeros(grid, np.float32)
    for candidate in candidates:
        cells = cells_of(candidate.box, settled.size, grid)
        together[cells] = np.maximum(together[cells], on_grid(candidate.values, candidate.box, settled.size, grid))
    sure = max(candidate.confidence for candidate in candidates) / max(float(together.max()), EMPTY_BELOW)
    return replace(settled, map=together, ceiling=sure)


def _without(values: Saliency, picture: Picture, wanted: Sequence[Hint], unwanted: Sequence[Hint]) -> Saliency:
    """A map without what negative hints point at."""
    labels = label_parts(values)
    met: dict[int, list[Hint]] = {}
    for hint in unwanted:
        for part in _parts_in(hint, labels, picture.size):
            met.setdefault(part, []).append(hint)
    shared: set[int] = set()
    for hint in wanted:
        meant = set(_parts_in(hint, labels, picture.size))
        if hint.point and not meant:
            meant = set(_near(hint.point, values, labels, picture.size))
        if hint.point or meant <= set(met):  # of several parts in a wanted box those without an unwanted hint stay
            shared |= meant & set(met)
    dropped = set(met) - shared
    for part in shared:
        points = [hint for hint in met[part] if hint.point]
        if not points:
            continue
        mine = [hint for hint in wanted if hint.point and _parts_in(hint, labels, picture.size) in ([part], [])]
        cells = [
            [cell_at(hint.point, _whole(picture.size), size_of(values)) for hint in hints if hint.point]
            for hints in (mine, points)
        ]
        values = split_by_seeds(values, labels == part, picture, *cells)
    if dropped:
        values = only_parts(values, labels, set(range(1, int(labels.max()) + 1)) - dropped)
    values = values.copy()
    for hint in unwanted:
        if hint.point:
            values[_blob_at(hint.point, values, picture.size)] = 0
        if hint.box:
            values[cells_of(_clipped(hint, picture.size), picture.size, size_of(values))] = 0
    return values


def _blob_at(point: tuple[int, int], values: Saliency, size: Size) -> NDArray[np.bool_]:
    """The soft region at a point, if there is one that holds no part."""
    blobs = _ties(values)
    blob = blobs[cell_at(point, _whole(size), size_of(values))]
    here = blobs == blob
    return here if blob and not (values[here] > PART_ABOVE).any() else np.zeros_like(here)


def _box(hint: Hint) -> Box:
    if hint.box:
        return hint.box
    assert hint.point
    x, y = hint.point
    return x, y, x + 1, y + 1


def _clipped(hint: Hint, size: Size) -> Box:
    left, top, right, bottom = _box(hint)
    return max(0, left), max(0, top), min(size[1], right), min(size[0], bottom)


def _whole(size: Size) -> Box:
    return 0, 0, size[1], size[0]
