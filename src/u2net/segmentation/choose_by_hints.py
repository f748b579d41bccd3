"""The subject that a user points at: among what was found, or looked for where nothing was."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from u2net.imaging.regions import bounding_box, label_parts, only_parts
from u2net.inference.predict import Look, Subject
from u2net.segmentation.coordinates import box_of, cell_at, cells_of, finest, resample, whole
from u2net.segmentation.geodesic import split_by_seeds
from u2net.segmentation.hint_matching import hints_by_part, part_beside, parts_of, soft_region_at
from u2net.segmentation.hint_search import Candidate, fills, search_at_point, search_in_box
from u2net.segmentation.hints import Hint, box_in
from u2net.segmentation.merge_views import View, merge
from u2net.types import EMPTY_BELOW, Picture, Saliency, Size, size_of

log = logging.getLogger("u2net")

MARGIN = 0.25
"""The network sees a chosen part with so much around it on every side, in sides of the part."""

_FILLED = 0.85
"""Parts fill a box if their own box and it share so much (intersection over union); else the box is looked into."""


def choose_by_hints(subject: Subject, picture: Picture, hints: Sequence[Hint], look: Look) -> Subject:
    """Keep what positive hints point at, and take away what negative ones do.

    hints: as `check_hints` lets them pass. look: runs the network on a box of the picture.
    Returns a subject whose map may be finer than the network's. Where the hints leave nothing it is 0.

    A point means the part of the map that it lies on; the network then sees that part closer. Where there is none,
    windows around the point are looked at, and the one whose map is surest of the point is taken. A box means the parts
    that lie in it; where there is none, what the network sees in the box, cut off at the box.
    A negative point takes away the part that it lies on; a part that a positive hint means too is split between them,
    by the closer look if that shows them apart, else where the map is weak or the colors change. A negative box takes
    away the parts that lie in it, and of others what does.
    """
    wanted, unwanted = ([hint for hint in hints if hint.positive is sign] for sign in (True, False))
    if wanted:
        subject = _keep_wanted(subject, wanted, unwanted, look)
    if unwanted:
        subject = replace(subject, map=_take_away(subject.map, picture, wanted, unwanted))
    return subject


def _keep_wanted(subject: Subject, wanted: Sequence[Hint], unwanted: Sequence[Hint], look: Look) -> Subject:
    """Only what positive hints mean, each part of it seen closer; says which hints met nothing, unless all did."""
    labels = label_parts(subject.map) if subject.found else np.zeros(subject.map.shape, np.int32)
    candidates: list[Candidate] = []
    met: dict[int, list[Hint]] = {}  # the parts that are meant, and the hints that mean each
    missed: list[Hint] = []
    for hint in wanted:
        meant = _meant_by(hint, subject, labels, look)
        if isinstance(meant, Candidate):
            candidates.append(meant)
        elif meant:
            for part in meant:
                met.setdefault(part, []).append(hint)
        else:
            missed.append(hint)
    for part, mine in met.items():
        others = [hint for hint in unwanted if hint.point and parts_of(hint, labels, subject.size) == [part]]
        candidates.append(_closer(subject, labels, part, mine, others, look))
    if candidates:
        for hint in missed:
            log.warning("nothing found at the %s", hint)
    return _together(subject, candidates)


def _meant_by(hint: Hint, subject: Subject, labels: NDArray[np.int32], look: Look) -> list[int] | Candidate:
    """The parts of the map that a positive hint means, or what was looked for and found; no parts where nothing is."""
    size = subject.size
    parts = parts_of(hint, labels, size)
    if hint.point:
        return parts or search_at_point(hint.point, size, look) or part_beside(hint.point, subject.map, labels, size)
    box = box_in(hint, size)
    fit = fills(View(whole(size), np.isin(labels, parts).astype(np.float32)), box)
    candidate = search_in_box(box, size, look) if fit < _FILLED else None
    return candidate if candidate and fills(candidate, box) > fit else parts


def _closer(
    subject: Subject, labels: NDArray[np.int32], part: int, mine: Sequence[Hint], others: Sequence[Hint], look: Look
) -> Candidate:
    """A part of the map, refined by a closer look.

    mine: the positive hints that mean it. others: the negative points on it; if the closer look shows them apart from
    the points of `mine`, only what lies at those stays.
    """
    alone = only_parts(subject.map, labels, [part])
    inner = bounding_box(labels == part)
    assert inner
    box = box_of(inner, subject.size, size_of(labels), margin=MARGIN)
    fine = look(box)
    if others and fine.found:
        fine_labels = label_parts(fine.map)
        at_mine, at_others = (
            {int(fine_labels[cell_at(hint.point, box, size_of(fine.map))]) for hint in hints if hint.point}
            for hints in (mine, others)
        )
        if at_mine and 0 not in at_mine and not at_mine & at_others:
            return Candidate(box, only_parts(fine.map, fine_labels, at_mine), fine.confidence)
    merged = merge(alone, [[View(box, fine.map)]], subject.size)
    return Candidate(whole(subject.size), merged, float(alone.max()) * subject.scale)


def _together(subject: Subject, candidates: Sequence[Candidate]) -> Subject:
    """All that was found in one map; a map of 0 where nothing was."""
    if not candidates:
        return replace(subject, map=np.zeros_like(subject.map))
    shape = finest(subject.size, [(candidate.box, size_of(candidate.values)) for candidate in candidates])
    together = np.zeros(shape, np.float32)
    for candidate in candidates:
        cells = cells_of(candidate.box, subject.size, shape)
        here = resample(candidate.values, candidate.box, subject.size, shape)
        together[cells] = np.maximum(together[cells], here)
    scale = max(candidate.confidence for candidate in candidates) / max(float(together.max()), EMPTY_BELOW)
    return replace(subject, map=together, scale=scale)


def _take_away(values: Saliency, picture: Picture, wanted: Sequence[Hint], unwanted: Sequence[Hint]) -> Saliency:
    """A map without what negative hints point at: parts that they alone mean, and their share of others."""
    labels = label_parts(values)
    met = hints_by_part(unwanted, labels, picture.size)
    shared = _meant_too(values, labels, met, wanted, picture.size)
    dropped = set(met) - shared
    for part in shared:
        others = [hint.point for hint in met[part] if hint.point]
        if others:
            mine = _points_for(part, labels, wanted, picture.size)
            cells = [
                [cell_at(point, whole(picture.size), size_of(values)) for point in seeds] for seeds in (mine, others)
            ]
            values = split_by_seeds(values, labels == part, picture, *cells)
    if dropped:
        values = only_parts(values, labels, set(range(1, int(labels.max()) + 1)) - dropped)
    values = values.copy()
    for hint in unwanted:
        if hint.point:
            values[soft_region_at(hint.point, values, picture.size)] = 0
        if hint.box:
            values[cells_of(box_in(hint, picture.size), picture.size, size_of(values))] = 0
    return values


def _meant_too(
    values: Saliency, labels: NDArray[np.int32], met: dict[int, list[Hint]], wanted: Sequence[Hint], size: Size
) -> set[int]:
    """Of the parts that negative hints point at those that positive ones mean too."""
    shared: set[int] = set()
    for hint in wanted:
        meant = set(parts_of(hint, labels, size))
        if hint.point and not meant:
            meant = set(part_beside(hint.point, values, labels, size))
        if hint.point or meant <= set(met):  # of several parts in a wanted box those without an unwanted hint stay
            shared |= meant & set(met)
    return shared


def _points_for(part: int, labels: NDArray[np.int32], wanted: Sequence[Hint], size: Size) -> list[tuple[int, int]]:
    """The positive points on a part, and those on none."""
    return [hint.point for hint in wanted if hint.point and parts_of(hint, labels, size) in ([part], [])]
