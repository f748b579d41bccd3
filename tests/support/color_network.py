"""A session whose map is the picture's own red: what a test paints is what the network believes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from u2net.inference.session import Session
from u2net.models.spec import ModelSpec
from u2net.types import Map, Picture, Tensor


class Seen:
    """Counts the runs."""

    def __init__(self) -> None:
        self.runs = 0


def color_session(
    size: tuple[int, int] = (64, 64), *, believe: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda red: red
) -> tuple[Session, Seen]:
    """A session of `size`, and what it has done. believe: from what is seen of red, (h, w) in [0, 1], to the map."""
    seen = Seen()

    def infer(tensor: Tensor) -> list[Map]:
        seen.runs += 1
        return [believe(tensor[0, 0]).astype(np.float32)[None, None]]

    spec = ModelSpec(
        "color", "color.onnx", size=size, scale="full-range", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), stretch=True
    )
    return Session(spec, "test", "cpu", "f32", infer), seen


def painted(red: NDArray[np.float32]) -> Picture:
    """A picture whose red is (h, w) in [0, 1]; blue is full."""
    level = np.rint(red * 255).astype(np.uint8)
    return Picture(np.dstack([level, np.zeros_like(level), np.full_like(level, 255)]))


def disc(
    size: tuple[int, int], middle: tuple[float, float], radius_px: float, *, soft_px: float = 4
) -> NDArray[np.float32]:
    """(h, w) float32: 1 in a disc around (x, y), 0 outside, a slope `soft_px` wide between."""
    y, x = np.mgrid[: size[0], : size[1]]
    edge = (radius_px - np.hypot(x - middle[0], y - middle[1])) / soft_px + 0.5
    return np.clip(edge, 0, 1).astype(np.float32)
