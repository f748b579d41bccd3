"""u2net data check: each thing that can be wrong with training data, found in real files; the command and its sheet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

from support.command_line import u2net
from support.paths import ROOT
from u2net.cli import cli
from u2net.datasets.check import Check, check, summary
from u2net.datasets.pairs import ProblemKind, find_pairs
from u2net.errors import BadInput
from u2net.reports.contact_sheet import contact_sheet

SIZE = (48, 64)


def photograph(seed: int) -> NDArray[np.uint8]:
    """Something with shapes of its own, as pictures have."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(rough, SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def disc(centre: int = 20, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    y, x = np.mgrid[: size[0], : size[1]]
    return np.where((x - centre) ** 2 + (y - 24) ** 2 < 150, 255, 0).astype(np.uint8)


def add(folder: Path, name: str, picture: Any, truth: Any) -> None:
    for part, values, suffix in (("images", picture, ".png"), ("masks", truth, ".png")):
        (folder / part).mkdir(parents=True, exist_ok=True)
        if isinstance(values, bytes):
            (folder / part / f"{name}{suffix}").write_bytes(values)
        elif values is not None:
            Image.fromarray(values).save(folder / part / f"{name}{suffix}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pairs with nothing wrong."""
    for number in range(4):
        add(tmp_path / "data", f"ok{number}", photograph(number), disc(15 + number))
    return tmp_path / "data"


def run(*arguments: object) -> Result:
    return u2net("data", "check", *map(str, arguments))


def found(folder: Path, **options: Any) -> list[tuple[str, list[str]]]:
    checked = check(find_pairs(folder), **options)
    return [(problem.kind, [path.name for path in problem.paths]) for problem in checked.problems]


def test_clean_data_have_no_problem(folder: Path) -> None:
    assert found(folder) == []
    result = run(folder)
    assert result.return_value == 0
    assert result.stdout.splitlines()[-1] == "No problem found."
    assert "4 pairs, 4 of them readable" in result.stdout
    assert "median: 64 x 48" in result.stdout


def saved_anew(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [1, 60])[1], cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize(
    ("kind", "picture", "truth", "says"),
    [
        ("unreadable", b"\x89PNG\r\n\x1a\nhalf", disc(), "x.png: the picture is damaged"),
        ("unreadable", photograph(9), b"", "x.png: is empty"),
        ("other shape", photograph(9), disc(20, (48, 72)), "measures 72 x 48, its picture 64 x 48: they do not belong"),
        ("other shape", photograph(9), disc(20, (64, 48)), "one of the two is turned"),
        ("scaled", photograph(9), disc(20, (96, 128)), "the same shape, so it can be learned from"),
        ("empty", photograph(9), disc() * 0, "right only for a picture without an object"),
        ("full", photograph(9), disc() * 0 + 255, "everything is the object"),
        ("dark", photograph(9), disc() // 50, "its highest value is 5 of 255; white (255) should be the object"),
        ("graded", photograph(9), np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1)), "is mostly grey: 80% of the"),
        ("same picture", photograph(1), disc(30), "are the same picture, with 2 different truths"),
        ("same picture", photograph(1), disc(16), "are the same picture, with the same truth"),
        ("alike", saved_anew(photograph(1)), disc(30), "look alike"),
        ("same truth", photograph(9), disc(16), "are different pictures with the same truth"),
    ],
)
def test_each_problem_is_found_alone(kind: str, picture: Any, truth: Any, says: str, folder: Path) -> None:
    add(folder, "x", picture, truth)
    (problem,) = check(find_pairs(folder)).problems
    assert problem.kind == kind
    assert says in problem.message
    assert any(path.stem == "x" for path in problem.paths)
    result = run(folder)
    warned = kind in ("scaled", "empty", "full", "graded", "same picture", "alike", "same truth")
    assert result.return_value == (0 if warned else 1)
    assert f"to {'look at' if warned else 'mend'}: {kind} (1)" in result.stdout
    assert run(folder, "--strict").return_value == 1


