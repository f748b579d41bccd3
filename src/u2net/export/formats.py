"""What each format is written with, and what runs it again. A format is two functions and a row of `FORMATS`."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from u2net.errors import EngineUnavailable, MissingExtra
from u2net.export.onnx_graph import INPUT, to_onnx
from u2net.inference.engines.onnxruntime import failures, import_onnxruntime
from u2net.inference.engines.openvino import import_openvino, openvino_core
from u2net.models.card import KEY, ModelCard
from u2net.system.files import atomic_file
from u2net.system.install import install_hint
from u2net.types import Map, Tensor

CARD_FILE = f"{KEY}.json"
"""What the card is called among the extra files of TorchScript and of torch.export."""


@dataclass(frozen=True)
class Network:
    """What is to be written: a module in evaluation mode, its card, what its maps are called, whether it is halved."""

    module: torch.nn.Module
    card: ModelCard
    outputs: tuple[str, ...]
    fp16: bool

    def picture(self, count: int) -> torch.Tensor:
        return torch.zeros(count, self.card.in_channels, *self.card.size)


@dataclass(frozen=True)
class Format:
    """How an export is written and run.

    suffixes: of the file to open, the usual one first. beside: of one that belongs to it.
    write: the network under a path. run: (path, tensors (n, C, H, W), names) -> for each tensor a (n, C, H, W) array a
    name, or RuntimeError; None: this system cannot.
    """

    suffixes: tuple[str, ...]
    write: Callable[[Network, Path], None]
    run: Callable[[Path, Sequence[Tensor], Sequence[str]], list[list[Map]]] | None
    beside: str | None = None


def write_onnx(network: Network, path: Path) -> None:
    _write(path, _onnx(network))


def run_onnx(path: Path, tensors: Sequence[Tensor], names: Sequence[str]) -> list[list[Map]]:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return [session.run(list(names), {INPUT: tensor}) for tensor in tensors]
    except failures(onnxruntime) as error:
        raise RuntimeError(str(error)) from error


def write_openvino(network: Network, path: Path) -> None:
    ov = import_openvino()
    model = ov.Core().read_model(_onnx(network))
    model.set_rt_info(network.card.to_json(), [KEY])
    ov.save_model(model, path, compress_to_fp16=False)  # what is to be in half precision already is


def run_openvino(path: Path, tensors: Sequence[Tensor], names: Sequence[str]) -> list[list[Map]]:
    core = openvino_core()
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = [compiled(tensor) for tensor in tensors]
    return [[np.array(one[name]) for name in names] for one in found]


def write_torchscript(network: Network, path: Path) -> None:
    with quiet(), torch.no_grad():  # torch.jit says that it is deprecated, at each call
        traced = torch.jit.trace(network.module, network.picture(1), check_trace=False)
        made = io.BytesIO()
        torch.jit.save(traced, made, _extra_files={CARD_FILE: network.card.to_json()})
    _write(path, made.getbuffer())


def run_torchscript(path: Path, tensors: Sequence[Tensor], names: Sequence[str]) -> list[list[Map]]:
    with quiet():
        return _in_torch(torch.jit.load(str(path)), tensors)


def write_pt2(network: Network, path: Path) -> None:
    made, program = io.BytesIO(), _program(network)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # where this package lies, 500 times
    program.example_inputs = None  # the picture of zeros that it was traced with
    with quiet():
        torch.export.save(program, made, extra_files={CARD_FILE: network.card.to_json()})
    _write(path, made.getbuffer())


def run_pt2(path: Path, tensors: Sequence[Tensor], names: Sequence[str]) -> list[list[Map]]:
    with quiet():
        return _in_torch(torch.export.load(str(path)).module(), tensors)


def write_coreml(network: Network, path: Path) -> None:
    """An ML program for macOS 13, iOS 16 and later; with `fp16` computed in half precision, as Apple's engine does."""
    tools = _coremltools()
    with _silent():
        program = torch.export.export(network.module, (network.picture(1),)).run_decompositions({})
        precision = tools.precision.FLOAT16 if network.fp16 else tools.precision.FLOAT32
        try:
            model = tools.convert(
                program,
                outputs=[tools.TensorType(name=name) for name in network.outputs],
                convert_to="mlprogram",
                minimum_deployment_target=tools.target.macOS13,
                compute_precision=precision,
            )
        except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EngineUnavailable(
                f"coremltools {tools.__version__} cannot convert what torch {torch.__version__} gives it ({reason})"
            ) from error
        model.user_defined_metadata[KEY] = network.card.to_json()
        model.license, model.short_description = network.card.licence, f"{network.card.variant} ({network.card.kind})"
        model.save(str(path))


def run_coreml(path: Path, tensors: Sequence[Tensor], names: Sequence[str]) -> list[list[Map]]:
    tools = _coremltools()
    model = tools.models.MLModel(str(path), compute_units=tools.ComputeUnit.CPU_ONLY)
    found = [[model.predict({INPUT: one[None]}) for one in tensor] for tensor in tensors]
    return [[np.concatenate([each[name] for each in one]) for name in names] for one in found]


FORMATS: dict[str, Format] = {
    "onnx": Format((".onnx",), write_onnx, run_onnx),
    "openvino": Format((".xml",), write_openvino, run_openvino, beside=".bin"),
    "torchscript": Format((".torchscript", ".pt"), write_torchscript, run_torchscript),
    "pt2": Format((".pt2",), write_pt2, run_pt2),
    "coreml": Format((".mlpackage",), write_coreml, run_coreml if sys.platform == "darwin" else None),
}


def _write(path: Path, data: bytes | memoryview) -> None:
    with atomic_file(path) as stream:
        stream.write(data)


def _onnx(network: Network) -> bytes:
    return to_onnx(_program(network), network.outputs, {KEY: network.card.to_json()})


def _program(network: Network) -> torch.export.ExportedProgram:
    """For any number of pictures at once; one as the example would fix it at one."""
    with quiet():
        program = torch.export.export(
            network.module, (network.picture(2),), dynamic_shapes=({0: torch.export.Dim("pictures")},)
        )
    program.graph.eliminate_dead_code()  # side outputs that nobody asks for
    return program


def _in_torch(module: Any, tensors: Sequence[Tensor]) -> list[list[Map]]:
    with torch.no_grad(), exactly():
        found = [module(torch.from_numpy(tensor)) for tensor in tensors]
    return [[one.numpy() for one in (maps if isinstance(maps, (tuple, list)) else [maps])] for maps in found]


@contextlib.contextmanager
def exactly() -> Iterator[None]:
    """Without oneDNN, whose sums are in an order that loses digits.

    u2netp's maps come out up to 1.2e-4 from those in double precision with it, and 3e-5 without, or in another engine.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TF32")
        with torch.backends.mkldnn.flags(enabled=False):
            yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's advice about itself off the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep coremltools' bars and complaints off the terminal too."""
    with quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _coremltools() -> Any:
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        with _silent():
            import coremltools
    except ModuleNotFoundError as error:
        raise MissingExtra(f"Core ML needs coremltools; {install_hint('coreml')}") from error
    return coremltools
