"""The container file: no engine is here to build it, so it is read, and its steps are run in a clean folder."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.command_line import AS_ANYONE
from support.paths import EXAMPLES, ROOT

TEXT = (ROOT / "container" / "Containerfile").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "container.md").read_text(encoding="utf-8")


def instructions(text: str) -> list[tuple[str, str]]:
    """The file's steps in order: ("RUN", "pip install …"), comments dropped, lines that go on joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    steps = [line.strip() for line in lines.replace("\\\n", " ").splitlines() if line.strip()]
    return [(step.split(None, 1)[0], step.split(None, 1)[1]) for step in steps]


STEPS = instructions(TEXT)


def only(word: str) -> str:
    (value,) = (value for step, value in STEPS if step == word)
    return value


def in_context(path: Path) -> bool:
    """Whether .dockerignore lets a file of the project into the build."""
    name, taken = path.relative_to(ROOT).as_posix(), True
    for rule in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = rule.lstrip("!").removeprefix("**/")
        if rule and rule[0] != "#" and any(fnmatch.fnmatch(part, pattern) for part in (name, *name.split("/"))):
            taken = rule.startswith("!")
    return taken


def test_base_is_a_slim_python_that_we_support() -> None:
    version = re.fullmatch(r"python:(3\.\d+)-slim-bookworm", only("FROM"))
    assert version
    assert version[1] in ("3.10", "3.11", "3.12", "3.13", "3.14")


def test_it_runs_as_nobody_in_particular_and_takes_the_commands_arguments() -> None:
    names = [step for step, _ in STEPS]
    assert int(only("USER")) > 0
    assert "RUN" not in names[names.index("USER") :]
    assert json.loads(only("ENTRYPOINT")) == ["u2net"]
    assert only("ARG") == 'WEIGHTS=""'


def test_everything_copied_is_let_into_the_build_and_nothing_private_is() -> None:
    for step, value in STEPS:
        for name in shlex.split(value)[:-1] if step == "COPY" else []:
            assert in_context(ROOT / name), name
    for name in (".git/config", ".venv/pyvenv.cfg", "tests/conftest.py", "src/u2net/__pycache__/errors.pyc"):
        assert not in_context(ROOT / name), name


class Image:
    """A folder that stands for the image's root, and a fresh virtual environment for its Python."""

    def __init__(self, folder: Path, arguments: dict[str, str]) -> None:
        self.root = folder / "image"
        self.python = folder / "python"
        subprocess.run([sys.executable, "-m", "venv", str(self.python)], check=True)
        # Adding a user takes root and would change this machine: only that it is asked for is kept.
        stub = folder / "stubs" / "useradd"
        stub.parent.mkdir()
        stub.write_text(f'#!/bin/sh\necho "$@" > {shlex.quote(str(folder / "useradd"))}\n')
        stub.chmod(0o755)
        machine = {name: value for name, value in os.environ.items() if not name.startswith(("U2NET", "PYTHON"))}
        machine.setdefault("PIP_CONFIG_FILE", str(Path("~/.config/pip/pip.conf").expanduser()))
        path = os.pathsep.join([str(self.python / "bin"), str(stub.parent), os.environ["PATH"]])
        self.environment = {**machine, **arguments, "PATH": path}

    def inside(self, text: str) -> str:
        """The image's own folders, moved below the folder that stands for its root."""
        return re.sub(r"(?<![\w.])/(opt/u2net|var/cache/u2net|work)\b", rf"{self.root}/\1", text)

    def build(self) -> None:
        for step, value in STEPS:
            if step == "ENV":
                self.environment |= dict(item.split("=", 1) for item in shlex.split(self.inside(value)))
            elif step == "COPY":
                *sources, target = shlex.split(value)
                for name in sources:
                    self._copy(ROOT / name, Path(self.inside(target)), directory=target.endswith("/"))
            elif step == "RUN":
                subprocess.run(["sh", "-e", "-c", self.inside(value)], env=self.environment, cwd="/", check=True)

    def _copy(self, source: Path, target: Path, *, directory: bool) -> None:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=directory)
            shutil.copy(source, target)

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """The entry point, by a user whom the folders' rights bind."""
        (name,) = json.loads(only("ENTRYPOINT"))
        command = [str(self.python / "bin" / "python"), "-c", AS_ANYONE, str(self.python / "bin" / name), *arguments]
        return subprocess.run(command, env=self.environment, cwd=cwd, capture_output=True, text=True, check=True)


@pytest.mark.slow("container", "pyproject.toml", "constraints.txt")
def test_its_steps_run_in_a_clean_folder_and_cut_out_a_picture_with_everything_read_only(tmp_path: Path) -> None:
    image = Image(tmp_path, {"WEIGHTS": "u2netp"})
    image.build()
    assert f"--uid {only('USER')}" in (tmp_path / "useradd").read_text()
    cache = image.root / "var/cache/u2net"
    assert cache.stat().st_mode & 0o7777 == 0o1777
    assert (cache / "u2netp.onnx").stat().st_size == 4_574_861

    for path in (cache, *cache.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    work = tmp_path / "pictures"
    work.mkdir()
    shutil.copy(EXAMPLES / "coffee.jpg", work)
    before = sorted(cache.rglob("*"))
    assert image.run(*json.loads(only("CMD")), cwd=work).stdout.startswith("Usage: u2net")
    result = image.run("remove", "-m", "u2netp", "--offline", "coffee.jpg", cwd=work)
    assert (result.stdout, result.stderr) == ("coffee.cutout.png\n", "")
    assert (work / "coffee.cutout.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(cache.rglob("*")) == before

    stated = re.search(r"\| installed packages \| (\d+) MB \|", DOCS)
    assert stated
    (packages,) = image.python.glob("lib/python*/site-packages")
    own = [path for path in packages.rglob("*") if not path.relative_to(packages).parts[0].startswith("pip")]
    files = {(status.st_ino, status.st_blocks) for status in map(Path.lstat, own)}
    measured = sum(blocks for _, blocks in files) * 512 / 1e6
    assert measured == pytest.approx(int(stated[1]), rel=0.1)


def test_stated_sizes_add_up() -> None:
    sizes = {name: int(size) for name, size in re.findall(r"^\| ([\w :.-]+) \| (\d+) MB \|", DOCS, re.MULTILINE)}
    base, packages = sizes[only("FROM")], sizes["installed packages"]
    assert sizes["without weights"] == base + packages
    assert sizes["with u2netp"] == base + packages + 5
    assert sizes["with u2net"] == base + packages + 176
