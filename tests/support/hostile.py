"""Files that are broken on purpose.

python tests/support/hostile.py FOLDER writes them all; tests/support/judge.py says what happens to whoever reads them.
"""

from __future__ import annotations

import functools
import io
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

REFUSED, READ, EITHER = "refused", "read", "either"

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@dataclass(frozen=True)
class Hostile:
    """A file, and what is right: `refused` with one of our own errors, `read`, or either."""

    name: str
    data: bytes
    outcome: str


def corpus() -> Iterator[Hostile]:
    """Every hostile file. Names are unique and begin with their kind."""
    for kind in (_truncated, _png, _jpeg, _gif, _tiff, _deep, _profiles, _bombs, _others, _polyglots, _zero_sizes):
        for name, data, outcome in kind():
            yield Hostile(f"{kind.__name__.strip('_')}-{name}", data, outcome)


_Files = Iterator[tuple[str, bytes, str]]


def picture(mode: str = "RGB", size: tuple[int, int] = (61, 40)) -> Image.Image:
    """A picture with some structure."""
    y, x = np.mgrid[: size[1], : size[0]]
    rgba = np.dstack([x * 4, y * 6, (x * y) % 251, 255 - x]).astype(np.uint8)
    return Image.fromarray(rgba).convert("RGB").convert(mode) if mode not in ("RGBA", "LA") else Image.fromarray(rgba)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """A file's bytes by Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@functools.cache
def seeds() -> dict[str, bytes]:
    """One small whole file of each format, with the metadata that it can hold."""
    exif = Image.Exif()
    exif.update({274: 6, 271: "maker", 282: 300.0, 283: 300.0, 296: 2})
    exif.get_ifd(0x8769).update({36867: "2026:01:01 00:00:00", 37500: b"maker's note"})
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    kept: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": SRGB, "xmp": b"<x:xmpmeta exif:GPSLatitude='1'/>"}
    rgb, rgba = picture(), picture("RGBA")
    files = {
        "jpg": encoded(rgb, "JPEG", dpi=(72, 72), comment=b"c", **kept),
        "progressive.jpg": encoded(rgb, "JPEG", progressive=True, **kept),
        "cmyk.jpg": encoded(rgb.convert("CMYK"), "JPEG"),
        "png": encoded(rgba, "PNG", dpi=(72, 72), exif=kept["exif"], icc_profile=SRGB),
        "palette.png": encoded(rgb.convert("P"), "PNG", transparency=3),
        "webp": encoded(rgba, "WEBP", **kept),
        "lossless.webp": encoded(rgba, "WEBP", lossless=True),
        "avif": encoded(rgba, "AVIF", speed=10, **kept),
        "gif": encoded(rgb, "GIF", save_all=True, append_images=[rgb.rotate(90)]),
        "tif": encoded(rgba, "TIFF", exif=kept["exif"], icc_profile=SRGB),
        "lzw.tif": encoded(rgba, "TIFF", compression="tiff_lzw"),
        "jpeg.tif": encoded(rgb, "TIFF", compression="jpeg"),
        "lab.tif": encoded(ImageCms.applyTransform(rgb, _to_lab(), False) or rgb, "TIFF"),
        "bmp": encoded(rgb, "BMP"),
        "jp2": encoded(rgb, "JPEG2000"),
        "ico": encoded(rgba, "ICO", sizes=[(32, 32)]),
        "icns": encoded(rgba.resize((32, 32)), "ICNS"),
        "ppm": encoded(rgb, "PPM"),
        "dds": encoded(rgba, "DDS"),
        "sgi": encoded(rgb, "SGI"),
        "pcx": encoded(rgb.convert("P"), "PCX"),
        "tga": encoded(rgba, "TGA", compression="tga_rle"),
        "qoi": encoded(rgba, "QOI"),
        "psd": _psd(61, 40),
        "16.png": png(61, 40, 16, 2, bytes(range(256)) * 60, [(b"iCCP", b"p\0\0" + zlib.compress(SRGB))]),
        "16.tif": tiff(np.arange(61 * 40 * 3, dtype=np.uint16).reshape(40, 61, 3), compression="zlib", iccprofile=SRGB),
        "float.tif": tiff(np.linspace(-1, 2, 61 * 40, dtype=np.float32).reshape(40, 61)),
        "planes.tif": tiff(np.zeros((3, 40, 61), np.uint16), photometric="rgb", planarconfig="separate"),
    }
    try:
        import pillow_heif
    except ImportError:
        return files
    pillow_heif.register_heif_opener()
    return {**files, "heic": encoded(rgb, "HEIF", **kept)}


def _to_lab() -> Any:
    return ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")


# Truncated at many places.


def _truncated() -> _Files:
    for suffix, data in seeds().items():
        # Formats without a length or checksum cannot know; of those with metadata at the end the picture is whole.
        for name, length in (("header", 24), ("tenth", len(data) // 10), ("half", len(data) // 2)):
            yield f"{name}.{suffix}", data[:length], EITHER if name == "half" else REFUSED
        yield f"last-byte.{suffix}", data[:-1], EITHER


# PNG.


def chunk(kind: bytes, data: bytes = b"", *, crc: int | None = None, length: int | None = None) -> bytes:
    """A PNG chunk; crc, length: wrong ones."""
    checksum = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", checksum)


def header(width: int, height: int, bits: int, color: int, interlaced: int = 0) -> bytes:
    """A PNG's signature and its IHDR."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced))


