"""Making the table of an int8 model: NNCF measures the ranges, and what the rounding does is told layer by layer."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput, MissingExtra
from u2net.inference.engines.int8 import convolutions_of, quantize_graph, values_of, weights_of
from u2net.inference.engines.openvino import openvino_core, read_model
from u2net.inference.int8_ranges import HALF_LEVEL, LEVEL, Range, Ranges, checksum
from u2net.models.spec import ModelSpec
from u2net.system.install import install_hint
from u2net.types import Tensor

# OpenVINO's own rounding, not its int8 arithmetic: the same on every processor, and every number can be looked at.
_ROUNDED = {"LP_TRANSFORMS_MODE": "NO", "INFERENCE_PRECISION_HINT": "f32"}
_OWN = "/WithoutBiases"  # what OpenVINO adds to the name of a convolution with a bias
_FEW_WEIGHTS = 64  # of what mixes a few maps to one: no work, and 256 levels of it would be seen
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


@dataclass(frozen=True)
class LayerDeviation:
    """What int8 does to what a convolution gives: the root of the mean squared difference to f32, as a share of the
    root of the mean square. before: the largest of its inputs' shares. int8: whether the layer itself is.
    node, value: its name and that of its output in the model file."""

    node: str
    value: str
    share: float
    before: float
    int8: bool


@dataclass(frozen=True)
class Deviation:
    """What int8 does to the maps. mean, worst: absolute differences of the fused map, of all pictures and of the one
    that suffers most; 1 is the whole range. layers: in the order of computing."""

    mean: float
    worst: float
    layers: tuple[LayerDeviation, ...]


def calibrate(
    path: Path,
    spec: ModelSpec,
    pictures: Sequence[Path],
    load: Callable[[Path], Tensor],
    *,
    leave: Sequence[str] = (),
) -> Ranges:
    """Measure the ranges of a model's numbers on pictures.

    path: .onnx or .xml. pictures: 100 to 300 varied ones are enough. load: from one of them to (1, 3, h, w) float32.
    leave: names of convolutions that stay in f32.
    What has one channel, a map to be, is not rounded: 256 levels of a logit would be seen in it.
    Raises MissingExtra, BadInput for a name that the model has not, WeightsUnavailable.
    """
    nncf = _import_nncf()
    plain = read_model(openvino_core(), path, spec)
    convolutions = convolutions_of(plain)
    left = [find_convolution(name, convolutions) for name in leave]
    scope = nncf.IgnoredScope(
        names=[convolutions[name].get_friendly_name() for name in left], types=_not_quantized(plain), validate=False
    )
    tuned = nncf.AdvancedQuantizationParameters(disable_bias_correction=True)  # it changed nothing where it was tried
    with _silent():
        measured = nncf.quantize(
            plain,
            nncf.Dataset(pictures, load),
            subset_size=len(pictures),
            ignored_scope=scope,
            advanced_parameters=tuned,
        )
    made = {
        "model": spec.name,
        "pictures": len(pictures),
        "left in f32": left,
        "nncf": version("nncf"),
        "openvino": version("openvino"),
    }
    return Ranges(checksum(path), *_ranges_of(measured, plain), made)


def measure(path: Path, spec: ModelSpec, ranges: Ranges, tensors: Sequence[Tensor]) -> Deviation:
    """Run a model in f32 and with the rounding of its table, and compare the map and every convolution's output."""
    core = openvino_core()
    exact, rounded = read_model(core, path, spec), read_model(core, path, spec)
    quantize_graph(rounded, ranges)
    layers_of = convolutions_of(exact)
    names, before = list(layers_of), _before(exact)
    runs = [_with_outputs(core, model, how) for model, how in ((exact, _EXACT), (rounded, _ROUNDED))]
    shares_of: dict[str, list[float]] = {name: [] for name in names}
    maps = []
    for tensor in tensors:
        both = []
        for request in runs:
            found = request.infer({0: tensor}, share_inputs=True)
            both.append([np.array(found[index]) for index in range(len(found))])
        maps.append(float(np.abs(both[0][0] - both[1][0]).mean()))
        for name, right, off in zip(names, both[0][-len(names) :], both[1][-len(names) :], strict=True):
            shares_of[name].append(_share(right, off))
    shares = {name: float(np.mean(each)) for name, each in shares_of.items()}
    layers = tuple(
        LayerDeviation(
            layers_of[name].get_friendly_name().removesuffix(_OWN),
            name,
            share,
            max((shares[earlier] for earlier in before[name]), default=0.0),
            name in ranges.convolutions,
        )
        for name, share in shares.items()
    )
    return Deviation(float(np.mean(maps)), max(maps), layers)


