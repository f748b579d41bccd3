"""Maps enlarged by matrix products: the same values, and only where they are the same."""

from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset13 as opset

from u2net.inference.engines.openvino import prepared_model, read_model
from u2net.inference.engines.upsample import enlarge_by_products
from u2net.models import weights
from u2net.models.registry import MODELS

EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


def enlarging(before: tuple[int, ...], after: tuple[int, int], **settings: object) -> ov.Model:
    """A model that does nothing but enlarge; -1: a size that is not known."""
    source = opset.parameter(list(before), np.float32)
    chosen = {"mode": "linear_onnx", "coordinate_transformation_mode": "half_pixel", **settings}
    axes = opset.constant(np.array([2, 3], np.int32))
    size = opset.constant(np.array(after, np.int32))
    if chosen.setdefault("shape_calculation_mode", "sizes") == "scales":
        size = opset.constant(np.array([1.5, 1.5], np.float32))
    node = opset.interpolate(source, size, axes=axes, **chosen)
    return ov.Model([node], [source])


def kinds(model: ov.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops()]


def run(model: ov.Model, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    found = ov.Core().compile_model(model, "CPU", EXACT)(values)
    return [np.array(found[index]) for index in range(len(model.outputs))]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1, 1, 10, 10), (320, 320)),
        ((2, 1, 7, 5), (24, 31)),
        ((1, 1, 1, 1), (3, 4)),
        ((1, 1, 6, 6), (6, 9)),
        ((1, 1, 160, 160), (320, 320)),
    ],
)
@pytest.mark.parametrize("mode", ["linear", "linear_onnx"])
def test_products_give_what_interpolating_gives(before: tuple[int, ...], after: tuple[int, int], mode: str) -> None:
    values = np.random.default_rng(0).normal(0, 3, before).astype(np.float32)
    model = enlarging(before, after, mode=mode)
    expected = run(model, values)
    enlarge_by_products(model)
    assert kinds(model).count("MatMul") == 2 and "Interpolate" not in kinds(model)
    np.testing.assert_allclose(run(model, values)[0], expected[0], atol=5e-6)


def test_a_ramp_is_enlarged_as_by_hand() -> None:
    model = enlarging((1, 1, 1, 2), (1, 4))
    enlarge_by_products(model)
    assert run(model, np.array([[[[0, 8]]]], np.float32))[0].tolist() == [[[[0, 2, 6, 8]]]]


@pytest.mark.parametrize(
    ("before", "after", "settings"),
    [
        ((1, 2, 10, 10), (20, 20), {}),
        ((1, 1, 20, 20), (10, 10), {}),
        ((1, 1, -1, 10), (20, 20), {}),
        ((1, 1, 10, 10), (20, 20), {"mode": "nearest"}),
        ((1, 1, 10, 10), (20, 20), {"mode": "cubic"}),
        ((1, 1, 10, 10), (20, 20), {"coordinate_transformation_mode": "align_corners"}),
        ((1, 1, 10, 10), (20, 20), {"pads_begin": [0, 0, 1, 0]}),
        ((1, 1, 512, 512), (1024, 1024), {}),
        ((1, 1, 7, 7), (10, 10), {"shape_calculation_mode": "scales"}),
    ],
    ids=["channels", "shrinking", "dynamic", "nearest", "cubic", "corners", "padded", "large", "scales"],
)
def test_anything_else_is_left_alone(
    before: tuple[int, ...], after: tuple[int, int], settings: dict[str, object]
) -> None:
    model = enlarging(before, after, **settings)
    was = kinds(model)
    enlarge_by_products(model)
    assert kinds(model) == was


def test_all_seven_maps_of_u2netp_stay_what_they_are() -> None:
    spec = MODELS["u2netp"]
    path = weights.locate(spec)
    plain, quicker = read_model(ov.Core(), path, spec), prepared_model(ov.Core(), path, spec, None)
    assert kinds(quicker).count("MatMul") == 10
    values = np.random.default_rng(0).normal(0, 1, (1, 3, 320, 320)).astype(np.float32)
    for expected, found in zip(run(plain, values), run(quicker, values), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-6)
