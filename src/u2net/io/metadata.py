"""What travels beside the pixels: resolution, EXIF and XMP, cleaned of what the new picture makes untrue."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from PIL import Image

from u2net.io import exif
from u2net.io.decoders import DAMAGE

_CENTIMETRE = 3

# TIFF keeps layout and description in one directory; these are layout, or blocks that are carried elsewhere: 700 XMP,
# 33723 IPTC, 34377 Photoshop, 34675 ICC.
TIFF_LAYOUT = frozenset(
    {*range(254, 260), 262, 266, 273, 274, *range(277, 285), 296, 297, 301, 317, 318, 319, 320, *range(322, 326)}
    | {330, 332, *range(338, 344), 347, *range(512, 522), 529, 530, 531, 532, 700, 33723, 34377, 34675}
)

# What may leave a TIFF file as EXIF: what TIFF, Exif and their kin say of a picture. Others are layout, blocks that are
# carried elsewhere, places on a map (GeoTIFF), or the whole picture once more (the layers of Photoshop).
DESCRIPTION_TAGS = frozenset(
    {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 33434, 33437, 34665, 34850, 34852}
    | {
        34853,
        34855,
        37500,
        37510,
        *range(36864, 37122),
        *range(37377, 37397),
        *range(40091, 40096),
        *range(41483, 42241),
    }
)

# Nothing here looks beyond the next `<`, quotation mark or blank: whatever a file holds, time grows with its length.
_XMP_ORIENTATION = re.compile(
    rb"""\s?tiff:Orientation=(?:"[^"<]*"|'[^'<]*')|<tiff:Orientation>[^<]*</tiff:Orientation>"""
)
_XMP_GPS = re.compile(
    rb"""\s?[\w.-]{1,40}:gps\w*=(?:"[^"<]*"|'[^'<]*')"""
    rb"""|<[\w.-]{1,40}:gps\w*(?:\s[^<>]*)?(?:/>|>[^<]*</[\w.-]{1,40}:gps\w*\s*>)""",
    re.IGNORECASE,
)
# Coordinates written otherwise, and the fields that name a place: of Photoshop, of IPTC Core and Extension.
_XMP_PLACE = re.compile(
    rb"gps|photoshop:(?:city|state|country)|iptc4xmpcore:(?:location|countrycode)|iptc4xmpext:(?:location|city|country)",
    re.IGNORECASE,
)
_XMP_THUMBNAILS = b"<xmp:Thumbnails", b"</xmp:Thumbnails>"


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
        x, y = (_unrounded(float(number) * scale) for number in given)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def _unrounded(dpi: float) -> float:
    """PNG has whole dots a metre: 150 dpi as 5906, which is 150.0124."""
    return float(round(dpi)) if abs(dpi - round(dpi)) <= 0.0127 else round(dpi, 2)


def exif_of_tiff(stream: BinaryIO) -> bytes | None:
    """What a TIFF file says of itself, as an EXIF block."""
    stream.seek(0)
    try:
        return exif.extract(exif.Block(stream.read()), DESCRIPTION_TAGS)
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
        for tag in set(tags) - DESCRIPTION_TAGS:
            del tags[tag]
        return tags.tobytes() if len(tags) else None
    except DAMAGE:
        return None


def xmp_bytes(value: Any) -> bytes | None:
    """XMP without the orientation, and without thumbnails, which show the old background."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, tuple):  # of a TIFF tag declared as single bytes
        value = bytes(value)
    if not isinstance(value, bytes) or not value:
        return None
    opening, closing = _XMP_THUMBNAILS
    while (start := value.find(opening)) >= 0:
        end = value.find(closing, start)
        if end < 0:
            return None
        value = value[:start] + value[end + len(closing) :]
    return _XMP_ORIENTATION.sub(b"", value)


def without_gps(exif_block: bytes | None, xmp: bytes | None) -> tuple[bytes | None, bytes | None]:
    """EXIF and XMP without the place where the picture was taken.

    A block that cannot be read, or says the place in a way that is not understood, is left out whole.
    """
    placeless = None if xmp is None else _XMP_GPS.sub(b"", xmp)
    return (
        None if exif_block is None else exif.without_gps(exif_block),
        # Without the zeros of UTF-16.
        None if placeless is None or _XMP_PLACE.search(placeless.replace(b"\0", b"")) else placeless,
    )
