"""Which of Pillow's readers opens which file.

Formats are opened one by one by their own reader, never through `Image.open`: that leaves out the formats that start
another program (EPS, PS) or fetch something, and lets the limits be arguments instead of Pillow's global.
"""

from __future__ import annotations

import importlib
import re
import struct
import zlib
from typing import BinaryIO

import cv2
from PIL import Image

from u2net.errors import UnreadablePicture
from u2net.io.source import Opened
from u2net.system.install import install_hint

# OSError covers truncation and UnidentifiedImageError; AssertionError is some plug-ins' way to check a header.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    cv2.error,
    Image.DecompressionBombError,
)

# Pillow's name of a format, and the module that reads it; JPEG includes MPO, which phones write. Left out are formats
# that start another program (EPS, WMF), whose reader is only a stub (GRIB, HDF5, BUFR, MPEG), and old kin of scanners
# and games.
_READERS = {
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "WEBP": "WebPImagePlugin",
    "GIF": "GifImagePlugin",
    "TIFF": "TiffImagePlugin",
    "AVIF": "AvifImagePlugin",
    "BMP": "BmpImagePlugin",
    "DIB": "BmpImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "PPM": "PpmImagePlugin",
    "PSD": "PsdImagePlugin",
    "ICNS": "IcnsImagePlugin",
    "ICO": "IcoImagePlugin",
    "QOI": "QoiImagePlugin",
    "DDS": "DdsImagePlugin",
    "SGI": "SgiImagePlugin",
    "PCX": "PcxImagePlugin",
    "SUN": "SunImagePlugin",
    "XBM": "XbmImagePlugin",
    "XPM": "XpmImagePlugin",
}
SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".apng",
        ".webp",
        ".gif",
        ".tif",
        ".tiff",
        ".avif",
        ".bmp",
        ".dib",
    }
    | {".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".psd", ".icns", ".ico", ".qoi", ".dds", ".sgi", ".pcx"}
    | {".ras", ".xbm", ".xpm", ".tga", ".heic", ".heif", ".hif"}
)
PREFIX_BYTES = 32
_BARE_PNM = re.compile(rb"P[0-9fFy][\s#]")
_PNM_COMMENT = re.compile(rb"#[^\r\n]*")
_PNM_HEADER_BYTES = 1 << 16
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis")
# Targa files have no magic number: color map or not, kind, and depth are all there is to tell them by.
_TARGA = {(0, 2), (0, 3), (0, 10), (0, 11), (1, 1), (1, 9)}


def is_tiff(prefix: bytes) -> bool:
    """Whether a file that begins so is a TIFF."""
    return prefix[:4] in _TIFF_MAGIC


def open_image(stream: BinaryIO, prefix: bytes, name: str) -> Image.Image:
    """Open with the first reader that knows the file's first bytes. Nothing is decoded yet.

    prefix: the first 32 bytes. Raises UnreadablePicture where no reader knows them, and what readers raise (`DAMAGE`).
    """
    prefix = prefix.ljust(PREFIX_BYTES, b"\0")  # of a file of a few bytes
    brands = prefix[8:] if prefix[4:8] == b"ftyp" else b""
    if any(brand in brands for brand in _HEIF_BRANDS):
        return _open_heif(stream, name)
    if _BARE_PNM.match(prefix):
        _refuse_endless_header(stream, name)
    for format_name, module in _READERS.items():
        importlib.import_module(f"PIL.{module}")
        factory, accepts = Image.OPEN[format_name]
        accepted = accepts(prefix) if accepts else False
        if isinstance(accepted, str):
            raise UnreadablePicture(f"{name}: {accepted}")  # Pillow was built without this format
        if accepted:
            stream.seek(0)
            return factory(stream, "")
    if (prefix[1], prefix[2]) in _TARGA and prefix[16] in (8, 15, 16, 24, 32):
        from PIL.TgaImagePlugin import TgaImageFile

        stream.seek(0)
        return TgaImageFile(stream, "")
    raise UnreadablePicture(
        f"{name}: is not a picture in a format u2net reads "
        "(JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC, BMP, JPEG 2000, PSD and some more)"
    )


def declared_pixels(opened: Opened) -> int | None:
    """How many pixels a file says to have, of which nothing is decoded; None where that cannot be told like this."""
    try:
        opened.stream.seek(0)
        image = open_image(opened.stream, opened.stream.read(PREFIX_BYTES), opened.name)
        return image.width * image.height
    except DAMAGE:
        return None


def _refuse_endless_header(stream: BinaryIO, name: str) -> None:
    """Pillow reads the header of a PNM file byte by byte, however long its comments are."""
    stream.seek(0)
    start = stream.read(_PNM_HEADER_BYTES)
    if len(start) == _PNM_HEADER_BYTES and len(_PNM_COMMENT.sub(b"", start).split(None, 4)) < 4:
        raise UnreadablePicture(f"{name}: its header is longer than {_PNM_HEADER_BYTES} bytes")


def _open_heif(stream: BinaryIO, name: str) -> Image.Image:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise UnreadablePicture(f"{name}: a HEIC picture needs pillow-heif; {install_hint('heif')}") from error
    stream.seek(0)
    image: Image.Image = HeifImageFile(stream)
    return image