def png(
    width: int, height: int, bits: int, color: int, samples: bytes, extra: list[tuple[bytes, bytes]] | None = None
) -> bytes:
    """A PNG whose image data are `samples`, right or wrong."""
    chunks = b"".join(chunk(*part) for part in extra or [])
    return header(width, height, bits, color) + chunks + chunk(b"IDAT", zlib.compress(samples)) + chunk(b"IEND")


ROWS = bytes(3 * 4 + 1) * 4  # of a picture of 4 x 4 RGB


def _png() -> _Files:
    end = chunk(b"IDAT", zlib.compress(ROWS)) + chunk(b"IEND")
    yield "signature-only", b"\x89PNG\r\n\x1a\n", REFUSED
    yield "no-data", header(4, 4, 8, 2) + chunk(b"IEND"), REFUSED
    yield "data-before-header", b"\x89PNG\r\n\x1a\n" + end, REFUSED
    yield "empty-header", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR") + end, REFUSED
    yield "colour-type-7", header(4, 4, 8, 7) + end, REFUSED
    yield "bit-depth-3", header(4, 4, 3, 2) + end, REFUSED
    yield "interlace-9", header(4, 4, 8, 2, 9) + end, EITHER
    yield "header-crc", header(4, 4, 8, 2)[:-4] + b"\0\0\0\0" + end, REFUSED
    yield "data-crc", header(4, 4, 8, 2) + chunk(b"IDAT", zlib.compress(ROWS), crc=1) + chunk(b"IEND"), READ
    yield "chunk-of-4-gigabytes", header(4, 4, 8, 2) + chunk(b"IDAT", b"x", length=0xFFFFFFFF), REFUSED
    yield "16-bit-header-misnamed", png(4, 4, 16, 2, bytes(25 * 4)).replace(b"IHDR", b"I\0DR"), REFUSED
    yield "two-headers", header(4, 4, 8, 2) + header(40_000, 40_000, 8, 2)[8:] + end, REFUSED
    yield "no-palette", header(4, 4, 8, 3) + end, EITHER
    yield "palette-too-short", png(4, 4, 8, 3, b"\0\xff\xff\xff\xff" * 4, [(b"PLTE", b"\1\2\3")]), EITHER
    yield "filter-9", png(4, 4, 8, 2, b"\x09" * len(ROWS)), EITHER
    yield "filter-9-in-16-bits", png(4, 4, 16, 2, b"\x09" * (25 * 4)), EITHER
    yield "too-few-rows", png(4, 4, 8, 2, ROWS[:20]), EITHER
    yield "too-few-rows-in-16-bits", png(4, 4, 16, 6, bytes(40)), EITHER
    yield "not-deflated", header(4, 4, 8, 2) + chunk(b"IDAT", b"not deflated") + chunk(b"IEND"), REFUSED
    yield "exif-garbage", png(4, 4, 8, 2, ROWS, [(b"eXIf", b"II*\0\xff\xff\xff\xffgarbage")]), READ
    yield "exif-empty", png(4, 4, 8, 2, ROWS, [(b"eXIf", b"")]), EITHER
    yield "resolution-of-zero", png(4, 4, 8, 2, ROWS, [(b"pHYs", struct.pack(">IIB", 0, 0, 1))]), READ
    yield "resolution-of-4-billion", png(4, 4, 8, 2, ROWS, [(b"pHYs", struct.pack(">IIB", 2**32 - 1, 1, 1))]), READ
    yield "frames-2-billion", png(4, 4, 8, 2, ROWS, [(b"acTL", struct.pack(">II", 2**31 - 1, 0))]), EITHER
    yield "frames-none", png(4, 4, 8, 2, ROWS, [(b"acTL", struct.pack(">II", 0, 0))]), EITHER
    yield "many-small-chunks", png(4, 4, 8, 2, ROWS, [(b"teSt", b"")] * 100_000), READ


# JPEG.


def segment(marker: int, data: bytes) -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def with_segments(*segments: bytes) -> bytes:
    """A small JPEG with these segments right after its beginning."""
    plain = encoded(picture(), "JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def exif_block(*entries: tuple[int, int, int, bytes], order: str = "<", following: int = 0) -> bytes:
    """An EXIF block of one directory at 8. entries: tag, type, count, the four bytes of value or offset."""
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, count) + value
    return (
        (b"II*\0" if order == "<" else b"MM\0*")
        + struct.pack(order + "I", 8)
        + directory
        + struct.pack(order + "I", following)
    )


AT_8 = struct.pack("<I", 8)
BEYOND = struct.pack("<I", 0xFFFFFFF0)


def _app1(block: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + block)


