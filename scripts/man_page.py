"""Make man/u2net.1, the manual page, from the commands themselves and from README's table of exit codes.

Run it in the project's environment: .venv/bin/python scripts/man_page.py
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from u2net.cli import cli
from u2net.version import __version__

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "man" / "u2net.1"
STREAMS = "Results are printed on standard output, progress and warnings on standard error."
ENVIRONMENT = {
    "U2NET_CACHE": "The folder for weights and compiled models, instead of the user's cache folder of the system.",
    "U2NET_MIRROR": "An address or folder that holds u2net.onnx and so on, asked before the published sources.",
    "http_proxy, https_proxy, no_proxy": "The proxy, as for other programs.",
    "U2NET_HOME, XDG_DATA_HOME, REMBG_HOME": "Folders of other tools, where weights are looked for and never changed.",
}


def main() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="ascii")
    print(PAGE)


def page() -> str:
    """The whole page, in the macros of man(7); ASCII."""
    context = click.Context(cli, info_name="u2net", **cli.context_settings)
    lines = [
        '.\\" Made by scripts/man_page.py; do not change it by hand.',
        f'.TH U2NET 1 "" "u2net {__version__}" "User Commands"',
        *(".SH NAME", r"u2net \- find the object in a picture and cut it out"),
        *(".SH SYNOPSIS", _synopsis(cli, context)),
        *(".SH DESCRIPTION", *_text(cli.help or ""), ".PP", *_text(STREAMS)),
        *(".SH OPTIONS", *_options(cli, context)),
        *(".SH COMMANDS", *_commands(cli, context)),
        *(".SH EXIT STATUS", *_terms(_exit_codes())),
        *(".SH ENVIRONMENT", *_terms(ENVIRONMENT)),
    ]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    """A subsection for each command, and for those of a group in its place; --help is told once, for all."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        own = click.Context(command, info_name=name, parent=context, help_option_names=[])
        if isinstance(command, click.Group):
            yield from _commands(command, own)
            continue
        yield from (f".SS {_roff(own.command_path)}", _synopsis(command, own))
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
            yield from (".PP", *_paragraph(paragraph))
        yield from _options(command, own)
        yield from _examples(command.epilog or "")


def _synopsis(command: click.Command, context: click.Context) -> str:
    words = " ".join(command.collect_usage_pieces(context))
    return f"\\fB{_roff(context.command_path)}\\fR {_roff(words)}"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    options = (one for one in command.get_params(context) if isinstance(one, click.Option))
    return _terms(dict(record for option in options if (record := option.get_help_record(context))))


def _examples(epilog: str) -> Iterator[str]:
    """`Examples: one · another`, a line each."""
    title, _, commands = epilog.partition(": ")
    if commands:
        yield from (".PP", f"{title}:", ".PP", ".nf", *map(_roff, commands.split(" · ")), ".fi")


def _terms(rows: dict[str, str]) -> Iterator[str]:
    for term, meaning in rows.items():
        yield from (".TP", f"\\fB{_roff(term)}\\fR", *_text(meaning))


def _paragraph(text: str) -> Iterator[str]:
    """As click takes it: one that begins with \\b keeps its lines."""
    if text.startswith("\b"):
        yield from (".nf", *map(_roff, text.splitlines()[1:]), ".fi")
    else:
        yield from _text(text)


def _text(text: str) -> Iterator[str]:
    """In lines of the length that roff's own checker asks for, unless its escapes make them longer."""
    for line in textwrap.wrap(" ".join(text.split()), 76, break_long_words=False, break_on_hyphens=False):
        yield re.sub("`(.+?)`", r"\\fB\1\\fR", _roff(line))


def _exit_codes() -> dict[str, str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.+) \|$", readme, re.MULTILINE)
    return dict(rows)


def _roff(text: str) -> str:
    """Text as roff takes it: a - is a minus that can be copied, a line's first . or ' is no command."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    escaped = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in escaped)
    return r"\&" + escaped if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    main()
