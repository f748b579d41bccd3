"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PART_SUFFIX = ".part"


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; when the block ends well it takes the place of `path`, else it is deleted.

    The temporary name is short and hidden, so that names at the file system's length limit still work.
    Raises OSError as the file system does.
    """
    temporary = path.parent / f".u2net-{secrets.token_hex(6)}{PART_SUFFIX}"
    try:
        with temporary.open("xb") as stream:
            yield stream
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
