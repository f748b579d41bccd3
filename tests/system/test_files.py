"""Files appear whole or not at all, also several that belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from u2net.errors import CannotWrite
from u2net.system.files import atomic_files, writing


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two files that belong together and are there already."""
    paths = tmp_path / "a.bin", tmp_path / "a.xml"
    for path in paths:
        path.write_text("old")
    return paths


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() if path.is_file() else "folder" for path in folder.iterdir()}


def test_several_files_take_their_places_together(pair: tuple[Path, Path]) -> None:
    with atomic_files(*pair) as made:
        assert [path.name for path in made] == ["a.bin", "a.xml"]
        for path in made:
            path.write_text("new")
    assert content(pair[0].parent) == {"a.bin": "new", "a.xml": "new"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_an_interrupted_block_leaves_what_was_there(pair: tuple[Path, Path], error: type[BaseException]) -> None:
    with pytest.raises(error), atomic_files(*pair) as made:
        made[0].write_text("new")
        raise error
    assert content(pair[0].parent) == {"a.bin": "old", "a.xml": "old"}


@pytest.mark.parametrize("there", ["both", "none"])
def test_a_second_file_that_is_missing_brings_the_first_back(pair: tuple[Path, Path], there: str) -> None:
    if there == "none":
        for path in pair:
            path.unlink()
    before = content(pair[0].parent)
    with pytest.raises(FileNotFoundError), atomic_files(*pair) as made:
        made[0].write_text("new")
    assert content(pair[0].parent) == before


def test_a_folder_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.mlpackage"
    for text in ("old", "new"):
        with atomic_files(path) as (made,):
            made.mkdir()
            (made / "inside").write_text(text)
    assert (path / "inside").read_text() == "new"
    assert content(tmp_path) == {"a.mlpackage": "folder"}
    with pytest.raises(FileNotFoundError), atomic_files(path):
        pass
    assert (path / "inside").read_text() == "new"


def test_what_cannot_be_written_is_said_with_what_lies_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for kept in ("", "; the one that lay there is as it was"):
        with pytest.raises(CannotWrite) as caught, writing(f"{path}: the table", over=path):
            raise OSError(28, "No space left on device")
        assert str(caught.value) == f"{path}: the table cannot be written: No space left on device{kept}"
        path.touch()
