"""JPEG: what a file costs whoever decodes it, looked up before that is done.

A progressive file comes in scans, each of which goes over the whole picture and may be a few bytes long: a file of
100 KB can keep a decoder busy for hours. And all coefficients lie in memory until the last scan.
Source: ITU-T T.81, annex B (markers and segments) and G (progressive).
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

SIGNATURE = b"\xff\xd8\xff"

# Not a stuffed byte, a restart or padding.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
_BLOCK_BYTES = 1 << 16
_BODY_BYTES = 24


@dataclass(frozen=True)
class Cost:
    """scans: how often a decoder goes over the picture. coefficient_bytes: what it keeps meanwhile, a pixel."""

    scans: int
    coefficient_bytes: float


def cost_of(stream: BinaryIO) -> Cost:
    """The cost of the first picture in a JPEG file."""
    scans, components, coefficients = 0, 0, 0.0
    several = False
    for marker, body in _segments(stream):
        if marker == _END:
            break
        if marker in _FRAMES and len(body) > 7:
            components = body[7]
            factors = [(byte >> 4) * (byte & 15) for byte in body[9 : 9 + 3 * components : 3]]
            coefficients = sum(factors) / max(factors, default=1) if any(factors) else components
            several = marker & 3 == 2  # progressive
        elif marker == _SCAN:
            scans += 1
            several = several or body[2:3] != bytes([components])
            if not several:
                break
    return Cost(scans, 2 * coefficients if several else 0)


def _segments(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Every marker, and the beginning of its segment: length, then data. A scan's data are passed over."""
    stream.seek(2)
    buffer, position, ended = b"", 0, False
    while True:
        found = _MARKER.search(buffer, position)
        if not ended and (found is None or found.end() + _BODY_BYTES > len(buffer)):
            block = stream.read(_BLOCK_BYTES)
            buffer, position = buffer[found.start() if found else max(position, len(buffer) - 1) :] + block, 0
            ended = not block
            continue
        if found is None:
            return
        body = buffer[found.end() : found.end() + _BODY_BYTES]
        yield found[1][0], body
        position = found.end() + (struct.unpack_from(">H", body)[0] if len(body) > 1 else 0)
        if position > len(buffer):
            stream.seek(position - len(buffer), io.SEEK_CUR)
            buffer, position = b"", 0
