"""What is installed is complete: the source package, the wheel made of it, and a picture cut out from nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from support.paths import EXAMPLES, ROOT
from support.scripts import load
from u2net.inference.session import Session
from u2net.models.cache import cache_dir
from u2net.version import __version__

SOURCES = sorted(
    path.relative_to(ROOT / "src").as_posix()
    for path in (ROOT / "src").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source package, and the wheel that comes of it alone."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]  # it fetches hatchling
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return source, wheel


def test_wheel_holds_every_file_of_the_package_and_the_manual_page(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
    about = f"u2net-{__version__}."
    assert {name for name in names if not name.startswith(about)} == set(SOURCES)
    assert f"{about}data/data/share/man/man1/u2net.1" in names
    assert {f"{about}dist-info/licenses/LICENSE", f"{about}dist-info/licenses/NOTICE"} <= names


def test_source_package_holds_all_that_the_suite_and_the_docs_need(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as package:
        names = {name.partition("/")[2] for name in package.getnames()}
    assert {f"src/{name}" for name in SOURCES} <= names
    for folder in ("tests", "docs", "examples", "scripts", "man"):
        kept = {path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        assert {path.relative_to(ROOT).as_posix() for path in kept} <= names


def test_installed_into_an_empty_environment_it_cuts_out_a_picture(
    built: tuple[Path, Path], tmp_path: Path, small: Session
) -> None:
    environment = load("environment.py")
    python = environment.make(tmp_path / "venv")
    assert environment.install(python, ["-c", str(ROOT / "constraints.txt"), str(built[1])]), (
        "the wheel could not be installed"
    )
    shutil.copy(EXAMPLES / "coffee.jpg", tmp_path)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-m", "u2net", "remove", "-m", "u2netp", "--offline", "coffee.jpg"]
    # The precision that `auto` takes here needs the int8 table of the package.
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env={**variables, "U2NET_CACHE": str(cache_dir())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "coffee.cutout.png\n"), result.stderr
    assert Image.open(tmp_path / "coffee.cutout.png").mode == "RGBA"
    for page in ("gallery.html", "batch.html", "evaluation.html", "style.css"):
        assert list((tmp_path / "venv").rglob(f"u2net/reports/{page}"))
