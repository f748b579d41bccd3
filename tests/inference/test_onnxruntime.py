"""The ONNX Runtime engine: which provider, with which options, and what happens where it is not to be had.

This machine has no such devices: a stand-in for the module lists providers, records what it is given, and fails as the
real one does. What it does was observed with onnxruntime-gpu 1.31.1 on a machine without CUDA.
"""

from __future__ import annotations

import logging
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from u2net.errors import EngineUnavailable, WeightsUnavailable
from u2net.inference.engines.onnxruntime import devices_of
from u2net.inference.open_session import open_session
from u2net.inference.session import Session

CPU = "CPUExecutionProvider"
PROVIDER = {
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "rocm": "MIGraphXExecutionProvider",
}


class Fail(Exception):
    """As ONNX Runtime's own errors: neither a RuntimeError nor a ValueError."""


@dataclass
class Loaded:
    """What the stand-in was asked for."""

    options: Any
    providers: list[Any]
    arguments: dict[str, Any]


@dataclass
class StandIn:
    """How the stand-in behaves: `lacks` are listed but do not load; `raises` is raised where a device is asked for."""

    listed: list[str]
    lacks: list[str] = field(default_factory=list)
    raises: Exception | None = None
    run_raises: Exception | None = None
    preload_says: str = ""
    loaded: list[Loaded] = field(default_factory=list)
    severities: list[int] = field(default_factory=list)
    preloaded: int = 0

    def module(self) -> types.ModuleType:
        stand_in = self

        class InferenceSession:
            def __init__(self, path: str, options: Any, *, providers: list[Any], **arguments: Any) -> None:
                stand_in.loaded.append(Loaded(options, providers, arguments))
                self.names = [name if isinstance(name, str) else name[0] for name in providers]
                if stand_in.raises and self.names != [CPU]:
                    raise stand_in.raises

            def get_providers(self) -> list[str]:
                return [name for name in self.names if name not in stand_in.lacks]

            def get_inputs(self) -> list[Any]:
                return [types.SimpleNamespace(name="input.1", shape=[1, 3, 320, 320])]

            def run(self, names: None, feed: dict[str, Any]) -> list[Any]:
                if stand_in.run_raises:
                    raise stand_in.run_raises
                return [feed["input.1"][:, :1]]

        def preload_dlls() -> None:
            stand_in.preloaded += 1
            sys.stdout.write(stand_in.preload_says)

        module: Any = types.ModuleType("onnxruntime")
        module.get_available_providers = lambda: [*self.listed, CPU]
        module.InferenceSession = InferenceSession
        module.SessionOptions = lambda: types.SimpleNamespace(enable_mem_pattern=True, intra_op_num_threads=0)
        module.ExecutionMode = types.SimpleNamespace(ORT_SEQUENTIAL="sequential")
        module.set_default_logger_severity = self.severities.append
        module.preload_dlls = preload_dlls
        module.capi = types.SimpleNamespace(onnxruntime_pybind11_state=types.SimpleNamespace(Fail=Fail))
        return module


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "mine.onnx").write_bytes(b"")
    return tmp_path / "mine.onnx"


def install(monkeypatch: pytest.MonkeyPatch, **behaviour: Any) -> StandIn:
    stand_in = StandIn(**behaviour)
    monkeypatch.setitem(sys.modules, "onnxruntime", stand_in.module())
    return stand_in


def opened(model: Path, device: Any, *, require_device: bool = True, threads: int | None = None) -> Session:
    return open_session(
        model, engine="onnxruntime", device=device, require_device=require_device, threads=threads, precision="f32"
    )


@pytest.mark.parametrize(
    ("device", "options"),
    [
        ("cuda", {"device_id": "0", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}),
        ("coreml", {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "RequireStaticInputShapes": "1"}),
        ("directml", {"device_id": "0"}),
        ("rocm", {"device_id": "0"}),
    ],
)
def test_device_gets_its_provider_and_documented_options(
    model: Path, monkeypatch: pytest.MonkeyPatch, device: str, options: dict[str, str]
) -> None:
    stand_in = install(monkeypatch, listed=[PROVIDER[device]])
    session = opened(model, device, threads=3)
    assert (session.engine, session.device, session.precision) == ("onnxruntime", device, "f32")
    (loaded,) = stand_in.loaded
    assert loaded.providers == [(PROVIDER[device], options), CPU]
    assert loaded.options.intra_op_num_threads == 3
    assert loaded.arguments == {"enable_fallback": 0}  # its own fallback prints on standard output
    assert stand_in.preloaded == (device == "cuda")


