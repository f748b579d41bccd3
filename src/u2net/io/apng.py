"""APNG: its frames read one by one, and written.

Format: Portable Network Graphics, third edition (W3C, 2025): acTL, fcTL, fdAT. The picture that other readers show is a
frame only where an fcTL stands before it.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.imaging.samples import to_eight_bits
from u2net.io.frames import MAX_FRAMES, Disposal, Part, Parts
from u2net.io.png import SIGNATURE, Compress, encode_png
from u2net.io.read import read
from u2net.types import Box

_DISPOSAL: dict[int, Disposal] = {0: "none", 1: "background", 2: "previous"}
_CLEAR, _REPLACE = 1, 0
# What changes how the pixels of a frame are read.
_OF_PIXELS = (b"PLTE", b"tRNS", b"iCCP", b"sBIT")
_OF_FRAMES = (b"acTL", b"fcTL", b"IDAT", b"fdAT")
_MAX_CHUNKS = 2_000_000
_MOST = 0xFFFF


def is_animated(stream: BinaryIO) -> bool:
    """Whether a PNG file says, before its first pixels, that it is animated."""
    return next((kind == b"acTL" for kind, _, _ in _chunks(stream) if kind in (b"acTL", b"IDAT", b"IEND")), False)


def parse(stream: BinaryIO) -> Parts:
    """Find the frames of an animated PNG. Raises ValueError where its header is cut off."""
    head: list[bytes] = []
    size, plays = (0, 0), 0
    frames: list[tuple[bytes, list[tuple[int, int]]]] = []
    pixels_seen = ended = False
    for kind, start, length in _chunks(stream):
        if kind == b"IHDR":
            head.append(_read(stream, start, 13))
            size = struct.unpack(">II", head[0][:8])[::-1]
        elif kind in _OF_PIXELS and not pixels_seen:
            head.append(_chunk(kind, _read(stream, start, length)))
        elif kind == b"acTL" and length >= 8:
            plays = struct.unpack(">I", _read(stream, start, 8)[4:])[0]
        elif kind == b"fcTL" and length >= 26:
            if len(frames) > MAX_FRAMES:
                break
            frames.append((_read(stream, start, 26), []))
        elif kind == b"IDAT":
            pixels_seen = True
            if frames:  # else it is a picture for readers that do not know animations
                frames[-1][1].append((start, length))
        elif kind == b"fdAT" and frames and length >= 4:
            frames[-1][1].append((start + 4, length - 4))
        elif kind == b"IEND":
            ended = True
    damage = "" if ended or len(frames) > MAX_FRAMES else "it ends too early"
    parts = tuple(
        _part(stream, head, control, data, first=number == 0, size=size)
        for number, (control, data) in enumerate(frames)
    )
    return Parts(size, plays, parts, damage)


def without_frames(stream: BinaryIO) -> bytes:
    """A still PNG of one pixel that carries what an animated one carries beside its frames."""
    pieces = [SIGNATURE]
    for kind, start, length in _chunks(stream):
        data = b"" if kind in _OF_FRAMES else _read(stream, start, length)
        if kind == b"IHDR":
            pieces.append(_chunk(kind, struct.pack(">II", 1, 1) + data[8:12] + b"\0"))
        elif kind == b"IEND":
            break
        elif kind not in _OF_FRAMES:
            pieces.append(_chunk(kind, data))
    return b"".join([*pieces, _chunk(b"IDAT", zlib.compress(bytes(16))), _chunk(b"IEND")])


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its data begin, their length) of each chunk, up to IEND or where the file ends."""
    at = stream.seek(len(SIGNATURE))
    for _ in range(_MAX_CHUNKS):
        stream.seek(at)
        start = stream.read(8)
        if len(start) < 8:
            return
        length, kind = struct.unpack(">I4s", start)
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += length + 12


def _read(stream: BinaryIO, start: int, length: int) -> bytes:
    stream.seek(start)
    data = stream.read(length)
    if len(data) < length:
        raise ValueError("it ends too early")
    return data


