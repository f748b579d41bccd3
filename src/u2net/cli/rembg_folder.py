"""u2net rembg p: a folder into another, once or as long as pictures arrive."""

from __future__ import annotations

import os
from pathlib import Path

import click

from u2net.batch.inputs import jobs_below, plan
from u2net.batch.operation import FileWork
from u2net.batch.process import Outcome
from u2net.batch.run import Run
from u2net.batch.settings import RunSettings, Watch
from u2net.cli.options.pictures import InputOptions
from u2net.cli.rembg_options import RembgOptions
from u2net.cli.show import leave, show
from u2net.errors import BadInput, CannotWrite
from u2net.system.files import check_target

STOP_FILE = "stop.txt"


def cut_folder(given: RembgOptions, folder: Path, output: Path, *, watch: bool, delete_input: bool) -> int:
    """Do it, and return the exit code: 1 where pictures failed."""
    if not os.path.isdir(folder):
        raise BadInput(f"{folder}: is no folder; for one picture use: u2net rembg i")
    if os.path.lexists(output) and os.path.realpath(output) == os.path.realpath(folder):
        raise BadInput(f"{output}: the results would lie among the inputs; give another OUTPUT")
    # Watching, the folder may be empty now; what is there must not collide.
    named = [str(folder)] if not watch or jobs_below(folder, output, suffix=".png") else []
    jobs = plan(named, str(output), tag="cutout", suffix=".png") if named else []
    check_target(output / "x.png", beside=False)
    cut = given.open()
    run = Run(
        jobs,
        lambda requests: FileWork(cut),
        RunSettings(),
        keeps_existing=True,
        several=not given.alpha_matting,  # which takes all cores and a lot of memory for one
        watch=Watch((folder,), output, ".png", until=folder / STOP_FILE) if watch else None,
    )
    skipped = 0

    def each(outcome: Outcome) -> None:
        nonlocal skipped
        skipped += bool(outcome.reason)
        if outcome.reason and watch:
            click.echo(f"u2net: {outcome.source}: skipped: {outcome.target} was there already", err=True)

    shown = InputOptions((str(folder),), str(output))
    tally = show(run, shown, after=_delete_input if delete_input else None, each=each)
    if skipped and not watch:
        click.echo(f"u2net: {skipped} of {len(jobs)} skipped: their results were there already", err=True)
    return min(leave(tally, watched=watch), 1)


def _delete_input(outcome: Outcome) -> None:
    """Delete what was cut out, unless somebody has written to it since it was read. Raises CannotWrite."""
    path, read = outcome.source, outcome.input
    try:
        status = path.stat()
        if read is None or (status.st_size, status.st_mtime_ns) == (read.size_bytes, read.mtime_ns):
            path.unlink()
    except OSError as error:
        raise CannotWrite(f"{path}: is cut out, but cannot be deleted: {error.strerror or error}") from error
