"""What the doctor sees on a machine where all is well, and on one where it is not."""

from __future__ import annotations

from dataclasses import replace

from u2net.diagnostics.doctor import Cache, Engine, Examination, Weights
from u2net.diagnostics.probe import ProbeResult
from u2net.system.hardware import Machine

MACHINE = Machine(
    system="Linux 6.12 x86_64",
    python="3.13.1 (/usr/bin/python3)",
    processor="A processor",
    capabilities={"AVX2": True, "bf16": None},
    cores=8,
    usable_cores=4,
    cpu_quota=2.5,
    threads=2,
    memory_bytes=8_000_000_000,
    free_bytes=None,
    graphics=(),
)
OPENVINO = Engine("openvino", {"openvino": "2026.4.1"}, None, (ProbeResult("openvino", "cpu", "A processor", "f32"),))
ONNXRUNTIME = Engine("onnxruntime", {"onnxruntime": "1.31.1"}, None, (ProbeResult("onnxruntime", "cpu", "cpu", "f32"),))
ABSENT = Engine("onnxruntime", {}, "onnxruntime is not installed; run: pip install onnxruntime", ())
HERE = Weights("u2net", "verified", "/cache/u2net.onnx", 175_997_641)
SMALL_HERE = Weights("u2netp", "verified", "/cache/u2netp.onnx", 4_574_861)
HEALTHY = Examination(
    u2net="0.1.0",
    machine=MACHINE,
    packages={"numpy": "2.3.4", "rich": None},
    engines=(OPENVINO, ONNXRUNTIME),
    timed_model="u2net",
    cache=Cache("/cache", None, 50_000_000_000),
    weights=(HERE, SMALL_HERE),
)


def with_engines(openvino: Engine = OPENVINO, onnxruntime: Engine = ONNXRUNTIME) -> Examination:
    return replace(HEALTHY, engines=(openvino, onnxruntime))


def failing(engine: Engine, device: str, problem: str, precision: str = "f32") -> Engine:
    """The engine, with a device more, which fails; or with that device failing where it has it."""
    kept = tuple(trial for trial in engine.trials if trial.device != device)
    return replace(engine, trials=(*kept, ProbeResult(engine.name, device, device, precision, problem)))
