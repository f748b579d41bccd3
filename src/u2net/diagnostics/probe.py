"""Whether an engine really runs on a device: tried in a process of its own, which a driver may crash or hang."""

from __future__ import annotations

import json
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from u2net.errors import EngineUnavailable, U2NetError
from u2net.inference.int8_ranges import Ranges
from u2net.inference.open_session import open_session
from u2net.inference.session import DEVICES_OF_ENGINE, Session
from u2net.models.registry import DEFAULT_MODEL, find_model
from u2net.models.spec import ModelSpec
from u2net.system.files import write_bytes
from u2net.types import Picture, Size, Tensor

TIMEOUT_S = 120.0
"""OpenVINO compiles u2net for a graphics card in up to a minute, once."""

RUNS = 5
TIME_FOR_RUNS_S = 3.0
_SIZE = 64
_MARK = "u2net probe: "  # drivers print, too


@dataclass(frozen=True)
class DeviceFound:
    """A device that an engine lists. precisions: those that it computes in. auto: which of them `--precision auto` is
    for u2net, or for the model that was named."""

    device: str
    name: str
    precisions: tuple[str, ...]
    auto: str = "f32"


@dataclass(frozen=True)
class ProbeResult:
    """An engine tried on a device. problem: why it cannot be used, or None.

    auto: whether it is the precision that `--precision auto` takes.
    load_s: to open the model; picture_s: to cut out a picture of 1 megapixel, the median of some; None: not timed.
    """

    engine: str
    device: str
    name: str
    precision: str
    problem: str | None = None
    load_s: float | None = None
    picture_s: float | None = None
    auto: bool = False


def list_devices(engine: str, model: str | None = None) -> tuple[list[DeviceFound], str | None]:
    """The devices that an engine lists here; or none, and why it cannot even be loaded."""
    answer = _ask({"engine": engine, "model": model})
    found = [DeviceFound(**each | {"precisions": tuple(each["precisions"])}) for each in answer.get("found", [])]
    return found, answer.get("problem")


def probe_device(engine: str, found: DeviceFound, precision: str, model: str | None) -> ProbeResult:
    """Run a small network, check its result, and time a picture with a model whose weights are here (None: skip)."""
    answer = _ask({"engine": engine, "device": found.device, "precision": precision, "model": model})
    return ProbeResult(engine, found.device, found.name, precision, auto=precision == found.auto, **answer)


def _ask(question: dict[str, Any]) -> dict[str, Any]:
    """Have `main` answer in another process."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from u2net.diagnostics.probe import main; main()"
    command = [sys.executable, "-c", code, json.dumps(question)]
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, errors="replace", check=False
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"gave no answer within {TIMEOUT_S:.0f} s"}
    for line in result.stdout.splitlines():
        if line.startswith(_MARK):
            answer: dict[str, Any] = json.loads(line.removeprefix(_MARK))
            return answer
    if result.returncode < 0:
        return {"problem": f"crashed ({signal.Signals(-result.returncode).name})"}
    said = result.stderr.strip().splitlines() or [f"ended with {result.returncode}"]
    return {"problem": said[-1][:300]}


def main() -> None:
    """Answer the question in argv: what an engine lists, or how a trial went."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # as in the command line
    question = json.loads(sys.argv[1])
    try:
        answer: dict[str, Any] = _tried(**question) if "device" in question else {"found": _listed(**question)}
    except U2NetError as error:
        answer = {"problem": str(error)}
    print("\n" + _MARK + json.dumps(answer), flush=True)  # noqa: T201


def _listed(engine: str, model: str | None) -> list[dict[str, Any]]:
    if engine == "onnxruntime":
        from u2net.inference.engines.onnxruntime import devices_of, import_onnxruntime

        providers = import_onnxruntime().get_available_providers()
        return [{"device": device, "name": device, "precisions": ["f32"]} for device in devices_of(providers)]
    from u2net.inference.engines.openvino import abilities, choose_precision, openvino_core

    core = openvino_core()
    listed = {name.split(".")[0]: name for name in reversed(core.available_devices)}
    spec = find_model(model or DEFAULT_MODEL)
    rows: list[dict[str, Any]] = []
    for device in DEVICES_OF_ENGINE["openvino"]:
        if target := listed.get(device.upper()):
            able = abilities(core.get_property(target, "OPTIMIZATION_CAPABILITIES"), device)
            auto = choose_precision("auto", spec, able=able, device=device, has_ranges=True)
            name = core.get_property(target, "FULL_DEVICE_NAME")
            rows.append({"device": device, "name": name, "precisions": ["f32", *sorted(able)], "auto": auto})
    return rows


