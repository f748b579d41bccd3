"""What runs the networks: one file and one function an engine. Here: what of them is installed, without loading it."""

from __future__ import annotations

DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "openvino": ("openvino",),
    # All of these install the one module `onnxruntime`, each over the other's files.
    "onnxruntime": (
        "onnxruntime",
        "onnxruntime-gpu",
        "onnxruntime-directml",
        "onnxruntime-migraphx",
        "onnxruntime-rocm",
        "onnxruntime-openvino",
    ),
}
"""The packages that an engine comes in, the common one first."""


def installed(engine: str) -> dict[str, str]:
    """The packages of an engine that are installed here, with their versions."""
    return {name: version for name in DISTRIBUTIONS[engine] if (version := version_of(name))}


def version_of(distribution: str) -> str | None:
    """The version of an installed package, or None."""
    from importlib import metadata  # takes a third of the time of `u2net --help`

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
