"""The virtual environments that the scripts run in. Standard library only."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = str(ROOT / "constraints.txt")
MINIMUM = (3, 10)
TEST_GROUPS = ["test"]
SMOKE_EXTRAS = ["onnxruntime", "heif"]
TEST_EXTRAS = ["onnxruntime", "heif", "evaluate", "matting"]
TORCH_EXTRAS = ["train", "export", "quantize"]


def prepare(
    *,
    groups: Sequence[str] = (),
    extras: Sequence[str] = (),
    name: str = ".venv",
    interpreter: Path | None = None,
) -> Path:
    """Make `.venv` where it is missing, install u2net from this checkout into it, and return its interpreter.

    groups, extras: of pyproject.toml; constraints.txt says which versions.
    name, interpreter: of another environment, and the Python that it is made with.
    What was installed is remembered, so that a second run starts at once.
    """
    if sys.version_info < MINIMUM:
        sys.exit(f"u2net needs Python {MINIMUM[0]}.{MINIMUM[1]} or newer; this is {sys.version.split()[0]}")
    folder = ROOT / name
    python = make(folder, interpreter)
    wanted = _group_requirements(groups)
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    arguments = ["-c", CONSTRAINTS, "-e", target, *wanted]
    stamp = folder / "u2net-installed" / hashlib.sha256(_inputs(arguments)).hexdigest()[:16]
    if not stamp.exists():
        print("installing u2net into it" + (f", with {', '.join(wanted)}" if wanted else ""), flush=True)
        if not install(python, arguments):
            sys.exit("pip could not install what is needed; its message is above")
        stamp.parent.mkdir(exist_ok=True)
        stamp.touch()
    return python


def make(folder: Path, interpreter: Path | None = None) -> Path:
    """Make an environment where there is none, and return its interpreter."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"making {folder}", flush=True)
        base = str(interpreter or sys.executable)
        command = [find_uv() or "", "venv", "--quiet", "--seed", "--clear", "--python", base, str(folder)]
        try:
            # At once, where -m venv takes seconds.
            if not command[0] or subprocess.run(command, check=False).returncode != 0:
                subprocess.run([base, "-m", "venv", "--clear", str(folder)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"cannot make {folder}: {error}\nOn Debian and Ubuntu: apt install python3-venv")
    return python


def install(python: Path, arguments: Sequence[str]) -> bool:
    """Install into an environment with uv, which takes a tenth of pip's time, or with pip; whether that went well."""
    return _install_with_uv(python, arguments) or _pip(python, "install", "--quiet", *arguments).returncode == 0


def find_uv() -> str | None:
    """uv of this machine, or of `.venv`, or None."""
    inside = ROOT / ".venv"
    return shutil.which("uv") or shutil.which("uv", path=os.pathsep.join([f"{inside}/bin", f"{inside}/Scripts"]))


def _install_with_uv(python: Path, arguments: Sequence[str]) -> bool:
    uv = find_uv()
    if uv is None:
        if _pip(python, "install", "--quiet", "-c", CONSTRAINTS, "uv", capture_output=True).returncode != 0:
            return False
        uv = str(python.with_name("uv"))
    # uv reads no setting of pip's: where packages come from is handed on.
    listed = _pip(python, "config", "list", capture_output=True, text=True).stdout
    settings = {
        line.partition("=")[0].rpartition(".")[2]: line.partition("=")[2].strip("'") for line in listed.splitlines()
    }
    variables = {
        name: settings[key]
        for key, name in {"find-links": "UV_FIND_LINKS", "index-url": "UV_DEFAULT_INDEX"}.items()
        if key in settings and name not in os.environ
    }
    command = [uv, "pip", "install", "--quiet", "--python", str(python), *arguments]
    return subprocess.run(command, env=os.environ | variables, check=False).returncode == 0


def _pip(python: Path, *arguments: str, **how: Any) -> subprocess.CompletedProcess[Any]:
    return subprocess.run([str(python), "-m", "pip", "--disable-pip-version-check", *arguments], check=False, **how)


def run(python: Path, *arguments: str) -> int:
    """Run the environment's interpreter, or another of its programs, in the project's folder; return its exit code."""
    return subprocess.run([str(python), *arguments], cwd=ROOT, check=False).returncode


def _inputs(arguments: Sequence[str]) -> bytes:
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    return repr([*arguments, *(path.read_text(encoding="utf-8") for path in files)]).encode()


def _group_requirements(groups: Sequence[str]) -> list[str]:
    """The lines of pyproject's dependency groups. By hand: tomllib comes with 3.11, `pip --group` with pip 25.1."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.split("[dependency-groups]")[1].split("\n[")[0]
    lines = dict(line.split(" = ", 1) for line in section.strip().splitlines())
    return [item for group in groups for item in re.findall(r'"([^"]+)"', lines[group])]