def test_zeros_and_ones_and_soft_edges_are_no_problem(folder: Path) -> None:
    add(folder, "ones", photograph(9), disc(40) // 255)
    add(folder, "soft", photograph(10), cv2.GaussianBlur(disc(41), (5, 5), 1))
    assert found(folder) == []
    assert summary(check(find_pairs(folder)))["truths"] == {"two values": 5, "soft edges": 1}


def test_pairing_problems_are_among_them(folder: Path) -> None:
    add(folder, "alone", photograph(9), None)
    add(folder, "stray", None, disc())
    assert found(folder) == [("no truth", ["alone.png"]), ("no picture", ["stray.png"])]
    assert run(folder).return_value == 1


def test_picture_of_the_test_set_is_found_though_saved_anew(folder: Path, tmp_path: Path) -> None:
    add(tmp_path / "test", "a", photograph(2), disc())
    add(tmp_path / "test", "b", saved_anew(photograph(3)), disc())
    add(tmp_path / "test", "c", photograph(20), disc())
    add(tmp_path / "test", "broken", b"no picture", disc())  # is not what is asked about
    problems = check(find_pairs(folder), against=find_pairs(tmp_path / "test")).problems
    assert [(problem.kind, [path.stem for path in problem.paths]) for problem in problems] == [
        ("in both", ["ok2", "a"]),
        ("in both", ["ok3", "b"]),
    ]
    result = run(folder, "--against", tmp_path / "test")
    assert result.return_value == 1
    assert "are the same picture, and of both data sets" in result.stdout
    assert "look alike, and of both data sets" in result.stdout


def test_class_ids_are_counted_and_those_too_high_found(tmp_path: Path) -> None:
    for number, ids in enumerate(([0, 1], [0, 2], [0, 255], [0, 4, 7])):
        truth = np.resize(np.array(ids, np.uint8), SIZE)
        add(tmp_path, str(number), photograph(number), truth)
    add(tmp_path, "colours", photograph(9), photograph(10))
    options: dict[str, Any] = {"kind": "classes", "classes": 4}
    assert found(tmp_path, **options) == [
        ("empty", ["2.png", "2.png"]),
        ("class", ["3.png", "3.png"]),
        ("class", ["colours.png", "colours.png"]),
    ]
    result = run(tmp_path, "--kind", "classes", "--classes", 4)
    assert result.return_value == 1
    assert "3.png: holds class 4, 7, and there are 4, counted from 0" in result.stdout
    assert "colours.png: holds colours, not class ids" in result.stdout
    facts = json.loads(run(tmp_path, "--kind", "classes", "--classes", 8, "--json").stdout)
    assert facts["classes"]["0"]["pictures"] == 4
    assert facts["classes"]["255"] == {"pictures": 1, "pixels": 0.125}


def test_cutouts_and_images_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "cutouts").mkdir()
    for number in range(3):
        rgba = np.dstack([photograph(number), disc(20 + number)])
        Image.fromarray(rgba).save(tmp_path / f"cutouts/{number}.png")
    assert found(tmp_path / "cutouts") == []
    assert [kind for kind, _ in found(tmp_path / "cutouts", kind="image")] == ["no alpha"] * 3
    for number in range(3):
        add(tmp_path / "style", str(number), photograph(number), photograph(number + 10))
    assert found(tmp_path / "style", kind="image") == []


def test_json_holds_what_is_printed(folder: Path) -> None:
    add(folder, "x", photograph(9), disc(20, (48, 72)))
    add(folder, "y", photograph(10), disc() * 0)
    result = run(folder, "--json")
    told = json.loads(result.stdout)
    assert (result.return_value, told["ok"], told["pairs"], told["readable"]) == (1, False, 6, 6)
    (error,), (warning,) = told["errors"], told["warnings"]
    assert error["kind"] == "other shape" and warning["kind"] == "empty"
    assert [Path(path).name for path in error["paths"]] == ["x.png", "x.png"]
    assert told["sizes"] == {"smallest": [48, 64], "median": [48, 64], "largest": [48, 64]}
    assert 0 < told["coverage"]["median"] < 1


