"""README.md tells the truth: its commands and its Python run, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import EXAMPLES, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    return tmp_path


def test_python_block_runs_and_writes_what_it_says(folder: Path) -> None:
    (code,) = blocks("python")
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    assert (folder / "astronaut.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "astronaut-on-yellow.jpg").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.skipif(os.name == "nt", reason="the commands are written for a POSIX shell")
def test_every_command_runs_and_writes_what_it_says(folder: Path) -> None:
    (script,) = blocks("sh")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(["sh", "-e", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, check=True)
    assert sorted(file.name for file in (folder / "cutouts").glob("[!.]*")) == [
        "astronaut.png", "cat.png", "coffee.png", "gravel.png", "rocket.png",
    ]  # fmt: skip
    for name in ("examples/cat.cutout.png", "coffee.jpg", "rocket-map.png", "cat.webp", "glow.jpg", "gallery.html"):
        assert (folder / name).stat().st_size > 0


def test_links_lead_to_files() -> None:
    targets = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert targets
    for link in targets:
        assert (ROOT / link).exists(), link


def test_first_commands_are_the_demo_and_the_test() -> None:
    first = blocks("")[0]
    assert "scripts/demo" in first
    assert "scripts/test" in first


def test_examples_are_small_and_credited() -> None:
    pictures = [path for path in EXAMPLES.iterdir() if path.suffix in (".jpg", ".png")]
    credits = (EXAMPLES / "CREDITS.md").read_text(encoding="utf-8")
    assert 4 <= len(pictures) <= 6
    assert sum(path.stat().st_size for path in pictures) <= 1_500_000
    assert all(path.name in credits for path in pictures)
