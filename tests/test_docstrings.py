"""Public docstrings have an example, and each example gives what it says."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import u2net
from support.paths import EXAMPLES
from test_public_names import ALL
from u2net.inference.session import Session

RESULTS = {
    "u2net.compose": {"Location", "Placement"},
    "u2net.video": {"Animation", "Frame"},
    "u2net.evaluation": {"Evaluation", "Pair", "Scores"},
    "u2net.datasets": {"Check", "Detection", "Pack", "PackedSample", "Pair", "Pairs", "Problem", "Scene", "Subject"},
    "u2net.train": {"Augmentation", "Report", "Result"},
}
"""What a function returns or takes, and its example shows."""
NEEDS = {
    "u2net.evaluation": "py_sod_metrics",
    "u2net.train": "torch",
    "refine_closed_form": "pymatting",
    "matte_trimap": "pymatting",
}
SHOWN = [(package, name) for package, name in ALL if not name.isupper() and name not in RESULTS.get(package, ())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small: Session) -> Path:
    """Where the examples run: the pictures of examples/, an animation, maps, and a data set of one pair."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("tour-results"))
    cutout = u2net.remove(EXAMPLES / "cat.png", small)
    for path in ("maps/cat.png", "data/masks/cat.png"):
        (folder / path).parent.mkdir(parents=True)
        cutout.mask().save(folder / path)
    (folder / "data" / "images").mkdir()
    shutil.copy(EXAMPLES / "cat.png", folder / "data" / "images")
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "blue")]
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:], duration=100)
    return folder


def loaded(package: str, name: str) -> Any:
    for needed in {NEEDS.get(package), NEEDS.get(name)} - {None}:
        if importlib.util.find_spec(str(needed)) is None:
            pytest.skip(f"needs {needed}")
    return getattr(importlib.import_module(package), name)


@pytest.mark.parametrize(("package", "name"), SHOWN)
def test_example_gives_what_it_says(package: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    text = inspect.getdoc(loaded(package, name)) or ""
    example = doctest.DocTestParser().get_doctest(text, {"u2net": u2net, "np": np, "Path": Path}, name, None, None)
    assert example.examples, "no example"
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
    assert not said, "".join(said)
