"""Slow proofs run again where what they depend on has changed, and are noted only where all of a room's have passed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support import proofs
from support.paths import ROOT

pytest_plugins = ["pytester"]
INPUTS = ["src/room", "file"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of which nothing is committed; what is in src/room has passed."""
    (tmp_path / "src" / "room").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "src" / "room" / "code.py").write_text("1")
    (tmp_path / "file").write_text("1")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setattr(proofs, "ROOT", tmp_path)
    monkeypatch.setattr(proofs, "PROVEN", tmp_path / "tests" / "proven.json")
    proofs.record({"room": INPUTS})
    return tmp_path


def test_what_has_passed_is_proven(tree: Path) -> None:
    assert proofs.is_proven("room", sorted(INPUTS))
    assert not proofs.is_proven("another", sorted(INPUTS))


@pytest.mark.parametrize("changed", ["src/room/code.py", "src/room/new.py", "file"])
def test_change_of_a_folder_or_a_file_asks_for_the_proofs(tree: Path, changed: str) -> None:
    (tree / changed).write_text("2")
    assert not proofs.is_proven("room", sorted(INPUTS))


def test_proof_that_depends_on_more_than_before_is_none(tree: Path) -> None:
    assert not proofs.is_proven("room", ["file", "src/other", "src/room"])


def test_room_is_known_again_when_a_change_is_taken_back(tree: Path) -> None:
    (tree / "file").write_text("2")
    (tree / "file").write_text("1")
    assert proofs.is_proven("room", sorted(INPUTS))


def test_other_rooms_stay_noted(tree: Path) -> None:
    proofs.record({"another": ["file"]})
    assert proofs.is_proven("room", sorted(INPUTS)) and proofs.is_proven("another", ["file"])


def test_without_git_nothing_is_proven(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    proofs.record({"room": INPUTS})
    assert not proofs.is_proven("room", sorted(INPUTS))


@pytest.fixture
def run_suite(pytester: pytest.Pytester) -> Callable[..., set[str]]:
    """Runs a suite of two slow proofs in one room, with our own conftest.py; returns the rooms that are noted then."""
    shutil.copytree(ROOT / "tests" / "support", pytester.path / "tests" / "support")
    shutil.copy(ROOT / "tests" / "conftest.py", pytester.path / "tests")
    settings = (
        "[pytest]\ntestpaths = tests\npythonpath = tests\nmarkers = slow\n  torch\naddopts = --import-mode=importlib\n"
    )
    (pytester.path / "pytest.ini").write_text(settings)
    room = pytester.path / "tests" / "room"
    room.mkdir()

    def run(*arguments: str, works: bool = True) -> set[str]:
        lines = [
            "import pytest",
            "pytestmark = pytest.mark.slow",
            "def test_one(): pass",
            f"def test_two(): assert {works}",
        ]
        (room / "test_slow.py").write_text("\n".join(lines))
        pytester.runpytest_subprocess(*arguments)
        kept = pytester.path / "tests" / "proven.json"
        return set(json.loads(kept.read_text())) if kept.exists() else set()

    return run


@pytest.mark.parametrize("arguments", [["--slow", "all", "-m", "slow"], ["--slow", "all"]], ids=" ".join)
def test_room_is_noted_where_all_of_its_proofs_passed(run_suite: Callable[..., set[str]], arguments: list[str]) -> None:
    assert run_suite(*arguments) == {"room"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--slow", "changed"],
        ["--slow", "all", "-k", "one"],
        ["--slow", "all", "--collect-only"],
        ["--slow", "all", "tests/room/test_slow.py::test_one"],
    ],
    ids=" ".join,
)
def test_part_of_them_is_not_noted(run_suite: Callable[..., set[str]], arguments: list[str]) -> None:
    assert run_suite(*arguments) == set()


def test_room_of_which_one_proof_fails_is_not_noted(run_suite: Callable[..., set[str]]) -> None:
    assert run_suite("--slow", "all", "-m", "slow", works=False) == set()
