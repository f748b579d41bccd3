"""Boxes are half-open, and mean in COCO's and YOLO's files what those formats say."""

from __future__ import annotations

import numpy as np
import pytest

from u2net.compose.cutout import Cutout, cutout
from u2net.datasets.annotations import Annotation, Detection, draw_boxes, find_boxes, to_coco, to_yolo
from u2net.errors import BadInput
from u2net.types import Picture


def of(*boxes: tuple[int, int, int, int]) -> Cutout:
    alpha = np.zeros((100, 200), np.float32)
    for left, top, right, bottom in boxes:
        alpha[top:bottom, left:right] = 0.6
    return cutout(Picture(np.full((100, 200, 3), 50, np.uint8)), alpha)


def test_one_box_around_all_or_one_for_each_part_without_crumbs() -> None:
    found = of((10, 20, 30, 40), (100, 50, 160, 90), (190, 1, 193, 3))
    assert find_boxes(found) == (Detection((10, 1, 193, 90), 400 + 2400 + 6),)
    assert find_boxes(found, parts=True) == (Detection((100, 50, 160, 90), 2400), Detection((10, 20, 30, 40), 400))
    assert find_boxes(of((5, 5, 7, 7)), parts=True) == (Detection((5, 5, 7, 7), 4),)  # small, but all there is
    assert find_boxes(of()) == find_boxes(of(), parts=True) == ()


def test_coco_and_yolo_say_the_same_box_in_their_own_ways() -> None:
    annotation = Annotation("in/cat.jpg", (100, 200), (Detection((10, 20, 30, 40), 400),), 0.93)
    assert to_coco([annotation], label="cat") == {
        "images": [{"id": 1, "file_name": "in/cat.jpg", "width": 200, "height": 100}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "iscrowd": 0,
                "area": 400,
                "bbox": [10, 20, 20, 20],
                "score": 0.93,
                "segmentation": [],
            }
        ],
        "categories": [{"id": 1, "name": "cat", "supercategory": ""}],
    }
    assert to_yolo(annotation) == "0 0.100000 0.300000 0.100000 0.200000\n"
    assert to_yolo(Annotation("x", (100, 200), ())) == ""


def test_lines_are_drawn_around_what_they_enclose() -> None:
    picture = Picture(np.zeros((100, 200, 3), np.uint8))
    drawn = draw_boxes(picture, [(50, 20, 80, 60)], color="white", width_px=2).pixels[..., 0]
    expected = np.zeros((100, 200), np.uint8)
    expected[18:62, 48:82] = 255
    expected[20:60, 50:80] = 0
    np.testing.assert_array_equal(drawn, expected)


def test_lines_of_a_box_that_is_the_picture_lie_inside_it() -> None:
    drawn = draw_boxes(Picture(np.zeros((10, 20, 3), np.uint8)), [(0, 0, 20, 10)], color="white", width_px=1)
    assert drawn.pixels[0, :, 0].all()
    assert drawn.pixels[-1, :, 0].all()
    assert drawn.pixels[:, 0, 0].all()
    assert drawn.pixels[:, -1, 0].all()
    assert not drawn.pixels[1:-1, 1:-1, 0].any()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (0, 0, 21, 5), (-1, 0, 5, 5)])
def test_box_beyond_the_picture_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput, match="does not lie in the picture of 20 x 10"):
        draw_boxes(Picture(np.zeros((10, 20, 3), np.uint8)), [box])
