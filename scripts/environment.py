"""The virtual environments that the scripts run in. Standard library only."""

from __future__ import annotations

import functools
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
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "cert": "SSL_CERT_FILE",
}
UV_LACKS = {"no-index", "trusted-host", "proxy", "client-cert"}
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
        base = interpreter or Path(sys.executable)
        # uv is done at once, -m venv takes seconds.
        if _uv("venv", "--seed", "--clear", "--python", str(base), str(folder)):
            return python
        try:
            subprocess.run([str(base), "-m", "venv", "--clear", str(folder)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"cannot make {folder}: {error}\nOn Debian and Ubuntu: apt install python3-venv")
    return python


def install(python: Path, arguments: Sequence[str]) -> bool:
    """Install into an environment with uv, which takes a tenth of pip's time, or with pip; whether that went well."""
    if _find_uv() is None:
        _pip(python, "install", "--quiet", "-c", CONSTRAINTS, "uv", capture_output=True)
    if _uv("pip", "install", "--python", str(python), *arguments):
        return True
    return _pip(python, "install", "--quiet", *arguments).returncode == 0


def _find_uv() -> str | None:
    """uv of this machine, or of `.venv`."""
    inside = ROOT / ".venv"
    return shutil.which("uv") or shutil.which("uv", path=os.pathsep.join([f"{inside}/bin", f"{inside}/Scripts"]))


def _uv(*arguments: str) -> bool:
    """Have uv do something; False where there is none, where it cannot, and where a setting of pip's is not for it."""
    uv, settings = _find_uv(), _settings_for_uv()
    if uv is None or settings is None:
        return False
    if subprocess.run([uv, "--quiet", *arguments], env=settings | os.environ, check=False).returncode == 0:
        return True
    print("uv could not do it; Python's own way is next", flush=True)
    return False


@functools.cache
def _settings_for_uv() -> dict[str, str] | None:
    """pip's settings about where packages come from, in uv's words, for uv reads none of them; None: it lacks one."""
    listed = _pip(Path(sys.executable), "config", "list", capture_output=True, text=True).stdout
    lines = [line.partition("=") for line in (listed or "").splitlines()]
    # Variables are printed first, and go before files.
    settings = {name.rpartition(".")[2]: value.strip("'") for name, _, value in reversed(lines)}
    if UV_LACKS & settings.keys():
        return None
    handed = {UV_NAMES[name]: value for name, value in settings.items() if name in UV_NAMES}
    if "UV_FIND_LINKS" in handed:
        handed["UV_FIND_LINKS"] = ",".join(handed["UV_FIND_LINKS"].split())
    if "UV_INDEX" in handed:
        handed["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # all are equal, as for pip
    return handed


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
