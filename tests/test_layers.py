"""The house of DESIGN.md: who may import whom, and what stays unloaded until it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "u2net"
LAYERS = [
    {"errors", "types", "atomic", "cgroup", "digest", "interrupt"},
    {
        "damage",
        "exif",
        "jpeg",
        "shaper",
        "colour",
        "metadata",
        "readers",
        "samples",
        "png",
        "tiff",
        "sources",
        "pixels",
        "encode",
        "tensor",
        "scaling",
        "bands",
        "foreground",
        "guided_filter",
        "closed_form",
        "matte",
        "trimap",
        "composite",
        "background",
        "framing",
        "shadow",
        "defocus",
        "arrange",
        "boxes",
        "effects",
        "panel",
        "parallax",
        "paste",
        "locate",
        "scenes",
        "region",
        "canvas",
        "split",
        "pairs",
        "pack",
        "truths",
        "likeness",
        "metrics",
        "card",
        "frames",
        "palette",
        "gif",
        "apng",
        "webp",
        "animation",
        "steady",
        "encode_frames",
    },
    {"models", "fetch", "weights", "session", "engines", "machine", "ranges"},
    {
        "predict",
        "second_look",
        "looks",
        "hints",
        "subject",
        "cut",
        "remove",
        "moving",
        "scene_set",
        "batch",
        "manifest",
        "pipeline",
        "watch",
        "batch_report",
        "evaluate",
        "report",
        "doctor",
        "probe",
        "bench",
        "bench_process",
        "findings",
        "data_check",
        "data_pack",
        "contact_sheet",
        "gallery",
        "calibrate",
    },
    {"cli", "compat", "__main__"},
]
TRAINING = 2
"""`train` stands beside the jobs: it may import this layer and those below, and only the surfaces import it."""
HEAVY = ["torch", "openvino", "onnxruntime", "av", "fastapi", "pymatting", "matplotlib", "numpy", "cv2", "PIL"]
FILES = sorted(SOURCE.rglob("*.py"))


def layer(module: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if module in names)


def reach(module: str) -> set[str]:
    """What a module may import."""
    top = TRAINING if module == "train" else layer(module)
    return {module}.union(*LAYERS[: top + 1]) | ({"train"} if top == len(LAYERS) - 1 else set())


def module_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported_from_u2net(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("u2net"):
            inner = (node.module or "").split(".")[1:]
            names |= {inner[0]} if inner else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("u2net.")}
    return names - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_imports_only_its_own_layer_and_those_below(path: Path) -> None:
    if path == SOURCE / "__init__.py":
        return  # the package's face shows names of every layer
    assert imported_from_u2net(path) <= reach(module_of(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_is_longer_than_one_person_wants_to_open(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_importing_the_package_and_its_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, u2net, u2net.cli; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
