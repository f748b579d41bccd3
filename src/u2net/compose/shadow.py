"""The shadow that makes a cutout stand on its background, or float over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.imaging.regions import bounding_box
from u2net.imaging.resize import at_most, enlarged_rows, shrunk
from u2net.system.parallel import map_bands
from u2net.types import size_of

ShadowKind: TypeAlias = Literal["drop", "contact"]

_WORK_PX = 512
"""The long side at which a shadow is made: it is blurred anyway."""


@dataclass(frozen=True)
class Shadow:
    """A shadow below a cutout. Lengths are shares of the object's longer side.

    opacity: 0 to 1, of its darkest place. blur: the deviation of its softness. offset: (right, down).
    flatten: None: as tall as the object, as on a wall behind it; a share: laid down, so tall, around the object's foot.
    lower: so much of the object, from below, casts a flattened one; what stands out further up is off the ground.
    """

    opacity: float = 0.4
    blur: float = 0.025
    offset: tuple[float, float] = (0.015, 0.03)
    flatten: float | None = None
    lower: float = 1.0


SHADOWS: dict[ShadowKind, tuple[Shadow, ...]] = {
    "drop": (Shadow(),),
    "contact": (
        Shadow(opacity=0.30, blur=0.03, offset=(0, 0.01), flatten=0.10, lower=0.4),
        Shadow(opacity=0.55, blur=0.007, offset=(0, 0.004), flatten=0.02, lower=0.15),
    ),
}
"""drop: the object floats before a wall. contact: it stands on the ground, which darkens around its foot, most where
it touches."""


def add_shadow(pixels: NDArray[Any], kind: ShadowKind, *, strength: float = 1.0) -> NDArray[Any]:
    """Lay a black shadow below a cutout.

    pixels: (H, W, 4) RGBA, straight alpha, uint8 or uint16. strength: 0 to 1.5, times the shadow's opacity.
    Returns the same shape and dtype: opaque pixels are the given ones to the bit. What would fall outside of the
    picture is cut off: frame it with room first.
    Raises BadInput for another kind or strength.

    >>> from u2net.compose import add_shadow
    >>> add_shadow(u2net.remove("examples/cat.png", "u2netp").pixels, "drop").shape
    (300, 451, 4)
    """
    if kind not in SHADOWS:
        raise BadInput(f"no shadow '{kind}'; choose one of {', '.join(SHADOWS)}")
    if not 0 <= strength <= 1.5:
        raise BadInput(f"a shadow's strength is 0 to 1.5, not {strength}")
    size = size_of(pixels)
    full = np.float32(np.iinfo(pixels.dtype).max)
    small = at_most(size, _WORK_PX)
    alpha = np.divide(shrunk(np.ascontiguousarray(pixels[..., 3]), small), full, dtype=np.float32)
    light: NDArray[np.float32] = np.ones(small, np.float32)
    for shadow in SHADOWS[kind]:
        light *= np.float32(1) - np.float32(min(1.0, shadow.opacity * strength)) * _cast(alpha, shadow)
    rows = enlarged_rows(1 - light, size)
    result = np.empty_like(pixels)

    def lay(band: slice) -> None:
        result[band] = _below(pixels[band], rows(band.start, band.stop), full)

    map_bands(0, size[0], size[1], lay)
    return result


def _cast(alpha: NDArray[np.float32], shadow: Shadow) -> NDArray[np.float32]:
    """(h, w) float32 in [0, 1]: where a shadow falls, fully dark."""
    box = bounding_box(alpha > 0.5)
    if box is None:
        return np.zeros_like(alpha)
    left, top, right, bottom = box
    length = max(right - left, bottom - top)
    move_x, move_y = shadow.offset[0] * length, shadow.offset[1] * length
    squeeze, source = 1.0, alpha
    if shadow.flatten is not None:
        # Laid down: each row of the object comes so much nearer to the foot's line; what counts most lies about it.
        tall = max(1.0, shadow.flatten * length)
        squeeze = tall / (shadow.lower * (bottom - top))
        move_y += bottom * (1 - squeeze) + 0.3 * tall
        height = np.clip((bottom - np.arange(alpha.shape[0], dtype=np.float32)) / (bottom - top), 0, 1)
        counts: NDArray[np.float32] = np.clip((shadow.lower - height) / (0.5 * shadow.lower), 0, 1).astype(np.float32)
        source = cv2.blur(alpha * counts[:, None], (1, max(1, round(1 / squeeze))))
    place = np.array([[1, 0, move_x], [0, squeeze, move_y]], np.float32)
    fallen = cv2.warpAffine(source, place, alpha.shape[::-1], flags=cv2.INTER_LINEAR)
    sigma = max(0.3, shadow.blur * length)
    soft: NDArray[np.float32] = cv2.GaussianBlur(fallen, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return soft


def _below(front: NDArray[Any], shade: NDArray[np.float32], full: np.float32) -> NDArray[Any]:
    """Straight-alpha `over` of a cutout on black with the alpha `shade`.

    Colors change only where the cutout is half transparent: where it is empty they are black already.
    """
    result = front.copy()
    upper = front[..., 3].astype(np.float32)
    total = full - (full - upper) * (1 - shade)
    result[..., 3] = np.rint(total)
    mixed = np.nonzero((front[..., 3] > 0) & (front[..., 3] < full) & (shade > 0))
    share = upper[mixed] / total[mixed]
    result[mixed[0], mixed[1], :3] = np.rint(front[mixed[0], mixed[1], :3] * share[:, None])
    return result
