"""Pictures out: pixels become the bytes of a PNG, WebP, AVIF, JPEG, TIFF or GIF file, profile and EXIF kept."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from u2net.errors import BadInput
from u2net.imaging.samples import to_eight_bits
from u2net.io.exif import with_resolution
from u2net.io.gif import encode_gif
from u2net.io.png import Compress, encode_png
from u2net.io.tiff import encode_tiff
from u2net.types import Size, size_of

log = logging.getLogger("u2net")

Format: TypeAlias = Literal["png", "webp", "avif", "jpeg", "tiff", "gif"]

_FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".png": "png", ".apng": "png", ".webp": "webp", ".avif": "avif", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff",
    ".tiff": "tiff", ".gif": "gif",
}  # fmt: skip
SUFFIX_OF_FORMAT: dict[str, str] = {
    "png": ".png", "webp": ".webp", "avif": ".avif", "jpeg": ".jpg", "tiff": ".tif", "gif": ".gif",
}  # fmt: skip

# Bytes of a JPEG segment, less its length, XMP's mark, and the room for a resolution in EXIF.
_MOST_SEGMENT = {"EXIF": 65_533 - 64, "XMP": 65_533 - 29}
# Sides that the formats' own headers allow.
_MAX_SIDE = {"webp": 16_383, "jpeg": 65_500, "avif": 65_535, "gif": 65_535}
# Where the error of a cutout's edge is hardly seen; each format has a scale of its own.
_QUALITY = {"webp": 90, "jpeg": 92, "avif": 80}
_WEBP_METHOD = {"fast": 2, "balanced": 4, "small": 6}
_AVIF_SPEED = {"fast": 8, "balanced": 6, "small": 3}


def format_of(path: str | Path) -> Format | None:
    """The output format that a file name's suffix stands for, or None."""
    return _FORMAT_OF_SUFFIX.get(Path(path).suffix.lower())


def encode(
    pixels: NDArray[np.uint8 | np.uint16],
    *,
    format: Format = "png",
    compress: Compress = "fast",
    quality: int | None = None,
    lossless: bool = False,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
) -> bytes:
    """Encode a picture.

    pixels: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA with straight alpha, uint8 or uint16. PNG and TIFF keep 16
    bits, the others get 8. JPEG has no alpha: lay the picture over a background first. GIF has 255 colors, pixels that
    are opaque (from an alpha of a half on) or not there, and keeps no profile: give it sRGB.
    compress: `fast`, `balanced` or `small`, how much time may be spent.
    quality: 1 to 100, of the lossy formats; None: 90 (WebP), 80 (AVIF), 92 (JPEG). lossless: every pixel is kept, which
    PNG and TIFF do anyway, WebP on demand, JPEG and AVIF never.
    Raises BadInput where the format cannot hold the picture.
    """
    check_format(format, compress)
    check_sides(format, size_of(pixels))
    check_quality(format, quality, lossless)
    if dpi and not all(0 < value < 1e6 for value in dpi):
        raise BadInput(f"dpi is two numbers above 0 and below a million, not {dpi}")
    if format == "png":
        return encode_png(pixels, compress, icc=icc, dpi=dpi, exif=exif, xmp=xmp)
    if format == "gif":
        return encode_gif(to_eight_bits(pixels))
    if format == "tiff":
        return encode_tiff(pixels, icc=icc, dpi=dpi, exif=exif, xmp=xmp)
    if format == "jpeg" and pixels.ndim == 3 and pixels.shape[2] == 4:
        raise BadInput("JPEG has no transparency; give a background, or use PNG")
    if format == "jpeg":
        exif, xmp = _that_fit(exif, xmp)
    # JPEG has a field of its own, for whole numbers.
    if dpi and not (format == "jpeg" and all(value == round(value) <= 65_535 for value in dpi)):
        exif, dpi = with_resolution(exif, dpi), None
    options: dict[str, Any] = {"quality": quality or _QUALITY[format], "icc_profile": icc, "exif": exif or b""}
    if xmp:
        options["xmp"] = xmp
    # No chroma subsampling where it can be had: the cut edge is the sharpest color edge there is.
    if format == "webp":
        options |= webp_options(compress, quality, lossless)
    elif format == "avif":
        options |= {"subsampling": "4:4:4", "speed": _AVIF_SPEED[compress]}
    else:
        options |= {"subsampling": 0, "optimize": compress != "fast", "dpi": dpi or (0, 0)}
    buffer = io.BytesIO()
    try:
        Image.fromarray(to_eight_bits(pixels)).save(buffer, format, **options)
    except (OSError, ValueError) as error:
        raise BadInput(f"the picture cannot be written as {format.upper()}: {error}; use PNG") from error
    return buffer.getvalue()


def webp_options(compress: Compress, quality: int | None, lossless: bool) -> dict[str, Any]:
    """What Pillow's writer of WebP wants for our choices."""
    if lossless:  # its quality is effort
        quality = {"fast": 20, "balanced": 60, "small": 100}[compress]
    method = _WEBP_METHOD[compress]
    return {"quality": quality or _QUALITY["webp"], "method": method, "lossless": lossless, "exact": lossless}


def _that_fit(exif: bytes | None, xmp: bytes | None) -> tuple[bytes | None, bytes | None]:
    """The blocks that a JPEG has room for."""
    blocks = {"EXIF": exif, "XMP": xmp}
    for name, block in blocks.items():
        if block and len(block) > _MOST_SEGMENT[name]:
            log.warning("the %s of %d KB does not fit into a JPEG and is left out", name, len(block) / 1000)
            blocks[name] = None
    return blocks["EXIF"], blocks["XMP"]


def check_sides(format: Format, size: Size) -> None:
    """Raises BadInput where a format's own header cannot hold a picture of that size, (H, W)."""
    height, width = size
    limit = _MAX_SIDE.get(format)
    if limit and max(height, width) > limit:
        raise BadInput(
            f"{format.upper()} holds at most {limit} pixels a side, the picture is {width} x {height}; use PNG"
        )


def check_format(format: str, compress: str) -> None:
    """Raise BadInput for those that are not known."""
    if format not in SUFFIX_OF_FORMAT or compress not in _WEBP_METHOD:
        formats, efforts = ", ".join(SUFFIX_OF_FORMAT), ", ".join(_WEBP_METHOD)
        raise BadInput(f"format is one of {formats} and compress of {efforts}, not {format!r} and {compress!r}")


def check_quality(format: Format, quality: int | None, lossless: bool) -> None:
    """Raises BadInput for a quality out of 1 to 100, or where the format has no such choice."""
    if quality is not None and not 1 <= quality <= 100:
        raise BadInput(f"quality is a number from 1 to 100, not {quality}")
    if format == "gif" and (quality is not None or lossless):
        flag = "--quality" if quality is not None else "--lossless"
        raise BadInput(f"GIF reduces every picture to 255 colours; leave {flag} out, or use WebP or PNG")
    if quality is not None and (lossless or format in ("png", "tiff")):
        kind = "lossless WebP" if lossless else format.upper()
        raise BadInput(f"{kind} keeps every pixel and has no quality; leave --quality out")
    if lossless and format in ("jpeg", "avif"):
        raise BadInput(f"{format.upper()} as written here is always lossy; use WebP, PNG or TIFF")
