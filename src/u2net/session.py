"""A loaded model: `open_session` is the one entry to inference."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from u2net.card import read_card
from u2net.cgroup import allowed_threads
from u2net.errors import BadInput, EngineUnavailable, UnknownModel, WeightsUnavailable
from u2net.models import find_model
from u2net.ranges import Ranges, find_ranges
from u2net.types import Map, ModelSpec, Progress, Tensor

log = logging.getLogger("u2net")

Engine: TypeAlias = Literal["auto", "openvino", "onnxruntime"]
Device: TypeAlias = Literal["auto", "cpu", "gpu", "npu", "cuda", "coreml", "directml", "rocm"]
Precision: TypeAlias = Literal["auto", "f32", "bf16", "int8"]

ENGINES: tuple[Engine, ...] = ("auto", "openvino", "onnxruntime")
PRECISIONS: tuple[Precision, ...] = ("auto", "f32", "bf16", "int8")
DEVICES_OF_ENGINE: dict[str, tuple[str, ...]] = {
    "openvino": ("cpu", "gpu", "npu"),
    "onnxruntime": ("cpu", "cuda", "coreml", "directml", "rocm"),
}

MODEL_FILE_SUFFIXES = (".onnx", ".xml")


@dataclass(frozen=True, eq=False)
class Session:
    """A model, loaded once; any number of threads may share it.

    spec: how pictures go in and maps come out. engine, device, precision: what really runs, never `auto`.
    infer: (1, 3, h, w) to all the maps that the file has, each (1, C, h, w), in the file's order; at most `requests`
    threads may be in it.
    """

    spec: ModelSpec
    engine: str
    device: str
    precision: str
    infer: Callable[[Tensor], list[Map]] = field(repr=False)
    requests: int = 1
    _turns: threading.Semaphore = field(init=False, repr=False)
    _queue: ThreadPoolExecutor = field(init=False, repr=False)
    _closed: threading.Event = field(default_factory=threading.Event, repr=False)
    _closing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", threading.Semaphore(self.requests))
        object.__setattr__(self, "_queue", ThreadPoolExecutor(self.requests, "u2net"))

    def run(self, tensor: Tensor, *, outputs: Literal["fused", "all"] = "fused") -> Map:
        """Run the network.

        tensor: (N, 3, h, w) float32, as `tensor.from_pixels` makes it.
        Returns (N, C, h, w) float32, probabilities: C is 1 for the fused map of a saliency model; with
        outputs="all" the side outputs follow on the same axis.
        Raises BadInput for another shape or a closed session.
        """
        expected = ("N", 3, *self.spec.size) if self.spec.fit != "native" else ("N", 3, "h", "w")
        fits = tensor.ndim == 4 and all(want in (got, "N", "h", "w") for want, got in zip(expected, tensor.shape))  # noqa: B905
        if not fits:
            raise BadInput(f"expected a tensor of shape {expected}, got {tensor.shape}")
        tensor = np.ascontiguousarray(tensor, dtype=np.float32)
        maps = []
        for one in np.split(tensor, tensor.shape[0]):
            with self._turns:
                if self._closed.is_set():
                    raise BadInput("the session is closed; open another one")
                found = self.infer(one)
            maps.append(np.concatenate(found if outputs == "all" else found[:1], axis=1))
        return _activated(np.concatenate(maps), self.spec)

    def submit(self, tensor: Tensor) -> Future[Map]:
        """Queue `run(tensor)` and return at once; the future gives its result."""
        return self._queue.submit(self.run, tensor)

    def close(self) -> None:
        """Wait for what is running and refuse what comes later."""
        self._queue.shutdown()
        with self._closing:
            self._closed.set()
            for _ in range(self.requests):
                self._turns.acquire()
            self._turns.release(self.requests)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_session(
    model: str | Path = "u2net",
    *,
    engine: Engine = "auto",
    device: Device = "auto",
    require_device: bool = False,
    precision: Precision = "auto",
    threads: int | None = None,
    requests: int = 1,
    offline: bool = False,
    on_progress: Progress | None = None,
) -> Session:
    """Load a model once, to use it for many pictures and from many threads.

    model: a name of `u2net.models.MODELS`, or the path of an .onnx or OpenVINO .xml file.
    engine: `auto` is openvino, but onnxruntime where only that one knows the device.
    device: `auto` is the CPU. One that is not there is replaced by the CPU with a warning, unless `require_device`.
    precision: `auto` takes the fastest that this processor computes in and that this model loses nothing by: int8,
    bf16 or f32. An int8 model is made here, once, by a table of measured ranges (`u2net quantize`).
    threads: at most so many; None: as many as there are cores, and no more than a container's CPU quota feeds.
    requests: how many pictures may be in the network at a time. More than one pays where many wait: OpenVINO then gives
    each its share of the processor's threads, which is quicker than one after the other with all of them. Only there.
    offline: never fetch a weight file. on_progress: called while one arrives.
    Raises UnknownModel, WeightsUnavailable, WrongChecksum, EngineUnavailable, BadInput.
    """
    from u2net import weights

    if threads is not None and threads < 1:
        raise BadInput(f"threads must be at least 1, got {threads}")
    if requests < 1:
        raise BadInput(f"requests must be at least 1, got {requests}")
    # Neither engine looks at the quota; ONNX Runtime with 2 threads in the time of 1 core took 783 ms against 536.
    threads = threads or allowed_threads()
    _check_choice("engine", engine, ENGINES)
    _check_choice("precision", precision, PRECISIONS)
    _check_choice("device", device, ("auto", *dict.fromkeys(sum(DEVICES_OF_ENGINE.values(), ()))))
    spec, path = spec_of(model)
    if spec.kind != "saliency":
        raise BadInput(
            f"{spec.name} gives maps of {spec.kind}, not of saliency; u2net cannot use them yet, that comes later"
        )
    chosen = _engine_for(engine, device, path)
    wanted_device = "cpu" if device == "auto" else device
    if chosen == "onnxruntime" and engine == "auto" and not require_device and not _has_onnxruntime(device):
        chosen, wanted_device = "openvino", "cpu"
    if path is None:
        path = weights.locate(spec, offline=offline, on_progress=on_progress)
    if chosen == "onnxruntime":
        from u2net.engines.onnxruntime import open_onnxruntime

        return open_onnxruntime(
            path, spec, precision=precision, device=wanted_device, require_device=require_device, threads=threads
        )
    from u2net.engines.openvino import open_openvino

    return open_openvino(
        path,
        spec,
        precision=precision,
        device=wanted_device,
        require_device=require_device,
        threads=threads,
        requests=requests,
        cache_dir=weights.cache_dir() / "compiled",
        ranges=int8_table(spec, path, precision),
    )


def int8_table(spec: ModelSpec, path: Path, precision: Precision) -> Ranges | None:
    """The table by which a session of this precision would be int8, or None.

    path: of the weight file, of a known model also where it will lie. Raises WeightsUnavailable as `find_ranges` does.
    """
    from u2net import weights

    wanted = precision == "int8" or (precision == "auto" and "int8" in spec.free_precisions)
    return find_ranges(spec, path, weights.tables_dir()) if wanted else None


@functools.cache
def default_session() -> Session:
    """The session that `u2net.remove` and `u2net.saliency` use when they are given none: u2net, opened once."""
    return open_session()


def spec_of(model: str | Path) -> tuple[ModelSpec, Path | None]:
    """The row of a known model, or one made for a user's own file, by the card in it if it has one, with its path."""
    path = Path(model)
    if path.suffix.lower() in MODEL_FILE_SUFFIXES:
        if not path.is_file():
            raise WeightsUnavailable(f"{path}: there is no such model file")
        card = read_card(path)
        return card.spec(path) if card else ModelSpec(name=path.stem, file=path.name, activation="detect"), path
    if path.name != str(model):
        raise UnknownModel(f"{model}: a model file ends in .onnx or .xml (OpenVINO)")
    return find_model(str(model)), None


