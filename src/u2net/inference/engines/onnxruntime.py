"""ONNX Runtime: an extra, for devices that OpenVINO does not know."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from u2net.errors import EngineUnavailable, WeightsUnavailable
from u2net.inference.engines import installed
from u2net.inference.session import Session
from u2net.models.spec import ModelSpec
from u2net.system.install import install_hint
from u2net.types import Map, Tensor

log = logging.getLogger("u2net")

_CPU = "CPUExecutionProvider"
PROVIDERS: dict[str, tuple[str, ...]] = {
    "cpu": (_CPU,),
    "cuda": ("CUDAExecutionProvider",),
    "coreml": ("CoreMLExecutionProvider",),
    "directml": ("DmlExecutionProvider",),
    "rocm": ("MIGraphXExecutionProvider", "ROCMExecutionProvider"),  # ONNX Runtime 1.23 dropped the second
}
"""The providers of each device, the preferred one first."""

_OPTIONS: dict[str, dict[str, str]] = {
    # TF32 rounds f32 to 10 bits and ONNX Runtime uses it unless told otherwise; the default search, EXHAUSTIVE, times
    # every algorithm of every convolution at the first picture.
    "CUDAExecutionProvider": {"device_id": "0", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    # The other model format, NeuralNetwork, computes in half precision on the GPU and the neural engine.
    "CoreMLExecutionProvider": {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "RequireStaticInputShapes": "1"},
    "DmlExecutionProvider": {"device_id": "0"},
    "MIGraphXExecutionProvider": {"device_id": "0"},
    "ROCMExecutionProvider": {"device_id": "0"},
}

PACKAGES = {
    "cpu": "onnxruntime",
    "cuda": '"onnxruntime-gpu[cuda,cudnn]"',
    "coreml": "onnxruntime",
    "directml": "onnxruntime-directml",
    "rocm": "onnxruntime-migraphx",
}
"""What pip is to install for a device, as a shell takes it; cuda with CUDA and cuDNN themselves."""

_SYSTEMS = {"cuda": ("linux", "win32"), "coreml": ("darwin",), "directml": ("win32",), "rocm": ("linux",)}


def open_onnxruntime(
    path: Path, spec: ModelSpec, *, precision: str, device: str, require_device: bool, threads: int | None
) -> Session:
    """Load an .onnx file with ONNX Runtime.

    precision: `auto` or `f32`. device: `cpu`, `cuda`, `coreml`, `directml` or `rocm`.
    Raises EngineUnavailable (not installed, no such device or precision), WeightsUnavailable (unusable file).
    """
    onnxruntime = import_onnxruntime(device)
    if precision in ("bf16", "int8"):
        raise EngineUnavailable("the onnxruntime engine computes in f32 only; use --precision f32 or auto")

    loaded, problem, fix = None, "", ""
    if device != "cpu":
        loaded, problem, fix = _on_device(onnxruntime, path, device, threads)
    if loaded is None:
        try:
            loaded = _load(onnxruntime, path, _CPU, threads)
        except failures(onnxruntime) as error:
            raise WeightsUnavailable(f"{path}: ONNX Runtime cannot load this model ({_one_line(error)})") from error
    if problem:
        if require_device:
            raise EngineUnavailable(f"{problem}; run: {fix}")
        log.warning("%s; the CPU is used (--require-device makes this an error); run: %s", problem, fix)
        device = "cpu"

    inputs = loaded.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[1] not in (3, None):
        found = ", ".join(str(tuple(source.shape)) for source in inputs)
        raise WeightsUnavailable(f"{path}: expected a model with one input (N, 3, H, W), found {found}")
    height, width = inputs[0].shape[2:4]
    if isinstance(height, int) and isinstance(width, int):
        spec = replace(spec, size=(height, width))

    def infer(tensor: Tensor) -> list[Map]:
        try:
            maps = loaded.run(None, {inputs[0].name: tensor})
        except failures(onnxruntime) as error:  # out of the device's memory, a driver that went away
            raise EngineUnavailable(f"ONNX Runtime failed on '{device}': {_one_line(error)}") from error
        return [np.asarray(found, np.float32) for found in maps]

    return Session(spec, "onnxruntime", device, "f32", infer)


def install_for(device: str, packages: Iterable[str]) -> str:
    """The command that brings a device's provider. packages: those of the engine that are installed; they must go."""
    names = " ".join(packages)
    return (f"pip uninstall -y {names} && " if names else "") + f"pip install {PACKAGES[device]}"


