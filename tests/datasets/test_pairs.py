"""Which picture belongs to which truth, in the layouts that people have."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from u2net.datasets.pairs import Pairs, describe, find_pairs, find_pictures
from u2net.errors import BadInput, UnreadablePicture


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def shown(found: Pairs, folder: Path) -> list[tuple[str, str | None, str]]:
    return [
        (
            pair.picture.relative_to(folder).as_posix(),
            pair.truth and pair.truth.relative_to(folder).as_posix(),
            pair.name,
        )
        for pair in found.pairs
    ]


@pytest.mark.parametrize(
    ("pictures", "truths"),
    [
        ("images", "masks"),
        ("DUTS-TR-Image", "DUTS-TR-Mask"),
        ("im_aug", "gt_aug"),
        ("image", "mask"),
        ("Imgs", "GT"),
        ("images", "ground_truth_mask"),
        ("images", "truths"),
        ("images", "labels"),
        ("pictures", "targets"),
    ],
)
def test_known_pairs_of_folders_are_found(pictures: str, truths: str, tmp_path: Path) -> None:
    touch(tmp_path, f"{pictures}/b.jpg", f"{pictures}/a.jpeg", f"{truths}/a.png", f"{truths}/b.png", "edges/a.png")
    found = find_pairs(tmp_path)
    assert shown(found, tmp_path) == [
        (f"{pictures}/a.jpeg", f"{truths}/a.png", "a"),
        (f"{pictures}/b.jpg", f"{truths}/b.png", "b"),
    ]
    assert found.problems == ()


def test_nested_folders_are_mirrored_and_names_say_where(tmp_path: Path) -> None:
    touch(tmp_path, "images/cats/1.jpg", "images/dogs/1.jpg", "masks/cats/1.png", "masks/dogs/1.png")
    touch(tmp_path, "images/.hidden.jpg", "images/.git/x.jpg", "images/Thumbs.db", "masks/readme.txt")
    assert [pair.name for pair in find_pairs(tmp_path).pairs] == ["cats/1", "dogs/1"]
    assert find_pairs(tmp_path).problems == ()


def test_folder_of_pictures_with_truths_elsewhere(tmp_path: Path) -> None:
    touch(tmp_path, "photos/a.jpg", "elsewhere/a.png")
    found = find_pairs(tmp_path / "photos", truths=tmp_path / "elsewhere")
    assert shown(found, tmp_path) == [("photos/a.jpg", "elsewhere/a.png", "a")]


@pytest.mark.parametrize("ending", ["_mask", "-mask", "_gt", "_alpha", "_MASK"])
def test_ending_of_a_truths_name_is_passed_over(ending: str, tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", f"masks/a{ending}.png")
    assert [pair.name for pair in find_pairs(tmp_path).pairs] == ["a"]


def test_names_with_dots_brackets_and_accents_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.b.jpg", "images/a.c.jpg", "images/[1].jpg", "masks/a.b.png", "masks/a.c.png")
    touch(tmp_path, "masks/[1].png", "images/caf\u00e9.jpg", "masks/cafe\u0301.png")
    found = find_pairs(tmp_path)
    assert len(found.pairs) == 4
    assert found.problems == ()


def test_every_file_without_a_partner_is_listed(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/b.jpg", "images/c.jpg", "images/c.png", "images/d.jpg")
    touch(tmp_path, "masks/a.png", "masks/c.png", "masks/d.png", "masks/d.gif", "masks/e.png")
    found = find_pairs(tmp_path)
    assert [pair.name for pair in found.pairs] == ["a"]
    assert [(problem.kind, [path.name for path in problem.paths]) for problem in found.problems] == [
        ("no truth", ["b.jpg"]),
        ("ambiguous", ["c.jpg", "c.png", "c.png"]),
        ("ambiguous", ["d.jpg", "d.gif", "d.png"]),
        ("no picture", ["e.png"]),
    ]
    lines = describe(found.problems).splitlines()
    assert lines[0] == "4 problems (ambiguous 2, no picture 1, no truth 1):"
    assert len(lines) == 5
    assert f"  {tmp_path / 'images/b.jpg'}: has no truth in {tmp_path / 'masks'}" in lines
    assert describe([]) == ""


def test_csv_names_pairs_relative_to_itself(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.jpg", "x/a.png", "y/b.jpg", "y/b.png", "c.png")
    lines = ["image;mask;split", "x/a.jpg;x/a.png;train", "", "y/b.jpg;y/b.png;train", "c.png;;train"]
    (tmp_path / "pairs.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    found = find_pairs(tmp_path / "pairs.csv")
    assert shown(found, tmp_path) == [
        ("x/a.jpg", "x/a.png", "x/a"),
        ("y/b.jpg", "y/b.png", "y/b"),
        ("c.png", None, "c"),
    ]


def test_csv_without_a_header_and_its_mistakes(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.bmp", "a.png")
    lines = ["a.jpg,a.png", "gone.jpg,a.png", "a.jpg,a.png", "a.bmp,a.png", '"also, gone.jpg",no.png']
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    found = find_pairs(tmp_path / "pairs.csv")
    assert [pair.name for pair in found.pairs] == ["a.jpg", "a.bmp"]  # `a` alone would be two
    assert [problem.kind for problem in found.problems] == ["missing", "repeated", "missing"]
    assert "line 2: there is no file" in found.problems[0].message
    assert "also, gone.jpg and no file" in found.problems[2].message


def test_pictures_alone_are_enough_where_truths_do_not_matter(tmp_path: Path) -> None:
    found = find_pictures(touch(tmp_path, "b/two.jpg", "one.jpg"))
    assert [pair.name for pair in found.pairs] == ["one", "b/two"]
    with pytest.raises(BadInput, match="no such folder"):
        find_pictures(tmp_path / "none")


def test_folder_of_cutouts_needs_no_truths(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4)).save(tmp_path / "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "b.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "c.png", transparency=0)
    (tmp_path / "d.png").write_bytes(b"no picture")
    found = find_pairs(tmp_path)
    assert shown(found, tmp_path) == [("a.png", None, "a"), ("c.png", None, "c")]
    assert [(problem.kind, problem.paths) for problem in found.problems] == [
        ("no alpha", (tmp_path / "b.png",)),
        ("unreadable", (tmp_path / "d.png",)),
    ]


def test_folder_without_pairs_says_which_layouts_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no pair of picture and truth found; u2net takes two folders such as images/"):
        find_pairs(tmp_path)
    Image.new("RGB", (4, 4)).save(tmp_path / "b.png")
    with pytest.raises(BadInput, match=r"found \(.*b.png: has no alpha, and there is no folder of truths\); u2net"):
        find_pairs(tmp_path)


def test_folder_of_data_sets_names_those_in_it(tmp_path: Path) -> None:
    touch(tmp_path, "DUTS-TR/DUTS-TR-Image/a.jpg", "DUTS-TR/DUTS-TR-Mask/a.png", "ecssd/images/a.jpg", "ecssd/gt/a.png")
    with pytest.raises(BadInput, match="name one of the folders in it: DUTS-TR, ecssd"):
        find_pairs(tmp_path)


def test_several_pairs_of_folders_are_not_guessed(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/a.png", "gt/a.png")
    with pytest.raises(BadInput, match=r"several pairs of folders \(images with gt, images with masks\)"):
        find_pairs(tmp_path)
    assert len(find_pairs(tmp_path / "images", truths=tmp_path / "gt").pairs) == 1
    touch(tmp_path / "DUTS", "DUTS-TR-Image/a.jpg", "DUTS-TE-Image/a.jpg", "DUTS-TR-Mask/a.png", "DUTS-TE-Mask/a.png")
    with pytest.raises(BadInput, match="DUTS-TE-Image with DUTS-TE-Mask, DUTS-TR-Image with DUTS-TR-Mask"):
        find_pairs(tmp_path / "DUTS")


def test_what_is_not_there_or_not_a_folder_gets_one_sentence(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "images/a.jpg")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    for source, truths, message in (
        ("gone", None, "there is no such folder or file"),
        ("a.jpg", None, "is a file; give a folder"),
        ("images", "gone", "there is no such folder of truths"),
        ("bad.csv", None, "cannot be read as a UTF-8 file"),
    ):
        with pytest.raises(BadInput, match=message):
            find_pairs(tmp_path / source, truths=truths and tmp_path / truths)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read every folder")
def test_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/a.png", "masks/secret/b.png")
    (tmp_path / "masks/secret").chmod(0)
    with pytest.raises(UnreadablePicture, match="secret: the folder cannot be read"):
        find_pairs(tmp_path)
    (tmp_path / "masks/secret").chmod(0o700)
