"""The hash of files, read piece by piece: `hashlib.file_digest` came with Python 3.11."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

_CHUNK_BYTES = 1 << 20


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
