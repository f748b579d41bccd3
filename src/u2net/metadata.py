"""What travels beside the pixels: resolution, EXIF and XMP, cleaned of what the new picture makes untrue."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from PIL import Image

from u2net import exif
from u2net.damage import DAMAGE

_CENTIMETRE = 3

# TIFF keeps layout and description in one directory; these are layout, or blocks that are carried elsewhere: 700 XMP,
# 33723 IPTC, 34377 Photoshop, 34675 ICC.
TIFF_LAYOUT = frozenset(
    {*range(254, 260), 262, 266, 273, 274, *range(277, 285), 296, 297, 301, 317, 318, 319, 320, *range(322, 326)}
    | {330, 332, *range(338, 344), 347, *range(512, 522), 529, 530, 531, 532, 700, 33723, 34377, 34675}
)

# Nothing here looks beyond the next `<`, quotation mark or blank: whatever a file holds, time grows with its length.
_XMP_ORIENTATION = re.compile(
    rb"""\s?tiff:Orientation=(?:"[^"<]*"|'[^'<]*')|<tiff:Orientation>[^<]*</tiff:Orientation>"""
)
_XMP_GPS = re.compile(
    rb"""\s?exif:GPS\w*=(?:"[^"<]*"|'[^'<]*')|<exif:GPS\w*(?:\s[^<>]*)?(?:/>|>[^<]*</exif:GPS\w*\s*>)"""
)
_XMP_GPS_LEFT = re.compile(rb":GPS[A-Z]")


def tags_of(image: Image.Image) -> Image.Exif:
    """EXIF's main directory; empty where it is damaged: a picture with a damaged EXIF block is still a picture."""
    try:
        return image.getexif()
    except DAMAGE:
        return Image.Exif()


def dpi_of(tags: Image.Exif, given: Any = None) -> tuple[float, float] | None:
    """(x, y) in dots per inch: `given`, the file format's own field, or else what EXIF or TIFF tags say."""
    scale = 1.0
    if given is None:
        given = tags.get(exif.X_RESOLUTION), tags.get(exif.Y_RESOLUTION)
        unit = tags.get(exif.RESOLUTION_UNIT, 2)
        if unit not in (2, _CENTIMETRE):
            return None  # a ratio, not a resolution
        scale = 2.54 if unit == _CENTIMETRE else 1.0
    try:
        x, y = (round(float(number) * scale, 2) for number in given)  # PNG has 300 dpi as 11811 dots a metre, 299.9994
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def exif_of_tiff(stream: BinaryIO) -> bytes | None:
    """What a TIFF file says of itself, as an EXIF block."""
    stream.seek(0)
    try:
        return exif.gathered(exif.Block(stream.read()), TIFF_LAYOUT)
    except exif.DamagedExif:  # BigTIFF, too
        return None


def exif_of_image(image: Image.Image) -> bytes | None:
    """The EXIF block of a Pillow image: as its file held it, or else as Pillow writes it."""
    block = image.info.get("exif")
    if isinstance(block, bytes):
        return block
    tags = Image.Exif()
    try:
        tags.load(tags_of(image).tobytes())
        for tag in TIFF_LAYOUT.intersection(tags):
            del tags[tag]
        return tags.tobytes() if len(tags) else None
    except DAMAGE:
        return None


def xmp_bytes(value: Any) -> bytes | None:
    """XMP without the orientation."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, tuple):  # of a TIFF tag declared as single bytes
        value = bytes(value)
    return _XMP_ORIENTATION.sub(b"", value) if isinstance(value, bytes) and value else None


def without_gps(exif_block: bytes | None, xmp: bytes | None) -> tuple[bytes | None, bytes | None]:
    """EXIF and XMP without the place where the picture was taken. A block that is not understood is left out whole."""
    placeless = None if xmp is None else _XMP_GPS.sub(b"", xmp)
    return (
        None if exif_block is None else exif.without_gps(exif_block),
        None if placeless is None or _XMP_GPS_LEFT.search(placeless) else placeless,
    )
