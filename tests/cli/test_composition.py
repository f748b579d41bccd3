"""crop, replace and box on the command line, and what `remove` does in one pass with the same flags."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from support import command_line
from u2net.errors import U2NetError


def u2net(*arguments: str) -> Result:
    """The command line in this process, with u2netp."""
    return command_line.u2net(*arguments, "-m", "u2netp")


def pixels_of(path: Path | str) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_crop_is_the_pictures_own_pixels_at_the_box_it_reports(folder: Path) -> None:
    result = u2net("crop", "coffee.jpg", "--margin", "10", "--json")
    assert result.exit_code == 0
    left, top, right, bottom = json.loads(result.stdout)["crop"]
    np.testing.assert_array_equal(pixels_of("coffee.cropped.png"), pixels_of("coffee.jpg")[top:bottom, left:right])


def test_preset_gives_what_a_marketplace_asks_for(folder: Path) -> None:
    assert u2net("crop", "coffee.jpg", "-o", "shop.jpg", "--preset", "marketplace").exit_code == 0
    made = pixels_of("shop.jpg").astype(int)
    assert made.shape == (2000, 2000, 3)
    assert made[:100].min() >= 250
    seen = np.flatnonzero((made < 235).any(axis=(0, 2)))
    assert (seen[-1] - seen[0]) / 2000 == pytest.approx(0.85, abs=0.02)
    assert u2net("crop", "coffee.jpg", "-o", "tall.png", "--preset", "marketplace", "--aspect", "4:5").exit_code == 0
    assert pixels_of("tall.png").shape[:2] == (2000, 1600)


def test_one_pass_is_what_the_commands_give_one_after_another(folder: Path) -> None:
    flags = ("--crop", "square", "--fill", "60", "--size", "400", "--shadow", "contact")
    assert u2net("remove", "coffee.jpg", *flags, "--background", "white", "-o", "once.png").exit_code == 0
    assert u2net("remove", "coffee.jpg", *flags, "-o", "clear.png").exit_code == 0
    clear = Image.open("clear.png")
    white = Image.new("RGBA", clear.size, "white")
    white.alpha_composite(clear)
    difference = np.abs(pixels_of("once.png").astype(int) - np.asarray(white)[..., :3])
    assert difference.max() <= 1  # Pillow rounds in another way
    assert u2net("crop", "coffee.jpg", *flags, "--background", "white", "-o", "same.png").exit_code == 0
    assert Path("same.png").read_bytes() == Path("once.png").read_bytes()


@pytest.mark.parametrize("flags", [("--background", "#336699"), ("--gradient", "#369,#369"), ("--blur", "3")])
def test_replaced_background_is_opaque_and_the_object_is_itself(flags: tuple[str, ...], folder: Path) -> None:
    assert u2net("replace", "coffee.jpg", *flags).exit_code == 0
    made, before = pixels_of("coffee.replaced.png"), pixels_of("coffee.jpg")
    assert made.shape == before.shape
    np.testing.assert_array_equal(made[200:240, 200:280], before[200:240, 200:280])
    if flags[0] != "--blur":
        assert made[5, 5].tolist() == [0x33, 0x66, 0x99]


def test_picture_without_an_object_is_not_written_and_the_others_are(folder: Path) -> None:
    for command in (("replace", "--background", "white"), ("crop",), ("remove", "--shadow", "drop")):
        result = u2net(command[0], "gravel.jpg", *command[1:], "-o", "one.png")
        assert result.return_value == 3, command
        assert "gravel.jpg: no object found" in result.stderr
        assert not Path("one.png").exists()
    result = u2net("replace", ".", "-o", "out", "--background", "white")
    assert "gravel.jpg: no object found" in result.stderr
    assert [path.name for path in Path("out").iterdir()] == ["coffee.png"]


def test_boxes_come_as_lines_and_as_the_files_of_detectors(folder: Path) -> None:
    result = u2net("box", ".")
    lines = {line["input"]: line for line in map(json.loads, result.stdout.splitlines())}
    (box,) = lines["coffee.jpg"]["boxes"]
    assert lines["gravel.jpg"]["boxes"] == []
    cutout = json.loads(u2net("remove", "coffee.jpg", "--json").stdout)
    assert box == cutout["box"]
    flags = ("--coco", "sets/coco.json", "--yolo", "labels", "--draw", "drawn", "--label", "cup")
    assert u2net("box", ".", *flags, "--quiet").exit_code == 0
    coco = json.loads(Path("sets/coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["coffee.jpg", "gravel.jpg"]
    left, top, right, bottom = box
    assert [row["bbox"] for row in coco["annotations"]] == [[left, top, right - left, bottom - top]]
    assert coco["categories"][0]["name"] == "cup"
    kind, x, y, width, height = map(float, Path("labels/coffee.txt").read_text().split())
    assert (kind, x * 600, y * 400) == pytest.approx((0, (left + right) / 2, (top + bottom) / 2), abs=0.001)
    assert (width * 600, height * 400) == pytest.approx((right - left, bottom - top), abs=0.001)
    assert Path("labels/gravel.txt").read_text() == ""
    assert Path("labels/classes.txt").read_text() == "cup\n"
    drawn, before = pixels_of("drawn/coffee.png"), pixels_of("coffee.jpg")
    np.testing.assert_array_equal(drawn[top:bottom, left:right], before[top:bottom, left:right])
    assert drawn[top - 1, left].tolist() == [0xFF, 0x2D, 0x55]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("crop", "coffee.jpg", "--size", "0"), "a size is 1 to 65535 pixels"),
        (("crop", "coffee.jpg", "--size", "1000000000"), "a size is 1 to 65535 pixels"),
        (("crop", "coffee.jpg", "--size", "12x"), "is no size"),
        (("crop", "coffee.jpg", "--margin", "wide"), "neither percent"),
        (("crop", "coffee.jpg", "--margin", "5%", "--fill", "80"), "give one of them"),
        (("crop", "coffee.jpg", "--fill", "0"), "fill is a share"),
        (("crop", "coffee.jpg", "--fill", "full"), "is not a number of percent"),
        (("crop", "coffee.jpg", "--aspect", "0:1"), "is no aspect"),
        (("crop", "coffee.jpg", "--preset", "ebay"), "marketplace"),
        (("replace", "coffee.jpg"), "say what comes behind the object"),
        (("replace", "coffee.jpg", "--blur", "2", "--background", "white"), "exclude each other"),
        (("replace", "coffee.jpg", "--blur", "50"), "a blur is 0.001 to 0.1"),
        (("replace", "coffee.jpg", "--gradient", "white"), "a gradient has 2 to 16 colours"),
        (("replace", "coffee.jpg", "--gradient", "white,blu"), "no colour 'blu'"),
        (("replace", "coffee.jpg", "--background", "notes.txt"), "notes.txt"),
        (("replace", "coffee.jpg", "--background", "gone.png"), "is no file, and no colour"),
        (("replace", "coffee.jpg", "--background", "."), "is no file, and no colour"),
        (("replace", "coffee.jpg", "--background", "white", "--around", "x"), "no colour 'x'"),
        (("remove", "coffee.jpg", "--only-mask", "--shadow", "drop"), "exclude each other"),
        (("box", "coffee.jpg", "--coco", "."), "is a folder"),
        (("box", "coffee.jpg", "--label", " "), "a word or two on one line"),
        (("box", "coffee.jpg", "--colour", "x"), "no colour 'x'"),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, tuple) else "",
)
def test_mistakes_get_a_sentence_and_nothing_is_written(arguments: tuple[str, ...], message: str, folder: Path) -> None:
    Path("notes.txt").write_text("no picture")
    before = sorted(folder.rglob("*"))
    result = u2net(*arguments)
    assert result.exception is not None
    said = str(getattr(result.exception, "message", None) or result.exception)
    assert message in said
    assert getattr(result.exception, "exit_code", None) == 2
    assert not isinstance(result.exception, U2NetError) or "\n" not in said
    assert sorted(folder.rglob("*")) == before


def test_two_pictures_with_one_yolo_file_are_refused(folder: Path) -> None:
    Image.open("coffee.jpg").save("coffee.png")
    result = u2net("box", ".", "--yolo", "labels")
    assert "two results would both be written" in str(result.exception)
    assert not Path("labels").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("box", "coffee.jpg", "-o", "coffee.jpg"),
        ("box", "gravel.jpg", "coffee.jpg", "--coco", "coffee.jpg"),
        ("box", "coffee.jpg", "--coco", "one.json", "-o", "one.json"),
        ("replace", "coffee.jpg", "--background", "gravel.jpg", "-o", "gravel.jpg"),
        ("remove", "coffee.jpg", "--background", "gravel.jpg", "-o", "gravel.jpg"),
        ("paste", "coffee.jpg", "--onto", "gravel.jpg", "-o", "gravel.jpg"),
    ],
    ids=" ".join,
)
def test_no_file_that_is_read_is_ever_replaced(arguments: tuple[str, ...], folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = u2net(*arguments)
    assert getattr(result.exception, "exit_code", None) == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_glass_that_is_nowhere_half_opaque_is_not_written(folder: Path) -> None:
    with Image.open("coffee.jpg") as image:
        image.putalpha(Image.new("L", image.size, 110))
        image.save("glass.png")
    for command in (("highlight",), ("replace", "--blur", "2"), ("remove", "--shadow", "drop")):
        result = u2net(command[0], "glass.png", *command[1:], "-o", "out.png")
        assert result.return_value == 3, command
        assert "nothing of the object is more than half opaque" in result.stderr
        assert not Path("out.png").exists()


def test_blur_with_a_frame_beyond_the_picture_is_refused_with_advice(folder: Path) -> None:
    result = u2net("replace", "coffee.jpg", "--blur", "2", "--crop", "square", "--fill", "20", "-o", "out.png")
    assert result.return_value == 2
    assert "goes beyond the picture of 600 x 400" in result.stderr
    assert not Path("out.png").exists()


def test_enlarging_much_is_said_and_reported(folder: Path) -> None:
    result = u2net("crop", "coffee.jpg", "--preset", "marketplace", "--json")
    assert json.loads(result.stdout)["enlarged"] == 4.1
    assert "enlarged 4.1 times" in result.stderr
    assert "enlarged" not in json.loads(u2net("crop", "coffee.jpg", "--size", "200", "--json").stdout)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--radial",), "--angle and --radial belong to --gradient"),
        (("--fit", "contain"), "--fit and --around belong to --background"),
        (("--shadow-strength", "1.2"), "--shadow-strength belongs to --shadow"),
    ],
)
def test_flag_without_what_it_belongs_to_is_refused(flags: tuple[str, ...], message: str, folder: Path) -> None:
    assert message in str(u2net("remove", "coffee.jpg", *flags).exception)
