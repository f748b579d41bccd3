"""Colour names and colour profiles."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageCms, ImageColor

from u2net.errors import BadInput
from u2net.types import Pixels

Colour = tuple[int, int, int, int]
"""sRGB red, green, blue and opacity, each 0 to 255."""


def parse_colour(colour: str | Sequence[int]) -> Colour:
    """Read `#rgb`, `#rrggbb`, `#rrggbbaa`, a CSS name, or a sequence of three or four numbers from 0 to 255.

    Raises BadInput for anything else.
    """
    if isinstance(colour, str):
        try:
            numbers: tuple[int, ...] = ImageColor.getrgb(colour)
        except ValueError as error:
            raise BadInput(
                f"no colour '{colour}'; give #rgb, #rrggbb, #rrggbbaa or a CSS name such as 'white'"
            ) from error
    else:
        numbers = tuple(int(value) for value in colour)
        if len(numbers) not in (3, 4) or not all(0 <= value <= 255 for value in numbers):
            raise BadInput(f"a colour is three or four numbers from 0 to 255, not {colour!r}")
    red, green, blue = numbers[:3]
    return red, green, blue, numbers[3] if len(numbers) == 4 else 255


def profile_space(icc: bytes) -> str | None:
    """The colour space an ICC profile is for: `RGB`, `GRAY`, `CMYK`, `Lab`; None where it cannot be read."""
    if not icc:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):
        return None


def image_to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Convert a Pillow image without alpha (L, RGB, CMYK, LAB) from its profile to sRGB; mode RGB."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    converted = ImageCms.profileToProfile(
        image, source, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
    )
    assert converted is not None  # only inPlace=True returns None
    return converted


def convert_profile(pixels: Pixels, *, source_icc: bytes | None, target_icc: bytes | None) -> Pixels:
    """Convert (H, W, 3) RGB between two RGB profiles; None stands for sRGB.

    Equal profiles change nothing; otherwise the result is uint8, which is what Pillow's colour management knows.
    """
    if source_icc == target_icc:
        return pixels
    source, target = (
        ImageCms.ImageCmsProfile(io.BytesIO(icc)) if icc else ImageCms.createProfile("sRGB")
        for icc in (source_icc, target_icc)
    )
    converted = ImageCms.profileToProfile(
        Image.fromarray(to_depth(pixels, np.dtype(np.uint8))),
        source,
        target,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    return np.asarray(converted)


def to_depth(values: Pixels, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> Pixels:
    """Scale whole-number samples between 8 and 16 bits (255 becomes 65535 and back, rounded)."""
    if values.dtype == dtype:
        return values
    if dtype == np.uint8:
        # round(v / 257) without leaving 32 bits: 65535 = 255 * 257
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return values.astype(np.uint16) * np.uint16(257)
