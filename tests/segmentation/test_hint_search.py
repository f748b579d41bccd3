"""Where the whole picture's map has nothing, boxes around the hint are looked at."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from support.color_network import color_session, disc, painted
from u2net.inference.predict import Look, predict_box
from u2net.segmentation.hint_search import fills, search_at_point, search_in_box
from u2net.segmentation.merge_views import View
from u2net.types import Picture

SIZE = (160, 200)
PICTURE = painted(0.8 * disc(SIZE, (150, 60), 24))


def look_at(picture: Picture) -> Look:
    return functools.partial(predict_box, color_session()[0], picture)


def test_window_grows_until_it_holds_the_object() -> None:
    found = search_at_point((150, 60), SIZE, look_at(PICTURE))
    assert found is not None
    left, top, right, bottom = found.box
    assert left <= 126
    assert top <= 36
    assert right >= 174
    assert bottom >= 84
    assert found.confidence == pytest.approx(0.8, abs=0.01)
    assert search_at_point((30, 120), SIZE, look_at(PICTURE)) is None


def test_what_lies_in_a_box_is_cut_off_at_the_box() -> None:
    found = search_in_box((120, 30, 150, 90), SIZE, look_at(PICTURE))
    assert found is not None
    left, _, right, _ = found.box
    beyond = round((150 - left) / (right - left) * found.values.shape[1])
    assert found.values[:, : beyond - 1].max() > 0.9
    assert found.values[:, beyond + 1 :].max() == 0
    assert search_in_box((10, 100, 60, 150), SIZE, look_at(PICTURE)) is None


def test_view_fills_a_box_by_intersection_over_union() -> None:
    values = np.zeros((50, 50), np.float32)
    values[10:30, 10:30] = 1  # 20 to 60 in a box of 100 pixels that begins at 100, 0
    assert fills(View((100, 0, 200, 100), values), (120, 20, 160, 60)) == 1
    assert fills(View((100, 0, 200, 100), values), (120, 20, 160, 100)) == 0.5
    assert fills(View((100, 0, 200, 100), 0 * values), (120, 20, 160, 60)) == 0
