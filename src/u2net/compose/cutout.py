"""The cutout, and laying it over something else. Alpha is straight everywhere: colors are never multiplied by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.compose.background import Background, Fit, fitted, parse_background
from u2net.compose.crop import Crop, CropName, find_crop, seen_box, window
from u2net.compose.shadow import ShadowKind, add_shadow
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.blend import lay_over
from u2net.imaging.color import parse_color
from u2net.imaging.icc import can_be_target, to_srgb
from u2net.imaging.regions import bounding_box
from u2net.imaging.resize import Rows
from u2net.io import picture as files
from u2net.io.png import Compress
from u2net.io.write import Format
from u2net.matting.foreground import replace_colors
from u2net.system.parallel import BAND_PIXELS
from u2net.types import EMPTY_BELOW, Alpha, Box, Picture, Size, as_array, size_of

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, eq=False)
class Cutout:
    """An object without its background.

    pixels: (H, W, 4) RGBA, uint8 or uint16, straight alpha; where alpha is 0 the color is 0 too.
    confidence: how sure the network was that there is an object, 0 to 1; below 0.5 alpha is 0 everywhere.
    icc, dpi, exif, xmp: as the picture had them; `save` writes them again.

    >>> cutout = u2net.remove("examples/cat.png", "u2netp")
    >>> np.asarray(cutout).shape, cutout.alpha.dtype, len(cutout.box)
    ((300, 451, 4), dtype('float32'), 4)
    >>> cutout.cropped("square").with_shadow("contact").over("white").save("cat.webp")
    >>> cutout.mask().save("mask.png")
    """

    pixels: NDArray[np.uint8 | np.uint16]
    confidence: float = 1.0
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    @classmethod
    def opaque(cls, picture: Picture, confidence: float = 1.0) -> Cutout:
        """All of a picture as a cutout: nothing is cut away but what is transparent already, whose colors become 0."""
        pixels = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2RGBA)  # with full alpha
        if picture.alpha is not None:
            pixels[..., 3] = picture.alpha
            pixels[picture.alpha == 0] = 0
        return cls(pixels, confidence, picture.icc, picture.dpi, picture.exif, picture.xmp)

    @property
    def size(self) -> Size:
        """(H, W)."""
        return size_of(self.pixels)

    @property
    def found(self) -> bool:
        """Whether there was an object at all."""
        return self.confidence >= EMPTY_BELOW

    @cached_property
    def alpha(self) -> Alpha:
        """(H, W) float32 in [0, 1]."""
        return np.multiply(self.pixels[..., 3], 1 / np.iinfo(self.pixels.dtype).max, dtype=np.float32)

    @cached_property
    def box(self) -> Box | None:
        """(left, top, right, bottom), half-open, of the pixels that are more object than not; None for no object."""
        return bounding_box(self.pixels[..., 3] > np.iinfo(self.pixels.dtype).max // 2)

    @cached_property
    def _seen(self) -> Box | None:
        return seen_box(self.pixels[..., 3])

    @cached_property
    def coverage(self) -> float:
        """The object's share of the picture: the mean of alpha."""
        return float(self.pixels[..., 3].mean(dtype=np.float64)) / np.iinfo(self.pixels.dtype).max

    def over(self, background: Background, *, fit: Fit = "cover", around: str | Sequence[int] = "white") -> Cutout:
        """Lay the object over a background; the result is opaque unless the background is not.

        background: a color (`"white"`, `"#ff8800"`, `"#ff880080"`, `(255, 136, 0)`), a Gradient, or a picture, given
        as anything `read` takes; a string that names a file is a file.
        fit: a picture is scaled to `cover` the cutout's size, and its middle is taken; or the cutout's size is to
        `contain` all of it, with the color `around` it. Colors are converted to the cutout's own profile;
        where that knows no such way, all to sRGB.
        Raises BadInput for what is neither a color nor a picture.
        """
        front = self if can_be_target(self.icc) else replace(self, pixels=to_srgb(self.pixels, self.icc), icc=None)
        parsed = parse_background(background)
        beside = parse_color(around)
        behind = fitted(parsed, front.size, front.icc, front.pixels.dtype, fit=fit, around=beside)
        return replace(front, pixels=lay_over(front.pixels, behind))

    def frame_box(self, frame: Crop | CropName = "tight") -> Box:
        """Where a frame around the object lies in this picture; it may go beyond. Raises NothingSalient for none."""
        if self._seen is None:
            raise NothingSalient(f"no object found (confidence {self.confidence:.4g}), so there is nothing to frame")
        return find_crop(frame).around(self._seen)

    def cropped(self, frame: Crop | CropName = "tight") -> Cutout:
        """The object in a frame of its own: a name of `crop.CROPS` (tight, square, marketplace) or a Crop.

        What lies beyond the picture is transparent. A size that the frame has is the result's. Without one pixels are
        those of the picture to the bit. Raises NothingSalient where there is no object, BadInput for no such frame.
        """
        found = find_crop(frame)
        box = self.frame_box(found)
        return self.window(box, found.size_of(box))

    def window(self, box: Box, size: Size | None = None) -> Cutout:
        """What lies in a box, which may go beyond the picture, resized to `size` (H, W); see `crop.window`."""
        pixels = window(self.pixels, box, size or (box[3] - box[1], box[2] - box[0]))
        return replace(self, pixels=pixels)

    def with_shadow(self, kind: ShadowKind = "drop", *, strength: float = 1.0) -> Cutout:
        """Lay a shadow below the object: `drop`, on a wall behind it, or `contact`, on the ground it stands on.

        See `shadow.add_shadow`. Raises NothingSalient where there is no object, BadInput for another kind.
        """
        if self.box is None:
            raise NothingSalient(f"no object found (confidence {self.confidence:.4g}), so nothing casts a shadow")
        return replace(self, pixels=add_shadow(self.pixels, kind, strength=strength))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """`np.asarray(cutout)`: `pixels` themselves, (H, W, 4) RGBA, uint8 or uint16."""
        return as_array(self.pixels, dtype, copy)

    def mask(self) -> files.Picture:
        """The alpha as a grey picture: (H, W, 3) of three times the same, of the cutout's dtype; a file of it has one
        channel. Of what the picture carried it keeps the resolution."""
        return files.Picture(cv2.merge([self.pixels[..., 3]] * 3), dpi=self.dpi)

    def to_bytes(
        self,
        format: Format = "png",
        *,
        compress: Compress = "fast",
        quality: int | None = None,
        lossless: bool = False,
        metadata: files.Metadata = "all",
    ) -> bytes:
        """The bytes of a PNG, WebP, AVIF, JPEG, TIFF or GIF file; JPEG, which has no alpha, is laid over white.

        A cutout that is opaque everywhere is written without an alpha channel. compress, quality, lossless: see
        `io.write.encode`.
        metadata: `all` that the source had; `private`: all but where the picture was taken; `none`: nothing, and the
        colors are converted to sRGB, which is what a picture without a profile is taken for.
        Raises BadInput where the format cannot hold the picture.
        """
        flat = self.over("white") if format == "jpeg" else self
        return files.file_bytes(
            flat.pixels,
            icc=flat.icc,
            dpi=self.dpi,
            exif=self.exif,
            xmp=self.xmp,
            format=format,
            compress=compress,
            quality=quality,
            lossless=lossless,
            metadata=metadata,
        )

    def save(
        self,
        target: str | Path | IO[bytes],
        *,
        format: Format | None = None,
        compress: Compress = "fast",
        quality: int | None = None,
        lossless: bool = False,
        metadata: files.Metadata = "all",
    ) -> None:
        """Write a file, whole or not at all, or write into a binary file object.

        format: from the file name's suffix where not given, else PNG. The rest: see `to_bytes`.
        Raises CannotWrite, or BadInput where the format cannot hold the picture.
        """
        options: dict[str, Any] = {"compress": compress, "quality": quality, "lossless": lossless, "metadata": metadata}
        files.save_to(target, format, lambda chosen: self.to_bytes(chosen, **options))

    def to_pil(self) -> Image.Image:
        """A Pillow image, mode RGBA, 8 bits."""
        return files.pillow_image(self.pixels, self.icc)

    def _repr_png_(self) -> bytes:
        return self.to_bytes("png")


