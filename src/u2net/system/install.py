"""How to install what an extra names. No package index holds u2net, so `pip install 'u2net[heif]'` is never the way."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def install_hint(extra: str, *, package: Path = _PACKAGE) -> str:
    """The second half of "X is not installed; …": the command that installs an extra into this installation.

    extra: a name from `[project.optional-dependencies]`. package: the folder of u2net itself.
    From a checkout it installs the checkout again, with the extra. An installed wheel names the packages, because pip
    has no place to take u2net from. A frozen program (PyInstaller and the like) cannot install anything, and says so.
    """
    if getattr(sys, "frozen", False):
        return f"this build of u2net comes without the extra '{extra}'; use an installation with Python"
    if package.parent.name == "src" and (package.parents[1] / "pyproject.toml").is_file():
        return f"run: pip install -e {_quoted(f'{package.parents[1]}[{extra}]')}"
    packages = _packages_of(extra)
    if packages:
        return f"run: pip install {' '.join(packages)}"
    return f"install the packages that u2net's pyproject.toml lists for the extra '{extra}'"


def _packages_of(extra: str) -> list[str]:
    """The names of an extra's packages, by the installed distribution; none where u2net lies there without one."""
    from importlib import metadata  # takes a third of the time of `u2net --help`

    try:
        lines = metadata.requires("u2net") or []
    except metadata.PackageNotFoundError:
        return []
    wanted = re.compile(rf"""extra\s*==\s*['"]{re.escape(extra)}['"]""")
    names = [re.split(r"[\s<>=!~;(\[]", line, maxsplit=1)[0] for line in lines if wanted.search(line)]
    return list(dict.fromkeys(names))


def _quoted(text: str) -> str:
    """As the system's shell takes it; the brackets of an extra need quotes in most."""
    return f'"{text}"' if os.name == "nt" else shlex.quote(text)
