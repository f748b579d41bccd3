"""Ways to show an object in its picture: tint, spotlight, outline, glow, and color on grey."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.compose.cutout import Cutout
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.color import color_in, parse_color
from u2net.imaging.icc import can_be_target, luminance_tables, to_srgb
from u2net.imaging.regions import bounding_box
from u2net.imaging.resize import at_most, enlarged_rows, scaled, shrunk
from u2net.system.parallel import BAND_PIXELS, map_bands
from u2net.types import Box, Picture

Style: TypeAlias = Literal["tint", "spotlight", "outline", "glow", "splash"]


@dataclass(frozen=True)
class _Look:
    """What a style does where nothing else is asked for. width: a share of the picture's longer side; 0: has none."""

    color: str | tuple[int, ...]
    strength: float
    width: float = 0.0


STYLES: dict[str, _Look] = {
    "tint": _Look("#ff2d6f", 0.5),
    "spotlight": _Look("black", 0.65),
    "outline": _Look("#ffd400", 1.0, 0.005),
    "glow": _Look("#ffe9a8", 0.9, 0.06),
    "splash": _Look("", 1.0),
}

_Layer: TypeAlias = Callable[[slice, NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[Any]]]
"""From rows and the object's share in them, (n, W) float32, to how much of each pixel changes, and to what."""

_BLUR = 0.012
"""Sigma of a spotlight's blur, as a share of the picture's longer side: text becomes unreadable, shapes stay."""
_TILE_PX = 256
_SMALL = 1024
"""Soft light and blurs are made at this longer side: they have nothing fine in them."""


