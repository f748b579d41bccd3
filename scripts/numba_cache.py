"""What numba compiles for pymatting, which takes a minute and a half in each new environment, kept for the next one.

numba keeps it beside the sources, and takes it only where source, processor and its own version are the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_FIND = (
    "import importlib.util; found = importlib.util.find_spec('pymatting'); print(found.submodule_search_locations[0])"
)
_COMPILED = ("*.nbi", "*.nbc")


def restore(python: Path) -> None:
    """Put what was compiled before into an environment that has pymatting."""
    _copy(_kept(), _package(python))


def save(python: Path) -> None:
    """Keep what an environment has compiled."""
    _copy(_package(python), _kept())


def _kept() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "u2net-tests" / "pymatting"


def _package(python: Path) -> Path | None:
    result = subprocess.run([str(python), "-c", _FIND], capture_output=True, text=True, check=False)
    return Path(result.stdout.strip()) if result.returncode == 0 else None


def _copy(source: Path | None, target: Path | None) -> None:
    if source is None or target is None:
        return
    for path in (path for pattern in _COMPILED for path in source.rglob(pattern)):
        place = target / path.relative_to(source)
        if not place.exists() or place.stat().st_mtime < path.stat().st_mtime:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
