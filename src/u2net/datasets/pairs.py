"""Pictures and their truths: which file belongs to which, and what is wrong with the rest."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from u2net.errors import BadInput, UnreadablePicture
from u2net.io.decoders import DAMAGE, PREFIX_BYTES, SUFFIXES, is_tiff, open_image

ProblemKind: TypeAlias = Literal[
    "no truth", "no picture", "ambiguous", "no alpha", "missing", "repeated",
    "unreadable", "other shape", "scaled", "empty", "full", "dark", "graded", "class",
    "same picture", "same truth", "alike", "in both",
]  # fmt: skip
"""Of finding pairs, then of `check`, which decodes them."""

LAYOUTS = (
    "two folders such as images/ and masks/, DUTS-TR-Image/ and DUTS-TR-Mask/ or im_aug/ and gt_aug/; a folder of "
    "pictures and one of truths (--truths); a .csv file of pairs; or a folder of cutouts, pictures with alpha"
)
_PICTURES = frozenset({"image", "images", "img", "imgs", "im", "im_aug", "picture", "pictures", "photo", "photos"})
_TRUTHS = frozenset(
    {"mask", "masks", "truth", "truths", "gt", "gts", "gt_aug", "ground_truth", "ground_truth_mask", "groundtruth"}
    | {"label", "labels", "annotation", "annotations", "alpha", "alphas", "matte", "mattes", "target", "targets"}
)
# What data sets add to a truth's name where the picture is plain `cat.jpg`.
_TRUTH_ENDINGS = ("_mask", "-mask", "_gt", "-gt", "_alpha", "_matte", "_label", "_truth", "_target")


@dataclass(frozen=True)
class Pair:
    """A picture and its truth. truth: None where it is the picture's own alpha.

    name: unique among the pairs found together, and readable: the path in its folder, without the suffix.
    """

    picture: Path
    truth: Path | None
    name: str


@dataclass(frozen=True)
class Problem:
    """Something wrong with the data. message: a sentence that names the files; paths: those files."""

    kind: ProblemKind
    paths: tuple[Path, ...]
    message: str


@dataclass(frozen=True)
class Pairs:
    """What was found in one place. problems: files that are in no pair, and why."""

    pairs: tuple[Pair, ...]
    problems: tuple[Problem, ...] = ()


def find_pairs(source: Path, *, truths: Path | None = None) -> Pairs:
    """Find pictures and their truths, in the order of their names.

    source: a folder that holds a folder of pictures and one of truths; a folder of pictures, with `truths` the folder
    of their truths; a .csv file, a line a pair, paths relative to it; or a folder of cutouts, whose alpha is the truth.
    Folders may be nested; a truth has the path of its picture, but for the suffix and an ending such as `_mask`.
    Raises BadInput where there is no pair at all, UnreadablePicture where a folder cannot be read.

    >>> from u2net.datasets import find_pairs
    >>> found = find_pairs(Path("data"))
    >>> found.pairs[0].name, found.problems
    ('cat', ())
    """
    if not source.exists():
        raise BadInput(f"{source}: there is no such folder or file")
    if source.is_file():
        if source.suffix.lower() != ".csv" or truths:
            raise BadInput(f"{source}: is a file; give a folder or, without other truths, a .csv file of pairs")
        found = _from_csv(source)
    elif truths:
        if not truths.is_dir():
            raise BadInput(f"{truths}: there is no such folder of truths")
        found = _from_folders(source, truths)
    elif layout := _layout(source):
        found = _from_folders(*layout)
    else:
        found = _from_cutouts(source)
    if not found.pairs:
        first = f" ({found.problems[0].message})" if found.problems else ""
        folders = [path for path in sorted(source.iterdir()) if path.is_dir()] if source.is_dir() else []
        inner = [path.name for path in folders if _layouts(path)]
        advice = f"name one of the folders in it: {', '.join(inner)}" if inner else f"u2net takes {LAYOUTS}"
        raise BadInput(f"{source}: no pair of picture and truth found{first}; {advice}")
    return found


def describe(problems: Iterable[Problem]) -> str:
    """All problems, those of a kind together, a line each; empty where there are none."""
    ordered = sorted(problems, key=lambda problem: problem.kind)
    if not ordered:
        return ""
    counts = ", ".join(f"{kind} {count}" for kind, count in Counter(problem.kind for problem in ordered).items())
    return "\n".join(
        [f"{len(ordered)} problem{'s' * (len(ordered) > 1)} ({counts}):", *(f"  {each.message}" for each in ordered)]
    )


def _layout(folder: Path) -> tuple[Path, Path] | None:
    """The folder of pictures and that of truths inside `folder`."""
    found = _layouts(folder)
    if len(found) > 1:
        choices = ", ".join(f"{picture.name} with {truth.name}" for picture, truth in found)
        raise BadInput(
            f"{folder}: holds several pairs of folders ({choices}); name the folder of pictures and --truths"
        )
    return found[0] if found else None


def _layouts(folder: Path) -> list[tuple[Path, Path]]:
    of_pictures: dict[str, list[Path]] = defaultdict(list)
    of_truths: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name.startswith("."):
            continue
        name = path.name.lower().replace("-", "_")
        start, _, end = name.rpartition("_")
        for names, group in ((_PICTURES, of_pictures), (_TRUTHS, of_truths)):
            if name in names:
                group[""].append(path)
            elif end in names:
                group[start].append(path)  # DUTS-TR-Image
    return [
        (picture, truth)
        for start, pictures in of_pictures.items()
        for picture in pictures
        for truth in of_truths.get(start, [])
    ]


def _from_folders(pictures: Path, truths: Path) -> Pairs:
    of_pictures, of_truths = _by_key(pictures), _by_key(truths)
    belonging: dict[str, list[Path]] = defaultdict(list)
    for key, paths in of_truths.items():
        belonging[key if key in of_pictures else _without_ending(key, of_pictures)] += paths

    pairs, problems = [], []
    for key, paths in of_pictures.items():
        own = belonging.get(key, [])
        if not own:
            message = f"{', '.join(map(str, paths))}: has no truth in {truths}"
            problems.append(Problem("no truth", tuple(paths), message))
        elif len(paths) + len(own) > 2:
            message = (
                f"{', '.join(map(str, [*paths, *own]))}: which belongs to which? only one of each may have the name"
            )
            problems.append(Problem("ambiguous", (*paths, *own), message))
        else:
            pairs.append(Pair(paths[0], own[0], key))
    for key, paths in belonging.items():
        if key not in of_pictures:
            problems += [Problem("no picture", (path,), f"{path}: has no picture in {pictures}") for path in paths]
    return Pairs(tuple(pairs), tuple(problems))


def _by_key(folder: Path) -> dict[str, list[Path]]:
    """The pictures below a folder by their path in it without suffix: more than one where only the suffix differs."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in pictures_below(folder):
        key = name_below(path, folder)
        found[unicodedata.normalize("NFC", key)].append(path)  # macOS writes é in two parts, others in one
    return found


