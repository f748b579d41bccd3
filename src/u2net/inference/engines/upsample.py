"""Maps enlarged by matrix products: OpenVINO's own way spends on one channel nearly what it spends on sixteen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_WORK = 400
"""Multiply-adds for a pixel of the result: 320 from 160 takes 240. From some 1000 on, OpenVINO's own way is faster."""


def enlarge_by_products(model: Any) -> None:
    """Change an OpenVINO model in place: where a single channel is enlarged bilinearly, two matrix products do it,
    rows @ map @ columns. The values stay the same but for the last bits.

    Left alone are other ways of enlarging, several channels, sizes that are not known yet, and sizes so large that the
    products would take longer.
    """
    from openvino import opset8

    for node in model.get_ordered_ops():
        if node.get_type_name() != "Interpolate" or not _is_bilinear(node.get_attributes()):
            continue
        source, result = node.input_value(0), node.output(0)
        if source.get_partial_shape().is_dynamic or result.get_partial_shape().is_dynamic:
            continue
        before, after = tuple(source.get_shape()), tuple(result.get_shape())
        if len(before) != 4 or before[1] != 1 or before[:2] != after[:2]:
            continue
        (h, w), (height, width) = before[2:], after[2:]
        if height < h or width < w or w + h * w / width > _MOST_WORK:
            continue
        down = opset8.matmul(opset8.constant(_bilinear(h, height)), source, False, False)
        both = opset8.matmul(down, opset8.constant(np.ascontiguousarray(_bilinear(w, width).T)), False, False)
        for taker in result.get_target_inputs():
            taker.replace_source_output(both.output(0))
    model.validate_nodes_and_infer_types()


def _is_bilinear(attributes: dict[str, Any]) -> bool:
    return (
        attributes.get("mode") in ("linear", "linear_onnx")
        and attributes.get("shape_calculation_mode") == "sizes"  # a scale may be another than the sizes' ratio
        and attributes.get("coordinate_transformation_mode") in ("half_pixel", "pytorch_half_pixel")
        and not attributes["antialias"]
        and not any(attributes["pads_begin"])
        and not any(attributes["pads_end"])
    )


def _bilinear(source: int, result: int) -> NDArray[np.float32]:
    """(result, source): what each place of the source gives to each of the result; pixels' centres are at halves."""
    places = np.clip((np.arange(result) + 0.5) * source / result - 0.5, 0, source - 1)
    shares: NDArray[np.float64] = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(source)))
    return shares.astype(np.float32)
