"""A command's help in sections, so that fifty options can still be read."""

from __future__ import annotations

import click

OWN = "Options"
LAST = "Model and machine"
"""Shown last: it is what a user changes least."""


class Sectioned(click.Command):
    """A command that shows its options under the section each was given (see `options.grouped`); its own come first."""

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
