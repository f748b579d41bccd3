"""Animated WebP: read through libwebp's own decoder, which gives full frames, and written frame by frame.

Format: RFC 9649, WebP Image Format: ANIM and ANMF chunks.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from u2net.io.frames import MAX_FRAMES
from u2net.types import Box, Size

_ANIMATION, _XMP, _EXIF, _ALPHA, _ICC = 0x02, 0x04, 0x08, 0x10, 0x20
_REPLACE, _CLEAR = 0x02, 0x01
_MAX_CHUNKS = 2_000_000
_MOST_MS = (1 << 24) - 1
_OF_PIXELS = (b"ALPH", b"VP8 ", b"VP8L")


def is_animated(prefix: bytes) -> bool:
    """Whether a file with these first 32 bytes is an animated WebP."""
    return prefix[:4] == b"RIFF" and prefix[8:16] == b"WEBPVP8X" and bool(prefix[20] & _ANIMATION)


def parse(stream: BinaryIO) -> tuple[Size, int, int]:
    """The canvas (H, W), how often it is shown (0 for ever), and the number of frames, of an animated WebP.

    At most MAX_FRAMES + 1 frames are counted. What is wrong with them their decoder says.
    """
    stream.seek(24)
    sides = stream.read(6)
    width, height = (int.from_bytes(side, "little") + 1 for side in (sides[:3], sides[3:]))
    plays, count, at = 0, 0, 30
    for _ in range(_MAX_CHUNKS):
        stream.seek(at)
        start = stream.read(14)
        if len(start) < 8 or count > MAX_FRAMES:
            break
        kind, length = struct.unpack_from("<4sI", start)
        if kind == b"ANIM" and len(start) == 14:
            (plays,) = struct.unpack_from("<H", start, 12)
        count += kind == b"ANMF"
        at += 8 + length + (length & 1)
    return (height, width), plays, count


def frame(pixels: NDArray[np.uint8], box: Box, options: dict[str, object]) -> bytes:
    """The packed pixels of one frame: the part of (H, W, 4) RGBA in a box. options: Pillow's, of a still WebP."""
    left, top, right, bottom = box
    buffer = io.BytesIO()
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    Image.fromarray(part[..., :3] if part[..., 3].min() == 255 else part).save(buffer, "WEBP", **options)
    return b"".join(_chunk(kind, data) for kind, data in _chunks(buffer.getvalue()) if kind in _OF_PIXELS)


def assemble(
    frames: Sequence[tuple[bytes, Box, int]],
    size: tuple[int, int],
    *,
    plays: int,
    clear: bool,
    icc: bytes | None,
    exif: bytes | None,
    xmp: bytes | None,
) -> Iterator[bytes]:
    """The pieces of the file. frames: what `frame` gave, its box (left and top even), and its time in milliseconds.

    size: (H, W). plays: how often it is shown, 0 for ever. clear: a frame's place is cleared before the next one.
    """
    flags = _ANIMATION | _ALPHA | _ICC * bool(icc) | _EXIF * bool(exif) | _XMP * bool(xmp)
    pieces = [_chunk(b"VP8X", struct.pack("<I", flags) + _three(size[1] - 1) + _three(size[0] - 1))]
    if icc:
        pieces.append(_chunk(b"ICCP", icc))
    pieces.append(_chunk(b"ANIM", struct.pack("<IH", 0, min(plays, 0xFFFF))))
    for packed, (left, top, right, bottom), duration_ms in frames:
        sides = (left // 2, top // 2, right - left - 1, bottom - top - 1, min(duration_ms, _MOST_MS))
        pieces.append(_chunk(b"ANMF", b"".join(map(_three, sides)), bytes([_REPLACE | _CLEAR * clear]), packed))
    if exif:
        pieces.append(_chunk(b"EXIF", exif.removeprefix(b"Exif\0\0")))
    if xmp:
        pieces.append(_chunk(b"XMP ", xmp))
    yield b"RIFF" + struct.pack("<I", 4 + sum(map(len, pieces))) + b"WEBP"
    yield from pieces


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)


def _chunk(kind: bytes, *data: bytes) -> bytes:
    length = sum(map(len, data))
    return b"".join([kind, struct.pack("<I", length), *data, bytes(length & 1)])


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