def _jpeg() -> _Files:
    plain = encoded(picture(), "JPEG")
    frame = plain.index(b"\xff\xc0")
    yield "beginning-only", b"\xff\xd8\xff", REFUSED
    yield "beginning-and-end", b"\xff\xd8\xff\xd9", REFUSED
    yield "beginnings", b"\xff\xd8" * 5_000, REFUSED
    yield "fill-bytes", b"\xff\xd8" + b"\xff" * 1_000_000 + plain[2:], EITHER
    yield "segment-of-length-0", b"\xff\xd8\xff\xe1\0\0" + plain[2:], EITHER
    yield "no-tables", b"\xff\xd8" + plain[frame:], REFUSED
    yield "components-255", plain[: frame + 9] + b"\xff" + plain[frame + 10 :], REFUSED
    yield "precision-12", plain[: frame + 4] + b"\x0c" + plain[frame + 5 :], REFUSED
    yield "sampling-0", plain[: frame + 11] + b"\0" + plain[frame + 12 :], REFUSED
    yield "largest", plain[: frame + 5] + b"\xff\xff\xff\xff" + plain[frame + 9 :], REFUSED
    yield "no-scan", plain[: plain.index(b"\xff\xda")] + b"\xff\xd9", REFUSED
    yield "exif-loops", with_segments(_app1(exif_block((0x8769, 4, 1, AT_8), (0x8825, 4, 1, AT_8), following=8))), READ
    yield "exif-beyond-the-end", with_segments(_app1(exif_block((0x8769, 4, 1, BEYOND), (282, 5, 1, BEYOND)))), READ
    yield "exif-4-billion-values", with_segments(_app1(exif_block((270, 2, 0xFFFFFFFF, AT_8)))), READ
    yield "exif-type-99", with_segments(_app1(exif_block((270, 99, 1, AT_8)))), READ
    yield "exif-orientation-text", with_segments(_app1(exif_block((274, 2, 4, b"six\0")))), READ
    yield "exif-orientation-65535", with_segments(_app1(exif_block((274, 3, 1, b"\xff\xff\0\0")))), READ
    yield "exif-65535-entries", with_segments(_app1(b"II*\0" + AT_8 + b"\xff\xff" + bytes(12 * 5_000))), READ
    yield "exif-empty", with_segments(_app1(b"")), READ
    zero_by_zero = exif_block((282, 5, 1, struct.pack("<I", 50)), (283, 5, 1, AT_8), (296, 3, 1, b"\2\0\0\0")) + bytes(
        8
    )
    yield "resolution-zero-by-zero", with_segments(_app1(zero_by_zero)), READ
    yield "profile-parts-missing", with_segments(segment(0xE2, b"ICC_PROFILE\0\1\xff" + SRGB)), READ
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 255]) + bytes(65_000)) for n in range(1, 256)]
    yield "profile-of-16-megabytes", with_segments(*parts), READ
    yield "xmp-unclosed", with_segments(segment(0xE1, _XMP_MARK + b"<exif:GPSLatitude" * 3_800)), READ
    yield "xmp-nested", with_segments(segment(0xE1, _XMP_MARK + b"<exif:GPSLatitude>" * 3_600)), READ
    yield "xmp-entities", with_segments(segment(0xE1, _XMP_MARK + _LAUGHS)), READ
    yield "mpo-of-2-billion", with_segments(segment(0xE2, b"MPF\0" + exif_block((0xB001, 4, 1, BEYOND)))), EITHER
    yield "density-0", plain.replace(b"JFIF\0\1\1\0\0\1\0\1", b"JFIF\0\1\1\1\0\0\0\0"), READ


_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (c + 1, b"&%c;" % c * 10) for c in range(97, 107)
)
_LAUGHS += b"]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&k;</x:xmpmeta>"


# GIF.


def _gif() -> _Files:
    plain = encoded(picture(), "GIF")
    frame = plain[plain.index(b"\x2c", 13 + 768) : -1]
    yield "header-only", b"GIF89a", REFUSED
    yield "no-frame", plain[: 13 + 768] + b";", REFUSED
    yield "code-size-255", plain[: 13 + 768] + frame[:10] + b"\xff" + frame[11:] + b";", EITHER
    yield (
        "frame-outside",
        plain[: 13 + 768] + b"\x2c" + struct.pack("<HHHHB", 60_000, 60_000, 5_000, 5_000, 0) + frame[10:] + b";",
        EITHER,
    )
    yield "endless-comment", b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe" + (b"\xff" + bytes([65] * 255)) * 20_000, REFUSED


# TIFF of 8 bits, and directories that lead nowhere.


def directory(entries: dict[int, int], *, following: int = 0, kind: int = 4) -> bytes:
    """A little-endian TIFF of one directory with these values, at 8, and 256 bytes of pixels after it."""
    packed = [(tag, kind, 1, struct.pack("<I", value)) for tag, value in sorted(entries.items())]
    return exif_block(*packed, following=following) + bytes(256)


# 8 x 8 grey: width, height, bits, compression, photometric, strip offsets, samples, rows a strip, strip bytes
GREY: dict[int, int] = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 126, 277: 1, 278: 8, 279: 64}


