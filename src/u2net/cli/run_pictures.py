"""The loop that the picture commands share: do the jobs, report each, and say at the end how it went."""

from __future__ import annotations

import functools
import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import click

from u2net.batch.inputs import Job
from u2net.batch.operation import Report, Work
from u2net.batch.process import Result, RunContext, Task, attempt, named
from u2net.batch.settings import InputOptions
from u2net.cli.progress import picture_bar
from u2net.errors import BadInput, NothingSalient, U2NetError
from u2net.system.parallel import parallel_map
from u2net.system.signals import stop_on_signals


@dataclass
class Tally:
    """How it went: numbers of pictures. first: the first error. only_empty: all errors were pictures without object."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    first: U2NetError | None = None
    only_empty: bool = True
    stopped_by: int = 0

    @property
    def all(self) -> int:
        return self.done + self.skipped + self.failed

    def count(self, one: Result) -> None:
        if one.error is None:
            self.done += not one.skipped
            self.skipped += bool(one.skipped)
            return
        self.failed += 1
        self.first = self.first or one.error
        self.only_empty = self.only_empty and isinstance(one.error, NothingSalient)

    @property
    def exit_code(self) -> int:
        """0: all done. 1: some of several failed. 3: nothing failed but --fail-if-empty. One alone: its error's own."""
        if self.first is None:
            return 0
        return self.first.exit_code if self.all == 1 or self.only_empty else 1


def run(
    jobs: Sequence[Job],
    work: Work,
    given: InputOptions,
    *,
    writes: bool = True,
    done: Callable[[Job, Report], None] = lambda job, report: None,
) -> int:
    """Do all jobs, two at a time; one that fails is reported and the rest go on. Returns the exit code.

    writes: whether the jobs write pictures. done: called after each that did not fail, in their order.
    """
    if writes:
        check_streams(jobs, given)

    def on_result(one: Result) -> None:
        if one.error is None:
            done(one.job, one.report)

    tally = run_tasks((Task(job, work) for job in jobs), given, RunContext(), count=len(jobs), on_result=on_result)
    conclude(tally)
    return tally.exit_code


def check_streams(jobs: Sequence[Job], given: InputOptions) -> None:
    """Raise BadInput where a picture cannot go to standard output."""
    to_stdout = any(job.target is None for job in jobs)
    if given.as_json and to_stdout:
        raise BadInput("--json and the picture both want standard output; give -o FILE")
    if to_stdout and sys.stdout.isatty():
        raise BadInput("standard output is a terminal; give -o FILE or redirect it")


def run_tasks(
    tasks: Iterable[Task | None],
    given: InputOptions,
    around: RunContext,
    *,
    count: int,
    at_once: int = 2,
    on_done: Callable[[Result], None] = lambda one: None,
    on_result: Callable[[Result], None] = lambda one: None,
) -> Tally:
    """Do tasks and report each in their order; what `parallel_map` says of items goes for them.

    count: how many there are; 0: nobody knows. One alone is done in this thread, and Ctrl-C ends it at once; with
    several, those in work are finished. on_done: called for each as soon as it has ended. on_result: in their order;
    an error of ours that it raises is that task's.
    """
    tally = Tally()
    do = functools.partial(attempt, given=given, around=around)
    with picture_bar(count, quiet=given.quiet) as (advance, tell):
        if count == 1:
            for task in filter(None, tasks):
                one = do(task)
                on_done(one)
                _show(one, given, tell, tally, on_result)
            return tally
        with stop_on_signals() as request:
            said: list[str] = []

            def stopping() -> bool:
                if request.number and not said:
                    said.append("stopping; the pictures in work are finished first")
                    tell(f"u2net: {said[0]}")
                return bool(request.number)

            results = parallel_map(tasks, do, at_once=at_once, stopping=stopping)
            for one in _in_order(results, on_done, advance):
                _show(one, given, tell, tally, on_result)
            tally.stopped_by = request.number
    return tally


def conclude(tally: Tally, *, stopping_is_the_end: bool = False) -> None:
    """Say how many failed, and end the program where a signal asked for that. stopping_is_the_end: Ctrl-C is how this
    is meant to end."""
    if tally.failed and tally.all > 1 and not tally.only_empty:
        click.echo(f"u2net: {tally.failed} of {tally.all} pictures failed", err=True)
    if stopping_is_the_end:
        return
    if tally.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if tally.stopped_by:
        sys.exit(128 + tally.stopped_by)


def _in_order(
    results: Iterator[tuple[int, Result]], on_done: Callable[[Result], None], advance: Callable[[], None]
) -> Iterator[Result]:
    """What has come out of turn is kept until it is its turn; `parallel_map` sees to it that this is not much."""
    kept: dict[int, Result] = {}
    turn = 0
    for number, one in results:
        on_done(one)
        advance()
        kept[number] = one
        while turn in kept:
            yield kept.pop(turn)
            turn += 1


def _show(
    one: Result, given: InputOptions, tell: Callable[[str], None], tally: Tally, on_result: Callable[[Result], None]
) -> None:
    for note in one.notes:
        tell(f"u2net: {note}")
    try:
        on_result(one)
    except U2NetError as error:
        one.error, one.report = error, {"input": one.job.name, "error": str(error)}
    tally.count(one)
    if one.error:
        tell(f"u2net: {named(one.job, one.error)}")
    named_now = one.error is None and not one.skipped and one.job.target is not None and not given.quiet
    if line := json.dumps(one.report) if given.as_json else str(one.job.target) if named_now else "":
        if sys.stdout.isatty() and sys.stderr.isatty():
            tell(line)  # both on one terminal: above the bar, not into it
        else:
            click.echo(line, color=True)  # a name as it is, even with a terminal's control codes in it
