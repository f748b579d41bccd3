"""Pictures out: pixels become the bytes of a PNG, WebP, JPEG or TIFF file, profile and EXIF kept."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Literal, TypeAlias

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from u2net.atomic import atomic_file
from u2net.colour import to_depth
from u2net.errors import BadInput, CannotWrite

Format: TypeAlias = Literal["png", "webp", "jpeg", "tiff"]
Compress: TypeAlias = Literal["fast", "balanced", "small"]

FORMATS: tuple[Format, ...] = ("png", "webp", "jpeg", "tiff")
_FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff",
}  # fmt: skip
SUFFIX_OF_FORMAT: dict[str, str] = {"png": ".png", "webp": ".webp", "jpeg": ".jpg", "tiff": ".tif"}

# Sides that the formats' own headers allow.
_MAX_SIDE = {"webp": 16_383, "jpeg": 65_500}
_QUALITY = {"webp": 90, "jpeg": 92}
_WEBP_METHOD = {"fast": 2, "balanced": 4, "small": 6}


def format_of(path: str | Path) -> Format | None:
    """The output format that a file name's suffix stands for, or None."""
    return _FORMAT_OF_SUFFIX.get(Path(path).suffix.lower())


def encode(
    pixels: NDArray[np.uint8 | np.uint16],
    *,
    format: Format = "png",
    compress: Compress = "fast",
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
) -> bytes:
    """Encode a picture.

    pixels: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA with straight alpha, uint8 or uint16. PNG and TIFF keep 16
    bits, WebP and JPEG get 8. JPEG has no alpha: lay the picture over a background first.
    compress: `fast`, `balanced` or `small`, how much time may be spent; the pixels are the same but for none of them:
    WebP and JPEG are lossy at a fixed quality (90 and 92).
    Raises BadInput where the format cannot hold the picture.
    """
    height, width = pixels.shape[:2]
    limit = _MAX_SIDE.get(format)
    if limit and max(height, width) > limit:
        raise BadInput(
            f"{format.upper()} holds at most {limit} pixels a side, the picture is {width} x {height}; use PNG"
        )
    if format == "png":
        return _encode_png(pixels, compress, icc, dpi, exif, xmp)
    if format == "tiff":
        return _encode_tiff(pixels, icc, dpi)
    has_alpha = pixels.ndim == 3 and pixels.shape[2] == 4
    if format == "jpeg" and has_alpha:
        raise BadInput("JPEG has no transparency; give a background, or use PNG")
    image = Image.fromarray(to_depth(pixels, np.dtype(np.uint8)))
    options: dict[str, object] = {"quality": _QUALITY[format], "icc_profile": icc, "exif": exif or b""}
    if xmp:
        options["xmp"] = xmp
    if format == "webp":
        options["method"] = _WEBP_METHOD[compress]
    else:
        # No chroma subsampling: the cut edge is the sharpest colour edge there is.
        options |= {"subsampling": 0, "optimize": compress != "fast", "dpi": dpi or (0, 0)}
    buffer = io.BytesIO()
    try:
        image.save(buffer, format, **options)
    except (OSError, ValueError) as error:  # EXIF over JPEG's 64 KB segment, mostly
        raise BadInput(f"the picture cannot be written as {format.upper()}: {error}; use PNG") from error
    return buffer.getvalue()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises CannotWrite."""
    try:
        with atomic_file(path) as stream:
            stream.write(data)
    except OSError as error:
        raise CannotWrite(f"{path}: cannot be written: {error.strerror or error}") from error


def _encode_png(
    pixels: NDArray[np.uint8 | np.uint16],
    compress: Compress,
    icc: bytes | None,
    dpi: tuple[float, float] | None,
    exif: bytes | None,
    xmp: bytes | None,
) -> bytes:
    # Cutouts of two photographs at 3 megapixels, seconds and bytes against Pillow's default: fast .18 and 1.16 to 1.25,
    # balanced .47 and 1.05; on a noisier one fast is .97, and small takes the best of three.
    every = (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_ALL_FILTERS)
    fast = (1, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG)
    settings = {
        "fast": [fast],
        "balanced": [(4, cv2.IMWRITE_PNG_STRATEGY_FILTERED, *every)],
        "small": [
            (1, cv2.IMWRITE_PNG_STRATEGY_RLE, *every),
            (6, cv2.IMWRITE_PNG_STRATEGY_FILTERED, *every),
            (6, cv2.IMWRITE_PNG_STRATEGY_DEFAULT, *every),
        ],
    }[compress]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    to_bgr = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    bgr = cv2.cvtColor(pixels, to_bgr[channels]) if channels in to_bgr else pixels
    candidates = []
    for level, strategy, *filters in settings:
        parameters = [cv2.IMWRITE_PNG_COMPRESSION, level, cv2.IMWRITE_PNG_STRATEGY, strategy, *filters]
        done, data = cv2.imencode(".png", bgr, parameters)
        if not done:
            raise BadInput(f"PNG cannot hold a picture of shape {pixels.shape}")
        candidates.append(data)
    data = min(candidates, key=len)

    chunks = []
    if icc:
        chunks.append(_png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc)))
    if dpi:
        per_metre = [round(value / 0.0254) for value in dpi]
        chunks.append(_png_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if exif:
        chunks.append(_png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp:
        chunks.append(_png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    after_header = 8 + 12 + 13  # signature, chunk frame, IHDR
    view = data.data
    return b"".join([view[:after_header], *chunks, view[after_header:]])


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _encode_tiff(pixels: NDArray[np.uint8 | np.uint16], icc: bytes | None, dpi: tuple[float, float] | None) -> bytes:
    buffer = io.BytesIO()
    colour = pixels.ndim == 3
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
        software="u2net",
    )
    return buffer.getvalue()
