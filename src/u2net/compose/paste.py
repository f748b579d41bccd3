"""A cutout laid onto another picture: moved, scaled and turned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.compose.crop import resized, weighed
from u2net.compose.cutout import Cutout
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.blend import lay_over
from u2net.imaging.icc import can_be_target, convert_profile, to_srgb
from u2net.imaging.regions import bounding_box
from u2net.imaging.samples import to_depth
from u2net.system.parallel import map_bands
from u2net.types import Box, Picture, Size

Anchor: TypeAlias = Literal["centre", "top-left", "bottom"]
"""Which point of the object is meant by a place: the middle of its box, the box's upper left corner, or the middle of
its lower side, on which things stand."""

LEAST_SCALE, MOST_SCALE = 0.001, 1000.0
_MOST_SIDE = 32_767  # of what cv2.warpAffine takes


@dataclass(frozen=True)
class Placement:
    """Where an object goes.

    source: its box in the cutout. box: the box it takes in the target, which may reach beyond it. scale: after fitting.
    rotation: in degrees, clockwise. corner: where the upper left corner of the source's box goes, (x, y), which for a
    turned object is no corner of `box`.
    """

    source: Box
    box: Box
    scale: float
    rotation: float
    corner: tuple[float, float]


def place(
    cutout: Cutout,
    target: Size,
    *,
    at: tuple[float, float] | None = None,
    anchor: Anchor = "centre",
    scale: float | None = None,
    rotation: float = 0.0,
    fit: bool = False,
) -> Placement:
    """Find out where an object goes in a picture of size `target`, (H, W).

    at: (x, y) in pixels of the target, from its upper left corner, to which the object's `anchor` goes; None: such that
    the object lies in the middle. scale: of the object; None: 1. fit: make it, if need be, as much smaller as it takes
    to be no larger than the target. rotation: in degrees, clockwise, about the anchor.
    The object is what of the cutout is not fully transparent. Without scale and rotation it is moved by whole pixels.
    Raises NothingSalient for an empty cutout; BadInput for a place where nothing of it would be seen, for an object
    larger than the target where neither scale nor fit is given, and for numbers that cannot be used.
    """
    source = bounding_box(cutout.pixels[..., 3])
    if source is None:
        raise NothingSalient("the cutout is empty: there is nothing to paste")
    if anchor not in ("centre", "top-left", "bottom"):
        raise BadInput(f"anchor is centre, top-left or bottom, not {anchor!r}")
    if scale is not None and not LEAST_SCALE <= scale <= MOST_SCALE:
        raise BadInput(f"scale is a number from {LEAST_SCALE:g} to {MOST_SCALE:g}, not {scale:g}")
    if not math.isfinite(rotation) or (at is not None and not all(map(math.isfinite, at))):
        raise BadInput(f"rotation and place are numbers, not {rotation} and {at}")
    width, height = source[2] - source[0], source[3] - source[1]
    turned = _turned_size(width, height, rotation)
    fitting = min(1.0, target[1] / turned[0], target[0] / turned[1])
    if scale is None and fitting < 1 and not fit:
        raise BadInput(
            f"the object is {width} x {height}{' before it is turned' if rotation % 360 else ''}, larger than the "
            f"target of {target[1]} x {target[0]}; --scale {math.floor(1000 * fitting) / 1000:g} or --fit makes it fit"
        )
    factor = 1.0 if scale is None else scale
    if fit:
        factor = min(factor, target[1] / turned[0], target[0] / turned[1])
    wide, high = (max(1, round(side * factor)) for side in (width, height))
    if scale is not None and min(width, height) * factor < 0.5:
        raise BadInput(f"at scale {factor:g} nothing is left of the object of {width} x {height}; give a larger one")
    if at is None:
        middle = (target[1] / 2, target[0] / 2)
        anchor_x, anchor_y = wide / 2, high / 2
    else:
        middle = at
        anchor_x = 0.0 if anchor == "top-left" else wide / 2
        anchor_y = {"top-left": 0.0, "centre": high / 2, "bottom": float(high)}[anchor]
    cos, sin = _cos_sin(rotation)
    corner = middle[0] - cos * anchor_x + sin * anchor_y, middle[1] - sin * anchor_x - cos * anchor_y
    if rotation % 90 == 0:  # whole pixels: nothing is blurred by half of one
        corner = float(_whole(corner[0])), float(_whole(corner[1]))
    corners = [(corner[0] + cos * x - sin * y, corner[1] + sin * x + cos * y) for x in (0, wide) for y in (0, high)]
    xs, ys = zip(*corners, strict=True)
    box = tuple(int(value) for value in (*_floor(min(xs), min(ys)), *_ceil(max(xs), max(ys))))
    if box[0] >= target[1] or box[1] >= target[0] or box[2] <= 0 or box[3] <= 0:
        first = middle[0] - box[2], middle[1] - box[3]
        last = target[1] + middle[0] - box[0], target[0] + middle[1] - box[1]
        raise BadInput(
            f"at {middle[0]:g},{middle[1]:g} nothing of the object would be seen on the target of "
            f"{target[1]} x {target[0]}; x is from {first[0] + 1:.0f} to {last[0] - 1:.0f}, y from "
            f"{first[1] + 1:.0f} to {last[1] - 1:.0f}"
        )
    return Placement(source, (box[0], box[1], box[2], box[3]), factor, rotation, corner)


def paste(
    cutout: Cutout,
    target: Picture,
    *,
    at: tuple[float, float] | None = None,
    anchor: Anchor = "centre",
    scale: float | None = None,
    rotation: float = 0.0,
    fit: bool = False,
) -> Cutout:
    """Lay a cutout onto a picture; the arguments and errors are those of `place`.

    Returns the target's size, depth, profile and metadata; what reaches beyond it is cut off. Where the target is
    transparent the result is what of the object covers it.

    >>> from u2net.compose import paste
    >>> cutout = u2net.remove("examples/cat.png", "u2netp")
    >>> paste(cutout, u2net.read("examples/rocket.jpg"), at=(110, 260), scale=0.5).size
    (427, 640)
    """
    where = place(cutout, target.size, at=at, anchor=anchor, scale=scale, rotation=rotation, fit=fit)
    return pasted(cutout, target, where)


def pasted(cutout: Cutout, target: Picture, where: Placement) -> Cutout:
    """Lay a cutout onto a picture where `place` has said."""
    icc = target.icc if can_be_target(target.icc) else None
    colors = target.pixels if icc == target.icc else to_srgb(target.pixels, target.icc)
    dtype = target.pixels.dtype
    pixels = Cutout.opaque(replace(target, pixels=colors)).pixels
    left, top = max(0, where.box[0]), max(0, where.box[1])
    right, bottom = min(target.size[1], where.box[2]), min(target.size[0], where.box[3])
    rows_of = _warped(_in_terms_of(cutout, where.source, icc, dtype), where, (left, right))

    def lay(rows: slice) -> None:
        band = pixels[rows, left:right]
        band[:] = lay_over(rows_of(rows.start, rows.stop), np.ascontiguousarray(band))

    map_bands(top, bottom, right - left, lay)
    return Cutout(pixels, cutout.confidence, icc, target.dpi, target.exif, target.xmp)


def _in_terms_of(cutout: Cutout, box: Box, icc: bytes | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The box of a cutout in another profile and depth. (h, w, 4)."""
    part = np.ascontiguousarray(cutout.pixels[box[1] : box[3], box[0] : box[2]])
    if cutout.icc == icc:
        return to_depth(part, dtype)
    colors = convert_profile(np.ascontiguousarray(part[..., :3]), source_icc=cutout.icc, target_icc=icc)
    merged: NDArray[Any] = cv2.merge([*cv2.split(to_depth(colors, dtype)), to_depth(part[..., 3], dtype)])
    return merged


