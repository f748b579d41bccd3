"""OpenVINO: the engine of the base installation."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import mmap
import queue
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from u2net.errors import EngineUnavailable, WeightsUnavailable
from u2net.inference.engines.int8 import quantize_graph
from u2net.inference.engines.upsample import enlarge_by_products
from u2net.inference.int8_ranges import Ranges
from u2net.inference.session import Session
from u2net.models.spec import ModelSpec
from u2net.system.digest import digest_of
from u2net.system.files import atomic_file
from u2net.types import Map, Tensor

log = logging.getLogger("u2net")

_AVX2 = 11  # cv::CPU_AVX2, which cv2 does not name; false on processors that are not of x86
_GRAPH = 2
"""Raised when a model is prepared in another way, so that compiled models of before are not taken up."""
_DEVICE = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}


def open_openvino(
    path: Path,
    spec: ModelSpec,
    *,
    precision: str,
    device: str,
    require_device: bool,
    threads: int | None,
    cache_dir: Path,
    requests: int = 1,
    ranges: Ranges | None = None,
) -> Session:
    """Compile a model file (.onnx, .xml) for a device, or take up the compiled model of an earlier start.

    precision: `auto`, `f32`, `bf16` or `int8`. device: `cpu`, `gpu` or `npu`. requests: at a time, on the CPU; others
    take one. ranges: what an int8 model is made by.
    cache_dir: where compiled models lie; one that cannot be written only costs the next start its speed.
    Raises EngineUnavailable for a device or precision that is not here, WeightsUnavailable for an unusable file.
    """
    core = openvino_core()
    have = [name.split(".")[0] for name in core.available_devices]

    def open_on(device: str) -> Session:
        return _open(core, path, spec, precision, device, threads, cache_dir, requests, ranges)

    if _DEVICE[device] in have:
        try:
            return open_on(device)
        except RuntimeError as error:  # of a driver
            problem = f"OpenVINO finds '{device}' here but cannot use it ({_last_line(error)})"
    else:
        here = ", ".join(name.lower() for name in dict.fromkeys(have))
        problem = f"OpenVINO finds no device '{device}' here; it has: {here}"
    if require_device or device == "cpu":
        raise EngineUnavailable(f"{problem}; run: u2net doctor")
    log.warning("%s; the CPU is used (--require-device makes this an error); run: u2net doctor", problem)
    try:
        return open_on("cpu")
    except RuntimeError as error:
        raise EngineUnavailable(f"OpenVINO cannot use the CPU ({_last_line(error)}); run: u2net doctor") from error


def import_openvino() -> Any:
    """The module. Raises EngineUnavailable where it is not installed or cannot be loaded."""
    try:
        import openvino
    except (ImportError, OSError, RuntimeError) as error:  # a library that is missing, or not for this processor
        raise EngineUnavailable(f"openvino cannot be loaded ({error}); run: u2net doctor") from error
    if not hasattr(openvino, "Core"):  # what an uninstallation left, or a folder of that name
        raise EngineUnavailable("openvino is only half installed; run: u2net doctor")
    return openvino


def openvino_core() -> Any:
    """OpenVINO's Core, one for the whole process. Raises EngineUnavailable as `import_openvino` does.

    It is never released: its CPU plug-in gives the thread that loads it a stack for signals, and frees it with itself.
    Where another thread lets go of the last model, the next Ctrl-C would run on freed memory and end the process with a
    segmentation fault (OpenVINO 2026.4.1).
    """
    try:
        return _kept(import_openvino().Core)
    except RuntimeError as error:
        raise EngineUnavailable(f"openvino cannot be loaded ({_last_line(error)}); run: u2net doctor") from error


@functools.cache
def _kept(core_class: Callable[[], Any]) -> Any:
    return core_class()


def _last_line(error: BaseException) -> str:
    """Where OpenVINO's messages of many lines say what is wrong."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _open(
    core: Any,
    path: Path,
    spec: ModelSpec,
    precision: str,
    device: str,
    threads: int | None,
    cache_dir: Path,
    requests: int,
    ranges: Ranges | None,
) -> Session:
    target = _DEVICE[device]
    able = abilities(core.get_property(target, "OPTIMIZATION_CAPABILITIES"), device)
    chosen = choose_precision(precision, spec, able=able, device=device, has_ranges=ranges is not None)

    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if target == "CPU":
        config["ENABLE_CPU_PINNING"] = False  # else all processes on a machine share its first cores
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = threads
    requests = requests if target == "CPU" else 1
    if requests > 1:
        config |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": requests}
    try:
        compiled, kept = _compiled(core, path, spec, chosen, target, config, cache_dir, ranges)
    except EngineUnavailable as error:
        if precision != "auto" or chosen != "int8":
            raise
        log.warning("%s; int8 is not used", error)
        chosen = choose_precision(precision, spec, able=able, device=device, has_ranges=False)
        compiled, kept = _compiled(core, path, spec, chosen, target, config, cache_dir, None)

    height, width = compiled.input(0).get_partial_shape()[2:4]
    if not (height.is_dynamic or width.is_dynamic):
        spec = replace(spec, size=(height.get_length(), width.get_length()))
    idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for _ in range(requests):
        idle.put(compiled.create_infer_request())

    def infer(tensor: Tensor, _kept: object = kept) -> list[Map]:  # _kept: the mapped file lives as long as the model
        request = idle.get()
        try:
            found = request.infer({0: tensor}, share_inputs=True)
            return [np.array(found[index]) for index in range(len(compiled.outputs))]
        except RuntimeError as error:  # out of the device's memory, a driver that went away
            raise EngineUnavailable(f"OpenVINO failed on '{device}': {_last_line(error)}") from error
        finally:
            idle.put(request)

    return Session(spec, "openvino", device, chosen, infer, requests)


