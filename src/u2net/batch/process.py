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
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from u2net.batch.inputs import Job
from u2net.batch.operation import Drawing, FileWork, Report, Work
from u2net.batch.settings import RunSettings
from u2net.errors import BadInput, CannotWrite, NothingSalient, PictureTooLarge, U2NetError, UnreadablePicture
from u2net.io.decoders import declared_pixels
from u2net.io.read import decode, read
from u2net.io.source import Opened, open_source
from u2net.system.files import check_target, make_folder, write_bytes
from u2net.system.parallel import DRAWN_PIXELS, PixelBudget
from u2net.types import Box, size_of

if TYPE_CHECKING:
    from u2net.batch.manifest import Input
    from u2net.batch.operation import Drawn
    from u2net.types import Picture
    from u2net.video.animation import Animation

_SOFT = 2
"""From so many times on an enlarged picture is seen to be one."""
_FRAMES_HELD = 8
"""Of an animation so many frames lie in memory at most, with what is made of them."""
_NAME_SHOWN = 40
"""An error names a source by its beginning at least."""
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))

OutcomeStatus: TypeAlias = Literal["done", "up to date", "skipped", "failed"]


FROM_JOB = object()
"""What is read is the job's own file, or standard input."""


@dataclass(frozen=True)
class Task:
    """A job and the work to do.

    source: what to read instead of the job's file: whatever `u2net.read` takes. Without work there is nothing to do,
    for the reason `skipped`, or it is `refused`.
    """

    job: Job
    work: Work | None
    source: Any = FROM_JOB
    skipped: str = ""
    refused: str = ""


@dataclass
class Outcome:
    """What became of one picture of many.

    source: what it was read from: a path, None for standard input, or the source itself where that is no file. target:
    where the result goes, None where none is written. cutout: the result where none is written, a Picture of a mask.
    status: `done`; `up to date`: there was nothing to do; `skipped`: the result there was somebody else's and is kept;
    `failed`. reason: why there was nothing to do. error: why it failed.
    report: what `u2net remove --json` prints. notes: sentences for its user. input: the file as it was when it was
    read, where the run keeps a record. refused: it was not even begun. result_bytes: of what was written.

        >>> import u2net
        >>> (outcome,) = u2net.remove_many("examples/cat.png", model="u2netp")
        >>> outcome.status, outcome.source.name, outcome.confidence > 0.9
        ('done', 'cat.png', True)
    """

    source: Any
    target: Path | None
    status: OutcomeStatus = "done"
    error: U2NetError | None = None
    cutout: Drawn | None = None
    reason: str = ""
    report: Report = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    job: Job = field(default=Job(None, None), repr=False)
    input: Input | None = field(default=None, repr=False)
    refused: bool = field(default=False, repr=False)
    result_bytes: int | None = None

    @property
    def box(self) -> Box | None:
        """(left, top, right, bottom) of the object in pixels, half-open; None where there is none."""
        box = self.report.get("box")
        return None if box is None else (box[0], box[1], box[2], box[3])

    @property
    def coverage(self) -> float | None:
        """The object's share of the picture, 0 to 1; None where the picture was not worked on."""
        return self.report.get("coverage")

    @property
    def confidence(self) -> float | None:
        """The network's, 0 to 1: below 0.5 there is no object. None where the picture was not worked on."""
        return self.report.get("confidence")

    @property
    def seconds(self) -> float:
        """Of reading, working and writing, without waiting for others; 0 where nothing was done."""
        return float(sum(self.report.get("times_s", {}).values()))

    def fail(self, error: U2NetError) -> None:
        """Make it a failure."""
        self.status, self.error, self.cutout, self.reason, self.result_bytes = "failed", error, None, "", None
        self.report = {"input": self.job.name, "error": str(error)}


class RunContext:
    """What the tasks of one run share. owner: of temporary files, see `atomic_file`. identifies: whether
    `Outcome.input` is wanted."""

    def __init__(self, settings: RunSettings, *, owner: str = "", identifies: bool = False) -> None:
        self.settings = settings
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


def attempt(task: Task, around: RunContext) -> Outcome:
    """Do a task; an error of ours becomes part of what is said of it, any other is raised."""
    job = task.job
    done = Outcome(job.source if task.source is FROM_JOB else task.source, job.target, job=job)
    if task.refused:
        done.refused = True
        done.fail(BadInput(task.refused))
        return done
    if task.work is None:
        done.status = "up to date" if task.skipped == "up to date" else "skipped"
        done.reason = task.skipped
        done.report = {"input": job.name, "output": str(job.target), "skipped": task.skipped}
        return done
    try:
        if around.identifies and job.source:
            from u2net.batch.manifest import identify

            done.input = identify(job.source, max_bytes=around.settings.max_bytes)
        _do(task, task.work, around, done)
    except U2NetError as error:
        done.fail(error)
    except MemoryError:
        done.fail(PictureTooLarge(f"{job.name}: there is not enough memory for it on this machine"))
    return done


