"""TIFF: files with more than 8 bits a sample in, every depth out.

Pillow reads 8-bit files; it opens 16-bit colour as 8-bit and refuses float colour.
"""

from __future__ import annotations

import io
import logging
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from u2net.damage import DAMAGE
from u2net.errors import UnreadablePicture
from u2net.metadata import EXIF_IFD, GPS_IFD, TIFF_LAYOUT

log = logging.getLogger("u2net")

_ICC, _XMP = 34675, 700
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB = 0, 1, 2
_ASSOCIATED, _UNASSOCIATED = 1, 2
_UINT, _FLOAT = 1, 3
_NONE, _DEFLATE = (1,), (8, 32946)


@dataclass(frozen=True)
class DeepHeader:
    """What a TIFF file with more than 8 bits a sample says of its first picture. size: (H, W)."""

    page: tifffile.TiffPage
    size: tuple[int, int]
    grey: bool
    alpha: bool


def open_deep(stream: BinaryIO, name: str) -> DeepHeader | None:
    """Look at a TIFF file; None where Pillow is to read it (8 bits, CMYK, LAB, damaged headers).

    Raises UnreadablePicture for samples that no picture has.
    """
    try:
        stream.seek(0)  # tifffile takes the present position for the beginning
        page = tifffile.TiffFile(stream, name="picture.tif").pages[0]
        bits, layout = page.bitspersample, page.photometric
        kind, samples = page.sampleformat, page.samplesperpixel
        extra = tuple(page.extrasamples)
        height, width = page.imagelength, page.imagewidth
    except DAMAGE:
        return None
    if not isinstance(bits, int) or layout not in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB):
        return None
    if bits < 16 and kind == _UINT:
        return None
    if (kind, bits) not in {(_UINT, 16), (_FLOAT, 16), (_FLOAT, 32), (_FLOAT, 64)}:
        word = {1: "unsigned", 2: "signed", 3: "floating-point"}.get(kind, "strange")
        raise UnreadablePicture(f"{name}: holds {bits}-bit {word} samples; convert it to 8 or 16 bits first")
    colours = 3 if layout == _RGB else 1
    if samples < colours or samples > colours + 1:
        raise UnreadablePicture(f"{name}: holds {samples} samples a pixel; convert it to grey, RGB or RGBA first")
    return DeepHeader(page, (height, width), grey=colours == 1, alpha=extra[:1] in ((_ASSOCIATED,), (_UNASSOCIATED,)))


def decode_deep(
    stream: BinaryIO, header: DeepHeader, name: str
) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """(H, W) grey or (H, W, 3) RGB, and the straight alpha or None; uint16.

    Floating-point samples are taken as 0, black, to 1, white; others are clipped with a warning. Raises ValueError.
    """
    page = header.page
    samples = _with_opencv(stream, page) if _opencv_knows(page) else _with_tifffile(page)
    if samples.shape[:2] != header.size:
        raise ValueError("its pixels cannot be decoded")
    if samples.dtype.kind == "f":
        samples = _from_float(samples, name)
    samples = samples.reshape(*header.size, -1)
    colours = samples[..., 0] if header.grey else np.ascontiguousarray(samples[..., :3])
    if page.photometric == _MIN_IS_WHITE:
        colours = 65535 - colours
    alpha = np.ascontiguousarray(samples[..., -1]) if header.alpha else None
    if alpha is not None and page.extrasamples[0] == _ASSOCIATED:
        colours = _divided(colours, alpha)
    return np.ascontiguousarray(colours), alpha


def exif_of(stream: BinaryIO) -> Image.Exif:
    """All tags of a TIFF file's first directory, those of the picture's layout too. Empty where they are damaged."""
    stream.seek(0)
    exif = Image.Exif()
    try:
        exif.load_from_fp(stream)
        len(exif)
    except DAMAGE:
        return Image.Exif()
    return exif


def icc_and_xmp(exif: Image.Exif) -> tuple[bytes | None, Any]:
    """The blocks that a TIFF file keeps as tags."""
    icc = exif.get(_ICC)
    return icc if isinstance(icc, bytes) else None, exif.get(_XMP)


def _opencv_knows(page: tifffile.TiffPage) -> bool:
    return page.planarconfig == 1 and page.samplesperpixel in (1, 3, 4) and page.dtype != np.float16


def _with_opencv(stream: BinaryIO, page: tifffile.TiffPage) -> NDArray[Any]:
    stream.seek(0)
    decoded = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != page.dtype:
        raise ValueError("its pixels cannot be decoded")
    if decoded.ndim == 3:
        decoded = decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]
    samples: NDArray[Any] = decoded
    return samples


def _with_tifffile(page: tifffile.TiffPage) -> NDArray[Any]:
    if page.compression not in (*_NONE, *_DEFLATE):
        raise ValueError(f"its samples lie in planes, compressed as {page.compression.name}; save it uncompressed")
    expected = page.size * page.dtype.itemsize
    if page.compression in _NONE and sum(page.databytecounts) < expected:
        raise ValueError("the file ends too early")
    if page.compression in _DEFLATE:
        _refuse_bomb(page, expected)
    decoded: NDArray[Any] = page.asarray(maxworkers=1)
    return decoded.transpose(1, 2, 0) if page.planarconfig == 2 and decoded.ndim == 3 else decoded


