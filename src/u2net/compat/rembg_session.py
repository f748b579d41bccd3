"""rembg's way through the network: a Pillow image in, an 8-bit mask of its size out; and its session objects."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from u2net.errors import BadInput, EngineUnavailable, UnknownModel
from u2net.inference.engines import installed
from u2net.inference.engines.onnxruntime import import_onnxruntime
from u2net.inference.open_session import MODEL_FILE_SUFFIXES, open_session
from u2net.inference.session import Device, Engine, Precision, Session
from u2net.models.registry import MODELS

if TYPE_CHECKING:
    from u2net.models.spec import Progress
    from u2net.types import Map, Tensor

log = logging.getLogger("u2net")

_CPU = "CPUExecutionProvider"
_OPENVINO = "OpenVINOExecutionProvider"
_DEVICE_OF_PROVIDER: dict[str, Device] = {
    _CPU: "cpu",
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "cuda",
    "ROCMExecutionProvider": "rocm",
    "MIGraphXExecutionProvider": "rocm",
    "CoreMLExecutionProvider": "coreml",
    "DmlExecutionProvider": "directml",
}
_DEVICE_OF_PACKAGE: dict[str, Device] = {"onnxruntime-gpu": "cuda", "onnxruntime-rocm": "rocm"}
_OWN_FILE = {"u2net_custom": (320, 320), "dis_custom": (1024, 1024)}
"""rembg's names for a file of the user's own, and the network's input size that goes with each."""


@dataclass(frozen=True, eq=False)
class RembgSession:
    """A loaded model as rembg's users know it; any number of threads may share it.

    model_name: as it was asked for. session: u2net's own, which `u2net.remove` takes too.
    """

    model_name: str
    session: Session

    def predict(self, img: Image.Image, *args: Any, **kwargs: Any) -> list[Image.Image]:
        """The masks of a picture: a list of one Pillow image of mode L and of the picture's size.

        img: of any mode, upright. Further arguments are those of rembg's other models and change nothing.
        """
        spec = self.session.spec
        return [to_mask(self._raw.run(to_tensor(img, spec.size, spec.mean, spec.std)), img.size)]

    @functools.cached_property
    def _raw(self) -> Session:
        """rembg stretches what the file gives: a file that ends before its sigmoid is not given one."""
        return replace(self.session, spec=replace(self.session.spec, activation="none"))

    def name(self) -> str:
        """The model's name."""
        return self.model_name

    @property
    def inner_session(self) -> InnerSession:
        """What stands for rembg's `onnxruntime.InferenceSession`."""
        return InnerSession(self.session)


@dataclass(frozen=True, eq=False)
class InnerSession:
    """The part of `onnxruntime.InferenceSession` that rembg's users call."""

    session: Session

    def get_providers(self) -> list[str]:
        """The provider that the engine and device in use correspond to, and the CPU's."""
        if self.session.engine == "openvino":
            return [_OPENVINO, _CPU]
        first = next(name for name, device in _DEVICE_OF_PROVIDER.items() if device == self.session.device)
        return list(dict.fromkeys([first, _CPU]))

    def get_inputs(self) -> list[SimpleNamespace]:
        """One input: name, shape, type."""
        return [SimpleNamespace(name="input", shape=[1, 3, *self.session.spec.size], type="tensor(float)")]

    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, Tensor]) -> list[Map]:
        """The fused map alone, whatever `output_names` says."""
        (tensor,) = input_feed.values()
        return [self.session.run(tensor)]


def new_session(
    model_name: str = "u2net",
    providers: Sequence[str | tuple[str, dict[str, Any]]] | str | None = None,
    *args: Any,
    sess_opts: Any = None,
    model_path: str | Path | None = None,
    engine: Engine = "auto",
    precision: Precision = "f32",
    offline: bool = False,
    on_progress: Progress | None = None,
    **kwargs: Any,
) -> RembgSession:
    """Load a model once, for many calls of `remove`.

    model_name: a name of `u2net.MODELS`; an .onnx or .xml file; or u2net_custom or dis_custom with `model_path`.
    rembg's own default, bria-rmbg, is not here: its weights need a paid licence.
    providers: ONNX Runtime's names, the best first. The first one known says the device; one that is not here is
    replaced by the CPU with a warning. None: the CPU, or the graphics card where a package onnxruntime-gpu or -rocm is.
    sess_opts: its `intra_op_num_threads` is taken, else the variable OMP_NUM_THREADS.
    engine: `auto` is onnxruntime on the CPU where that is installed, as it is rembg's own and gives its pixels to the
    bit; else openvino, whose masks are up to two 255ths off in some pixels.
    precision, offline, on_progress: as in `u2net.open_session`; anything but f32 gives other pixels than rembg's.
    Further arguments are ignored, as rembg does.
    Raises UnknownModel with the names there are, and what `u2net.open_session` raises.
    """
    model, size = _model(model_name, model_path)
    device = _device(providers)
    opened = open_session(
        model,
        engine=_engine(model, device, precision) if engine == "auto" else engine,
        device="cpu" if device == "openvino" else device,
        precision=precision,
        threads=_threads(sess_opts),
        offline=offline,
        on_progress=on_progress,
    )
    if size and opened.spec.size != size:
        raise BadInput(
            f"{model}: takes pictures of {opened.spec.size}, {model_name} of {size}; "
            f"give it by its path alone: new_session({str(model)!r})"
        )
    if model_name == "dis_custom":
        opened = replace(opened, spec=replace(opened.spec, mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)))
    return RembgSession(str(model_name), opened)


