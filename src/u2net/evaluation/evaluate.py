"""Maps against truths: two folders, or a model and two folders, to measures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from u2net.datasets.ground_truth import Grey, read_grey, read_mask
from u2net.datasets.pairs import name_below, pictures_below
from u2net.errors import BadInput
from u2net.evaluation.metrics import TRUTH_ABOVE, Scores, pysodmetrics, score, summarise
from u2net.inference.predict import predict
from u2net.inference.session import Session
from u2net.io.decoders import SUFFIXES
from u2net.io.read import read
from u2net.system.resources import usable_threads

_NAMED = 10
"""So many problems are named."""


@dataclass(frozen=True)
class Pair:
    """What is measured together. name: the path below both folders, without suffix. picture: to show in a report."""

    name: str
    source: Path
    truth: Path
    picture: Path | None = None


MapOf: TypeAlias = Callable[[Pair], Grey]
"""Where the map of a pair comes from: `read_map`, or what `map_by` gives."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was measured; `scores` in the order of `pairs`."""

    pairs: tuple[Pair, ...]
    scores: tuple[Scores, ...]
    map_of: MapOf

    @cached_property
    def summary(self) -> dict[str, float | int]:
        """The measures of the whole set; see `metrics.KEYS`."""
        return summarise(self.scores)


def evaluate(
    pairs: Sequence[Pair],
    map_of: MapOf,
    *,
    truth_above: float = TRUTH_ABOVE,
    threads: int | None = None,
    on_pair: Callable[[], Any] | None = None,
) -> Evaluation:
    """Measure each map against its truth.

    pairs: from `pair_up`. map_of: `read_map` where the sources are maps, `map_by(session)` where they are pictures.
    truth_above: which share of white a truth's pixels exceed where the object is.
    threads: so many pictures at a time; None: as many as there are cores. on_pair: called after each.
    Raises BadInput when anything cannot be read or measured, with all of it up to the tenth: a number of half a set
    would be a wrong number. Raises MissingExtra without PySODMetrics.

    >>> from u2net.evaluation import evaluate, pair_up, read_map
    >>> evaluation = evaluate(pair_up(Path("maps"), Path("maps")), read_map)
    >>> evaluation.summary["MAE"] < 0.1, evaluation.pairs[0].name
    (True, 'cat')
    """
    pysodmetrics()
    if threads is not None and threads < 1:
        raise BadInput(f"threads must be at least 1, got {threads}")
    scores: list[Scores] = []
    problems: list[str] = []
    pool = ThreadPoolExecutor(threads or usable_threads())
    try:
        for pair, future in [(pair, pool.submit(_measure, pair, map_of, truth_above)) for pair in pairs]:
            try:
                scores.append(future.result())
            except BadInput as error:
                problems.append(_named(pair, error))
            if len(problems) == _NAMED:
                break
            if on_pair:
                on_pair()
    finally:
        pool.shutdown(cancel_futures=True)
    if problems:
        stopped = "; stopped at the tenth" if len(problems) == _NAMED else ""
        raise BadInput(_listed(f"some cannot be measured, so there is no number for the set{stopped}", problems))
    return Evaluation(tuple(pairs), tuple(scores), map_of)


def pair_up(sources: Path, truths: Path, *, pictures: Path | None = None) -> list[Pair]:
    """Find what belongs together: files of one name, whatever their suffix, in the same place below each folder.

    sources: maps, or the pictures that a model will make them of. pictures: to show in a report, where sources are
    maps; not each needs one. In the order of their names.
    Raises BadInput unless each source has a truth and each truth a source.

    >>> from u2net.evaluation import pair_up
    >>> [pair.name for pair in pair_up(Path("maps"), Path("maps"))]
    ['cat']
    """
    shown = _by_name(pictures) if pictures else {}
    return [Pair(name, source, truth, shown.get(name)) for name, source, truth in _pairs(sources, truths)]


def read_map(pair: Pair) -> Grey:
    """The map in a file: its grey values, or its alpha where that is not opaque everywhere, as in a cutout.

    Returns (H, W) uint8 or uint16. Raises what `read` raises.

    >>> from u2net.evaluation import pair_up, read_map
    >>> read_map(pair_up(Path("maps"), Path("maps"))[0]).shape
    (300, 451)
    """
    return read_grey(pair.source)


def map_by(session: Session) -> MapOf:
    """Have the session make the maps, as the authors publish theirs: what `u2net saliency` writes.

    Returns a function of a Pair, for `evaluate`, that gives (H, W) uint8.

    >>> from u2net.evaluation import map_by, pair_up
    >>> session = u2net.open_session("u2netp")
    >>> (pair,) = pair_up(Path("data/images"), Path("data/masks"))
    >>> map_by(session)(pair).shape
    (300, 451)
    """
    return lambda pair: predict(session, read(pair.source)).published_map()


def _measure(pair: Pair, map_of: MapOf, truth_above: float) -> Scores:
    saliency, truth = map_of(pair), read_mask(pair.truth)
    if saliency.shape != truth.shape:
        raise BadInput(
            f"{pair.source} is {_size(saliency)} and its truth {pair.truth} {_size(truth)}; both must be of one size"
        )
    return score(saliency, truth, truth_above=truth_above)


def _named(pair: Pair, error: BadInput) -> str:
    """The error's message, with the map's or picture's name where it names neither that nor the truth."""
    message = str(error)
    named = any(str(path) in message for path in (pair.source, pair.truth))
    return message if named else f"{pair.source}: {message}"


def _size(grey: Grey) -> str:
    return f"{grey.shape[1]} x {grey.shape[0]}"


def _pairs(sources: Path, truths: Path) -> list[tuple[str, Path, Path]]:
    """(name, source, truth) of every name that is in both folders. Raises BadInput for each that is in one only."""
    found, wanted = _by_name(sources), _by_name(truths)
    problems = [f"{wanted[name]} has no partner in {sources}" for name in sorted(wanted.keys() - found.keys())]
    problems += [f"{found[name]} has no truth in {truths}" for name in sorted(found.keys() - wanted.keys())]
    if problems:
        raise BadInput(_listed(f"{sources} and {truths} do not hold the same names", problems))
    return [(name, found[name], wanted[name]) for name in sorted(found)]


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures below a folder by their names without suffix."""
    if not os.path.isdir(folder):
        raise BadInput(
            f"{folder}: is not a folder" if os.path.lexists(folder) else f"{folder}: there is no such folder"
        )

    named: dict[str, Path] = {}
    for path in pictures_below(folder):
        name = name_below(path, folder)
        if name in named:
            raise BadInput(f"{named[name]} and {path} have one name; which is meant? move one of them away")
        named[name] = path
    if not named:
        raise BadInput(f"{folder}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return named


def _listed(what: str, problems: Sequence[str]) -> str:
    """A sentence and the problems below it, a line each."""
    more = [f"and {len(problems) - _NAMED} more"] if len(problems) > _NAMED else []
    return "\n  ".join([f"{what}:", *problems[:_NAMED], *more])
