"""u2net paste: the command's contract."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from support.command_line import exit_of, u2net
from support.paths import EXAMPLES


@pytest.fixture
def folder(folder: Path) -> Path:
    """The usual one, with astronaut.jpg and a cutout as well."""
    shutil.copy(EXAMPLES / "astronaut.jpg", folder)
    pixels = np.zeros((30, 40, 4), np.uint8)
    pixels[5:25, 10:30] = (250, 130, 10, 255)
    Image.fromarray(pixels).save(folder / "patch.cutout.png")
    return folder


def paste(*arguments: str) -> Result:
    return u2net("paste", "-m", "u2netp", *arguments)


def test_target_may_be_named_last(folder: Path) -> None:
    assert paste("coffee.jpg", "gravel.jpg", "--fit", "-o", "last.png").return_value == 0
    paste("coffee.jpg", "--onto", "gravel.jpg", "--fit", "-o", "flag.png")
    assert Path("last.png").read_bytes() == Path("flag.png").read_bytes()


@pytest.mark.parametrize("inputs", [["coffee.jpg"], ["coffee.jpg", "astronaut.jpg", "gravel.jpg"]])
def test_without_a_target_it_says_how_to_name_one(
    inputs: list[str], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exit_of(monkeypatch, "paste", "-m", "u2netp", *inputs) == 2
    assert "say what to paste onto: u2net paste IN FILE" in capsys.readouterr().err


def test_photograph_is_cut_out_and_pasted(folder: Path) -> None:
    result = paste("coffee.jpg", "--onto", "gravel.jpg", "--fit", "--json")
    report = json.loads(result.stdout)
    assert report["output"] == "coffee.pasted.png"
    given, made = (np.asarray(Image.open(name).convert("RGB")) for name in ("gravel.jpg", "coffee.pasted.png"))
    assert made.shape == given.shape
    changed = (made != given).any(axis=2)
    left, top, right, bottom = report["box"]
    assert 0.3 < changed[top:bottom, left:right].mean() <= 1
    changed[top:bottom, left:right] = False
    assert not changed.any()


def test_cutout_needs_no_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_CACHE", str(folder / "empty"))
    monkeypatch.setenv("HOME", str(folder))
    command = ["paste", "patch.cutout.png", "--onto", "gravel.jpg", "--at", "100,50", "--offline", "-o", "a.png"]
    assert exit_of(monkeypatch, *command) == 0
    made, given = np.asarray(Image.open("a.png")), np.asarray(Image.open("gravel.jpg").convert("RGB")).copy()
    given[40:60, 90:110] = (250, 130, 10)
    np.testing.assert_array_equal(made, given)


def test_view_says_where(folder: Path) -> None:
    with Image.open("astronaut.jpg") as image:
        image.crop((150, 100, 390, 260)).resize((480, 320), Image.Resampling.BICUBIC).save("view.jpg", quality=85)
    result = paste("patch.cutout.png", "--onto", "astronaut.jpg", "--locate", "view.jpg", "--json", "-o", "a.png")
    located = json.loads(result.stdout)["located"]
    assert np.abs(np.array(located["at"]) - (270, 180)).max() < 2
    assert abs(located["scale"] - 0.5) < 0.02
    assert abs(located["rotation"]) < 1
    pixels = np.asarray(Image.open("a.png"))
    assert (pixels[175:185, 265:275] == (250, 130, 10)).all()


def test_picture_without_an_object_is_an_error_and_nothing_is_written(folder: Path) -> None:
    result = paste("gravel.jpg", "--onto", "astronaut.jpg", "--scale", "0.2")
    assert result.return_value == 3
    assert "nothing to paste" in result.stderr
    assert not list(folder.glob("*.pasted.*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--onto", "nowhere.png"], "nowhere.png: there is no such file"),
        (["--onto", "notes.txt"], "is not a picture"),
        (["--onto", "gravel.jpg", "--at", "1,1", "--locate", "gravel.jpg"], "--at and --locate both say where"),
        (["--onto", "gravel.jpg", "--at", "9000,9000"], "nothing of the object would be seen"),
        (["--onto", "gravel.jpg", "--at", "here"], "is not X,Y"),
        (["--onto", "gravel.jpg", "--scale", "0"], "scale is a number"),
        (["--onto", "tiny.png"], "larger than the target of 8 x 8; --scale 0.4 or --fit makes it fit"),
        (["--onto", "gravel.jpg", "--locate", "coffee.jpg"], "the view was not found in the target"),
    ],
)
def test_bad_input_exits_with_2_and_writes_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    Path("notes.txt").write_text("not a picture, but long enough to be looked at")
    Image.new("RGB", (8, 8)).save("tiny.png")
    assert exit_of(monkeypatch, "paste", "patch.cutout.png", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.glob("*.pasted.*"))