def _tiff() -> _Files:
    yield "header-only", b"II*\0", REFUSED
    yield "directory-beyond-the-end", b"II*\0\xff\xff\xff\xff", REFUSED
    yield "directory-in-the-header", b"II*\0\0\0\0\0" + bytes(64), REFUSED
    yield "empty-directory", b"II*\0" + AT_8 + bytes(6), REFUSED
    yield "plain", directory(GREY), READ
    yield "loops", directory(GREY, following=8), READ
    yield "directories-below-themselves", directory({**GREY, 330: 8, 0x8769: 8, 0x8825: 8}), READ
    yield "endless-chain", directory(GREY, following=4_000) + _chain(4_000, 20_000), EITHER
    yield "many-tags", b"II*\0" + AT_8 + b"\xff\xff" + bytes(12 * 65_535 + 4), REFUSED
    yield "bits-65535", directory({**GREY, 258: 65_535}), REFUSED
    yield "bits-0", directory({**GREY, 258: 0}), REFUSED
    yield "samples-65535", directory({**GREY, 277: 65_535}), REFUSED
    yield "compression-65535", directory({**GREY, 259: 65_535}), REFUSED
    yield "photometric-65535", directory({**GREY, 262: 65_535}), REFUSED
    yield "strips-beyond-the-end", directory({**GREY, 273: 0xFFFFFFF0}), REFUSED
    yield "strips-of-4-gigabytes", directory({**GREY, 279: 0xFFFFFFFF}), EITHER
    yield "rows-a-strip-0", directory({**GREY, 278: 0}), EITHER
    yield "no-strips", directory({tag: value for tag, value in GREY.items() if tag not in (273, 279)}), REFUSED
    yield "tiles-of-4-billion", directory({**GREY, 322: 2**32 - 1, 323: 2**32 - 1, 324: 126, 325: 64}), EITHER
    yield "tiles-of-1-pixel", directory({**GREY, 256: 60_000, 257: 60_000, 322: 1, 323: 1, 324: 126, 325: 64}), REFUSED
    yield "values-of-text", directory(GREY, kind=2), REFUSED
    yield "4-billion-values", exif_block(*[(tag, 4, 2**32 - 1, AT_8) for tag in sorted(GREY)]) + bytes(256), REFUSED
    for name, number in (("lzw", 5), ("jpeg", 7), ("packbits", 32_773), ("fax", 4), ("deflate", 8), ("webp", 50_001)):
        yield f"{name}-garbage", directory({**GREY, 259: number}) + b"\xa5" * 512, EITHER
    yield "big-header-only", b"II+\0\x08\0\0\0", REFUSED
    yield "big-directory-of-2e64", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**64 - 1) + bytes(64), REFUSED
    yield "big-endian-as-little", b"MM\0*" + directory(GREY)[4:], REFUSED


def _chain(start: int, count: int) -> bytes:
    """Empty directories, each naming the next, the last the first."""
    padding = bytes(start - len(directory(GREY)))
    links = (start + 6 * (n + 1) if n + 1 < count else start for n in range(count))
    return padding + b"".join(struct.pack("<HI", 0, link) for link in links)


# More than 8 bits, and floats.


