"""ICC profiles that are a curve for each channel and a matrix, for 16-bit pixels: Pillow's colour management is 8-bit.

Source: ICC.1:2022, sections 7.3 (tag table), 8.3 and 8.4 (what a grey and a three-component profile hold), 10.6
(curveType), 10.18 (parametricCurveType), 10.31 (XYZType).
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Curve: TypeAlias = NDArray[np.float32]
"""(65536,) float32: the linear light, 0 to 1, of each 16-bit value."""

_LEVELS = np.arange(65536) / 65535
_PARAMETERS = (1, 3, 4, 5, 7)


@dataclass(frozen=True, eq=False)
class Shaper:
    """curves: one for grey, three for RGB. to_xyz: (3, 3), linear RGB to CIE XYZ under D50; ones for grey."""

    curves: tuple[Curve, ...]
    to_xyz: NDArray[np.float64]

    def from_linear(self, linear: NDArray[np.float32]) -> NDArray[np.uint16]:
        """Linear light, clipped to 0…1, in this profile's values; the last axis is the channel, if there are three."""
        if len(self.curves) == 1 or linear.ndim == 1:
            return np.rint(np.interp(linear, self.curves[0], _LEVELS) * 65535).astype(np.uint16)
        channels = [np.interp(linear[..., n], curve, _LEVELS) for n, curve in enumerate(self.curves)]
        return np.rint(np.stack(channels, axis=-1) * 65535).astype(np.uint16)


@functools.lru_cache(maxsize=8)
def shaper(icc: bytes) -> Shaper | None:
    """The curves and the matrix of a profile; None for one that is made otherwise, or damaged."""
    try:
        tags = _tags(icc)
        if icc[20:24] != b"XYZ " or b"A2B0" in tags:
            return None
        if icc[16:20] == b"GRAY":
            return Shaper((_curve(tags[b"kTRC"]),), np.ones((3, 3)))
        if icc[16:20] != b"RGB ":
            return None
        columns = [struct.unpack_from(">3i", tags[name + b"XYZ"], 8) for name in (b"r", b"g", b"b")]
        curves = tuple(_curve(tags[name + b"TRC"]) for name in (b"r", b"g", b"b"))
        matrix = np.array(columns, np.float64).T / 65536  # s15Fixed16
        if abs(np.linalg.det(matrix)) < 1e-6 or any((np.diff(curve) < 0).any() for curve in curves):
            return None
    except (KeyError, IndexError, ValueError, struct.error):
        return None
    return Shaper(curves, matrix)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    tags = {}
    for number in range(min(count, 100)):
        name, offset, length = struct.unpack_from(">4sII", icc, 132 + 12 * number)
        tags[name] = icc[offset : offset + length]
    return tags


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        return _parametric(tag)
    if tag[:4] != b"curv":
        raise ValueError("not a curve")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return _LEVELS.astype(np.float32)
    values = np.frombuffer(tag, ">u2", count, offset=12).astype(np.float64)
    if count == 1:
        power: Curve = np.power(_LEVELS, values[0] / 256).astype(np.float32)  # u8Fixed8
        return power
    curve: Curve = np.interp(_LEVELS, np.linspace(0, 1, count), values / 65535).astype(np.float32)
    return curve


def _parametric(tag: bytes) -> Curve:
    """(a x + b)^g + e from d on, c x + f below it; the five kinds set fewer or more of these."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    values = [number / 65536 for number in struct.unpack_from(f">{_PARAMETERS[kind]}i", tag, 12)]
    values += [0.0] * (7 - len(values))
    g, a, b, c, d, e, f = values
    if kind == 0:
        a, d = 1.0, 0.0
    elif kind in (1, 2):  # power from -b/a on, below it a constant
        c, d, e, f = 0.0, -b / a if a else 0.0, c, c
    base = np.maximum(a * _LEVELS + b, 0)
    return np.clip(np.where(d <= _LEVELS, base**g + e, c * _LEVELS + f), 0, 1).astype(np.float32)
