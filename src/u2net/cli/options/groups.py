"""A group of options becomes one dataclass, and a section of the help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

OWN = "Options"
LAST = "Model and machine"
"""Shown last: it is what a user changes least."""


class Sectioned(click.Command):
    """A command that shows its options under the section each was given (see `grouped`); its own come first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {OWN: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections.setdefault(getattr(param, "section", OWN), []).append(record)
        sections[LAST] = sections.pop(LAST, [])
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


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
