"""examples/tour.ipynb runs from top to bottom, and shows and writes what its text says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import numpy as np
import pytest
from PIL import Image

from support.paths import EXAMPLES
from u2net.inference.session import Session


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory, small: Session) -> tuple[Any, Path]:
    """The notebook after a run in a copy of examples/, and that folder; u2netp is already fetched."""
    folder = tmp_path_factory.mktemp("tour") / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("tour-results"))
    notebook = nbformat.read(folder / "tour.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook, folder


def test_every_cell_runs_and_every_step_shows_something(tour: tuple[Any, Path]) -> None:
    notebook, _ = tour
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
    assert sum("image/jpeg" in output.get("data", {}) for cell in code for output in cell.outputs) == 7


def test_what_it_writes_is_the_cutout_and_the_composite(tour: tuple[Any, Path]) -> None:
    results = tour[1] / "tour-results"
    assert sorted(path.name for path in results.iterdir()) == ["coffee.png", "cup-and-rocket.jpg"]
    cutout = np.asarray(Image.open(results / "coffee.png"))
    assert cutout.shape == (400, 600, 4)
    assert cutout[200, 240, 3] == 255
    assert cutout[5, 5, 3] == 0
    with Image.open(results / "cup-and-rocket.jpg") as scene, Image.open(EXAMPLES / "rocket.jpg") as rocket:
        assert scene.size == rocket.size


def test_its_stored_outputs_are_those_of_a_run_and_small(tour: tuple[Any, Path]) -> None:
    stored = nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    assert (EXAMPLES / "tour.ipynb").stat().st_size < 500_000
    for before, now in zip(stored.cells, tour[0].cells, strict=True):
        kinds = [[output.output_type for output in cell.get("outputs", [])] for cell in (before, now)]
        assert kinds[0] == kinds[1], before.source