def test_directml_runs_without_memory_patterns_and_in_order(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = install(monkeypatch, listed=[PROVIDER["directml"]])
    opened(model, "directml")
    options = stand_in.loaded[0].options
    assert (options.enable_mem_pattern, options.execution_mode) == (False, "sequential")


def test_rocm_takes_the_old_provider_where_only_that_is_there(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = install(monkeypatch, listed=["ROCMExecutionProvider"])
    assert opened(model, "rocm").device == "rocm"
    assert stand_in.loaded[0].providers[0][0] == "ROCMExecutionProvider"
    stand_in = install(monkeypatch, listed=["ROCMExecutionProvider", "MIGraphXExecutionProvider"])
    opened(model, "rocm")
    assert stand_in.loaded[0].providers[0][0] == "MIGraphXExecutionProvider"


@pytest.mark.parametrize(
    ("behaviour", "sentence", "fix"),
    [
        ({"listed": []}, "no device 'cuda' here; it has: cpu;", "onnxruntime && pip install"),
        (
            {
                "listed": [PROVIDER["cuda"]],
                "lacks": [PROVIDER["cuda"]],
                "preload_says": "Failed to load libcudnn.so.9: libcudnn.so.9: cannot open\nPlease follow …\n",
            },
            "has CUDAExecutionProvider but cannot use it (missing: libcudnn.so.9)",
            'run: pip install "onnxruntime-gpu[cuda,cudnn]"',
        ),
        (
            {"listed": [PROVIDER["cuda"]], "raises": Fail("CUDA failure 35:\n driver too old")},
            "cannot use it (CUDA failure 35: driver too old)",
            'run: pip install "onnxruntime-gpu[cuda,cudnn]"',
        ),
    ],
)
def test_device_that_cannot_be_used_is_said_with_what_mends_it(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    behaviour: dict[str, Any],
    sentence: str,
    fix: str,
) -> None:
    stand_in = install(monkeypatch, **behaviour)
    with caplog.at_level(logging.WARNING, "u2net"):
        session = opened(model, "cuda", require_device=False)
    assert session.device == "cpu"
    assert session.run(np.zeros((1, 3, 320, 320), np.float32)).shape == (1, 1, 320, 320)
    (record,) = caplog.records
    for part in (sentence, fix, "the CPU is used (--require-device makes this an error)"):
        assert part in record.message
    with pytest.raises(EngineUnavailable) as caught:
        opened(model, "cuda")
    assert sentence in str(caught.value) and fix in str(caught.value)
    assert capsys.readouterr().out == ""
    assert stand_in.severities in ([], [4, 2, 4, 2])


def test_device_of_another_system_is_not_sent_to_pip(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, listed=[])
    with pytest.raises(EngineUnavailable, match="no device 'directml' here; it has: cpu; run: u2net doctor"):
        opened(model, "directml")


def test_broken_model_file_is_the_files_fault_not_the_devices(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = install(monkeypatch, listed=[PROVIDER["cuda"]])
    module = sys.modules["onnxruntime"]

    def refuse(*_: Any, **__: Any) -> None:
        raise Fail("not a protobuf")

    monkeypatch.setattr(module, "InferenceSession", refuse)
    with pytest.raises(WeightsUnavailable, match=r"mine\.onnx: ONNX Runtime cannot load this model"):
        opened(model, "cuda")
    assert stand_in.severities == [4, 2]


def test_device_that_fails_at_work_is_one_sentence(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, listed=[PROVIDER["cuda"]], run_raises=Fail("out of memory"))
    with pytest.raises(EngineUnavailable, match="failed on 'cuda': out of memory"):
        opened(model, "cuda").run(np.zeros((1, 3, 320, 320), np.float32))


def test_half_installed_and_missing_packages_are_told_apart(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))
    with pytest.raises(EngineUnavailable, match="half installed; run: u2net doctor"):
        opened(model, "cpu")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailable, match=r"not installed; run: pip install"):
        opened(model, "cpu")


def test_providers_are_named_in_our_words() -> None:
    assert devices_of(["AzureExecutionProvider", "MIGraphXExecutionProvider", CPU]) == ["cpu", "rocm"]
