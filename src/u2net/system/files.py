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
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from u2net.errors import CannotWrite

PART_SUFFIX = ".part"


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = False, owner: str = "") -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; when the block ends well it takes the place of `path`, else it is deleted.

    durable: even a power cut leaves the old or the new file; that costs milliseconds, or the time of a slow disk.
    owner: what the temporary name begins with (see `is_part`), so that whoever comes after a kill can find it.
    Raises OSError as the file system does.
    """
    temporary = _beside(path, owner)
    try:
        with temporary.open("xb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        _take_place(temporary, path)
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
    other; else everything is as it was. Raises OSError as the file system does.
    """
    folder = _beside(paths[0])
    try:
        folder.mkdir()  # within: a signal may come right after it
        made = [folder / path.name for path in paths]
        yield made
        with contextlib.ExitStack() as undo:
            for fresh, path in zip(made, paths, strict=True):
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
    made.replace(path)


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
    """Make a folder and those above it, where they are missing. Raises CannotWrite."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{folder}: the folder cannot be made: {error.strerror or error}") from error