def _do(task: Task, work: Work, around: RunContext, done: Outcome) -> None:
    job, settings = task.job, around.settings
    start = time.perf_counter()
    if job.target is not None:
        around.check_disk(job.target)
    with contextlib.ExitStack() as stack:
        loaded = _load(task, work, around, stack, done)
        decoded = time.perf_counter()
        data: bytes | None = None
        finish: Callable[[], bytes] | None = None
        report: Report = {}
        if loaded.file is not None:
            assert isinstance(work, FileWork)
            data = work.convert(loaded.file)
        elif loaded.animation is not None:
            assert isinstance(work, Drawing)
            data, report = work.moving(loaded.animation)
        else:
            finish, report = _work_on(loaded, work, around, stack, done)
        worked = time.perf_counter()
        _remark(job, report, settings, done.notes)
        times = {"read": decoded - start - loaded.waited_s, "work": worked - decoded}
        if finish is not None:
            data = finish()
            del finish
    done.report = {"input": job.name, **loaded.said, **report}
    if data is not None:
        if job.target is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            around.write(job.target, data)
        done.result_bytes = len(data)
        times["write"] = time.perf_counter() - worked
        done.report["output"] = "-" if job.target is None else str(job.target)
    done.report["times_s"] = {name: round(value, 4) for name, value in times.items()}


@dataclass
class _Loaded:
    """What a source held: one of the three. pixels: of it, None where nobody knows. waited_s: for room in memory."""

    pixels: int | None
    waited_s: float
    picture: Picture | None = None
    animation: Animation | None = None
    file: bytes | None = None
    said: Report = field(default_factory=dict)


def _load(task: Task, work: Work, around: RunContext, stack: contextlib.ExitStack, done: Outcome) -> _Loaded:
    """Read a source when there is room for it, and see that its result can be written."""
    settings, job, start = around.settings, task.job, time.perf_counter()
    source = task.source if task.source is not FROM_JOB else job.source or sys.stdin.buffer
    opened = animation = None
    if isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(source, "read"):
        opened = stack.enter_context(open_source(source, settings.max_bytes))
        animation = _animation_of(opened, job, work, settings, done.notes.append)
        pixels = declared_pixels(opened)
    else:
        pixels = _pixels_of(source)
    if animation:
        pixels = animation.size[0] * animation.size[1] * min(animation.count, _FRAMES_HELD)
    stack.enter_context(around.budget.take(pixels))
    loaded = _Loaded(pixels, time.perf_counter() - start, animation=animation)
    limits = {"max_pixels": settings.max_pixels, "max_bytes": settings.max_bytes}
    if animation:
        loaded.said = {"size": list(animation.size)}
    elif opened and isinstance(work, FileWork):
        try:
            opened.stream.seek(0)
            loaded.file = opened.stream.read(settings.max_bytes + 1)
        except OSError as error:
            raise UnreadablePicture(f"{job.name}: cannot be read: {error.strerror or error}") from error
    else:
        loaded.picture = decode(opened, **limits) if opened else read(source, **limits)
        loaded.said = {"size": list(loaded.picture.size)}
    if job.target is not None:
        check_target(job.target, beside=settings.beside)
    return loaded


def _work_on(
    loaded: _Loaded, work: Work, around: RunContext, stack: contextlib.ExitStack, done: Outcome
) -> tuple[Callable[[], bytes] | None, Report]:
    picture, loaded.picture = loaded.picture, None  # large ones should not be held while the result is encoded
    assert picture is not None and not isinstance(work, FileWork)
    if not isinstance(work, Drawing):
        return work(picture)
    segmentation = work.found(picture)
    stack.enter_context(around.drawing.take(loaded.pixels))
    cutout, report = work.drawn(picture, segmentation)
    if around.settings.writes:
        return lambda: work.encode(cutout), report
    done.cutout = cutout
    return None, report


def _pixels_of(source: Any) -> int | None:
    """Of an array, a Pillow image or a Picture."""
    if hasattr(source, "shape") and len(source.shape) > 1:
        rows, columns = size_of(source)
    elif hasattr(source, "size") and isinstance(source.size, tuple):
        rows, columns = source.size
    else:
        return None
    return int(rows * columns)


def _remark(job: Job, report: Report, settings: RunSettings, notes: list[str]) -> None:
    if not report.get("found", True):
        if settings.fail_if_empty:
            raise NothingSalient(f"{job.name}: no object found (confidence {report['confidence']}); nothing written")
        notes.append(f"{job.name}: no object found (confidence {report['confidence']})")
    if report.get("enlarged", 1) >= _SOFT:
        notes.append(
            f"{job.name}: enlarged {report['enlarged']} times, and therefore soft; a smaller --size is sharper"
        )


def _animation_of(
    opened: Opened, job: Job, work: Work, settings: RunSettings, note: Callable[[str], None]
) -> Animation | None:
    """The animation that a source holds, for work that can draw it frame by frame; where only the format cannot hold
    it, this is said. Of what is not written the first frame is enough."""
    if not isinstance(work, Drawing) or not settings.writes or opened.size_bytes > settings.max_bytes:
        return None
    from u2net.video.animation import open_animation
    from u2net.video.write_animation import CAN_ANIMATE

    animation = open_animation(opened, max_pixels=settings.max_pixels)
    if animation and work.encoding.format not in CAN_ANIMATE:
        note(
            f"{job.name}: {work.encoding.format.upper()} holds no animation: the first of {animation.count} frames "
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
    if job.source is not None and (job.name in message or job.name[:_NAME_SHOWN] in message):
        return message
    return f"{job.name}: {message}"
