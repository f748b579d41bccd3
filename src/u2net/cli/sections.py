"""A command's help in sections, so that fifty options can still be read."""

from __future__ import annotations

import click

OWN = "Options"


class Sectioned(click.Command):
    """A command that shows its options under the section each was given (see `options.grouped`); its own come first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {OWN: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "section", OWN), []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