def highlight(
    picture: Picture,
    cutout: Cutout,
    style: Style = "spotlight",
    *,
    color: str | tuple[int, ...] | None = None,
    strength: float | None = None,
    width_px: float | None = None,
    blur: bool = False,
) -> Cutout:
    """Show an object in its picture.

    cutout: the object, of the picture's size. style: `tint` gives the object a color; `spotlight` darkens the rest, or
    fades it into another color; `outline` draws a line around the object, behind its soft edge; `glow` lays a light
    around it; `splash` leaves color to the object only: the rest becomes grey, of the same luminance (linear light).
    color: sRGB, as for `Cutout.over`; its opacity multiplies `strength`. `splash` has none.
    strength: 0 to 1. width_px: of the line, or how far the glow reaches; only for these two. blur: of the rest, for
    `spotlight`. What is None depends on the style (`STYLES`), widths on the picture's size.
    Returns the whole picture with its own alpha, (H, W, 4) of its dtype; pixels that the style leaves alone are the
    picture's to the bit, but for those of alpha 0, which are 0.
    Raises NothingSalient for a cutout without an object, BadInput for what the style does not have or a number out of
    its range.

    >>> from u2net.compose import highlight
    >>> picture = u2net.read("examples/coffee.jpg")
    >>> cutout = u2net.remove(picture, "u2netp")
    >>> highlight(picture, cutout, "glow", color="#00c8ff").size
    (400, 600)
    """
    levels = _levels(picture, cutout)
    check_style(style, color=color, strength=strength, width_px=width_px, blur=blur)
    look = STYLES[style]
    look = replace(look, color=color or look.color, strength=look.strength if strength is None else strength)
    box = bounding_box(levels > np.iinfo(levels.dtype).max // 2)
    if box is None:
        raise NothingSalient("no object was found, so there is nothing to highlight")
    longer = max(picture.size)
    width = width_px if width_px is not None else max(2.0, round(look.width * longer))
    if look.width and width > longer:
        raise BadInput(f"a width of {width:g} pixels is more than the picture has ({longer}); give less")
    dtype: np.dtype[Any] = picture.pixels.dtype
    if not can_be_target(picture.icc):
        picture = replace(picture, pixels=to_srgb(picture.pixels, picture.icc), icc=None)
    paint = np.zeros(4, dtype) if style == "splash" else color_in(parse_color(look.color), picture.icc, dtype)
    share = np.float32(look.strength * (paint[3] / np.iinfo(dtype).max if style != "splash" else 1))
    plain = np.empty((max(1, BAND_PIXELS // picture.size[1]), picture.size[1], 3), dtype)  # OpenCV broadcasts slowly
    plain[:] = paint[:3]
    layer: _Layer
    if style == "tint":
        layer = lambda rows, inside: (inside * share, plain[: len(inside)])  # noqa: E731  # a table of five, each one line
    elif style == "outline":
        line = _line(levels, box, width)
        layer = lambda rows, inside: (line(rows) * (1 - inside) * share, plain[: len(inside)])  # noqa: E731
    elif style == "glow":
        light = enlarged_rows(_light(levels, width), picture.size)
        layer = lambda rows, inside: (light(rows.start, rows.stop) * (1 - inside) * share, plain[: len(inside)])  # noqa: E731
    elif style == "splash":
        layer = lambda rows, inside: ((1 - inside) * share, _grey(picture.pixels[rows], picture.icc))  # noqa: E731
    elif blur:
        around = _blurred_rest(picture, levels) * (1 - share) + paint[:3].astype(np.float32) * share
        blurred = enlarged_rows(around, picture.size)
        layer = lambda rows, inside: (1 - inside, blurred(rows.start, rows.stop))  # noqa: E731
    else:
        layer = lambda rows, inside: ((1 - inside) * share, plain[: len(inside)])  # noqa: E731
    return Cutout(
        _painted(picture, levels, layer), cutout.confidence, picture.icc, picture.dpi, picture.exif, picture.xmp
    )


def check_style(
    style: str,
    *,
    color: str | tuple[int, ...] | None = None,
    strength: float | None = None,
    width_px: float | None = None,
    blur: bool = False,
) -> None:
    """Raise BadInput unless `highlight` can use these; only a width may still be too large for a picture."""
    if style not in STYLES:
        raise BadInput(f"no style '{style}'; choose one of {', '.join(STYLES)}")
    look = STYLES[style]
    if color is not None:
        if not look.color:
            raise BadInput(f"{style} has no colour of its own; leave the colour out")
        parse_color(color)
    if width_px is not None and not look.width:
        raise BadInput(f"{style} has no width; that is for outline and glow")
    if blur and style != "spotlight":
        raise BadInput(f"{style} blurs nothing; that is for spotlight")
    if strength is not None and not 0 <= strength <= 1:
        raise BadInput(f"strength is a number from 0 to 1, not {strength}")
    if width_px is not None and not 0 < width_px < float("inf"):
        raise BadInput(f"a width is a number of pixels above 0, not {width_px}")


def _levels(picture: Picture, cutout: Cutout) -> NDArray[Any]:
    """(H, W) of the picture's dtype: how much of what is seen in a pixel is the object."""
    if cutout.size != picture.size or cutout.pixels.dtype != picture.pixels.dtype:
        raise BadInput(
            f"the cutout is {cutout.size}, {cutout.pixels.dtype}, the picture {picture.size}, {picture.pixels.dtype}; "
            "give the cutout of this picture"
        )
    levels = np.ascontiguousarray(cutout.pixels[..., 3])
    if picture.alpha is not None:  # the cutout's alpha has the picture's in it
        levels = cv2.divide(levels, picture.alpha, scale=float(np.iinfo(levels.dtype).max))
    return levels


def _painted(picture: Picture, levels: NDArray[Any], layer: _Layer) -> NDArray[Any]:
    height, width = picture.size
    dtype = picture.pixels.dtype
    full = np.float32(np.iinfo(dtype).max)
    depth = cv2.CV_8U if dtype == np.uint8 else cv2.CV_16U
    pixels = np.empty((height, width, 4), dtype)

    def paint_rows(rows: slice) -> None:
        band = picture.pixels[rows]
        inside = np.multiply(levels[rows], 1 / full, dtype=np.float32)
        change, target = layer(rows, inside)
        if change.any():
            towards = cv2.subtract(target, band, dtype=cv2.CV_32F)
            cv2.multiply(towards, cv2.merge([change] * 3), dst=towards)
            band = cv2.add(band, towards, dtype=depth)  # the only rounding
        if picture.alpha is None:
            cv2.cvtColor(band, cv2.COLOR_RGB2RGBA, dst=pixels[rows])
        else:
            alpha = picture.alpha[rows]
            drawn = cv2.merge([*cv2.split(band), alpha])
            pixels[rows] = cv2.bitwise_and(drawn, drawn, mask=(alpha > 0).view(np.uint8))  # 0 where the mask is 0

    map_bands(0, height, width, paint_rows)
    return pixels


def _line(levels: NDArray[Any], box: Box, width: float) -> Callable[[slice], NDArray[np.float32]]:
    """What gives rows of a line around the object: 1 on it, and over one pixel to 0. Distances are to pixel centres."""
    height, full_width = levels.shape
    room = int(np.ceil(width)) + 1
    left, top = max(0, box[0] - room), max(0, box[1] - room)
    right, bottom = min(full_width, box[2] + room), min(height, box[3] + room)
    near = levels[top:bottom, left:right]
    outside = (near <= np.iinfo(levels.dtype).max // 2).view(np.uint8)
    tiles: list[tuple[int, int, NDArray[np.float32]]] = []
    for y in range(0, near.shape[0], _TILE_PX):  # most of a picture is far from the line, and need not be looked at
        for x in range(0, near.shape[1], _TILE_PX):
            above, before = max(0, y - room), max(0, x - room)
            part = outside[above : y + _TILE_PX + room, before : x + _TILE_PX + room]
            if not 0 < cv2.countNonZero(part) < part.size:
                continue
            distance = cv2.distanceTransform(part, cv2.DIST_L2, 5)
            # Through a soft edge the line shows for one pixel, else fur would be painted.
            np.copyto(distance, width + 1, where=cv2.dilate(part, np.ones((3, 3), np.uint8)) == 0)
            tile = distance[y - above : y - above + _TILE_PX, x - before : x - before + _TILE_PX]
            tiles.append((top + y, left + x, np.clip(width + 1 - tile, 0, 1)))

    def rows(wanted: slice) -> NDArray[np.float32]:
        weight = np.zeros((wanted.stop - wanted.start, full_width), np.float32)
        for y, x, tile in tiles:
            first, last = max(wanted.start, y), min(wanted.stop, y + tile.shape[0], bottom)
            if first < last:
                here = tile[first - y : last - y, : right - x]
                weight[first - wanted.start : last - wanted.start, x : x + here.shape[1]] = here
        return weight

    return rows


def _light(levels: NDArray[Any], width: float) -> NDArray[np.float32]:
    """(h, w) float32: light that is 1 at the object and falls to 0 `width` pixels of the picture from it."""
    longer = max(levels.shape)
    scale = min(1.0, max(_SMALL, 16 * longer / width) / longer)
    small = shrunk(levels, scaled(levels.shape, scale))
    outside = (small <= np.iinfo(levels.dtype).max // 2).view(np.uint8)
    if outside.all():  # the object is smaller than a small pixel
        outside = (small < small.max()).view(np.uint8)
    reach = width * scale
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, 5)
    light: NDArray[np.float32] = np.square(np.clip(1 - distance / np.float32(0.85 * reach), 0, 1))
    # What is left of the width: it rounds the ridges where the light of two sides meets. 3 sigmas are .15.
    sigma, reached = 0.05 * reach, int(0.15 * reach)
    if reached < 1:
        return light
    blurred: NDArray[np.float32] = cv2.GaussianBlur(light, (2 * reached + 1,) * 2, sigma)
    return blurred


def _grey(band: NDArray[Any], icc: bytes | None) -> NDArray[Any]:
    light, greys = luminance_tables(icc, 8 * band.dtype.itemsize)
    luminance = cv2.transform(cv2.LUT(band, light), np.ones((1, 3), np.float32))
    place = cv2.multiply(cv2.sqrt(luminance), 65535.0, dtype=cv2.CV_16U)
    grey = cv2.LUT(place, greys)
    merged: NDArray[Any] = cv2.merge([grey] * 3)
    return merged


def _blurred_rest(picture: Picture, levels: NDArray[Any]) -> NDArray[np.float32]:
    """(h, w, 3) float32 in the picture's numbers: what is not the object, blurred without the object's colors."""
    size = at_most(picture.size, _SMALL * 3 / 8)
    sigma = max(0.5, _BLUR * max(size))
    rest = 1 - shrunk(levels, size).astype(np.float32) / np.float32(np.iinfo(levels.dtype).max)
    if picture.alpha is not None:
        rest *= shrunk(picture.alpha, size).astype(np.float32) / np.float32(np.iinfo(levels.dtype).max)
    small = shrunk(picture.pixels, size).astype(np.float32)
    rest += np.float32(1e-6)  # deep inside the object, where it does not matter, its own colors
    blurred = cv2.GaussianBlur(small * rest[..., None], (0, 0), sigma)
    mean: NDArray[np.float32] = blurred / cv2.GaussianBlur(rest, (0, 0), sigma)[..., None]
    return mean
