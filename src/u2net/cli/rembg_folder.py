"""u2net rembg p: a folder into another, once or as long as pictures arrive."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import click

from u2net.batch.inputs import Job, jobs_below, plan
from u2net.batch.process import named
from u2net.batch.watch import POLL_S, Arrivals, stamp
from u2net.cli.progress import picture_bar
from u2net.cli.rembg_options import RembgOptions, read_file
from u2net.errors import BadInput, CannotWrite, U2NetError
from u2net.system.files import check_target, make_folder, write_bytes

STOP_FILE = "stop.txt"

Cut: TypeAlias = Callable[[bytes], bytes]


def cut_folder(given: RembgOptions, folder: Path, output: Path, *, watch: bool, delete_input: bool) -> int:
    """Do it, and return the exit code: 1 where pictures failed."""
    if not os.path.isdir(folder):
        raise BadInput(f"{folder}: is no folder; for one picture use: u2net rembg i")
    if os.path.lexists(output) and os.path.realpath(output) == os.path.realpath(folder):
        raise BadInput(f"{output}: the results would lie among the inputs; give another OUTPUT")
    # Watching, the folder may be empty now; what is there must not collide.
    jobs = (
        plan([str(folder)], str(output), tag="cutout", suffix=".png") if not watch or _pictures(folder, output) else []
    )
    check_target(output / "x.png", beside=False)
    cut = given.open()
    if watch:
        return _watch(folder, output, cut, delete_input=delete_input)
    failures = skipped = 0
    with picture_bar(len(jobs), quiet=False) as (advance, tell):
        for job in jobs:
            assert job.target is not None
            try:
                if os.path.lexists(job.target):
                    skipped += 1
                else:
                    _cut_one(job, cut, delete_input=delete_input)
                    click.echo(str(job.target), color=True)
            except U2NetError as error:
                failures += 1
                tell(f"u2net: {named(job, error)}")
            advance()
    if skipped:
        click.echo(f"u2net: {skipped} of {len(jobs)} skipped: their results were there already", err=True)
    if failures:
        click.echo(f"u2net: {failures} of {len(jobs)} pictures failed", err=True)
    return min(failures, 1)


def _watch(folder: Path, output: Path, cut: Cut, *, delete_input: bool) -> int:
    failed: set[Path] = set()
    made: dict[Path, Path] = {}  # target -> the source it was made from
    with contextlib.suppress(KeyboardInterrupt):
        for job in arrivals(folder, output):
            source, target = job.source, job.target
            assert source is not None and target is not None
            try:
                if made.get(target, source) != source:
                    raise BadInput(f"{source}: its result would replace that of {made[target]}; rename it")
                if target not in made and os.path.lexists(target):
                    click.echo(f"u2net: {source}: skipped: {target} was there already", err=True)
                    continue
                _cut_one(job, cut, delete_input=delete_input)
            except U2NetError as error:
                failed.add(source)
                click.echo(f"u2net: {named(job, error)}", err=True)
            else:
                made[target] = source
                failed.discard(source)
                click.echo(str(target), color=True)
    if failed:
        click.echo(f"u2net: {len(failed)} pictures failed", err=True)
    return min(len(failed), 1)


def arrivals(folder: Path, output: Path, *, every_s: float = POLL_S) -> Iterator[Job]:
    """Each picture below a folder, those that are there and those that come, as soon as it has stopped growing.

    One that changes later comes again. Ends when a file stop.txt appears in the folder, and deletes that.
    """
    stop = folder / STOP_FILE
    before = stamp(stop)
    seen = Arrivals()
    while True:
        for job in seen.among(jobs_below(folder, output, suffix=".png")):
            yield job
            if stamp(stop) not in (None, before):
                break
        if stamp(stop) not in (None, before):
            stop.unlink(missing_ok=True)
            return
        time.sleep(every_s)


def _pictures(folder: Path, output: Path) -> bool:
    return bool(jobs_below(folder, output, suffix=".png"))


def _cut_one(job: Job, cut: Cut, *, delete_input: bool) -> None:
    assert job.source is not None and job.target is not None
    check_target(job.target, beside=False)
    png = cut(read_file(job.source))
    make_folder(job.target.parent)
    write_bytes(job.target, png)
    if not delete_input:
        return
    try:
        job.source.unlink()
    except OSError as error:
        raise CannotWrite(f"{job.source}: is cut out, but cannot be deleted: {error.strerror or error}") from error
