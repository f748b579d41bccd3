"""What is put behind a cutout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.colour import Colour, colour_in, convert_profile, parse_colour, to_depth
from u2net.errors import BadInput
from u2net.pixels import MAX_BYTES, MAX_PIXELS, Source, read
from u2net.types import Picture, Size

Background: TypeAlias = Source | Sequence[int]


def parse_background(
    background: Background, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Picture | Colour:
    """Tell a picture from a colour, and read it; `Cutout.over` takes the result as well.

    max_pixels, max_bytes: as for `read`. Raises BadInput for what is neither.
    """
    if isinstance(background, (list, tuple)):
        return parse_colour(background)
    if isinstance(background, str) and not os.path.isfile(background):
        try:
            return parse_colour(background)
        except BadInput as error:
            raise BadInput(f"the background '{background}' is no file, and {error}") from error
    return read(background, max_pixels=max_pixels, max_bytes=max_bytes)  # type: ignore[arg-type]  # the sequence of numbers is dealt with above


def fitted(background: Picture | Colour, size: Size, icc: bytes | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The background as (H, W, 4) pixels of `size` and `dtype`, in the profile `icc`."""
    if isinstance(background, tuple):
        behind = np.empty((*size, 4), dtype)
        behind[:] = colour_in(background, icc, dtype)
        return behind
    pixels = background.pixels
    if background.icc != icc:
        pixels = convert_profile(pixels, source_icc=background.icc, target_icc=icc)
    alpha = background.alpha
    if alpha is None:
        alpha = np.full(background.size, np.iinfo(dtype).max, dtype)
    return _cover(cv2.merge([*cv2.split(to_depth(pixels, dtype)), to_depth(alpha, dtype)]), size)


def _cover(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    """The middle of a picture, of the aspect of `size`, scaled to that."""
    height, width = size
    scale = max(height / pixels.shape[0], width / pixels.shape[1])
    rows, columns = max(1, round(height / scale)), max(1, round(width / scale))
    top, left = (pixels.shape[0] - rows) // 2, (pixels.shape[1] - columns) // 2
    middle = pixels[top : top + rows, left : left + columns]
    resized: NDArray[Any] = cv2.resize(
        middle, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    return resized