def _compiled(
    core: Any,
    path: Path,
    spec: ModelSpec,
    precision: str,
    target: str,
    config: dict[str, Any],
    cache_dir: Path,
    ranges: Ranges | None,
) -> tuple[Any, object]:
    """(compiled model, what must outlive it); of an earlier start, else made and kept for the next."""
    import openvino as ov

    # What of an int8 model is not int8 stays f32: u2netp loses in bf16, and little time is to be had there.
    config = config | {"INFERENCE_PRECISION_HINT": "f32" if precision == "int8" else precision}
    table = ranges.fingerprint if ranges and precision == "int8" else ""
    kin = f"{_name_of(path, spec)}-{precision}-"
    blob = cache_dir / f"{kin}{_fingerprint(path, spec, core, target, ov.__version__, table)}.blob"
    compiled, kept = _import_compiled(core, blob, target, config)
    if compiled is None:
        model = prepared_model(core, path, spec, ranges if table else None, target)
        compiled = core.compile_model(model, target, config)
        del model
        if _export_compiled(compiled, blob, f"{kin}*.blob"):
            again, kept = _import_compiled(core, blob, target, config)  # takes less memory than the one just made
            compiled = again or compiled
    return compiled, kept


def abilities(capabilities: Sequence[str], device: str) -> set[str]:
    """The precisions besides f32 in which a device is known to be faster, from what OpenVINO says that it can do.

    OpenVINO says INT8 of every processor. With AVX2, and more so with VNNI or AMX, it is faster than f32; elsewhere it
    was not measured.
    """
    able = {"bf16"} if "BF16" in capabilities else set()
    if device == "cpu" and "INT8" in capabilities and cv2.checkHardwareSupport(_AVX2):
        able.add("int8")
    return able


def choose_precision(precision: str, spec: ModelSpec, *, able: set[str], device: str, has_ranges: bool) -> str:
    """What a wanted precision means for this model on this device: `auto` the fastest that costs no accuracy.

    able: see `abilities`. has_ranges: whether there is a table to make an int8 model by.
    Raises EngineUnavailable for a precision that is not here.
    """
    if precision == "auto":
        usable = able if has_ranges else able - {"int8"}
        return next((one for one in spec.free_precisions if one in usable), "f32")
    if precision == "bf16" and "bf16" not in able:
        raise EngineUnavailable(f"the {device} of this machine does not compute in bf16; use --precision auto or f32")
    if precision == "int8" and not has_ranges:
        raise EngineUnavailable(
            f"there is no table to make an int8 model of {spec.name} by; make one with "
            f"u2net quantize {spec.name if spec.checksum else spec.file} --images FOLDER, or use --precision auto"
        )
    return precision