def tiff(array: np.ndarray, **options: Any) -> bytes:
    """A TIFF by tifffile."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, metadata=None, **options)
    return buffer.getvalue()


def _deep() -> _Files:
    shape = (32, 32, 3)
    for dtype in (np.float16, np.float32, np.float64):
        for name, value in (("nan", np.nan), ("infinite", -np.inf), ("largest", np.finfo(dtype).max)):
            yield f"{name}-{dtype.__name__}", tiff(np.full(shape, value, dtype), photometric="rgb"), READ
    mixed = np.full(shape, 0.5, np.float32)
    mixed[::2] = np.nan
    yield "some-nan", tiff(mixed, photometric="rgb", compression="zlib"), READ
    for name, array in (
        ("complex", np.zeros((8, 8), np.complex64)),
        ("signed", np.zeros((8, 8), np.int16)),
        ("32-bit", np.zeros((8, 8), np.uint32)),
        ("64-bit", np.zeros((8, 8), np.uint64)),
        ("7-samples", np.zeros((8, 8, 7), np.uint16)),
        ("volume", np.zeros((5, 8, 8), np.uint16)),
    ):
        contiguous = {"planarconfig": "contig"} if name == "7-samples" else {}
        yield name, tiff(array, photometric="minisblack", **contiguous), READ if name == "volume" else REFUSED
    whole = tiff(np.zeros((64, 64), np.uint16))
    yield "pixels-missing", whole[:-2_000], REFUSED
    width = tifffile.TiffFile(io.BytesIO(whole)).pages[0].tags[256].offset
    yield "width-4-billion", _resized(whole, width + 2, struct.pack("<HII", 4, 1, 2**32 - 1)), REFUSED
    yield "planes-missing", tiff(np.zeros((3, 64, 64), np.uint16), photometric="rgb", planarconfig=2)[:-9_000], REFUSED
    bomb = tiff(np.zeros((3, 64, 64), np.uint16), photometric="rgb", planarconfig=2, compression="zlib")
    page = tifffile.TiffFile(io.BytesIO(bomb)).pages[0]
    (offset, length), packed = (page.dataoffsets[2], page.databytecounts[2]), zlib.compress(bytes(300_000_000), 9)
    count = page.tags[279].valueoffset
    swapped = bomb[:count] + bomb[count : count + 8] + struct.pack("<I", len(packed)) + bomb[count + 12 :]
    yield "strip-of-300-megabytes", swapped[:offset] + packed + bomb[offset + length :], REFUSED


# Profiles.


def _curve(count: int, values: bytes = b"") -> bytes:
    return b"curv" + bytes(4) + struct.pack(">I", count) + values


def profile(space: bytes, tags: dict[bytes, bytes], *, version: int = 0x02400000, connection: bytes = b"XYZ ") -> bytes:
    """An ICC profile of these tags."""
    table, data = b"", b""
    start = 132 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    top = struct.pack(">I4sI4s4s4s", start + len(data), b"lcms", version, b"mntr", space, connection) + bytes(12)
    return top + b"acsp" + bytes(88) + struct.pack(">I", len(tags)) + table + data


def _xyz(*values: int) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">iii", *values)


_COLORANTS = {
    b"rXYZ": _xyz(0, 0, 0),
    b"gXYZ": _xyz(0, 0, 0),
    b"bXYZ": _xyz(0, 0, 0),
    b"wtpt": _xyz(63_190, 65_536, 54_061),
}
_FLAT = {name: _curve(0) for name in (b"rTRC", b"gTRC", b"bTRC")}


def _profiles() -> _Files:
    hostile = {
        "empty": b"",
        "of-zeros": bytes(128),
        "header-only": SRGB[:128],
        "half": SRGB[: len(SRGB) // 2],
        "tags-4-billion": SRGB[:128] + b"\xff\xff\xff\xff" + SRGB[132:],
        "tags-beyond-the-end": SRGB[:128] + struct.pack(">I", 1) + b"rTRC\xff\xff\xff\xf0\0\0\1\0" + bytes(64),
        "size-wrong": struct.pack(">I", 2**32 - 1) + SRGB[4:],
        "matrix-of-zeros": profile(b"RGB ", {**_COLORANTS, **_FLAT}),
        "curve-4-billion": profile(b"RGB ", {**_COLORANTS, b"rTRC": _curve(2**32 - 1), b"gTRC": _curve(0)}),
        "curve-of-zeros": profile(b"RGB ", {**_COLORANTS, **dict.fromkeys(_FLAT, _curve(4, bytes(8)))}),
        "gamma-zero": profile(b"RGB ", {**_COLORANTS, **dict.fromkeys(_FLAT, _curve(1, bytes(2)))}),
        "parametric-99": profile(b"RGB ", {**_COLORANTS, **dict.fromkeys(_FLAT, b"para" + bytes(4) + b"\0\x63\0\0")}),
        "grey-4-billion": profile(b"GRAY", {b"kTRC": _curve(2**32 - 1), b"wtpt": _COLORANTS[b"wtpt"]}),
        "grey-of-zeros": profile(b"GRAY", {b"kTRC": _curve(2, bytes(4)), b"wtpt": _COLORANTS[b"wtpt"]}),
        "grid-of-255": profile(b"RGB ", {b"A2B0": b"mft2" + bytes(4) + b"\3\3\xff\0" + bytes(200)}, connection=b"Lab "),
        "of-cmyk": profile(b"CMYK", {b"A2B0": b"mft1" + bytes(4) + b"\4\3\xff\0" + bytes(200)}, connection=b"Lab "),
        "named-colours": profile(b"RGB ", {b"ncl2": b"ncl2" + bytes(4) + b"\xff" * 76}),
    }
    for name, icc in hostile.items():
        for kind, bits, color in (("rgb", 8, 2), ("grey", 8, 0), ("rgb16", 16, 2), ("grey16", 16, 0)):
            row = bytes(1 + 4 * bits // 8 * (3 if color else 1))
            data = png(4, 4, bits, color, row * 4, [(b"iCCP", b"p\0\0" + zlib.compress(icc))])
            yield f"{name}-{kind}.png", data, READ
    yield "of-cmyk.jpg", encoded(picture("CMYK"), "JPEG", icc_profile=hostile["of-cmyk"]), READ
    yield "of-rgb-in-cmyk.jpg", encoded(picture("CMYK"), "JPEG", icc_profile=SRGB), READ


# Bombs.


def _deflated_zeros(length: int) -> bytes:
    """A zlib stream of so many zeros, made of one block again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks, rest = divmod(length, 1 << 24)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = last.compress(bytes(rest)) + last.flush() + struct.pack(">HH", length % 65_521, 1)  # Adler-32 of zeros
    return b"\x78\x9c" + block * blocks + end


