"""EXIF blocks, changed in place: what is not meant to change keeps its bytes and its address.

Camera makers' notes hold addresses into the block that only their maker knows; a block that is taken apart and written
anew, as Pillow does it, breaks them. A block is a small TIFF file: a header, directories of 12-byte entries, values.
Source: Exif 3.0 (CIPA DC-008-2023), 4.6; TIFF 6.0 (Adobe, 1992), section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from u2net.errors import U2NetError

Order: TypeAlias = Literal["<", ">"]

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
EXIF_IFD, GPS_IFD, _INTEROPERABILITY_IFD = 0x8769, 0x8825, 0xA005
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_SUB_IFDS = 0x014A
_POINTERS = (EXIF_IFD, GPS_IFD, _INTEROPERABILITY_IFD, _SUB_IFDS)
_THUMBNAIL = ((0x0201, 0x0202), (0x0111, 0x0117))  # addresses and lengths: of a JPEG, of uncompressed strips
_MOST_DIRECTORIES = 100
_SHORT, _LONG, _RATIONAL, _IFD = 3, 4, 5, 13
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_PREFIX = b"Exif\0\0"
_EMPTY = b"MM\0*\0\0\0\x08" + bytes(6)
_INCH = 2


class DamagedExif(U2NetError, ValueError):
    """The block is not what the standard says; never leaves this package."""


@dataclass(frozen=True)
class Entry:
    """One entry of a directory. kind: its type's number. value: its bytes. at: where those lie in the block."""

    tag: int
    kind: int
    count: int
    value: bytes
    at: int


class Block:
    """An EXIF block, or a whole TIFF file, that is being read or changed."""

    def __init__(self, data: bytes | memoryview) -> None:
        """Raises DamagedExif where there is no header."""
        self.data = data
        magic = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
        if magic is None:
            raise DamagedExif("no TIFF header")
        self.order: Order = "<" if magic == "<" else ">"
        self.first = self.number(bytes(data[4:8]))

    def number(self, value: bytes) -> int:
        """The whole number of four bytes, such as an address."""
        return int.from_bytes(value[:4], "little" if self.order == "<" else "big")

    def numbers(self, entry: Entry | None) -> list[int]:
        """All whole numbers of an entry; none where it is missing or of another type."""
        width = {_SHORT: "H", _LONG: "I", _IFD: "I"}.get(entry.kind) if entry else None
        if entry is None or width is None:
            return []
        return list(struct.unpack(f"{self.order}{entry.count}{width}", entry.value))

    def directory(self, at: int | None = None) -> tuple[dict[int, Entry], int]:
        """The entries of the directory at an address (None: the first one), and the address of the next, or 0.

        Entries whose values lie outside of the block are left out.
        """
        try:
            at = self.first if at is None else at
            (count,) = struct.unpack_from(self.order + "H", self.data, at)
            entries = {}
            for place in range(at + 2, at + 2 + 12 * count, 12):
                tag, kind, values, _ = struct.unpack_from(self.order + "HHI4s", self.data, place)
                size = _VALUE_BYTES.get(kind, 0) * values
                if size == 0:
                    continue
                start = place + 8 if size <= 4 else struct.unpack_from(self.order + "I", self.data, place + 8)[0]
                if start + size <= len(self.data):
                    entries[tag] = Entry(tag, kind, values, bytes(self.data[start : start + size]), start)
            (after,) = struct.unpack_from(self.order + "I", self.data, at + 2 + 12 * count)
        except struct.error as error:
            raise DamagedExif("a directory lies outside of the block") from error
        return entries, after

    def directory_bytes(self, at: int) -> int:
        """How long the directory at an address is, without the values that lie elsewhere."""
        return 6 + 12 * int(struct.unpack_from(self.order + "H", self.data, at)[0])

    def below(self, entries: dict[int, Entry], tag: int) -> dict[int, Entry]:
        """The entries of the directory that entry `tag` points to; empty where there is none."""
        if tag not in entries:
            return {}
        try:
            return self.directory(self.number(entries[tag].value))[0]
        except DamagedExif:
            return {}


