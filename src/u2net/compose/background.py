"""What is put behind a cutout: a color, a gradient, a picture, or its own picture out of focus."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.compose.crop import resized
from u2net.errors import BadInput
from u2net.imaging.color import Color, color_in, parse_color
from u2net.imaging.icc import convert_profile
from u2net.imaging.samples import to_depth
from u2net.io.read import MAX_BYTES, MAX_PIXELS, Source, read
from u2net.io.source import is_inline
from u2net.types import Picture, Size

_LEVELS = 4097
"""More steps than a gradient between two 8-bit colors has."""

Fit: TypeAlias = Literal["cover", "contain"]


@dataclass(frozen=True)
class Gradient:
    """Colors that run into each other, mixed in the profile of the cutout they lie behind.

    colors: two or more, as `parse_color` takes them, at even distances. angle: the direction in degrees: 0 from left
    to right, 90 from top to bottom; the first and the last color lie in the corners. radial: from the middle outwards,
    the last color in the corners; then the angle means nothing.
    Raises BadInput for fewer than two colors and for what is none.

    >>> sky = u2net.Gradient(("#88bbff", "white"), angle=90)
    >>> u2net.remove("examples/cat.png", "u2netp").over(sky).coverage
    1.0
    """

    colors: tuple[str | Sequence[int], ...]
    angle: float = 90.0
    radial: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.colors, str) or not 2 <= len(self.colors) <= 16:
            raise BadInput(f"a gradient has 2 to 16 colours, not {self.colors!r}")
        if not math.isfinite(self.angle):
            raise BadInput(f"a gradient's angle is a number of degrees, not {self.angle}")
        for color in self.colors:
            parse_color(color)

    def draw(self, size: Size, icc: bytes | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        """(H, W, 4) of `size` and `dtype`, in the profile `icc`."""
        stops = np.array([color_in(parse_color(color), icc, dtype) for color in self.colors], np.float32)
        places, levels = np.linspace(0, 1, len(stops)), np.linspace(0, 1, _LEVELS)
        strip = np.stack([np.interp(levels, places, stops[:, channel]) for channel in range(4)], axis=1)
        strip = np.rint(strip).astype(dtype)[None]  # (1, levels, 4)
        last = _LEVELS - 1
        numbers = np.ascontiguousarray(strip[0]).view(f"u{4 * strip.itemsize}")[:, 0]
        if self.radial:
            drawn = np.empty((*size, 4), dtype)
            across = np.arange(size[1], dtype=np.float32)[None] + np.float32(0.5 - size[1] / 2)
            down = np.arange(size[0], dtype=np.float32)[:, None] + np.float32(0.5 - size[0] / 2)
            outwards = np.float32(last / (math.hypot(*size) / 2))
            for top in range(0, size[0], 128):
                y = np.repeat(down[top : top + 128], size[1], axis=1)
                where = cv2.magnitude(np.repeat(across, len(y), axis=0), y) * outwards
                # One number a pixel; and cv2.remap takes no sides of 32767 and more.
                taken = numbers[np.rint(where).astype(np.int32).clip(0, last)]
                drawn[top : top + 128] = taken.view(dtype).reshape(*taken.shape, 4)
            return drawn
        turn = math.radians(self.angle)
        cos, sin = math.cos(turn), math.sin(turn)
        scale = last / (abs(cos) * size[1] + abs(sin) * size[0])
        offset = last / 2 - scale * (cos * (size[1] - 1) + sin * (size[0] - 1)) / 2
        to_strip = np.array([[cos * scale, sin * scale, offset], [0, 0, 0]])
        linear: NDArray[Any] = cv2.warpAffine(
            strip,
            to_strip,
            size[::-1],
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return linear


Background: TypeAlias = Source | Sequence[int] | Gradient


def parse_background(
    background: Background, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Picture | Color | Gradient:
    """Tell a picture from a color, and read it; `Cutout.over` takes the result as well.

    max_pixels, max_bytes: as for `read`. Raises BadInput for what is neither.

    >>> from u2net.compose import parse_background
    >>> parse_background("#ff8800")
    (255, 136, 0, 255)
    >>> parse_background("examples/coffee.jpg").size
    (400, 600)
    """
    if isinstance(background, Gradient):
        return background
    if isinstance(background, (list, tuple)):
        return parse_color(background)
    if isinstance(background, str) and not (os.path.isfile(background) or is_inline(background)):
        try:
            return parse_color(background)
        except BadInput as error:
            raise BadInput(f"the background '{background}' is no file, and {error}") from error
    return read(background, max_pixels=max_pixels, max_bytes=max_bytes)  # type: ignore[arg-type]  # the sequence of numbers is dealt with above


def fitted(
    background: Picture | Color | Gradient,
    size: Size,
    icc: bytes | None,
    dtype: np.dtype[Any],
    *,
    fit: Fit = "cover",
    around: Color = (255, 255, 255, 255),
) -> NDArray[Any]:
    """The background as (H, W, 4) pixels of `size` and `dtype`, in the profile `icc`.

    fit: a picture covers all, and its middle is taken; or all of it is contained in the middle, with a color around.
    """
    if isinstance(background, Gradient):
        return background.draw(size, icc, dtype)
    if isinstance(background, tuple):
        return plain(size, color_in(background, icc, dtype))
    pixels = background.pixels
    if background.icc != icc:
        pixels = convert_profile(pixels, source_icc=background.icc, target_icc=icc)
    alpha = background.alpha
    if alpha is None:
        alpha = np.full(background.size, np.iinfo(dtype).max, dtype)
    straight = cv2.merge([*cv2.split(to_depth(pixels, dtype)), to_depth(alpha, dtype)])
    if fit == "cover":
        return _cover(straight, size)
    scale = min(size[0] / straight.shape[0], size[1] / straight.shape[1])
    rows, columns = (max(1, round(side * scale)) for side in straight.shape[:2])
    behind = plain(size, color_in(around, icc, dtype))
    top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
    behind[top : top + rows, left : left + columns] = resized(straight, (rows, columns))
    return behind


def plain(size: Size, color: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 4) of one color, (4,) of its dtype; as one number a pixel, which is five times as quick."""
    whole = np.full(size, color.view(f"u{color.nbytes}")[0])
    return whole.view(color.dtype).reshape(*size, 4)


def _cover(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    """The middle of a picture, of the aspect of `size`, scaled to that."""
    height, width = size
    scale = max(height / pixels.shape[0], width / pixels.shape[1])
    rows, columns = max(1, round(height / scale)), max(1, round(width / scale))
    top, left = (pixels.shape[0] - rows) // 2, (pixels.shape[1] - columns) // 2
    return resized(np.ascontiguousarray(pixels[top : top + rows, left : left + columns]), size)