def _zero_png(width: int, height: int, bits: int, color: int, interlaced: int = 0) -> bytes:
    samples = {0: 1, 2: 3, 3: 1, 6: 4}[color]
    data = _deflated_zeros(height * (1 + (width * bits * samples + 7) // 8) + (64 * height if interlaced else 0))
    palette = chunk(b"PLTE", bytes(6)) if color == 3 else b""
    return header(width, height, bits, color, interlaced) + palette + chunk(b"IDAT", data) + chunk(b"IEND")


def _zero_tiff(width: int, height: int, samples: int, planes: int) -> bytes:
    """A deflated 16-bit TIFF of zeros, its colors multiplied by alpha. planes: 1 beside each other, 2 one by one."""
    count = samples if planes == 2 else 1
    strip = _deflated_zeros(2 * width * height * samples // count)
    entries = [(256, width), (257, height), (258, 16), (259, 8), (262, 2), (277, samples), (278, height), (284, planes)]
    entries += [(338, 1)]
    table = {tag: (4, 1, struct.pack("<I", value)) for tag, value in entries}
    lists = 8 + 2 + 12 * (len(table) + 2) + 4
    table[258] = (3, samples, struct.pack("<I", lists))
    first = lists + 2 * samples + 8 * count
    pointers = [(273, lists + 2 * samples), (279, lists + 2 * samples + 4 * count)]
    values = [[first + n * len(strip) for n in range(count)], [len(strip)] * count]
    for (tag, at), numbers in zip(pointers, values, strict=True):
        table[tag] = (4, count, struct.pack("<I", at if count > 1 else numbers[0]))
    data = exif_block(*((tag, *entry) for tag, entry in sorted(table.items())))
    data += struct.pack(f"<{samples}H", *[16] * samples) + b"".join(struct.pack(f"<{count}I", *n) for n in values)
    return data + strip * count


def _bombs() -> _Files:
    # Within the limit: pictures, which must be read in time.
    yield "at-the-limit-1-bit.png", _zero_png(12_600, 12_600, 1, 0), READ
    yield "at-the-limit-rgb.png", _zero_png(12_600, 12_600, 8, 2), READ
    yield "at-the-limit-16-bit.png", _zero_png(7_990, 7_990, 16, 6), READ
    yield "at-the-limit-interlaced.png", _zero_png(8_000, 8_000, 8, 6, 1), EITHER
    yield "at-the-limit-wide.png", _zero_png(2_000_000, 79, 8, 0), READ
    yield "at-the-limit-tall.png", _zero_png(1, 2_000_000, 8, 6), READ
    yield "at-the-limit.gif", encoded(Image.new("P", (12_600, 12_600)), "GIF"), READ
    yield "at-the-limit.jpg", encoded(Image.new("RGB", (12_600, 12_600)), "JPEG", quality=1), READ
    yield (
        "at-the-limit.webp",
        encoded(Image.new("RGB", (8_900, 8_900)), "WEBP", lossless=True, quality=0, method=0),
        READ,
    )
    yield "at-the-limit-premultiplied.tif", _zero_tiff(5_650, 5_650, 4, 1), READ
    lab = tiff(np.zeros((8_900, 8_900, 3), np.uint8), photometric="cielab", compression="zlib")
    yield "at-the-limit-lab.tif", lab, READ
    yield "at-the-limit-planes.tif", _zero_tiff(5_650, 5_650, 4, 2), READ
    # Over it.
    yield "79-megapixels-premultiplied.tif", _zero_tiff(8_900, 8_900, 4, 1), REFUSED
    yield "900-megapixels-1-bit.png", _zero_png(30_000, 30_000, 1, 0), REFUSED
    yield "144-megapixels-16-bit.png", _zero_png(12_000, 12_000, 16, 6), REFUSED
    yield "largest-header.png", header(2**31 - 1, 2**31 - 1, 8, 6) + chunk(b"IDAT", bytes(9)) + chunk(b"IEND"), REFUSED
    yield "rows-of-2-billion.png", header(2**31 - 1, 1, 8, 6) + chunk(b"IDAT", bytes(9)) + chunk(b"IEND"), REFUSED
    yield "largest.gif", b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b";", REFUSED
    yield "largest.tif", directory({**GREY, 256: 2**32 - 1, 257: 2**32 - 1}), REFUSED
    yield "largest-1-bit.tif", directory({**GREY, 258: 1, 256: 200_000, 257: 200_000}), REFUSED
    yield "largest.bmp", _bmp(2**31 - 1, 2**31 - 1), REFUSED
    yield "largest.ppm", b"P6 99999 99999 255\n" + bytes(999), REFUSED
    yield "largest.qoi", b"qoif" + struct.pack(">IIBB", 2**32 - 1, 2**32 - 1, 4, 0) + bytes(99), REFUSED
    yield "largest.psd", _psd(30_000, 30_000), REFUSED
    yield "largest.dds", _resized(seeds()["dds"], 12, struct.pack("<II", 2**31, 2**31)), REFUSED
    yield "largest.sgi", _resized(seeds()["sgi"], 6, struct.pack(">HH", 65_535, 65_535)), REFUSED
    yield "largest.tga", _resized(seeds()["tga"], 12, struct.pack("<HH", 65_535, 65_535)), REFUSED
    yield "largest.jp2", _jp2_of(2**31 - 1, 2**31 - 1), REFUSED
    yield "hidden-size.jp2", _jp2_of(2**31 - 1, 2**31 - 1, in_box=False), REFUSED
    # A small picture with something large beside it.
    text = zlib.compress(bytes(300_000_000), 9)
    yield "profile-of-300-megabytes.png", png(4, 4, 8, 2, ROWS, [(b"iCCP", b"p\0\0" + text)]), EITHER
    yield "text-of-300-megabytes.png", png(4, 4, 8, 2, ROWS, [(b"zTXt", b"k\0\0" + text)]), EITHER
    yield "xmp-of-300-megabytes.png", png(4, 4, 8, 2, ROWS, [(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + text)]), EITHER
    yield (
        "5000-texts.png",
        png(4, 4, 8, 2, ROWS, [(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000)))] * 5_000),
        EITHER,
    )
    yield "data-of-300-megabytes.png", header(4, 4, 8, 2) + chunk(b"IDAT", text) + chunk(b"IEND"), EITHER
    yield "data-of-300-megabytes-16-bit.png", header(4, 4, 16, 2) + chunk(b"IDAT", text) + chunk(b"IEND"), EITHER
    gif = encoded(Image.new("P", (8, 8)), "GIF")
    yield "100000-frames.gif", gif[:-1] + gif[gif.rindex(b"\x2c") : -1] * 100_000 + b";", READ
    yield "scans.jpg", _scans(8_000, 8_000, 5_000), EITHER
    yield "comment-of-20-megabytes.ppm", b"P6 #" + b"x" * 20_000_000 + b"\n4 4 255\n" + bytes(48), EITHER
    yield "number-of-20-megabytes.ppm", b"P6 " + b"9" * 20_000_000 + b" 4 255\n", REFUSED
    yield "icons.ico", b"\0\0\1\0\xff\xff" + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 9, 22) * 65_535, REFUSED
    yield "png-in-icon.ico", _icon(_zero_png(30_000, 30_000, 1, 0)), REFUSED
    yield "layers-32767.psd", _psd(16, 16)[:30] + struct.pack(">IIh", 8, 4, 32_767) + bytes(99), EITHER


