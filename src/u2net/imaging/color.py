"""Colors by name and number."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from u2net.errors import BadInput
from u2net.imaging.icc import convert_profile
from u2net.imaging.samples import to_depth

Color = tuple[int, int, int, int]
"""sRGB red, green, blue and opacity, each 0 to 255."""


def parse_color(color: str | Sequence[int]) -> Color:
    """Read `#rgb`, `#rrggbb`, `#rrggbbaa`, a CSS name, `transparent`, or three or four numbers from 0 to 255.

    Raises BadInput for anything else.
    """
    if color == "transparent":
        return 0, 0, 0, 0
    if isinstance(color, str):
        try:
            numbers: tuple[int, ...] = ImageColor.getrgb(color)
        except ValueError as error:
            raise BadInput(
                f"no colour '{color}'; give #rgb, #rrggbb, #rrggbbaa or a CSS name such as 'white'"
            ) from error
    else:
        try:
            numbers = tuple(operator.index(value) for value in color)
        except TypeError:
            numbers = ()
        if len(numbers) not in (3, 4) or not all(0 <= value <= 255 for value in numbers):
            raise BadInput(f"a colour is three or four whole numbers from 0 to 255, not {color!r}")
    red, green, blue = numbers[:3]
    return red, green, blue, numbers[3] if len(numbers) == 4 else 255


def color_in(color: Color, icc: bytes | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    """(4,) red, green, blue and opacity of a color in the profile `icc` (None: sRGB), as numbers of `dtype`.

    A profile that cannot be converted to (see `can_be_target`) is an error of the caller.
    """
    patch = convert_profile(np.array([[color[:3]]], np.uint8), source_icc=None, target_icc=icc)
    return to_depth(np.append(patch[0, 0], np.uint8(color[3])), dtype)
