"""What a user points at stays, and what a user does not want goes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import u2net
from support.color_network import color_session, disc, painted
from support.paths import EXAMPLES
from u2net import Hint
from u2net.inference.session import Session
from u2net.types import Picture

SIZE = (160, 200)
LEFT, RIGHT = disc(SIZE, (50, 80), 30), disc(SIZE, (150, 60), 24)
TWO = painted(np.maximum(LEFT, RIGHT))
DIM = painted(np.maximum(LEFT, 0.4 * disc(SIZE, (160, 110), 12)))
"""The disc at the right the network sees only where nothing brighter is beside it."""


def of_its_brightest(red: NDArray[np.float32]) -> NDArray[np.float32]:
    return red / max(float(red.max()), 0.05) if red.max() > 0.05 else red


def cut(picture: Picture, *hints: Hint, **options: Any) -> u2net.Cutout:
    return u2net.remove(picture, color_session(believe=of_its_brightest)[0], hints=hints, edges="none", **options)


def difference(cutout: u2net.Cutout, wanted: NDArray[np.float32]) -> float:
    return float(np.abs(cutout.alpha - wanted).mean())


@pytest.mark.parametrize(
    ("hints", "wanted"),
    [
        ([Hint(point=(50, 80))], LEFT),
        ([Hint(point=(150, 60))], RIGHT),
        ([Hint(point=(150, 60)), Hint(point=(40, 70))], np.maximum(LEFT, RIGHT)),
        ([Hint(box=(120, 30, 180, 90))], RIGHT),
        ([Hint(box=(100, 0, 900, 900))], RIGHT),
        ([Hint(box=(0, 0, 200, 160))], np.maximum(LEFT, RIGHT)),
        ([Hint(point=(50, 80), positive=False)], RIGHT),
        ([Hint(box=(10, 40, 90, 120), positive=False)], RIGHT),
        ([Hint(box=(0, 0, 200, 160)), Hint(point=(150, 60), positive=False)], LEFT),
        ([Hint(point=(199, 159), positive=False)], np.maximum(LEFT, RIGHT)),
        ([Hint(point=(50, 111))], LEFT),  # beside it by a pixel
    ],
)
def test_hints_choose_among_what_was_found(hints: Sequence[Hint], wanted: NDArray[np.float32]) -> None:
    cutout = cut(TWO, *hints)
    assert cutout.found
    assert difference(cutout, wanted) < 0.005
    assert not cutout.alpha[wanted == 0].max() > 0.3  # an edge may be a cell wider, and that is all


def test_chosen_part_is_seen_closer() -> None:
    session, seen = color_session(believe=of_its_brightest)
    whole = u2net.remove(TWO, session, edges="none", hints=[Hint(point=(50, 80), positive=False)])
    assert seen.runs == 1
    closer = u2net.remove(TWO, session, edges="none", hints=[Hint(point=(150, 60))])
    assert seen.runs == 3
    assert difference(closer, RIGHT) < 0.6 * difference(whole, RIGHT)


def test_subject_that_the_whole_picture_missed_is_found_at_a_point() -> None:
    small = disc(SIZE, (160, 110), 12)
    assert difference(cut(DIM), LEFT + 0.4 * small) < 0.01
    assert difference(cut(DIM, Hint(point=(160, 112))), small) < 0.002


def test_subject_that_the_whole_picture_missed_is_found_in_a_box() -> None:
    small = disc(SIZE, (160, 110), 12)
    assert difference(cut(DIM, Hint(box=(140, 90, 180, 130))), small) < 0.002


def test_point_on_soft_saliency_means_the_part_that_it_hangs_on() -> None:
    with_tail = LEFT.copy()
    with_tail[75:85, 70:120] = np.maximum(with_tail[75:85, 70:120], 0.3)
    cutout = cut(painted(np.maximum(with_tail, RIGHT)), Hint(point=(100, 80)))
    assert difference(cutout, with_tail) < 0.01


def test_nothing_outside_a_box_is_kept_where_it_had_to_be_looked_for() -> None:
    half = cut(DIM, Hint(box=(140, 90, 160, 130))).alpha
    assert half[110, 150] > 0.95
    assert half[:, 162:].max() == 0


def test_nothing_at_any_hint_is_no_object() -> None:
    cutout = cut(TWO, Hint(point=(100, 150)), Hint(box=(90, 100, 130, 150)))
    assert (cutout.found, cutout.confidence, cutout.box) == (False, 0, None)
    assert not cutout.pixels.any()


def test_nothing_at_one_of_several_hints_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "u2net"):
        assert difference(cut(TWO, Hint(point=(50, 80)), Hint(box=(90, 100, 130, 150))), LEFT) < 0.005
    assert caplog.messages == ["nothing found at the hint-box 90,100,130,150"]


def test_everything_taken_away_is_no_object() -> None:
    cutout = cut(TWO, Hint(point=(50, 80), positive=False), Hint(box=(120, 30, 180, 90), positive=False))
    assert not cutout.found
    assert not cutout.pixels.any()


def test_touching_objects_are_split_where_the_map_is_weak() -> None:
    touching = np.maximum(disc(SIZE, (60, 80), 40), disc(SIZE, (130, 80), 34))
    assert (touching[80, 60:130] > 0.5).all()
    cutout = cut(painted(touching), Hint(point=(50, 80)), Hint(point=(140, 80), positive=False))
    assert difference(cutout, np.where(np.arange(SIZE[1]) < 98, touching, 0)) < 0.01
    assert cutout.alpha[80, 120] == 0
    assert cutout.alpha[80, 80] == 1


def test_touching_objects_are_split_where_colors_change() -> None:
    bar = np.zeros(SIZE, np.float32)
    bar[60:100, 20:180] = 1
    picture = painted(bar)
    picture.pixels[:, 120:, 1] = 255  # red at the left, yellow at the right: the map knows no difference
    for mine, other, side in (((30, 80), (170, 80), slice(0, 120)), ((170, 80), (30, 80), slice(120, 200))):
        cutout = cut(picture, Hint(point=mine), Hint(point=other, positive=False))
        wanted = np.zeros(SIZE, np.float32)
        wanted[:, side] = bar[:, side]
        assert difference(cutout, wanted) < 0.01


def test_closer_look_separates_what_the_whole_picture_joined() -> None:
    size = (400, 400)
    session, _ = color_session(believe=of_its_brightest)
    pair = np.zeros(size, np.float32)
    pair[150:250, 140:260] = 1
    pair[:, 199:202] = 0  # between two samples of the whole picture, which lie 6.25 pixels apart
    assert (u2net.saliency(painted(pair), session)[200, 150:250] > 0.5).all()
    hints = [Hint(point=(170, 200)), Hint(point=(230, 200), positive=False)]
    alpha = u2net.remove(painted(pair), session, edges="none", hints=hints).alpha
    assert (alpha[160:240, 145:194] == 1).all()
    assert not alpha[:, 204:].any()


def test_box_that_is_positive_and_a_point_that_is_not_split_a_part() -> None:
    touching = np.maximum(disc(SIZE, (60, 80), 40), disc(SIZE, (130, 80), 34))
    cutout = cut(painted(touching), Hint(box=(10, 20, 180, 140)), Hint(point=(150, 80), positive=False))
    assert cutout.alpha[80, 50] == 1
    assert cutout.alpha[80, 140] == 0


def test_negative_box_cuts_what_it_covers_of_a_part() -> None:
    alpha = cut(TWO, Hint(box=(0, 80, 200, 160), positive=False)).alpha
    assert not alpha[84:].any()
    assert alpha[70, 50] == 1


def test_hints_and_parts_and_detail_go_together() -> None:
    cutout = cut(TWO, Hint(box=(0, 0, 200, 160)), detail=True, keep="largest", fill_holes=True, min_area=1)
    assert difference(cutout, LEFT) < 0.003


def test_point_beside_a_part_and_one_that_is_not_wanted_split_it() -> None:
    touching = np.maximum(disc(SIZE, (60, 80), 40), disc(SIZE, (130, 80), 34))
    cutout = cut(painted(touching), Hint(point=(19, 80)), Hint(point=(140, 80), positive=False))
    assert cutout.alpha[80, 50] == 1
    assert cutout.alpha[80, 140] == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 50), (50, 1)])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_tiny_pictures_take_every_wish(size: tuple[int, int], level: float) -> None:
    picture = painted(np.full(size, level, np.float32))
    everything: dict[str, Any] = {"detail": True, "keep": "largest", "fill_holes": True, "min_area": 1}
    for hint in (Hint(point=(0, 0)), Hint(box=(0, 0, *size[::-1])), Hint(box=(0, 0, 1, 1), positive=False)):
        assert cut(picture, hint, **everything).size == size


def test_published_network_finds_the_shuttle_behind_the_astronaut(small: Session) -> None:
    picture = EXAMPLES / "astronaut.jpg"
    face, suit, tank = (120, 230), (400, 240), (60, 415)  # row, column
    plain = u2net.remove(picture, small, edges="none").alpha
    assert min(plain[face], plain[suit]) > 0.9
    assert plain[tank] < 0.1
    shuttle = u2net.remove(picture, small, edges="none", hints=[Hint(box=(330, 0, 512, 330))])
    assert shuttle.alpha[tank] > 0.7
    assert max(shuttle.alpha[face], shuttle.alpha[suit]) == 0
    assert shuttle.box is not None
    np.testing.assert_allclose(shuttle.box, (354, 0, 456, 265), atol=30)


def test_published_network_and_two_points_part_a_head_from_its_suit(small: Session) -> None:
    hints = [Hint(point=(230, 120)), Hint(point=(240, 400), positive=False)]
    head = u2net.remove(EXAMPLES / "astronaut.jpg", small, edges="none", hints=hints).alpha
    assert head[120, 230] > 0.9
    assert head[300:, :].max() == 0
