"""What cameras and web sites do to pictures: blur and JPEG, on batched tensors of any device.

JPEG without its files: color conversion, halved color, the cosine transform of 8 x 8 blocks and their rounding are
all that changes a picture; what follows in a file loses nothing. So nothing leaves the device, and a whole batch is
some matrix products.
Source: ITU-T T.81, annex A (transform) and K (tables); JFIF 1.02 (colors); libjpeg's jcparam.c (quality to tables).
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

_LUMA_TABLE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_COLOR_TABLE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32,
)  # fmt: skip
_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def blur(pictures: Tensor, sigma_px: NDArray[np.float64], *, radius: int) -> Tensor:
    """Gaussian blur. pictures: (N, C, H, W) float. sigma_px: (N,), one a picture; borders are repeated.

    radius: of the kernel, in pixels; the same for all, so that a picture does not depend on its company.
    """
    count, channels = pictures.shape[:2]
    distance = np.arange(-radius, radius + 1)
    weights = np.exp(-(distance**2) / (2 * sigma_px[:, None] ** 2))
    weights = np.repeat(weights / weights.sum(1, keepdims=True), channels, axis=0)
    kernel = torch.from_numpy(weights).to(pictures)  # (N C, 2 r + 1)
    planes = pictures.reshape(1, count * channels, *pictures.shape[2:])
    planes = F.pad(planes, (radius,) * 4, mode="replicate")
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=count * channels)
    planes = F.conv2d(planes, kernel[:, None, None, :], groups=count * channels)
    return planes.reshape_as(pictures)


def jpeg(pictures: Tensor, quality: NDArray[np.float64]) -> Tensor:
    """As a JPEG file shows them. pictures: (N, 3, H, W) float in [0, 1]. quality: (N,), 1 to 100, as libjpeg has it."""
    height, width = pictures.shape[2:]
    levels = (pictures * 255).round()
    padded = F.pad(levels, (0, -width % 16, 0, -height % 16), mode="replicate")
    matrix = pictures.new_tensor(_YCC)
    # Rounded wherever libjpeg has whole numbers: luma 0 to 255, colors around 0.
    ycc = (matrix @ padded.flatten(2)).unflatten(2, padded.shape[2:]).round()
    luma = _quantised(ycc[:, :1] - 128, _LUMA_TABLE, quality) + 128
    color = _quantised(F.avg_pool2d(ycc[:, 1:], 2).round(), _COLOR_TABLE, quality)
    # libjpeg enlarges by its `fancy upsampling`, a triangle of 3:1, which is bilinear.
    color = F.interpolate(color, scale_factor=2, mode="bilinear", align_corners=False)
    decoded = pictures.new_tensor(np.linalg.inv(_YCC).tolist()) @ torch.cat([luma, color], 1).flatten(2)
    decoded = decoded.unflatten(2, padded.shape[2:])[:, :, :height, :width]
    return (decoded.round() / 255).clamp(0, 1)


def _quantised(planes: Tensor, table: tuple[int, ...], quality: NDArray[np.float64]) -> Tensor:
    """Round the cosine transform of each 8 x 8 block to multiples of the table at that quality."""
    scale = np.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = np.clip(np.floor((np.outer(scale, table) + 50) / 100), 1, 255)
    step = torch.from_numpy(steps).to(planes)[:, None]  # (N, 1, 64)
    transform = _transform().to(planes)
    count, channels, height, width = planes.shape
    grid = (count, channels, height // 8, width // 8, 8, 8)
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    blocks = blocks.reshape(count, -1, 64)  # (N, C h w / 64, 64)
    kept = torch.round(blocks @ transform.T / step) * step
    decoded = (kept @ transform).round().clamp(-128, 127)
    return decoded.reshape(grid).transpose(3, 4).reshape_as(planes)


def _transform() -> Tensor:
    """(64, 64): the orthonormal cosine transform of a block of 8 x 8, row after row."""
    frequency, position = np.mgrid[:8, :8]
    cosines = np.cos((2 * position + 1) * frequency * math.pi / 16) / 2
    cosines[0] /= math.sqrt(2)
    return torch.from_numpy(np.kron(cosines, cosines))
