"""The manual page is made from the commands as they are now, and roff's own checkers find nothing wrong with it."""

from __future__ import annotations

import re
import subprocess
import sys
import types

import click
import pytest

from support.paths import ROOT
from support.scripts import load
from support.tools import program
from u2net.cli import cli

PAGE = ROOT / "man" / "u2net.1"
TEXT = PAGE.read_text(encoding="ascii")
PLAIN = re.sub(r"\\f[BR]", "", TEXT).replace("\\-", "-").replace("\\&", "")


@pytest.fixture(scope="module")
def script() -> types.ModuleType:
    return load("man_page.py")


def test_page_is_up_to_date(script: types.ModuleType) -> None:
    assert script.page() == TEXT, "run: .venv/bin/python scripts/man_page.py"


def options_of(command: click.Command, path: str) -> list[tuple[str, str]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        inside = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
        return [pair for name, inner in inside if inner for pair in options_of(inner, f"{path} {name}")]
    return [(path, name) for option in command.params for name in option.opts if name.startswith("--")]


def test_every_option_of_every_command_is_in_its_section() -> None:
    pairs = options_of(cli, "u2net")
    assert ("u2net remove", "--background") in pairs and ("u2net models pull", "--offline") in pairs
    for path, option in pairs:
        section = PLAIN.split(f"\n.SS {path}\n")[1].split("\n.S")[0]
        assert re.search(rf"^(-[\w-]+, )*{option}\b", section, re.MULTILINE), (path, option)


def test_exit_codes_are_those_of_the_readme() -> None:
    section = PLAIN.split("\n.SH EXIT STATUS\n")[1].split("\n.SH")[0]
    assert re.findall(r"^\.TP\n(\d)$", section, re.MULTILINE) == list("012345")


def test_text_cannot_become_a_command_of_roff(script: types.ModuleType) -> None:
    assert list(script._text(".onnx -o C:\\x 'é")) == [r"\&.onnx \-o C:\ex '\[u00E9]"]


@pytest.mark.parametrize(
    ("checker", "expected"),
    [
        # A date would make the page differ from day to day.
        (["mandoc", "-T", "lint", "-W", "style"], 'WARNING: missing date, using "": TH'),
        (["groff", "-man", "-ww", "-z"], ""),
    ],
)
def test_checkers_of_roff_find_nothing(checker: list[str], expected: str) -> None:
    command = [program(checker[0], package=checker[0]), *checker[1:], str(PAGE)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (result.stdout + result.stderr).splitlines()
    assert [line for line in said if not expected or expected not in line] == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such program")
def test_page_reads_well_with_man() -> None:
    mandoc = program("mandoc", package="mandoc")
    shown = subprocess.run([mandoc, "-T", "utf8", str(PAGE)], capture_output=True, text=True, check=True).stdout
    plain = re.sub(".\b", "", shown)
    assert max(len(line) for line in plain.splitlines()) <= 90
    assert "u2net - find the object in a picture and cut it out" in plain
    assert "       u2net remove photos/ -o cutouts/\n" in plain
