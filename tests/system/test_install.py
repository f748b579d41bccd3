"""What messages tell a user to install, for each way that u2net can be here."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from support.paths import ROOT
from u2net.system.install import install_hint

REQUIRES = [
    "numpy>=2",
    "pillow-heif>=0.22; extra == 'heif'",
    "matplotlib>=3.8; extra == 'all'",
    "matplotlib>=3.8; extra == 'evaluate'",
    'pysodmetrics<2,>=1.6; (python_version < "3.14") and extra == "evaluate"',
    "thing[more]>=1; extra == 'thing'",
]
"""Lines as they lie in a wheel's METADATA."""


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package that a wheel brought, with that wheel's requirements."""
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES if name == "u2net" else None)
    return tmp_path / "site-packages" / "u2net"


def test_a_checkout_is_installed_again_with_the_extra(tmp_path: Path) -> None:
    (tmp_path / "my pictures" / "src" / "u2net").mkdir(parents=True)
    (tmp_path / "my pictures" / "pyproject.toml").touch()
    hint = install_hint("heif", package=tmp_path / "my pictures" / "src" / "u2net")
    command = hint.removeprefix("run: ")
    assert shlex.split(command) == ["pip", "install", "-e", f"{tmp_path}/my pictures[heif]"]


def test_these_tests_run_from_a_checkout() -> None:
    import u2net

    if Path(u2net.__file__).is_relative_to(ROOT):
        assert f"{ROOT}[train]" in install_hint("train")


def test_an_installed_wheel_names_the_packages(wheel: Path) -> None:
    assert install_hint("heif", package=wheel) == "run: pip install pillow-heif"
    assert install_hint("evaluate", package=wheel) == "run: pip install matplotlib pysodmetrics"
    assert install_hint("thing", package=wheel) == "run: pip install thing"


def test_without_metadata_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert "lists for the extra 'heif'" in install_hint("heif", package=tmp_path / "u2net")


def test_a_frozen_program_says_that_it_lacks_the_extra(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    hint = install_hint("heif", package=wheel)
    assert "this build of u2net comes without the extra 'heif'" in hint
    assert "pip" not in hint


def test_no_text_sends_a_user_to_an_index_for_u2net() -> None:
    """There the name is free: whoever takes it would be installed."""
    texts = [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.ipynb")]
    texts += (ROOT / "benchmarks").glob("*.py")
    texts += [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "man" / "u2net.1", *(ROOT / "container").glob("*")]
    fetched = re.compile(r"pip install (?:-\S+ )*['\"]?u2net\b(?![-./])|u2net\[")
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in texts
        if path.is_file() and path != ROOT / "src" / "u2net" / "system" / "install.py"
        for match in fetched.finditer(path.read_text(encoding="utf-8"))
    }
    assert not found
