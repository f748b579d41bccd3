"""Open a session: `open_session` chooses engine, device and precision; `shared_session` opens each one once."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from u2net.errors import BadInput, EngineUnavailable, UnknownModel, WeightsUnavailable
from u2net.inference.int8_ranges import Ranges, find_ranges
from u2net.inference.session import DEVICES_OF_ENGINE, ENGINES, PRECISIONS, Device, Engine, Precision, Session, log
from u2net.models.cache import cache_dir, tables_dir
from u2net.models.card import read_card
from u2net.models.registry import DEFAULT_MODEL, find_model
from u2net.models.spec import ModelSpec, Progress
from u2net.system.resources import allowed_threads

MODEL_FILE_SUFFIXES = (".onnx", ".xml")


def open_session(
    model: str | Path = DEFAULT_MODEL,
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

    model: a name of `u2net.MODELS`, or the path of an .onnx or OpenVINO .xml file.
    engine: `auto` is openvino, but onnxruntime where only that one knows the device.
    device: `auto` is the CPU. One that is not there is replaced by the CPU with a warning, unless `require_device`.
    precision: `auto` takes the fastest that this processor computes in and that this model loses nothing by: int8,
    bf16 or f32. Maps then differ slightly between processors; `f32` gives the same ones everywhere, but for the last
    digits. An int8 model is made here, once, by a table of measured ranges (`u2net quantize`).
    threads: at most so many; None: as many as there are cores, and no more than a container's CPU quota feeds.
    requests: how many pictures may be in the network at a time. More than one pays where many wait: OpenVINO then gives
    each its share of the processor's threads, which is quicker than one after the other with all of them. Only there.
    offline: never fetch a weight file. on_progress: called while one arrives.
    Raises UnknownModel, WeightsUnavailable, WrongChecksum, EngineUnavailable, BadInput.

    >>> session = u2net.open_session("u2netp", precision="f32", threads=1)
    >>> u2net.remove("examples/cat.png", session).found
    True
    >>> session.close()
    """
    from u2net.models import weights

    check_choices(engine, device, precision, threads)
    if requests < 1:
        raise BadInput(f"requests must be at least 1, got {requests}")
    spec, path = spec_of(model)
    if spec.kind != "saliency":
        raise BadInput(
            f"{spec.name} gives maps of {spec.kind}, not of saliency; u2net cannot use them yet, that comes later"
        )
    opened_by = partial(
        shared_session,
        str(model) if path is None else path.absolute(),
        engine=engine,
        device=device,
        require_device=require_device,
        precision=precision,
        threads=threads,
        requests=requests,
        offline=offline,
    )
    # Neither engine looks at the quota; ONNX Runtime with 2 threads in the time of 1 core took 783 ms against 536.
    threads = threads or allowed_threads()
    chosen = _engine_for(engine, device, path)
    wanted_device = "cpu" if device == "auto" else device
    if chosen == "onnxruntime" and engine == "auto" and not require_device and not _has_onnxruntime(device):
        chosen, wanted_device = "openvino", "cpu"
    if path is None:
        path = weights.locate(spec, offline=offline, on_progress=on_progress)
    if chosen == "onnxruntime":
        from u2net.inference.engines.onnxruntime import open_onnxruntime

        opened = open_onnxruntime(
            path, spec, precision=precision, device=wanted_device, require_device=require_device, threads=threads
        )
    else:
        from u2net.inference.engines.openvino import open_openvino

        opened = open_openvino(
            path,
            spec,
            precision=precision,
            device=wanted_device,
            require_device=require_device,
            threads=threads,
            requests=requests,
            cache_dir=cache_dir() / "compiled",
            ranges=int8_table(spec, path, precision),
        )
    return replace(opened, opened_by=opened_by)


@dataclass(eq=False)
class _Slot:
    """The session of one model and choice. lock: held while it opens, so that others wait for it alone."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    session: Session | None = None
    stamp: tuple[int, int] | None = None


_slots: dict[Hashable, _Slot] = {}
_slots_lock = threading.Lock()


def shared_session(
    model: str | Path | Session = DEFAULT_MODEL,
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
    """The session of a model that everybody in this process shares; the first call opens it.

    model: a name, a path, or a session, which is returned as it is. The rest: as for `open_session`.
    Each model and choice of engine, device, precision, threads and requests is opened once, however many threads ask at
    the same moment; different ones open side by side. A call that failed is tried anew by the next one. A model file
    that has changed, or a session that was closed, is opened again.
    Raises what `open_session` raises, and BadInput for a model of another kind.
    """
    if isinstance(model, Session):
        return model
    if not isinstance(model, (str, Path)):
        raise BadInput(f"a model is a name, the path of a model file or a Session, not {type(model).__name__}")
    path = spec_of(model)[1]
    place = str(model) if path is None else path.resolve()
    with _slots_lock:
        slot = _slots.setdefault((place, engine, device, require_device, precision, threads, requests), _Slot())
    with slot.lock:
        stamp = None if path is None else _stamp(path)
        if slot.session is None or slot.session.closed or slot.stamp != stamp:
            slot.session = None  # before another one is opened, so that the two never lie in memory together
            slot.session = open_session(
                model,
                engine=engine,
                device=device,
                require_device=require_device,
                precision=precision,
                threads=threads,
                requests=requests,
                offline=offline,
                on_progress=on_progress,
            )
            slot.stamp = stamp
        return slot.session


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def int8_table(spec: ModelSpec, path: Path, precision: Precision) -> Ranges | None:
    """The table by which a session of this precision would be int8, or None.

    path: of the weight file, of a known model also where it will lie. Raises WeightsUnavailable as `find_ranges` does.
    """
    wanted = precision == "int8" or (precision == "auto" and "int8" in spec.free_precisions)
    return find_ranges(spec, path, tables_dir()) if wanted else None


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
    from u2net.inference.engines.onnxruntime import import_onnxruntime

    try:
        import_onnxruntime(device)
    except EngineUnavailable as error:
        problem, _, fix = str(error).rpartition("; ")
        log.warning(
            "no device '%s': %s; the CPU is used (--require-device makes this an error); %s", device, problem, fix
        )
        return False
    return True


def check_choices(engine: str, device: str, precision: str, threads: int | None) -> None:
    """Raise BadInput for what `open_session` does not know."""
    if threads is not None and threads < 1:
        raise BadInput(f"threads must be at least 1, got {threads}")
    devices = ("auto", *dict.fromkeys(sum(DEVICES_OF_ENGINE.values(), ())))
    for what, value, choices in (
        ("engine", engine, ENGINES),
        ("precision", precision, PRECISIONS),
        ("device", device, devices),
    ):
        if value not in choices:
            raise BadInput(f"no {what} '{value}'; choose one of {', '.join(choices)}")
