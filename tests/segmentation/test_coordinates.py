"""Pixels of a picture and cells of its maps, to and fro."""

from __future__ import annotations

import cv2
import numpy as np

from u2net.segmentation.coordinates import MAX_CELLS, box_of, cell_at, cells_of, finest, resample, whole

SIZE = (600, 800)
WHOLE = whole(SIZE)


def test_map_is_as_fine_as_its_parts_and_no_finer_than_the_picture() -> None:
    assert finest((1000, 2000), [((0, 0, 2000, 1000), (320, 320))]) == (320, 320)
    assert finest((1000, 2000), [((0, 0, 2000, 1000), (320, 320)), ((0, 0, 640, 640), (320, 320))]) == (500, 1000)
    assert finest((100, 200), [((0, 0, 100, 50), (320, 320))]) == (100, 200)
    rows, columns = finest((12000, 16000), [((0, 0, 300, 300), (320, 320))])
    assert 0.98 * MAX_CELLS < rows * columns <= 1.02 * MAX_CELLS


def test_cells_and_boxes_agree() -> None:
    rows, columns = cells_of((25, 10, 75, 50), (100, 200), (50, 100))
    assert (rows, columns) == (slice(5, 25), slice(12, 37))
    assert box_of((12, 5, 37, 25), (100, 200), (50, 100)) == (24, 10, 74, 50)
    assert box_of((12, 5, 37, 25), (100, 200), (50, 100), margin=1) == (0, 0, 124, 90)
    assert cell_at((199, 0), (0, 0, 200, 100), (50, 100)) == (0, 99)
    assert cells_of((3, 3, 4, 4), (100, 100), (10, 10)) == (slice(0, 1), slice(0, 1))  # never none


def test_map_of_a_box_lies_where_the_box_is() -> None:
    """The oracle is OpenCV's resize of the whole, of which the box is a part."""
    generator = np.random.default_rng(0)
    values = generator.random((40, 30), np.float32)
    whole = resample(values, WHOLE, SIZE, (120, 160))
    np.testing.assert_allclose(whole, cv2.resize(values, (160, 120), interpolation=cv2.INTER_LINEAR), atol=1e-5)
    part = resample(values[10:30, 15:30], (400, 150, 800, 450), SIZE, (120, 160))
    np.testing.assert_allclose(part[2:-2, 3:], whole[30:90, 80:][2:-2, 3:], atol=1e-5)