def _share(right: NDArray[np.float32], off: NDArray[np.float32]) -> float:
    """The mean over the channels of (1, C, h, w): how far one is off, by how much it varies."""
    varies = right.std(axis=(2, 3))
    moved = np.sqrt(np.square(right - off).mean(axis=(2, 3)))
    return float(np.minimum(moved / np.maximum(varies, np.float32(1e-3) * varies.max()), 1).mean())


def _ranges_of(measured: Any, plain: Any) -> tuple[dict[str, Range], dict[str, Range], dict[str, int]]:
    """What NNCF put into its copy of `plain`, in the words of `Ranges`."""
    named = {node.get_friendly_name(): (name, node) for name, node in values_of(plain).items()}
    convolutions = {node.get_friendly_name(): name for name, node in convolutions_of(plain).items()}
    outputs: dict[str, Range] = {}
    inputs: dict[str, Range] = {}
    levels: dict[str, int] = {}
    for node in measured.get_ordered_ops():
        if node.get_type_name() == "FakeQuantize":
            source = node.input_value(0).get_node().get_friendly_name()
            shape = node.get_output_partial_shape(0)
            if source not in named or shape.rank.get_length() != 4 or shape[1] == 1:
                continue
            low, high = (float(np.ravel(node.input_value(index).get_node().data)[0]) for index in (1, 2))
            taken = _takers(node.output(0))
            if taken == _takers(named[source][1].output(0)):
                outputs[named[source][0]] = (low, high)
            else:
                inputs |= {f"{named[taker][0]}:{number}": (low, high) for taker, number in taken}
        elif node.get_type_name() == "Convolution":
            weights = weights_of(node)
            if weights.dtype == np.int8 and weights.size >= _FEW_WEIGHTS:
                half = np.abs(weights.astype(np.int16)).max() <= HALF_LEVEL
                levels[convolutions[node.get_friendly_name()]] = HALF_LEVEL if half else LEVEL
    return outputs, inputs, levels


def _takers(output: Any) -> list[tuple[str, int]]:
    """The nodes that take an output, and as which of their inputs; its shape alone is not looked at."""
    taken = ((taker.get_node(), taker.get_index()) for taker in output.get_target_inputs())
    return sorted((node.get_friendly_name(), index) for node, index in taken if node.get_type_name() != "ShapeOf")


def find_convolution(name: str, convolutions: Mapping[str, Any]) -> str:
    """The name of a convolution's value, by that or by the node's own name. Raises BadInput."""
    own = {node.get_friendly_name().removesuffix(_OWN): value for value, node in convolutions.items()}
    if name not in convolutions and name not in own:
        raise BadInput(f"the model has no convolution {name}; u2net quantize --json lists those that it has")
    return name if name in convolutions else own[name]


def _not_quantized(model: Any) -> list[str]:
    """The kinds of nodes with weights that `quantize_graph` leaves alone."""
    kinds = {node.get_type_name() for node in model.get_ordered_ops()}
    return sorted(kinds & {"MatMul", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData"})


def _with_outputs(core: Any, model: Any, how: dict[str, str]) -> Any:
    """A request that gives what the convolutions give after the model's own outputs."""
    model.add_outputs([node.output(0) for node in convolutions_of(model).values()])
    return core.compile_model(model, "CPU", how).create_infer_request()


def _before(model: Any) -> dict[str, set[str]]:
    """For each convolution those whose outputs it takes, through whatever lies between."""
    convolutions = {node.get_friendly_name(): value for value, node in convolutions_of(model).items()}
    reached: dict[str, set[str]] = {}
    for node in model.get_ordered_ops():
        sources = [value.get_node().get_friendly_name() for value in node.input_values()]
        reached[node.get_friendly_name()] = set().union(
            *({convolutions[name]} if name in convolutions else reached.get(name, set()) for name in sources)
        )
    return {value: reached[name] for name, value in convolutions.items()}


def _import_nncf() -> Any:
    # Without this NNCF reports its use over the network; its makers' own machines set it.
    os.environ.setdefault("NNCF_CI", "1")
    try:
        import nncf
    except ImportError as error:
        raise MissingExtra(f"u2net quantize needs NNCF; {install_hint('quantize')}") from error
    return nncf


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without NNCF's log of every node and its progress bars."""
    logger = logging.getLogger("nncf")  # its own set_log_level also changes other people's handlers
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
