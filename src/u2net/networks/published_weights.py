"""The published weights: their names for the tensors, and the ONNX files, in which the batch norms are folded away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from u2net.errors import BadInput
from u2net.io.decoders import DAMAGE
from u2net.networks.u2net import VARIANTS, ConvBNReLU, Stage, U2Net


def to_own_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a published checkpoint (`stage1.rebnconvin.conv_s1.weight`) to ours.

    A `module.` in front (DataParallel's) is dropped. What has no counterpart keeps its name.
    """
    plain = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    modules = _own_names()
    renamed = {}
    for name, tensor in plain.items():
        module, _, leaf = name.rpartition(".")
        renamed[f"{modules.get(module, module)}.{leaf}" if module else name] = tensor
    return renamed


def _own_names() -> dict[str, str]:
    """Published module name -> ours; the variants share it, as their stages have the same heights."""
    shape = VARIANTS["u2net"]
    stages = {f"stage{number + 1}": (f"encoder.{number}", stage) for number, stage in enumerate(shape.encoder)}
    stages |= {f"stage{5 - number}d": (f"decoder.{number}", stage) for number, stage in enumerate(shape.decoder)}
    names = {f"{theirs}.{unit}.{theirs_leaf}": f"{ours}.{own_unit}.{leaf}"
             for theirs, (ours, stage) in stages.items()
             for unit, own_unit in _own_units(stage).items()
             for theirs_leaf, leaf in (("conv_s1", "conv"), ("bn_s1", "norm"))}  # fmt: skip
    names |= {f"side{number + 1}": f"sides.{number}" for number in range(6)}
    return names | {"outconv": "fuse", "conv_in": "stem"}


def _own_units(stage: Stage) -> dict[str, str]:
    levels = range(stage.height - 1)
    return {
        "rebnconvin": "stem",
        f"rebnconv{stage.height}": "bottom",
        **{f"rebnconv{level + 1}": f"encoder.{level}" for level in levels},
        **{f"rebnconv{level + 1}d": f"decoder.{stage.height - 2 - level}" for level in levels},
    }


def read_onnx(path: Path) -> dict[str, Tensor]:
    """The tensors of a published ONNX file, by our names, with norms that change nothing in evaluation mode.

    The units of the network are a chain, so that the graph's order tells which convolution is which, whatever the
    names are. Raises BadInput where the file is none of U²-Net or IS-Net with folded norms.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return _read_graph(path, onnx.load(str(path)).graph, onnx.numpy_helper.to_array)
    except BadInput:
        raise
    except (*DAMAGE, DecodeError, onnx.checker.ValidationError) as error:
        raise BadInput(f"{path}: is not an ONNX file that can be read ({' '.join(str(error).split())})") from error


def _read_graph(path: Path, graph: Any, to_array: Callable[[Any], np.ndarray[Any, Any]]) -> dict[str, Tensor]:
    values = {one.name: one for one in graph.initializer}
    values |= {
        node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant" and node.attribute
    }
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in values:  # of weights in half precision
            values[node.output[0]] = values[node.input[0]]
    before_relu = {node.input[0] for node in graph.node if node.op_type == "Relu"}
    units: list[tuple[Tensor, Tensor]] = []
    rest: list[tuple[Tensor, Tensor]] = []
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            raise BadInput(f"{path}: its batch norms are not folded into the convolutions; use the .pth it came from")
        if node.op_type != "Conv":
            continue
        if len(node.input) < 3 or not all(name in values for name in node.input[1:]):
            raise BadInput(f"{path}: a convolution in it has no weights or no bias of its own; it is no U²-Net")
        weight, bias = (torch.from_numpy(np.array(to_array(values[name]), np.float32)) for name in node.input[1:])
        (units if node.output[0] in before_relu else rest).append((weight, bias))
    return _assign(path, units, rest)


def _assign(path: Path, units: list[tuple[Tensor, Tensor]], rest: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    fused = rest.pop() if rest and rest[-1][0].shape[2:] == (1, 1) else None
    stem = rest.pop(0) if fused is None and len(rest) == 7 else None
    with torch.device("meta"):
        network = U2Net("isnet" if stem else "u2net")
    names = {module: name for name, module in network.named_modules()}
    own_units = [names[module] for module in network.modules() if isinstance(module, ConvBNReLU)]
    if len(units) != len(own_units) or len(rest) != 6 or not (stem or fused):
        raise BadInput(
            f"{path}: is neither U²-Net nor IS-Net: it has {len(units)} convolutions with ReLU "
            f"and {len(rest)} side outputs, they have {len(own_units)} and 6"
        )
    convolutions = {f"{name}.conv": found for name, found in zip(own_units, units, strict=True)}
    convolutions |= {f"sides.{number}": found for number, found in enumerate(rest)}
    convolutions |= {"fuse": fused} if fused else {}
    convolutions |= {"stem": stem} if stem else {}
    tensors: dict[str, Tensor] = {}
    for name, (weight, bias) in convolutions.items():
        tensors |= {f"{name}.weight": weight, f"{name}.bias": bias}
    for name in own_units:
        tensors |= {f"{name}.norm.{leaf}": value for leaf, value in _identity(tensors[f"{name}.conv.bias"]).items()}
    return tensors


def _identity(like: Tensor) -> dict[str, Tensor]:
    """A norm that changes nothing in evaluation mode: weight / sqrt(variance + eps) is 1."""
    eps = nn.BatchNorm2d(1).eps
    return {
        "weight": torch.ones_like(like),
        "bias": torch.zeros_like(like),
        "running_mean": torch.zeros_like(like),
        "running_var": torch.full_like(like, 1 - eps),
        "num_batches_tracked": torch.zeros((), dtype=torch.int64),
    }


def fill_norms(network: U2Net, tensors: Iterable[Tensor]) -> None:
    """Give folded norms the statistics of pictures, so that training mode starts where evaluation mode is.

    tensors: (N, 3, H, W) normalised network inputs, some 200 pictures of the training set in all. They go through once,
    in evaluation mode; each norm that folding has made an identity gets mean μ, variance σ², weight √(σ² + eps) and
    bias μ of what came to it, which leaves evaluation mode as it was. Norms with statistics of their own are kept.
    """
    sums: dict[nn.BatchNorm2d, Tensor] = {}

    def note(norm: nn.BatchNorm2d, given: tuple[Tensor], _: Tensor) -> None:
        values = given[0].double()
        found = torch.stack([values.sum((0, 2, 3)), values.square().sum((0, 2, 3)), _count_like(values)])
        sums[norm] = sums[norm] + found if norm in sums else found

    folded = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d) and _is_identity(module)]
    hooks = [norm.register_forward_hook(note) for norm in folded]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for pictures in tensors:
            network(pictures)
        for hook in hooks:
            hook.remove()
        for norm, (total, squares, count) in sums.items():
            mean = total / count
            variance = (squares / count - mean.square()).clamp(min=0)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.copy_(mean)
    network.train(was_training)


def _count_like(values: Tensor) -> Tensor:
    """(C,), how many numbers there are in each channel."""
    return torch.full_like(values[0, :, 0, 0], values.numel() / values.shape[1])


def _is_identity(norm: nn.BatchNorm2d) -> bool:
    untouched = _identity(norm.bias)
    return all(torch.equal(getattr(norm, name), untouched[name]) for name in ("weight", "bias", "running_var"))