def _warped(object_: NDArray[Any], where: Placement, columns: tuple[int, int]) -> Callable[[int, int], NDArray[Any]]:
    """A function that gives rows of the target, top to bottom, in these columns: what of an object lies there.

    object_: (h, w, 4), straight alpha, as are the rows.
    """
    left, right = columns
    height, width = object_.shape[:2]
    wide, high = max(1, round(width * where.scale)), max(1, round(height * where.scale))
    smaller = where.scale < 1
    if where.rotation % 90 == 0 and (smaller or (wide, high) == (width, height)):
        turned = _quarter_turned(resized(object_, (high, wide)), round(where.rotation / 90) % 4)[
            :, left - where.box[0] : right - where.box[0]
        ]
        return lambda top, bottom: np.ascontiguousarray(turned[top - where.box[1] : bottom - where.box[1]])
    dtype, full = object_.dtype, float(np.iinfo(object_.dtype).max)
    if smaller:
        multiplied, weight = cv2.merge(weighed(object_, (high, wide))), full
        height, width = high, wide
    else:
        multiplied, weight = _multiplied(object_), full / 2 if dtype == np.uint8 else 1.0
    if max(height, width) > _MOST_SIDE:
        raise BadInput(f"an object of more than {_MOST_SIDE} pixels a side can be neither turned nor enlarged")
    cos, sin = _cos_sin(where.rotation)
    scale_x, scale_y = wide / width, high / height
    # From continuous coordinates, in which a pixel's middle is at a half, to those in which it is at a whole number.
    linear = np.array([[cos * scale_x, -sin * scale_y], [sin * scale_x, cos * scale_y]])
    shift = np.array([where.corner[0] - left, where.corner[1]]) + linear @ [0.5, 0.5] - 0.5
    way = cv2.INTER_LINEAR if smaller else cv2.INTER_CUBIC

    def rows(top: int, bottom: int) -> NDArray[Any]:
        matrix = np.column_stack([linear, shift - [0, top]])
        warped = cv2.warpAffine(multiplied, matrix, (right - left, bottom - top), flags=way, borderValue=(0, 0, 0, 0))
        return _divided(warped, dtype, weight)

    return rows


