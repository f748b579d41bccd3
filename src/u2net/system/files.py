"""All that is written goes through here: files appear whole or not at all, and what cannot be written is said.

`atomic_file` is the usual way, `write_bytes` the short one, `atomic_files` is for what other libraries write.
`tests/system/test_every_writer.py` names the few that write otherwise, and why.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from u2net.errors import CannotWrite, NotWritable

PART_SUFFIX = ".part"


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = False, owner: str = "") -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; when the block ends well it takes the place of `path`, else it is deleted.

    What `path` is stays: a link keeps pointing to the file that is written, a file keeps its mode, and a device or a
    pipe is written into, piece by piece.
    durable: even a power cut leaves the old or the new file; that costs milliseconds, or the time of a slow disk.
    owner: what the temporary name begins with (see `is_part`), so that whoever comes after a kill can find it.
    Raises NotWritable for a write-protected file, and OSError as the file system does.
    """
    target = _resolved(path)
    if is_stream(target):
        with _open_stream(target) as stream:
            yield stream
        return
    temporary = _beside(target, owner)
    try:
        with temporary.open("xb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        _take_place(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def is_part(name: str, owner: str) -> bool:
    """Whether a file of that name is a temporary one of `atomic_file` with this owner."""
    return name.startswith(f".u2net-{owner}") and name.endswith(PART_SUFFIX)


@contextlib.contextmanager
def atomic_files(*paths: Path) -> Iterator[list[Path]]:
    """For results that other libraries write: names in a temporary folder beside `paths`, which lie in one folder.

    When the block ends well, what was written under them, files or folders, takes the places of `paths`, one after the
    other; else everything is as it was. What a path is stays, as for `atomic_file`.
    Raises NotWritable for a write-protected file, and OSError as the file system does.
    """
    names = [path.name for path in paths]
    paths = tuple(map(_resolved, paths))
    folder = Path(tempfile.gettempdir(), _beside(paths[0]).name) if is_stream(paths[0]) else _beside(paths[0])
    try:
        folder.mkdir()  # within: a signal may come right after it
        made = [folder / name for name in names]
        yield made
        with contextlib.ExitStack() as undo:
            for fresh, path in zip(made, paths, strict=True):
                if is_stream(path):
                    with _open_stream(path) as stream, fresh.open("rb") as source:
                        shutil.copyfileobj(source, stream)
                    continue
                if path.is_dir() or (path != paths[-1] and os.path.lexists(path)):  # else replacing is atomic
                    old = folder / f"{path.name}.old"
                    path.rename(old)
                    undo.callback(old.rename, path)
                _take_place(fresh, path)
                if path != paths[-1]:
                    undo.callback(path.rename, fresh)
            undo.pop_all()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _beside(path: Path, owner: str = "") -> Path:
    """A temporary name in the folder of `path`, short and hidden: names at the length limit of its disk still work."""
    return path.parent / f".u2net-{owner}{secrets.token_hex(6)}{PART_SUFFIX}"


def _take_place(made: Path, path: Path) -> None:
    """Give what was made its name: here, and nowhere else, a result meets what lay there before."""
    with contextlib.suppress(OSError):
        if made.is_file():
            made.chmod(stat.S_IMODE(path.stat().st_mode))
    made.replace(path)


def _resolved(path: Path) -> Path:
    """Where a result goes, through links. Raises NotWritable."""
    target = Path(os.path.realpath(path))
    try:
        status = target.stat()
    except OSError:  # not there yet, or writing will say what is wrong
        return target if os.path.islink(path) else path  # noqa: PTH114  Path.is_symlink raises on a long name
    protected = not status.st_mode & 0o222 or not os.access(target, os.W_OK)  # root may write everything
    if protected and not stat.S_ISDIR(status.st_mode):
        raise NotWritable(f"{path}: is write-protected and stays as it is; give another name, or make it writable")
    return target


def is_stream(path: Path) -> bool:
    """Whether a name stands for what is written into and cannot be replaced: a device, a pipe, our own output."""
    try:
        status = path.stat()
    except OSError:
        return False
    if stat.S_ISDIR(status.st_mode):
        return False
    return not stat.S_ISREG(status.st_mode) or _own_output(status) is not None


def is_standard_output(path: Path) -> bool:
    """Whether a name, such as /dev/stdout, stands for where our standard output goes."""
    try:
        return _own_output(path.stat(), sys.__stdout__) is not None
    except OSError:
        return False


def _own_output(status: os.stat_result, *streams: TextIO | None) -> int | None:
    """The descriptor of one of our streams, standard output and error where none is named, if a file is that stream."""
    for stream in streams or (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError):  # closed, or no file
            if stream and os.path.samestat(status, os.fstat(stream.fileno())):
                return stream.fileno()
    return None


@contextlib.contextmanager
def _open_stream(path: Path) -> Iterator[BinaryIO]:
    own = _own_output(path.stat())
    with path.open("wb") if own is None else os.fdopen(os.dup(own), "wb") as stream:
        yield stream


def write_bytes(path: Path, data: bytes, *, owner: str = "") -> None:
    """Write a file whole or not at all; owner: as for `atomic_file`. Raises CannotWrite."""
    with writing(f"{path}:"), atomic_file(path, owner=owner) as stream:
        stream.write(data)


@contextlib.contextmanager
def writing(what: str, *, over: Path | None = None) -> Iterator[None]:
    """Raise CannotWrite where the block raises OSError: `what` cannot be written, and why.

    over: the file that would have been replaced; where there is one, the message adds that it is as it was.
    """
    try:
        yield
    except OSError as error:
        kept = "; the one that lay there is as it was" if over and os.path.lexists(over) else ""
        raise CannotWrite(f"{what} cannot be written: {error.strerror or error}{kept}") from error


def check_target(target: Path, *, beside: bool) -> None:
    """Say before the work, not after it, that a result cannot be written: its name is too long, its folder read-only.

    beside: whether it would lie beside its input because there was no -o.
    Raises CannotWrite, and NotWritable where a write-protected file lies there.
    """
    resolved = _resolved(target)
    if is_stream(resolved):
        return
    try:
        os.lstat(target)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            advice = "give another name or folder with -o" if beside else "rename the input, or give -o another name"
            raise CannotWrite(f"{target}: cannot be written: the name is too long; {advice}") from error
    folder = next((parent for parent in resolved.parents if os.path.isdir(parent)), None)
    if folder and not os.access(folder, os.W_OK | os.X_OK):
        advice = "give a folder with -o" if beside else "give another folder with -o"
        raise CannotWrite(f"{target}: cannot be written: the folder {folder} is read-only to you; {advice}")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing. Raises CannotWrite."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{folder}: the folder cannot be made: {error.strerror or error}") from error
