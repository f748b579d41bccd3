"""`Picture` as users have it: the record of `types`, which can be written; and how everything that is written is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from u2net import types
from u2net.errors import BadInput
from u2net.imaging.blend import lay_over_color
from u2net.imaging.icc import to_srgb
from u2net.imaging.samples import rgb_of, to_eight_bits
from u2net.io.metadata import without_gps
from u2net.io.png import Compress
from u2net.io.write import Format, encode, format_of
from u2net.system.files import write_bytes

Metadata: TypeAlias = Literal["all", "private", "none"]


class Picture(types.Picture):
    __doc__ = types.Picture.__doc__

    def to_bytes(
        self,
        format: Format = "png",
        *,
        compress: Compress = "fast",
        quality: int | None = None,
        lossless: bool = False,
        metadata: Metadata = "all",
    ) -> bytes:
        """The bytes of a PNG, WebP, AVIF, JPEG, TIFF or GIF file; JPEG, which has no alpha, is laid over white.

        The arguments are those of `Cutout.to_bytes`. A picture whose three colors are the same everywhere, and which
        has neither alpha nor profile, is written in grey, with one channel.
        Raises BadInput where the format cannot hold the picture.
        """
        flat = self
        if format == "jpeg" and self.alpha is not None:
            flat = replace(self, pixels=lay_over_color(self, (1, 1, 1)), alpha=None)
        return file_bytes(
            np.asarray(flat),
            icc=self.icc,
            dpi=self.dpi,
            exif=self.exif,
            xmp=self.xmp,
            format=format,
            compress=compress,
            quality=quality,
            lossless=lossless,
            metadata=metadata,
            grey=True,
        )

    def save(
        self,
        target: str | Path | IO[bytes],
        *,
        format: Format | None = None,
        compress: Compress = "fast",
        quality: int | None = None,
        lossless: bool = False,
        metadata: Metadata = "all",
    ) -> None:
        """Write a file, whole or not at all, or write into a binary file object.

        format: from the file name's suffix where not given, else PNG. The rest: see `to_bytes`.
        Raises CannotWrite, or BadInput where the format cannot hold the picture.
        """
        options: dict[str, Any] = {"compress": compress, "quality": quality, "lossless": lossless, "metadata": metadata}
        save_to(target, format, lambda chosen: self.to_bytes(chosen, **options))

    def to_pil(self) -> Image.Image:
        """A Pillow image, mode RGB, or RGBA where the picture has alpha; 8 bits."""
        return pillow_image(np.asarray(self), self.icc)

    def _repr_png_(self) -> bytes:
        return self.to_bytes("png")


def check_metadata(metadata: str) -> None:
    """Raise BadInput for what it cannot be."""
    if metadata not in ("all", "private", "none"):
        raise BadInput(f"metadata is 'all', 'private' or 'none', not {metadata!r}")


def file_bytes(
    pixels: NDArray[Any],
    *,
    icc: bytes | None,
    dpi: tuple[float, float] | None,
    exif: bytes | None,
    xmp: bytes | None,
    metadata: Metadata,
    format: Format,
    grey: bool = False,
    **options: Any,
) -> bytes:
    """The bytes of a file, with as much of what the source carried as is wanted.

    pixels: (H, W, 3) RGB or (H, W, 4) RGBA, uint8 or uint16. An alpha that is opaque everywhere is left out.
    grey: write one channel where that says it all. options: for `encode`.
    Raises BadInput for other `metadata`, and as `encode` does.
    """
    check_metadata(metadata)
    if pixels.shape[2] == 4 and pixels[..., 3].min() == np.iinfo(pixels.dtype).max:
        pixels = rgb_of(pixels)
    if metadata == "none" or format == "gif":  # which keeps nothing
        pixels = to_srgb(pixels, icc)
        icc = dpi = exif = xmp = None
    elif metadata == "private":
        exif, xmp = without_gps(exif, xmp)
    if grey and icc is None and _is_grey(pixels):
        pixels = np.ascontiguousarray(pixels[..., 0])
    return encode(pixels, format=format, icc=icc, dpi=dpi, exif=exif, xmp=xmp, **options)


def _is_grey(pixels: NDArray[Any]) -> bool:
    red, green, blue = (pixels[..., channel] for channel in range(3))
    return pixels.shape[2] == 3 and np.array_equal(red, green) and np.array_equal(red, blue)


def save_to(target: str | Path | IO[bytes], format: Format | None, to_bytes: Callable[[Format], bytes]) -> None:
    """Write what `to_bytes` makes of a format; see `Picture.save`."""
    if isinstance(target, (str, Path)):
        format = format or format_of(target)
        if format is None:
            raise BadInput(
                f"{target}: no format for that suffix; use .png, .webp, .avif, .jpg, .tif or .gif, or give format="
            )
    data = to_bytes(format or "png")
    if isinstance(target, (str, Path)):
        write_bytes(Path(target), data)
    else:
        target.write(data)


def pillow_image(pixels: NDArray[Any], icc: bytes | None) -> Image.Image:
    """(H, W, 3) or (H, W, 4) samples as a Pillow image of 8 bits, with their profile."""
    image = Image.fromarray(to_eight_bits(pixels))
    if icc:
        image.info["icc_profile"] = icc
    return image
