"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PART_SUFFIX = ".part"


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
