"""Calibration by `u2net quantize`, with the network that it is for and NNCF itself."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from support.paths import EXAMPLES
from u2net.cli.quantize import command
from u2net.errors import BadInput, CannotWrite, MissingExtra, UnreadablePicture
from u2net.inference import int8_ranges
from u2net.inference.int8_ranges import SUFFIX, Ranges
from u2net.inference.open_session import open_session
from u2net.models import weights
from u2net.models.registry import MODELS
from u2net.system.install import install_hint


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve: a photograph and parts of it."""
    folder = tmp_path_factory.mktemp("pictures")
    photograph = cv2.imread(str(EXAMPLES / "astronaut.jpg"))
    height, width = photograph.shape[:2]
    for number in range(12):
        left, top = (number % 4) * width // 8, (number // 4) * height // 8
        cv2.imwrite(str(folder / f"{number}.png"), photograph[top : top + height // 2, left : left + width // 2])
    return folder


def run(*arguments: str) -> str:
    return CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False).output


@pytest.mark.slow("src/u2net/cli/quantize.py")
@pytest.mark.torch  # no torch in it, but it needs an extra as heavy
def test_table_of_an_own_model_lies_beside_it_and_is_used(pictures: Path, tmp_path: Path) -> None:
    model = tmp_path / "mine.onnx"
    shutil.copy(weights.locate(MODELS["u2netp"]), model)
    report = json.loads(run(str(model), "--images", str(pictures), "--count", "10", "--leave", "Conv_787", "--json"))
    table = Ranges.from_json((tmp_path / f"mine{SUFFIX}").read_text())
    assert report["pictures"] == 10 and report["mean"] < report["worst"] < 0.1
    layers = {layer["node"]: layer for layer in report["layers"]}
    assert len(layers) == 119
    assert not layers["Conv_787"]["int8"] and layers["Conv_810"]["int8"]
    assert layers["Conv_0"]["share"] > 0 and layers["Conv_0"]["before"] == 0
    assert layers["Conv_787"]["value"] not in table.convolutions
    packaged = Ranges.from_json((Path(int8_ranges.__file__).parent / "int8_tables" / f"u2netp{SUFFIX}").read_text())
    assert table.weights == packaged.weights == MODELS["u2netp"].checksum
    assert table.convolutions == packaged.convolutions
    assert table.outputs.keys() == packaged.outputs.keys()  # the same places, measured on other pictures
    ratios = [table.outputs[name][1] / packaged.outputs[name][1] for name in table.outputs]
    assert 0.5 < np.median(ratios) < 2
    assert open_session(model, precision="int8").precision == "int8"
    assert open_session(model).precision == "f32"  # auto takes what was measured on a data set


@pytest.mark.slow("src/u2net/cli/quantize.py")
@pytest.mark.torch
def test_report_points_at_the_layer_that_breaks_the_map(pictures: Path, tmp_path: Path) -> None:
    told = run("u2netp", "--images", str(pictures), "--count", "10", "-o", str(tmp_path / "table.json"))
    lines = told.splitlines()
    assert lines[0] == str(tmp_path / "table.json")
    assert float(lines[1].split()[4]) > 0.02
    worst = lines[lines.index("") + 2].split()
    assert worst[0] == "Conv_787"


def test_what_cannot_be_measured_is_said_before_the_work(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(pictures / "0.png", few)
    with pytest.raises(BadInput, match="1 pictures are too few to measure ranges on; give 10 or more"):
        run("u2netp", "--images", str(few))
    with pytest.raises(UnreadablePicture, match="there is no such folder"):
        run("u2netp", "--images", str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match="is a folder; give the table a name in it"):
        run("u2netp", "--images", str(pictures), "-o", str(few))
    with pytest.raises(CannotWrite, match="cannot be written: the name is too long"):
        run("u2netp", "--images", str(pictures), "-o", str(tmp_path / ("x" * 300)))
    monkeypatch.setitem(__import__("sys").modules, "nncf", None)
    with pytest.raises(MissingExtra, match=re.escape(install_hint("quantize"))):
        run("u2netp", "--images", str(pictures), "-o", str(tmp_path / "table.json"))
    assert not (tmp_path / "table.json").exists()
