"""Colour names and colour profiles."""

from __future__ import annotations

import functools
import io
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageColor

from u2net.errors import BadInput
from u2net.shaper import shaper
from u2net.types import Pixels

Colour = tuple[int, int, int, int]
"""sRGB red, green, blue and opacity, each 0 to 255."""


def parse_colour(colour: str | Sequence[int]) -> Colour:
    """Read `#rgb`, `#rrggbb`, `#rrggbbaa`, a CSS name, `transparent`, or three or four numbers from 0 to 255.

    Raises BadInput for anything else.
    """
    if colour == "transparent":
        return 0, 0, 0, 0
    if isinstance(colour, str):
        try:
            numbers: tuple[int, ...] = ImageColor.getrgb(colour)
        except ValueError as error:
            raise BadInput(
                f"no colour '{colour}'; give #rgb, #rrggbb, #rrggbbaa or a CSS name such as 'white'"
            ) from error
    else:
        try:
            numbers = tuple(operator.index(value) for value in colour)
        except TypeError:
            numbers = ()
        if len(numbers) not in (3, 4) or not all(0 <= value <= 255 for value in numbers):
            raise BadInput(f"a colour is three or four whole numbers from 0 to 255, not {colour!r}")
    red, green, blue = numbers[:3]
    return red, green, blue, numbers[3] if len(numbers) == 4 else 255


def colour_in(colour: Colour, icc: bytes | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    """(4,) red, green, blue and opacity of a colour in the profile `icc` (None: sRGB), as numbers of `dtype`.

    A profile that cannot be converted to (see `can_be_target`) is an error of the caller.
    """
    patch = convert_profile(np.array([[colour[:3]]], np.uint8), source_icc=None, target_icc=icc)
    return to_depth(np.append(patch[0, 0], np.uint8(colour[3])), dtype)


@functools.lru_cache(maxsize=4)
def profile_space(icc: bytes) -> str | None:
    """The colour space an ICC profile is for: `RGB`, `GRAY`, `CMYK`, `Lab`; None where it says nothing of colours.

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
    """Whether colours can be converted to a profile; some of scanners and cameras only know the way from them."""
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
    source, target = shaper(icc), shaper(_srgb_profile())
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
    """What gives the grey that is as bright as a colour: of the same luminance, which is a sum of linear light.

    bits: 8 or 16. Returns (1, 2**bits, 3) float32, what each value of red, green and blue adds to the luminance, which
    is 1 for white; and (65536,) of the whole numbers of `bits`, the grey of a luminance whose square root is that part
    of 65535. The root keeps dark tones apart. A profile that is no curves and a matrix counts as sRGB.
    """
    known = shaper(icc) if icc else None
    if known is None or len(known.curves) != 3:
        known = shaper(_srgb_profile())
    assert known is not None
    shares = known.to_xyz[1] / known.to_xyz[1].sum()
    step = 257 if bits == 8 else 1
    light = np.stack([curve[::step] * share for curve, share in zip(known.curves, shares, strict=True)], axis=-1)
    greys = known.from_linear(np.square(np.arange(65536, dtype=np.float32) / 65535))
    return light[None].astype(np.float32), to_depth(greys, np.dtype(f"uint{bits}"))


def convert_profile(pixels: Pixels, *, source_icc: bytes | None, target_icc: bytes | None) -> Pixels:
    """Convert (H, W, 3) RGB between two RGB profiles; None stands for sRGB.

    Relative colorimetric; colours outside of the target are clipped. Equal profiles change nothing. uint16 stays
    uint16 where both profiles are curves and a matrix, as nearly all of RGB are; otherwise the result is uint8, which
    is what Pillow's colour management knows.
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
    source, target = shaper(source_icc), shaper(target_icc)
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


def to_depth(values: Pixels, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> Pixels:
    """Scale whole-number samples between 8 and 16 bits (255 becomes 65535 and back, rounded)."""
    if values.dtype == dtype:
        return values
    if dtype == np.uint8:
        # round(v / 257) without leaving 32 bits: 65535 = 255 * 257
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return values.astype(np.uint16) * np.uint16(257)


def to_eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    """Scale (H, W), (H, W, 3) or (H, W, 4) samples to uint8; what becomes fully transparent gets the colour 0."""
    scaled: NDArray[np.uint8] = np.asarray(to_depth(pixels, np.dtype(np.uint8)), np.uint8)
    if pixels.dtype != np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 4:
        scaled[scaled[..., 3] == 0] = 0
    return scaled
