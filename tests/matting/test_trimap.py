"""What matting may change, and what it may not."""

from __future__ import annotations

import numpy as np
import pytest

from u2net.errors import BadInput
from u2net.matting.trimap import to_trimap


def test_sure_sides_and_the_band_between() -> None:
    saliency = np.repeat(np.float32([[0, 0, 0, 0, 0, 0.5, 1, 1, 1, 1, 1]]), 11, axis=0)
    found = to_trimap(saliency, band_px=2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[5], [0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 1])


def test_without_a_band_only_undecided_values_are_unknown() -> None:
    np.testing.assert_array_equal(
        to_trimap(np.float32([[0.01, 0.02, 0.5, 0.98, 0.99]]), band_px=0), np.float32([[0, 0.5, 0.5, 0.5, 1]])
    )


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_map_that_is_one_side_alone_has_no_unknown_pixels(value: float) -> None:
    np.testing.assert_array_equal(to_trimap(np.full((5, 7), np.float32(value))), np.full((5, 7), np.float32(value)))


@pytest.mark.parametrize("wrong", [{"low": 0.6, "high": 0.5}, {"low": -0.1}, {"high": 1.1}, {"band_px": -1}])
def test_thresholds_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="low < high"):
        to_trimap(np.zeros((2, 2), np.float32), **wrong)
