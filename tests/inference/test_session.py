"""Sessions: names, files, engines, devices, threads."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import u2net
from support.paths import EXAMPLES
from u2net.errors import BadInput, EngineUnavailable, UnknownModel, WeightsUnavailable
from u2net.inference.engines.openvino import abilities, choose_precision
from u2net.inference.open_session import open_session
from u2net.inference.predict import predict, predict_batch
from u2net.inference.session import Session
from u2net.models.registry import MODELS
from u2net.models.weights import find
from u2net.types import Picture

NOISE = np.random.default_rng(0).normal(size=(1, 3, 320, 320)).astype(np.float32)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_model(path: Path, *, gain: float = 1.0, channels: int = 3, size: tuple[int, int] = (64, 48)) -> Path:
    """A network of one line: the mean over channels, times `gain`."""
    source = ops.parameter([1, channels, *size], np.float32)
    mean = ops.reduce_mean(source, ops.constant([1]), keep_dims=True)
    ov.save_model(
        ov.Model([ops.multiply(mean, ops.constant(np.float32(gain)))], [source]), path, compress_to_fp16=False
    )
    return path


def test_unknown_name_names_the_nearest_model() -> None:
    with pytest.raises(UnknownModel, match=r"did you mean 'u2netp'\? see: u2net models list"):
        open_session("u2netpp")


@pytest.mark.parametrize("name", ["nowhere.onnx", "weights/nowhere.xml"])
def test_missing_model_file_is_said(name: str) -> None:
    with pytest.raises(WeightsUnavailable, match="no such model file"):
        open_session(name)


def test_path_of_another_kind_is_said() -> None:
    with pytest.raises(UnknownModel, match=r"\.onnx or \.xml"):
        open_session("weights/u2net.pth")


def test_damaged_model_file_is_said(own_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    for engine in ("openvino", "onnxruntime"):
        with pytest.raises(WeightsUnavailable, match=r"broken\.onnx"):
            open_session(tmp_path / "broken.onnx", engine=engine)


def test_own_model_runs_at_its_own_size(own_cache: Path, tmp_path: Path) -> None:
    session = open_session(write_model(tmp_path / "mine.xml"))
    assert session.spec.size == (64, 48)
    assert session.run(np.full((2, 3, 64, 48), 0.25, np.float32)).shape == (2, 1, 64, 48)


def test_own_model_that_gives_logits_gets_a_sigmoid(own_cache: Path, tmp_path: Path) -> None:
    session = open_session(write_model(tmp_path / "logits.xml", gain=8.0))
    found = session.run(np.full((1, 3, 64, 48), -0.5, np.float32))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(4)), rtol=1e-5)


def test_own_model_of_another_shape_is_refused(own_cache: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"one input \(N, 3, H, W\)"):
        open_session(write_model(tmp_path / "four.xml", channels=4))


def test_second_start_takes_up_the_compiled_model(own_cache: Path, tmp_path: Path) -> None:
    path = write_model(tmp_path / "mine.xml")
    first = open_session(path).run(np.ones((1, 3, 64, 48), np.float32))
    (blob,) = (own_cache / "compiled").glob("*.blob")
    stamp = blob.stat().st_mtime_ns
    np.testing.assert_array_equal(open_session(path).run(np.ones((1, 3, 64, 48), np.float32)), first)
    assert blob.stat().st_mtime_ns == stamp


def test_truncated_compiled_model_is_made_anew(own_cache: Path, tmp_path: Path) -> None:
    path = write_model(tmp_path / "mine.xml")
    open_session(path)
    (blob,) = (own_cache / "compiled").glob("*.blob")
    blob.write_bytes(blob.read_bytes()[:-40])
    assert open_session(path).run(np.ones((1, 3, 64, 48), np.float32)).max() == pytest.approx(1)


def test_damaged_compiled_model_is_made_anew(tmp_path: Path, small: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    right, weights, own_cache = small.run(NOISE), find(small.spec), tmp_path / "cache"
    assert weights is not None
    monkeypatch.setenv("U2NET_CACHE", str(own_cache))
    own_cache.mkdir()
    shutil.copy(weights, own_cache)
    open_session("u2netp", precision="f32").close()
    (blob,) = (own_cache / "compiled").glob("u2netp-f32-*.blob")
    data = bytearray(blob.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200_000] = bytes(200_000)
    blob.write_bytes(data)
    again = open_session("u2netp", precision="f32")
    np.testing.assert_allclose(again.run(NOISE), right, atol=1e-5)


def test_own_models_leave_the_compiled_models_of_others_alone(own_cache: Path, tmp_path: Path) -> None:
    kept = own_cache / "compiled"
    kept.mkdir(parents=True)
    (kept / "u2net-f32-0123.blob").write_bytes(b"")
    (tmp_path / "other").mkdir()
    names = ["*.xml", "[a].xml", "other/*.xml"] if os.name == "posix" else ["[a].xml", "a.xml"]
    for name in names:
        write_model(tmp_path / name)
        open_session(tmp_path / name).close()
    assert (kept / "u2net-f32-0123.blob").exists()
    assert len(list(kept.glob("own-*.blob"))) == len(names)


@pytest.mark.parametrize("code", ["raise RuntimeError('broken')", "raise OSError('broken')", "x = 1"])
def test_broken_openvino_is_one_sentence_and_exit_code_5(code: str, tmp_path: Path) -> None:
    (tmp_path / "openvino.py").write_text(code)
    command = [sys.executable, "-m", "u2net", "remove", str(EXAMPLES / "cat.png"), "-o", str(tmp_path / "x.png")]
    result = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 5
    assert len(result.stderr.splitlines()) == 1
    assert "run: u2net doctor" in result.stderr


def test_device_of_a_missing_onnxruntime_falls_back_and_names_its_package(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, small: Session
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    session = open_session("u2netp", device="cuda")
    assert (session.engine, session.device) == ("openvino", "cpu")
    assert "no device 'cuda'" in caplog.text
    assert 'run: pip install "onnxruntime-gpu[cuda,cudnn]"' in caplog.text
    with pytest.raises(EngineUnavailable, match="onnxruntime-gpu"):
        open_session("u2netp", device="cuda", require_device=True)


def test_cache_folder_that_cannot_be_made_costs_only_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "file"))
    session = open_session(write_model(tmp_path / "mine.xml"))
    assert session.run(np.ones((1, 3, 64, 48), np.float32)).max() == pytest.approx(1)


def test_all_outputs_are_seven_maps_with_the_fused_first(small: Session) -> None:
    maps = small.run(NOISE, outputs="all")
    assert maps.shape == (1, 7, 320, 320)
    np.testing.assert_array_equal(maps[:, :1], small.run(NOISE))
    assert 0 <= maps.min() <= maps.max() <= 1


def test_submit_gives_what_run_gives(small: Session) -> None:
    np.testing.assert_array_equal(small.submit(NOISE).result(timeout=60), small.run(NOISE))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux tells which cores a thread may use")
def test_the_calling_thread_is_not_tied_to_a_core(small: Session) -> None:
    before = os.sched_getaffinity(0)
    small.run(NOISE)
    assert os.sched_getaffinity(0) == before


def test_threads_share_a_session(small: Session) -> None:
    inputs = [NOISE * scale for scale in (0.5, 1.0, 1.5, 2.0)]
    alone = [small.run(one) for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(small.run, inputs))
    for left, right in zip(alone, together, strict=True):
        np.testing.assert_array_equal(left, right)


def test_onnxruntime_gives_the_same_maps(small: Session) -> None:
    other = open_session("u2netp", engine="onnxruntime", threads=1)
    assert (other.engine, other.device, other.precision) == ("onnxruntime", "cpu", "f32")
    picture = u2net.read(EXAMPLES / "coffee.jpg")
    np.testing.assert_allclose(predict(other, picture).map, predict(small, picture).map, atol=1e-4)


def test_wrong_tensor_shape_and_closed_session_are_said(own_cache: Path, tmp_path: Path) -> None:
    with (
        open_session(write_model(tmp_path / "mine.xml")) as session,
        pytest.raises(BadInput, match="expected a tensor of shape"),
    ):
        session.run(np.ones((1, 3, 10, 10), np.float32))
    with pytest.raises(BadInput, match="closed"):
        session.run(np.ones((1, 3, 64, 48), np.float32))


def test_missing_device_falls_back_with_a_warning_or_fails_if_required(
    own_cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_model(tmp_path / "mine.xml")
    with caplog.at_level(logging.WARNING, "u2net"):
        assert open_session(path, device="npu").device == "cpu"
    assert "no device 'npu'" in caplog.text
    with pytest.raises(EngineUnavailable, match="npu"):
        open_session(path, device="npu", require_device=True)


def test_missing_device_of_onnxruntime_falls_back_or_fails_if_required(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "u2net"):
        assert open_session("u2netp", device="cuda").device == "cpu"
    assert "no device 'cuda'" in caplog.text
    with pytest.raises(EngineUnavailable, match="cuda"):
        open_session("u2netp", device="cuda", require_device=True)


def test_impossible_requests_are_said(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="f32 only"):
        open_session("u2netp", engine="onnxruntime", precision="bf16")
    with pytest.raises(EngineUnavailable, match="openvino has no device 'cuda'"):
        open_session("u2netp", engine="openvino", device="cuda")
    with pytest.raises(BadInput, match="only with the openvino engine"):
        open_session(write_model(tmp_path / "mine.xml"), engine="onnxruntime")
    with pytest.raises(BadInput, match="no engine 'tensorrt'"):
        open_session("u2netp", engine="tensorrt")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="threads"):
        open_session("u2netp", threads=0)


def test_auto_takes_the_fastest_that_is_there_and_free() -> None:
    def chosen(precision: str, name: str, *able: str, has_ranges: bool = True) -> str:
        return choose_precision(precision, MODELS[name], able=set(able), device="cpu", has_ranges=has_ranges)

    assert chosen("auto", "u2net", "bf16", "int8") == "int8"
    assert chosen("auto", "u2net", "bf16", "int8", has_ranges=False) == "bf16"
    assert chosen("auto", "u2net", "bf16") == "bf16"
    assert chosen("auto", "u2net") == "f32"
    assert chosen("auto", "u2netp", "bf16") == "f32"
    assert chosen("auto", "u2netp", "bf16", "int8") == "int8"
    assert chosen("auto", "silueta", "bf16", "int8") == "f32"
    assert chosen("f32", "u2net", "bf16", "int8") == "f32"
    assert chosen("bf16", "u2netp", "bf16", "int8") == "bf16"
    assert chosen("int8", "u2net") == "int8"  # slower there, but asked for
    with pytest.raises(EngineUnavailable, match="bf16"):
        chosen("bf16", "u2net")
    with pytest.raises(EngineUnavailable, match="u2net quantize silueta"):
        chosen("int8", "silueta", has_ranges=False)


def test_int8_is_thought_fast_on_processors_where_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["FP32", "INT8", "BF16"]
    monkeypatch.setattr(cv2, "checkHardwareSupport", lambda feature: feature == 11)
    assert abilities(both, "cpu") == {"int8", "bf16"}
    assert abilities(["FP32", "INT8"], "gpu") == set()
    monkeypatch.setattr(cv2, "checkHardwareSupport", lambda feature: False)
    assert abilities(both, "cpu") == {"bf16"}


@pytest.mark.parametrize("kind", ["black", "white", "grey", "noise"])
def test_picture_without_an_object_gives_an_empty_cutout(kind: str, small: Session) -> None:
    values = {"black": 0, "white": 255, "grey": 128}
    # Noise of 320 pixels a side and less is an object to u2netp (not to u2net), so this noise is larger.
    pixels = np.full((512, 600, 3), values.get(kind, 0), np.uint8)
    if kind == "noise":
        pixels = np.random.default_rng(1).integers(0, 256, pixels.shape, np.uint8)
    cutout = u2net.remove(pixels, small)
    assert not cutout.found
    assert cutout.box is None
    assert not cutout.pixels.any()
    assert u2net.saliency(pixels, small).max() < 0.5


def test_batch_of_several_sizes_equals_one_by_one(small: Session) -> None:
    folder = EXAMPLES
    pictures = [u2net.read(folder / name) for name in ("cat.png", "rocket.jpg")]
    together = predict_batch(small, pictures)
    assert [one.size for one in together] == [(300, 451), (427, 640)]
    np.testing.assert_array_equal(together[1].map, predict(small, pictures[1]).map)


def test_hidden_colors_below_transparency_are_not_seen(small: Session) -> None:
    coffee = u2net.read(EXAMPLES / "coffee.jpg")
    opaque = np.zeros(coffee.size, np.uint8)
    opaque[20:380, 80:480] = 255
    hidden = coffee.pixels.copy()
    hidden[opaque == 0] = 255 - hidden[opaque == 0]
    left, right = (predict(small, Picture(pixels, opaque)).map for pixels in (coffee.pixels, hidden))
    np.testing.assert_array_equal(left, right)


def test_model_of_another_kind_is_refused(small: Session) -> None:
    classes = replace(small, spec=replace(small.spec, kind="classes"))
    with pytest.raises(BadInput, match="classes"):
        predict(classes, Picture(np.zeros((8, 8, 3), np.uint8)))


def test_device_whose_driver_fails_falls_back_or_fails_if_required(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_model(tmp_path / "mine.xml")
    real = ov.Core()

    class BrokenGpu:
        available_devices: ClassVar[list[str]] = ["CPU", "GPU.0", "GPU.1"]

        def get_property(self, target: str, name: str) -> object:
            return ["FP32"] if target == "GPU" else real.get_property(target, name)

        def read_model(self, path: Path) -> object:
            return real.read_model(path)

        def compile_model(self, model: object, target: str, config: dict[str, object]) -> object:
            if target == "GPU":
                raise RuntimeError("Exception from somewhere.cpp:42:\nclBuildProgram failed")
            return real.compile_model(model, target, config)

        def import_model(self, blob: object, target: str, config: dict[str, object]) -> object:
            return real.import_model(blob, target, config)

    monkeypatch.setattr(ov, "Core", BrokenGpu)
    with caplog.at_level(logging.WARNING, "u2net"):
        assert open_session(path, device="gpu").device == "cpu"
    assert "finds 'gpu' here but cannot use it (clBuildProgram failed)" in caplog.text
    with pytest.raises(EngineUnavailable, match="clBuildProgram failed"):
        open_session(path, device="gpu", require_device=True)
    with pytest.raises(EngineUnavailable, match="no device 'npu' here; it has: cpu, gpu;"):
        open_session(path, device="npu", require_device=True)


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process there")
def test_ctrl_c_after_another_thread_let_go_of_the_session_is_a_keyboard_interrupt(
    tmp_path: Path, own_cache: Path
) -> None:
    code = (
        "import gc, os, signal, sys, threading, u2net\n"
        "held = [u2net.open_session(sys.argv[1])]\n"
        "thread = threading.Thread(target=lambda: (held.clear(), gc.collect()))\n"
        "thread.start(); thread.join()\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); signal.pause()\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    command = [sys.executable, "-c", code, str(write_model(tmp_path / "mine.xml"))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "interrupted\n")


def test_several_requests_at_a_time_give_the_maps_of_one(tmp_path: Path, own_cache: Path) -> None:
    path = write_model(tmp_path / "mean.xml", gain=0.2)
    tensors = np.random.default_rng(1).random((40, 1, 3, 64, 48), np.float32)
    with open_session(path, requests=3) as session, ThreadPoolExecutor(6) as pool:
        maps = list(pool.map(session.run, tensors))
        queued = [session.submit(tensor) for tensor in tensors[:6]]
        for tensor, found in zip(tensors, [*(future.result() for future in queued), *maps[6:]], strict=True):
            np.testing.assert_allclose(found[0, 0], tensor[0].mean(0) * 0.2, atol=1e-5)
        assert session.requests == 3
    with pytest.raises(BadInput, match="closed"):
        session.run(tensors[0])


def test_no_more_threads_are_in_the_network_than_there_are_requests() -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def infer(tensor: np.ndarray) -> list[np.ndarray]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.005)
        with lock:
            inside -= 1
        return [tensor[:, :1]]

    session = Session(replace(MODELS["u2netp"], activation="none"), "openvino", "cpu", "f32", infer, requests=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(session.run, [NOISE] * 24))
    assert most == 2


def test_no_request_at_all_is_refused() -> None:
    with pytest.raises(BadInput, match="requests must be at least 1"):
        open_session("u2netp", requests=0)
