"""Where a picture comes from: a path, bytes, text that holds one, or a file object becomes one stream to read."""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import os
import re
import stat
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from u2net.errors import BadInput, UnreadablePicture

_ADDRESS = re.compile(r"\s*https?:/", re.IGNORECASE)
_DATA_URL = re.compile(r"\s*data:([^,]*),", re.IGNORECASE)
# How base64 of a JPEG, PNG, GIF, WebP, TIFF, BMP, AVIF or HEIC begins. The shortest pictures have some 40 bytes.
_BASE64_START = re.compile(r"\s*(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK|Qk[0-3]|AAAA)[\w+/=\s-]{40}", re.ASCII)
_LONGEST_PATH = 4096
_MOST_SHOWN = 100
"""Characters of an address, or of a text that no path can be, that an error repeats."""


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

    source: as for `read`; a string is a path, a data URL, or base64 of a picture (see `is_inline`).
    Regular files are read as far as needed; pipes, devices and file objects, which can be read only once, are held in
    memory, up to a byte more than `max_bytes`.
    Raises UnreadablePicture where there is no such file or it cannot be read, or a file object is at its end; BadInput
    for a file object of text, an address of the web, and text that is no base64.

    >>> from u2net.video import open_animation, open_source
    >>> with open_source("examples/cat.png", 10_000_000) as opened:
    ...     print(open_animation(opened))
    None
    """
    if isinstance(source, str) and is_inline(source):
        data = _decoded(source)
    elif isinstance(source, (str, os.PathLike)):
        with _open_file(os.fspath(source), max_bytes) as opened:
            yield opened
        return
    elif isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    else:
        data = _rest_of(source, max_bytes)
    yield Opened(io.BytesIO(data), len(data), "the picture")


def is_inline(text: str) -> bool:
    """Whether a text holds a picture itself, and is no path: a data URL, or base64 of a common format."""
    inline = _DATA_URL.match(text) or _BASE64_START.match(text)
    return bool(inline) and not os.path.exists(text)  # pathlib's raises for a name that is too long


def _decoded(text: str) -> bytes:
    """The bytes that a data URL or base64 stands for; both alphabets, with or without padding and line breaks."""
    url = _DATA_URL.match(text)
    body = text[url.end() :] if url else text
    if url and not url[1].lower().rstrip().endswith(";base64"):
        return urllib.parse.unquote_to_bytes(body)
    letters = "".join(urllib.parse.unquote(body).split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except binascii.Error as error:
        raise BadInput(f"the picture's text is damaged base64 ({error}); give the picture's bytes or a path") from error


def _rest_of(stream: IO[bytes], max_bytes: int) -> bytes:
    data = stream.read(max_bytes + 1)
    if not isinstance(data, bytes):
        raise BadInput("the file object gives text; open it in binary mode: open(path, 'rb')")
    if not data and _position(stream) > 0:
        raise UnreadablePicture("the file object is at its end, so nothing is left to read; call its seek(0) first")
    return data


def _position(stream: IO[bytes]) -> int:
    """0 where a stream has none."""
    try:
        return stream.tell()
    except (OSError, AttributeError):
        return 0


@contextlib.contextmanager
def _open_file(name: str, max_bytes: int) -> Iterator[Opened]:
    path = Path(name)
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
    except (OSError, ValueError) as error:
        if isinstance(error, BadInput):  # our own errors pass through
            raise
        raise _unreadable(name, error) from error
    with stream:
        yield Opened(stream, size_bytes, str(path))


def _unreadable(name: str, error: OSError | ValueError) -> BadInput:
    if _ADDRESS.match(name):
        shown = " ".join(name.split())
        shown = shown if len(shown) <= _MOST_SHOWN else f"{shown[: _MOST_SHOWN - 1]}…"
        return BadInput(f"{shown}: u2net fetches no pictures; download it, and give the file or its bytes")
    path = str(Path(name))
    if len(path) > _LONGEST_PATH:
        path = f"{path[:_MOST_SHOWN]}… ({len(path)} characters)"
    if isinstance(error, FileNotFoundError):
        return UnreadablePicture(f"{path}: there is no such file")
    if isinstance(error, OSError):
        return UnreadablePicture(f"{path}: cannot be read: {error.strerror or error}")
    return UnreadablePicture(f"{path!r}: is not a file name: {error}")  # a null byte in it
