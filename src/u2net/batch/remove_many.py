"""The public function for many pictures: files and folders into a folder, or any sources into cutouts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from u2net.batch.inputs import Job, are_many, plan, plan_unwritten
from u2net.batch.operation import Work
from u2net.batch.process import Outcome
from u2net.batch.removal import Removal
from u2net.batch.run import Run
from u2net.batch.settings import Encoding, RunSettings
from u2net.compose.background import Background, parse_background
from u2net.compose.crop import Crop, CropName, find_crop
from u2net.compose.layout import Layout
from u2net.compose.shadow import ShadowKind
from u2net.errors import BadInput
from u2net.imaging.regions import Keep
from u2net.inference.open_session import shared_session
from u2net.inference.session import Device, Engine, Precision, Session
from u2net.io.picture import Metadata
from u2net.io.png import Compress
from u2net.io.read import MAX_BYTES, MAX_PIXELS, Source
from u2net.io.write import Format
from u2net.matting.alpha import Edges
from u2net.models.registry import DEFAULT_MODEL
from u2net.segmentation.hints import Hint


class Outcomes(Iterator[Outcome]):
    """Outcomes as they come, in the order of the inputs. `len` is the number of pictures, where it is known."""

    def __init__(self, outcomes: Iterator[Outcome], count: int | None) -> None:
        self._outcomes = outcomes
        self._count = count

    def __next__(self) -> Outcome:
        return next(self._outcomes)

    def __len__(self) -> int:
        if self._count is None:
            raise TypeError("nobody knows how many pictures are to come")
        return self._count

    def close(self) -> None:
        """End what is in work and begin nothing new."""
        self._outcomes.close()  # type: ignore[attr-defined]  # it is a generator


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

    inputs: a path, a folder (searched recursively), a pattern, or several of them; without an output also any iterable
    of what `u2net.read` takes, which is asked only for what is worked on next.
    output: a folder for the results, with the structure of the inputs. Its record, the one of the command line, tells
    the next run what is done already. None: nothing is written, and each outcome holds its `cutout`, of an animation
    that of its first frame.
    model, engine, device, precision, threads: as for `open_session`, or a Session; with a Session the others are not
    looked at.
    edges, foreground, hints, detail, keep, fill_holes, min_area: as for `u2net.remove`. only_mask, crop, shadow,
    background: the alpha as a grey picture; `Cutout.cropped`, `with_shadow`, `over`.
    format, compress, quality, lossless, metadata: of the files, as for `Cutout.save`.
    exclude: patterns of inputs to leave out, like `*.gif`. overwrite: make also what the record has as done.
    fail_if_empty: a picture without an object counts as failed, and is not written. max_pixels, max_bytes: as for
    `u2net.read`.
    on_done: called for each outcome as soon as it has ended, in any order, for a progress bar.
    Returns an iterator of one Outcome for each picture, in the order of the inputs; a picture that fails is one of them
    and stops nothing. Its `close` ends what is in work; nothing half-written is left.
    Raises BadInput at once for arguments that cannot be used, and what `open_session` raises with the first outcome.

        >>> import u2net
        >>> for outcome in u2net.remove_many(["examples/cat.png"], model="u2netp"):
        ...     print(outcome.status, outcome.cutout.size)
        done (300, 451)
    """
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

    def open_work(requests: int) -> Work:
        return removal.drawing(shared_session(model, requests=requests, **opening))

    limits: dict[str, Any] = {"fail_if_empty": fail_if_empty, "max_pixels": max_pixels, "max_bytes": max_bytes}
    names = _names(inputs)
    if output is None:
        settings = RunSettings(**limits, writes=False)
        if names is None:
            assert not isinstance(inputs, (str, os.PathLike))
            run = Run([], open_work, settings, threads=threads, sources=_labelled(inputs))
            return Outcomes(run.outcomes(on_done=on_done), None)
        jobs = list(plan_unwritten(names, excludes=exclude))
        run = Run(jobs, open_work, settings, threads=threads)
        return Outcomes(run.outcomes(on_done=on_done), len(jobs))
    if names is None:
        raise BadInput("to write results, inputs are files, folders or patterns; without an output any source goes")
    folder = Path(output)
    reads = [os.fspath(background)] if isinstance(background, (str, os.PathLike)) else []
    jobs = plan(names, str(folder), tag="cutout", suffix=encoding.suffix, excludes=exclude, reads=reads)
    several = are_many(names)
    run = Run(
        jobs,
        open_work,
        RunSettings(**limits),
        folder=folder if several else None,
        options=lambda: removal.fingerprint(*_asked_for(model, precision)),
        overwrite=overwrite,
        threads=threads,
        several=several,
    )
    return Outcomes(run.outcomes(on_done=on_done), len(jobs))


def _asked_for(model: str | Path | Session, precision: Precision) -> tuple[str | Path, Precision]:
    """A model and a precision, those that a session was opened with."""
    if not isinstance(model, Session):
        return model, precision
    if model.opened_by is None:
        raise BadInput("with an output, a session is one of u2net.open_session, or the model's name")
    return model.opened_by.args[0], model.opened_by.keywords["precision"]


def _names(inputs: Any) -> list[str] | None:
    """Files, folders and patterns, or None for sources of another kind, or for some that come one by one."""
    if isinstance(inputs, (str, os.PathLike)):
        return [os.fspath(inputs)]
    if isinstance(inputs, (list, tuple)) and all(isinstance(one, (str, os.PathLike)) for one in inputs):
        return list(map(os.fspath, inputs))
    if isinstance(inputs, (bytes, bytearray)) or not isinstance(inputs, Iterable) or hasattr(inputs, "shape"):
        raise BadInput(f"inputs are paths or an iterable of pictures, not {type(inputs).__name__}; put it in a list")
    return None


def _labelled(sources: Iterable[Source]) -> Iterator[tuple[Job, Source]]:
    for number, source in enumerate(sources):
        path = Path(source) if isinstance(source, (str, os.PathLike)) else None
        yield Job(path, None, label=f"picture {number}"), source
