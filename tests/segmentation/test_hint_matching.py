"""Which parts of a map a point or a box means."""

from __future__ import annotations

import numpy as np

from support.color_network import disc
from u2net import Hint
from u2net.imaging.regions import label_parts
from u2net.segmentation.hint_matching import hints_by_part, part_beside, parts_of, soft_region_at

SIZE = (100, 200)
"""Of the picture; its map has half of that on each side."""
MAP = np.maximum(disc((50, 100), (20, 25), 10), disc((50, 100), (70, 25), 10))
LABELS = label_parts(MAP)
LEFT, RIGHT = int(LABELS[25, 20]), int(LABELS[25, 70])


def test_point_means_the_part_that_it_lies_on() -> None:
    assert parts_of(Hint(point=(40, 50)), LABELS, SIZE) == [LEFT]
    assert parts_of(Hint(point=(90, 50)), LABELS, SIZE) == []


def test_box_means_the_parts_that_lie_in_it() -> None:
    assert parts_of(Hint(box=(100, 0, 300, 300)), LABELS, SIZE) == [RIGHT]
    assert parts_of(Hint(box=(25, 0, 200, 100)), LABELS, SIZE) == sorted([LEFT, RIGHT])  # an eighth lies outside
    assert parts_of(Hint(box=(40, 0, 200, 100)), LABELS, SIZE) == [RIGHT]  # half lies outside


def test_several_hints_may_mean_one_part() -> None:
    point, box, other = Hint(point=(40, 50)), Hint(box=(0, 0, 80, 100)), Hint(point=(140, 50))
    assert hints_by_part([point, box, other], LABELS, SIZE) == {LEFT: [point, box], RIGHT: [other]}


def test_point_beside_a_part_means_it_if_it_is_near_or_tied_to_it() -> None:
    assert part_beside((62, 50), MAP, LABELS, SIZE) == [LEFT]
    assert part_beside((90, 50), MAP, LABELS, SIZE) == []
    tied = MAP.copy()
    tied[25, 20:45] = np.maximum(tied[25, 20:45], 0.2)
    assert part_beside((86, 50), tied, LABELS, SIZE) == [LEFT]
    assert part_beside((5, 5), 0 * MAP, np.zeros_like(LABELS), SIZE) == []


def test_soft_region_is_one_without_a_part() -> None:
    haze = MAP.copy()
    haze[40:45, 40:50] = 0.3
    expected = np.zeros(MAP.shape, bool)
    expected[40:45, 40:50] = True
    np.testing.assert_array_equal(soft_region_at((90, 84), haze, SIZE), expected)
    assert not soft_region_at((40, 50), haze, SIZE).any()
    assert not soft_region_at((0, 0), haze, SIZE).any()
