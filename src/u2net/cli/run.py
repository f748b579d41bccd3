"""The loop that the picture commands share: do each job, report it, and say at the end how it went."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from u2net.batch import Job
from u2net.cli.options import EncodingOptions, InputOptions
from u2net.cli.progress import picture_bar
from u2net.encode import Format, encode, write_bytes
from u2net.errors import BadInput, CannotWrite, NothingSalient, U2NetError
from u2net.pixels import decode
from u2net.sources import Opened, open_source

if TYPE_CHECKING:
    from u2net.animation import Animation
    from u2net.composite import Cutout
    from u2net.predict import Prediction
    from u2net.types import Picture

Report = dict[str, Any]
_SOFT = 2
"""From so many times on an enlarged picture is seen to be one."""
Work = Callable[["Picture"], tuple["Callable[[], bytes] | None", Report]]
"""From a picture to what encodes the result, and what to report: confidence, box and so on. Without the first nothing
is written."""


@dataclass(frozen=True)
class Drawing:
    """The work of a command that makes a picture of a picture, in two steps.

    find: what the network says of a picture. draw: what is made of the two, and what to report beside the prediction's
    confidence. format, encoding: how it is written. grey: the result is written without colours, as masks are.
    needs_object: a picture without one, or an animation without one in any frame, is an error. moves: whether frames
    of an animation can be drawn one by one.
    """

    find: Callable[[Picture], Prediction]
    draw: Callable[[Picture, Prediction], tuple[Cutout, Report]]
    format: Format
    encoding: EncodingOptions
    grey: bool = False
    needs_object: bool = False
    moves: bool = True

    def __call__(self, picture: Picture) -> tuple[Callable[[], bytes], Report]:
        prediction = self.find(picture)
        self._refuse_empty(report_of(prediction))
        drawn, report = self.draw(picture, prediction)
        self._refuse_empty(report_of(prediction) | report)
        return lambda: self.encode(drawn), report_of(prediction) | report

    def _refuse_empty(self, report: Report) -> None:
        if self.needs_object and not report["found"]:
            raise NothingSalient(f"no object found (confidence {report['confidence']}); nothing written")
        if self.needs_object and report.get("box", ()) is None:
            raise NothingSalient("nothing of the object is more than half opaque; nothing written")

    def encode(self, drawn: Cutout) -> bytes:
        """The bytes of the file."""
        if not self.grey:
            return drawn.to_bytes(self.format, keep=self.encoding.keep, **self.encoding.choices)
        dpi = None if self.encoding.strip else drawn.dpi
        return encode(drawn.pixels[..., 0], format=self.format, dpi=dpi, **self.encoding.choices)

    def moving(self, animation: Animation) -> tuple[bytes, Report]:
        """The bytes of an animation of which every frame is drawn, and a report on all of them together."""
        from u2net.moving import drawn_frames, moving_bytes

        reports: list[Report] = []
        duration_ms = 0.0

        def frames() -> Iterator[tuple[Cutout, float]]:
            nonlocal duration_ms
            for drawn in drawn_frames(animation, self.find, self.draw):
                reports.append(report_of(drawn.prediction) | drawn.report)
                duration_ms += drawn.duration_ms
                bare = replace(drawn.cutout, icc=None, exif=None, xmp=None) if self.grey else drawn.cutout
                yield bare, drawn.duration_ms

        choices = {"format": self.format, "keep": self.encoding.keep, **self.encoding.choices}
        data = moving_bytes(frames(), plays=animation.plays, **choices)
        together = report_of_all(reports)
        self._refuse_empty(together)
        return data, together | {"frames": len(reports), "duration_s": round(duration_ms / 1000, 3)}


def report_of_all(reports: Sequence[Report]) -> Report:
    """What frames report, as one: the highest confidence, the box around all boxes, the mean of coverage, and for the
    rest what the first frame says."""
    boxes = [report["box"] for report in reports if report.get("box")]
    together = dict(reports[0])
    together["confidence"] = max(report["confidence"] for report in reports)
    together["found"] = any(report["found"] for report in reports)
    if "box" in together:
        sides = list(zip(*boxes, strict=True))
        together["box"] = [min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])] if boxes else None
    if "coverage" in together:
        together["coverage"] = round(sum(report["coverage"] for report in reports) / len(reports), 4)
    return together


def report_on(cutout: Cutout) -> Report:
    return {"box": cutout.box, "coverage": round(cutout.coverage, 4)}


def report_of(prediction: Prediction) -> Report:
    return {"confidence": round(prediction.confidence, 4), "found": prediction.found}


def run(
    jobs: Sequence[Job],
    work: Work,
    given: InputOptions,
    *,
    writes: bool = True,
    done: Callable[[Job, Report], None] = lambda job, report: None,
) -> int:
    """Do all jobs; one that fails is reported and the rest go on. Returns the exit code.

    writes: whether the jobs write pictures. done: called after each that did not fail.
    0: all done. 1: some of several failed. 3: nothing failed but --fail-if-empty. One picture alone: its error's own.
    """
    to_stdout = writes and any(job.target is None for job in jobs)
    if given.as_json and to_stdout:
        raise BadInput("--json and the picture both want standard output; give -o FILE")
    if to_stdout and sys.stdout.isatty():
        raise BadInput("standard output is a terminal; give -o FILE or redirect it")
    failures: list[U2NetError] = []
    with picture_bar(len(jobs), quiet=given.quiet) as (advance, tell):
        for job in jobs:
            try:
                report = _do(job, work, given, tell)
                done(job, report)
            except U2NetError as error:
                failures.append(error)
                report = {"input": job.name, "error": str(error)}
                tell(f"u2net: {named(job, error)}")
            named_now = "error" not in report and job.target is not None and not given.quiet
            if line := json.dumps(report) if given.as_json else str(job.target) if named_now else "":
                if sys.stdout.isatty() and sys.stderr.isatty():
                    tell(line)  # both on one terminal: above the bar, not into it
                else:
                    click.echo(line, color=True)  # a name as it is, even with a terminal's control codes in it
            advance()
    if not failures:
        return 0
    if len(jobs) == 1 or all(isinstance(error, NothingSalient) for error in failures):
        return failures[0].exit_code
    click.echo(f"u2net: {len(failures)} of {len(jobs)} pictures failed", err=True)
    return 1


def _do(job: Job, work: Work, given: InputOptions, tell: Callable[[str], None]) -> Report:
    start = time.perf_counter()
    limits = given.limits
    with open_source(sys.stdin.buffer if job.source is None else job.source, limits["max_bytes"]) as opened:
        animation = _animation_of(opened, job, work, given, tell)
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
        finish, report = work(picture)
        size = list(picture.size)
    del picture  # large ones should not be held while the result is encoded
    worked = time.perf_counter()
    if not report["found"]:
        if given.fail_if_empty:
            raise NothingSalient(f"{job.name}: no object found (confidence {report['confidence']}); nothing written")
        if not given.quiet:
            tell(f"u2net: {job.name}: no object found (confidence {report['confidence']})")
    if report.get("enlarged", 1) >= _SOFT and not given.quiet:
        tell(f"u2net: {job.name}: enlarged {report['enlarged']} times, and therefore soft; a smaller --size is sharper")
    report = {"input": job.name, "size": size, **report}
    times = {"read": decoded - start, "work": worked - decoded}
    if data is None and finish is not None:
        data = finish()
    if data is not None:
        _write(job, data)
        times["write"] = time.perf_counter() - worked
        report["output"] = "-" if job.target is None else str(job.target)
    return report | {"times_s": {name: round(value, 4) for name, value in times.items()}}


def _write(job: Job, data: bytes) -> None:
    if job.target is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        make_folder(job.target.parent)
        write_bytes(job.target, data)


def _animation_of(
    opened: Opened, job: Job, work: Work, given: InputOptions, tell: Callable[[str], None]
) -> Animation | None:
    """The animation that a source holds, for work that can draw it frame by frame; where only the format cannot hold
    it, this is said."""
    if not isinstance(work, Drawing) or opened.size_bytes > given.limits["max_bytes"]:
        return None
    from u2net.animation import open_animation
    from u2net.encode_frames import CAN_ANIMATE

    animation = open_animation(opened, max_pixels=given.limits["max_pixels"])
    if animation and work.format not in CAN_ANIMATE:
        if not given.quiet:
            tell(
                f"u2net: {job.name}: {work.format.upper()} holds no animation: the first of {animation.count} frames "
                "is taken; --format png, webp or gif keeps them all"
            )
        return None
    if animation and not work.moves:
        raise BadInput(
            f"{job.name}: is an animation, and a frame around its object would jump about; take its first frame alone "
            "with --format tiff, or leave cropping out"
        )
    return animation


def check_target(target: Path, *, beside: bool) -> None:
    """Say before the work, not after it, that a result cannot be written: its name is too long, its folder read-only.

    beside: whether it would lie beside its input because there was no -o. Raises CannotWrite.
    """
    try:
        os.lstat(target)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            advice = "give another name or folder with -o" if beside else "rename the input, or give -o another name"
            raise CannotWrite(f"{target}: cannot be written: the name is too long; {advice}") from error
    folder = next((parent for parent in target.parents if os.path.isdir(parent)), None)
    if folder and not os.access(folder, os.W_OK | os.X_OK):
        advice = "give a folder with -o" if beside else "give another folder with -o"
        raise CannotWrite(f"{target}: cannot be written: the folder {folder} is read-only to you; {advice}")


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{folder}: the folder cannot be made: {error.strerror or error}") from error


def named(job: Job, error: U2NetError) -> str:
    """An error's message, with the input's name where it does not name it already."""
    message = str(error).removeprefix("the picture: ")
    return message if job.source is not None and job.name in message else f"{job.name}: {message}"
