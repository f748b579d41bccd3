"""When a file that arrives is taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from u2net.batch.inputs import Job, jobs_below
from u2net.batch.watch import Arrivals


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def look(arrivals: Arrivals, folder: Path) -> list[str]:
    found = arrivals.among(jobs_below(folder, folder / "out", suffix=".png"))
    return [job.source.relative_to(folder).as_posix() for job in found if job.source]


def test_file_is_taken_once_it_looks_alike_twice_and_then_never_again(folder: Path) -> None:
    arrivals = Arrivals()
    (folder / "a.jpg").write_bytes(b"whole")
    assert [look(arrivals, folder) for _ in range(4)] == [[], ["a.jpg"], [], []]


def test_file_that_grows_or_is_empty_is_waited_for(folder: Path) -> None:
    arrivals = Arrivals()
    for length in (0, 0, 10, 20):
        (folder / "a.jpg").write_bytes(b"x" * length)
        assert look(arrivals, folder) == []
    assert look(arrivals, folder) == ["a.jpg"]


def test_file_that_is_written_to_without_growing_is_waited_for(folder: Path) -> None:
    arrivals = Arrivals()
    (folder / "a.jpg").write_bytes(b"x" * 9)
    for second in (1, 2, 3):
        os.utime(folder / "a.jpg", (second, second))
        assert look(arrivals, folder) == []
    assert look(arrivals, folder) == ["a.jpg"]


def test_changed_file_comes_again_and_so_does_one_that_was_away(folder: Path) -> None:
    arrivals = Arrivals()
    path = folder / "a.jpg"
    path.write_bytes(b"one")
    assert [look(arrivals, folder) for _ in range(2)] == [[], ["a.jpg"]]
    path.write_bytes(b"another")
    assert [look(arrivals, folder) for _ in range(3)] == [[], ["a.jpg"], []]
    path.unlink()
    assert look(arrivals, folder) == []
    path.write_bytes(b"another")
    assert [look(arrivals, folder) for _ in range(2)] == [[], ["a.jpg"]]


def test_new_folders_are_looked_into_and_the_output_folder_is_not(folder: Path) -> None:
    arrivals = Arrivals()
    for name in ("deep/new/b.jpg", "out/c.png"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(b"x")
    assert [look(arrivals, folder) for _ in range(2)] == [[], ["deep/new/b.jpg"]]


def test_file_that_vanishes_between_two_looks_is_forgotten(folder: Path) -> None:
    arrivals = Arrivals()
    gone = Job(folder / "gone.jpg", folder / "out" / "gone.png")
    assert list(arrivals.among([gone])) == []
