"""One picture: read, worked on, written; or the sentence why not. Many threads may be in here."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from u2net.batch.inputs import Job
from u2net.batch.operation import Drawing, Report, Work
from u2net.batch.settings import InputOptions
from u2net.errors import BadInput, CannotWrite, NothingSalient, PictureTooLarge, U2NetError
from u2net.io.decoders import declared_pixels
from u2net.io.read import decode
from u2net.io.source import Opened, open_source
from u2net.system.files import check_target, make_folder, write_bytes
from u2net.system.parallel import DRAWN_PIXELS, PixelBudget

if TYPE_CHECKING:
    from u2net.batch.manifest import Input
    from u2net.video.animation import Animation

_SOFT = 2
"""From so many times on an enlarged picture is seen to be one."""
_FRAMES_HELD = 8
"""Of an animation so many frames lie in memory at most, with what is made of them."""
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


@dataclass(frozen=True)
class Task:
    """A job and the work to do; without work there is nothing to do, for the reason `skipped`, or it is `refused`."""

    job: Job
    work: Work | None
    skipped: str = ""
    refused: str = ""


@dataclass
class Result:
    """What became of a task. report: what `--json` prints. input: what the file was, if that was asked for.
    result_bytes: of what was written. notes: to be told on stderr, above the report."""

    job: Job
    report: Report = field(default_factory=dict)
    error: U2NetError | None = None
    skipped: str = ""
    refused: bool = False
    input: Input | None = None
    result_bytes: int | None = None
    notes: list[str] = field(default_factory=list)


class RunContext:
    """What the tasks of one run share. owner: of temporary files, see `atomic_file`. identifies: whether `Result.input`
    is wanted."""

    def __init__(self, *, owner: str = "", identifies: bool = False) -> None:
        self.budget = PixelBudget()
        self.drawing = PixelBudget(DRAWN_PIXELS)
        self.owner = owner
        self.identifies = identifies
        self._did_not_fit: int | None = None

    def write(self, path: Path, data: bytes) -> None:
        """Raises CannotWrite."""
        try:
            make_folder(path.parent)
            write_bytes(path, data, owner=self.owner)
        except CannotWrite as error:
            if getattr(error.__cause__, "errno", None) in _FULL:
                self._did_not_fit = min(len(data), self._did_not_fit or len(data))
            raise

    def check_disk(self, target: Path) -> None:
        """Raises CannotWrite where the disk is as full as it was when a result did not fit: no work for nothing."""
        if self._did_not_fit is None:
            return
        folder = next((parent for parent in target.parents if os.path.isdir(parent)), Path())
        try:
            full = shutil.disk_usage(folder).free < self._did_not_fit
        except OSError:  # the folder went away meanwhile: writing will say so
            return
        if full:
            raise CannotWrite(f"{target}: not done: the disk is full; make room and run this again")


def attempt(task: Task, given: InputOptions, around: RunContext) -> Result:
    """Do a task; an error of ours becomes part of what is said of it, any other is raised."""
    done = Result(task.job, skipped=task.skipped)
    if task.refused:
        done.refused, done.error = True, BadInput(task.refused)
        done.report = {"input": task.job.name, "error": task.refused}
        return done
    if task.work is None:
        done.report = {"input": task.job.name, "output": str(task.job.target), "skipped": task.skipped}
        return done
    try:
        if around.identifies and task.job.source:
            from u2net.batch.manifest import identify

            done.input = identify(task.job.source, max_bytes=given.limits["max_bytes"])
        _do(task.job, task.work, given, around, done)
    except U2NetError as error:
        done.error = error
    except MemoryError:
        done.error = PictureTooLarge(f"{task.job.name}: there is not enough memory for it on this machine")
    if done.error:
        done.report = {"input": task.job.name, "error": str(done.error)}
    return done


def _do(job: Job, work: Work, given: InputOptions, around: RunContext, done: Result) -> None:
    start = time.perf_counter()
    limits = given.limits
    if job.target is not None:
        around.check_disk(job.target)
    with contextlib.ExitStack() as stack:
        source = sys.stdin.buffer if job.source is None else job.source
        opened = stack.enter_context(open_source(source, limits["max_bytes"]))
        animation = _animation_of(opened, job, work, given, done.notes.append)
        if animation:
            pixels: int | None = animation.size[0] * animation.size[1] * min(animation.count, _FRAMES_HELD)
        else:
            pixels = declared_pixels(opened)
        stack.enter_context(around.budget.take(pixels))
        waited = time.perf_counter() - start
        picture = None if animation else decode(opened, **limits)
        if job.target is not None:
            check_target(job.target, beside=job.source is not None and given.output is None)
        decoded = time.perf_counter()
        data: bytes | None = None
        finish: Callable[[], bytes] | None = None
        if animation:
            assert isinstance(work, Drawing)
            data, report = work.moving(animation)
            size = list(animation.size)
        if picture:
            size = list(picture.size)
            if isinstance(work, Drawing):
                prediction = work.found(picture)
                stack.enter_context(around.drawing.take(pixels))
                finish, report = work.drawn(picture, prediction)
            else:
                finish, report = work(picture)
        del picture  # large ones should not be held while the result is encoded
        worked = time.perf_counter()
        _remark(job, report, given, done.notes)
        report = {"input": job.name, "size": size, **report}
        times = {"read": decoded - start - waited, "work": worked - decoded}
        if data is None and finish is not None:
            data = finish()
            del finish
    if data is not None:
        if job.target is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            around.write(job.target, data)
        done.result_bytes = len(data)
        times["write"] = time.perf_counter() - worked
        report["output"] = "-" if job.target is None else str(job.target)
    done.report = report | {"times_s": {name: round(value, 4) for name, value in times.items()}}


def _remark(job: Job, report: Report, given: InputOptions, notes: list[str]) -> None:
    if not report["found"]:
        if given.fail_if_empty:
            raise NothingSalient(f"{job.name}: no object found (confidence {report['confidence']}); nothing written")
        if not given.quiet:
            notes.append(f"{job.name}: no object found (confidence {report['confidence']})")
    if report.get("enlarged", 1) >= _SOFT and not given.quiet:
        notes.append(
            f"{job.name}: enlarged {report['enlarged']} times, and therefore soft; a smaller --size is sharper"
        )


def _animation_of(
    opened: Opened, job: Job, work: Work, given: InputOptions, note: Callable[[str], None]
) -> Animation | None:
    """The animation that a source holds, for work that can draw it frame by frame; where only the format cannot hold
    it, this is said."""
    if not isinstance(work, Drawing) or opened.size_bytes > given.limits["max_bytes"]:
        return None
    from u2net.video.animation import open_animation
    from u2net.video.write_animation import CAN_ANIMATE

    animation = open_animation(opened, max_pixels=given.limits["max_pixels"])
    if animation and work.format not in CAN_ANIMATE:
        if not given.quiet:
            note(
                f"{job.name}: {work.format.upper()} holds no animation: the first of {animation.count} frames "
                "is taken; --format png, webp or gif keeps them all"
            )
        return None
    if animation and not work.moves:
        raise BadInput(
            f"{job.name}: is an animation, and a frame around its object would jump about; take its first frame alone "
            "with --format tiff, or leave cropping out"
        )
    return animation


def named(job: Job, error: U2NetError) -> str:
    """An error's message, with the input's name where it does not name it already."""
    message = str(error).removeprefix("the picture: ")
    return message if job.source is not None and job.name in message else f"{job.name}: {message}"
