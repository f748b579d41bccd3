"""Pictures in: a file, bytes, a Pillow image or an array becomes a `Picture`. Past here there are no Pillow objects."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO, Any, BinaryIO, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

from u2net import types
from u2net.errors import BadInput, PictureTooLarge, UnreadablePicture
from u2net.imaging.icc import grey_table, profile_space, srgb_transform
from u2net.imaging.samples import to_depth
from u2net.io import exif, jpeg, metadata, png, tiff
from u2net.io.decoders import DAMAGE, PREFIX_BYTES, is_tiff, open_image
from u2net.io.picture import Picture
from u2net.io.source import Opened, open_source
from u2net.types import Pixels

Source: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[Any] | types.Picture
)

# Of 8-bit RGBA; what takes more memory while it is decoded counts for more. So no file, whatever it says of itself,
# makes this module take more than 1.5 GB.
MAX_PIXELS = 160_000_000
MAX_BYTES = 500_000_000
_BAND_PIXELS = 1 << 20
_TURNED = (5, 6, 7, 8)
# Bytes a pixel that the libraries behind these readers take, beside those of the picture itself.
_DECODER_BYTES = {"WEBP": 8, "AVIF": 8, "HEIF": 8, "JPEG2000": 12}
# An empty scan takes libjpeg-turbo .5 ms a megapixel, and a little even for one pixel: 3 s in all.
_MAX_SCANNED = 5_000_000_000
_SCAN_PIXELS = 10_000
# Not for memory but for time: these are converted to RGB by their profiles, at some 20 megapixels a second.
_MODE_BYTES = {"CMYK": 8, "LAB": 8}
_BITS_PER_SAMPLE = 258
_CONVERTED = {("L", "GRAY"), ("CMYK", "CMYK"), ("LAB", "Lab")}

_UPRIGHT: dict[int, Callable[[Pixels], Any]] = {
    2: lambda a: cv2.flip(a, 1),
    3: lambda a: cv2.rotate(a, cv2.ROTATE_180),
    4: lambda a: cv2.flip(a, 0),
    5: lambda a: cv2.transpose(a),
    6: lambda a: cv2.rotate(a, cv2.ROTATE_90_CLOCKWISE),
    7: lambda a: cv2.flip(cv2.transpose(a), -1),
    8: lambda a: cv2.rotate(a, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


@dataclass(frozen=True, eq=False)
class _Decoded:
    """What a file held, as it lay there. orientation: still to apply. turned: width and height change places."""

    pixels: Pixels
    alpha: Pixels | None
    icc: bytes | None
    exif: bytes | None
    xmp: Any
    dpi: tuple[float, float] | None
    orientation: int
    turned: bool


def read(source: Source, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> Picture:
    """Decode one picture, upright and in RGB.

    source: a path; the bytes of a file; a binary file object, from where it stands; a string that holds the picture: a
    data URL or base64; a Pillow image; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), RGB order, uint8 or uint16;
    or a Picture, which is returned as it is. Arrays of bool or float are refused, because nothing says what is white.
    Nothing is fetched: an address of the web is refused.
    The eight EXIF orientations are applied. 16-bit grey, RGB and RGBA of PNG and TIFF stay 16-bit; floating-point TIFF
    becomes 16-bit: 0 is black, 1 is white, the rest is clipped with a warning. An RGB color profile is kept beside the
    pixels; pixels with a grey, CMYK or LAB profile are converted to sRGB. Animations give their first frame. HEIC needs
    the extra `heif`.
    Raises UnreadablePicture, PictureTooLarge (over `max_pixels` or, for encoded input, `max_bytes`), BadInput.

    >>> picture = u2net.read("examples/coffee.jpg")
    >>> picture.pixels.shape, picture.pixels.dtype, picture.alpha
    ((400, 600, 3), dtype('uint8'), None)
    >>> u2net.read(np.zeros((4, 6), np.uint16)).pixels.shape
    (4, 6, 3)
    """
    if isinstance(source, types.Picture):
        return source if isinstance(source, Picture) else Picture(**vars(source))
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        try:
            return _upright(_from_pillow(source, "the Pillow image", max_pixels))
        except DAMAGE as error:
            raise _damaged(error, "the Pillow image") from error
    if isinstance(source, (bytes, bytearray, memoryview, str, os.PathLike)) or hasattr(source, "read"):
        with open_source(source, max_bytes) as opened:
            return decode(opened, max_pixels=max_pixels, max_bytes=max_bytes)
    raise BadInput(
        f"cannot read a picture from {type(source).__name__}; "
        "give a path, bytes, a binary file, a Pillow image or an array"
    )


def open_pillow(data: bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> Image.Image:
    """Decode a picture as Pillow does, in its own mode and not turned upright; only `compat` wants that.

    data: the bytes of a file. Limits and errors are those of `read`.
    """
    stream, name = io.BytesIO(data), "the picture"
    _check_bytes(len(data), name, max_bytes)
    try:
        prefix = data[:PREFIX_BYTES]
        cost = jpeg.cost_of(stream) if prefix.startswith(jpeg.SIGNATURE) else None
        image = open_image(stream, prefix, name)
        if cost:
            _check_cost(image, cost, name, max_pixels)
        _check_size(image.height, image.width, name, max_pixels, _DECODER_BYTES.get(image.format or "", 4))
        image.load()
        _check_size(image.height, image.width, name, max_pixels)
    except DAMAGE as error:
        raise _damaged(error, name) from error
    return image


def decode(opened: Opened, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> Picture:
    """As `read`, of a source that `open_source` has opened; from its beginning, wherever its stream stands."""
    stream, name = opened.stream, opened.name
    _check_bytes(opened.size_bytes, name, max_bytes)
    try:
        stream.seek(0)
        prefix = stream.read(PREFIX_BYTES)
        if png.is_sixteen_bit(prefix):
            return _upright(_from_deep_png(stream, prefix, name, max_pixels))
        deep = tiff.open_deep(stream, name) if is_tiff(prefix) else None
        if deep:
            return _upright(_from_deep_tiff(stream, deep, name, max_pixels))
        block = metadata.exif_of_tiff(stream) if is_tiff(prefix) else None  # now: it reads the whole file
        cost = jpeg.cost_of(stream) if prefix.startswith(jpeg.SIGNATURE) else None
        with open_image(stream, prefix, name) as image:
            if cost:
                _check_cost(image, cost, name, max_pixels)
            if (bits := png.grey_bits(prefix)) and isinstance(image.info.get("transparency"), int):
                image.info["transparency"] *= 255 // (2**bits - 1)  # Pillow scales the pixels only
            decoded = _from_pillow(image, name, max_pixels)
        return _upright(replace(decoded, exif=block) if is_tiff(prefix) else decoded)
    except DAMAGE as error:
        raise _damaged(error, name) from error


def _damaged(error: BaseException, name: str) -> BadInput:
    """Our own error as it is, any other as the sentence that the file is damaged."""
    if isinstance(error, BadInput):
        return error
    reason = " ".join(str(error).split())  # some readers' messages are several lines
    if reason == "unknown pixel mode":  # Pillow's, of TIFF
        return UnreadablePicture(
            f"{name}: holds samples that u2net does not read; convert it to 8 or 16 bits RGB first"
        )
    return UnreadablePicture(f"{name}: the picture is damaged ({reason or type(error).__name__})")


def _from_pillow(image: Image.Image, name: str, max_pixels: int) -> _Decoded:
    width, height = image.size
    _check_size(height, width, name, max_pixels, _DECODER_BYTES.get(image.format or "", _MODE_BYTES.get(image.mode, 4)))
    # Of TIFF, and only of TIFF, Pillow's load applies the orientation. (And only of TIFF do the tags come before it: to
    # find those of others Pillow loads the picture, and what then goes wrong is not said a second time.)
    before = metadata.tags_of(image).get(exif.ORIENTATION, 1) if image.format == "TIFF" else 1
    if isinstance(image, ImageFile.ImageFile):
        image.load()
        _check_size(image.height, image.width, name, max_pixels)  # some headers are only right by now
    pixels, alpha, icc = _planes(image, name)
    decoded = _described(image, pixels, icc, alpha=alpha)
    return replace(decoded, turned=decoded.turned or before in _TURNED)


def _from_deep_png(stream: BinaryIO, prefix: bytes, name: str, max_pixels: int) -> _Decoded:
    """A 16-bit PNG: its pixels by OpenCV, since Pillow opens 16-bit color as 8-bit, and what it carries by Pillow."""
    height, width, channels = png.size_of(prefix)
    _check_size(height, width, name, max_pixels, 2 * channels + 2)  # OpenCV's decoder keeps a copy for itself
    stream.seek(0)
    with open_image(io.BytesIO(png.without_pixels(stream)), prefix, name) as image:
        image.load()
    stream.seek(0)
    colors, alpha = png.decode_sixteen_bit(stream.read())
    clear = image.info.get("transparency")
    if colors.ndim == 2 and isinstance(clear, int):  # a color that is transparent; of RGB, OpenCV makes alpha itself
        alpha = np.where(colors == clear, 0, 65535).astype(np.uint16)
    return _described(image, *_in_rgb(colors, image.info.get("icc_profile")), alpha=alpha)


def _described(image: Image.Image, pixels: Pixels, icc: bytes | None, *, alpha: Pixels | None) -> _Decoded:
    """The pixels of a loaded Pillow image, with what it carries."""
    tags = metadata.tags_of(image)
    orientation = tags.get(exif.ORIENTATION, 1)
    # Of a JPEG that has no resolution but in EXIF Pillow takes the horizontal one for both.
    dpi = image.info.get("dpi") if image.info.get("jfif_unit", 1) in (1, 2) else None
    return _Decoded(
        pixels,
        alpha,
        icc,
        metadata.exif_of_image(image),
        image.info.get("xmp"),
        metadata.dpi_of(tags, dpi),
        orientation,
        turned=orientation in _TURNED,
    )


def _from_deep_tiff(stream: BinaryIO, header: tiff.DeepHeader, name: str, max_pixels: int) -> _Decoded:
    _check_size(*header.size, name, max_pixels, header.pixel_bytes)
    tags = tiff.tags_of(stream)
    icc, xmp = tiff.icc_and_xmp(tags)
    orientation = tags.get(exif.ORIENTATION, 1)
    block = metadata.exif_of_tiff(stream)
    colors, alpha = tiff.decode_deep(stream, header, name)
    pixels, icc = _in_rgb(colors, icc)
    return _Decoded(pixels, alpha, icc, block, xmp, metadata.dpi_of(tags), orientation, orientation in _TURNED)


def _upright(decoded: _Decoded) -> Picture:
    pixels, alpha, dpi = decoded.pixels, decoded.alpha, decoded.dpi
    turn = _UPRIGHT.get(decoded.orientation)
    if turn:
        pixels, alpha = turn(pixels), None if alpha is None else turn(alpha)
    if dpi and decoded.turned:
        dpi = dpi[::-1]
    block = exif.cleaned(decoded.exif, turned=decoded.turned) if decoded.exif else None
    return Picture(pixels, alpha, decoded.icc, dpi, block, metadata.xmp_bytes(decoded.xmp))


def _check_bytes(size_bytes: int, name: str, max_bytes: int) -> None:
    if size_bytes == 0:
        raise UnreadablePicture(f"{name}: is empty (0 bytes)")
    if size_bytes > max_bytes:
        raise PictureTooLarge(f"{name}: is larger than {max_bytes / 1e6:g} MB; raise max_bytes if you trust it")


def _check_size(height: int, width: int, name: str, max_pixels: int, pixel_bytes: float = 4) -> None:
    if height < 1 or width < 1:
        raise UnreadablePicture(f"{name}: has no pixels ({width} x {height})")
    weight = max(1, pixel_bytes / 4)
    if height * width * weight > max_pixels:
        counted = f", each counted {weight:g} times for its depth or format" if weight > 1 else ""
        raise PictureTooLarge(
            f"{name}: {width} x {height} is {height * width / 1e6:.0f} megapixels{counted}, over the limit of "
            f"{max_pixels / 1e6:g}; raise max_pixels (--max-megapixels) if you trust it"
        )


def _check_cost(image: Image.Image, cost: jpeg.Cost, name: str, max_pixels: int) -> None:
    """Raises PictureTooLarge for a JPEG that takes much more memory or time than its size lets expect."""
    _check_size(image.height, image.width, name, max_pixels, 4 + cost.coefficient_bytes)
    if cost.scans * (image.width * image.height + _SCAN_PIXELS) > _MAX_SCANNED:
        raise PictureTooLarge(
            f"{name}: {image.width} x {image.height} in {cost.scans} scans takes too long to decode; save it anew"
        )


def _planes(image: Image.Image, name: str) -> tuple[Pixels, Pixels | None, bytes | None]:
    """RGB, alpha and the RGB profile of a loaded Pillow image of any mode."""
    icc: bytes = image.info.get("icc_profile") or b""
    if image.mode == "F":
        raise UnreadablePicture(f"{name}: holds floating-point samples; convert it to 8 or 16 bits first")
    if image.mode.startswith("I"):
        pixels, kept = _in_rgb(_sixteen_bit_grey(image, name), icc)
        return pixels, None, kept

    space = profile_space(icc)
    to_rgb = _rgb_of(image.mode, space, icc)
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if image.has_transparency_data else None
    # A band at a time: Pillow takes four bytes for a pixel of RGB, and as many again for each copy.
    step = max(1, _BAND_PIXELS // width)
    for top in range(0, height, step):
        band = image.crop((0, top, width, min(top + step, height)))
        if alpha is not None:
            band = band.convert("LA" if band.mode in ("1", "L", "LA", "La") else "RGBA")
            alpha[top : top + step] = np.asarray(band.getchannel("A"))
            band = band.getchannel("L") if band.mode == "LA" else band
        pixels[top : top + step] = to_rgb(band)
    return pixels, alpha, icc if space == "RGB" and not image.mode.startswith("L") else None


def _rgb_of(mode: str, space: str | None, icc: bytes) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """What turns an image of `mode` into (H, W, 3) uint8: by its profile, where that is one for this mode."""
    if mode in ("1", "L", "LA", "La") and space == "GRAY":
        mode = "L"
        table = grey_table(icc)
        if table is not None:
            eight_bit = to_depth(table[::257], np.dtype(np.uint8))
            return lambda band: np.asarray(eight_bit[np.asarray(band.convert("RGB"))], np.uint8)
    transform = srgb_transform(icc, mode) if (mode, space) in _CONVERTED else None
    return lambda band: np.asarray(ImageCms.applyTransform(band, transform) if transform else band.convert("RGB"))


def _sixteen_bit_grey(image: Image.Image, name: str) -> NDArray[np.uint16]:
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() > 65535:
        raise UnreadablePicture(f"{name}: holds 32-bit samples; convert it to 8 or 16 bits first")
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0]
    if 8 < bits < 16:  # TIFF of 12 bits: Pillow leaves the values small
        grey = np.rint(grey * (65535 / (2**bits - 1)))
    values: NDArray[np.uint16] = grey.astype(np.uint16)
    return values


def _in_rgb(colors: NDArray[np.uint16], icc: bytes | None) -> tuple[Pixels, bytes | None]:
    """(H, W) grey or (H, W, 3) as RGB, and the profile where it is one for RGB."""
    space = profile_space(icc or b"")
    if colors.ndim == 3:
        return colors, icc if space == "RGB" else None
    table = grey_table(icc) if icc and space == "GRAY" else None
    if table is not None:
        colors = table[colors]
    return cv2.merge([colors] * 3), None


def _from_array(array: NDArray[Any], max_pixels: int) -> Picture:
    if array.dtype not in (np.uint8, np.uint16):
        fixes = {
            "f": "; scale it: (array * 255).round().astype('uint8')",
            "b": "; scale it: array.astype('uint8') * 255",
        }
        hint = fixes.get(array.dtype.kind, "")
        raise BadInput(f"expected an array of uint8 or uint16, got {array.dtype}{hint}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise BadInput(f"expected an array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {array.shape}")
    _check_size(array.shape[0], array.shape[1], "the array", max_pixels)
    if array.ndim == 2 or array.shape[2] == 1:
        return Picture(cv2.merge([array.reshape(array.shape[:2])] * 3))
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(array[..., :3]), alpha)