def prepared_model(core: Any, path: Path, spec: ModelSpec, ranges: Ranges | None, target: str = "CPU") -> Any:
    """A model file as OpenVINO compiles it: see `read_model`, int8 with a table, on the CPU with quicker enlarging."""
    model = read_model(core, path, spec)
    if ranges:
        quantize_graph(model, ranges)
    if target == "CPU":
        enlarge_by_products(model)
    return model


def read_model(core: Any, path: Path, spec: ModelSpec) -> Any:
    """A model file as OpenVINO's model, of a fixed size where it has one. Raises WeightsUnavailable."""
    import openvino as ov

    try:
        model = core.read_model(path)
    except RuntimeError as error:
        raise WeightsUnavailable(f"{path}: OpenVINO cannot read this model ({_last_line(error)})") from error
    shapes = [source.get_partial_shape() for source in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or not shapes[0][1].compatible(ov.Dimension(3)):
        found = ", ".join(str(shape) for shape in shapes) or "none"
        raise WeightsUnavailable(f"{path}: expected a model with one input (N, 3, H, W), found {found}")
    if shapes[0].is_dynamic:
        size = spec.size if spec.fit != "native" else (-1, -1)
        fixed = [want if have.is_dynamic else have.get_length() for want, have in zip((1, 3, *size), shapes[0])]  # noqa: B905
        model.reshape(fixed)
    return model


def _name_of(path: Path, spec: ModelSpec) -> str:
    """What a compiled model's file name begins with; of a user's own file not its name, which may be a pattern."""
    return spec.name if spec.checksum else "own-" + digest_of(str(path.resolve()))[:12]


def _fingerprint(path: Path, spec: ModelSpec, core: Any, target: str, version: str, table: str) -> str:
    """What a compiled model depends on, besides what its file name says."""
    status = path.stat()
    weights = spec.checksum or f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    parts = (weights, version, core.get_property(target, "FULL_DEVICE_NAME"), spec.size, spec.fit, table, _GRAPH)
    return digest_of(repr(parts))[:16]


def _import_compiled(core: Any, blob: Path, target: str, config: dict[str, Any]) -> tuple[Any, object]:
    """(compiled model, what must outlive it), or (None, None) where there is no usable file."""
    import openvino as ov

    try:
        with blob.open("rb") as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError):
        return None, None
    length = len(mapped) - _TRAILER_BYTES
    if length <= 0:
        return None, None
    view = np.frombuffer(mapped, np.uint8, length)
    try:
        with ThreadPoolExecutor(1) as pool:  # OpenVINO looks at no checksum; beside its work ours costs no time
            trailer = pool.submit(_trailer, view.data)
            compiled = core.import_model(ov.Tensor(view, shared_memory=True), target, config)
        if trailer.result() != mapped[length:]:
            return None, None
    except RuntimeError:  # of another OpenVINO, or damaged: made anew
        return None, None
    # The plug-in has packed its own copy of the weights; without this the pages read count twice (u2net: 170 MB).
    if hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)
    return compiled, (mapped, view)


def _trailer(exported: memoryview) -> bytes:
    """What a compiled model's file ends with where it is whole and undamaged."""
    return b"u2net compiled model, CRC-32 %08x\n" % zlib.crc32(exported)


_TRAILER_BYTES = len(_trailer(memoryview(b"")))


def _export_compiled(compiled: Any, blob: Path, siblings: str) -> bool:
    """Write the compiled model for the next start and delete those it replaces."""
    try:
        blob.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(blob) as stream:
            exported = io.BytesIO()
            compiled.export_model(exported)
            stream.write(exported.getbuffer())
            stream.write(_trailer(exported.getbuffer()))
        for old in blob.parent.glob(siblings):
            if old != blob:
                with contextlib.suppress(OSError):  # in use, on Windows
                    old.unlink()
    except (OSError, RuntimeError) as error:
        log.debug("the compiled model is not kept: %s", error)
        return False
    return True