def _tried(engine: Any, device: Any, precision: Any, model: str | None) -> dict[str, float]:
    chosen: dict[str, Any] = {"engine": engine, "device": device, "precision": precision, "require_device": True}
    _check_small_network(chosen)
    if model is None:
        return {}
    start = time.perf_counter()
    session = open_session(model, offline=True, **chosen)
    load_s = time.perf_counter() - start
    return {"load_s": round(load_s, 3), "picture_s": round(_time_of_a_picture(session), 4)}


def _check_small_network(chosen: dict[str, Any]) -> None:
    """Raises EngineUnavailable where the result is not what the formula gives."""
    tensor = np.linspace(-2, 2, 3 * _SIZE * _SIZE, dtype=np.float32).reshape(1, 3, _SIZE, _SIZE)
    expected = 1 / (1 + np.exp(-tensor.mean(axis=1, keepdims=True)))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Windows keeps a mapped file
        session = _open_small_network(Path(folder), **chosen)
        off = float(np.abs(session.run(tensor) - expected).max())
    if not off < 0.02:  # bf16 has 8 bits, int8 256 levels; NaN is not less
        raise EngineUnavailable(f"{chosen['engine']} computes wrongly on '{chosen['device']}': off by {off:.3g}")


def _open_small_network(folder: Path, engine: str, **chosen: Any) -> Session:
    """Open it without the cache folder, which may be what is broken."""
    path = folder / "probe.onnx"
    write_bytes(path, small_network())
    spec = ModelSpec(name="probe", file=path.name, size=(_SIZE, _SIZE))
    if engine == "onnxruntime":
        from u2net.inference.engines.onnxruntime import open_onnxruntime

        return open_onnxruntime(path, spec, threads=None, **chosen)
    from u2net.inference.engines.openvino import open_openvino

    ranges = Ranges("", {"picture": (-2.0, 2.0)}, {}, {"mean": 127}) if chosen["precision"] == "int8" else None
    return open_openvino(path, spec, threads=None, cache_dir=folder, ranges=ranges, **chosen)


def _time_of_a_picture(session: Session) -> float:
    """Seconds; the median of up to `RUNS` after one that does not count."""
    from u2net.tasks.remove import remove

    picture = ball_on_a_table()
    if not remove(picture, session).found:
        raise EngineUnavailable(f"{session.engine} finds no object on '{session.device}' in a picture that has one")
    times: list[float] = []
    while len(times) < RUNS and sum(times) < TIME_FOR_RUNS_S:
        start = time.perf_counter()
        remove(picture, session)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def ball_on_a_table(size: Size = (800, 1250)) -> Picture:
    """A picture with one object, as standard of 1 megapixel: a shaded red ball before a grey gradient."""
    height, width = size
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    behind = 150 + rows * (80 / height)
    pixels = np.stack([behind, behind, behind * 0.95], axis=-1)  # (H, W, 3)
    radius = 0.325 * height
    across, down = (columns - width / 2) / radius, (rows - 0.525 * height) / radius
    depth = np.sqrt(np.clip(1 - across**2 - down**2, 0, None))
    light = (0.25 + 0.75 * np.clip(depth * 0.7 - across * 0.4 - down * 0.5, 0, None))[..., None]
    ball = light * np.array([225, 40, 30], np.float32)
    return Picture(np.where(depth[..., None] > 0, ball, pixels).astype(np.uint8))


def small_network() -> bytes:
    """An ONNX model, sigmoid of a 1 x 1 convolution that takes the mean of three channels: what every device must do.

    (1, 3, 64, 64) -> (1, 1, 64, 64) float32. By hand, for the package that writes such files is larger than ours;
    the numbers are those of onnx.proto3.
    """
    weights: Tensor = np.full((1, 3, 1, 1), 1 / 3, np.float32)
    kernel = b"".join(_number(1, length) for length in weights.shape) + _number(2, 1)
    kernel += _bytes(8, b"kernel") + _bytes(9, weights.astype("<f4").tobytes())
    nodes = _node("Conv", b"picture", b"kernel", b"mean") + _node("Sigmoid", b"mean", b"map")
    graph = nodes + _bytes(2, b"probe") + _bytes(5, kernel)
    graph += _bytes(11, _value(b"picture", 3)) + _bytes(12, _value(b"map", 1))
    return _number(1, 8) + _bytes(8, _bytes(1, b"") + _number(2, 13)) + _bytes(7, graph)


def _node(operation: str, *names: bytes) -> bytes:
    *inputs, output = names
    return _bytes(1, b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(4, operation.encode()))


def _value(name: bytes, channels: int) -> bytes:
    shape = b"".join(_bytes(1, _number(1, length)) for length in (1, channels, _SIZE, _SIZE))
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, shape)))


def _number(field: int, value: int) -> bytes:
    assert value < 128
    return struct.pack("BB", field << 3, value)


def _bytes(field: int, value: bytes) -> bytes:
    """A field with its length, up to 16383, in one or two bytes."""
    low, high = len(value) & 127, len(value) >> 7
    return struct.pack("BBB", field << 3 | 2, low | 128, high) + value