def devices_of(providers: list[str]) -> list[str]:
    """The devices that these providers stand for, in our words."""
    return [device for device, names in PROVIDERS.items() if any(name in providers for name in names)]


def import_onnxruntime(device: str = "cpu") -> Any:
    """The module. Raises EngineUnavailable where it is not installed, only half of it, or cannot be loaded.

    device: what it is wanted for, and what package is named for it.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise EngineUnavailable(f"onnxruntime cannot be loaded ({error}); run: u2net doctor") from error
        fix = install_hint("onnxruntime") if device == "cpu" else f"run: {install_for(device, [])}"
        raise EngineUnavailable(f"onnxruntime is not installed; {fix}") from error
    except ImportError as error:
        raise EngineUnavailable(f"onnxruntime cannot be loaded ({error}); run: u2net doctor") from error
    if not hasattr(onnxruntime, "InferenceSession"):  # of two packages over each other one was uninstalled
        raise EngineUnavailable("onnxruntime is only half installed; run: u2net doctor")
    return onnxruntime


def _on_device(onnxruntime: Any, path: Path, device: str, threads: int | None) -> tuple[Any, str, str]:
    """(session on the device, "", ""), or (None or a session on the CPU, why not on the device, what fixes it)."""
    listed = onnxruntime.get_available_providers()
    provider = next((name for name in PROVIDERS[device] if name in listed), None)
    if provider is None:
        problem = f"ONNX Runtime finds no device '{device}' here; it has: {', '.join(devices_of(listed))}"
        fix = install_for(device, installed("onnxruntime")) if sys.platform in _SYSTEMS[device] else "u2net doctor"
        return None, problem, fix
    reason = _preload(onnxruntime) if device == "cuda" else ""
    try:
        with _silenced(onnxruntime):
            loaded = _load(onnxruntime, path, provider, threads)
    except failures(onnxruntime) as error:
        loaded, reason = None, _one_line(error)
    # A provider may be listed and fail to load its libraries; ONNX Runtime then goes on without it.
    if loaded is not None and provider in loaded.get_providers():
        return loaded, "", ""
    problem = f"ONNX Runtime has {provider} but cannot use it" + (f" ({reason})" if reason else "")
    return loaded, problem, install_for(device, []) if device == "cuda" else "u2net doctor"


def _load(onnxruntime: Any, path: Path, provider: str, threads: int | None) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    if provider == "DmlExecutionProvider":  # it supports neither memory patterns nor parallel execution
        options.enable_mem_pattern = False
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    wanted = [(provider, _OPTIONS[provider]), _CPU] if provider != _CPU else [_CPU]
    # ONNX Runtime's own fallback prints on standard output, where a picture may be going.
    return onnxruntime.InferenceSession(str(path), options, providers=wanted, enable_fallback=0)


def _preload(onnxruntime: Any) -> str:
    """Load CUDA and cuDNN from where pip puts them; returns what was missing. ONNX Runtime has it since 1.21."""
    said = io.StringIO()
    if hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(said):
            onnxruntime.preload_dlls()
    missing = [line.split(":")[0].split()[-1] for line in said.getvalue().splitlines() if line.startswith("Failed")]
    return f"missing: {', '.join(missing)}" if missing else ""


@contextlib.contextmanager
def _silenced(onnxruntime: Any) -> Iterator[None]:
    """Keep ONNX Runtime's account of a failing provider off standard error; we say it in one sentence."""
    onnxruntime.set_default_logger_severity(4)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # its default


def failures(onnxruntime: Any) -> tuple[type[BaseException], ...]:
    """What ONNX Runtime raises; its own errors have no common base."""
    state = onnxruntime.capi.onnxruntime_pybind11_state
    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (RuntimeError, ValueError, *own)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
