"""What travels beside the pixels: EXIF, XMP and resolution, cleaned of what the new picture makes untrue."""

from __future__ import annotations

import re
from typing import Any

from PIL import Image

from u2net.damage import DAMAGE

ORIENTATION = 0x0112
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_INCH, _CENTIMETRE = 2, 3

# TIFF keeps layout and description in one directory; these are layout, or blocks that are carried elsewhere: 700 XMP,
# 33723 IPTC, 34377 Photoshop, 34675 ICC.
TIFF_LAYOUT = frozenset(
    {*range(254, 260), 262, 266, 273, 274, *range(277, 285), 296, 297, 317, 320, *range(322, 326), 330, 338, 339, 347}
    | {*range(512, 522), 529, 530, 531, 532, 700, 33723, 34377, 34675}
)

_XMP_ORIENTATION = re.compile(rb"""\s*tiff:Orientation=(["']).*?\1|<tiff:Orientation>.*?</tiff:Orientation>""")
_XMP_GPS = re.compile(rb"""\s*exif:GPS\w*=(["']).*?\1|<exif:(GPS\w*)\b[^>]*(?:/>|>.*?</exif:\2>)""", re.DOTALL)


def dpi_of(exif: Image.Exif, given: Any = None) -> tuple[float, float] | None:
    """(x, y) in dots per inch: `given`, the file format's own field, or else what EXIF says."""
    scale = 1.0
    if given is None:
        given = exif.get(X_RESOLUTION), exif.get(Y_RESOLUTION)
        unit = exif.get(RESOLUTION_UNIT, _INCH)
        if unit not in (_INCH, _CENTIMETRE):
            return None  # a ratio, not a resolution
        scale = 2.54 if unit == _CENTIMETRE else 1.0
    try:
        x, y = (float(number) * scale for number in given)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def exif_bytes(exif: Image.Exif, *, turned: bool, from_tiff: bool) -> bytes | None:
    """EXIF without the orientation, which is applied, and without the thumbnail, which shows the old background.

    turned: width and height have changed places. from_tiff: the block was part of a TIFF file's own directory.
    """
    exif.pop(ORIENTATION, None)
    if from_tiff:
        for tag in TIFF_LAYOUT.intersection(exif):
            del exif[tag]
    try:
        if turned:
            _swap(exif, X_RESOLUTION, Y_RESOLUTION)
            _swap(exif.get_ifd(EXIF_IFD), _PIXEL_WIDTH, _PIXEL_HEIGHT)
        return exif.tobytes() if len(exif) else None
    except DAMAGE:
        return None  # a picture with a damaged EXIF block is still a picture


def _swap(tags: Any, first: int, second: int) -> None:
    if first in tags and second in tags:
        tags[first], tags[second] = tags[second], tags[first]


def xmp_bytes(value: Any) -> bytes | None:
    """XMP without the orientation."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, tuple):  # of a TIFF tag declared as single bytes
        value = bytes(value)
    return _XMP_ORIENTATION.sub(b"", value) if isinstance(value, bytes) and value else None


def without_gps(exif: bytes | None, xmp: bytes | None) -> tuple[bytes | None, bytes | None]:
    """EXIF and XMP without the place where the picture was taken. A block that cannot be read is left out whole."""
    return _exif_without_gps(exif), None if xmp is None else _XMP_GPS.sub(b"", xmp)


def _exif_without_gps(block: bytes | None) -> bytes | None:
    if block is None:
        return None
    exif = Image.Exif()
    try:
        exif.load(block)
        if GPS_IFD not in exif:
            return block
        del exif[GPS_IFD]
        return exif.tobytes() if len(exif) else None
    except DAMAGE:
        return None


def with_resolution(block: bytes | None, dpi: tuple[float, float]) -> bytes:
    """EXIF that says the resolution, for formats that have no field of their own for it."""
    exif = Image.Exif()
    if block:
        exif.load(block)
    exif[X_RESOLUTION], exif[Y_RESOLUTION] = dpi
    exif[RESOLUTION_UNIT] = _INCH
    return exif.tobytes()
