"""Saliency and pixels to an alpha matte: edges follow the picture instead of the network's coarse grid.

Both ways end in the same thing, a local linear model of alpha in the pixel's own color, found at a small size and
applied at full size, and only where the map is undecided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.imaging.regions import bounding_box
from u2net.imaging.resize import Rows, enlarged_rows, enlarged_tile, scaled, shrunk
from u2net.matting.closed_form import solve
from u2net.matting.guided_filter import linear_model
from u2net.matting.trimap import HIGH, LOW, to_trimap
from u2net.types import Alpha, Box, Pixels, Saliency, Size, Trimap, size_of

Edges: TypeAlias = Literal["auto", "soft", "sharp", "hair", "none"]


@dataclass(frozen=True)
class Guided:
    """Parameters of the guided filter.

    scale: at which size it works, as a share of the map's own (the map is as blurred as its pixels are large).
    radius_px: of its window, at that size. epsilon: how much colors may vary (variance, full scale 1) and count as
    one. reach_px: so far beyond the undecided it may change what the map calls background; texture of photographs
    comes in with it, as specks. passes: how often; each begins from the last one's matte. contrast: alpha is steepened
    so many times about .5.
    trust: the fit counts where it explains nearly all of the map nearby, from the first share of its variance on, and
    fully from the second; where colors do not tell object and background apart, the map stays.

    >>> from dataclasses import replace
    >>> from u2net.matting import EDGES
    >>> replace(EDGES["auto"], contrast=2.0).radius_px
    5
    """

    scale: float = 1 / 2
    radius_px: int = 5
    epsilon: float = 1e-5
    passes: int = 2
    contrast: float = 1.35
    trust: tuple[float, float] = (0.4, 0.9)
    reach_px: int = 0


@dataclass(frozen=True)
class ClosedForm:
    """Parameters of closed-form matting.

    low, high, band: what is unknown, see `to_trimap`; the band is a share of the picture's long side.
    max_unknown_px: at most so many pixels are solved for; a larger picture is solved smaller and guided up. Time and
    memory grow with it, not with the picture. tolerance: when the solver stops, relative to where it began.

    >>> from u2net.matting import EDGES
    >>> EDGES["hair"].max_unknown_px
    15000
    """

    low: float = LOW
    high: float = HIGH
    band: float = 0.015
    max_unknown_px: int = 15_000
    tolerance: float = 1e-4


_AUTO = Guided()
_HAIR = ClosedForm()
EDGES: dict[Edges, Guided | ClosedForm | None] = {
    "auto": _AUTO,
    "soft": Guided(radius_px=8, epsilon=3e-5, passes=1, contrast=1.1, reach_px=16),
    "sharp": Guided(contrast=3.0),
    "hair": _HAIR,
    "none": None,
}
"""What `--edges` means. auto: follows the picture's edges; soft: looks farther, for fur and smoke; sharp: the same as
auto, then hardened, for products and logos; hair: closed-form matting, strand by strand; none: the map as it is."""

_MARGIN_PX = 2
"""Around the unknown pixels that are solved for: the window of the closed form is three pixels wide."""
_TILE_PX = 512
_ROUNDING = 1e-4
_MAX_WORK_PX = 500_000


def refine(pixels: Pixels, saliency: Saliency, edges: Edges = "auto") -> Rows:
    """The alpha matte of a picture, as a function that gives rows of it, so that the whole never lies in memory.

    pixels: (H, W, 3) RGB, uint8 or uint16. saliency: (h, w) float32 in [0, 1] of all of the picture, of any size, as
    the network gives it. edges: a key of `EDGES`.
    Returns rows(top, bottom), which gives (bottom - top, W) float32 in [0, 1]. Ask for the rows from top to bottom.
    Raises BadInput for another key and for a map of other values, MissingExtra where `hair` lacks pymatting.

    >>> from u2net.matting import refine
    >>> picture = u2net.read("examples/cat.png")
    >>> rows = refine(picture.pixels, u2net.saliency(picture, "u2netp"), "sharp")
    >>> alpha = rows(0, 300)  # from the first row to one past the last
    >>> alpha.shape, alpha.dtype
    ((300, 451), dtype('float32'))
    """
    if edges not in EDGES:
        raise BadInput(f"no edges '{edges}'; choose one of {', '.join(EDGES)}")
    saliency = _checked(saliency)
    way = EDGES[edges]
    if isinstance(way, Guided):
        return refine_guided(pixels, saliency, way)
    if isinstance(way, ClosedForm):
        return refine_closed_form(pixels, saliency, way)
    return enlarged_rows(saliency, size_of(pixels))


def refine_guided(pixels: Pixels, saliency: Saliency, way: Guided = _AUTO) -> Rows:
    """Sharpen a map along the picture's edges: the color guided filter, only where the map is undecided.

    pixels, saliency, result: as for `refine`.
    Source: He, Sun, Tang, "Guided Image Filtering", TPAMI 2013, section 3.4 (color), and "Fast Guided Filter", 2015
    (arXiv:1505.00996): the coefficients are found at a reduced size, enlarged, and applied at full size.

    >>> from u2net.matting import Guided, refine_guided
    >>> picture = u2net.read("examples/cat.png")
    >>> rows = refine_guided(picture.pixels, u2net.saliency(picture, "u2netp"), Guided(passes=1))
    >>> rows(100, 200).shape
    (100, 451)
    """
    size = size_of(pixels)
    # Each side by the map's: of a panorama squashed to a square the short side is what the map knows best.
    height, width = (max(1, min(have, round(way.scale * own))) for have, own in zip(size, saliency.shape, strict=True))
    work = height, width
    colors = _colors(pixels, work)
    decided = _resized(np.clip((saliency - LOW) / np.float32(HIGH - LOW), 0, 1), work)
    undecided = ((decided > 0) & (decided < 1)).view(np.uint8)
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * way.reach_px + 1,) * 2)
    # Outwards it may find hair that the map missed; inwards it would only take in what looks like the background.
    weight = np.where(decided == 1, 0, cv2.dilate(undecided, reach)).astype(np.float32)
    alpha = decided
    for _ in range(way.passes):
        model = linear_model(colors, alpha, way.radius_px, way.epsilon)
        fitted = np.clip((model[..., :3] * colors).sum(axis=2) + model[..., 3], 0, 1)
        trusted = weight * _trust(fitted, decided, way)
        alpha = decided + (fitted - decided) * trusted
    return _applied(pixels, model, trusted, decided, way.contrast)


def _trust(fitted: NDArray[np.float32], decided: NDArray[np.float32], way: Guided) -> NDArray[np.float32]:
    """How far the fit is to be believed: by the share of the map's variance in each window that it explains."""
    window = 2 * way.radius_px + 1, 2 * way.radius_px + 1
    left_over = cv2.blur(np.square(fitted - decided), window)
    variance = cv2.blur(np.square(decided), window) - np.square(cv2.blur(decided, window))
    explained = 1 - left_over / np.maximum(variance, np.float32(1e-4))
    low, high = way.trust
    trust: NDArray[np.float32] = np.clip((explained - np.float32(low)) / np.float32(high - low), 0, 1)
    return trust


