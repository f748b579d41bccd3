"""A group of options becomes one dataclass, and a section of the help."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

import click

OWN = "Options"
LAST = "Model and machine"
"""Shown last: it is what a user changes least."""
USUAL = {
    "output", "hint", "keep", "edges", "preset", "background", "shadow", "file_format", "model", "help", "help_all",
}  # fmt: skip
"""The names of the shared options that most people need; `--help` only names the others."""


def _show_all(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.meta["u2net.help_all"] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


class Sectioned(click.Command):
    """A command whose `--help` shows its own options and the usual ones, and whose `--help-all` shows all, each under
    the section it was given (see `grouped`)."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        how: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False, "callback": _show_all}
        return [*super().get_params(ctx), click.Option(["--help-all"], help="Show all options.", **how)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        whole = ctx.meta.get("u2net.help_all", False)
        sections: dict[str, list[tuple[str, str]]] = {OWN: []}
        folded: dict[str, list[str]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None or not isinstance(param, click.Option):
                continue
            section = getattr(param, "section", OWN)
            if whole or section == OWN or param.name in USUAL:
                sections.setdefault(section if whole else OWN, []).append(record)
            else:
                folded.setdefault(section, []).append(max(param.opts, key=len))
        for ordered in (sections, folded):
            if LAST in ordered:
                ordered[LAST] = ordered.pop(LAST)  # type: ignore[assignment]
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=26)
        if folded:
            with formatter.section("More, shown by --help-all"):
                width = formatter.width - 2 - max(map(len, folded)) - 2 - formatter.current_indent
                rows = [(section, _unbroken(" ".join(names), width)) for section, names in folded.items()]
                formatter.write_dl(rows)


def _unbroken(words: str, width: int) -> str:
    """Lines that click leaves as they are: it would break a flag at its hyphens."""
    return "\b\n" + "\n".join(textwrap.wrap(words, width, break_on_hyphens=False))


Command = TypeVar("Command", bound=Callable[..., Any])


def grouped(command: Command, group: Any, name: str, options: list[Any], *, section: str = OWN) -> Command:
    """Add options to a command, which gets their values as one argument `name`, a `group`; `Sectioned` shows them
    under `section`."""

    def collect(**values: Any) -> Any:
        collected = group(**{field: values.pop(field) for field in group.__dataclass_fields__})
        return command(**{name: collected}, **values)

    collect.__doc__ = command.__doc__
    collect.__name__ = command.__name__
    collect.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    before = len(collect.__click_params__)  # type: ignore[attr-defined]
    for option in reversed(options):
        option(collect)
    for param in collect.__click_params__[before:]:  # type: ignore[attr-defined]
        param.section = section
    return collect  # type: ignore[return-value]
