"""Where the object is: boxes and parts of a map or a matte, which parts to keep, and holes to fill."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.types import Box, Saliency

Keep: TypeAlias = Literal["all", "largest"] | int
"""Which parts stay: all, the largest, or so many of the largest."""

PART_ABOVE = 0.5
"""A part is a connected region above this: what more is object than not."""

TIED_ABOVE = 0.05
"""Softer pixels belong to a part if they are tied to it by pixels above this."""

_FADE = 3.0
"""Between a part that stays and one that goes the map fades over a third of the way, the middle one."""

_HOLE_LEVELS = np.arange(0.5, 0.975, 0.05)
_HOLE_DEPTH = 0.1
"""A hole is so much darker than the rim around it; what is shallower is noise, and stays."""
_SLOPE = 0.02


def bounding_box(mask: NDArray[Any]) -> Box | None:
    """The smallest box around the true (non-zero) pixels of an (H, W) array; None where there are none.

    Half-open: (left, top, right, bottom) with right and bottom one past the last pixel, so that
    `pixels[top:bottom, left:right]` is the object.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def check_parts(keep: Keep, min_area: float) -> None:
    """Raise BadInput unless `keep_parts` can use these."""
    if keep not in ("all", "largest") and (not isinstance(keep, (int, np.integer)) or keep is True or keep < 1):
        raise BadInput(f"keep is 'all', 'largest' or a number of parts from 1 on, not {keep!r}")
    if not 0 <= min_area <= 100:
        raise BadInput(f"min_area is a share of the picture in percent, 0 to 100, not {min_area}")


def label_parts(saliency: Saliency) -> NDArray[np.int32]:
    """Number the parts of a map: regions above a half whose pixels touch by sides or corners.

    saliency: (h, w) float32 in [0, 1]. Returns (h, w) int32: 0 outside of parts, 1 to n inside, top to bottom.
    """
    labels: NDArray[np.int32] = cv2.connectedComponents(_bytes(saliency > PART_ABOVE), connectivity=8)[1]
    return labels


def keep_parts(saliency: Saliency, keep: Keep = "all", *, min_area: float = 0.0) -> Saliency:
    """Keep the largest parts of a map; the others go with all that is soft around them.

    saliency: (h, w) float32 in [0, 1]. keep: `all`, `largest`, or how many of the largest.
    min_area: parts that take less of the map than so many percent go.
    Returns (h, w) float32 in [0, 1]: see `only_parts`; with `all` and 0 the map as it is.
    Raises BadInput for another `keep` or `min_area`.
    """
    check_parts(keep, min_area)
    if keep == "all" and min_area == 0:
        return saliency
    labels = label_parts(saliency)
    areas = np.bincount(labels.ravel())[1:]
    by_size = np.argsort(-areas, kind="stable") + 1
    count = len(areas) if keep == "all" else 1 if keep == "largest" else int(keep)
    enough = min_area / 100 * saliency.size
    return only_parts(saliency, labels, [int(part) for part in by_size[:count] if areas[part - 1] >= enough])


def only_parts(saliency: Saliency, labels: NDArray[np.int32], kept: Collection[int]) -> Saliency:
    """A map with some of its parts.

    labels: (h, w) int32, as `label_parts` gives them. kept: the numbers of the parts that stay.
    Returns (h, w) float32. A part that stays is unchanged. Soft pixels go with the parts they are tied to (by pixels
    above .05); those tied to parts that stay and to parts that go fade where both are equally near; soft regions
    without a part go. So neither a ring nor a cut is left of what went.
    """
    stays = np.isin(labels, list(kept))
    if not stays.any():
        return np.zeros_like(saliency)
    ties: NDArray[np.int32] = cv2.connectedComponents(_bytes(saliency > TIED_ABOVE), connectivity=8)[1]
    count = int(ties.max()) + 1
    goes = (labels > 0) & ~stays
    has_kept, has_dropped = (np.bincount(ties[mask], minlength=count) > 0 for mask in (stays, goes))
    has_kept[0] = has_dropped[0] = False
    weight = has_kept.astype(np.float32)[ties]
    both = (has_kept & has_dropped)[ties]
    if both.any():
        weight[both] = _nearness(stays & both, goes & both)[both]
        weight[stays], weight[goes] = 1, 0
    faint = ties == 0
    weight[faint] = _nearness(~faint & (weight >= 0.5), ~faint & (weight < 0.5))[faint]
    kept_map: Saliency = saliency * weight
    return kept_map


def fill_holes(saliency: Saliency) -> Saliency:
    """Fill what is closed in by the object.

    saliency: (h, w) float32 in [0, 1]. A hole is a region that is at least .1 lower than a closed rim around it, which
    is above a half and need not be as high all along; regions that reach the map's border are no holes.
    Returns (h, w) float32, never lower: holes, and the slopes that lead from them up to their rim, are 1.
    The holes are those of grey-scale reconstruction (Vincent, IEEE Transactions on Image Processing 1993), at rims of
    .5, .55, ... .95.
    """
    holes = np.zeros(saliency.shape, bool)
    for level in _HOLE_LEVELS:
        holes |= _closed_in(saliency, float(level))
    if not holes.any():
        return saliency
    filled = saliency.copy()
    filled[_with_slopes(saliency, holes)] = 1
    return filled


def _closed_in(saliency: Saliency, level: float) -> NDArray[np.bool_]:
    """Regions up to `level` that do not reach the border and are deep enough."""
    labels: NDArray[np.int32]
    # Sides only: what touches by corners is closed by a rim that does.
    count, labels = cv2.connectedComponents(_bytes(saliency <= level), connectivity=4)
    closed = np.zeros(count, bool)
    closed[labels[saliency <= level - _HOLE_DEPTH]] = True
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        closed[edge] = False
    closed[0] = False
    return closed[labels] if closed.any() else np.zeros(saliency.shape, bool)


def _with_slopes(saliency: Saliency, holes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes and what rises from them: where a rim is weak at one place, its slopes elsewhere are above its level.

    A slope rises by _SLOPE in a 320th of the map's side. Beyond the rim's middle, where the outside is nearer, nothing
    is taken.
    """
    outside = (saliency <= PART_ABOVE) & ~holes
    slopes = (saliency < 1) & ~holes
    if outside.any():
        slopes &= _distance_to(holes) < _distance_to(outside)
    step = max(1, round(max(saliency.shape) / 320))
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * step + 1, 2 * step + 1))
    taken = holes.copy()
    while True:
        lowest_near = cv2.erode(np.where(taken, saliency, np.float32(2)), kernel)
        rising = slopes & (saliency >= lowest_near + np.float32(_SLOPE))
        if not rising.any():
            return taken
        taken |= rising
        slopes &= ~rising


def _nearness(stays: NDArray[np.bool_], goes: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(h, w) float32: 1 near what stays, 0 near what goes, and between them a ramp whose middle is as near to both."""
    if not goes.any():
        return np.ones(stays.shape, np.float32)
    to_kept, to_dropped = _distance_to(stays), _distance_to(goes)
    share = to_dropped / np.maximum(to_kept + to_dropped, np.float32(1e-6))
    ramp: NDArray[np.float32] = np.clip((share - np.float32(0.5)) * np.float32(_FADE) + np.float32(0.5), 0, 1)
    return ramp


def _distance_to(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    distance: NDArray[np.float32] = cv2.distanceTransform(_bytes(~mask), cv2.DIST_L2, 5)
    return distance


def _bytes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return mask.view(np.uint8)
