"""ONNX Runtime: an extra, for devices that OpenVINO does not know."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from u2net.errors import EngineUnavailable, WeightsUnavailable
from u2net.session import Session
from u2net.types import Map, ModelSpec, Tensor

log = logging.getLogger("u2net")

_PROVIDER = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "rocm": "ROCMExecutionProvider",
}


def open_onnxruntime(
    path: Path, spec: ModelSpec, *, precision: str, device: str, require_device: bool, threads: int | None
) -> Session:
    """Load an .onnx file with ONNX Runtime.

    precision: `auto` or `f32`. device: `cpu`, `cuda`, `coreml`, `directml` or `rocm`.
    Raises EngineUnavailable (not installed, no such device or precision), WeightsUnavailable (unusable file).
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineUnavailable("onnxruntime is not installed; run: pip install 'u2net[onnxruntime]'") from error
    if precision == "bf16":
        raise EngineUnavailable("the onnxruntime engine computes in f32 only; use --precision f32 or auto")

    wanted = _PROVIDER[device]
    missing = wanted not in onnxruntime.get_available_providers()
    if missing and require_device:
        raise EngineUnavailable(_no_device(device, onnxruntime.get_available_providers()))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    providers = [_PROVIDER["cpu"]] if missing or device == "cpu" else [wanted, _PROVIDER["cpu"]]
    failures = (RuntimeError, ValueError, onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf)
    try:
        loaded = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except failures as error:
        raise WeightsUnavailable(f"{path}: ONNX Runtime cannot load this model ({error})") from error
    # A provider may be listed and still fail to load its libraries; ONNX Runtime then goes on without it.
    if loaded.get_providers()[0] != wanted:
        if require_device:
            raise EngineUnavailable(_no_device(device, loaded.get_providers()))
        log.warning("%s; the CPU is used", _no_device(device, loaded.get_providers()))
        device = "cpu"

    inputs = loaded.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[1] not in (3, None):
        found = ", ".join(str(tuple(source.shape)) for source in inputs)
        raise WeightsUnavailable(f"{path}: expected a model with one input (N, 3, H, W), found {found}")
    height, width = inputs[0].shape[2:4]
    if isinstance(height, int) and isinstance(width, int):
        spec = replace(spec, size=(height, width))

    def infer(tensor: Tensor) -> list[Map]:
        return [np.asarray(found, np.float32) for found in loaded.run(None, {inputs[0].name: tensor})]

    return Session(spec, "onnxruntime", device, "f32", infer)


def _no_device(device: str, providers: list[str]) -> str:
    return f"ONNX Runtime finds no device '{device}' here; it has: {', '.join(providers)}"