def refine_closed_form(pixels: Pixels, saliency: Saliency, way: ClosedForm = _HAIR) -> Rows:
    """Solve for the matte in the undecided band of a map: hair, fur, leaves.

    pixels, saliency, result: as for `refine`. Raises MissingExtra without pymatting. See `matte_trimap`. Where the
    solver finds no solution a warning is logged, and the guided filter is used.

    >>> from u2net.matting import refine_closed_form
    >>> picture = u2net.read("examples/cat.png")
    >>> rows = refine_closed_form(picture.pixels, u2net.saliency(picture, "u2netp"))
    >>> rows(0, 300).shape
    (300, 451)
    """
    size = size_of(pixels)
    finest = max(2 * own / have for own, have in zip(saliency.shape, size, strict=True))
    work = scaled(size, min(1.0, finest))
    band_px = way.band * max(work)
    trimap = to_trimap(_resized(saliency, work), low=way.low, high=way.high, band_px=band_px)
    return _solved(pixels, trimap, way) or refine_guided(pixels, saliency)


def matte_trimap(pixels: Pixels, trimap: Trimap, way: ClosedForm = _HAIR) -> Rows:
    """The matte of a trimap by closed-form matting; where that is not needed to the last pixel, solved smaller.

    pixels: (H, W, 3) RGB, uint8 or uint16. trimap: (h, w) float32 of all of the picture, at its size or smaller.
    way: its numbers. Returns rows, as `refine`. Where the solver finds no solution a warning is logged, and unknown
    pixels stay 0.5.
    Raises MissingExtra without pymatting.
    Source: Levin, Lischinski, Weiss, "A Closed-Form Solution to Natural Image Matting", TPAMI 2008.

    >>> from u2net.matting import matte_trimap, to_trimap
    >>> picture = u2net.read("examples/cat.png")
    >>> trimap = to_trimap(u2net.saliency(picture, "u2netp"))
    >>> matte_trimap(picture.pixels, trimap)(0, 300).shape
    (300, 451)
    """
    trimap = _checked(trimap)
    return _solved(pixels, trimap, way) or enlarged_rows(trimap, size_of(pixels))


