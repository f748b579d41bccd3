"""Synthetic data sets: what they say of themselves is true, and the same seed gives the same bytes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

from support.command_line import exit_of, u2net
from support.paths import EXAMPLES
from u2net.compose.cutout import Cutout
from u2net.datasets.annotations import run_lengths
from u2net.datasets.check import check
from u2net.datasets.pairs import find_pairs
from u2net.datasets.synthetic_scene import SceneSettings, draw_scene, trimmed
from u2net.errors import BadInput, NothingSalient
from u2net.types import Picture


def filled(counts: list[int], size: list[int]) -> NDArray[np.bool_]:
    """COCO's run lengths drawn one by one."""
    flat, at, value = np.zeros(size[0] * size[1], bool), 0, False
    for count in counts:
        flat[at : at + count] = value
        at, value = at + count, not value
    assert at == flat.size
    return flat.reshape(size[1], size[0]).T


def patch(name: Path, color: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> None:
    """A cutout: an opaque block with a transparent border."""
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[5:-5, 5:-5] = (*color, 255)
    name.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three subjects of two categories and two backgrounds, and no weights: none are needed."""
    patch(tmp_path / "subjects" / "red" / "a.png", (220, 20, 20))
    patch(tmp_path / "subjects" / "red" / "b.png", (180, 0, 60), (30, 70))
    patch(tmp_path / "subjects" / "blue" / "c.png", (10, 10, 220))
    (tmp_path / "backgrounds").mkdir()
    for name in ("gravel.jpg", "rocket.jpg"):
        shutil.copy(EXAMPLES / name, tmp_path / "backgrounds")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "empty"))
    return tmp_path


def augment(*arguments: str) -> Result:
    words = ["augment", "subjects", "backgrounds", "--size", "128x96", "--offline", *arguments]
    return u2net(*words)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def annotations(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "annotations.json").read_text())
    return found


def test_same_seed_gives_the_same_bytes_in_another_order_and_on_one_thread(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert augment("-o", "one", "--count", "12", "--seed", "5").return_value == 0
    monkeypatch.setattr("u2net.datasets.synthetic_dataset.usable_threads", lambda: 1)
    shutil.copytree("subjects", "again")
    shutil.rmtree("subjects")
    Path("again").rename("subjects")
    assert augment("-o", "two", "--count", "12", "--seed", "5").return_value == 0
    assert content(Path("one")) == content(Path("two"))
    assert augment("-o", "three", "--count", "12", "--seed", "6").return_value == 0
    assert content(Path("one")) != content(Path("three"))


def test_boxes_and_areas_are_those_of_the_masks_and_masks_do_not_overlap(folder: Path) -> None:
    assert augment("-o", "out", "--count", "20", "--most", "4").return_value == 0
    coco = annotations(Path("out"))
    assert [category["name"] for category in coco["categories"]] == ["blue", "red"]
    assert len(coco["annotations"]) > 30
    taken: dict[int, NDArray[np.int64]] = {image["id"]: np.zeros((96, 128), int) for image in coco["images"]}
    for one in coco["annotations"]:
        mask = filled(one["segmentation"]["counts"], one["segmentation"]["size"])
        rows, columns = np.nonzero(mask)
        width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
        assert one["bbox"] == [columns.min(), rows.min(), width, height]
        assert one["area"] == mask.sum() > 0
        taken[one["image_id"]] += mask
    for image in coco["images"]:
        alpha = np.asarray(Image.open(Path("out", "masks", image["file_name"]).with_suffix(".png")))
        assert taken[image["id"]].max() == 1
        # Half of a pixel is one object's, or less is each one's of several: where they meet.
        assert (alpha[taken[image["id"]] == 1] >= 127).all()
        assert (taken[image["id"]][alpha == 255] == 1).mean() > 0.97


def test_what_is_called_red_is_red_and_what_is_outside_is_background(folder: Path) -> None:
    assert augment("-o", "out", "--count", "10", "--most", "1", "--format", "png").return_value == 0
    coco = annotations(Path("out"))
    names = {category["id"]: category["name"] for category in coco["categories"]}
    for one in coco["annotations"]:
        image = coco["images"][one["image_id"] - 1]["file_name"]
        pixels = np.asarray(Image.open(Path("out", "images", image))).astype(int)
        red, _, blue = pixels[filled(one["segmentation"]["counts"], [96, 128])].mean(axis=0)
        assert (red > blue) == (names[one["category_id"]] == "red")


def test_training_takes_it_and_the_check_finds_nothing(folder: Path) -> None:
    assert augment("-o", "out", "--count", "12").return_value == 0
    found = find_pairs(Path("out"))
    assert len(found.pairs) == 12
    checked = check(found)
    assert checked.errors == ()
    assert [problem for problem in checked.warnings if problem.kind != "alike"] == []


def test_objects_that_are_covered_are_left_out_and_the_topmost_never_is() -> None:
    subjects = [Cutout(np.full((40, 40, 4), 255, np.uint8))]
    settings = SceneSettings(size=(64, 64), most=12, scale=(0.9, 1.0), rotation=0)
    for seed in range(20):
        scene = draw_scene(subjects, Picture(np.zeros((64, 64, 3), np.uint8)), np.random.default_rng(seed), settings)
        assert 1 <= len(scene.instances) <= 6
        for instance in scene.instances:
            assert instance.mask.any()


def test_trimming_leaves_what_is_seen() -> None:
    pixels = np.zeros((100, 80, 4), np.uint8)
    pixels[20:60, 10:30] = (9, 8, 7, 255)
    assert trimmed(Cutout(pixels), 500).pixels.tolist() == [[[9, 8, 7, 255]] * 20] * 40
    assert trimmed(Cutout(pixels), 10).size == (10, 5)
    with pytest.raises(NothingSalient):
        trimmed(Cutout(np.zeros((9, 9, 4), np.uint8)), 10)


@pytest.mark.parametrize(
    ("mask", "counts"),
    [([[0, 0], [0, 0]], [4]), ([[1, 1], [1, 1]], [0, 4]), ([[0, 1], [1, 1]], [1, 3]), ([[1, 0], [0, 1]], [0, 1, 2, 1]),
     ([[0, 1], [1, 0]], [1, 2, 1])],
)  # fmt: skip
def test_run_lengths_go_down_the_columns(mask: list[list[int]], counts: list[int]) -> None:
    assert run_lengths(np.array(mask, bool)) == counts


def test_folder_that_is_not_empty_is_left_alone_unless_told(folder: Path) -> None:
    Path("out").mkdir()
    Path("out", "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="out: is not empty; give another folder with -o, or --overwrite"):
        raise augment("-o", "out", "--count", "2").exception or AssertionError
    with pytest.raises(BadInput, match=r"holds mine\.txt, which is of no data set made here"):
        raise augment("-o", "out", "--count", "2", "--overwrite").exception or AssertionError
    assert content(Path("out")) == {"mine.txt": b"mine"}
    assert augment("-o", "set", "--count", "3").return_value == 0
    Path("out", "mine.txt").unlink()
    Path("set").rename("out")
    assert augment("-o", "out", "--count", "2", "--overwrite").return_value == 0
    assert sorted(content(Path("out"))) == [
        "annotations.json", "images/000001.jpg", "images/000002.jpg", "manifest.json", "masks/000001.png",
        "masks/000002.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", ".", "--overwrite"], "which would be replaced"),
        (["-o", "out", "--count", "0"], "count is 1 to 1000000 scenes, not 0"),
        (["-o", "out", "--seed", "-1"], "seed is a whole number from 0 on"),
        (["-o", "out", "--size", "0"], "a scene's sides are 16 to 8192 pixels, not 0 x 0"),
        (["-o", "out", "--size", "1000000000"], "a scene's sides are"),
        (["-o", "out", "--most", "0"], "a scene has at most 1 to 50 objects"),
        (["-o", "out", "--scale", "0.5", "0.1"], "scale is two numbers"),
        (["-o", "subjects/red/a.png"], "would be replaced|is a file"),
    ],
)
def test_bad_options_write_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    before = content(folder)
    words = ["augment", "subjects", "backgrounds", "--size", "96", "--offline", *arguments]
    assert exit_of(monkeypatch, *words) == 2
    error = capsys.readouterr().err
    assert any(part in error for part in message.split("|")), error
    assert content(folder) == before


def test_damaged_background_writes_nothing(folder: Path) -> None:
    Path("backgrounds", "bad.jpg").write_bytes(Path("backgrounds", "gravel.jpg").read_bytes()[:300])
    result = augment("-o", "out", "--count", "30")
    assert isinstance(result.exception, BadInput)
    assert "bad.jpg" in str(result.exception)
    assert not Path("out").exists()
    assert not list(folder.glob(".u2net*"))


def test_subject_without_an_object_is_left_out_and_none_at_all_is_an_error(folder: Path) -> None:
    Image.fromarray(np.zeros((20, 20, 4), np.uint8)).save("subjects/nothing.png")
    result = augment("-o", "out", "--count", "2")
    assert result.return_value == 0
    assert "nothing.png: no object found; left out" in result.stderr
    shutil.rmtree("subjects/red")
    shutil.rmtree("subjects/blue")
    assert isinstance(augment("-o", "none", "--count", "2").exception, NothingSalient)
    assert not Path("none").exists()


def test_subject_that_is_nowhere_half_opaque_is_left_out_with_a_line(folder: Path) -> None:
    glass = np.full((40, 40, 4), (200, 220, 255, 80), np.uint8)
    Image.fromarray(glass).save("subjects/glass.png")
    result = augment("-o", "out", "--count", "2")
    assert result.return_value == 0
    assert "glass.png: no object found; left out" in result.stderr


def test_output_inside_what_is_read_is_refused(folder: Path) -> None:
    with pytest.raises(BadInput, match="lies in subjects, whose pictures are read"):
        raise augment("-o", "subjects/out", "--count", "2").exception or AssertionError


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text_are_no_trouble(folder: Path) -> None:
    with Image.open(next(Path("backgrounds").iterdir())) as image:
        for path in list(Path("backgrounds").iterdir()):
            path.unlink()
        image.save(Path("backgrounds", os.fsdecode(b"\xff.png")))
    assert augment("-o", "out", "--count", "1").return_value == 0
    assert json.loads(Path("out/manifest.json").read_text())["scenes"][0]["background"] == os.fsdecode(b"\xff.png")
