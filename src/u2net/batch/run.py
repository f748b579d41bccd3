"""A run over many pictures: what is there already is not done again, what arrives is done, results come in order."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from u2net.batch.inputs import Job, jobs_below
from u2net.batch.manifest import NOTHING_TO_DO, Entry, Manifest, open_manifest, temporary_files_of
from u2net.batch.operation import Work
from u2net.batch.process import Outcome, RunContext, Task, attempt
from u2net.batch.settings import RunSettings, Watch
from u2net.batch.watch import LONGEST_REST_S, POLL_S, Arrivals, stamp
from u2net.errors import U2NetError, UnreadablePicture
from u2net.system.files import check_target, make_folder
from u2net.system.parallel import parallel_map, pictures_in_flight, requests_for

log = logging.getLogger("u2net")

THERE_ALREADY = "there already"
"""Why a picture is skipped by a run that keeps existing results."""
_MOST_AHEAD = 2
"""Results that are not written wait in memory: at most so many more than are in work."""


class Run:
    """One run. Its `outcomes` may be asked for once.

    jobs: what is done, in this order; see `inputs.plan`. open_work: given how many pictures may be in the network at a
    time, what is done with each; called when the first is to be done.
    folder: of results, with the record of them; options: all that changes a result, for that record. overwrite: make
    also what the record has as done. keeps_existing: a result that is there is kept, whoever made it; without a record.
    watch: go on with what arrives. threads: at most so many for the network. several: whether more than one picture is
    in work at a time. sources: instead of jobs, any number of pictures that are no files (see `Task`).
    by_hand: how many results were not made again because somebody has worked on them.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        open_work: Callable[[int], Work],
        settings: RunSettings,
        *,
        folder: Path | None = None,
        options: Callable[[], Mapping[str, Any]] = dict,
        overwrite: bool = False,
        keeps_existing: bool = False,
        watch: Watch | None = None,
        threads: int | None = None,
        several: bool = True,
        sources: Iterable[tuple[Job, Any]] | None = None,
    ) -> None:
        self.jobs = list(jobs)
        self.settings = settings
        self.folder = folder
        self.watch = watch
        self.by_hand = 0
        self._open_work = open_work
        self._options = options
        self._overwrite = overwrite
        self._keeps_existing = keeps_existing
        self._requests, self._at_once = (requests_for(threads), pictures_in_flight(threads)) if several else (1, 1)
        self._sources = sources
        self._work: list[Work] = []
        self._manifest: Manifest | None = None
        self._busy: set[Path] = set()
        self._written: set[Path] = set()
        self._makers: dict[Path, Path] = {}  # while watching: target -> source
        self._lock = threading.Lock()  # of the record and these three

    def statuses(self) -> Iterator[tuple[Job, str]]:
        """What `outcomes` would do with each job, and why; see `manifest.Status`. Nothing is written."""
        with ExitStack() as stack:
            manifest = None
            if self.folder:
                asked = {"needs_object": self.settings.fail_if_empty, "only_look": True}
                manifest = stack.enter_context(open_manifest(self.folder, self._options(), **asked))
            for job in self.jobs:
                yield job, "new" if manifest is None or self._overwrite else manifest.status(job)

    def outcomes(
        self,
        *,
        on_done: Callable[[Outcome], None] = lambda outcome: None,
        after: Callable[[Outcome], None] | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Iterator[Outcome]:
        """Do it, and give each outcome in the order of the jobs.

        on_done: called for each as soon as it has ended, in any order. after: called for each that succeeded, in the
        thread that did it; an error of ours that it raises is that picture's. stopping: once it is true no new picture
        is started. One picture alone is done in this thread, so that Ctrl-C ends it at once.
        Closing the iterator starts no new picture and waits for those in work. All that was written is recorded.
        Raises what `open_work` raises.
        """
        with ExitStack() as stack:
            owner = ""
            if self.folder:
                check_target(self.folder / "x", beside=False)
                make_folder(self.folder)
                owner = stack.enter_context(temporary_files_of(self.folder))
                opened = open_manifest(self.folder, self._options(), needs_object=self.settings.fail_if_empty)
                self._manifest = stack.enter_context(opened)
            around = RunContext(self.settings, owner=owner, identifies=bool(self._manifest or after))
            yield from self._results(functools.partial(self._do, around, after), on_done, stopping)

    def _do(self, around: RunContext, after: Callable[[Outcome], None] | None, task: Task) -> Outcome:
        """In a thread of its own: whatever ends the run, what is written is recorded."""
        outcome = attempt(task, around)
        if after and outcome.status == "done":
            try:
                after(outcome)
            except U2NetError as error:
                outcome.fail(error)
        with self._lock:
            self._note(outcome)
        return outcome

    def _results(
        self, do: Callable[[Task], Outcome], on_done: Callable[[Outcome], None], stopping: Callable[[], bool]
    ) -> Iterator[Outcome]:
        if len(self.jobs) == 1 and not self.watch and self._sources is None:
            outcome = do(self._task(self.jobs[0]))
            on_done(outcome)
            yield outcome
            return
        ahead = {} if self.settings.writes else {"ahead": self._at_once + _MOST_AHEAD}
        closing = False
        how: dict[str, Any] = {"at_once": self._at_once, "stopping": lambda: closing or stopping()} | ahead
        results = parallel_map(self._tasks(), do, **how)
        kept: dict[int, Outcome] = {}
        turn = 0
        try:
            for number, outcome in results:
                on_done(outcome)
                kept[number] = outcome
                while turn in kept:
                    yield kept.pop(turn)
                    turn += 1
        finally:
            closing = True
            for _ in results:
                pass

    def _tasks(self) -> Iterable[Task | None]:
        if self._sources is not None:
            return (Task(job, self._opened(), source=source) for job, source in self._sources)
        return self._arriving(self.watch) if self.watch else map(self._task, self.jobs)

    def _task(self, job: Job) -> Task:
        if self._manifest and not self._overwrite:
            with self._lock:
                status = self._manifest.status(job)
            if status in NOTHING_TO_DO:
                self.by_hand += status == "changed by hand"
                return Task(job, None, skipped=status)
        if self._keeps_existing and job.target not in self._written and os.path.lexists(job.target or ""):
            return Task(job, None, skipped=THERE_ALREADY)
        work = self._opened()
        return Task(job, work)

    def _opened(self) -> Work:
        if not self._work:
            self._work.append(self._open_work(self._requests))
            if self._manifest:
                with self._lock:
                    self._manifest.note_options()
        return self._work[0]

    def _note(self, outcome: Outcome) -> None:
        """Write down what has become of a picture."""
        source, target = outcome.job.source, outcome.job.target
        if source:
            self._busy.discard(source)
        if self._keeps_existing and target and outcome.status == "done":
            self._written.add(target)
        not_made = outcome.status == "failed" or outcome.reason == THERE_ALREADY
        if target and not_made and self._makers.get(target) == source:
            del self._makers[target]  # another input may make it
        if self._manifest is None or outcome.reason or outcome.refused:
            return
        said = {name: outcome.report.get(name) for name in ("found", "confidence", "times_s")}
        error = str(outcome.error) if outcome.error else None
        self._manifest.record(outcome.job, Entry(outcome.input, error, result_bytes=outcome.result_bytes, **said))

    def _arriving(self, watch: Watch) -> Iterator[Task | None]:
        """Tasks for what arrives, without end; None where nothing does."""
        before = watch.until and stamp(watch.until)
        arrivals = {folder: Arrivals() for folder in watch.folders}
        lost: set[Path] = set()
        postponed: list[Job] = []

        def ended() -> bool:
            return watch.until is not None and stamp(watch.until) not in (None, before)

        while not ended():
            start = time.monotonic()
            offered, postponed = postponed, []
            for folder, known in arrivals.items():
                try:
                    found = jobs_below(folder, watch.output, suffix=watch.suffix, excludes=watch.excludes)
                    offered += known.among(found)
                    lost.discard(folder)
                except UnreadablePicture as error:
                    if folder not in lost:
                        log.warning("%s; waiting for it", error)
                    lost.add(folder)
            looked_s = time.monotonic() - start
            for job in offered:
                assert job.source is not None and job.target is not None
                if ended():
                    break
                with self._lock:
                    is_busy = job.source in self._busy
                    maker = job.source if is_busy else self._makers.setdefault(job.target, job.source)
                if is_busy:
                    postponed.append(job)
                elif maker != job.source:
                    yield Task(job, None, refused=f"its result would replace that of {maker}; rename it")
                else:
                    task = self._task(job)
                    if task.work:
                        with self._lock:
                            self._busy.add(job.source)
                    yield task
            rested = time.monotonic() + (0 if postponed else min(4 * looked_s, LONGEST_REST_S))
            while True:
                time.sleep(POLL_S)
                yield None  # results are given, and a request to stop is seen
                if time.monotonic() >= rested or ended():
                    break
        assert watch.until is not None
        watch.until.unlink(missing_ok=True)
