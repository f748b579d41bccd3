"""Look through training data before it is learned from: what is broken, what is doubtful, and what there is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from u2net.datasets.ground_truth import UNKNOWN_CLASS, Kind, alpha_of, colors_of, read_truth, shape_differs, unlike
from u2net.datasets.near_duplicates import Hash, digest, near_duplicates, perceptual_hash
from u2net.datasets.pairs import Pair, Pairs, Problem, ProblemKind
from u2net.errors import BadInput, PictureTooLarge, UnreadablePicture
from u2net.io.read import read
from u2net.system.resources import usable_threads
from u2net.types import Size, size_of

WARNINGS: frozenset[ProblemKind] = frozenset(
    {"scaled", "empty", "full", "graded", "same picture", "same truth", "alike", "repeated"}
)
"""Problems that may be meant so. The others are files that training leaves out or would learn something wrong from."""

# Of 255. What JPEG and soft edges do to a mask of two values stays outside of the middle, or is a small part.
_LOW, _HALF, _HIGH = 26, 128, 230


@dataclass(frozen=True, eq=False)
class Sample:
    """What was seen of one pair; where it could not be read only `problems` says something.

    size: the picture's (H, W). coverage: the mean of the truth, 0 to 1 (`saliency`). graded: the share of pixels that
    are neither object nor background. shares: class id -> share of pixels (`classes`).
    """

    pair: Pair
    problems: tuple[Problem, ...]
    size: Size | None = None
    coverage: float | None = None
    graded: float | None = None
    shares: dict[int, float] = field(default_factory=dict)
    picture_digest: str = ""
    truth_digest: str = ""
    hash: Hash | None = None


@dataclass(frozen=True)
class Check:
    """The result: samples in the order of the pairs, all problems (of pairing too), and of the other data set."""

    kind: Kind
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What has to be mended."""
        return tuple(problem for problem in self.problems if problem.kind not in WARNINGS)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What should be looked at."""
        return tuple(problem for problem in self.problems if problem.kind in WARNINGS)


def check(
    found: Pairs,
    *,
    kind: Kind = "saliency",
    classes: int | None = None,
    against: Pairs | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> Check:
    """Decode every pair and compare all pictures with each other.

    found: from `find_pairs`. kind: what a truth says, `saliency`, `classes` or `image`.
    classes: how many there are; ids from 0. against: another data set, such as that for testing, with which this one
    must not share a picture; only its pictures are read. on_done: called after each picture, of both.

    >>> from u2net.datasets import check, find_pairs
    >>> checked = check(find_pairs(Path("data")))
    >>> len(checked.samples), checked.errors
    (1, ())
    """

    def seen(pair: Pair) -> Sample:
        sample = examine(pair, kind, classes)
        on_done()
        return sample

    def glance(pair: Pair) -> Sample | None:
        try:
            pixels = colors_of(read(pair.picture))
        except BadInput:
            return None
        finally:
            on_done()
        return Sample(pair, (), picture_digest=digest(pixels), hash=perceptual_hash(pixels))

    with ThreadPoolExecutor(usable_threads(), "u2net-check") as pool:
        samples = tuple(pool.map(seen, found.pairs))
        others = [sample for sample in pool.map(glance, against.pairs if against else ()) if sample]
    problems = [
        *found.problems,
        *(problem for sample in samples for problem in sample.problems),
        *_repeated(samples),
        *_in_both(samples, others),
    ]
    return Check(kind, samples, tuple(problems))


def examine(pair: Pair, kind: Kind = "saliency", classes: int | None = None) -> Sample:
    """Decode one pair and judge it."""
    try:
        picture = read(pair.picture)
        if pair.truth is None and (kind != "saliency" or picture.alpha is None):
            why = "has no alpha" if kind == "saliency" else f"has alpha, which is no truth for {kind}"
            return Sample(pair, (Problem("no alpha", _files(pair), f"{pair.picture}: {why}, and no truth beside it"),))
        pixels = colors_of(picture)
        truth = read_truth(pair.truth, kind) if pair.truth else alpha_of(picture)
    except (UnreadablePicture, PictureTooLarge) as error:
        return Sample(pair, (Problem("unreadable", _files(pair), str(error)),))
    except BadInput as error:  # colors where class ids should be
        return Sample(pair, (Problem("class", _files(pair), str(error)),))
    problems = list(_of_sizes(pair, picture.size, size_of(truth)))
    coverage = graded = None
    shares: dict[int, float] = {}
    if kind == "saliency":
        coverage, graded = float(truth.mean()) / 255, float(((truth >= _LOW) & (truth < _HIGH)).mean())
        problems += _of_mask(pair, truth)
    elif kind == "classes":
        counts = np.bincount(truth.ravel(), minlength=256)
        shares = {int(number): counts[number] / truth.size for number in np.flatnonzero(counts)}
        problems += _of_classes(pair, shares, classes)
    return Sample(
        pair,
        tuple(problems),
        picture.size,
        coverage,
        graded,
        shares,
        digest(pixels),
        digest(truth),
        perceptual_hash(pixels),
    )


def _of_sizes(pair: Pair, picture: Size, truth: Size) -> Iterator[Problem]:
    if picture == truth:
        return
    if shape_differs(picture, truth):
        yield Problem("other shape", _files(pair), unlike(pair, picture, truth))
    else:
        sizes = f"measures {truth[1]} x {truth[0]}, its picture {picture[1]} x {picture[0]}"
        yield Problem("scaled", _files(pair), f"{pair.truth}: {sizes}: the same shape, so it can be learned from")


def _of_mask(pair: Pair, truth: NDArray[np.uint8]) -> Iterator[Problem]:
    name, highest = pair.truth or pair.picture, int(truth.max())
    solid, middle = int((truth >= _HIGH).sum()), int(((truth >= _LOW) & (truth < _HIGH)).sum())
    if highest == 0:
        yield Problem("empty", _files(pair), f"{name}: is empty; right only for a picture without an object")
    elif highest < _HALF:
        hint = "white (255) should be the object; are these class ids?"
        yield Problem("dark", _files(pair), f"{name}: its highest value is {highest} of 255; {hint}")
    elif truth.min() >= _HIGH:
        yield Problem("full", _files(pair), f"{name}: is full: everything is the object")
    elif middle > solid:
        message = f"{name}: is mostly grey: {middle / truth.size:.0%} of the pixels are neither object nor background"
        yield Problem("graded", _files(pair), message)


def _of_classes(pair: Pair, shares: dict[int, float], classes: int | None) -> Iterator[Problem]:
    wrong = [number for number in shares if classes is not None and classes <= number != UNKNOWN_CLASS]
    if wrong:
        ids = ", ".join(map(str, wrong[:5])) + (" ..." if len(wrong) > 5 else "")
        message = f"{pair.truth}: holds class {ids}, and there are {classes}, counted from 0"
        yield Problem("class", _files(pair), message)
    elif set(shares) <= {0, UNKNOWN_CLASS}:
        yield Problem("empty", _files(pair), f"{pair.truth}: is empty: nothing but class 0")


def _repeated(samples: Sequence[Sample]) -> Iterator[Problem]:
    """Pictures that are in the set twice, and truths that serve two pictures."""
    read_ones = [sample for sample in samples if sample.hash is not None]
    for group in _groups(read_ones, lambda sample: sample.picture_digest):
        truths = len({sample.truth_digest for sample in group})
        note = "with the same truth" if truths == 1 else f"with {truths} different truths"
        yield _same("same picture", group, f"are the same picture, {note}")
    for group in _groups(read_ones, lambda sample: sample.truth_digest):
        plain = any(problem.kind in ("empty", "full") for sample in group for problem in sample.problems)
        if not plain and len({sample.picture_digest for sample in group}) == len(group):
            yield _same("same truth", group, "are different pictures with the same truth")
    for one, other in near_duplicates(_hashes(read_ones)):
        pair = read_ones[one], read_ones[other]
        if pair[0].picture_digest != pair[1].picture_digest:
            yield _same("alike", pair, "look alike; if they are one picture, keep one")


def _in_both(samples: Sequence[Sample], others: Sequence[Sample]) -> Iterator[Problem]:
    """Pictures of the other set: what was learned from must not be measured with."""
    read_ones = [sample for sample in samples if sample.hash is not None]
    for one, other in near_duplicates(_hashes(read_ones), _hashes(others)):
        pair = read_ones[one], others[other]
        same = pair[0].picture_digest == pair[1].picture_digest
        yield _same("in both", pair, f"{'are the same picture' if same else 'look alike'}, and of both data sets")


def _groups(samples: Sequence[Sample], key: Callable[[Sample], str]) -> list[list[Sample]]:
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[key(sample)].append(sample)
    return [group for group in found.values() if len(group) > 1]


def _hashes(samples: Sequence[Sample]) -> NDArray[np.uint64]:
    hashes = [sample.hash for sample in samples if sample.hash is not None]
    return np.stack(hashes) if hashes else np.empty((0, 3), np.uint64)


def _same(kind: ProblemKind, samples: Sequence[Sample], message: str) -> Problem:
    paths = tuple(sample.pair.picture for sample in samples)
    *first, last = map(str, paths)
    return Problem(kind, paths, f"{', '.join(first)} and {last} {message}")


def _files(pair: Pair) -> tuple[Path, ...]:
    return (pair.picture, pair.truth) if pair.truth else (pair.picture,)


def summary(checked: Check) -> dict[str, object]:
    """What there is, for a reader and for JSON: counts, sizes as [height, width], shares of the pictures' pixels."""
    seen = [sample for sample in checked.samples if sample.size]
    facts: dict[str, object] = {"pairs": len(checked.samples), "readable": len(seen)}
    if not seen:
        return facts
    sides = np.array([sample.size for sample in seen])
    middle = np.median(sides, 0).astype(int)
    facts["sizes"] = {"smallest": sides.min(0).tolist(), "median": middle.tolist(), "largest": sides.max(0).tolist()}
    if checked.kind == "saliency":
        covered = np.array([sample.coverage for sample in seen], float)
        low, half, high = (round(float(part), 4) for part in np.percentile(covered, (5, 50, 95)))
        facts["coverage"] = {"5 %": low, "median": half, "95 %": high}
        facts["truths"] = dict(Counter(_softness(sample) for sample in seen))
    elif checked.kind == "classes":
        ids = sorted({number for sample in seen for number in sample.shares})
        facts["classes"] = {
            str(number): {
                "pictures": sum(number in sample.shares for sample in seen),
                "pixels": round(sum(sample.shares.get(number, 0) for sample in seen) / len(seen), 5),
            }
            for number in ids
        }
    return facts


def _softness(sample: Sample) -> str:
    if not sample.graded:
        return "two values"
    soft = any(problem.kind == "graded" for problem in sample.problems)
    return "mostly grey" if soft else "soft edges"