def cleaned(block: bytes, *, turned: bool) -> bytes | None:
    """The block without the orientation, which is applied, and without the thumbnail, which shows the old background.

    turned: width and height have changed places. None for a block that is empty or cannot be read.
    """
    try:
        found = Block(block.removeprefix(_PREFIX))
        entries, after = found.directory()
        data = bytearray(found.data)
        if after:
            _drop_thumbnail(found, after, data)
        if turned:
            _swap(entries, X_RESOLUTION, Y_RESOLUTION, data)
            _swap(found.below(entries, EXIF_IFD), _PIXEL_WIDTH, _PIXEL_HEIGHT, data)
            entries, _ = Block(bytes(data)).directory()
        entries.pop(ORIENTATION, None)
        return _with_directory(found, data, entries)
    except DamagedExif:
        return None


def without_gps(block: bytes) -> bytes | None:
    """The block without the place where the picture was taken: its bytes are wiped too.

    None where nothing else is left, and where a place lies anywhere but in the one directory that is for it.
    """
    try:
        found = Block(block.removeprefix(_PREFIX))
        entries, _ = found.directory()
        pointers = sum(tags.count(GPS_IFD) for _, tags in _directories(found, found.first))
        if _PREFIX in found.data:  # a second block behind the first
            return None
        if pointers == 0:
            return block
        if pointers > 1 or GPS_IFD not in entries:
            return None
        data = bytearray(found.data)
        _wipe(data, _ranges(found, found.number(entries[GPS_IFD].value)), kept=[(0, 8)])
        del entries[GPS_IFD]
        return _with_directory(found, data, entries)
    except DamagedExif:
        return None


def with_resolution(block: bytes | None, dpi: tuple[float, float]) -> bytes | None:
    """The block, or a new one, that says the resolution: for formats that have no field of their own for it."""
    try:
        found = Block((block or _EMPTY).removeprefix(_PREFIX))
        entries, _ = found.directory()
        for tag, value in zip((X_RESOLUTION, Y_RESOLUTION), dpi, strict=True):
            number = struct.pack(found.order + "II", round(value * 1000), 1000)
            entries[tag] = Entry(tag, _RATIONAL, 1, number, 0)
        entries[RESOLUTION_UNIT] = Entry(RESOLUTION_UNIT, _SHORT, 1, struct.pack(found.order + "H", _INCH), 0)
        return _with_directory(found, bytearray(found.data), entries)
    except DamagedExif:
        return block


def extract(file: Block, wanted: frozenset[int]) -> bytes | None:
    """A block of those tags of a TIFF file's first directory that are `wanted`, and of what lies below it."""
    try:
        entries, _ = file.directory()
    except DamagedExif:
        return None
    kept = {tag: entry for tag, entry in entries.items() if tag in wanted}
    data = bytearray(b"II*\0" if file.order == "<" else b"MM\0*") + bytes(4)
    for tag in (EXIF_IFD, GPS_IFD):
        below = file.below(entries, tag)
        below.pop(_INTEROPERABILITY_IFD, None)
        kept.pop(tag, None)
        if below:
            kept[tag] = pointer(tag, len(data), file.order)
            data += packed(below, len(data), file.order)
    if not kept:
        return None
    struct.pack_into(file.order + "I", data, 4, len(data))
    return _PREFIX + bytes(data + packed(kept, len(data), file.order))


def pointer(tag: int, at: int, order: Order) -> Entry:
    """An entry that names a directory's address."""
    return Entry(tag, _LONG, 1, struct.pack(order + "I", at), 0)


def packed(entries: dict[int, Entry], at: int, order: Order, *, in_place: bool = False) -> bytes:
    """A directory, and the values that do not fit into it, as they are to lie at the address `at`.

    in_place: values that lie in the block already are pointed to, not written again.
    """
    table = struct.pack(order + "H", len(entries))
    values = b""
    beyond = at + 2 + 12 * len(entries) + 4
    for tag in sorted(entries):
        entry = entries[tag]
        if len(entry.value) <= 4:
            field = entry.value.ljust(4, b"\0")
        elif in_place and entry.at:
            field = struct.pack(order + "I", entry.at)
        else:
            field = struct.pack(order + "I", beyond + len(values))
            values += entry.value + bytes(len(entry.value) % 2)
        table += struct.pack(order + "HHI", tag, entry.kind, entry.count) + field
    return table + bytes(4) + values


