"""ICC profiles: what they are for, and colors converted from one to another.

Pillow's color management is 8-bit, so profiles that are a curve for each channel and a matrix are computed here, in 16.

Source: ICC.1:2022, sections 7.3 (tag table), 8.3 and 8.4 (what a grey and a three-component profile hold), 10.6
(curveType), 10.18 (parametricCurveType), 10.31 (XYZType).
"""

from __future__ import annotations

import functools
import io
import struct
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from u2net.imaging.samples import rgb_of, to_depth
from u2net.types import Pixels


@functools.lru_cache(maxsize=4)
def profile_space(icc: bytes) -> str | None:
    """The color space an ICC profile is for: `RGB`, `GRAY`, `CMYK`, `Lab`; None where it says nothing of colors.

    What is given for `RGB` can be converted to sRGB.
    """
    if not icc:
        return None
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):
        return None
    return None if space == "RGB" and srgb_transform(icc, "RGB") is None else space


@functools.lru_cache(maxsize=4)
def can_be_target(icc: bytes | None) -> bool:
    """Whether colors can be converted to a profile; some of scanners and cameras only know the way from them."""
    try:
        srgb, target = (ImageCms.ImageCmsProfile(io.BytesIO(profile)) for profile in (_srgb_profile(), icc or b""))
        ImageCms.buildTransform(srgb, target, "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    except (OSError, ImageCms.PyCMSError):
        return icc is None
    return True


def srgb_transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Pillow's transform from a profile for pixels of `mode` (L, RGB, CMYK, LAB) to sRGB, mode RGB.

    None for a profile that only looks whole.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        return ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (OSError, ImageCms.PyCMSError):
        return None


def grey_table(icc: bytes) -> NDArray[np.uint16] | None:
    """(65536,) uint16: the grey of sRGB for each 16-bit grey of a profile; None for one that says nothing of grey.

    By the profile's curve, where it is no more than that: Pillow's own conversion takes short cuts that miss dark tones
    of a linear profile by more than 2 ΔE.
    """
    source, target = parse_matrix_profile(icc), parse_matrix_profile(_srgb_profile())
    if source is not None and target is not None and len(source.curves) == 1:
        return target.from_linear(source.curves[0])
    transform = srgb_transform(icc, "L")
    if transform is None:
        return None
    ramp = ImageCms.applyTransform(Image.fromarray(np.arange(256, dtype=np.uint8)[None]), transform)
    levels = np.asarray(ramp)[0, :, 1].astype(np.float64) * 257
    table: NDArray[np.uint16] = np.rint(np.interp(np.arange(65536), np.arange(256) * 257, levels)).astype(np.uint16)
    return table


@functools.lru_cache(maxsize=4)
def luminance_tables(icc: bytes | None, bits: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """What gives the grey that is as bright as a color: of the same luminance, which is a sum of linear light.

    bits: 8 or 16. Returns (1, 2**bits, 3) float32, what each value of red, green and blue adds to the luminance, which
    is 1 for white; and (65536,) of the whole numbers of `bits`, the grey of a luminance whose square root is that part
    of 65535. The root keeps dark tones apart. A profile that is no curves and a matrix counts as sRGB.
    """
    known = parse_matrix_profile(icc) if icc else None
    if known is None or len(known.curves) != 3:
        known = parse_matrix_profile(_srgb_profile())
    assert known is not None
    shares = known.to_xyz[1] / known.to_xyz[1].sum()
    step = 257 if bits == 8 else 1
    light = np.stack([curve[::step] * share for curve, share in zip(known.curves, shares, strict=True)], axis=-1)
    greys = known.from_linear(np.square(np.arange(65536, dtype=np.float32) / 65535))
    return light[None].astype(np.float32), to_depth(greys, np.dtype(f"uint{bits}"))


def convert_profile(pixels: Pixels, *, source_icc: bytes | None, target_icc: bytes | None) -> Pixels:
    """Convert (H, W, 3) RGB between two RGB profiles; None stands for sRGB.

    Relative colorimetric; colors outside of the target are clipped. Equal profiles change nothing. uint16 stays
    uint16 where both profiles are curves and a matrix, as nearly all of RGB are; otherwise the result is uint8, which
    is what Pillow's color management knows.
    """
    if source_icc == target_icc:
        return pixels
    if pixels.dtype == np.uint16:
        converted = _convert_sixteen_bit(pixels, source_icc or _srgb_profile(), target_icc or _srgb_profile())
        if converted is not None:
            return converted
    source, target = (ImageCms.ImageCmsProfile(io.BytesIO(icc or _srgb_profile())) for icc in (source_icc, target_icc))
    image = ImageCms.profileToProfile(
        Image.fromarray(to_depth(pixels, np.dtype(np.uint8))),
        source,
        target,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    return np.asarray(image)


def _convert_sixteen_bit(pixels: Pixels, source_icc: bytes, target_icc: bytes) -> Pixels | None:
    source, target = parse_matrix_profile(source_icc), parse_matrix_profile(target_icc)
    if source is None or target is None or len(source.curves) != 3 or len(target.curves) != 3:
        return None
    to_target = (np.linalg.inv(target.to_xyz) @ source.to_xyz).astype(np.float32)
    result = np.empty_like(pixels)
    for top in range(0, pixels.shape[0], 64):  # a band at a time: the floats take eight times the pixels' room
        band = pixels[top : top + 64]
        linear = np.stack([curve[band[..., channel]] for channel, curve in enumerate(source.curves)], axis=-1)
        result[top : top + 64] = target.from_linear(linear @ to_target.T)
    return result


@functools.cache
def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_srgb(pixels: NDArray[Any], icc: bytes | None) -> NDArray[Any]:
    """(H, W, 3) or (H, W, 4) converted from its profile to sRGB, in its own depth."""
    if icc is None:
        return pixels
    colors = convert_profile(pixels if pixels.shape[2] == 3 else rgb_of(pixels), source_icc=icc, target_icc=None)
    colors = to_depth(colors, pixels.dtype)
    if pixels.shape[2] == 3:
        return colors
    straight: NDArray[Any] = cv2.merge([*cv2.split(colors), pixels[..., 3]])
    straight[pixels[..., 3] == 0] = 0
    return straight


Curve: TypeAlias = NDArray[np.float32]
"""(65536,) float32: the linear light, 0 to 1, of each 16-bit value."""

_LEVELS = np.arange(65536) / 65535
_PARAMETERS = (1, 3, 4, 5, 7)


@dataclass(frozen=True, eq=False)
class MatrixProfile:
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
def parse_matrix_profile(icc: bytes) -> MatrixProfile | None:
    """The curves and the matrix of a profile; None for one that is made otherwise, or damaged."""
    try:
        tags = _tags(icc)
        if icc[20:24] != b"XYZ " or b"A2B0" in tags:
            return None
        if icc[16:20] == b"GRAY":
            return MatrixProfile((_curve(tags[b"kTRC"]),), np.ones((3, 3)))
        if icc[16:20] != b"RGB ":
            return None
        columns = [struct.unpack_from(">3i", tags[name + b"XYZ"], 8) for name in (b"r", b"g", b"b")]
        curves = tuple(_curve(tags[name + b"TRC"]) for name in (b"r", b"g", b"b"))
        matrix = np.array(columns, np.float64).T / 65536  # s15Fixed16
        if abs(np.linalg.det(matrix)) < 1e-6 or any((np.diff(curve) < 0).any() for curve in curves):
            return None
    except (KeyError, IndexError, ValueError, struct.error):
        return None
    return MatrixProfile(curves, matrix)


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
