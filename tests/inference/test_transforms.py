"""Into the network and out of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from u2net.errors import BadInput
from u2net.inference.transforms import from_pixels, stretched_map, to_published_map, to_saliency
from u2net.models.registry import MODELS

SPEC = MODELS["u2netp"]
NOISE = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)


def normal(value: float) -> np.ndarray:
    return (value - np.array(SPEC.mean)) / np.array(SPEC.std)


def test_tensor_has_the_networks_shape_and_type() -> None:
    tensor = from_pixels(NOISE, SPEC)
    assert (tensor.shape, tensor.dtype) == ((1, 3, 320, 320), np.float32)


def test_picture_is_divided_by_its_own_maximum() -> None:
    tensor = from_pixels(np.full((400, 400, 3), 100, np.uint8), SPEC)
    np.testing.assert_allclose(tensor[0, :, 160, 160], normal(1.0), atol=1e-5)


def test_full_range_scale_divides_by_the_range_of_the_type() -> None:
    tensor = from_pixels(np.full((400, 400, 3), 13107, np.uint16), replace(SPEC, scale="full-range"))
    np.testing.assert_allclose(tensor[0, :, 160, 160], normal(0.2), atol=1e-5)


def test_black_picture_gives_no_nan() -> None:
    np.testing.assert_allclose(from_pixels(np.zeros((5, 7, 3), np.uint8), SPEC)[0, :, 160, 160], normal(0), atol=1e-6)


def test_sixteen_bits_see_the_same_as_eight() -> None:
    np.testing.assert_allclose(from_pixels(NOISE.astype(np.uint16) * 257, SPEC), from_pixels(NOISE, SPEC), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1), (320, 320), (33, 64)])
def test_any_size_goes_in_and_comes_out(size: tuple[int, int]) -> None:
    assert from_pixels(np.full((*size, 3), 9, np.uint8), SPEC).shape == (1, 3, 320, 320)
    values = np.linspace(0, 1, 320 * 320, dtype=np.float32).reshape(320, 320)
    assert to_saliency(stretched_map(values, size, spec=SPEC), size).shape == size
    assert to_published_map(values, size).shape == size


def test_letterbox_keeps_the_aspect_and_is_undone() -> None:
    spec = replace(SPEC, fit="letterbox", stretch=False)
    tensor = from_pixels(np.full((100, 200, 3), 255, np.uint8), spec)
    np.testing.assert_allclose(tensor[0, :, :79], 0)
    np.testing.assert_allclose(tensor[0, :, 160, 160], normal(1.0), atol=1e-5)
    values = np.zeros((320, 320), np.float32)
    values[80:240] = 0.75
    np.testing.assert_allclose(to_saliency(stretched_map(values, (100, 200), spec=spec), (100, 200)), 0.75)


def test_native_fit_keeps_the_size_and_area_averages() -> None:
    assert from_pixels(NOISE, replace(SPEC, fit="native")).shape == (1, 3, 700, 900)
    flat = from_pixels(NOISE, replace(SPEC, resample="area"))
    assert flat.std() < from_pixels(NOISE, SPEC).std()


def test_map_with_an_object_is_stretched_to_the_full_range() -> None:
    values = np.array([[0.1, 0.6]], np.float32)
    np.testing.assert_allclose(stretched_map(values, (1, 2), spec=SPEC), [[0, 1]])
    np.testing.assert_allclose(stretched_map(values, (1, 2), spec=replace(SPEC, stretch=False)), values)


def test_map_without_an_object_is_not_stretched() -> None:
    values = np.array([[0.1, 0.3]], np.float32)
    np.testing.assert_allclose(stretched_map(values, (1, 2), spec=SPEC), values)


def test_published_map_is_truncated_before_it_is_enlarged() -> None:
    values = np.array([[0, 0.9999], [0.5, 1]], np.float32)
    by_hand = Image.fromarray(np.array([[0, 254], [127, 255]], np.uint8)).resize((8, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(to_published_map(values, (6, 8)), np.asarray(by_hand))


def test_map_of_nan_is_refused() -> None:
    with pytest.raises(BadInput, match="NaN"):
        stretched_map(np.full((4, 4), np.nan, np.float32), (4, 4), spec=SPEC)


@pytest.mark.torch
def test_both_resizes_are_torchs_bilinear() -> None:
    torch = pytest.importorskip("torch")
    large = torch.from_numpy(NOISE.astype(np.float32)).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(large, (320, 320), mode="bilinear", align_corners=False)[0].numpy()
    expected = (small / small.max() - np.array(SPEC.mean)[:, None, None]) / np.array(SPEC.std)[:, None, None]
    np.testing.assert_allclose(from_pixels(NOISE, SPEC)[0], expected, atol=2e-4)
    values = small[0] / 255
    up = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], (700, 900), mode="bilinear")[0, 0]
    np.testing.assert_allclose(to_saliency(values, (700, 900)), up.numpy(), atol=1e-4)
