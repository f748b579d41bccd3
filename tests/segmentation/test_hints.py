"""Hints that cannot be are refused, each in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import u2net
from support.color_network import color_session, painted
from u2net import Hint
from u2net.errors import BadInput

PICTURE = painted(np.zeros((160, 200), np.float32))


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ([Hint(point=(200, 20))], "the hint 200,20 lies outside the picture, which is 200 x 160 pixels"),
        ([Hint(point=(-1, 20))], "the hint -1,20 lies outside"),
        ([Hint(box=(200, 0, 210, 9), positive=False)], "the hint-box-not 200,0,210,9 lies outside"),
        ([Hint(point=(5, 5)), Hint(point=(5, 5), positive=False)], "hint 5,5 and the hint-not 5,5 contradict"),
        ([Hint(point=(5, 5)), Hint(box=(0, 0, 6, 6), positive=False)], "contradict each other; leave one of them out"),
    ],
)
def test_hints_that_cannot_be_are_refused_before_the_network_runs(hints: Sequence[Hint], message: str) -> None:
    session, seen = color_session()
    with pytest.raises(BadInput, match=message):
        u2net.remove(PICTURE, session, hints=hints)
    assert seen.runs == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a point or a box"),
        ({"point": (1, 2), "box": (1, 2, 3, 4)}, "a point or a box"),
        ({"point": (1, 2, 3)}, "a hint's point has 2 whole numbers"),
        ({"point": (1.5, 2)}, "a hint's point has 2 whole numbers"),
        ({"box": (1, 2)}, "a hint's box has 4 whole numbers"),
        ({"box": (5, 2, 5, 9)}, "the hint-box 5,2,5,9 is empty"),
        ({"box": (9, 2, 5, 9)}, "left, top, right, bottom"),
    ],
)
def test_hint_that_is_none_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Hint(**fields)


@pytest.mark.parametrize("hints", [Hint(point=(5, 5)), [(5, 5)], ["5,5"]])
def test_what_is_no_list_of_hints_is_refused(hints: Any) -> None:
    with pytest.raises(BadInput, match="hints are a list of"):
        u2net.remove(PICTURE, color_session()[0], hints=hints)
