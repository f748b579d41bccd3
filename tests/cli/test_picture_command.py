"""The help of the picture commands: short for most people, whole for who asks."""

from __future__ import annotations

import click
import pytest

from support.command_line import u2net
from u2net.cli import cli

COMMANDS = ["remove", "crop", "replace", "highlight", "paste", "box", "saliency", "panel", "parallax"]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def flags_of(name: str) -> set[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command
    context = click.Context(command, info_name=name)
    options = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    return {max(option.opts, key=len) for option in options}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_screen_and_names_every_flag(name: str) -> None:
    told = u2net(name, "--help").stdout
    assert len(told.splitlines()) <= 60
    assert max(map(len, told.splitlines())) <= 80
    assert flags_of(name) <= {word.strip(",") for word in told.split()}
    assert "Example" in told


@pytest.mark.parametrize("name", COMMANDS)
def test_all_of_the_help_explains_every_flag_in_its_section(name: str) -> None:
    result = u2net(name, "--help-all")
    assert result.exit_code == 0
    told = result.stdout
    explained = {line.split()[0].rstrip(",") for line in told.splitlines() if line.startswith("  -")}
    explained |= {word for line in told.splitlines() if line.startswith("  -") for word in line.split()}
    assert not {flag for flag in flags_of(name) if flag not in explained}
    assert "Model and machine:" in told and "More, shown by" not in told
