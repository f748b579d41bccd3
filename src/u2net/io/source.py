"""Where a picture comes from: a path, bytes or a file object becomes one stream to read."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from u2net.errors import BadInput, UnreadablePicture


@dataclass(frozen=True, eq=False)
class Opened:
    """A source that is open. stream: can seek. size_bytes: of all of it, as far as it may be read. name: for errors."""

    stream: BinaryIO
    size_bytes: int
    name: str


@contextlib.contextmanager
def open_source(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes], max_bytes: int
) -> Iterator[Opened]:
    """Open a source once, so that what it holds can be looked at and then decoded.

    Regular files are read as far as needed; pipes, devices and file objects, which can be read only once, are held in
    memory, up to a byte more than `max_bytes`.
    Raises UnreadablePicture where there is no such file or it cannot be read, BadInput for a file object of text.
    """
    if isinstance(source, (str, os.PathLike)):
        with _open_file(Path(source), max_bytes) as opened:
            yield opened
        return
    data = bytes(source) if isinstance(source, (bytes, bytearray, memoryview)) else source.read(max_bytes + 1)
    if not isinstance(data, bytes):
        raise BadInput("the file object gives text; open it in binary mode: open(path, 'rb')")
    yield Opened(io.BytesIO(data), len(data), "the picture")


@contextlib.contextmanager
def _open_file(path: Path, max_bytes: int) -> Iterator[Opened]:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadablePicture(f"{path}: is a folder; name a picture in it, or give the folder to `u2net remove`")
        stream: BinaryIO = path.open("rb")
        size_bytes = status.st_size
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device has no size, and can be read only once
            with stream:
                data = stream.read(max_bytes + 1)
            stream, size_bytes = io.BytesIO(data), len(data)
    except FileNotFoundError as error:
        raise UnreadablePicture(f"{path}: there is no such file") from error
    except OSError as error:
        raise UnreadablePicture(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a null byte in the name; our own errors pass through
        if isinstance(error, BadInput):
            raise
        raise UnreadablePicture(f"{str(path)!r}: is not a file name: {error}") from error
    with stream:
        yield Opened(stream, size_bytes, str(path))