def _multiplied(straight: NDArray[Any]) -> NDArray[Any]:
    """(h, w, 4), colors multiplied by alpha: else hidden colors would be mixed in.

    Of 8 bits uint16, all 127.5 times as large: finer than can be seen, with room for what a cubic filter overshoots. Of
    16 bits float32.
    """
    alpha = cv2.extractChannel(straight, 3)
    full = np.iinfo(alpha.dtype).max
    factor = cv2.merge([alpha, alpha, alpha, np.full_like(alpha, full)])
    halved = alpha.dtype == np.uint8
    multiplied: NDArray[Any] = cv2.multiply(
        straight, factor, scale=0.5 if halved else 1 / float(full), dtype=cv2.CV_16U if halved else cv2.CV_32F
    )
    return multiplied


def _divided(multiplied: NDArray[Any], dtype: np.dtype[Any], one: float) -> NDArray[Any]:
    """Straight alpha again, rounded once; the cubic filter's overshoot is cut off. one: by what all is too large."""
    full = float(np.iinfo(dtype).max)
    depth = cv2.CV_8U if dtype == np.uint8 else cv2.CV_16U
    alpha = cv2.extractChannel(multiplied, 3).astype(np.float32)
    seen = cv2.compare(alpha, 0.5 * one, cv2.CMP_GE)
    # By alpha as the filter gave it: colors overshoot as it does.
    share = cv2.divide(full, cv2.max(alpha, 0.5 * one))
    factor = cv2.merge([share, share, share, np.full_like(share, 1 / one)])
    straight = cv2.multiply(multiplied, factor, dtype=depth)  # rounds and cuts off
    shown: NDArray[Any] = cv2.bitwise_and(straight, straight, mask=seen)
    return shown


def _quarter_turned(pixels: NDArray[Any], quarters: int) -> NDArray[Any]:
    ways = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}
    turned: NDArray[Any] = cv2.rotate(pixels, ways[quarters]) if quarters else pixels
    return turned


def _cos_sin(rotation: float) -> tuple[float, float]:
    """Exact for quarters of a turn. Clockwise, since y points down."""
    if rotation % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[round(rotation / 90) % 4]
    return math.cos(math.radians(rotation)), math.sin(math.radians(rotation))


def _turned_size(width: float, height: float, rotation: float) -> tuple[float, float]:
    cos, sin = map(abs, _cos_sin(rotation))
    return width * cos + height * sin, width * sin + height * cos


def _whole(value: float) -> int:
    """Halves upwards, so that neighbouring places stay neighbours."""
    return math.floor(value + 0.5)


def _floor(*values: float) -> list[int]:
    return [math.floor(value + 1e-6) for value in values]


def _ceil(*values: float) -> list[int]:
    return [math.ceil(value - 1e-6) for value in values]
