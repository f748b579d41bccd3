"""Hints: what a user points at, or does not want."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from u2net.errors import BadInput
from u2net.types import Box, Size


@dataclass(frozen=True)
class Hint:
    """What a user says about the subject: a point on it, or a box around it. Give one of the two.

    point: (x, y). box: (left, top, right, bottom), right and bottom one past the last pixel. Both in pixels of the
    picture as it is seen: upright, (0, 0) at the top left.
    positive: False for what is not wanted.
    Raises BadInput for neither or both, for what are no whole numbers, and for an empty box.

    >>> shuttle = u2net.Hint(point=(420, 60))
    >>> u2net.remove("examples/astronaut.jpg", "u2netp", hints=[shuttle]).size
    (512, 512)
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


def check_hints(hints: Sequence[Hint], size: Size) -> None:
    """Raise BadInput for what are no hints, for hints outside a picture of `size`, and for those that contradict each
    other."""
    if isinstance(hints, Hint) or not all(isinstance(hint, Hint) for hint in hints):
        raise BadInput(f"hints are a list of u2net.Hint, such as [Hint(point=(120, 80))], not {hints!r}")
    height, width = size
    for hint in hints:
        left, top, right, bottom = _box(hint)
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            raise BadInput(f"the {hint} lies outside the picture, which is {width} x {height} pixels (x,y from 0,0)")
    for wanted in (hint for hint in hints if hint.positive):
        for unwanted in (hint for hint in hints if not hint.positive):
            inner, outer = _box(wanted), _box(unwanted)
            if inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]:
                raise BadInput(f"the {wanted} and the {unwanted} contradict each other; leave one of them out")


def box_in(hint: Hint, size: Size) -> Box:
    """The box of a hint, cut off at the border of a picture of `size`; a point's is its pixel."""
    left, top, right, bottom = _box(hint)
    return max(0, left), max(0, top), min(size[1], right), min(size[0], bottom)


def _box(hint: Hint) -> Box:
    if hint.box:
        return hint.box
    assert hint.point
    x, y = hint.point
    return x, y, x + 1, y + 1