def cutout(picture: Picture, alpha: Alpha | Rows, *, confidence: float = 1.0, foreground: bool = False) -> Cutout:
    """Put a picture's colors and an alpha matte together; the only rounding of the whole way.

    alpha: (H, W) float32 in [0, 1], or a function that gives rows top to bottom of it, so that the whole never lies in
    memory; the picture's own alpha multiplies it.
    foreground: give half-transparent pixels the object's own colors, see `foreground.estimate_foreground`; else they
    keep the picture's, in which the old background shows.

    >>> from u2net.compose import cutout
    >>> picture = u2net.read("examples/cat.png")
    >>> cutout(picture, np.ones(picture.size, np.float32)).box
    (0, 0, 451, 300)
    """
    height, width = picture.size
    if not callable(alpha) and alpha.shape != picture.size:
        raise BadInput(f"alpha is {alpha.shape}, the picture {picture.size}")
    dtype = picture.pixels.dtype
    full = float(np.iinfo(dtype).max)
    pixels = np.empty((height, width, 4), dtype)
    step = max(1, BAND_PIXELS // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        band = alpha(rows.start, rows.stop) if callable(alpha) else alpha[rows]
        if picture.alpha is not None:
            band = band * picture.alpha[rows] * np.float32(1 / full)
        levels = _rounded(band, dtype)
        straight = cv2.merge([*cv2.split(picture.pixels[rows]), levels])
        seen = (levels > 0).view(np.uint8)
        pixels[rows] = cv2.bitwise_and(straight, straight, mask=seen)  # writes 0 where the mask is 0
    if foreground:
        replace_colors(pixels, picture)
    return Cutout(pixels, confidence, picture.icc, picture.dpi, picture.exif, picture.xmp)


def _rounded(alpha: Alpha, dtype: np.dtype[Any]) -> NDArray[Any]:
    """[0, 1] to the whole numbers of a dtype, halves to even."""
    if dtype == np.uint8:
        levels: NDArray[Any] = cv2.convertScaleAbs(alpha, alpha=255)  # no temporaries: 5 times as fast at 12 megapixels
    else:
        levels = np.rint(alpha * np.float32(np.iinfo(dtype).max)).astype(dtype)
    return levels
