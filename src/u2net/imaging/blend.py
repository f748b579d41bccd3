"""One picture over another, with straight alpha."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.system.parallel import map_bands
from u2net.types import Picture, Pixels


def lay_over_color(picture: Picture, color: tuple[float, float, float]) -> Pixels:
    """The picture's pixels as they look on a plain color, given as fractions of full scale. (H, W, 3), same dtype."""
    if picture.alpha is None:
        return picture.pixels
    dtype = picture.pixels.dtype
    behind = np.empty((*picture.size, 4), dtype)
    behind[:] = np.rint(np.multiply((*color, 1.0), np.iinfo(dtype).max)).astype(dtype)
    return np.ascontiguousarray(lay_over(cv2.merge([picture.pixels, picture.alpha]), behind)[..., :3])


def lay_over(front: NDArray[Any], behind: NDArray[Any]) -> NDArray[Any]:
    """Straight-alpha `over` of two (H, W, 4) pictures of one profile and dtype, rounded once; `behind` is overwritten
    with the result.

    Opaque and empty pixels are copied to the bit; only the band between is computed.
    """
    map_bands(0, front.shape[0], front.shape[1], lambda rows: _lay_band(front[rows], behind[rows]))
    return behind


def _lay_band(front: NDArray[Any], behind: NDArray[Any]) -> None:
    full = np.iinfo(front.dtype).max
    opacity = front[..., 3]
    band = (opacity > 0) & (opacity < full)
    if front.dtype == np.uint8 and behind[..., 3].min() == full and np.count_nonzero(band) * 60 > band.size:
        _mix_opaque(front, behind, opacity)
        return
    cv2.copyTo(front, (opacity == full).view(np.uint8), behind)
    top, bottom = front[band].astype(np.float32), behind[band].astype(np.float32)
    upper = top[:, 3:] / np.float32(full)
    lower = bottom[:, 3:] / np.float32(full) * (1 - upper)
    total = upper + lower
    behind[band, :3] = np.rint((top[:, :3] * upper + bottom[:, :3] * lower) / total).astype(front.dtype)
    behind[band, 3] = np.rint(total[:, 0] * full).astype(front.dtype)


def _mix_opaque(front: NDArray[Any], behind: NDArray[Any], opacity: NDArray[Any]) -> None:
    """`over` of 8 bits on what is opaque, every pixel of it: quicker than picking, where many are half transparent."""
    upper = np.multiply(opacity, np.float32(1 / 255), dtype=np.float32)
    behind[:] = cv2.blendLinear(front, behind, upper, 1 - upper)
    behind[..., 3] = 255
