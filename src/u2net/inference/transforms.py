"""Picture to network input, network map to picture size: the only two resizes."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from u2net.errors import BadInput
from u2net.imaging.icc import convert_profile
from u2net.imaging.resize import scaled
from u2net.models.spec import ModelSpec
from u2net.types import EMPTY_BELOW, Pixels, Saliency, Size, Tensor, size_of


def from_pixels(pixels: Pixels, spec: ModelSpec, *, icc: bytes | None = None) -> Tensor:
    """Make the network's input from a picture: one resize, one scale and normalise.

    pixels: (H, W, 3) RGB, uint8 or uint16, in the profile `icc` (None: sRGB); converted to sRGB after the resize.
    Returns (1, 3, h, w) float32; the numbers come from `spec`. A black picture stays black: nothing is divided by 0.
    """
    full = float(np.iinfo(pixels.dtype).max)
    height, width = _inner_size(size_of(pixels), spec)
    if (height, width) == pixels.shape[:2]:
        small = pixels.astype(np.float32)
    elif spec.resample == "area":
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    else:
        small = _sample_bilinear(pixels, (height, width))
    if icc is not None:
        eight_bit = np.rint(small * np.float32(255 / full)).astype(np.uint8)
        converted = convert_profile(eight_bit, source_icc=icc, target_icc=None)
        small, full = converted.astype(np.float32), 255.0

    divisor = float(small.max()) if spec.scale == "own-maximum" else full
    small /= np.float32(divisor or 1.0)
    normal = (small - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    if spec.fit == "letterbox":
        top, left, bottom, right = _padding(normal.shape[:2], spec)
        normal = np.pad(normal, ((top, bottom), (left, right), (0, 0)))  # 0 is the mean color
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])  # (h, w, 3) -> (1, 3, h, w)


def stretched_map(values: NDArray[np.float32], size: Size, *, spec: ModelSpec) -> Saliency:
    """The map of all of a picture, without a letterbox's padding, spread to [0, 1] where the model wants that.

    values: (h, w) float32 probabilities of the network. size: the picture's (H, W).
    A map is spread by its own minimum and maximum; one without an object (maximum below 0.5) never is.
    Returns (h, w) float32 in [0, 1]. Raises BadInput for NaN and infinity.
    """
    inner = _unpad(values, size, spec)
    low, high = float(inner.min()), float(inner.max())
    if not np.isfinite(low + high):
        raise BadInput("the network's map holds NaN or infinity; the model file does not work for this picture")
    if spec.stretch and high >= EMPTY_BELOW and high > low:
        return (inner - np.float32(low)) / np.float32(high - low)
    return np.clip(inner, 0, 1)


def to_saliency(stretched: Saliency, size: Size) -> Saliency:
    """Bring a map, as `stretched_map` gives it, to picture size (H, W): one float resize. (H, W) float32 in [0, 1]."""
    if stretched.shape == size:
        return stretched
    resized: Saliency = cv2.resize(stretched, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return resized


def to_published_map(stretched: Saliency, size: Size) -> NDArray[np.uint8]:
    """Bring a map, as `stretched_map` gives it, to picture size as the authors' published results were made.

    Truncated to 8 bits at network size, then enlarged with Pillow's bilinear filter. (H, W) uint8.
    Source: u2net_test.py of the published repository, checked against its 36 result pictures.
    """
    eight_bit = Image.fromarray((stretched * np.float32(255)).astype(np.uint8))
    return np.asarray(eight_bit.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _sample_bilinear(pixels: Pixels, size: Size) -> NDArray[np.float32]:
    """Sample (H, W, 3) at (h, w) points, pixel centres aligned, without anti-aliasing. (h, w, 3) float32.

    By hand because cv2.resize rounds uint8 results, and would turn all of a large picture into floats to give exact
    ones. Like the authors' loader (scikit-image, mode="constant") it sees black beyond the border, which shows only
    where a side is shorter than the network's: mean difference to their results .00040 -> .00035.
    """
    rows = _sample_points(pixels.shape[0], size[0])
    (left, left_weight), (right, right_weight) = _sample_points(pixels.shape[1], size[1])

    def across(index: NDArray[np.intp]) -> NDArray[np.float32]:
        sampled: NDArray[np.float32] = pixels[index[:, None], left] * left_weight[:, None]
        sampled += pixels[index[:, None], right] * right_weight[:, None]
        return sampled

    (upper, upper_weight), (lower, lower_weight) = rows
    return across(upper) * upper_weight[:, None, None] + across(lower) * lower_weight[:, None, None]


_Points: TypeAlias = tuple[NDArray[np.intp], NDArray[np.float32]]


def _sample_points(source: int, target: int) -> tuple[_Points, _Points]:
    """Indices and weights of the two neighbours of each of `target` points along a side of `source` pixels."""
    position = (np.arange(target) + 0.5) * (source / target) - 0.5
    low = np.floor(position).astype(np.intp)
    part = (position - low).astype(np.float32)
    return (
        (np.maximum(low, 0), (1 - part) * (low >= 0)),
        (np.minimum(low + 1, source - 1), part * (low + 1 < source)),
    )


def _inner_size(size: Size, spec: ModelSpec) -> Size:
    """What the picture itself measures inside the network's input."""
    if spec.fit == "native":
        return size
    if spec.fit == "squash":
        return spec.size
    return scaled(size, min(spec.size[0] / size[0], spec.size[1] / size[1]))


def _padding(inner: Size, spec: ModelSpec) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) around the picture in a letterbox."""
    free_y, free_x = spec.size[0] - inner[0], spec.size[1] - inner[1]
    return free_y // 2, free_x // 2, free_y - free_y // 2, free_x - free_x // 2


def _unpad(values: NDArray[np.float32], size: Size, spec: ModelSpec) -> NDArray[np.float32]:
    if spec.fit != "letterbox":
        return values
    inner = _inner_size(size, spec)
    top, left, _, _ = _padding(inner, spec)
    return values[top : top + inner[0], left : left + inner[1]]
