"""The scripts that look at machines: which Pythons are here, which wheels the index has, what they report."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.paths import ROOT
from support.scripts import load

wheels = load("check-wheels")
interpreters = load("test-interpreters")
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def write_wheel(folder: Path, name: str, tag: str, *requires: str) -> None:
    """A wheel with nothing in it but its metadata."""
    import zipfile

    inside = f"{name}-1.0.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {line}" for line in requires)]
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as archive:
        archive.writestr(f"{inside}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{inside}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{inside}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip looks into, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


def system(name: str) -> object:
    return next(system for system in wheels.SYSTEMS if name in system.name)


def test_requirements_are_those_of_pyproject_with_every_extra_written_out() -> None:
    wanted = wheels.requirements(PYPROJECT)
    assert any(line.startswith("openvino") for line in wanted["base"])
    extras = set(wheels.tomllib.loads(PYPROJECT)["project"]["optional-dependencies"])
    assert set(wanted) == {"base"} | extras
    assert any(line.startswith("onnxruntime") for line in wanted["all"])
    assert not any("u2net[" in line for lines in wanted.values() for line in lines)


def test_markers_are_those_of_the_target_not_of_this_machine(index: Path) -> None:
    write_wheel(index, "top", "py3-none-any", 'win; os_name == "nt"', 'new; python_version >= "3.14"')
    for name in ("win", "new"):
        write_wheel(index, name, "py3-none-any")
    assert set(wheels.resolve(system("Windows"), "3.14", ["top"]).versions) == {"top", "win", "new"}
    assert set(wheels.resolve(system("Windows"), "3.10", ["top"]).versions) == {"top", "win"}
    assert set(wheels.resolve(system("macOS"), "3.13", ["top"]).versions) == {"top"}


@pytest.mark.parametrize(
    ("tag", "taken"),
    [
        ("cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64", True),
        ("cp313-cp313-manylinux_2_34_x86_64", False),
        ("cp313-cp313-manylinux2014_x86_64", True),
        ("cp37-abi3-manylinux1_x86_64", True),
        ("cp312-cp312-manylinux2014_x86_64", False),
        ("cp313-cp313-musllinux_1_2_x86_64", False),
        ("cp313-cp313-win_amd64", False),
    ],
)
def test_wheel_is_taken_only_where_it_runs(index: Path, tag: str, taken: bool) -> None:
    write_wheel(index, "top", tag)
    answer = wheels.resolve(system("Linux x86-64"), "3.13", ["top"])
    assert answer == (wheels.Answer({"top": "1.0"}) if taken else wheels.Answer({}, "top"))


def test_missing_wheel_is_named_with_the_extra_that_wants_it(index: Path) -> None:
    write_wheel(index, "top", "py3-none-any")
    found = wheels.check(system("ARM64"), "3.14", {"base": ["top"], "fine": ["top"], "bad": ["nowhere>=2"]})
    assert {name: answer.missing for name, answer in found.items()} == {"base": None, "fine": None, "bad": "nowhere>=2"}
    assert wheels.line(system("ARM64"), "3.14", found).endswith("bad: no wheel for nowhere>=2")


@pytest.mark.slow("scripts/check-wheels")
def test_check_wheels_exits_1_where_something_is_missing(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wheels.main(["3.12", "windows"]) == 1
    assert "1 combinations, 1 of them cannot be had" in capsys.readouterr().out
    monkeypatch.setattr(wheels, "requirements", lambda text: {"base": ["top"], "extra": []})
    write_wheel(index, "top", "py3-none-any")
    assert wheels.main(["3.12", "windows"]) == 0


def test_readme_promises_what_is_checked() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python {wheels.PYTHONS[0]} to {wheels.PYTHONS[-1]}" in readme
    for system in wheels.SYSTEMS:
        for words in system.name.split(", "):
            assert all(word in readme for word in words.split()), system.name
    assert interpreters.SUPPORTED == wheels.PYTHONS
    assert f'requires-python = ">={wheels.PYTHONS[0]}"' in PYPROJECT


def test_interpreters_are_found_on_the_path_and_in_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(folder: Path, version: str, says: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"python{version}"
        path.write_text(f"#!/bin/sh\necho {says}\n")
        path.chmod(0o755)
        return path

    put(tmp_path / "shims", "3.10", "not chosen")
    on_path = put(tmp_path / "bin", "3.12", "3.12")
    put(tmp_path / "pyenv/versions/3.10.2/bin", "3.10", "3.10")
    newest = put(tmp_path / "pyenv/versions/3.10.13/bin", "3.10", "3.10")
    put(tmp_path / "pyenv/versions/3.9.18/bin", "3.9", "3.9")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}{os.pathsep}{tmp_path / 'bin'}")
    assert interpreters.find_interpreters() == {"3.10": newest, "3.12": on_path}


def test_summary_is_pytests_closing_line() -> None:
    output = "...\n=== short test summary info ===\n302 passed, 4 skipped in 55.69s\n"
    assert interpreters.summary_of(output) == "302 passed, 4 skipped in 55.69s"
    assert interpreters.summary_of("no such option") == "no test ran"


def test_smoke_files_exist() -> None:
    for name in interpreters.SMOKE:
        assert (ROOT / "tests" / name).is_file()


def test_constraints_name_every_direct_requirement_for_every_python() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wanted = wheels.requirements(PYPROJECT)["all"] + wheels.requirements(PYPROJECT)["base"]
    for name in {requirement.split(">")[0].split(";")[0].strip() for requirement in wanted}:
        markers = {line.partition(";")[2].strip() for line in lines if line.startswith(f"{name}==")}
        assert markers in ({""}, {'python_version >= "3.11"', 'python_version < "3.11"'}), name
