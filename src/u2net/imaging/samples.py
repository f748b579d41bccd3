"""Large arrays of samples, changed in place: a second one beside them would double what a picture takes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.types import Pixels


def to_depth(values: Pixels, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> Pixels:
    """Scale whole-number samples between 8 and 16 bits (255 becomes 65535 and back, rounded)."""
    if values.dtype == dtype:
        return values
    if dtype == np.uint8:
        # round(v / 257) without leaving 32 bits: 65535 = 255 * 257
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return values.astype(np.uint16) * np.uint16(257)


def to_eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    """Scale (H, W), (H, W, 3) or (H, W, 4) samples to uint8; what becomes fully transparent gets the color 0."""
    scaled: NDArray[np.uint8] = np.asarray(to_depth(pixels, np.dtype(np.uint8)), np.uint8)
    if pixels.dtype != np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 4:
        scaled[scaled[..., 3] == 0] = 0
    return scaled


def first_channels(samples: NDArray[np.uint16], channels: int) -> NDArray[np.uint16]:
    """The first channels of (H, W, C) as a contiguous (H, W, channels), in the memory of `samples`, which is lost."""
    height, width, held = samples.shape
    if channels == held:
        return np.ascontiguousarray(samples)
    if not (samples.flags.c_contiguous and samples.flags.writeable):
        return np.ascontiguousarray(samples[..., :channels])
    moved = samples.reshape(-1)[: height * width * channels].reshape(height, width, channels)
    for top in range(0, height, 64):
        moved[top : top + 64] = samples[top : top + 64, :, :channels].copy()  # they overlap
    return moved


def rgb_of(pixels: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 3) of (H, W, 4)."""
    colors: NDArray[Any] = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)
    return colors


def with_alpha(pixels: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 4) of (H, W, 3), opaque; (H, W, 4) as it is."""
    straight: NDArray[Any] = pixels if pixels.shape[2] == 4 else cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    return straight
