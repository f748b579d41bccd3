"""TIFF: files with more than 8 bits a sample in, every depth out.

Pillow reads 8-bit files; it opens 16-bit color as 8-bit and refuses float color.
"""

from __future__ import annotations

import io
import logging
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from u2net.errors import UnreadablePicture
from u2net.imaging.samples import first_channels
from u2net.io.decoders import DAMAGE
from u2net.io.exif import EXIF_IFD, GPS_IFD, ORIENTATION, Block, DamagedExif, packed, pointer
from u2net.io.metadata import TIFF_LAYOUT

if TYPE_CHECKING:
    import tifffile  # 40 ms to load, for files that few have

log = logging.getLogger("u2net")

_ICC, _XMP = 34675, 700
_BYTE = 1
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

    @property
    def pixel_bytes(self) -> int:
        """Of the decoded picture, where grey becomes RGB, and of the decoder's copy; twice where more is to do."""
        one = int(self.page.dtype.itemsize) * (3 + self.alpha) + 2
        return one * (2 if self.page.planarconfig == 2 or _ASSOCIATED in self.page.extrasamples else 1)


def open_deep(stream: BinaryIO, name: str) -> DeepHeader | None:
    """Look at a TIFF file; None where Pillow is to read it (8 bits, CMYK, LAB, damaged headers).

    Raises UnreadablePicture for samples that no picture has.
    """
    import tifffile

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
    colors = 3 if layout == _RGB else 1
    if samples < colors or samples > colors + 1:
        raise UnreadablePicture(f"{name}: holds {samples} samples a pixel; convert it to grey, RGB or RGBA first")
    return DeepHeader(page, (height, width), grey=colors == 1, alpha=extra[:1] in ((_ASSOCIATED,), (_UNASSOCIATED,)))


def decode_deep(
    stream: BinaryIO, header: DeepHeader, name: str
) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """(H, W) grey or (H, W, 3) RGB, and the straight alpha or None; uint16.

    Floating-point samples are taken as 0, black, to 1, white; others are clipped with a warning. Raises ValueError.
    """
    page = header.page
    samples = _with_opencv(stream, page) if _opencv_knows(page) else _with_tifffile(page, name)
    if samples.shape[:2] != header.size:
        raise ValueError("its pixels cannot be decoded")
    if samples.dtype.kind == "f":
        samples = _from_float(samples, name)
    if _opencv_knows(page) and samples.ndim == 3:
        cv2.cvtColor(samples, cv2.COLOR_BGRA2RGBA if samples.shape[2] == 4 else cv2.COLOR_BGR2RGB, dst=samples)
    samples = samples.reshape(*header.size, -1)
    alpha = np.ascontiguousarray(samples[..., -1]) if header.alpha else None
    colors = first_channels(samples, 1 if header.grey else 3)
    if page.photometric == _MIN_IS_WHITE:
        np.subtract(65535, colors, out=colors)
    if alpha is not None and page.extrasamples[0] == _ASSOCIATED:
        _divide(colors, alpha)
    return colors[..., 0] if header.grey else colors, alpha


def tags_of(stream: BinaryIO) -> Image.Exif:
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
    """(H, W), (H, W, 3) BGR or (H, W, 4) BGRA."""
    stream.seek(0)
    data: bytes | bytearray = stream.read()
    turned = page.tags.get(ORIENTATION)
    if turned is not None and turned.value != 1:  # OpenCV would apply it; it is ours to apply, to alpha alike
        data = bytearray(data)
        struct.pack_into(page.parent.byteorder + "H", data, turned.valueoffset, 1)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != page.dtype:
        raise ValueError("its pixels cannot be decoded")
    samples: NDArray[Any] = decoded
    return samples


def _with_tifffile(page: tifffile.TiffPage, name: str) -> NDArray[Any]:
    if page.compression not in (*_NONE, *_DEFLATE):
        laid = "planes" if page.planarconfig == 2 else f"groups of {page.samplesperpixel}"
        raise UnreadablePicture(
            f"{name}: its samples lie in {laid}, compressed as {page.compression.name}; save it uncompressed"
        )
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
    low, high = float(np.fmin.reduce(samples, axis=None)), float(np.fmax.reduce(samples, axis=None))
    broken = not np.isfinite(samples).all()
    if broken or low < 0 or high > 1:
        also = ", and values that are no numbers" if broken else ""
        log.warning(
            "%s: its samples go from %g to %g%s; 0 is black, 1 is white, the rest is clipped", name, low, high, also
        )
    scaled = np.empty(samples.shape, np.uint16)
    for top in range(0, samples.shape[0], 64):  # a band at a time: each step makes a copy
        band = np.nan_to_num(np.clip(samples[top : top + 64], 0, 1), nan=0.0)
        scaled[top : top + 64] = np.rint(band.astype(np.float32) * np.float32(65535))
    return scaled


def _divide(colors: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> None:
    """Make colors (H, W, C) straight that were multiplied by alpha, where they are."""
    for top in range(0, alpha.shape[0], 64):
        opacity = np.maximum(alpha[top : top + 64], 1)[..., None] / np.float32(65535)
        band = colors[top : top + 64]
        band[:] = np.rint(np.minimum(band / opacity, 65535))


def encode_tiff(
    pixels: NDArray[np.uint8 | np.uint16],
    *,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
) -> bytes:
    """The bytes of a TIFF file, deflated. pixels as for `png.encode_png`; alpha is stored straight."""
    import tifffile

    color = pixels.ndim == 3
    block = _block_of(exif)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels,
        photometric="rgb" if color else "minisblack",
        extrasamples=["unassalpha"] if color and pixels.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        iccprofile=icc,
        resolution=dpi,
        resolutionunit="INCH" if dpi else None,
        metadata=None,
        software=False,
        byteorder=block.order if block else "<",
        extratags=[(_XMP, _BYTE, len(xmp), xmp, True)] if xmp else [],
    )
    if block:
        _add_exif(buffer, block)
    return buffer.getvalue()


def _block_of(exif: bytes | None) -> Block | None:
    try:
        return Block(exif.removeprefix(b"Exif\0\0")) if exif else None
    except DamagedExif:
        return None


def _add_exif(buffer: io.BytesIO, block: Block) -> None:
    """Write an EXIF block's directories at a TIFF file's end, its main directory merged with the file's own."""
    try:
        entries, _ = block.directory()
    except DamagedExif:
        return
    file = Block(buffer.getvalue())
    merged, _ = file.directory()
    below = {tag: block.below(entries, tag) for tag in (EXIF_IFD, GPS_IFD)}
    for tag, entry in entries.items():
        if tag not in TIFF_LAYOUT and tag not in merged and tag not in below:
            merged[tag] = replace(entry, at=0)
    for tag, directory in below.items():
        if directory:
            at = _even_end(buffer)
            buffer.write(packed(directory, at, block.order))
            merged[tag] = pointer(tag, at, block.order)
    at = _even_end(buffer)
    buffer.write(packed(merged, at, block.order, in_place=True))
    buffer.seek(4)
    buffer.write(struct.pack(block.order + "I", at))


def _even_end(buffer: io.BytesIO) -> int:
    end = buffer.seek(0, io.SEEK_END)
    return end + buffer.write(bytes(end % 2))
