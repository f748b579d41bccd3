"""Array aliases, and `Picture`, the record that travels between steps. Sizes are (H, W).

`io.picture.Picture` is the same record with methods that write it; it is what `u2net.Picture` and `read` give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

EMPTY_BELOW = 0.5
"""A map whose highest value is lower than this holds no object. Measured with u2netp: at least .986 on 100 pictures of
ECSSD; noise, flat color, grass and gravel at most .21."""

Pixels: TypeAlias = NDArray[np.uint8 | np.uint16]
"""Decoded picture: (H, W, 3) RGB, uint8, or uint16 for a 16-bit source."""

Tensor: TypeAlias = NDArray[np.float32]
"""Network input: (N, 3, h, w) float32, RGB, scaled and normalised."""

Map: TypeAlias = NDArray[np.float32]
"""Network output: (N, C, h, w) float32."""

Saliency: TypeAlias = NDArray[np.float32]
"""What the network believes: (H, W) float32 in [0, 1]."""

Alpha: TypeAlias = NDArray[np.float32]
"""How much of each pixel is the object: (H, W) float32 in [0, 1]."""

Trimap: TypeAlias = NDArray[np.float32]
"""What is known of alpha: (H, W) float32: 0 background, 1 foreground, 0.5 unknown."""

Box: TypeAlias = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels; right and bottom are one past the last pixel."""

Size: TypeAlias = tuple[int, int]
"""(H, W)."""


def size_of(values: NDArray[np.generic]) -> Size:
    """(H, W) of an array whose first two axes are rows and columns."""
    return values.shape[0], values.shape[1]


def as_array(values: NDArray[Any], dtype: Any, copy: bool | None) -> NDArray[Any]:
    """What `__array__` returns of an array that an object holds; copy: as NumPy 2 defines it."""
    array: NDArray[Any] = np.array(values, dtype=dtype, copy=copy)
    return array


@dataclass(frozen=True, eq=False)
class Picture:
    """What a picture file held.

    pixels: (H, W, 3) RGB, uint8 or uint16, upright (the EXIF orientation is already applied).
    alpha: (H, W) of the same dtype, straight, or None for an opaque picture.
    icc: the RGB color profile of `pixels`, or None for sRGB. dpi: (x, y). exif, xmp: raw, without the orientation.

    >>> picture = u2net.Picture(np.full((40, 60, 3), 255, np.uint8))
    >>> picture.size, np.asarray(picture).shape
    ((40, 60), (40, 60, 3))
    >>> picture.save("white.png")
    """

    pixels: Pixels
    alpha: NDArray[np.uint8 | np.uint16] | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    @property
    def size(self) -> Size:
        """(H, W)."""
        return size_of(self.pixels)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """`np.asarray(picture)`: `pixels` themselves, (H, W, 3) RGB; where there is alpha a new (H, W, 4) RGBA."""
        if self.alpha is None:
            return as_array(self.pixels, dtype, copy)
        if copy is False:
            raise ValueError("colors and alpha of a picture lie apart; one array of both is always a copy")
        return as_array(np.dstack([self.pixels, self.alpha]), dtype, None)
