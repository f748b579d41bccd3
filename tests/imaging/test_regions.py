"""Parts of a map: which stay, what goes with them, and holes that are filled."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from support.color_network import disc
from u2net.errors import BadInput
from u2net.imaging.regions import fill_holes, keep_parts, label_parts

SIZE = (120, 160)
LARGE = disc(SIZE, (45, 60), 30)
SMALL = disc(SIZE, (120, 40), 15)
TINY = disc(SIZE, (130, 95), 5)
SOFT = 0.4 * disc(SIZE, (95, 100), 12, soft_px=8)
ALL = np.maximum.reduce([LARGE, SMALL, TINY, SOFT])
RING = np.minimum(disc(SIZE, (80, 60), 50), 1 - disc(SIZE, (80, 60), 30))


def test_parts_are_numbered_where_the_map_is_above_a_half() -> None:
    labels = label_parts(ALL)
    assert labels.max() == 3
    np.testing.assert_array_equal(labels > 0, ALL > 0.5)
    assert len({labels[60, 45], labels[40, 120], labels[95, 130]}) == 3


def test_pixels_that_touch_by_a_corner_are_one_part() -> None:
    assert label_parts(np.eye(5, dtype=np.float32)).max() == 1


@pytest.mark.parametrize(
    ("keep", "rest"), [("largest", LARGE), (1, LARGE), (2, np.maximum(LARGE, SMALL)), (9, ALL - SOFT)]
)
def test_kept_parts_are_unchanged_and_nothing_is_left_of_the_others(keep: Any, rest: Any) -> None:
    np.testing.assert_array_equal(keep_parts(ALL, keep), rest)


def test_all_keeps_every_pixel_of_the_map() -> None:
    assert keep_parts(ALL) is ALL


@pytest.mark.parametrize(("percent", "rest"), [(0.1, ALL - SOFT), (1, np.maximum(LARGE, SMALL)), (10, LARGE), (50, 0)])
def test_parts_below_so_many_percent_go(percent: float, rest: Any) -> None:
    shares = [100 * (part > 0.5).mean() for part in (TINY, SMALL, LARGE)]
    assert 0.1 < shares[0] < 1 < shares[1] < 10 < shares[2] < 50
    np.testing.assert_array_equal(keep_parts(ALL, min_area=percent), np.broadcast_to(rest, SIZE))


def test_softness_between_two_parts_is_shared_without_a_cut() -> None:
    left, right = disc(SIZE, (40, 60), 25), disc(SIZE, (120, 60), 24)
    bridge = np.zeros(SIZE, np.float32)
    bridge[55:66, 40:121] = 0.4
    kept = keep_parts(np.maximum.reduce([left, right, bridge]), "largest")
    np.testing.assert_array_equal(kept[left > 0.5], left[left > 0.5])
    assert not kept[:, 100:].any()
    along = kept[60, 66:96]  # from one disc's edge to the other's
    assert along[0] == np.float32(0.4)
    assert along[-1] == 0
    assert np.abs(np.diff(along)).max() < 0.06


def test_faint_traces_around_a_dropped_part_go_with_it() -> None:
    halo = 0.04 * disc(SIZE, (120, 40), 25, soft_px=1)
    kept = keep_parts(np.maximum(ALL, halo), "largest")
    assert not kept[15:66, 95:146].any()


def test_ring_is_filled_to_one_without_a_soft_ring_inside() -> None:
    np.testing.assert_array_equal(fill_holes(RING), disc(SIZE, (80, 60), 50))


def test_ring_with_a_weak_place_is_filled_up_to_its_crest() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    strength = 0.8 + 0.2 * np.cos(np.arctan2(y - 60, x - 80))
    ring = (RING * strength).astype(np.float32)
    filled = fill_holes(ring)
    assert (filled[disc(SIZE, (80, 60), 31) > 0.5] == 1).all()
    outside = disc(SIZE, (80, 60), 42) < 0.5
    np.testing.assert_array_equal(filled[outside], ring[outside])
    # From the middle outwards it only falls, but for the crest itself, which is stronger on one side.
    assert (np.diff(filled[60, 80:]) <= 1e-3).all()
    assert (np.diff(filled[60, :81]) >= -1e-3).all()


def test_half_transparent_dent_is_filled_too() -> None:
    dent = disc(SIZE, (80, 60), 50) - 0.4 * disc(SIZE, (80, 60), 10)
    np.testing.assert_array_equal(fill_holes(dent.astype(np.float32)), disc(SIZE, (80, 60), 50))


@pytest.mark.parametrize(
    "open_map",
    [
        np.where(np.arange(SIZE[1]) < 80, 0, RING).astype(np.float32),  # half a ring
        RING[:, 80:],  # its other half; the border is no rim
        RING * np.float32(0.45),  # a rim that is more background than object
        ALL,
    ],
)
def test_what_is_not_closed_in_stays_as_it_is(open_map: Any) -> None:
    np.testing.assert_array_equal(fill_holes(open_map), open_map)


def test_noise_on_a_body_is_no_hole() -> None:
    noise = np.random.default_rng(0).uniform(-0.04, 0.04, SIZE)
    body = (0.9 + noise).astype(np.float32) * disc(SIZE, (80, 60), 50)
    np.testing.assert_array_equal(fill_holes(body), body)


def test_filling_agrees_with_reconstruction_by_single_steps() -> None:
    """The oracle is the definition: from above, lowered step by step as far as the map allows, the border first."""
    generator = np.random.default_rng(1)
    coarse = generator.random((9, 12), np.float32) ** np.float32(0.4)
    values = np.clip(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC), 0, 1)
    level = np.ones_like(values)
    level[[0, -1]], level[:, [0, -1]] = values[[0, -1]], values[:, [0, -1]]
    while True:
        lowered = np.maximum(cv2.erode(level, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))), values)
        lowered[[0, -1]], lowered[:, [0, -1]] = values[[0, -1]], values[:, [0, -1]]
        if (lowered == level).all():
            break
        level = lowered
    filled = fill_holes(values)
    deep = (level > 0.55) & (level - values > 0.15)  # a step of the levels, .05, beyond what counts as a hole
    assert deep.sum() > 100
    assert (filled[deep] == 1).all()
    assert (filled >= values).all()
    open_to_the_border = level <= values
    assert (filled[open_to_the_border & (values <= 0.5)] == values[open_to_the_border & (values <= 0.5)]).all()


@pytest.mark.parametrize("keep", ["none", "3", 0, -1, True, 1.5])
def test_other_words_for_keep_are_refused(keep: Any) -> None:
    with pytest.raises(BadInput, match="keep is 'all', 'largest' or a number"):
        keep_parts(ALL, keep)


@pytest.mark.parametrize("percent", [-1, 101, float("nan")])
def test_shares_beyond_a_picture_are_refused(percent: float) -> None:
    with pytest.raises(BadInput, match="in percent, 0 to 100"):
        keep_parts(ALL, min_area=percent)