def _checked(values: Saliency | Trimap) -> NDArray[np.float32]:
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.floating):
        raise BadInput(f"expected (H, W) floats in [0, 1], got {values.shape} {values.dtype}")
    if not (values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING):  # NaN is neither
        raise BadInput(f"expected values in [0, 1], got {values.min()} to {values.max()}")
    return np.clip(values, 0, 1).astype(np.float32, copy=False)


def _solved(pixels: Pixels, trimap: Trimap, way: ClosedForm) -> Rows | None:
    size = size_of(pixels)
    unknown = float((trimap == 0.5).mean())
    if not unknown:
        return enlarged_rows(trimap, size)
    if not ((trimap == 0).any() and (trimap == 1).any()):
        return None
    # Few unknown pixels may lie far apart: what is held for all of a box is bounded too.
    most_px = min(way.max_unknown_px / unknown, _MAX_WORK_PX)
    work = scaled(size, min(1.0, math.sqrt(most_px / (size[0] * size[1]))))
    solved = _resized(trimap, work)
    solved = np.where(solved < 0.001, 0, np.where(solved > 0.999, 1, 0.5)).astype(np.float32)
    left, top, right, bottom = bounding_box(solved == 0.5) or (0, 0, 1, 1)
    box = slice(max(0, top - _MARGIN_PX), bottom + _MARGIN_PX), slice(max(0, left - _MARGIN_PX), right + _MARGIN_PX)
    colors = _colors(pixels, work)[box]
    alpha = solve(colors, solved[box], way.tolerance)
    if alpha is None:
        return None
    solved[box] = alpha
    model = np.zeros((*work, 4), np.float32)
    model[box] = linear_model(colors, alpha, 2, 1e-5)
    sure = np.where(trimap == 0.5, _resized(solved, trimap.shape), trimap)
    return _applied(pixels, model, (trimap == 0.5).astype(np.float32), sure, 1.0)


def _applied(
    pixels: Pixels, model: NDArray[np.float32], weight: NDArray[np.float32], alpha: Alpha, contrast: float
) -> Rows:
    """Rows of alpha, (h, w); where weight, (h, w) in [0, 1], is above 0 it gives way to what the model says.

    model: (h, w, 4) float32: alpha is the sum of the first three times the pixel's color in [0, 1], plus the fourth.
    """
    size = size_of(pixels)
    full = np.float32(np.iinfo(pixels.dtype).max)
    model = model / full  # of pixels as they are; and the fourth is multiplied by an opaque pixel's alpha
    plain = enlarged_rows(alpha, size)

    def rows(top: int, bottom: int) -> Alpha:
        result = plain(top, bottom).copy()
        for left in range(0, size[1], _TILE_PX):
            box = left, top, min(left + _TILE_PX, size[1]), bottom
            if not _touched(weight, size, box).any():
                continue
            tile = slice(left, box[2])
            seen = cv2.cvtColor(np.ascontiguousarray(pixels[top:bottom, tile]), cv2.COLOR_RGB2RGBA)
            terms = cv2.multiply(enlarged_tile(model, size, box), seen, dtype=cv2.CV_32F)
            fitted = cv2.transform(terms, np.ones((1, 4), np.float32))
            result[:, tile] += (np.clip(fitted, 0, 1) - result[:, tile]) * enlarged_tile(weight, size, box)
        if contrast != 1:
            result *= np.float32(contrast)
            result += np.float32((1 - contrast) / 2)
            np.clip(result, 0, 1, out=result)
        return result

    return rows


def _touched(small: NDArray[np.float32], size: Size, box: Box) -> NDArray[np.float32]:
    """The part of (h, w) from which the values in a box of `size` are mixed."""
    left, top, right, bottom = box
    across, down = small.shape[1] / size[1], small.shape[0] / size[0]
    first_row, first_column = max(0, int(top * down - 1)), max(0, int(left * across - 1))
    return small[first_row : int(bottom * down) + 2, first_column : int(right * across) + 2]


def _colors(pixels: Pixels, size: Size) -> NDArray[np.float32]:
    """(h, w, 3) float32 in [0, 1]: the pixels at a smaller size."""
    colors: NDArray[np.float32] = np.multiply(shrunk(pixels, size), 1 / np.iinfo(pixels.dtype).max, dtype=np.float32)
    return colors


def _resized(values: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    smaller = size[0] < values.shape[0] and size[1] < values.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized: NDArray[np.float32] = values if values.shape == size else cv2.resize(values, size[::-1], interpolation=how)
    return resized
