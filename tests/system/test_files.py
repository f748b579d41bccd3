"""Files appear whole or not at all, also several that belong together."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from support.paths import EXAMPLES
from u2net.errors import CannotWrite, NotWritable
from u2net.system.files import atomic_files, check_target, is_standard_output, write_bytes, writing


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


# -- what lies there stays what it is

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
needs_pipes = pytest.mark.skipif(sys.platform == "win32", reason="no pipes with a name")


def write_one(path: Path) -> None:
    write_bytes(path, b"new")


def write_several(path: Path) -> None:
    with atomic_files(path) as (made,):
        made.write_bytes(b"new")


each_way = pytest.mark.parametrize("write", [write_one, write_several])


@needs_links
@each_way
@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_written_through(write: Callable[[Path], None], there: bool, tmp_path: Path) -> None:
    real, link = tmp_path / "store" / "real.png", tmp_path / "link.png"
    real.parent.mkdir()
    if there:
        real.write_bytes(b"old")
    link.symlink_to(Path("store", "real.png"))
    write(link)
    assert link.is_symlink() and real.read_bytes() == b"new"
    assert content(real.parent) == {"real.png": "new"}


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes")
@each_way
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_a_file_keeps_its_mode(write: Callable[[Path], None], mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


@each_way
def test_a_protected_file_stays_for_root_too(write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    path.chmod(0o444)
    for refused in (lambda: write(path), lambda: check_target(path, beside=False)):
        with pytest.raises(
            NotWritable, match=r"a\.png: is write-protected and stays as it is; give another name"
        ) as info:
            refused()
        assert info.value.exit_code == 2
    path.chmod(0o644)
    assert content(tmp_path) == {"a.png": "old"}


@needs_pipes
@each_way
def test_a_pipe_gets_the_bytes_and_stays_one(write: Callable[[Path], None], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    check_target(pipe, beside=False)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(pipe.read_bytes)
        write(pipe)
        assert reading.result(30) == b"new"
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.png"]


@needs_pipes
@each_way
def test_a_terminal_is_written_into(write: Callable[[Path], None]) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        write(Path(os.ttyname(theirs)))
        assert os.read(ours, 100) == b"new"
        assert Path(os.ttyname(theirs)).is_char_device()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.skipif(sys.platform != "linux", reason="that name is Linux's")
@pytest.mark.parametrize("command", ["box cat.png -o", "saliency cat.png -o", "rembg i cat.png"])
def test_redirected_standard_output_by_its_name_gets_the_result_and_nothing_else(command: str, tmp_path: Path) -> None:
    """The file that the shell opened is not replaced: what it has already, and what comes later, stays.

    Not /dev/stdout, which a mistake would replace on the machine that runs this; nothing can be made in /proc.
    """
    shutil.copy(EXAMPLES / "cat.png", tmp_path)
    with (tmp_path / "out").open("wb") as stream:
        whole = [sys.executable, "-m", "u2net", *command.split(), "/proc/self/fd/1", "-m", "u2netp"]
        subprocess.run(whole, cwd=tmp_path, stdout=stream, check=True)
        stream.seek(0, os.SEEK_END)
        stream.write(b"later")
    made = (tmp_path / "out").read_bytes()
    assert made.endswith(b"later")
    if command.startswith("box"):
        assert json.loads(made[:-5])[0]["found"]
    else:
        assert Image.open(io.BytesIO(made)).size == Image.open(EXAMPLES / "cat.png").size


def test_without_standard_streams_a_file_is_replaced(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a daemon or a program with windows."""
    for name in ("__stdout__", "__stderr__"):
        monkeypatch.setattr(sys, name, None)
    check_target(pair[0], beside=False)
    write_bytes(pair[0], b"new")
    assert pair[0].read_text() == "new" and not is_standard_output(pair[0])
