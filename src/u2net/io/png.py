"""PNG: our own writer, which compresses strips of rows on all cores, and the reading of 16-bit files.

Every strip is filtered and deflated by itself, so time is shared between the cores and memory stays at the size of the
result; OpenCV's and Pillow's writers use one core and a copy of the picture.
Format: Portable Network Graphics, third edition (W3C, 2025); deflate is zlib's.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.imaging.samples import first_channels

Compress: TypeAlias = Literal["fast", "balanced", "small"]
_Bytes: TypeAlias = NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# A strip stays in a core's cache. Run lengths lose nothing at its borders; matches that reach back 32 KB lose .1 %.
_STRIP_BYTES = {"fast": 1 << 18, "balanced": 1 << 20, "small": 1 << 20}
_COLOR_TYPE = {1: 0, 3: 2, 4: 6}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_AVERAGE = 3

# zlib's (level, strategy), tried in turn on every strip; the shortest is kept.
_SETTINGS = {
    "fast": [(1, zlib.Z_RLE)],
    "balanced": [(4, zlib.Z_FILTERED)],
    "small": [(1, zlib.Z_RLE), (6, zlib.Z_FILTERED), (8, zlib.Z_DEFAULT_STRATEGY)],
}


def encode_png(
    pixels: NDArray[np.uint8 | np.uint16],
    compress: Compress,
    *,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
) -> bytes:
    """The bytes of a PNG file.

    pixels: (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, which give 8 and 16 bits a sample.
    """
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    bits = pixels.dtype.itemsize * 8
    parts = [
        SIGNATURE,
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _COLOR_TYPE[channels], 0, 0, 0)),
    ]
    if icc:
        parts.append(_chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc)))
    if dpi:
        per_metre = [round(value / 0.0254) for value in dpi]
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if exif:
        parts.append(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp:
        parts.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    parts += _image_data(pixels.reshape(height, -1), pixels.dtype.itemsize * channels, compress)
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def is_sixteen_bit(prefix: bytes) -> bool:
    """Whether the first 32 bytes of a file are those of a PNG with 16 bits a sample."""
    return prefix.startswith(SIGNATURE) and prefix[24:25] == b"\x10"


def grey_bits(prefix: bytes) -> int | None:
    """2 or 4 for a grey PNG of so many bits a sample, by the first 32 bytes of the file; else None."""
    bits, color_type = prefix[24:26].ljust(2, b"\0")
    return bits if prefix.startswith(SIGNATURE) and color_type == 0 and bits in (2, 4) else None


def size_of(prefix: bytes) -> tuple[int, int, int]:
    """(height, width, channels of the decoded picture: grey becomes RGB) by the first 32 bytes. Raises LookupError."""
    width, height = struct.unpack_from(">II", prefix, 16)
    return height, width, 3 + (_CHANNELS[prefix[25]] in (2, 4))


def without_pixels(stream: BinaryIO) -> bytes:
    """The same PNG file with one black pixel: what it carries can be read without decoding what it shows.

    Raises ValueError where chunks are missing or cut off.
    """
    parts = [stream.read(len(SIGNATURE))]
    data = pixel_bytes = 0
    while True:
        start = stream.read(8)
        length, kind = struct.unpack(">I4s", start) if len(start) == 8 else (0, b"")
        if kind == b"IDAT":
            data = stream.seek(length + 4, io.SEEK_CUR)
            continue
        body = stream.read(length + 4)
        if len(body) < 4 or len(body) < length + 4 or (kind == b"IEND" and not (data and pixel_bytes)):
            raise ValueError("the file ends too early")
        if kind == b"IHDR":
            pixel_bytes = 2 * _CHANNELS[body[9]]
            start, body = b"", _chunk(kind, struct.pack(">II", 1, 1) + body[8:12] + b"\0")
        if kind == b"IEND":
            return b"".join([*parts, _chunk(b"IDAT", zlib.compress(bytes(1 + pixel_bytes))), start, body])
        parts += [start, body]


def decode_sixteen_bit(data: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """(H, W) grey or (H, W, 3) RGB, and (H, W) alpha or None; uint16. Grey with alpha gives RGB. Raises ValueError.

    Through OpenCV: Pillow opens 16-bit color as 8-bit. It gives nothing where a checksum or a single row is wrong.
    """
    decoded: NDArray[np.uint16] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise ValueError("its pixels cannot be decoded")
    if decoded.ndim == 2:
        return decoded, None
    if decoded.shape[2] == 3:
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded), None
    alpha = cv2.extractChannel(decoded, 3)
    return first_channels(cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGBA, dst=decoded), 3), alpha


def _chunk(kind: bytes, *data: bytes) -> bytes:
    checksum = zlib.crc32(kind)
    for part in data:
        checksum = zlib.crc32(part, checksum)
    return b"".join([struct.pack(">I", sum(map(len, data))), kind, *data, struct.pack(">I", checksum)])


def _image_data(rows: NDArray[np.uint8 | np.uint16], pixel_bytes: int, compress: Compress) -> list[bytes]:
    """The IDAT chunks of (H, W * channels) samples, one a strip; together they are one zlib stream."""
    height = rows.shape[0]
    step = max(1, _STRIP_BYTES[compress] // (rows.shape[1] * rows.dtype.itemsize))
    tops = range(0, height, step)

    def strip(top: int) -> tuple[bytes, int, int]:
        bottom = min(top + step, height)
        above = max(top - 1, 0)
        samples = rows[above:bottom]
        if samples.dtype == np.uint16:
            samples = samples.astype(">u2")
        raw = np.ascontiguousarray(samples).view(np.uint8)
        if top == 0:
            raw = np.concatenate([np.zeros_like(raw[:1]), raw])
        filtered = _averaged(raw, pixel_bytes) if compress == "fast" else _best_filtered(raw, pixel_bytes)
        deflated = min(
            (_deflated(filtered, *setting, last=bottom == height) for setting in _SETTINGS[compress]), key=len
        )
        return deflated, zlib.adler32(filtered.data), filtered.size

    workers = min(len(tops), _cores(), 16)
    if workers == 1:
        strips = [strip(top) for top in tops]
    else:
        with ThreadPoolExecutor(workers, "u2net-png") as pool:
            strips = list(pool.map(strip, tops))
    checksum = 1
    for _, part, length in strips:
        checksum = _adler32_joined(checksum, part, length)
    chunks = [_chunk(b"IDAT", deflated) for deflated, _, _ in strips[1:]]
    head = _chunk(b"IDAT", b"\x78\x01", strips[0][0])  # a zlib header: deflate, 32 KB window, no dictionary
    return [head, *chunks, _chunk(b"IDAT", struct.pack(">I", checksum))]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _deflated(data: _Bytes, level: int, strategy: int, *, last: bool) -> bytes:
    """A part of a deflate stream that ends on a whole byte."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return compressor.compress(data.data) + compressor.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


def _averaged(raw: _Bytes, pixel_bytes: int) -> _Bytes:
    """Rows 1… of `raw` with PNG's Average filter, each led by its filter's number."""
    rows, up = raw[1:], raw[:-1]
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _AVERAGE
    left = _left(rows, pixel_bytes)
    np.subtract(rows, (left & up) + ((left ^ up) >> 1), out=filtered[:, 1:])
    return filtered


def _best_filtered(raw: _Bytes, pixel_bytes: int) -> _Bytes:
    """Rows 1… of `raw`, each with the filter whose result has the least sum of absolute values."""
    rows, up = raw[1:], raw[:-1]
    left, corner = _left(rows, pixel_bytes), _left(up, pixel_bytes)
    average = (left & up) + ((left ^ up) >> 1)
    predictions = (np.zeros_like(up[:1]), left, up, average, _paeth(left, up, corner))
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    least = np.full(rows.shape[0], np.iinfo(np.int64).max)
    for number, prediction in enumerate(predictions):
        candidate = rows - prediction
        cost = np.minimum(candidate, np.negative(candidate)).sum(axis=1, dtype=np.int64)  # |value| of a signed byte
        better = cost < least
        least[better] = cost[better]
        filtered[better, 0] = number
        filtered[better, 1:] = candidate[better]
    return filtered


def _left(rows: _Bytes, pixel_bytes: int) -> _Bytes:
    """The same byte of the pixel to the left; 0 beyond the border."""
    left = np.zeros_like(rows)
    left[:, pixel_bytes:] = rows[:, :-pixel_bytes]
    return left


def _paeth(left: _Bytes, up: _Bytes, corner: _Bytes) -> _Bytes:
    """Whichever neighbour is nearest to left + up - corner; left before up before corner where equal."""
    a, b, c = (values.astype(np.int16) for values in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    best = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, best)


def _adler32_joined(first: int, second: int, second_length: int) -> int:
    """The Adler-32 of two pieces in a row, from the checksum of each."""
    prime = 65521
    a = ((first & 0xFFFF) + (second & 0xFFFF) - 1) % prime
    b = ((first >> 16) + (second >> 16) + second_length * ((first & 0xFFFF) - 1)) % prime
    return b << 16 | a
