"""Hashes, in hexadecimal: of bytes and texts, of files, of what is in several parts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeAlias

_CHUNK_BYTES = 1 << 20

Part: TypeAlias = str | bytes | memoryview
"""A text counts as its UTF-8; of names that are none, as the bytes that they are."""


def digest_of(*parts: Part, algorithm: str = "sha256", **options: int) -> str:
    """The digest of the parts, one after the other. options: what the algorithm has, such as `digest_size`."""
    digest = _new(algorithm, options)
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part)
    return str(digest.hexdigest())


def digest_of_files(*files: Path, algorithm: str = "sha256", **options: int) -> str:
    """The digest of what the files hold, one after the other. Raises OSError."""
    digest = _new(algorithm, options)
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    return str(digest.hexdigest())


def _new(algorithm: str, options: dict[str, int]) -> Any:
    make: Any = hashlib.new  # typeshed does not know that it hands options on
    return make(algorithm, usedforsecurity=False, **options)  # md5 is refused without, where FIPS rules