def test_many_of_a_kind_are_cut_for_people_and_whole_in_json(tmp_path: Path) -> None:
    for number in range(25):
        add(tmp_path, str(number), photograph(number), disc() * 0)
    text = run(tmp_path).stdout
    assert "to look at: empty (25)" in text
    assert "  ... and 5 more; --json lists all" in text
    assert len(json.loads(run(tmp_path, "--json").stdout)["warnings"]) == 25


def panel(sheet: NDArray[np.uint8], row: int, column: int, place: int) -> NDArray[np.uint8]:
    top, left = 10 + row * 162, 10 + column * 500 + place * 162
    return sheet[top : top + 120, left : left + 160]


def test_sheet_shows_picture_truth_and_both_problems_first(folder: Path, tmp_path: Path) -> None:
    add(folder, "z", photograph(9), disc() * 0)
    result = run(folder, "--sheet", tmp_path / "sheet.png", "--quiet")
    assert result.return_value == 0
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * 162 + 10, 3 * 500 + 10, 3)
    assert panel(sheet, 0, 0, 1).max() == 0  # the empty one, though its name is the last
    expected = cv2.resize(photograph(0), (160, 120), interpolation=cv2.INTER_AREA)
    assert np.array_equal(panel(sheet, 0, 1, 0), expected)
    tinted = panel(sheet, 0, 1, 2).astype(int) - expected
    on = cv2.resize(disc(15), (160, 120)) == 255
    off = cv2.resize(disc(15), (160, 120)) == 0
    assert np.abs(tinted[off]).mean() < 2 < np.abs(tinted[on]).mean()
    red = (sheet[..., 0] > 150) & (sheet[..., 1] < 60) & (sheet[..., 2] < 60)
    assert red[132:162, 10:500].any()  # what is wrong is written below it
    assert not red[132:162, 510:1000].any()


@pytest.mark.parametrize("kind", ["saliency", "classes", "image"])
def test_sheet_is_drawn_whatever_is_broken(kind: Any, folder: Path) -> None:
    add(folder, "broken", b"no picture", b"nor truth")
    add(folder, "long " + "name " * 40 + "日本", photograph(9), disc() // 255)
    add(folder, "twice", photograph(1), disc(30))
    sheet = contact_sheet(check(find_pairs(folder), kind=kind))
    assert sheet.shape == (3 * 162 + 10, 3 * 500 + 10, 3)
    assert contact_sheet(check(find_pairs(folder), kind=kind), cells=2).shape == (172, 1010, 3)


def test_thirty_cells_are_enough(tmp_path: Path) -> None:
    for number in range(40):
        add(tmp_path, f"{number:02}", photograph(number), disc() * (0 if number % 2 else 1))
    checked: Check = check(find_pairs(tmp_path))
    sheet = contact_sheet(checked)
    assert sheet.shape == (10 * 162 + 10, 3 * 500 + 10, 3)
    empty = sum(panel(sheet, cell // 3, cell % 3, 1).max() == 0 for cell in range(30))
    assert 10 <= empty <= 20  # room is left for what is not wrong


def test_what_cannot_be_checked_is_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BadInput, match="no pair of picture and truth found"):
        cli(["data", "check", str(tmp_path / "nothing")], standalone_mode=False)
    with pytest.raises(BadInput, match="the sheet is a PNG"):
        cli(["data", "check", str(folder), "--sheet", "sheet.jpg"], standalone_mode=False)


def test_check_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; from u2net.cli import cli; "
        f"cli(['data', 'check', {str(folder)!r}, '--json'], standalone_mode=False); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'openvino', 'onnxruntime')))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_kind_of_problem_is_documented() -> None:
    text = (ROOT / "docs/training-data.md").read_text(encoding="utf-8")
    assert [kind for kind in get_args(ProblemKind) if f"`{kind}`" not in text] == []