def _refuse_bomb(page: tifffile.TiffPage, expected: int) -> None:
    """tifffile inflates a strip whatever it becomes; no strip may become more than the whole picture."""
    handle = page.parent.filehandle
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        handle.seek(offset)
        inflater = zlib.decompressobj()
        inflater.decompress(handle.read(length), expected + 1)
        if inflater.unconsumed_tail:
            raise ValueError("a strip of it is larger than the picture")


def _from_float(samples: NDArray[Any], name: str) -> NDArray[np.uint16]:
    low, high = float(np.nanmin(samples)), float(np.nanmax(samples))
    broken = not np.isfinite(samples.sum(dtype=np.float64))
    if broken or low < 0 or high > 1:
        also = ", and values that are no numbers" if broken else ""
        log.warning(
            "%s: its samples go from %g to %g%s; 0 is black, 1 is white, the rest is clipped", name, low, high, also
        )
    whole = np.nan_to_num(samples.astype(np.float32, copy=False), nan=0.0, posinf=1.0, neginf=0.0)
    scaled: NDArray[np.uint16] = np.rint(np.clip(whole, 0, 1) * np.float32(65535)).astype(np.uint16)
    return scaled


def _divided(colours: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Straight colours of colours that were multiplied by alpha."""
    opacity = np.maximum(alpha, 1).astype(np.float32) / np.float32(65535)
    if colours.ndim == 3:
        opacity = opacity[..., None]
    straight: NDArray[np.uint16] = np.rint(np.minimum(colours / opacity, 65535)).astype(np.uint16)
    return straight


def encode_tiff(
    pixels: NDArray[np.uint8 | np.uint16],
    *,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
) -> bytes:
    """The bytes of a TIFF file, deflated. pixels as for `png.encode_png`; alpha is stored straight."""
    colour = pixels.ndim == 3
    block = Image.Exif()
    if exif:
        block.load(exif)
    tags: list[tuple[int, int, int, Any, bool]] = [(_XMP, 1, len(xmp), xmp, True)] if xmp else []
    tags += _plain_tags(block)
    pointers = [tag for tag in (EXIF_IFD, GPS_IFD) if block.get_ifd(tag)]
    tags += [(tag, 4, 1, 0, True) for tag in pointers]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels,
        photometric="rgb" if colour else "minisblack",
        extrasamples=["unassalpha"] if colour and pixels.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        iccprofile=icc,
        resolution=dpi,
        resolutionunit="INCH" if dpi else None,
        metadata=None,
        software=False,
        byteorder="<",
        extratags=tags,
    )
    for tag in pointers:
        _append_directory(buffer, tag, block.get_ifd(tag))
    return buffer.getvalue()


# Written by tifffile from its own arguments.
_OWN_TAGS = frozenset({282, 283})
_TYPES_AS_THEY_ARE = {1, 2, 3, 4, 6, 7, 8, 9}
_RATIONALS = {5: 2**32 - 1, 10: 2**31 - 1}


def _plain_tags(exif: Image.Exif) -> list[tuple[int, int, int, Any, bool]]:
    """EXIF's main directory as tifffile takes it: (tag, type, count, value, once)."""
    directory = ImageFileDirectory_v2()
    found = []
    for tag, value in exif.items():
        if tag in TIFF_LAYOUT or tag in _OWN_TAGS or tag in (EXIF_IFD, GPS_IFD):
            continue
        directory[tag] = value
        if isinstance(directory.get(tag), dict):
            continue  # a directory of its own, such as interoperability
        kind, stored = directory.tagtype[tag], directory[tag]
        if kind in _TYPES_AS_THEY_ARE:
            text = isinstance(stored, (str, bytes))
            found.append(
                (tag, kind, 0 if kind == 2 else len(stored) if text or isinstance(stored, tuple) else 1, stored, True)
            )
        elif kind in _RATIONALS:
            values = stored if isinstance(stored, tuple) else (stored,)
            pairs = [part for value in values for part in value.limit_rational(_RATIONALS[kind])]
            found.append((tag, kind, len(values), tuple(pairs), True))
    return found


def _append_directory(buffer: io.BytesIO, tag: int, values: dict[int, Any]) -> None:
    """Write a directory at the file's end, where the main directory's entry `tag` then points."""
    data = buffer.getbuffer()
    main = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, main)[0]
    entry = next(
        at for at in range(main + 2, main + 2 + 12 * count, 12) if struct.unpack_from("<H", data, at)[0] == tag
    )
    end = len(data) + len(data) % 2
    struct.pack_into("<I", data, entry + 8, end)
    data.release()
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for key, value in values.items():
        if not isinstance(value, dict):
            directory[key] = value
    buffer.seek(end)
    buffer.write(directory.tobytes(end))
