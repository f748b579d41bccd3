"""Animations out: full frames become the bytes of an APNG, WebP or GIF file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.imaging.regions import bounding_box
from u2net.io import apng, gif, webp
from u2net.io.exif import with_resolution
from u2net.io.png import Compress, encode_png
from u2net.io.write import Format, check_quality, check_sides, webp_options
from u2net.types import Box, Size, size_of

CAN_ANIMATE: frozenset[Format] = frozenset({"png", "webp", "gif"})

_LEAST_CS = 2
"""Browsers show what GIF says to show for a hundredth of a second, or for none, for ten."""


@dataclass(frozen=True)
class Kept:
    """What a file keeps beside its pixels; GIF keeps none of it."""

    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None


def encode_frames(
    frames: Iterable[tuple[NDArray[np.uint8], float]],
    *,
    format: Format,
    plays: int = 0,
    compress: Compress = "fast",
    quality: int | None = None,
    lossless: bool = False,
    kept: Callable[[], Kept] = Kept,
) -> bytes:
    """Encode an animation, a frame at a time: what lies in memory is one frame and the packed ones before it.

    frames: (H, W, 4) RGBA uint8, straight alpha, all of one size, each with its time in milliseconds. format: `png`
    (APNG), `webp` or `gif`. plays: how often it is shown, 0 for ever. The rest: as for `io.write.encode`; `kept` is
    asked for after the last frame.
    Every frame is written as the box of what can be seen of it, whole where that is everything, and cleared before the
    next one. Times are kept to 1/65535 s (APNG), 1 ms (WebP) or 1/100 s (GIF), in which rounding does not add up; GIF
    writes 2/100 s for less, unless it was 0 or 1/100 s before.
    Raises BadInput for no frames, for frames of different sizes, and as `encode` does.

    >>> from u2net.video import encode_frames
    >>> frames = [(np.full((30, 40, 4), level, np.uint8), 100.0) for level in (255, 128)]
    >>> encode_frames(frames, format="gif")[:6]
    b'GIF89a'
    """
    if format not in CAN_ANIMATE:
        raise BadInput(f"{format.upper()} holds no animation; use {', '.join(sorted(CAN_ANIMATE))}")
    check_quality(format, quality, lossless)
    size: Size | None = None
    packed: list[Any] = []
    options = webp_options(compress, quality, lossless)
    clock = _Clock(10 if format == "gif" else 1)
    for pixels, duration_ms in frames:
        if size is None:
            size = size_of(pixels)
            check_sides(format, size)
        if pixels.shape != (*size, 4) or pixels.dtype != np.uint8:
            raise BadInput(
                f"frame {len(packed) + 1} is {pixels.shape[1]} x {pixels.shape[0]}, the first {size[1]} x {size[0]}: "
                "the frames of an animation have one size; take the first alone with --format tiff"
            )
        # The first one is whole: APNG wants it so, and around a smaller one Pillow paints GIFs with their first color.
        box = _seen(pixels, format) if packed else (0, 0, size[1], size[0])
        if format == "png":
            packed.append((apng.frame(pixels, box, compress), box, duration_ms))
        elif format == "webp":
            packed.append((webp.frame(pixels, box, options), box, clock.ticks(duration_ms)))
        else:
            packed.append(gif.frame(pixels, box, clock.ticks(duration_ms), clear=True))
    if size is None:
        raise BadInput("an animation needs at least one frame")
    carried = dict(vars(kept()))
    if format == "png":
        head = encode_png(np.zeros((1, 1, 4), np.uint8), "fast", **carried)
        return b"".join(apng.assemble(packed, size, plays=plays, head=head, clear=True))
    if format == "webp":
        if carried["dpi"]:  # WebP has no field of its own for it
            carried["exif"] = with_resolution(carried["exif"], carried["dpi"])
        del carried["dpi"]
        return b"".join(webp.assemble(packed, size, plays=plays, clear=True, **carried))
    return b"".join(gif.assemble(packed, size, plays=plays))


def _seen(pixels: NDArray[np.uint8], format: Format) -> Box:
    """The box of the pixels that can be seen; a single pixel where there are none. WebP's begin at even places."""
    least = gif.OPAQUE_FROM if format == "gif" else 1
    left, top, right, bottom = bounding_box(pixels[..., 3] >= least) or (0, 0, 1, 1)
    return (left & ~1, top & ~1, right, bottom) if format == "webp" else (left, top, right, bottom)


class _Clock:
    """Times in whole ticks; what is lost by rounding one is given to the next."""

    def __init__(self, tick_ms: int) -> None:
        self.tick_ms = tick_ms
        self.late_ms = 0.0

    def ticks(self, duration_ms: float) -> int:
        if duration_ms % self.tick_ms == 0:
            return int(duration_ms // self.tick_ms)
        wanted = duration_ms + self.late_ms
        least = _LEAST_CS if self.tick_ms == 10 else 1
        rounded = max(least, round(wanted / self.tick_ms))
        self.late_ms = wanted - rounded * self.tick_ms
        return rounded