def _with_directory(block: Block, data: bytearray, entries: dict[int, Entry]) -> bytes | None:
    """The block with `entries` as its only directory: over the old one where it fits there, else at the end."""
    if not entries:
        return None
    at = block.first
    table = packed(entries, at, block.order, in_place=True)
    if len(table) > block.directory_bytes(at):
        data += bytes(len(data) % 2)
        at = len(data)
        struct.pack_into(block.order + "I", data, 4, at)
        table = packed(entries, at, block.order, in_place=True)
    data[at : at + len(table)] = table
    return _PREFIX + bytes(data)


def _swap(entries: dict[int, Entry], first: int, second: int, data: bytearray) -> None:
    one, other = entries.get(first), entries.get(second)
    if one and other and one.kind == other.kind and len(one.value) == len(other.value):
        data[one.at : one.at + len(one.value)] = other.value
        data[other.at : other.at + len(other.value)] = one.value


def _drop_thumbnail(block: Block, at: int, data: bytearray) -> None:
    """Wipe the second directory, which nothing points to any more, and the thumbnail that it tells of."""
    kept = _ranges(block, block.first)
    doomed = _ranges(block, at)
    try:
        found, _ = block.directory(at)
    except DamagedExif:
        found = {}
    for first, length in _THUMBNAIL:
        if first in found and length in found:
            pairs = zip(block.numbers(found[first]), block.numbers(found[length]), strict=False)
            doomed += [(start, min(start + size, len(data))) for start, size in pairs]
    _wipe(data, doomed, kept=kept)
    end = max((stop for start, stop in doomed if start < stop), default=0)
    if end >= len(data) - 4:
        del data[max(stop for _, stop in [*kept, *((0, start) for start, stop in doomed if stop == end)]) :]


def _wipe(data: bytearray, doomed: list[tuple[int, int]], *, kept: list[tuple[int, int]]) -> None:
    """Write zeros into ranges, but not where they meet one that is to be kept."""
    saved = [(start, bytes(data[start:end])) for start, end in kept]
    for start, end in doomed:
        data[start:end] = bytes(len(data[start:end]))
    for start, value in saved:
        data[start : start + len(value)] = value


def _ranges(block: Block, at: int) -> list[tuple[int, int]]:
    """Where the directory at an address, those below it and their values lie: (start, end), half-open."""
    ranges = [(0, 8)] if at == block.first else []
    for address, _ in _directories(block, at, following=False):
        ranges.append((address, min(address + block.directory_bytes(address), len(block.data))))
        try:
            ranges += [(entry.at, entry.at + len(entry.value)) for entry in block.directory(address)[0].values()]
        except DamagedExif:
            continue
    return ranges


def _directories(block: Block, at: int, *, following: bool = True) -> Iterator[tuple[int, list[int]]]:
    """Address and tags of a directory and of all that can be reached from it, even by entries that make no sense.

    following: by the address of the next directory too.
    """
    waiting, seen = [at], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        address = waiting.pop()
        if address in seen or not 8 <= address <= len(block.data) - 2:
            continue
        seen.add(address)
        (count,) = struct.unpack_from(block.order + "H", block.data, address)
        tags = []
        for place in range(address + 2, min(address + 2 + 12 * count, len(block.data) - 11), 12):
            tag, _, values = struct.unpack_from(block.order + "HHI", block.data, place)
            tags.append(tag)
            if tag in _POINTERS:
                waiting.append(block.number(bytes(block.data[place + 8 : place + 12])))
            if tag == _SUB_IFDS and values > 1:
                waiting += block.numbers(block.directory(address)[0].get(tag))
        if following and address + 6 + 12 * count <= len(block.data):
            waiting.append(struct.unpack_from(block.order + "I", block.data, address + 2 + 12 * count)[0])
        yield address, tags
