"""Many pictures: which files are meant, and where each result goes."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from u2net.errors import BadInput, UnreadablePicture
from u2net.io.decoders import SUFFIXES
from u2net.io.write import format_of
from u2net.system.files import is_standard_output, is_stream

RESULT_TAGS = (
    "cutout",
    "mask",
    "saliency",
    "cropped",
    "boxed",
    "highlighted",
    "replaced",
    "pasted",
    "panel",
    "parallax",
)
"""Results written beside their input are named `<stem>.<tag>.<suffix>` and never taken as an input."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to read and one file to write; None stands for standard input and standard output.

    label: the name of a source that is no file.
    """

    source: Path | None
    target: Path | None
    label: str = "-"

    @property
    def name(self) -> str:
        return self.label if self.source is None else str(self.source)


@dataclass(frozen=True)
class _Input:
    """A file, and its place below the folder it was found in."""

    path: Path
    inside: Path


def plan(
    inputs: Sequence[str],
    output: str | None,
    *,
    tag: str,
    suffix: str,
    cutouts: bool = False,
    reads: Sequence[str | None] = (),
    excludes: Sequence[str] = (),
) -> list[Job]:
    """Turn what a user typed into jobs.

    inputs: files, folders (searched recursively), patterns such as `*.jpg`, or `-` for standard input.
    output: a folder, a file (one input, and a picture's suffix), `-` for standard output, or None: beside each input.
    tag: results beside their input are named `<stem>.<tag><suffix>`, in a folder `<stem><suffix>`, structure mirrored.
    cutouts: a file that is named and called `<stem>.cutout.<suffix>` is an input all the same.
    reads: other files that are read, like a background; results do not replace them either.
    excludes: patterns of inputs to leave out, see `is_excluded`; nor do results replace these.
    Raises BadInput before anything is written: nothing found, two inputs with one result, a result that would
    replace an input.
    """
    if "" in inputs or output == "":
        raise BadInput("an empty name stands for nothing: is a variable of the shell unset?")
    if not inputs:
        raise BadInput("no picture is named; give files, folders or patterns")
    many = are_many(inputs)
    if output is not None and is_standard_output(Path(output)):
        output = "-"
    if "-" in inputs and many:
        raise BadInput("standard input (-) is one picture; it cannot be mixed with other inputs")
    if output == "-" and many:
        raise BadInput("standard output (-o -) takes one picture; give -o a folder")
    if not many:
        if _is_result(Path(inputs[0])) and not (cutouts and _is_cutout(inputs[0])):
            raise BadInput(f"{inputs[0]}: is a result of u2net by its name; rename it to use it as an input")
        if is_excluded(PurePath(Path(inputs[0]).name), excludes):
            raise BadInput(f"{inputs[0]}: is excluded by --exclude, nothing to do")
        job = _single(inputs[0], output, tag, suffix)
        _refuse_collisions([job], reads)
        return [job]

    folder = None if output is None else Path(output)
    if folder and not os.path.isdir(folder) and (os.path.lexists(folder) or format_of(folder)):
        raise BadInput(f"-o {folder}: several pictures need a folder, not a file")
    found: dict[tuple[str, str], Job] = {}
    key = _keys()
    items = [
        item
        for text in inputs
        for item in _expand(text, folder)
        if not _is_result(item.path) or (cutouts and item.path == Path(text) and _is_cutout(text))
    ]
    excluded = {item.path for item in items if is_excluded(item.inside, excludes)}
    kept = [item for item in items if item.path not in excluded]
    if items and not kept:
        raise BadInput(f"{' '.join(inputs)}: all {len(items)} pictures are excluded by --exclude, nothing to do")
    for item in kept:
        name = item.inside.with_name(item.inside.stem + suffix)
        target = folder / name if folder else _beside(item.path, tag, suffix)
        found.setdefault((key(item.path), key(target)), Job(item.path, target))  # a file named twice is done once
    jobs = list(found.values())
    if not jobs:
        raise BadInput(f"{' '.join(inputs)}: only results of earlier runs, nothing to do")
    _refuse_collisions(jobs, [*reads, *map(str, excluded)])
    return jobs


def plan_unwritten(inputs: Sequence[str], *, excludes: Sequence[str] = ()) -> dict[Job, Path]:
    """Turn what a user typed into jobs that write no picture, each with its place below the folder it was found in.

    inputs, excludes, errors: as for `plan`; results of earlier runs are left out.
    """
    if "" in inputs:
        raise BadInput("an empty name stands for nothing: is a variable of the shell unset?")
    if "-" in inputs:
        if len(inputs) > 1:
            raise BadInput("standard input (-) is one picture; it cannot be mixed with other inputs")
        return {Job(None, None): Path("stdin")}
    found = {Job(item.path, None): item.inside for text in inputs for item in _expand(text, None)}
    kept = {
        job: inside for job, inside in found.items() if not _is_result(inside) and not is_excluded(inside, excludes)
    }
    if not kept:
        raise BadInput(f"{' '.join(inputs)}: only results of earlier runs, or excluded; nothing to do")
    return kept


def are_many(inputs: Sequence[str]) -> bool:
    """Whether what a user typed stands for any number of pictures: several names, a folder, a pattern."""
    return len(inputs) > 1 or any(os.path.isdir(text) or _is_pattern(text) for text in inputs)


def is_excluded(inside: PurePath, patterns: Sequence[str]) -> bool:
    """Whether a pattern such as `*.gif`, `drafts` or `2019/*` fits an input's place below its folder, the place of a
    folder that it lies in, or the name of one of them."""
    if not patterns:
        return False
    places = [inside, *inside.parents][: len(inside.parts)]
    names = {name for place in places for name in (place.as_posix(), place.name)}
    return any(fnmatch.fnmatch(name, pattern.rstrip("/")) for name in names for pattern in patterns)


def jobs_below(folder: Path, output: Path, *, suffix: str, excludes: Sequence[str] = ()) -> list[Job]:
    """The pictures that lie below a folder now, each with its place below `output`; for who looks again and again.

    Results by their name and the output folder are left out; none at all is no error, nor are two with one target.
    """
    found = [(path, path.relative_to(folder)) for path in _walk(folder, output) if not _is_result(path)]
    kept = [(path, inside) for path, inside in found if not is_excluded(inside, excludes)]
    return [Job(path, output / inside.with_name(path.stem + suffix)) for path, inside in kept]


def _single(text: str, output: str | None, tag: str, suffix: str) -> Job:
    source = None if text == "-" else Path(text)
    if output == "-" or (output is None and source is None):
        return Job(source, None)
    if output is None:
        assert source is not None
        return Job(source, _beside(source, tag, suffix))
    target = Path(output)
    if is_stream(target):
        return Job(source, target)
    is_folder = os.path.isdir(target)
    if is_folder or (format_of(target) is None and target.suffix != suffix):
        if not is_folder and target.suffix.lower() in SUFFIXES:
            raise BadInput(f"-o {target}: that format is not written; use .png, .webp, .avif, .jpg, .tif or .gif")
        target = target / ((source.stem if source else "stdin") + suffix)
    elif format_of(target) != format_of("x" + suffix):
        raise BadInput(f"-o {target}: the result is {suffix}, which that name does not say; leave one of them out")
    return Job(source, target)


def _beside(path: Path, tag: str, suffix: str) -> Path:
    return path.with_name(f"{path.stem}.{tag}{suffix}")


def _is_pattern(text: str) -> bool:
    return glob.has_magic(text) and not os.path.lexists(text)


def _expand(text: str, output: Path | None) -> list[_Input]:
    if _is_pattern(text):
        matches = sorted(path for path in map(Path, glob.glob(text, recursive=True)) if _is_picture(path))
        if not matches:
            raise BadInput(f"{text}: no picture matches")
        return [_Input(path, Path(path.name)) for path in matches]
    path = Path(text)
    if not os.path.isdir(path):
        return [_Input(path, Path(path.name))]
    below = [_Input(found, found.relative_to(path)) for found in _walk(path, output)]
    if not below:
        raise BadInput(f"{path}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return below


def _walk(folder: Path, output: Path | None) -> list[Path]:
    """The pictures below a folder, in name order, without hidden files, results, and the output folder."""
    own = _key(output) if output else None

    def refuse(error: OSError) -> None:
        raise UnreadablePicture(f"{error.filename}: the folder cannot be read: {error.strerror}") from error

    found = []
    for where, folders, files in os.walk(folder, onerror=refuse):
        here = Path(where)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and _key(here / name) != own)
        found += [here / name for name in sorted(files) if _is_picture(here / name)]
    return found


def _is_picture(path: Path) -> bool:
    """Whether to take a file of a folder: a link that leads nowhere, a pipe and a socket are none."""
    if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        return True  # reading it will say so
    except OSError:
        return False


def _is_result(path: Path) -> bool:
    return any(path.stem.lower().endswith(f".{tag}") for tag in RESULT_TAGS)


def _is_cutout(name: str) -> bool:
    return Path(name).stem.lower().endswith(".cutout")


def refuse_overwriting(targets: Sequence[Path], sources: Sequence[Path]) -> None:
    """Raise BadInput where one of the files to write is also read, or is to be written twice."""
    read = {_key(source) for source in sources}
    written: set[str] = set()
    for target in targets:
        key = _key(target)
        if key in read:
            raise BadInput(f"{target}: is an input, and would be replaced; give another name")
        if key in written:
            raise BadInput(f"{target}: two results would both be written to it; give them different names")
        written.add(key)


def _refuse_collisions(jobs: Sequence[Job], reads: Sequence[str | None]) -> None:
    key_of = _keys()
    sources = {key_of(job.source): job.source for job in jobs if job.source}
    sources |= {_key(Path(name)): Path(name) for name in reads if name and os.path.isfile(name)}
    targets: dict[str, Job] = {}
    for job in jobs:
        if job.target is None:
            continue
        key = key_of(job.target)
        if key in sources:
            raise BadInput(f"{job.target}: the result of {job.name} would replace this input; give another -o")
        if key in targets:
            raise BadInput(
                f"{targets[key].name} and {job.name} would both be written to {job.target}; "
                "rename one, or cut them out into different folders"
            )
        targets[key] = job


def _keys() -> Callable[[Path], str]:
    """`_key` for many files: where a folder lies is asked once. Windows has second, short names."""
    folders: dict[Path, Path] = {}

    def key(path: Path) -> str:
        if sys.platform == "win32" or os.path.islink(path):  # noqa: PTH114  Path.is_symlink raises on a long name
            return _key(path)
        folder = path.parent
        if folder not in folders:
            folders[folder] = Path(os.path.realpath(folder))
        return _comparable(str(folders[folder] / path.name))

    return key


def _key(path: Path) -> str:
    """What is the same for two names of one file, whether it is there yet or not.

    Windows and macOS do not tell `A.png` from `a.png`; macOS does not tell a composed from a decomposed `é` either.
    """
    return _comparable(os.path.realpath(path))


def _comparable(name: str) -> str:
    name = os.path.normcase(name)
    return unicodedata.normalize("NFC", name).casefold() if sys.platform == "darwin" else name
