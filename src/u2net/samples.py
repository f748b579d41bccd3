"""Large arrays of samples, changed in place: a second one beside them would double what a picture takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