def _resized(data: bytes, at: int, size: bytes) -> bytes:
    return data[:at] + size + data[at + len(size) :]


def _bmp(width: int, height: int, *, info: int = 40, bits: int = 24, offset: int = 54) -> bytes:
    top = b"BM" + struct.pack("<IHHI", 0, 0, 0, offset)
    return top + struct.pack("<IiiHHIIiiII", info, width, height, 1, bits, 0, 0, 0, 0, 0, 0) + bytes(200)


def _psd(width: int, height: int) -> bytes:
    top = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, height, width, 8, 3)
    return top + bytes(12) + b"\0\0" + bytes(min(3 * width * height, 20_000))


def _icon(inner: bytes) -> bytes:
    return b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(inner), 22) + inner


def _jp2_of(width: int, height: int, *, in_box: bool = True) -> bytes:
    """A JPEG 2000 file whose codestream claims a size, and whose box claims it too or does not."""
    data = bytearray(seeds()["jp2"])
    box, stream = data.index(b"ihdr") + 4, data.index(b"\xff\x51") + 6
    if in_box:
        data[box : box + 8] = struct.pack(">II", height, width)
    data[stream : stream + 8] = struct.pack(">II", width, height)
    data[stream + 16 : stream + 24] = struct.pack(">II", width, height)
    return bytes(data)


