"""Pictures in: a file, bytes, a Pillow image or an array becomes a `Picture`. Nothing past here holds a Pillow object.

Formats are opened one by one by their own reader, never through `Image.open`: that leaves out the formats that start
another program (EPS, PS) or fetch something, and lets the limits be arguments instead of Pillow's global.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import stat
import struct
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

from u2net.colour import image_to_srgb, profile_space
from u2net.errors import BadInput, PictureTooLarge, UnreadablePicture
from u2net.types import Picture, Pixels

Source: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[Any] | Picture
)

MAX_PIXELS = 200_000_000
MAX_BYTES = 500_000_000

# Pillow's name of a format, and the module that reads it. JPEG includes MPO, which phones write.
_READERS = {
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "WEBP": "WebPImagePlugin",
    "GIF": "GifImagePlugin",
    "TIFF": "TiffImagePlugin",
    "AVIF": "AvifImagePlugin",
    "BMP": "BmpImagePlugin",
}
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".avif", ".bmp"}
)

# What Pillow's readers raise on damaged files. OSError covers truncation and UnidentifiedImageError.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    AttributeError,
    ZeroDivisionError,
    NotImplementedError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: lambda a: cv2.flip(a, 1),
    3: lambda a: cv2.rotate(a, cv2.ROTATE_180),
    4: lambda a: cv2.flip(a, 0),
    5: lambda a: cv2.transpose(a),
    6: lambda a: cv2.rotate(a, cv2.ROTATE_90_CLOCKWISE),
    7: lambda a: cv2.flip(cv2.transpose(a), -1),
    8: lambda a: cv2.rotate(a, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_XMP_ORIENTATION = re.compile(rb"""\s*tiff:Orientation=(["']).*?\1|<tiff:Orientation>.*?</tiff:Orientation>""")

# TIFF keeps layout and description in one directory; these are layout, or blocks that are carried elsewhere.
_TIFF_LAYOUT_TAGS = {*range(254, 260), 262, 266, 273, 274, *range(277, 285), 296, 297, 317, 320, *range(322, 326)} | {
    330, 338, 339, 347, 529, 530, 531, 532, 700, 33723, 34377, 34675,
}  # fmt: skip


def read(source: Source, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> Picture:
    """Decode one picture, upright and in RGB.

    source: a path; the bytes of a file; a binary file object; a Pillow image; an array (H, W), (H, W, 3) or
    (H, W, 4), RGB order, uint8 or uint16; or a Picture, which is returned as it is.
    The eight EXIF orientations are applied. An RGB colour profile is kept beside the pixels; pixels with a grey, CMYK
    or LAB profile are converted to sRGB. Animations give their first frame.
    Raises UnreadablePicture, PictureTooLarge (over `max_pixels` or, for encoded input, `max_bytes`), BadInput.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        return _from_pillow(source, "the Pillow image", max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        return _decode(io.BytesIO(data), len(data), "the picture", max_pixels, max_bytes)
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(source), max_pixels, max_bytes)
    if hasattr(source, "read"):
        data = source.read(max_bytes + 1)
        if not isinstance(data, bytes):
            raise BadInput("the file object gives text; open it in binary mode: open(path, 'rb')")
        return _decode(io.BytesIO(data), len(data), "the picture", max_pixels, max_bytes)
    raise BadInput(
        f"cannot read a picture from {type(source).__name__}; "
        "give a path, bytes, a binary file, a Pillow image or an array"
    )


def _read_file(path: Path, max_pixels: int, max_bytes: int) -> Picture:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadablePicture(f"{path}: is a folder; name a picture in it, or give the folder to `u2net remove`")
        with path.open("rb") as stream:
            if stat.S_ISREG(status.st_mode):
                return _decode(stream, status.st_size, str(path), max_pixels, max_bytes)
            data = stream.read(max_bytes + 1)  # a pipe or a device has no size
        return _decode(io.BytesIO(data), len(data), str(path), max_pixels, max_bytes)
    except FileNotFoundError as error:
        raise UnreadablePicture(f"{path}: there is no such file") from error
    except OSError as error:
        raise UnreadablePicture(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a null byte in the name; our own errors pass through
        if isinstance(error, BadInput):
            raise
        raise UnreadablePicture(f"{str(path)!r}: is not a file name: {error}") from error


def _decode(stream: BinaryIO, size_bytes: int, name: str, max_pixels: int, max_bytes: int) -> Picture:
    if size_bytes == 0:
        raise UnreadablePicture(f"{name}: is empty (0 bytes)")
    if size_bytes > max_bytes:
        raise PictureTooLarge(f"{name}: is larger than {max_bytes / 1e6:g} MB; raise max_bytes if you trust it")
    try:
        image = _open(stream, name)
    except _DAMAGE as error:
        if isinstance(error, BadInput):
            raise
        raise UnreadablePicture(f"{name}: the picture is damaged ({error})") from error
    with image:
        return _from_pillow(image, name, max_pixels)


def _open(stream: BinaryIO, name: str) -> Image.Image:
    """Open with the first reader that knows the file's first bytes. Nothing is decoded yet."""
    prefix = stream.read(16)
    for format_name, module in _READERS.items():
        importlib.import_module(f"PIL.{module}")
        factory, accepts = Image.OPEN[format_name]
        accepted = accepts(prefix) if accepts else False
        if isinstance(accepted, str):
            raise UnreadablePicture(f"{name}: {accepted}")  # Pillow was built without this format
        if accepted:
            stream.seek(0)
            return factory(stream, "")
    raise UnreadablePicture(f"{name}: is not a picture in a format u2net reads ({', '.join(_READERS)})")


def _from_pillow(image: Image.Image, name: str, max_pixels: int) -> Picture:
    width, height = image.size
    _check_size(height, width, name, max_pixels)
    try:
        turned = image.getexif().get(_ORIENTATION_TAG, 1) in (5, 6, 7, 8)
        if isinstance(image, ImageFile.ImageFile):
            image.load()
        exif = image.getexif()  # asked again: of TIFF, and only of TIFF, Pillow's load has applied the orientation
        pixels, alpha, icc = _planes(image, name)
        upright = _UPRIGHT.get(exif.get(_ORIENTATION_TAG, 1))
        if upright:
            pixels, alpha = upright(pixels), None if alpha is None else upright(alpha)
        dpi = _dpi(image.info.get("dpi"))
        if dpi and turned:
            dpi = dpi[::-1]
        return Picture(pixels, alpha, icc, dpi, _exif_bytes(exif, image.format), _xmp_bytes(image.info.get("xmp")))
    except _DAMAGE as error:
        if isinstance(error, BadInput):
            raise
        raise UnreadablePicture(f"{name}: the picture is damaged ({error})") from error


def _check_size(height: int, width: int, name: str, max_pixels: int) -> None:
    if height < 1 or width < 1:
        raise UnreadablePicture(f"{name}: has no pixels ({width} x {height})")
    if height * width > max_pixels:
        raise PictureTooLarge(
            f"{name}: {width} x {height} is {height * width / 1e6:.0f} megapixels, over the limit of "
            f"{max_pixels / 1e6:g}; raise max_pixels (--max-megapixels) if you trust it"
        )


def _planes(image: Image.Image, name: str) -> tuple[Pixels, Pixels | None, bytes | None]:
    """RGB, alpha and the RGB profile of a loaded Pillow image of any mode."""
    if image.mode == "F":
        raise UnreadablePicture(f"{name}: holds floating-point samples; convert it to 8 or 16 bits first")
    if image.mode.startswith("I"):
        grey = np.asarray(image)
        if grey.min() < 0 or grey.max() > 65535:
            raise UnreadablePicture(f"{name}: holds 32-bit samples; convert it to 8 or 16 bits first")
        return cv2.merge([grey.astype(np.uint16)] * 3), None, None

    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("La", "LA") else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = image.convert("L" if image.mode == "LA" else "RGB")

    icc: bytes = image.info.get("icc_profile") or b""
    space = profile_space(icc)
    if (image.mode, space) in {("L", "GRAY"), ("CMYK", "CMYK"), ("LAB", "Lab")}:
        try:
            return np.asarray(image_to_srgb(image, icc)), alpha, None
        except ImageCms.PyCMSError:  # a profile that only looks whole: Pillow's plain conversion is the next best
            space = None
    return np.asarray(image.convert("RGB")), alpha, icc if space == "RGB" else None


def _from_array(array: NDArray[Any], max_pixels: int) -> Picture:
    if array.dtype not in (np.uint8, np.uint16):
        hint = "; scale it: (array * 255).round().astype('uint8')" if array.dtype.kind == "f" else ""
        raise BadInput(f"expected an array of uint8 or uint16, got {array.dtype}{hint}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise BadInput(f"expected an array of shape (H, W), (H, W, 3) or (H, W, 4), got {array.shape}")
    _check_size(array.shape[0], array.shape[1], "the array", max_pixels)
    if array.ndim == 2:
        return Picture(cv2.merge([array] * 3))
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(array[..., :3]), alpha)


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def _exif_bytes(exif: Image.Exif, file_format: str | None) -> bytes | None:
    """EXIF without the orientation, and without the thumbnail, which shows the old background."""
    exif.pop(_ORIENTATION_TAG, None)
    if file_format == "TIFF":
        for tag in _TIFF_LAYOUT_TAGS.intersection(exif):
            del exif[tag]
    try:
        return exif.tobytes() if len(exif) else None
    except _DAMAGE:
        return None  # a picture with a damaged EXIF block is still a picture


def _xmp_bytes(value: Any) -> bytes | None:
    if isinstance(value, str):
        value = value.encode()
    return _XMP_ORIENTATION.sub(b"", value) if isinstance(value, bytes) and value else None
