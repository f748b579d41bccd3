"""GIF: its frames read one by one, and written. Pillow packs and unpacks the pixels; what lies around them is ours.

Format: GIF89a specification (CompuServe, 1990); NETSCAPE2.0 loop extension. Frames are composed as browsers do it:
cleared means transparent, and not the screen's background color.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from u2net.io.frames import MAX_FRAMES, Disposal, Part, Parts
from u2net.types import Box

COLORS = 255
"""The number after the last one stands for transparent."""

_TRAINED_ON = 1 << 15
"""Evenly spread pixels the palette is made of; all of half a frame take 20 times as long and err .4 of 255 less."""


def paletted(colors: NDArray[np.uint8], opaque: NDArray[np.bool_] | None) -> tuple[NDArray[np.uint8], bytes]:
    """Reduce the colors of a picture.

    colors: (H, W, 3) RGB uint8. opaque: (H, W), or None for all; other pixels get the number 255.
    Returns (H, W) uint8 numbers and the 768 bytes of the palette. Up to 255 different colors are kept exactly; more
    are reduced by median cut, without dithering, whose dots would dance from frame to frame.
    """
    seen = colors.reshape(-1, 3) if opaque is None else colors[opaque]
    numbers, table = _exact(seen) or _reduced(seen)
    if opaque is not None:
        whole = np.full(opaque.shape, COLORS, np.uint8)
        whole[opaque] = numbers
        numbers = whole
    return numbers.reshape(colors.shape[:2]), table.ljust(768, b"\0")


def _exact(seen: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bytes] | None:
    wide = seen.astype(np.uint32)
    packed = wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2]
    there = np.zeros(1 << 24, bool)
    there[packed] = True
    found = np.flatnonzero(there)
    if found.size > COLORS:
        return None
    numbers = np.empty(1 << 24, np.uint8)
    numbers[found] = np.arange(found.size, dtype=np.uint8)
    table = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.uint8)
    return numbers[packed], table.tobytes()


def _reduced(seen: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bytes]:
    """By Pillow; the palette comes from evenly spread pixels where there are very many."""
    sample = seen[:: max(1, len(seen) // _TRAINED_ON)]
    trained = Image.fromarray(np.ascontiguousarray(sample)[None]).quantize(COLORS, Image.Quantize.MEDIANCUT, kmeans=1)
    table = bytes(trained.getpalette() or b"")[: 3 * COLORS]
    if len(sample) == len(seen):
        return np.asarray(trained)[0], table
    image = Image.fromarray(np.ascontiguousarray(seen)[None])
    return np.asarray(image.quantize(palette=trained, dither=Image.Dither.NONE))[0], table


SIGNATURES = (b"GIF87a", b"GIF89a")
OPAQUE_FROM = 128
"""GIF has no half-transparent pixels: from this alpha on, of 255, a pixel is opaque."""

_DISPOSAL: dict[int, Disposal] = {2: "background", 3: "previous", 4: "previous"}  # 4: some old encoders write it for 3
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_MOST_PLAYS = 65_536
# 255 bytes in each are 510 MB; in files made to keep a reader busy they are shorter.
_MAX_BLOCKS = 2_000_000
_GREYS = bytes(level for level in range(256) for _ in range(3))
_IMAGE, _EXTENSION, _END = 0x2C, 0x21, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_CLEAR, _KEEP = 2, 1


class _EndsEarly(ValueError):
    pass


@dataclass(frozen=True)
class _Control:
    """What a graphic control extension says of the frame after it."""

    disposal: int = 0
    delay_cs: int = 0
    transparent: int | None = None


def parse(stream: BinaryIO) -> Parts:
    """Find the frames of a GIF. Raises ValueError where even its header is cut off."""
    reader = _Reader(stream)
    stream.seek(6)
    width, height, flags, _, _ = struct.unpack("<HHBBB", reader.take(7))
    table = reader.take(_table_bytes(flags))
    parts: list[Part] = []
    plays, control, damage = 1, _Control(), ""
    try:
        while len(parts) <= MAX_FRAMES and (kind := reader.kind()) != _END:
            if kind == _EXTENSION:
                (label,) = reader.take(1)
                blocks = reader.blocks() if label in (_CONTROL, _APPLICATION) else reader.skip_blocks()
                if label == _CONTROL and len(blocks[0]) >= 4:
                    control = _control(blocks[0])
                elif label == _APPLICATION and blocks[0] in _LOOPS and len(blocks) > 1 and len(blocks[1]) >= 3:
                    (loops,) = struct.unpack_from("<H", blocks[1], 1)
                    plays = loops + 1 if loops else 0  # it counts repetitions
            elif kind == _IMAGE:
                left, top, columns, rows, flags = struct.unpack("<HHHHB", reader.take(9))
                own = reader.take(_table_bytes(flags)) or table or _GREYS
                if not parts:  # some encoders leave the screen's size at 0; browsers enlarge it to the first frame
                    width, height = max(width, left + columns), max(height, top + rows)
                start = stream.tell()
                try:
                    reader.take(1)
                    reader.skip_blocks()
                finally:  # one that is cut off is a frame all the same: decoding it will say so
                    place = (start, stream.tell())
                    decode = functools.partial(
                        _decoded, stream, place, (columns, rows), flags & 0x40, own, control.transparent
                    )
                    disposal = _DISPOSAL.get(control.disposal, "none")
                    parts.append(Part(left, top, (rows, columns), control.delay_cs * 10.0, disposal, True, decode))
                    control = _Control()
            elif kind:  # zeros between blocks are harmless
                raise _EndsEarly("what follows is no part of a GIF")
    except _EndsEarly as error:
        damage = str(error)
    return Parts((height, width), plays, tuple(parts), damage)


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads a GIF piece by piece. Raises _EndsEarly where the file does not hold what it should."""

    stream: BinaryIO

    def take(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise _EndsEarly("it ends too early")
        return data

    def kind(self) -> int:
        """What comes next; the end where the file ends between two blocks, as some do."""
        data = self.stream.read(1)
        return data[0] if data else _END

    def blocks(self) -> list[bytes]:
        """The next data sub-blocks, at most a few; at least one, which may be empty."""
        found: list[bytes] = []
        while (count := self.take(1)[0]) and len(found) < 16:
            found.append(self.take(count))
        if count:
            self.stream.seek(count, io.SEEK_CUR)
            self.skip_blocks()
        return found or [b""]

    def skip_blocks(self) -> list[bytes]:
        for _ in range(_MAX_BLOCKS):
            count = self.take(1)[0]
            if not count:
                return [b""]
            self.stream.seek(count, io.SEEK_CUR)
        raise _EndsEarly("its data lie in too many pieces")


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _control(block: bytes) -> _Control:
    flags, delay_cs, transparent = struct.unpack_from("<BHB", block)
    return _Control(flags >> 2 & 7, delay_cs, transparent if flags & 1 else None)


def _decoded(
    stream: BinaryIO,
    place: tuple[int, int],
    size: tuple[int, int],
    interlaced: int,
    table: bytes,
    transparent: int | None,
) -> NDArray[np.uint8]:
    """(h, w, 4) RGBA of one frame: Pillow is given a GIF of this frame alone. size: (w, h)."""
    if 0 in size:
        return np.zeros((size[1], size[0], 4), np.uint8)
    stream.seek(place[0])
    data = stream.read(place[1] - place[0])
    header = b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, 0, 0) + _GREYS
    alone = header + b"," + struct.pack("<HHHHB", 0, 0, *size, interlaced) + data + b";"
    image = GifImageFile(io.BytesIO(alone))
    image.load()
    numbers = np.asarray(image.convert("L"))  # with a palette of greys a color is its number
    colors = np.zeros((256, 4), np.uint8)
    colors[: len(table) // 3, :3] = np.frombuffer(table, np.uint8).reshape(-1, 3)
    colors[:, 3] = 255
    if transparent is not None:
        colors[transparent] = 0
    looked_up: NDArray[np.uint8] = colors[numbers]
    return looked_up


def encode_gif(pixels: NDArray[np.uint8]) -> bytes:
    """The bytes of a GIF file of one picture. pixels: (H, W), (H, W, 3) or (H, W, 4), uint8; sRGB, straight alpha."""
    if pixels.ndim == 2:
        pixels = np.dstack([pixels] * 3)
    height, width = pixels.shape[:2]
    frames = [frame(pixels, (0, 0, width, height), 0, clear=False)]
    return b"".join(assemble(frames, (height, width), plays=1))


def frame(pixels: NDArray[np.uint8], box: Box, duration_cs: int, *, clear: bool) -> bytes:
    """One frame: the part of (H, W, 3) or (H, W, 4) pixels in a box, with a palette of its own."""
    left, top, right, bottom = box
    part = pixels[top:bottom, left:right]
    opaque = None if part.shape[2] == 3 else part[..., 3] >= OPAQUE_FROM
    numbers, table = paletted(part[..., :3], opaque)
    image = Image.fromarray(numbers)  # its colors do not matter: only the packed numbers are used
    image.putpalette(_GREYS)
    buffer = io.BytesIO()
    image.save(buffer, "GIF", optimize=False, interlace=False)
    data = _packed(buffer)
    # Also where nothing is: else Pillow clears the frame's place to a color.
    transparent = clear or (opaque is not None and not opaque.all())
    flags = (_CLEAR if clear else _KEEP) << 2 | transparent
    control = b"\x21\xf9\x04" + struct.pack("<BHBB", flags, min(duration_cs, 0xFFFF), 255, 0)
    return control + b"," + struct.pack("<HHHHB", left, top, right - left, bottom - top, 0x87) + table + data


def _packed(stream: BinaryIO) -> bytes:
    """The image data of a GIF that Pillow has written, from the code size to the last block."""
    reader = _Reader(stream)
    stream.seek(6)
    flags = reader.take(7)[4]
    reader.take(_table_bytes(flags))
    while reader.kind() == _EXTENSION:
        reader.take(1)
        reader.skip_blocks()
    reader.take(_table_bytes(reader.take(9)[8]))
    start = stream.tell()
    reader.take(1)
    reader.skip_blocks()
    end = stream.tell()
    stream.seek(start)
    return stream.read(end - start)


def assemble(frames: Iterable[bytes], size: tuple[int, int], *, plays: int) -> Iterator[bytes]:
    """The pieces of the file around its frames. size: (H, W). plays: how often it is shown, 0 for ever."""
    yield b"GIF89a" + struct.pack("<HHBBB", size[1], size[0], 0x70, 0, 0)
    if plays != 1:
        repeats = min(plays, _MOST_PLAYS) - 1 if plays else 0
        yield b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", repeats, 0)
    yield from frames
    yield b";"
