"""What the picture commands print of a run: a bar, a line for each picture, and at the end how it went."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import click

from u2net.batch.inputs import Job
from u2net.batch.manifest import NOTHING_TO_DO
from u2net.batch.process import Outcome, named
from u2net.batch.run import Run
from u2net.cli.options.pictures import InputOptions
from u2net.cli.progress import picture_bar
from u2net.errors import BadInput, NothingSalient, U2NetError
from u2net.reports.batch import BatchReport
from u2net.system.signals import stop_on_signals


@dataclass
class Tally:
    """How it went: numbers of pictures. errors: of those that failed, and did not succeed when they came again.
    stopped_by: the number of a signal, or 0."""

    done: int = 0
    skipped: int = 0
    errors: dict[Job, U2NetError] = field(default_factory=dict)
    stopped_by: int = 0

    @property
    def all(self) -> int:
        return self.done + self.skipped + len(self.errors)

    @property
    def only_empty(self) -> bool:
        """Whether all that failed were pictures without an object."""
        return all(isinstance(error, NothingSalient) for error in self.errors.values())

    def count(self, outcome: Outcome) -> None:
        self.done += outcome.status == "done"
        self.skipped += bool(outcome.reason)
        if outcome.error:
            self.errors[outcome.job] = outcome.error
        else:
            self.errors.pop(outcome.job, None)

    @property
    def exit_code(self) -> int:
        """0: all done. 1: some of several failed. 3: nothing failed but --fail-if-empty. One alone: its error's own."""
        first = next(iter(self.errors.values()), None)
        if first is None:
            return 0
        return first.exit_code if self.all == 1 or self.only_empty else 1


def check_streams(run: Run, given: InputOptions) -> None:
    """Raise BadInput where a picture cannot go to standard output."""
    to_stdout = run.settings.writes and any(job.target is None for job in run.jobs)
    if given.as_json and to_stdout:
        raise BadInput("--json and the picture both want standard output; give -o FILE")
    if to_stdout and sys.stdout.isatty():
        raise BadInput("standard output is a terminal; give -o FILE or redirect it")


def show(
    run: Run,
    given: InputOptions,
    *,
    report: str | None = None,
    after: Callable[[Outcome], None] | None = None,
    each: Callable[[Outcome], None] = lambda outcome: None,
) -> Tally:
    """Do a run, and show each of its outcomes and how many there were.

    report: the file of a report on all. after: as for `Run.outcomes`. each: called for each outcome before it is shown;
    an error of ours that it raises is that picture's. A signal ends the run after what is in work; see `leave`.
    """
    tally = Tally()
    started, start = datetime.now(timezone.utc).isoformat(timespec="seconds"), time.monotonic()
    with ExitStack() as stack:
        rows = BatchReport(Path(report)) if report else None
        for outcome in _followed(run, given, tally, after):
            try:
                each(outcome)
                if rows:
                    rows.add({"outcome": "up to date" if outcome.reason else outcome.status, **outcome.report})
            except U2NetError as error:
                outcome.fail(error)
            tally.count(outcome)
        if run.folder and not given.quiet:
            _sum_up(tally, run.by_hand)
        if rows:
            stack.callback(rows.close)
            rows.write(started=started, seconds=time.monotonic() - start)
    return tally


def _followed(
    run: Run, given: InputOptions, tally: Tally, after: Callable[[Outcome], None] | None
) -> Iterator[Outcome]:
    """The outcomes of a run; each is printed when the next is asked for."""
    count = 0 if run.watch else len(run.jobs)
    with picture_bar(count, quiet=given.quiet) as (advance, tell):
        if count == 1:
            for outcome in run.outcomes(after=after):
                yield outcome
                _print(outcome, given, tell)
            return
        with stop_on_signals() as request:
            said: list[str] = []

            def stopping() -> bool:
                if request.number and not said:
                    said.append("stopping; the pictures in work are finished first")
                    tell(f"u2net: {said[0]}")
                return bool(request.number)

            for outcome in run.outcomes(on_done=lambda _: advance(), after=after, stopping=stopping):
                yield outcome
                _print(outcome, given, tell)
            tally.stopped_by = request.number


def leave(tally: Tally, *, watched: bool = False) -> int:
    """Say how many failed; returns the exit code, or ends the program as a signal asked for. watched: Ctrl-C was how
    this was meant to end."""
    if tally.errors and tally.all > 1 and not tally.only_empty:
        click.echo(f"u2net: {len(tally.errors)} of {tally.all} pictures failed", err=True)
    if watched:
        return min(tally.exit_code, 1)
    if tally.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if tally.stopped_by:
        sys.exit(128 + tally.stopped_by)
    return tally.exit_code


def say_what_would_be_done(run: Run, given: InputOptions) -> None:
    """Print a line for each picture that would be made, and how many those are."""
    would = 0
    for job, status in run.statuses():
        makes = status not in NOTHING_TO_DO
        would += makes
        target = "-" if job.target is None else str(job.target)
        if given.as_json:
            said = {"input": job.name, "output": target, "would": "make" if makes else "skip", "because": status}
            click.echo(json.dumps(said))
        elif makes and not given.quiet:
            click.echo(f"{target}: {status}", color=True)
    if not given.quiet:
        rest = f"; {len(run.jobs) - would} are up to date" if would < len(run.jobs) else ""
        click.echo(f"u2net: would make {would} of {len(run.jobs)} pictures{rest}", err=True)


def _print(outcome: Outcome, given: InputOptions, tell: Callable[[str], None]) -> None:
    for note in [] if given.quiet else outcome.notes:
        tell(f"u2net: {note}")
    if outcome.error:
        tell(f"u2net: {named(outcome.job, outcome.error)}")
    is_named = outcome.status == "done" and outcome.target is not None and not given.quiet
    if line := json.dumps(outcome.report) if given.as_json else str(outcome.target) if is_named else "":
        if sys.stdout.isatty() and sys.stderr.isatty():
            tell(line)  # both on one terminal: above the bar, not into it
        else:
            click.echo(line, color=True)  # a name as it is, even with a terminal's control codes in it


def _sum_up(tally: Tally, by_hand: int) -> None:
    skipped = f", {tally.skipped} were up to date" if tally.skipped else ""
    click.echo(f"u2net: {tally.done} picture{'s' * (tally.done != 1)} done{skipped}", err=True)
    if by_hand:
        what = "result was changed by hand and is" if by_hand == 1 else "results were changed by hand and are"
        click.echo(f"u2net: {by_hand} {what} kept; --overwrite makes all anew", err=True)