def to_tensor(image: Image.Image, size: tuple[int, int], mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(1, 3, h, w) float32: shrunk with Lanczos in 8 bits, divided by its own maximum, normalised in float64.

    Source: normalize in rembg 2.0.86, rembg/sessions/base.py; here each of the 256 values is computed once.
    """
    colors = image if image.mode == "RGB" else image.convert("RGB")
    small = np.asarray(colors.resize((size[1], size[0]), Image.Resampling.LANCZOS))  # (h, w, 3) uint8
    levels = np.arange(256) / max(int(small.max()), 1e-6)
    table = ((levels[:, None] - np.array(mean)) / np.array(std)).astype(np.float32)  # (256, 3)
    return np.stack([table[small[..., channel], channel] for channel in range(3)])[None]


def to_mask(values: Map, size: tuple[int, int]) -> Image.Image:
    """An 8-bit grey image of `size` (width, height), from a map (1, 1, h, w).

    Stretched by its own minimum and maximum, truncated to 8 bits, enlarged with Lanczos. A flat map is 0 everywhere.
    There is no rule about pictures without an object: noise is stretched, as rembg does.
    """
    small = values[0, 0]
    low, high = small.min(), small.max()
    if not np.isfinite(low + high):
        raise BadInput("the network's map holds NaN or infinity; the model file does not work for this picture")
    stretched = (small - low) / (high - low) if high > low else np.zeros_like(small)
    mask = Image.fromarray((stretched.clip(0, 1) * 255).astype(np.uint8))
    return mask.resize(size, Image.Resampling.LANCZOS)


def _model(name: str, path: str | Path | None) -> tuple[str | Path, tuple[int, int] | None]:
    """What `open_session` takes, and the input size that the network must have, or None."""
    if name in _OWN_FILE:
        if path is None:
            raise BadInput(f"{name} is a file of yours; give model_path='network.onnx'")
        return Path(os.path.expanduser(path)), _OWN_FILE[name]
    if name in MODELS or Path(name).suffix.lower() in MODEL_FILE_SUFFIXES:
        return name, None
    usable = ", ".join(model for model, spec in MODELS.items() if spec.kind == "saliency")
    why = "bria-rmbg's weights need a paid licence" if name == "bria-rmbg" else f"no model '{name}'"
    raise UnknownModel(f"{why}; there are {usable}, an .onnx file, and u2net_custom and dis_custom with model_path")


def _engine(model: str | Path, device: str, precision: str) -> Engine:
    if device == "openvino":
        return "openvino"
    usable = device in ("auto", "cpu") and precision != "bf16" and Path(model).suffix.lower() != ".xml"
    if not usable or not installed("onnxruntime"):
        return "auto"
    try:
        import_onnxruntime()
    except EngineUnavailable as error:
        log.warning("%s; until then OpenVINO is used", error)
        return "auto"
    return "onnxruntime"


def _device(providers: Sequence[str | tuple[str, dict[str, Any]]] | str | None) -> Device | Literal["openvino"]:
    """What the providers ask for; `openvino` is that engine on the CPU."""
    if providers is None:
        return next(
            (_DEVICE_OF_PACKAGE[name] for name in installed("onnxruntime") if name in _DEVICE_OF_PACKAGE), "auto"
        )
    for entry in [providers] if isinstance(providers, str) else providers:
        name, options = (entry, {}) if isinstance(entry, str) else entry
        kind = str(options.get("device_type", "")).lower()
        if name == _OPENVINO:
            return "gpu" if kind.startswith("gpu") else "npu" if kind.startswith("npu") else "openvino"
        if name in _DEVICE_OF_PROVIDER:
            return _DEVICE_OF_PROVIDER[name]
        log.warning("no provider '%s' here; those known are %s", name, ", ".join([*_DEVICE_OF_PROVIDER, _OPENVINO]))
    return "auto"


def _threads(sess_opts: Any) -> int | None:
    wanted = int(getattr(sess_opts, "intra_op_num_threads", 0) or 0)
    variable = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return wanted or (int(variable) if variable.isdecimal() else 0) or None
