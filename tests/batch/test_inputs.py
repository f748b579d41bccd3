"""Which files are meant, and where each result goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from u2net.batch.inputs import Job, plan
from u2net.errors import BadInput


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.jpg", "b.png", "a.cutout.png", ".hidden.jpg", "notes.txt", "deep/c.webp", "out/a.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def targets(*inputs: str, output: str | None = None, suffix: str = ".png") -> dict[str, str | None]:
    jobs = plan(inputs, output, tag="cutout", suffix=suffix)
    return {job.name.replace("\\", "/"): job.target and job.target.as_posix() for job in jobs}


def test_one_picture_is_written_beside_itself() -> None:
    assert targets("in/a.jpg") == {"in/a.jpg": "in/a.cutout.png"}


def test_output_with_a_pictures_suffix_is_a_file_and_any_other_a_folder() -> None:
    assert targets("in/a.jpg", output="new.png") == {"in/a.jpg": "new.png"}
    assert targets("in/a.jpg", output="new") == {"in/a.jpg": "new/a.png"}
    assert targets("in/a.jpg", output="empty") == {"in/a.jpg": "empty/a.png"}


def test_folder_is_searched_and_mirrored_without_results_hidden_files_and_its_own_output() -> None:
    expected = {"in/a.jpg": "in/out/a.png", "in/b.png": "in/out/b.png", "in/deep/c.webp": "in/out/deep/c.png"}
    assert targets("in", output="in/out") == expected


def test_pattern_is_expanded_where_the_shell_did_not() -> None:
    assert set(targets("in/*", output="new")) == {"in/a.jpg", "in/b.png"}
    with pytest.raises(BadInput, match="no picture matches"):
        targets("in/*.tif")


def test_file_named_twice_is_done_once() -> None:
    assert targets("in/a.jpg", "in/a.jpg", output="new") == {"in/a.jpg": "new/a.png"}
    again = Path("in/a.jpg").resolve()
    assert targets("in/a.jpg", "in/deep/../a.jpg", str(again)) == {"in/a.jpg": "in/a.cutout.png"}


def test_pipe_is_one_picture() -> None:
    assert plan(["-"], None, tag="cutout", suffix=".png") == [Job(None, None)]
    assert targets("-", output="new.png") == {"-": "new.png"}
    assert targets("in/a.jpg", output="-") == {"in/a.jpg": None}
    for inputs, output in ((["-", "in/a.jpg"], None), (["in"], "-")):
        with pytest.raises(BadInput, match="one picture"):
            plan(inputs, output, tag="cutout", suffix=".png")


def test_two_inputs_with_one_result_are_refused_and_both_named() -> None:
    with pytest.raises(BadInput, match=r"in.a\.jpg and in.out.a\.png would both be written"):
        targets("in/a.jpg", "in/out/a.png", output="new")


def test_result_that_would_replace_an_excluded_picture_is_refused(folder: Path) -> None:
    (folder / "in/b.jpg").touch()
    with pytest.raises(BadInput, match=r"b\.png: the result of .*b\.jpg would replace this input"):
        plan(["in"], "in", tag="cutout", suffix=".png", excludes=["*.png"])


def test_result_that_would_replace_an_input_is_refused() -> None:
    with pytest.raises(BadInput, match="would replace this input"):
        targets("in", output="in/deep/..")
    with pytest.raises(BadInput, match="would replace this input"):
        targets("in/b.png", output="in/b.png")


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["in/a.jpg", "in/b.png"], "new.png", "need a folder"),
        (["in"], "in/a.jpg", "need a folder"),
        (["in/a.jpg"], "new.bmp", "that format is not written"),
        (["in/a.jpg"], "new.webp", "the result is .png"),
        (["in/a.cutout.png"], None, "rename it"),
        (["in/a.cutout.png", "in/a.cutout.png"], None, "nothing to do"),
        (["empty"], None, "holds no pictures"),
    ],
)
def test_impossible_request_is_refused(inputs: list[str], output: str | None, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        plan(inputs, output, tag="cutout", suffix=".png")