def _scans(width: int, height: int, count: int) -> bytes:
    """A progressive JPEG whose many scans say nothing, each after a look at every block."""
    plain = encoded(Image.new("L", (width, height)), "JPEG", progressive=True, quality=1)
    scan = plain.index(b"\xff\xda")
    second = plain.index(b"\xff\xda", scan + 2)
    # A refinement of coefficients 1 to 63 with the longest runs of blocks without a bit.
    table = segment(0xC4, b"\x10" + b"\1" + bytes(15) + b"\xe0")  # one code of one bit: a run of 2¹⁴ … 2¹⁵ - 1 blocks
    blocks = (width // 8) * (height // 8)
    runs = b"".join(bytes([0b0111_1111]) + b"\xff\x00" for _ in range(blocks // 32_767 + 2))
    empty = segment(0xDA, bytes([1, 1, 0, 1, 63, 0x10])) + runs
    return plain[:second] + table + empty * count + b"\xff\xd9"


# Other formats, wrong kinds of file, and files that are two.


def _others() -> _Files:
    yield "info-size-0.bmp", _bmp(4, 4, info=0), REFUSED
    yield "info-size-4-billion.bmp", _bmp(4, 4, info=2**32 - 1), REFUSED
    yield "negative-width.bmp", _bmp(-4, 4), REFUSED
    yield "lowest-height.bmp", _bmp(4, -(2**31)), REFUSED
    yield "bits-77.bmp", _bmp(4, 4, bits=77), REFUSED
    yield "pixels-beyond-the-end.bmp", _bmp(4, 4, offset=2**32 - 1), REFUSED
    yield "size-wrong.webp", b"RIFF\xff\xff\xff\xffWEBP" + encoded(picture(), "WEBP")[12:], EITHER
    yield "riff-of-sound.webp", b"RIFF\x24\0\0\0WAVEfmt " + bytes(20), REFUSED
    yield "canvas-of-16-million.webp", b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + b"\xff" * 6, REFUSED
    yield "brand-only.avif", b"\0\0\0\x18ftypavif\0\0\0\0avifmif1", REFUSED
    yield "brand-only.heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", REFUSED
    yield "box-of-0.avif", b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + bytes(64), REFUSED
    yield "depth-0.ppm", b"P6 4 4 0\n" + bytes(48), REFUSED
    yield "depth-65536.ppm", b"P6 4 4 65536\n" + bytes(96), REFUSED
    yield "no-number.ppm", b"P6 four 4 255\n" + bytes(48), REFUSED
    yield "plain-text.ppm", b"P3 4 4 255\n" + b"256 -1 x " * 16, REFUSED
    yield "version-9.pcx", b"\x0a\x09\1\x08" + bytes(124), EITHER
    yield "negative-size.pcx", b"\x0a\5\1\x08" + struct.pack("<HHHH", 9, 9, 0, 0) + bytes(116), REFUSED
    yield "no-pixels.tga", b"\0\0\2" + bytes(9) + struct.pack("<HHBB", 4, 4, 24, 0), REFUSED
    yield "sizes.icns", b"icns\xff\xff\xff\xffic10\0\0\0\0", REFUSED
    yield "channels-0.qoi", b"qoif" + struct.pack(">IIBB", 4, 4, 0, 0) + bytes(24), EITHER
    yield "text.xbm", b"#define a_width 99999\n#define a_height 99999\nstatic char a_bits[] = {", REFUSED
    yield "text.xpm", b'/* XPM */\nstatic char *a[] = {\n"99999 99999 1 1",\n"a c #000000",\n', REFUSED
    yield "one-byte", b"\0", REFUSED
    yield "zeros", bytes(100_000), REFUSED
    yield "text", b"This is not a picture.\n", REFUSED
    yield "page", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", REFUSED
    yield "drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', REFUSED
    yield "postscript.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n", REFUSED
    yield "document.pdf", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n%%EOF", REFUSED
    yield "program", b"\x7fELF\2\1\1" + bytes(200), REFUSED
    yield "video.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(64), REFUSED
    yield "stub.wmf", b"\xd7\xcd\xc6\x9a" + bytes(200), REFUSED


def _polyglots() -> _Files:
    archive = b"PK\3\4" + bytes(26) + b"PK\5\6" + bytes(18)
    script = b"GIF89a=1;alert(1)//"
    yield "jpeg-then-archive", encoded(picture(), "JPEG") + archive, READ
    yield "png-then-document", encoded(picture(), "PNG") + b"%PDF-1.4\n%%EOF", READ
    yield "png-then-png", encoded(picture(), "PNG") + encoded(picture("L"), "PNG"), READ
    yield "jpeg-then-bomb", encoded(picture(), "JPEG") + _zero_png(30_000, 30_000, 1, 0), READ
    yield "archive-then-png", archive + encoded(picture(), "PNG"), REFUSED
    yield "gif-as-script", script + bytes(40), EITHER
    yield "tiff-that-is-also-webp", b"II*\0" + encoded(picture(), "WEBP"), REFUSED
    yield "png-named-bmp-inside", b"BM" + encoded(picture(), "PNG"), REFUSED
    yield "jpeg-with-postscript-comment", with_segments(segment(0xFE, b"%!PS (/etc/passwd) run")), READ


def _zero_sizes() -> _Files:
    rows = bytes(16)
    yield "no-bytes", b"", REFUSED
    yield "width.png", png(0, 4, 8, 2, rows), REFUSED
    yield "height.png", png(4, 0, 8, 2, rows), REFUSED
    yield "height-16-bit.png", png(4, 0, 16, 2, rows), REFUSED
    frame = (plain := encoded(picture(), "JPEG")).index(b"\xff\xc0")
    yield "height.jpg", _resized(plain, frame + 5, b"\0\0"), REFUSED
    yield "width.jpg", _resized(plain, frame + 7, b"\0\0"), REFUSED
    yield "both.gif", b"GIF89a" + bytes(7) + b"\x2c" + bytes(9) + b"\2\0;", REFUSED
    yield "width.tif", directory({**GREY, 256: 0}), REFUSED
    yield "height.tif", directory({**GREY, 257: 0}), REFUSED
    yield "width.bmp", _bmp(0, 4), REFUSED
    yield "height.bmp", _bmp(4, 0), REFUSED
    yield "both.ppm", b"P6 0 0 255\n", REFUSED
    yield "both.psd", _psd(0, 0), REFUSED
    yield "both.qoi", b"qoif" + struct.pack(">IIBB", 0, 0, 4, 0), REFUSED
    yield "both.tga", b"\0\0\2" + bytes(9) + struct.pack("<HHBB", 0, 0, 24, 0), REFUSED
    yield "both.dds", _resized(seeds()["dds"], 12, bytes(8)), REFUSED
    yield "both.sgi", _resized(seeds()["sgi"], 6, bytes(4)), REFUSED
    yield "both.jp2", _jp2_of(0, 0), REFUSED


def main(folder: Path) -> None:
    """Write the corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    for hostile in corpus():
        (folder / hostile.name).write_bytes(hostile.data)
        print(hostile.outcome, hostile.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
