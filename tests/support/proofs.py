"""Slow proofs run where something they depend on has changed since they last passed; `proven.json` remembers that.

A slow proof depends on its room, `src/u2net/<room>` and `tests/<room>`, and on the paths its marker names:
`@pytest.mark.slow("src/u2net/networks")`. Those at the top of `tests/` depend on their own file instead of a room.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from support.paths import ROOT

if TYPE_CHECKING:
    import pytest

PROVEN = ROOT / "tests" / "proven.json"
"""Room -> path -> git's hash of what lay there when the room's slow proofs last passed."""


def room_of(path: Path) -> str:
    """`io` for `tests/io/test_read.py`; `project` for `tests/test_layers.py` and what is no test of ours."""
    parts = path.relative_to(ROOT / "tests").parts if path.is_relative_to(ROOT / "tests") else ()
    return parts[0] if len(parts) > 1 else "project"


def inputs_of(proofs: Iterable[pytest.Item]) -> list[str]:
    """The paths that slow proofs of one room depend on."""
    paths = set()
    for proof in proofs:
        room, file = room_of(proof.path), proof.path.relative_to(ROOT).as_posix()
        paths |= {file} if room == "project" else {f"src/u2net/{room}", f"tests/{room}"}
        paths |= {path for marker in proof.iter_markers("slow") for path in marker.args}
    return sorted(paths)


def hash_of(path: str) -> str:
    """git's hash of a file or a folder as it is now, committed or not; empty where there is no git."""
    with tempfile.TemporaryDirectory() as folder:
        index = {**os.environ, "GIT_INDEX_FILE": str(Path(folder, "index"))}
        try:
            if not (ROOT / path).is_dir():
                return _git("hash-object", path)
            _git("add", "--all", "--", path, env=index)
            return _git("write-tree", f"--prefix={path}/", env=index)
        except (OSError, subprocess.CalledProcessError):
            return ""


def is_proven(room: str, inputs: list[str]) -> bool:
    """Whether all is as it was when the slow proofs of a room last passed."""
    before = _kept().get(room, {})
    return sorted(before) == inputs and all(hash_of(path) == before[path] != "" for path in inputs)


def record(passed: dict[str, list[str]]) -> None:
    """Note what has passed: room -> inputs. What is known of other rooms stays."""
    content = _kept() | {room: {path: hash_of(path) for path in inputs} for room, inputs in passed.items()}
    PROVEN.write_text(json.dumps(dict(sorted(content.items())), indent=2) + "\n", encoding="utf-8")


def _kept() -> dict[str, dict[str, str]]:
    return dict(json.loads(PROVEN.read_text(encoding="utf-8"))) if PROVEN.is_file() else {}


def _git(*arguments: str, env: dict[str, str] | None = None) -> str:
    result = subprocess.run(["git", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return result.stdout.strip()
