"""Cutting a picture around its object: which frame, and what is then in it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.imaging.regions import bounding_box
from u2net.imaging.resize import at_most
from u2net.io.read import MAX_PIXELS
from u2net.system.resources import usable_cores
from u2net.types import Box, Size, size_of

MAX_SIDE_PX = 65_535

_BAND_ROWS = 128
_LABEL_PX, _CRUMB = 1024, 0.01

SEEN_ABOVE = 0.1
"""What is framed is all of the object above this alpha: its hair too, but no haze that nobody sees."""


@dataclass(frozen=True)
class Crop:
    """How a picture is cut around its object. With nothing given: as tight as it goes.

    margin: room on every side, as a share of the object's longer side. margin_px: the same in pixels of the picture.
    fill: instead of a margin, the share of the frame's width or height, whichever is tighter, that the object takes.
    aspect: width by height of the frame; it grows around the object's middle, and never cuts the object.
    size: the result is resized: (H, W), or the length of its longer side, in pixels.
    background: a color to lay a cutout over, where its user names none.
    Raises BadInput for what makes no frame.

    >>> frame = u2net.Crop(aspect=4 / 5, margin=0.1, size=500)
    >>> u2net.remove("examples/cat.png", "u2netp").cropped(frame).size
    (500, 400)
    """

    margin: float = 0.0
    margin_px: int = 0
    fill: float | None = None
    aspect: float | None = None
    size: Size | int | None = None
    background: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 10 or not 0 <= self.margin_px <= MAX_SIDE_PX:
            raise BadInput(
                f"a margin is a share from 0 to 10 (0 % to 1000 %), or 0 to {MAX_SIDE_PX} pixels, "
                f"not {self.margin or self.margin_px}"
            )
        if self.fill is not None and not 0.01 <= self.fill <= 1:
            raise BadInput(f"fill is a share from 0.01 to 1 (1 % to 100 %), not {self.fill:g}")
        if self.fill is not None and (self.margin or self.margin_px):
            raise BadInput("fill and margin both say how much room there is; give one of them")
        if self.aspect is not None and not 0.01 <= self.aspect <= 100:
            raise BadInput(f"an aspect is width by height from 1:100 to 100:1, not {self.aspect}")
        sides = self.size if isinstance(self.size, tuple) else () if self.size is None else (self.size,)
        if not all(1 <= side <= MAX_SIDE_PX for side in sides) or math.prod(sides) > MAX_PIXELS:
            raise BadInput(
                f"a size is 1 to {MAX_SIDE_PX} pixels a side and at most {MAX_PIXELS / 1e6:g} megapixels, "
                f"not {' x '.join(map(str, reversed(sides)))}"
            )
        if (
            len(sides) == 2
            and self.aspect is not None
            and not math.isclose(self.aspect, sides[1] / sides[0], abs_tol=0.01)
        ):
            raise BadInput("a size of width and height is an aspect of its own; leave the aspect out")

    def around(self, box: Box) -> Box:
        """The frame around an object's box, its middle the object's; it may go beyond the picture."""
        left, top, right, bottom = box
        room = 2 * (self.margin * max(right - left, bottom - top) + self.margin_px)
        width, height = (right - left + room) / (self.fill or 1), (bottom - top + room) / (self.fill or 1)
        aspect = self.size[1] / self.size[0] if isinstance(self.size, tuple) else self.aspect
        if aspect is not None:
            width, height = max(width, height * aspect), max(height, width / aspect)
        columns, rows = round(width), round(height)
        if max(rows, columns) > MAX_SIDE_PX or rows * columns > MAX_PIXELS:
            raise BadInput(f"the frame would be {columns} x {rows} pixels; give less margin, or more fill")
        start_x, start_y = math.floor((left + right - columns + 1) / 2), math.floor((top + bottom - rows + 1) / 2)
        return start_x, start_y, start_x + columns, start_y + rows

    def size_of(self, box: Box) -> Size:
        """The (H, W) that the frame `box` is resized to; its own where no size is wanted."""
        rows, columns = box[3] - box[1], box[2] - box[0]
        if self.size is None or isinstance(self.size, tuple):
            return self.size or (rows, columns)
        aspect = self.aspect or columns / rows  # exactly, not as the frame's whole pixels have it
        return max(1, round(self.size / max(1, aspect))), max(1, round(self.size * min(1, aspect)))


def seen_box(alpha: NDArray[Any]) -> Box | None:
    """The box of what is framed: all above SEEN_ABOVE that is tied to something more than half opaque.

    alpha: (H, W) uint8 or uint16. Smears and crumbs apart from the object do not move its frame: a part counts from a
    hundredth of the largest on. None where nothing is more than half opaque.
    """
    full = np.iinfo(alpha.dtype).max
    size = at_most(alpha.shape, _LABEL_PX)
    small = (
        np.ascontiguousarray(alpha)
        if size == alpha.shape
        else cv2.resize(alpha, size[::-1], interpolation=cv2.INTER_AREA)
    )
    seen = (small > SEEN_ABOVE * full).view(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(seen, connectivity=8)
    solid = np.bincount(labels[small > full / 2], minlength=len(statistics))
    areas = np.where(solid > 0, statistics[:, cv2.CC_STAT_AREA], 0)
    areas[0] = 0
    kept = statistics[areas > max(0, areas.max() * _CRUMB)]
    if not len(kept):
        return None
    low, high = kept[:, :2].min(axis=0), (kept[:, :2] + kept[:, 2:4]).max(axis=0)
    step = (alpha.shape[1] / size[1], alpha.shape[0] / size[0])
    more = 0 if size == alpha.shape else 1
    left, top = (max(0, int((edge - more) * one)) for edge, one in zip(low, step, strict=True))
    right, bottom = (math.ceil((edge + more) * one) for edge, one in zip(high, step, strict=True))
    box = bounding_box(alpha[top:bottom, left:right] > round(SEEN_ABOVE * full))
    return None if box is None else (box[0] + left, box[1] + top, box[2] + left, box[3] + top)


CROPS: dict[str, Crop] = {
    "tight": Crop(),
    "square": Crop(aspect=1, margin=0.05),
    "marketplace": Crop(aspect=1, fill=0.85, size=(2000, 2000), background="white"),
}
"""Named frames. marketplace: 1:1, white, 2000 pixels, the object takes 85 %: what the large shops ask for."""
CropName: TypeAlias = Literal["tight", "square", "marketplace"]


def adjusted_crop(
    name: CropName | None,
    *,
    margin: float | None = None,
    margin_px: int | None = None,
    fill: float | None = None,
    aspect: float | None = None,
    size: Size | int | None = None,
) -> Crop | None:
    """A named frame with some of its values changed; from `tight` where only values are given, None for nothing.

    What a new value excludes goes: a fill the margins, a width and height the aspect. Raises BadInput for values that
    exclude each other, and as `Crop`.
    """
    room = {key: value for key, value in (("margin", margin), ("margin_px", margin_px)) if value is not None}
    changes: dict[str, Any] = {
        key: value for key, value in (("fill", fill), ("aspect", aspect), ("size", size)) if value is not None
    }
    if name is None and not room and not changes:
        return None
    if room and fill is not None:
        raise BadInput("--margin and --fill both say how much room there is; give one of them")
    if room or fill is not None:
        changes |= {"fill": fill, "margin": 0.0, "margin_px": 0} | room
    base = CROPS[name or "tight"]
    if isinstance(size, tuple) and aspect is None:
        changes["aspect"] = None
    if aspect is not None and size is None and isinstance(base.size, tuple):
        changes["size"] = max(base.size)
    return replace(base, **changes)


def find_crop(frame: Crop | str) -> Crop:
    """A frame by its name. Raises BadInput for one that does not exist."""
    if isinstance(frame, Crop):
        return frame
    if frame not in CROPS:
        raise BadInput(f"no frame '{frame}'; choose one of {', '.join(CROPS)}, or make a Crop")
    return CROPS[frame]


def moved_inside(box: Box, size: Size) -> Box:
    """A frame shifted so that as much of it as possible lies in a picture of `size`, and still holds what it held."""
    left, top, right, bottom = box
    x = min(max(left, min(0, size[1] - (right - left))), max(0, size[1] - (right - left)))
    y = min(max(top, min(0, size[0] - (bottom - top))), max(0, size[0] - (bottom - top)))
    return x, y, x + right - left, y + bottom - top


def clipped(box: Box, size: Size) -> Box:
    """What of a box lies in a picture of `size`."""
    left, top, right, bottom = box
    return max(0, left), max(0, top), min(size[1], right), min(size[0], bottom)


def window(pixels: NDArray[Any], box: Box, size: Size) -> NDArray[Any]:
    """What of (H, W, 4) RGBA pixels with straight alpha lies in a box, which may go beyond them, at another size.

    size: (h, w) of the result; that of the box: pixels are copied to the bit. What lies outside is transparent.
    Colors are weighed by their alpha, so that a transparent pixel's never shows. Returns the same dtype.
    """
    left, top, right, bottom = box
    inner = clipped(box, size_of(pixels))
    if inner[0] >= inner[2] or inner[1] >= inner[3]:
        raise BadInput(f"the box {box} lies outside of the picture of {pixels.shape[1]} x {pixels.shape[0]}")
    part = pixels[inner[1] : inner[3], inner[0] : inner[2]]
    scale = size[0] / (bottom - top), size[1] / (right - left)
    if scale != (1, 1):
        # Where the part comes to lie, to the nearest pixel of the result; so nothing beyond it need be made first.
        y0, y1 = (round((edge - top) * scale[0]) for edge in (inner[1], inner[3]))
        x0, x1 = (round((edge - left) * scale[1]) for edge in (inner[0], inner[2]))
        part = resized(part, (max(1, y1 - y0), max(1, x1 - x0)))
        y0, x0 = min(y0, size[0] - part.shape[0]), min(x0, size[1] - part.shape[1])
    else:
        y0, x0 = inner[1] - top, inner[0] - left
    if part.shape[:2] == size:
        return np.ascontiguousarray(part)
    below, beyond = size[0] - y0 - part.shape[0], size[1] - x0 - part.shape[1]
    padded: NDArray[Any] = cv2.copyMakeBorder(part, y0, below, x0, beyond, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    return padded


def resized(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    """(H, W, 4) RGBA with straight alpha at another size (h, w), the same dtype: means of areas where it gets smaller,
    bicubic where it gets larger. Colors are weighed by their alpha."""
    if pixels.shape[:2] == size:
        return pixels
    smaller = size[0] <= pixels.shape[0] and size[1] <= pixels.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    alpha = cv2.extractChannel(pixels, 3)
    full = np.iinfo(pixels.dtype).max
    if cv2.minMaxLoc(alpha)[0] == full:
        opaque: NDArray[Any] = cv2.resize(pixels, size[::-1], interpolation=how)
        return opaque
    planes = weighed(pixels, size, how)
    full, own = np.iinfo(pixels.dtype).max, cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U
    result = np.empty((*size, 4), pixels.dtype)
    for top in range(0, size[0], _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        opacity = planes[3][rows].astype(np.float32)
        levels = cv2.multiply(opacity, 1 / full, dtype=own)
        share = np.float32(full) / np.maximum(opacity, 1)
        share[levels == 0] = 0
        result[rows] = cv2.merge([*(cv2.multiply(plane[rows], share, dtype=own) for plane in planes[:3]), levels])
    return result


def weighed(pixels: NDArray[Any], size: Size, how: int = cv2.INTER_AREA) -> list[NDArray[Any]]:
    """(H, W, 4) RGBA with straight alpha at another size (h, w), as four planes: colors times alpha, alpha times full
    scale; uint16 for 8 bits, float32 for 16."""
    # 8 bits times 8 bits are 16: nothing is lost, in half the room of floats.
    alpha = cv2.extractChannel(pixels, 3)
    full, depth = float(np.iinfo(pixels.dtype).max), cv2.CV_16U if pixels.dtype == np.uint8 else cv2.CV_32F

    def plane(channel: int) -> NDArray[Any]:
        product = cv2.multiply(alpha, full if channel == 3 else cv2.extractChannel(pixels, channel), dtype=depth)
        small: NDArray[Any] = cv2.resize(product, size[::-1], interpolation=how)
        return small

    with ThreadPoolExecutor(min(2, usable_cores()), "u2net-resize") as pool:  # no more: each holds a whole plane
        return list(pool.map(plane, range(4)))
