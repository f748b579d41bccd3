"""Standard output and error, which take every file name."""

from __future__ import annotations

import codecs
import io
import sys


def print_every_name() -> None:
    """Let no file name stop the printing: bytes that are no text come out as they are, what else the encoding lacks
    as \\u65e5. An ASCII terminal or pipe (LC_ALL=C) gets UTF-8, which is what file names are nearly everywhere.
    """
    codecs.register_error("u2net", _as_it_is)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if ascii_only else None, errors="u2net")


def _as_it_is(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.lookup_error("backslashreplace")(error)