def _part(
    stream: BinaryIO,
    head: Sequence[bytes],
    control: bytes,
    data: Sequence[tuple[int, int]],
    *,
    first: bool,
    size: tuple[int, int],
) -> Part:
    width, height, left, top, above, below, dispose, blend = struct.unpack_from(">IIIIHHBB", control, 4)
    disposal = _DISPOSAL.get(dispose, "none")
    if first and disposal == "previous":  # there is no previous one
        disposal = "background"

    def decode() -> NDArray[np.uint8]:
        if left + width > size[1] or top + height > size[0] or not data:
            raise ValueError("it lies outside of the picture" if data else "it has no pixels")
        return _decoded(stream, head, (width, height), data)

    return Part(left, top, (height, width), 1000 * above / (below or 100), disposal, blend == 1, decode)


def _decoded(
    stream: BinaryIO, head: Sequence[bytes], size: tuple[int, int], data: Sequence[tuple[int, int]]
) -> NDArray[np.uint8]:
    """(h, w, 4) RGBA of one frame, read as a PNG of this frame alone. size: (w, h)."""
    header = _chunk(b"IHDR", struct.pack(">II", *size) + head[0][8:])
    packed = b"".join(_read(stream, start, length) for start, length in data)
    alone = b"".join([SIGNATURE, header, *head[1:], _chunk(b"IDAT", packed), _chunk(b"IEND")])
    picture = read(alone)
    colors = to_eight_bits(picture.pixels)
    if picture.alpha is None:
        return np.asarray(cv2.cvtColor(colors, cv2.COLOR_RGB2RGBA))
    return np.dstack([colors, to_eight_bits(picture.alpha)])


def frame(pixels: NDArray[np.uint8], box: Box, compress: Compress) -> list[bytes]:
    """The packed pixels of one frame: the part of (H, W, 4) RGBA in a box."""
    left, top, right, bottom = box
    encoded = io.BytesIO(encode_png(np.ascontiguousarray(pixels[top:bottom, left:right]), compress))
    return [_read(encoded, start, length) for kind, start, length in _chunks(encoded) if kind == b"IDAT"]


def assemble(
    frames: Sequence[tuple[list[bytes], Box, float]], size: tuple[int, int], *, plays: int, head: bytes, clear: bool
) -> Iterator[bytes]:
    """The pieces of the file. frames: what `frame` gave, its box, and its time in milliseconds; the first box is whole.

    size: (H, W). plays: how often it is shown, 0 for ever. head: a PNG file of 8-bit RGBA with what is to be kept.
    clear: a frame's place is cleared before the next one.
    """
    yield SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], 8, 6, 0, 0, 0))
    stream = io.BytesIO(head)
    for kind, start, length in _chunks(stream):
        if kind not in (b"IHDR", b"IDAT", b"IEND"):
            yield _chunk(kind, _read(stream, start, length))
    yield _chunk(b"acTL", struct.pack(">II", len(frames), min(plays, 0x7FFFFFFF)))
    number = 0
    for packed, (left, top, right, bottom), duration_ms in frames:
        first = number == 0
        place = (number, right - left, bottom - top, left, top)
        yield _chunk(b"fcTL", struct.pack(">5I2H2B", *place, *_delay(duration_ms), _CLEAR * clear, _REPLACE))
        number += 1
        for data in packed:
            if first:
                yield _chunk(b"IDAT", data)
            else:
                yield _chunk(b"fdAT", struct.pack(">I", number), data)
                number += 1
    yield _chunk(b"IEND")


def _delay(duration_ms: float) -> tuple[int, int]:
    """Seconds as a fraction of two 16-bit numbers."""
    seconds = Fraction(min(duration_ms / 1000, _MOST))
    for most in (1000, 100, 10, 1):
        fraction = seconds.limit_denominator(most)
        if fraction.numerator <= _MOST:
            break
    return fraction.numerator, fraction.denominator


def _chunk(kind: bytes, *data: bytes) -> bytes:
    checksum = zlib.crc32(kind)
    for part in data:
        checksum = zlib.crc32(part, checksum)
    return b"".join([struct.pack(">I", sum(map(len, data))), kind, *data, struct.pack(">I", checksum)])
