"""The int8 model, made of a float one with OpenVINO's own operations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from u2net.errors import EngineUnavailable
from u2net.inference.int8_ranges import Range, Ranges

_LEVELS = 256


def quantize_graph(model: Any, ranges: Ranges) -> None:
    """Change an OpenVINO model in place: what the table names is rounded on its way to 256 levels of its range, and
    weights to int8, each output channel by its own largest one. OpenVINO then computes these parts in int8.

    Raises EngineUnavailable where the model has no such nodes: the table is of another one.
    """
    values, convolutions = values_of(model), convolutions_of(model)
    wanted = {*ranges.outputs, *(place.rpartition(":")[0] for place in ranges.inputs)}
    if missing := sorted(wanted - values.keys()) + sorted(ranges.convolutions.keys() - convolutions.keys()):
        raise EngineUnavailable(
            f"the table for int8 does not fit this model: it has no {missing[0]}; use --precision f32, "
            "or make the table anew with u2net quantize"
        )
    for name, each in ranges.outputs.items():
        output = values[name].output(0)
        takers = [taker for taker in output.get_target_inputs() if taker.get_node().get_type_name() != "ShapeOf"]
        rounded = _rounded(output, each)
        for taker in takers:
            taker.replace_source_output(rounded)
    for place, each in ranges.inputs.items():
        name, _, number = place.rpartition(":")
        taker = values[name].input(int(number))
        taker.replace_source_output(_rounded(taker.get_source_output(), each))
    for name, level in ranges.convolutions.items():
        convolutions[name].input(1).replace_source_output(_as_int8(weights_of(convolutions[name]), level))
    model.validate_nodes_and_infer_types()


def values_of(model: Any) -> dict[str, Any]:
    """The nodes of a model by the name that their value has in its file.

    Not by their own names: those that OpenVINO makes up for nodes without one push others aside.
    """
    nodes = (node for node in model.get_ordered_ops() if node.get_type_name() != "Result" and node.outputs())
    return {name: node for node in nodes if (name := _value(node))}


def convolutions_of(model: Any) -> dict[str, Any]:
    """The convolutions of a model, in the order of computing, by the name of what they give, bias and all."""
    found = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Convolution":
            takers = [taker.get_node() for taker in node.output(0).get_target_inputs()]
            biased = max((_value(taker) for taker in takers if taker.get_type_name() == "Add"), default="")
            found[_value(node) or biased or node.get_friendly_name()] = node
    return found


def weights_of(convolution: Any) -> NDArray[Any]:
    """(out, in, ...) what its weights are kept as: float32, float16, or the levels of int8."""
    node = convolution.input_value(1).get_node()
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    kept: NDArray[Any] = node.data
    return kept


def _value(node: Any) -> str:
    return min(node.output(0).get_names(), default="")


def _rounded(output: Any, each: Range) -> Any:
    from openvino import opset8

    low, high = (opset8.constant(np.float32(value)) for value in each)
    return opset8.fake_quantize(output, low, high, low, high, _LEVELS).output(0)


def _as_int8(weights: NDArray[Any], level: int) -> Any:
    """(out, in, ...) float weights as int8 times a scale for each output channel: what OpenVINO keeps as int8."""
    from openvino import opset8

    weights = weights.astype(np.float32)
    axes = tuple(range(1, weights.ndim))
    largest = np.abs(weights).max(axis=axes, keepdims=True)
    scale = np.maximum(largest, np.finfo(np.float32).tiny * 1e6) / np.float32(level)
    levels = opset8.constant(np.rint(weights / scale).astype(np.int8))
    return opset8.multiply(opset8.convert(levels, "f32"), opset8.constant(scale)).output(0)
