"""Engines tried in processes of their own: real ones, and packages in their place that fail as drivers do."""

from __future__ import annotations

import signal
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import u2net
from u2net.diagnostics import probe
from u2net.diagnostics.probe import DeviceFound, ball_on_a_table, list_devices, probe_device
from u2net.inference.session import Session

CPU = DeviceFound("cpu", "cpu", ("f32",))

# Stands for the package onnxruntime: it lists CUDA, and computes what `run` says.
STAND_IN = """
import sys
class InferenceSession:
    def __init__(self, path, options, *, providers, **rest):
        print("a driver greets")
    def get_providers(self):
        return [{loaded}"CPUExecutionProvider"]
    def get_inputs(self):
        class Input:
            name, shape = "picture", [1, 3, 64, 64]
        return [Input]
    def run(self, names, feed):
        import numpy as np
        mean = next(iter(feed.values())).mean(axis=1, keepdims=True)
        {run}
class SessionOptions: pass
class capi:
    class onnxruntime_pybind11_state: pass
def get_available_providers(): return ["CUDAExecutionProvider", "CPUExecutionProvider"]
def set_default_logger_severity(level): pass
"""
RIGHT = "return [1 / (1 + np.exp(-mean))]"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is imported in place of onnxruntime, by the probing process alone."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "onnxruntime.py"


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_engines_of_this_machine_list_the_cpu_and_run_on_it(engine: str) -> None:
    found, problem = list_devices(engine)
    assert problem is None
    cpu = found[0]
    assert (cpu.device, cpu.precisions[0]) == ("cpu", "f32")
    trial = probe_device(engine, cpu, "f32", None)
    assert (trial.engine, trial.device, trial.precision) == (engine, "cpu", "f32")
    assert (trial.problem, trial.load_s, trial.picture_s) == (None, None, None)


def test_picture_is_timed_with_weights_that_are_here(small: Session) -> None:
    start = time.perf_counter()
    trial = probe_device("openvino", CPU, "f32", "u2netp")
    took_s = time.perf_counter() - start
    assert trial.problem is None
    assert trial.load_s is not None and 0 < trial.load_s < took_s
    assert trial.picture_s is not None and 0.01 < trial.picture_s < took_s


def test_picture_that_is_timed_has_an_object_where_it_was_drawn(small: Session) -> None:
    cutout = u2net.remove(ball_on_a_table(), small)
    rows, columns = np.mgrid[0:800, 0:1250]
    ball = (columns - 625) ** 2 + (rows - 420) ** 2 < 260**2
    seen = cutout.pixels[..., 3] > 127
    assert (ball & seen).sum() / (ball | seen).sum() > 0.95


def test_precision_that_is_not_here_is_a_problem_in_one_sentence() -> None:
    trial = probe_device("onnxruntime", CPU, "bf16", None)
    assert trial.problem == "the onnxruntime engine computes in f32 only; use --precision f32 or auto"


def test_right_result_is_told_from_a_wrong_one_whatever_the_driver_prints(package: Path) -> None:
    package.write_text(STAND_IN.format(run=RIGHT, loaded=""))
    assert [found.device for found in list_devices("onnxruntime")[0]] == ["cpu", "cuda"]
    assert probe_device("onnxruntime", CPU, "f32", None).problem is None
    for wrong in ("return [mean * 0]", "return [mean * np.nan]"):
        package.write_text(STAND_IN.format(run=wrong, loaded=""))
        problem = probe_device("onnxruntime", CPU, "f32", None).problem
        assert problem and problem.startswith("onnxruntime computes wrongly on 'cpu': off by")


def test_device_that_is_listed_and_does_not_load_is_a_problem_with_its_command(package: Path) -> None:
    package.write_text(STAND_IN.format(run=RIGHT, loaded=""))
    cuda = DeviceFound("cuda", "cuda", ("f32",))
    problem = probe_device("onnxruntime", cuda, "f32", None).problem
    assert problem and "cannot use it; run: pip install" in problem
    package.write_text(STAND_IN.format(run=RIGHT, loaded='"CUDAExecutionProvider", '))
    assert probe_device("onnxruntime", cuda, "f32", None).problem is None


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGILL"])
def test_crash_takes_the_probe_down_and_nothing_else(package: Path, name: str) -> None:
    kill = f"import os; os.kill(os.getpid(), {int(signal.Signals[name])})"
    package.write_text(STAND_IN.format(run=kill, loaded=""))
    assert probe_device("onnxruntime", CPU, "f32", None).problem == f"crashed ({name})"
    package.write_text(kill)
    assert list_devices("onnxruntime") == ([], f"crashed ({name})")


def test_hanging_driver_is_given_up(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 3.0)
    package.write_text("import time; time.sleep(600)")
    start = time.perf_counter()
    assert list_devices("onnxruntime") == ([], "gave no answer within 3 s")
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import no_such_library", "onnxruntime cannot be loaded (No module named 'no_such_library')"),
        ("raise ImportError('libcudart.so.12: cannot open')", "onnxruntime cannot be loaded (libcudart.so.12: cannot"),
        ("", "onnxruntime is only half installed"),
        ("raise OSError('a driver of another version')", "OSError: a driver of another version"),
    ],
)
def test_package_that_cannot_be_loaded_says_why(package: Path, code: str, problem: str) -> None:
    package.write_text(textwrap.dedent(code))
    found, said = list_devices("onnxruntime")
    assert found == []
    assert said and said.startswith(problem)
