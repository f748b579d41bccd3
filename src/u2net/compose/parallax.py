"""A picture that moves in depth: the object before its background, seen by a camera that sways."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.compose.cutout import Cutout
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.blend import lay_over_color
from u2net.imaging.icc import to_srgb
from u2net.imaging.resize import at_most
from u2net.imaging.samples import to_eight_bits
from u2net.types import Picture, Size

MAX_FRAMES = 600
MAX_SAMPLES = 200_000_000
"""All frames together have at most so many pixels: 600 MB."""
_BEHIND = 0.3
"""The background moves by this share of what the object moves."""
_NEARER = 0.6
"""The object grows by this share of the movement, while the camera goes in and out once."""
_FILL_SIDE = 360
"""The hole is filled at this longer side: what the object uncovers is a strip of a few pixels."""

_Floats = NDArray[np.float32]


def parallax(
    picture: Picture,
    cutout: Cutout,
    *,
    seconds: float = 3.0,
    fps: float = 20.0,
    amount: float = 2.0,
    size_px: int = 720,
) -> Iterator[NDArray[np.uint8]]:
    """Draw the frames of a camera that sways from side to side and in and out, once; the last leads to the first.

    cutout: of the picture's size, with the object's own colors (`foreground=True`), else its old rim moves along.
    amount: how far the object moves to each side, in percent of the longer side, above 0 and at most 10. The
    background moves less; where the object uncovers it, it is filled from around the object (Bertalmio and
    others, CVPR 2001). The frames lack a margin of that width, so no border comes into view.
    size_px: the frames' longer side, 16 to 4096, never more than the picture has left.
    seconds, fps: how long one round takes, and frames a second; both above 0, at most 600 frames in all.
    Gives (h, w, 3) uint8 RGB in sRGB; a transparent picture lies on white.
    Raises NothingSalient for a cutout without an object, BadInput for a number out of its range.

    >>> from u2net.compose import parallax
    >>> picture = u2net.read("examples/coffee.jpg")
    >>> cutout = u2net.remove(picture, "u2netp")
    >>> frames = list(parallax(picture, cutout, seconds=0.5, fps=10, size_px=120))
    >>> len(frames), max(frames[0].shape), frames[0].dtype
    (5, 120, dtype('uint8'))
    """
    count = check_parallax(seconds=seconds, fps=fps, amount=amount, size_px=size_px)
    if cutout.size != picture.size:
        raise BadInput(f"the cutout is {cutout.size}, the picture {picture.size}; give the cutout of this picture")
    if cutout.box is None:
        raise NothingSalient("no object was found, so there is nothing to move before its background")
    return _frames(picture, cutout, count, amount / 100, size_px)


def check_parallax(*, seconds: float, fps: float, amount: float, size_px: int) -> int:
    """How many frames these give. Raises BadInput unless `parallax` can use them."""
    if not 16 <= size_px <= 4096:
        raise BadInput(f"the size of the frames is 16 to 4096 pixels, not {size_px}")
    if not 0 < amount <= 10:
        raise BadInput(f"the amount is a percentage above 0 and at most 10, not {amount}")
    for name, value in (("seconds", seconds), ("fps", fps)):
        if not 0 < value < math.inf:
            raise BadInput(f"{name} is a number above 0, not {value}")
    frames = seconds * fps
    if not 2 <= round(min(frames, 1e9)) <= MAX_FRAMES:
        raise BadInput(
            f"{seconds:g} seconds at {fps:g} frames a second are {frames:.0f} frames; 2 to {MAX_FRAMES} can be"
        )
    if round(frames) * size_px**2 > MAX_SAMPLES * 2:
        raise BadInput(f"{frames:.0f} frames of {size_px} pixels do not fit into memory; give a smaller size")
    return round(frames)


def _frames(picture: Picture, cutout: Cutout, count: int, amount: float, size_px: int) -> Iterator[NDArray[np.uint8]]:
    inner = 1 - 2 * amount
    size = at_most(picture.size, size_px / inner)
    move = amount * max(size)
    # Even numbers, which video formats want too.
    height, width = (max(2, 2 * int((side - 2 * move) / 2)) if side > 2 * move + 2 else side for side in size)
    front = _premultiplied(cutout, size)
    behind = _background(_colors(picture, size), front[..., 3])
    for number in range(count):
        turn = 2 * math.pi * number / count
        aside, nearer = move * math.sin(turn), amount * _NEARER * (1 - math.cos(turn)) / 2
        frame = _seen(behind, (height, width), _BEHIND * aside, 1 + _BEHIND * nearer)
        moved = _seen(front, (height, width), aside, 1 + nearer)
        alpha = np.clip(moved[..., 3:], 0, 1)
        # Cubic interpolation overshoots at edges: no color may be more than its alpha, or a rim would shine.
        colors = np.clip(moved[..., :3] / np.maximum(moved[..., 3:], 1), 0, 255 * alpha)
        frame = colors + frame * (1 - alpha)
        yield np.rint(np.clip(frame, 0, 255)).astype(np.uint8)


def _seen(layer: _Floats, size: Size, aside: float, nearer: float) -> _Floats:
    """The middle of a layer, `size` large, moved to the right and enlarged about its middle; to parts of a pixel."""
    y, x = ((side - 1) / 2 for side in layer.shape[:2])
    to_layer = np.array(
        [
            [1 / nearer, 0, x - (aside + (size[1] - 1) / 2) / nearer],
            [0, 1 / nearer, y - (size[0] - 1) / 2 / nearer],
        ]
    )
    moved: _Floats = cv2.warpAffine(
        layer, to_layer, size[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return moved


def _premultiplied(cutout: Cutout, size: Size) -> _Floats:
    """(h, w, 4) float32 in sRGB: colors 0 to 255 times alpha, alpha 0 to 1."""
    pixels = to_eight_bits(cutout.pixels)
    alpha = pixels[..., 3]
    weighted = cv2.multiply(
        to_srgb(np.ascontiguousarray(pixels[..., :3]), cutout.icc), cv2.merge([alpha] * 3), scale=1 / 255
    )
    small = _resized(weighted, size).astype(np.float32)
    levels = _resized(np.ascontiguousarray(alpha), size).astype(np.float32) / np.float32(255)
    layer: _Floats = cv2.merge([*cv2.split(small), levels])
    return layer


def _colors(picture: Picture, size: Size) -> NDArray[np.uint8]:
    on_white = lay_over_color(picture, (1.0, 1.0, 1.0))
    return to_srgb(_resized(to_eight_bits(on_white), size), picture.icc)


def _resized(samples: NDArray[Any], size: Size) -> NDArray[Any]:
    small: NDArray[Any] = cv2.resize(samples, size[::-1], interpolation=cv2.INTER_AREA)
    return small


def _background(colors: NDArray[np.uint8], alpha: _Floats) -> _Floats:
    """(h, w, 3) float32: the picture without the object. A soft rim around it goes too, for it holds its colors."""
    height, width = alpha.shape
    soft = (alpha > 0.02).astype(np.uint8)
    rim = max(2, round(0.008 * max(height, width)))
    hole = cv2.dilate(soft, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))
    if hole.all():
        return colors.astype(np.float32)  # nothing else is in the picture, nothing will be uncovered
    size = at_most((height, width), _FILL_SIDE)
    known = 1 - hole.astype(np.float32)
    # Means of what is known only, so that nothing of the object comes into the fill.
    weight = _resized(known, size)
    small = _resized(colors.astype(np.float32) * known[..., None], size) / np.maximum(weight, 1e-6)[..., None]
    unknown = (weight < 0.5).astype(np.uint8)
    filled = cv2.inpaint(np.rint(np.clip(small, 0, 255)).astype(np.uint8), unknown, 4, cv2.INPAINT_NS)
    plate = cv2.resize(filled.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    feather = cv2.GaussianBlur(cv2.dilate(hole, np.ones((3, 3), np.uint8)).astype(np.float32), (0, 0), rim / 3)
    feather = np.maximum(feather, hole)[..., None]
    mixed: _Floats = colors * (1 - feather) + plate * feather
    return mixed
