"""The network as an ONNX file: the graph that torch.export gives, node by node.

By hand because the network has eight operators: torch's own exporter needs a package more and half a minute, reports on
the terminal, and leaves a Shape and a Concat before each Resize, where a constant does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from u2net.version import __version__

OPSET = 13
"""Of 2020: old enough for every runtime that is in use. The files run in IR version 7 and later."""

INPUT = "picture"


def to_onnx(program: torch.export.ExportedProgram, outputs: Sequence[str], metadata: Mapping[str, str]) -> bytes:
    """The file of an exported network whose one input is (N, C, H, W), N of any number.

    outputs: what its maps are called, in their order. metadata: goes into the model's properties.
    """
    import onnx

    graph = _Graph(onnx, program, outputs)
    picture, *maps = graph.values_info()
    made = onnx.helper.make_graph(graph.nodes, "u2net", [picture], maps, list(graph.constants.values()))
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(
        made, opset_imports=[opset], ir_version=7, producer_name="u2net", producer_version=__version__
    )
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Graph:
    """The nodes and constants of an ONNX graph, and what each value of the program is called in it."""

    def __init__(self, onnx: Any, program: torch.export.ExportedProgram, outputs: Sequence[str]) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        *body, last = program.graph.nodes
        self.maps = dict(zip(last.args[0], outputs, strict=True))
        signature = program.graph_signature
        stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.names: dict[torch.fx.Node, str] = {}
        for node in body:
            if not node.users:  # what asserts the type that a cast begins with
                continue
            if node.op == "placeholder" and node.name in stored:
                name = stored[node.name]
                self.names[node] = self._constant(name.removeprefix("network."), program.state_dict[name].cpu().numpy())
            elif node.op == "placeholder":
                self.picture, self.names[node] = node, INPUT
            else:
                self.names[node] = self.maps.get(node, node.name)
                self.nodes += self._made_of(node)

    def values_info(self) -> Iterator[Any]:
        """The input's and the outputs' names and shapes."""
        for node, name in {self.picture: INPUT, **self.maps}.items():
            shape = ["N", *map(int, node.meta["val"].shape[1:])]
            yield self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape)

    def _made_of(self, node: torch.fx.Node) -> Iterator[Any]:
        """The ONNX nodes for one of the program's."""
        given: tuple[Any, ...] = node.args
        operator = str(node.target).split(".")[1].rstrip("_")
        inputs, attributes = [given[0]], {}
        if operator == "conv2d":
            defaults = [[1, 1], [0, 0], [1, 1]]
            strides, padding, dilations = list(given[3:6]) + defaults[len(given[3:6]) :]
            inputs, name = list(given[:3]), "Conv"
            attributes = {"strides": strides, "pads": [*padding, *padding], "dilations": dilations}
        elif operator == "max_pool2d":
            _, kernel, strides, padding, _, ceil_mode = given
            name = "MaxPool"
            attributes = {"kernel_shape": kernel, "strides": strides, "pads": [*padding, *padding]}
            attributes["ceil_mode"] = int(ceil_mode)
        elif operator == "upsample_bilinear2d":
            yield from self._resized(node)
            return
        elif operator == "cat":
            inputs, name, attributes = list(given[0]), "Concat", {"axis": given[1]}
        elif operator == "add":
            inputs, name = list(given[:2]), "Add"
        elif operator == "softmax":
            name, attributes = "Softmax", {"axis": given[1]}
        elif operator == "to":
            name, attributes = "Cast", {"to": self.onnx.TensorProto.FLOAT}
        else:
            name = {"relu": "Relu", "sigmoid": "Sigmoid"}[operator]
        yield self._node(name, [self.names[one] for one in inputs], self.names[node], **attributes)

    def _resized(self, node: torch.fx.Node) -> Iterator[Any]:
        """By a constant factor where it is whole; else to a size, of which the batch comes from the value itself."""
        source, (height, width) = node.args[0], node.args[1]
        rows, columns = source.meta["val"].shape[2:]
        given, made = self.names[source], self.names[node]
        if height % rows == 0 and width % columns == 0:
            factors = np.array([1, 1, height // rows, width // columns], np.float32)
            inputs = [given, "", self._constant(f"factors_{height // rows}x{width // columns}", factors)]
        else:
            begin, end = self._constant("begin", np.array([0])), self._constant("end", np.array([2]))
            size = self._constant(f"size_{height}x{width}", np.array([height, width]))
            yield self._node("Shape", [given], f"{made}_shape")
            yield self._node("Slice", [f"{made}_shape", begin, end], f"{made}_channels")
            yield self._node("Concat", [f"{made}_channels", size], f"{made}_size", axis=0)
            inputs = [given, "", "", f"{made}_size"]
        yield self._node("Resize", inputs, made, mode="linear", coordinate_transformation_mode="half_pixel")

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return self.onnx.helper.make_node(operator, inputs, [output], name=output, **attributes)

    def _constant(self, name: str, values: np.ndarray[Any, Any]) -> str:
        self.constants.setdefault(name, self.onnx.numpy_helper.from_array(values, name))
        return name