def _without_ending(key: str, keys: dict[str, list[Path]]) -> str:
    lower = key.lower()
    shorter = (key[: -len(ending)] for ending in _TRUTH_ENDINGS if lower.endswith(ending))
    return next((short for short in shorter if short in keys), key)


def _from_cutouts(folder: Path) -> Pairs:
    pairs, problems = [], []
    for key, paths in _by_key(folder).items():
        if len(paths) > 1:
            message = f"{', '.join(map(str, paths))}: only one of them may have the name"
            problems.append(Problem("ambiguous", tuple(paths), message))
        elif problem := _without_alpha(paths[0]):
            problems.append(problem)
        else:
            pairs.append(Pair(paths[0], None, key))
    return Pairs(tuple(pairs), tuple(problems))


def _without_alpha(path: Path) -> Problem | None:
    """What the header says against a picture as a cutout."""
    try:
        with path.open("rb") as stream:
            prefix = stream.read(PREFIX_BYTES)
            if is_tiff(prefix):
                return None  # Pillow, which is asked here, does not know all that `read` reads
            with open_image(stream, prefix, str(path)) as image:
                if image.has_transparency_data:
                    return None
    except DAMAGE as error:
        return Problem("unreadable", (path,), f"{path}: cannot be read: {str(error).removeprefix(f'{path}: ')}")
    return Problem("no alpha", (path,), f"{path}: has no alpha, and there is no folder of truths")


def _from_csv(path: Path) -> Pairs:
    """A line a pair: picture, truth; a line of names may come first; without a truth it is the picture's alpha."""
    rows = _csv_rows(path)
    if rows and Path(rows[0][1][0]).suffix.lower() not in SUFFIXES:
        rows = rows[1:]  # the names of the columns
    files: dict[Path, Path | None] = {}
    problems = []
    for line, cells in rows:
        picture = path.parent / cells[0].strip()
        truth = path.parent / cells[1].strip() if len(cells) > 1 and cells[1].strip() else None
        missing = [str(file) for file in (picture, truth) if file and not file.is_file()]
        if missing:
            message = f"{path}, line {line}: there is no file {' and no file '.join(missing)}"
            problems.append(Problem("missing", (picture,), message))
        elif picture in files:
            problems.append(Problem("repeated", (picture,), f"{path}, line {line}: {picture} was named before"))
        else:
            files[picture] = truth
    names = _unique_names(list(files), path.parent)
    pairs = [Pair(picture, truth, name) for (picture, truth), name in zip(files.items(), names, strict=True)]
    return Pairs(tuple(pairs), tuple(problems))


def _csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line, cells) of a file with commas, semicolons or tabs; empty lines are left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)
        reader = csv.reader(text.splitlines(), delimiter=delimiter)
        return [(reader.line_num, cells) for cells in reader if cells and cells[0].strip()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read as a UTF-8 file of comma-separated pairs: {error}") from error


def _unique_names(paths: Sequence[Path], folder: Path) -> list[str]:
    """Paths as names: relative to `folder` where they lie below it, without suffix where that leaves them different."""
    shown = [path.relative_to(folder) if path.is_relative_to(folder) else path for path in paths]
    short = [path.with_suffix("").as_posix() for path in shown]
    counts = Counter(short)
    return [name if counts[name] == 1 else path.as_posix() for name, path in zip(short, shown, strict=True)]


def find_pictures(source: Path) -> Pairs:
    """As `find_pairs`, for when truths do not matter: a folder of nothing but pictures will do."""
    try:
        return find_pairs(source)
    except UnreadablePicture:
        raise
    except BadInput:
        pictures = pictures_below(source) if source.is_dir() else []
        if not pictures:
            raise
        return Pairs(tuple(map(Pair, pictures, [None] * len(pictures), _unique_names(pictures, source))), ())


def name_below(path: Path, folder: Path) -> str:
    """What a picture is called where its suffix does not count: its path in a folder without that, `/` between."""
    return path.relative_to(folder).with_suffix("").as_posix()


def pictures_below(folder: Path) -> list[Path]:
    """The pictures below a folder, by their suffixes, in name order, without hidden files.

    Raises UnreadablePicture where a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UnreadablePicture(f"{error.filename}: the folder cannot be read: {error.strerror}") from error

    found = []
    for where, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = (name for name in sorted(files) if not name.startswith("."))
        found += [Path(where, name) for name in shown if os.path.splitext(name)[1].lower() in SUFFIXES]  # noqa: PTH122
    return found
