"""The public function for many pictures: files and folders into a folder, or any sources into cutouts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from u2net.batch.inputs import Job, are_many, plan, plan_unwritten
from u2net.batch.operation import Work
from u2net.batch.process import FROM_JOB, Outcome
from u2net.batch.removal import Removal
from u2net.batch.run import Run
from u2net.batch.settings import Encoding, RunSettings
from u2net.compose.background import Background, parse_background
from u2net.compose.crop import Crop, CropName, find_crop
from u2net.compose.layout import Layout
from u2net.compose.shadow import ShadowKind
from u2net.errors import BadInput
from u2net.imaging.regions import Keep
from u2net.inference.open_session import check_choices, shared_session
from u2net.inference.session import Device, Engine, Precision, Session
from u2net.io.picture import Metadata
from u2net.io.png import Compress
from u2net.io.read import MAX_BYTES, MAX_PIXELS, Source
from u2net.io.source import is_inline
from u2net.io.write import Format
from u2net.matting.alpha import Edges
from u2net.models.registry import DEFAULT_MODEL
from u2net.segmentation.hints import Hint


class Outcomes(Iterator[Outcome]):
    """Outcomes as they come, in the order of the inputs. `len` is the number of pictures, where it is known."""

    def __init__(self, run: Run, count: int | None, on_done: Callable[[Outcome], None]) -> None:
        self._closing = False
        self._count = count
        self._outcomes = run.outcomes(on_done=on_done, stopping=lambda: self._closing)

    def __next__(self) -> Outcome:
        return next(self._outcomes)

    def __len__(self) -> int:
        if self._count is None:
            raise TypeError("nobody knows how many pictures are to come")
        return self._count

    def __bool__(self) -> bool:
        return True

    def close(self) -> None:
        """Start no new picture, and wait for those in work; from another thread, without waiting."""
        self._closing = True
        with contextlib.suppress(ValueError):  # another thread is in it
            self._outcomes.close()  # type: ignore[attr-defined]  # it is a generator

    def __enter__(self) -> Outcomes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def remove_many(
    inputs: str | os.PathLike[str] | Iterable[Source],
    output: str | os.PathLike[str] | None = None,
    *,
    model: str | Path | Session = DEFAULT_MODEL,
    engine: Engine = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: int | None = None,
    edges: Edges = "auto",
    foreground: bool = True,
    hints: Sequence[Hint] = (),
    detail: bool = False,
    keep: Keep = "all",
    fill_holes: bool = False,
    min_area: float = 0.0,
    only_mask: bool = False,
    crop: Crop | CropName | None = None,
    shadow: ShadowKind | None = None,
    background: Background | None = None,
    format: Format = "png",
    compress: Compress = "fast",
    quality: int | None = None,
    lossless: bool = False,
    metadata: Metadata = "all",
    exclude: Sequence[str] = (),
    overwrite: bool = False,
    fail_if_empty: bool = False,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    on_done: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcomes:
    """Cut the objects out of many pictures, as `u2net remove` does: several at a time, in bounded memory.

    inputs: a path, a folder (searched recursively), a pattern, or an iterable of them. Without an output an iterable
    may hold whatever `u2net.read` takes, and is asked only for what is worked on next; a list of files gives an outcome
    for each.
    output: a folder for the results, with the structure of the inputs. Its record, the one of the command line, tells
    the next run what is done already. None: nothing is written, and each outcome holds its `cutout`, of an animation
    that of its first frame.
    model, engine, device, precision, threads: as for `open_session`, or a Session; with a Session the others are not
    looked at.
    edges, foreground, hints, detail, keep, fill_holes, min_area: as for `u2net.remove`. only_mask, crop, shadow,
    background: the alpha as a grey picture; `Cutout.cropped`, `with_shadow`, `over`.
    format, compress, quality, lossless, metadata: of the files, as for `Cutout.save`.
    exclude: a list of patterns of inputs to leave out, like `*.gif`. overwrite: make also what the record has as done.
    fail_if_empty: a picture without an object counts as failed, and is not written. max_pixels, max_bytes: as for
    `u2net.read`.
    on_done: called for each outcome as soon as it has ended, in any order, for a progress bar.
    Returns an iterator of one Outcome for each picture, in the order of the inputs; a picture that fails is one of them
    and stops nothing. Its `close` starts no new picture and waits for those in work; nothing half-written is left.
    Raises BadInput at once for arguments that cannot be used, and what `open_session` raises with the first outcome.

        >>> import u2net
        >>> for outcome in u2net.remove_many(["examples/cat.png"], model="u2netp"):
        ...     print(outcome.status, outcome.cutout.size)
        done (300, 451)
    """
    if isinstance(exclude, str):
        raise BadInput(f"exclude is a list of patterns, not {exclude!r}; write [{exclude!r}]")
    if shadow not in (None, "drop", "contact"):
        raise BadInput(f"shadow is 'drop' or 'contact', not {shadow!r}")
    layout = Layout(
        frame=None if crop is None else find_crop(crop),
        shadow=shadow,
        background=None if background is None else parse_background(background),
    )
    encoding = Encoding(format, compress, quality, lossless, metadata)
    removal = Removal(
        hints, detail, keep, fill_holes, min_area, edges, foreground, only_mask, layout=layout, encoding=encoding
    )
    opening: dict[str, Any] = {"engine": engine, "device": device, "precision": precision, "threads": threads}
    check_choices(**opening)

    def open_work(requests: int) -> Work:
        return removal.drawing(shared_session(model, requests=requests, **opening))

    limits: dict[str, Any] = {"fail_if_empty": fail_if_empty, "max_pixels": max_pixels, "max_bytes": max_bytes}
    if output is None:
        settings = RunSettings(**limits, writes=False)
        sources, count = _sources(inputs, exclude)
        run = Run([], open_work, settings, threads=threads, several=count != 1, sources=sources)
        return Outcomes(run, count, on_done)
    names = _names(inputs)
    if "-" in (*names, os.fspath(output)):
        raise BadInput("standard input and output (-) are the command line's; give paths")
    reads = [os.fspath(background)] if isinstance(background, (str, os.PathLike)) else []
    jobs = plan(names, os.fspath(output), tag="cutout", suffix=encoding.suffix, excludes=exclude, reads=reads)
    several = are_many(names)
    run = Run(
        jobs,
        open_work,
        RunSettings(**limits),
        folder=Path(output) if several else None,
        options=lambda: removal.fingerprint(*_asked_for(model, precision)),
        overwrite=overwrite,
        threads=threads,
        several=several,
    )
    return Outcomes(run, len(jobs), on_done)


def _asked_for(model: str | Path | Session, precision: Precision) -> tuple[str | Path, Precision]:
    """A model and a precision, those that a session was opened with."""
    if not isinstance(model, Session):
        return model, precision
    if model.opened_by is None:
        raise BadInput("with an output, a session is one of u2net.open_session, or the model's name")
    return model.opened_by.args[0], model.opened_by.keywords["precision"]


def _names(inputs: Any) -> list[str]:
    """Files, folders and patterns."""
    given = _listed(inputs)
    names = list(given)
    if not names or not all(isinstance(one, (str, os.PathLike)) for one in names):
        raise BadInput("to write results, inputs are files, folders or patterns; without an output any source goes")
    return list(map(os.fspath, names))


def _sources(inputs: Any, excludes: Sequence[str]) -> tuple[Iterable[tuple[Job, Any]], int | None]:
    """Each picture with its source, and how many there are, where that is known before they are asked for."""
    found = _expanded(_listed(inputs), excludes)
    if not isinstance(inputs, (str, os.PathLike, list, tuple)):
        return found, None
    jobs = list(found)
    return jobs, len(jobs)


def _expanded(sources: Iterable[Any], excludes: Sequence[str]) -> Iterator[tuple[Job, Any]]:
    for number, source in enumerate(sources):
        if not isinstance(source, (str, os.PathLike)) or is_inline(os.fspath(source)):
            yield Job(None, None, label=f"picture {number}"), source
        elif are_many([os.fspath(source)]):
            yield from ((job, FROM_JOB) for job in plan_unwritten([os.fspath(source)], excludes=excludes))
        else:
            yield Job(Path(source), None), FROM_JOB


def _listed(inputs: Any) -> Iterable[Any]:
    if isinstance(inputs, (str, os.PathLike)):
        return [inputs]
    is_one = isinstance(inputs, (bytes, bytearray, memoryview)) or hasattr(inputs, "shape") or hasattr(inputs, "read")
    if is_one or not isinstance(inputs, Iterable):
        raise BadInput(f"inputs are paths or an iterable of pictures, not {type(inputs).__name__}; put it in a list")
    return inputs
