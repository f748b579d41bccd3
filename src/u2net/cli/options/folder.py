"""Flags about many pictures at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from u2net.cli.options.groups import Command, grouped
from u2net.cli.options.pictures import InputOptions
from u2net.cli.options.values import complete_files

_OPTIONS = [
    click.option(
        "--exclude",
        metavar="PATTERN",
        multiple=True,
        help="Leave out what fits, by name or by place below the folder: '*.gif', drafts, '2019/*'. May be given "
        "several times.",
    ),
    click.option(
        "--overwrite", is_flag=True, help="Make every result again, also those that the folder's record has as done."
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing."),
    click.option("--watch", is_flag=True, help="Go on with what arrives in the folders, until Ctrl-C."),
    click.option(
        "--report",
        metavar="FILE",
        help="At the end, write what became of each picture: .json, .csv or .html.",
        shell_complete=complete_files,
    ),
]


@dataclass(frozen=True)
class FolderOptions:
    """What the flags about many pictures say."""

    exclude: tuple[str, ...]
    overwrite: bool
    dry_run: bool
    watch: bool
    report: str | None

    def check(self, given: InputOptions) -> None:
        """Raise BadInput for what makes no sense, and CannotWrite for a report that cannot be written."""
        from u2net.errors import BadInput

        if self.watch and self.dry_run:
            raise BadInput("--watch and --dry-run exclude each other; leave one of them out")
        if self.watch and (given.output in (None, "", "-") or not all(map(os.path.isdir, given.inputs))):
            raise BadInput("--watch looks at folders and writes into another: u2net remove FOLDER -o FOLDER --watch")
        folders = [os.path.realpath(text) for text in given.inputs if os.path.isdir(text)]
        if given.output not in (None, "", "-") and os.path.realpath(given.output) in folders:
            raise BadInput(
                f"-o {given.output}: the results would lie among the inputs, and be inputs of the next run; "
                "give another folder, which may lie in this one"
            )
        if self.report is not None and self.dry_run:
            raise BadInput("--dry-run writes nothing, so there is no --report; leave one of them out")
        if self.report is not None:
            from u2net.reports.batch import kind_of
            from u2net.system.files import check_target

            kind_of(Path(self.report))
            if os.path.isdir(self.report):
                raise BadInput(f"--report {self.report}: is a folder; give the report a name in it")
            check_target(Path(self.report), beside=False)


def folder_options(command: Command) -> Command:
    """Give a command the flags about many pictures; it gets `many: FolderOptions`."""
    return grouped(command, FolderOptions, "many", _OPTIONS, section="Many pictures")
