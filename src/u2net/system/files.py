"""Files appear whole or not at all; whether a result can be written; the hash of what a file holds."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from u2net.errors import CannotWrite

PART_SUFFIX = ".part"
_CHUNK_BYTES = 1 << 20


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = False, owner: str = "") -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; when the block ends well it takes the place of `path`, else it is deleted.

    durable: even a power cut leaves the old or the new file; that costs milliseconds, or the time of a slow disk.
    owner: what the temporary name begins with (see `is_part`), so that whoever comes after a kill can find it.
    The temporary name is short and hidden, so that names at the file system's length limit still work.
    Raises OSError as the file system does.
    """
    temporary = path.parent / f".u2net-{owner}{secrets.token_hex(6)}{PART_SUFFIX}"
    try:
        with temporary.open("xb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
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
    folder = paths[0].parent / f".u2net-{secrets.token_hex(6)}{PART_SUFFIX}"
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
                fresh.replace(path)
                if path != paths[-1]:
                    undo.callback(path.rename, fresh)
            undo.pop_all()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_bytes(path: Path, data: bytes, *, owner: str = "") -> None:
    """Write a file whole or not at all; owner: as for `atomic_file`. Raises CannotWrite."""
    try:
        with atomic_file(path, owner=owner) as stream:
            stream.write(data)
    except OSError as error:
        raise CannotWrite(f"{path}: cannot be written: {error.strerror or error}") from error


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


class Digest(Protocol):
    """What `hashlib` makes."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def hex_of(digest: Digest, *files: Path) -> str:
    """The digest of what the files hold, one after the other, in hexadecimal. Raises OSError."""
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()
