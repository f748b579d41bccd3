"""A strip that explains a cutout: the picture, the map, the box, the cutout; or all maps of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from u2net.compose.cutout import Cutout
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.icc import to_srgb
from u2net.imaging.resize import scaled, shrunk
from u2net.imaging.samples import to_eight_bits
from u2net.types import Box, Picture, Saliency, Size

HEIGHTS = (32, 4096)
"""Lowest and highest height of a cell in pixels."""
_PAPER, _INK = (255, 255, 255), (60, 60, 60)
_LINE = (255, 45, 111)
_CHEQUERS = (222, 255)
_SAMPLES = 2
"""Pixels along a side of a small pixel that count at least; all of 12 megapixels would take .1 s."""

_Bytes = NDArray[np.uint8]


def check_height(height_px: int) -> None:
    """Raise BadInput for a height that no panel can have."""
    if not HEIGHTS[0] <= height_px <= HEIGHTS[1]:
        raise BadInput(f"the height of a panel is {HEIGHTS[0]} to {HEIGHTS[1]} pixels, not {height_px}")


def panel(picture: Picture, saliency: Saliency, cutout: Cutout, *, height_px: int = 480) -> _Bytes:
    """Draw a strip: the picture, the map, the object's box on the picture, and the cutout on a chequerboard.

    saliency: (h, w) float32 in [0, 1] of all of the picture, at any size. cutout: of the picture's size.
    height_px: of each of the four, 32 to 4096; the widths follow, up to three times that.
    Returns (H, W, 3) uint8 RGB, sRGB, with a caption below each.
    Raises NothingSalient for a cutout without an object, BadInput for another height.

    >>> from u2net.compose import panel
    >>> picture = u2net.read("examples/coffee.jpg")
    >>> cutout = u2net.remove(picture, "u2netp")
    >>> strip = panel(picture, u2net.saliency(picture, "u2netp"), cutout, height_px=160)
    >>> strip.ndim, strip.dtype
    (3, dtype('uint8'))
    """
    check_height(height_px)
    box = cutout.box
    if box is None:
        raise NothingSalient("no object was found, so there is no panel to draw")
    size = _inner(picture.size, height_px)
    shown = _shown(picture, size)
    left, top, right, bottom = box
    cells = [
        ("input", shown),
        (f"map, confidence {_share(cutout.confidence)}", _grey(saliency, size)),
        (f"box {left}, {top}, {right}, {bottom}", _boxed(shown, box, picture.size)),
        (f"cutout, {_share(cutout.coverage)} of the picture", _on_chequers(cutout, size)),
    ]
    return _sheet(cells, height_px, columns=4)


def sides_panel(picture: Picture, maps: Sequence[Saliency], *, height_px: int = 480) -> _Bytes:
    """Draw the picture and all maps of a network, four in a row.

    maps: the fused map, then the side outputs, finest first; (h, w) float32 in [0, 1], any size.
    height_px and result: as for `panel`. Raises BadInput for no map or another height, NothingSalient for a fused map
    that is nowhere above a half.

    >>> from u2net.compose import sides_panel
    >>> saliency = u2net.saliency("examples/cat.png", "u2netp")
    >>> sides_panel(u2net.read("examples/cat.png"), [saliency, saliency]).shape[2]
    3
    """
    check_height(height_px)
    if not maps:
        raise BadInput("there is no map to draw; give the fused one first, then the side outputs")
    if maps[0].max() <= 0.5:
        raise NothingSalient("no object was found, so there is no panel to draw")
    size = _inner(picture.size, height_px)
    names = ["fused", *(f"side {number}" for number in range(1, len(maps)))]
    cells = zip(names, (_grey(one, size) for one in maps), strict=True)
    return _sheet([("input", _shown(picture, size)), *cells], height_px, columns=4)


def _inner(size: Size, height_px: int) -> Size:
    """What the picture measures in its cell."""
    return scaled(size, min(height_px / size[0], 3 * height_px / size[1]))


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _shown(picture: Picture, size: Size) -> _Bytes:
    """(h, w, 3) uint8 in sRGB; where the picture is transparent it lies on a chequerboard."""
    if picture.alpha is not None:
        return _on_chequers(Cutout.opaque(picture), size)
    return _in_srgb(_resized(picture.pixels, size), picture.icc)


def _in_srgb(pixels: NDArray[Any], icc: bytes | None) -> _Bytes:
    return np.asarray(to_srgb(to_eight_bits(pixels), icc), np.uint8)


def _resized(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    if size[0] <= pixels.shape[0] and size[1] <= pixels.shape[1]:
        return shrunk(pixels, size)
    larger: NDArray[Any] = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_CUBIC)
    return larger


def _grey(saliency: Saliency, size: Size) -> _Bytes:
    smaller = size[0] < saliency.shape[0] and size[1] < saliency.shape[1]
    values = cv2.resize(saliency, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    grey: _Bytes = cv2.merge([cv2.convertScaleAbs(values, alpha=255)] * 3)
    return grey


def _boxed(shown: _Bytes, box: Box, size: Size) -> _Bytes:
    """A copy with the box drawn, its line inside of it."""
    drawn = shown.copy()
    thick = max(2, min(shown.shape[:2]) // 160)
    down, across = shown.shape[0] / size[0], shown.shape[1] / size[1]
    left, right = round(box[0] * across), max(round(box[2] * across), round(box[0] * across) + 1)
    top, bottom = round(box[1] * down), max(round(box[3] * down), round(box[1] * down) + 1)
    drawn[top:bottom, left:right] = _LINE
    inner = slice(top + thick, max(top + thick, bottom - thick)), slice(left + thick, max(left + thick, right - thick))
    drawn[inner] = shown[inner]
    return drawn


def _on_chequers(cutout: Cutout, size: Size) -> _Bytes:
    """(h, w, 3) uint8: the object on a chequerboard. Colors count by their alpha, or its rim would be dark."""
    every_y, every_x = (max(1, have // (want * _SAMPLES)) for have, want in zip(cutout.size, size, strict=True))
    pixels = to_eight_bits(np.ascontiguousarray(cutout.pixels[every_y // 2 :: every_y, every_x // 2 :: every_x]))
    levels = cv2.extractChannel(pixels, 3)
    weighted = cv2.multiply(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), cv2.merge([levels] * 3), scale=1 / 255)
    alpha = _resized(levels, size).astype(np.float32)[..., None] / np.float32(255)
    straight = _resized(weighted, size) / np.maximum(alpha, np.float32(1e-6))
    straight = np.rint(np.clip(straight, 0, 255)).astype(np.uint8)
    square = max(4, size[0] // 40)
    rows, columns = (np.arange(side) // square for side in size)
    behind = np.where((rows[:, None] + columns) % 2, *_CHEQUERS)[..., None]
    laid = _in_srgb(straight, cutout.icc) * alpha + behind * (1 - alpha)
    shown: _Bytes = np.rint(laid).astype(np.uint8)
    return shown


def _sheet(cells: Sequence[tuple[str, _Bytes]], height_px: int, *, columns: int) -> _Bytes:
    """The cells in rows, each with its caption below."""
    gap, text_px = max(4, height_px // 30), max(11, height_px // 28)
    width = max(height_px // 2, cells[0][1].shape[1])
    columns, rows = min(columns, len(cells)), -(-len(cells) // columns)
    step_y, step_x = height_px + 2 * text_px + gap, width + gap
    sheet = Image.new("RGB", (columns * step_x + gap, rows * step_y + gap), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(text_px)
    for number, (caption, pixels) in enumerate(cells):
        left, top = gap + number % columns * step_x, gap + number // columns * step_y
        place = left + (width - pixels.shape[1]) // 2, top + (height_px - pixels.shape[0]) // 2
        sheet.paste(Image.fromarray(pixels), place)
        while len(caption) > 1 and draw.textlength(caption, font) > width:
            caption = caption[:-2].rstrip("… ,") + "…"
        draw.text((left, top + height_px + text_px // 3), caption, _INK, font)
    return np.asarray(sheet)


def as_cutout(drawn: _Bytes, like: Cutout) -> Cutout:
    """A panel as what `Cutout.save` and `to_bytes` write: opaque, sRGB, without the picture's metadata."""
    opaque = cv2.cvtColor(drawn, cv2.COLOR_RGB2RGBA)
    return replace(like, pixels=opaque, icc=None, dpi=None, exif=None, xmp=None)