def _engine_for(engine: str, device: str, path: Path | None) -> str:
    if engine == "auto":
        engine = "openvino" if device in ("auto", *DEVICES_OF_ENGINE["openvino"]) else "onnxruntime"
    elif device not in ("auto", *DEVICES_OF_ENGINE[engine]):
        choices = ", ".join(DEVICES_OF_ENGINE[engine])
        raise EngineUnavailable(f"{engine} has no device '{device}'; it knows {choices}")
    if engine == "onnxruntime" and path is not None and path.suffix.lower() == ".xml":
        raise BadInput(f"{path}: an OpenVINO model runs only with the openvino engine")
    return engine


def _has_onnxruntime(device: str) -> bool:
    from u2net.engines.onnxruntime import import_onnxruntime

    try:
        import_onnxruntime(device)
    except EngineUnavailable as error:
        problem, _, mend = str(error).partition("; run: ")
        log.warning(
            "no device '%s': %s; the CPU is used (--require-device makes this an error); run: %s", device, problem, mend
        )
        return False
    return True


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadInput(f"no {what} '{value}'; choose one of {', '.join(choices)}")


def _activated(maps: Map, spec: ModelSpec) -> Map:
    logits = spec.activation == "sigmoid" or (
        spec.activation == "detect" and spec.kind == "saliency" and (maps.min() < -1e-3 or maps.max() > 1 + 1e-3)
    )
    if logits:
        with np.errstate(over="ignore"):  # exp of a large number is infinity, and 1 / infinity the right answer
            maps = (1 / (1 + np.exp(-maps))).astype(np.float32)
    return 1 - maps if spec.invert else maps
