"""Sessions that are shared: opened once for each model and choice, and pickled as the call that opens them."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import u2net
from support.color_network import color_session
from support.paths import EXAMPLES
from support.small_onnx import small_network
from u2net.errors import BadInput, EngineUnavailable, UnknownModel
from u2net.inference import open_session as module
from u2net.inference.engines.openvino import open_openvino
from u2net.inference.open_session import open_session, shared_session
from u2net.inference.session import Session
from u2net.types import Picture

CALLERS = 8
TENSOR = np.random.default_rng(0).normal(size=(1, 3, 320, 320)).astype(np.float32)


@pytest.fixture(autouse=True)
def nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_slots", {})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """In the place of OpenVINO."""
    fake = FakeEngine()
    monkeypatch.setattr("u2net.inference.engines.openvino.open_openvino", fake)
    return fake


class FakeEngine:
    """Takes a moment to open, and counts."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.failures = 0
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self, path: Path, spec: u2net.ModelSpec, **choices: Any) -> Session:
        with self._lock:
            self.opened.append(f"{spec.name} {choices['precision']} {choices['threads']}")
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.2)
        with self._lock:
            self.at_once -= 1
            if self.failures:
                self.failures -= 1
                raise EngineUnavailable("the driver is busy")
        return color_session()[0]


def own_model(path: Path) -> Path:
    path.write_bytes(small_network(32))
    return path


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """Start all calls at the same moment; what each returned, or raised."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        except u2net.U2NetError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def test_many_first_calls_at_once_open_a_model_once(engine: FakeEngine, tmp_path: Path) -> None:
    path = own_model(tmp_path / "own.onnx")
    picture = Picture(np.zeros((32, 32, 3), np.uint8))
    cutouts = together([lambda: u2net.remove(picture, path)] * CALLERS)
    assert [cutout.found for cutout in cutouts] == [False] * CALLERS
    assert engine.opened == [f"own auto {module.allowed_threads()}"]


def test_a_name_and_each_way_to_write_a_path_are_one_session(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own_model(tmp_path / "own.onnx")
    monkeypatch.chdir(tmp_path)
    assert shared_session(path) is shared_session("own.onnx") is shared_session(str(path))
    assert len(engine.opened) == 1


def test_another_choice_is_another_session(engine: FakeEngine, tmp_path: Path) -> None:
    path = own_model(tmp_path / "own.onnx")
    sessions = {shared_session(path), shared_session(path, precision="f32"), shared_session(path, threads=1)}
    sessions |= {shared_session(path, requests=2), shared_session(path, device="cpu")}
    assert len(sessions) == len(engine.opened) == 5


def test_different_models_open_side_by_side(engine: FakeEngine, tmp_path: Path) -> None:
    paths = [own_model(tmp_path / f"own{number}.onnx") for number in range(3)]
    together([lambda path=path: shared_session(path) for path in paths])  # type: ignore[misc]
    assert engine.most_at_once == len(engine.opened) == 3


def test_a_failed_opening_is_not_remembered(engine: FakeEngine, tmp_path: Path) -> None:
    path = own_model(tmp_path / "own.onnx")
    engine.failures = 1
    with pytest.raises(EngineUnavailable):
        shared_session(path)
    assert isinstance(shared_session(path), Session)


def test_those_who_waited_for_a_failed_opening_try_it_themselves(engine: FakeEngine, tmp_path: Path) -> None:
    path = own_model(tmp_path / "own.onnx")
    engine.failures = 1
    found = together([lambda: shared_session(path)] * 4)
    assert sorted(type(one).__name__ for one in found) == ["EngineUnavailable", "Session", "Session", "Session"]
    assert len(engine.opened) == 2


def test_a_closed_session_and_a_changed_file_are_opened_again(engine: FakeEngine, tmp_path: Path) -> None:
    path = own_model(tmp_path / "own.onnx")
    first = shared_session(path)
    first.close()
    second = shared_session(path)
    assert not second.closed
    path.write_bytes(path.read_bytes() + b"\n")
    assert shared_session(path) is not second
    assert len(engine.opened) == 3


def test_a_session_is_taken_as_it_is_and_other_things_are_refused(engine: FakeEngine) -> None:
    session = color_session()[0]
    assert shared_session(session) is session
    with pytest.raises(BadInput, match="a name, the path of a model file or a Session, not NoneType"):
        u2net.remove(Picture(np.zeros((8, 8, 3), np.uint8)), None)  # type: ignore[arg-type]
    with pytest.raises(UnknownModel):
        u2net.saliency(EXAMPLES / "cat.png", "u2netpp")
    assert not module._slots


def test_eight_real_first_calls_load_one_network(small: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def counted(*arguments: Any, **choices: Any) -> Session:
        opened.append(open_openvino(*arguments, **choices))
        return opened[-1]

    monkeypatch.setattr("u2net.inference.engines.openvino.open_openvino", counted)
    sessions = together([lambda: shared_session("u2netp", precision="f32")] * CALLERS)
    assert len(set(sessions)) == len(opened) == 1
    np.testing.assert_array_equal(sessions[0].run(TENSOR), small.run(TENSOR))


def test_a_session_pickles_as_its_arguments(small: Session, tmp_path: Path) -> None:
    twin = pickle.loads(pickle.dumps(small))
    assert twin is pickle.loads(pickle.dumps(small)) is shared_session("u2netp", precision="f32")
    assert (twin.spec, twin.engine, twin.device, twin.precision) == (
        small.spec,
        small.engine,
        small.device,
        small.precision,
    )
    np.testing.assert_array_equal(twin.run(TENSOR), small.run(TENSOR))


def test_a_path_is_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_model(tmp_path / "own.onnx")
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(open_session("own.onnx", threads=1))
    monkeypatch.chdir("/")
    assert pickle.loads(data).spec.name == "own"


def test_a_session_without_arguments_says_why_it_cannot_be_pickled() -> None:
    with pytest.raises(BadInput, match=r"only a session of u2net\.open_session can be pickled"):
        pickle.dumps(color_session()[0])


def coverage_of(session: Session, name: str) -> float:
    return u2net.remove(EXAMPLES / name, session).coverage


def test_processes_get_a_session_of_their_own(small: Session) -> None:
    names = ["cat.png", "coffee.jpg"]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.starmap(coverage_of, [(small, name) for name in names])
    assert found == [coverage_of(small, name) for name in names]
