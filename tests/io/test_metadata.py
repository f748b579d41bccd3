"""EXIF, XMP and resolution: what is not meant to change keeps its bytes; nothing of the old picture is left behind."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from u2net.compose.cutout import cutout
from u2net.io import exif
from u2net.io.metadata import without_gps, xmp_bytes
from u2net.io.read import read
from u2net.io.write import Format, encode

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
NOTE = b"Maker\0" + bytes(range(200))


def photograph(orientation: int = 6, thumbnail: bytes = b"\xff\xd8 old background \xff\xd9") -> bytes:
    """The EXIF block of a phone's photograph: a maker's note, a place, a thumbnail."""
    tags = Image.Exif()
    tags[0x010F], tags[0x0112], tags[0x011A], tags[0x011B] = "maker", orientation, IFDRational(72), IFDRational(144)
    tags.get_ifd(0x8769).update({0x829A: IFDRational(1, 250), 0x927C: NOTE, 0xA002: 30, 0xA003: 20})
    tags.get_ifd(0x8825).update({1: "N", 2: (IFDRational(51), IFDRational(30), IFDRational(123456, 1000))})
    block = bytearray(tags.tobytes())
    tiff = block[6:]
    order = ">" if tiff[:2] == b"MM" else "<"
    main = struct.unpack_from(order + "I", tiff, 4)[0]
    count = struct.unpack_from(order + "H", tiff, main)[0]
    second = len(tiff) + len(tiff) % 2
    struct.pack_into(order + "I", tiff, main + 2 + 12 * count, second)
    table = struct.pack(order + "H", 2) + struct.pack(order + "HHII", 0x0201, 4, 1, second + 30)
    table += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail)) + bytes(4)
    return b"Exif\0\0" + bytes(tiff).ljust(second, b"\0") + table + thumbnail


def loaded(block: bytes | None) -> Image.Exif:
    tags = Image.Exif()
    assert block is not None
    tags.load(block)
    return tags


def test_cleaning_takes_orientation_and_thumbnail_and_leaves_the_note_where_it_was() -> None:
    block = photograph()
    cleaned = exif.cleaned(block, turned=True)
    assert cleaned is not None
    assert 0x0112 not in loaded(cleaned)
    assert b"old background" not in cleaned
    assert len(cleaned) < len(block)
    assert cleaned.index(NOTE) == block.index(NOTE)
    assert loaded(cleaned).get_ifd(0x8769)[0x829A] == IFDRational(1, 250)
    assert (loaded(cleaned)[0x011A], loaded(cleaned)[0x011B]) == (144, 72)
    assert [loaded(cleaned).get_ifd(0x8769)[tag] for tag in (0xA002, 0xA003)] == [20, 30]


def test_what_was_not_turned_is_not_swapped() -> None:
    tags = loaded(exif.cleaned(photograph(3), turned=False))
    assert (tags[0x011A], tags[0x011B]) == (72, 144)


def test_thumbnail_in_the_middle_is_wiped_and_the_rest_stays() -> None:
    cleaned = exif.cleaned(photograph() + b"behind it", turned=False)
    assert cleaned is not None
    assert b"old background" not in cleaned
    assert cleaned.endswith(b"behind it")


def test_gps_is_wiped_not_only_hidden() -> None:
    block = photograph()
    private = exif.without_gps(block)
    assert private is not None
    assert not loaded(private).get_ifd(0x8825)
    latitude = loaded(block).get_ifd(0x8825)[2][2]
    numbers = [struct.pack(order + "II", latitude.numerator, latitude.denominator) for order in "<>"]
    assert any(number in block for number in numbers)
    assert not any(number in private for number in numbers)
    assert private.index(NOTE) == block.index(NOTE)


def test_block_with_nothing_but_a_place_becomes_none() -> None:
    tags = Image.Exif()
    tags.get_ifd(0x8825)[1] = "N"
    assert exif.without_gps(tags.tobytes()) is None


def test_block_without_a_place_stays_as_it_is() -> None:
    tags = Image.Exif()
    tags[0x010F] = "maker"
    assert exif.without_gps(tags.tobytes()) == tags.tobytes()


@pytest.mark.parametrize("block", [None, photograph(1)])
def test_resolution_is_added_and_the_rest_stays(block: bytes | None) -> None:
    tags = loaded(exif.with_resolution(block, (300, 150.5)))
    assert (tags[0x011A], tags[0x011B], tags[0x0128]) == (300, 150.5, 2)
    if block:
        assert tags[0x010F] == "maker"
        assert tags.get_ifd(0x8769)[0x927C] == NOTE
        assert tags.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("length", [0, 3, 7, 9, 12, 20, 40, 100])
def test_damaged_blocks_are_dropped_or_cut_never_an_error(length: int) -> None:
    block = photograph()[: 6 + length]
    for result in (exif.cleaned(block, turned=True), exif.without_gps(block), exif.with_resolution(block, (72, 72))):
        assert result is None or isinstance(result, bytes)
    data = encode(RGB, exif=block or None)
    assert sorted(read(data).size) == [20, 30]


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "avif", "tiff"])
def test_exif_goes_round_through_every_format(file_format: Format) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", exif=photograph())
    first = read(buffer.getvalue())
    whole = cutout(first, np.ones(first.size, np.float32))
    again = read(whole.to_bytes(file_format))
    tags = loaded(again.exif)
    assert tags[0x010F] == "maker"
    assert tags.get_ifd(0x8769)[0x829A] == IFDRational(1, 250)
    assert tags.get_ifd(0x8769)[0x927C] == NOTE
    assert tags.get_ifd(0x8825)[1] == "N"
    # And once more, from there to TIFF, where the directories are the file's own.
    final = loaded(read(cutout(again, np.ones(again.size, np.float32)).to_bytes("tiff")).exif)
    assert final.get_ifd(0x8769)[0x927C] == NOTE


def test_sixty_four_kilobytes_of_exif_still_fit_a_jpeg() -> None:
    block = photograph(thumbnail=b"\xff\xd8" + bytes(65_533 - len(photograph())) + b"\xff\xd9")
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", exif=block)
    picture = read(buffer.getvalue())
    assert picture.exif is not None
    assert len(picture.exif) < 1000
    assert b"maker" in encode(RGB, format="jpeg", exif=picture.exif)


def test_resolution_of_exif_counts_where_the_format_has_none() -> None:
    picture = read(encode(RGB, format="webp", dpi=(240, 120)))
    assert picture.dpi == (240, 120)


def test_centimetres_are_turned_into_inches() -> None:
    tags = Image.Exif()
    tags[0x011A] = tags[0x011B] = IFDRational(100)
    tags[0x0128] = 3
    assert read(encode(RGB, format="webp", exif=tags.tobytes())).dpi == (254, 254)


def directories(*tables: list[tuple[int, int, int, bytes]], following: int = 0) -> bytes:
    """An EXIF block of directories of (tag, type, count, value or address), one after the other from 8 on."""
    block = b"II*\0" + struct.pack("<I", 8)
    for table in tables:
        entries = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in table)
        block += struct.pack("<H", len(table)) + entries + struct.pack("<I", following if table is tables[0] else 0)
    return b"Exif\0\0" + block


MAKE = (0x010F, 2, 4, b"abc\0")
LATITUDE = (1, 2, 2, b"N\0\0\0")


def at(number: int) -> bytes:
    return struct.pack("<I", number)


@pytest.mark.parametrize(
    "block",
    [
        directories([MAKE, (0x8769, 4, 1, at(38))], [(0x8825, 4, 1, at(56))], [LATITUDE]),
        directories([MAKE, (0x014A, 4, 1, at(38))], [(0x8825, 4, 1, at(56))], [LATITUDE]),
        directories([MAKE, (0x8825, 4, 1, at(50)), (0x8825, 4, 1, at(50))], [LATITUDE]),
        directories([MAKE, (0x8825, 0, 1, at(38))], [LATITUDE]),
        directories([MAKE, (0x8825, 4, 0, at(38))], [LATITUDE]),
        directories([MAKE], [(0x8825, 4, 1, at(44))], [LATITUDE], following=26),
        directories([MAKE]) + directories([MAKE, (0x8825, 4, 1, at(38))], [LATITUDE]),
    ],
    ids=["below Exif", "below SubIFDs", "twice", "no type", "no count", "second directory", "second block"],
)
def test_block_with_a_place_elsewhere_is_left_out_whole(block: bytes) -> None:
    assert exif.without_gps(block) is None


def test_uncompressed_thumbnail_and_one_before_other_values_are_wiped() -> None:
    pixels = b"old background "
    strips = [(0x0111, 4, 1, at(56)), (0x0117, 4, 1, at(len(pixels)))]
    cleaned = exif.cleaned(directories([MAKE], strips, following=26) + pixels, turned=False)
    assert cleaned is not None and b"old" not in cleaned and b"abc" in cleaned
    artist = (0x013B, 2, 8, at(68 + len(pixels)))
    jpeg = [(0x0201, 4, 1, at(68)), (0x0202, 4, 1, at(len(pixels)))]
    block = directories([MAKE, artist], jpeg, following=38) + pixels + b"a maker\0"
    cleaned = exif.cleaned(block, turned=False)
    assert cleaned is not None and b"old" not in cleaned
    assert loaded(cleaned)[0x013B] == "a maker"


def test_tiff_brings_its_description_not_its_layers_nor_the_map() -> None:
    tags = [(37724, 1, 6, b"layers", True), (33922, 12, 6, (0, 0, 0, 51.3, 7.1, 0), True), (315, 2, 0, "artist", True)]
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, RGB, photometric="rgb", extratags=tags, metadata=None)
    picture = read(buffer.getvalue())
    assert picture.exif is not None
    assert set(loaded(picture.exif)) == {315, 305}


@pytest.mark.parametrize(
    "field",
    [
        'exif:GPSLatitude="52,31N"',
        "drone-dji:GpsLatitude='51.30'",
        "photoshop:City='Berlin'",
        "Iptc4xmpCore:Location='here'",
        "exif:GPSLatitude=52",
    ],
)
def test_xmp_loses_the_place_or_is_left_out(field: str) -> None:
    xmp = f"<a {field} dc:title='t'/>"
    for packet in (xmp.encode(), xmp.encode("utf-16-le"), xmp.encode("utf-16-be")):
        _, kept = without_gps(None, packet)
        assert kept is None or kept == b"<a dc:title='t'/>"
    _, kept = without_gps(None, b"<GPSLatitude xmlns='http://ns.adobe.com/exif/1.0/'>52,31N</GPSLatitude>")
    assert kept is None


def test_xmp_loses_thumbnails() -> None:
    thumbnail = b"<xmp:Thumbnails><rdf:Alt>old background</rdf:Alt></xmp:Thumbnails>"
    assert xmp_bytes(b"<a>" + thumbnail + b"</a>" + thumbnail) == b"<a></a>"
    assert xmp_bytes(b"<xmp:Thumbnails>" * 100_000) is None


def test_xmp_loses_the_place_however_it_is_written() -> None:
    xmp = (
        b'<a exif:GPSLatitude="51,30N" dc:title="t"><exif:GPSLongitude>0,7W</exif:GPSLongitude><exif:GPSAltitude/></a>'
    )
    assert without_gps(None, xmp) == (None, b'<a dc:title="t"></a>')
    assert xmp_bytes((60, 97, 47, 62)) == b"<a/>"
    assert xmp_bytes("") is None
