"""Folders of pictures: what is there already is not done again, what arrives is done, and all of it is reported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from u2net.batch.inputs import Job, are_many, jobs_below, plan
from u2net.batch.manifest import NOTHING_TO_DO, Manifest, Outcome, Status, open_manifest, temporary_files_of
from u2net.batch.operation import Work
from u2net.batch.process import Result, RunContext, Task
from u2net.batch.settings import InputOptions
from u2net.batch.watch import LONGEST_REST_S, POLL_S, Arrivals
from u2net.cli.options.folder import FolderOptions
from u2net.cli.run_pictures import Tally, check_streams, conclude, run_tasks
from u2net.errors import UnreadablePicture
from u2net.reports.batch import BatchReport
from u2net.system.files import check_target, make_folder
from u2net.system.parallel import pictures_in_flight, requests_for
from u2net.system.signals import end_at_once


@dataclass(frozen=True)
class Plan:
    """What `inputs.plan` takes besides inputs and output."""

    tag: str
    suffix: str
    reads: Sequence[str | None] = ()


@dataclass
class _Batch:
    """One run. open_work: given the number of requests, what does a picture; called when the first is to be done.

    busy: inputs in work; made: while watching, from what a result was made.
    """

    open_work: Callable[[int], Work]
    requests: int
    manifest: Manifest | None
    overwrite: bool
    opened: list[Work] = field(default_factory=list)
    by_hand: int = 0
    busy: set[Path] = field(default_factory=set)
    made: dict[Path, Path] = field(default_factory=dict)

    def status(self, job: Job) -> Status:
        return "new" if self.manifest is None or self.overwrite else self.manifest.status(job)

    def task(self, job: Job) -> Task:
        status = self.status(job)
        if status in NOTHING_TO_DO:
            self.by_hand += status == "changed by hand"
            return Task(job, None, skipped=status)
        if not self.opened:
            with end_at_once():  # weights are fetched, a model is compiled: nothing is lost, and it may take long
                self.opened.append(self.open_work(self.requests))
            if self.manifest:
                self.manifest.note_options()
        return Task(job, self.opened[0])

    def arriving(self, folders: Sequence[Path], output: Path, suffix: str, excludes: Sequence[str]) -> Iterator[Any]:
        """Tasks for what arrives, without end; None where nothing does."""
        arrivals = {folder: Arrivals() for folder in folders}
        lost: set[Path] = set()
        postponed: list[Job] = []
        while True:
            start = time.monotonic()
            offered, postponed = postponed, []
            for folder, known in arrivals.items():
                try:
                    offered += known.among(jobs_below(folder, output, suffix=suffix, excludes=excludes))
                    lost.discard(folder)
                except UnreadablePicture as error:
                    if folder not in lost:
                        click.echo(f"u2net: {error}; waiting for it", err=True)
                    lost.add(folder)
            looked_s = time.monotonic() - start
            for job in offered:
                assert job.source is not None and job.target is not None
                if job.source in self.busy:
                    postponed.append(job)
                elif self.made.setdefault(job.target, job.source) != job.source:
                    other = self.made[job.target]
                    yield Task(job, None, refused=f"its result would replace that of {other}; rename it")
                else:
                    task = self.task(job)
                    if task.work:
                        self.busy.add(job.source)
                    yield task
            rested = time.monotonic() + (0 if postponed else min(4 * looked_s, LONGEST_REST_S))
            while True:
                time.sleep(POLL_S)
                yield None  # results are shown, and Ctrl-C is seen
                if time.monotonic() >= rested:
                    break

    def on_done(self, one: Result) -> None:
        if one.job.source:
            self.busy.discard(one.job.source)
        if self.manifest is None or one.skipped or one.refused:
            return
        said = {name: one.report.get(name) for name in ("found", "confidence", "times_s")}
        error = str(one.error) if one.error else None
        self.manifest.record(one.job, Outcome(one.input, error, result_bytes=one.result_bytes, **said))


def run_many(
    open_work: Callable[[int], Work],
    given: InputOptions,
    many: FolderOptions,
    planned: Plan,
    options: Callable[[], Mapping[str, Any]],
    *,
    threads: int | None,
) -> int:
    """Plan and do what a user typed, and return the exit code.

    open_work: as for `_Batch`. options: all that changes a result, for the record in a folder of results. threads: at
    most so many for the network.
    """
    many.check(given)
    how: dict[str, Any] = {"tag": planned.tag, "suffix": planned.suffix, "reads": planned.reads}
    inputs = list(given.inputs)
    if many.watch:
        output = Path(given.output or "")
        inputs = [
            text for text in inputs if jobs_below(Path(text), output, suffix=planned.suffix, excludes=many.exclude)
        ]
    jobs = plan(inputs, given.output, excludes=many.exclude, **how) if inputs else []
    several = many.watch or are_many(given.inputs)
    folder = Path(given.output) if given.output is not None and several else None
    if many.dry_run:
        with ExitStack() as stack:
            looked = None
            if folder:
                asked = {"needs_object": given.fail_if_empty, "only_look": True}
                looked = stack.enter_context(open_manifest(folder, options(), **asked))
            _say_what_would_be_done(jobs, _Batch(open_work, 1, looked, many.overwrite), given)
        return 0
    check_streams(jobs, given)
    report = BatchReport(Path(many.report)) if many.report else None
    started, start = datetime.now(timezone.utc).isoformat(timespec="seconds"), time.monotonic()

    def on_result(one: Result) -> None:
        if report:
            outcome = "failed" if one.error else "up to date" if one.skipped else "done"
            report.add({"outcome": outcome, **one.report})

    with ExitStack() as stack:
        owner, manifest = "", None
        if folder:
            check_target(folder / "x", beside=False)
            make_folder(folder)
            owner = stack.enter_context(temporary_files_of(folder))
            manifest = stack.enter_context(open_manifest(folder, options(), needs_object=given.fail_if_empty))
        requests, at_once = (requests_for(threads), pictures_in_flight(threads)) if several else (1, 1)
        batch = _Batch(open_work, requests, manifest, many.overwrite)
        around = RunContext(owner=owner, identifies=manifest is not None)
        if many.watch:
            assert folder is not None
            tasks = batch.arriving(list(map(Path, given.inputs)), folder, planned.suffix, many.exclude)
        else:
            tasks = map(batch.task, jobs)
        count = 0 if many.watch else len(jobs)
        tally = run_tasks(
            tasks, given, around, count=count, at_once=at_once, on_done=batch.on_done, on_result=on_result
        )
        if folder and not given.quiet:
            _sum_up(tally, batch.by_hand)
        if report:
            stack.callback(report.close)
            report.write(started=started, seconds=time.monotonic() - start)
    conclude(tally, stopping_is_the_end=many.watch)
    return min(tally.exit_code, 1) if many.watch else tally.exit_code


def _sum_up(tally: Tally, by_hand: int) -> None:
    skipped = f", {tally.skipped} were up to date" if tally.skipped else ""
    click.echo(f"u2net: {tally.done} picture{'s' * (tally.done != 1)} done{skipped}", err=True)
    if by_hand:
        what = "result was changed by hand and is" if by_hand == 1 else "results were changed by hand and are"
        click.echo(f"u2net: {by_hand} {what} kept; --overwrite makes all anew", err=True)


def _say_what_would_be_done(jobs: Sequence[Job], batch: _Batch, given: InputOptions) -> None:
    would = 0
    for job in jobs:
        status = batch.status(job)
        makes = status not in NOTHING_TO_DO
        would += makes
        if given.as_json:
            said = {"input": job.name, "output": "-" if job.target is None else str(job.target)}
            click.echo(json.dumps(said | {"would": "make" if makes else "skip", "because": status}))
        elif makes and not given.quiet:
            click.echo(f"{'-' if job.target is None else job.target}: {status}", color=True)
    if not given.quiet:
        rest = f"; {len(jobs) - would} are up to date" if would < len(jobs) else ""
        click.echo(f"u2net: would make {would} of {len(jobs)} pictures{rest}", err=True)
