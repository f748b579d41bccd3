"""Animations in: the frames of a GIF, WebP or APNG one after the other, full pictures with their times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from u2net.errors import PictureTooLarge, UnreadablePicture
from u2net.imaging.blend import lay_over
from u2net.io import apng, gif, png, webp
from u2net.io.decoders import DAMAGE, PREFIX_BYTES, open_image
from u2net.io.frames import MAX_FRAMES, Canvas, Part, Parts
from u2net.io.picture import Picture
from u2net.io.read import MAX_PIXELS, read
from u2net.io.source import Opened
from u2net.types import Size

if TYPE_CHECKING:
    from PIL import Image

CANVAS_SHARE = 8
"""A canvas may have this part of the pixels that a picture may have: several frames lie in memory together."""

TOTAL_TIMES = 4
"""All frames together may have so many times the pixels that one picture may have."""

_ADVICE = "its first frame alone: --format tiff"


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame, as it is seen: all of the canvas. duration_ms: how long; 0 where the file says 0."""

    picture: Picture
    duration_ms: float


@dataclass(frozen=True, eq=False)
class Animation:
    """An animation whose source is open; nothing is decoded before `frames` is used.

    name: for errors. size: (H, W). count: of frames, at most MAX_FRAMES + 1, which stands for more. plays: how often it
    is shown, 0 for ever. max_pixels: of a picture; what an animation may have is measured by it.
    """

    name: str
    size: Size
    count: int
    plays: int
    max_pixels: int
    _opened: Opened
    _like: Picture
    _parts: Parts | None = None

    def frames(self) -> Iterator[Frame]:
        """The frames in their order, 8 bits a sample; one lies in memory at a time, unless the caller keeps more.

        Raises PictureTooLarge before the first one where canvas, number of frames, or both together are over the
        limits, and UnreadablePicture at a frame that is damaged, or where the file ends too early.
        """
        self.check()
        return self._of_parts(self._parts) if self._parts else self._of_webp()

    def check(self) -> None:
        """Raises PictureTooLarge for an animation that is over the limits."""
        if self.count > MAX_FRAMES:
            raise PictureTooLarge(f"{self.name}: holds more than {MAX_FRAMES} frames; {_ADVICE}")
        canvas = self.size[0] * self.size[1]
        areas = [max(canvas, part.size[0] * part.size[1]) for part in self._parts.found] if self._parts else [canvas]
        total = sum(areas) if self._parts else canvas * self.count
        shown = f"{self.name}: {self.size[1]} x {self.size[0]}, {self.count} frames"
        trusted = "raise max_pixels (--max-megapixels) if you trust it"
        if max(areas) * CANVAS_SHARE > self.max_pixels:
            most = self.max_pixels / CANVAS_SHARE / 1e6
            raise PictureTooLarge(f"{shown}: one may have {most:g} megapixels; {trusted}; {_ADVICE}")
        if total > TOTAL_TIMES * self.max_pixels:
            most = TOTAL_TIMES * self.max_pixels / 1e6
            raise PictureTooLarge(
                f"{shown}: {total / 1e6:.0f} megapixels, over the limit of {most:g} for an animation; {trusted}; "
                f"{_ADVICE}"
            )

    def _of_parts(self, parts: Parts) -> Iterator[Frame]:
        number = 0
        canvases = composed(parts.found, parts.size)
        for part in parts.found:
            number += 1
            try:
                canvas = next(canvases)
            except DAMAGE as error:
                raise self._damaged(number, error) from error
            colors, alpha = _planes(canvas)
            yield Frame(replace(self._like, pixels=colors, alpha=alpha), part.duration_ms)
        if parts.damage:
            raise UnreadablePicture(f"{self.name}: the animation is damaged after frame {number}: {parts.damage}")

    def _of_webp(self) -> Iterator[Frame]:
        image = None
        for number in range(self.count):
            try:
                image = image or _open_webp(self._opened)
                image.seek(number)
                image.load()
                picture = read(image)
                duration_ms = float(image.info.get("duration", 0))
            except DAMAGE as error:
                raise self._damaged(number + 1, error) from error
            yield Frame(picture, duration_ms)

    def _damaged(self, number: int, error: BaseException) -> UnreadablePicture:
        reason = " ".join(str(error).split()).removeprefix("the picture: ") or type(error).__name__
        return UnreadablePicture(f"{self.name}: frame {number} of {self.count} is damaged ({reason})")


def composed(parts: Iterable[Part], size: Size) -> Iterator[Canvas]:
    """The full picture after each part, as browsers show it: the canvas begins transparent, and is cleared to that.

    The array is the same every time and changes with the next part: copy what is to be kept.
    """
    canvas = np.zeros((*size, 4), np.uint8)
    for part in parts:
        pixels = part.decode()
        bottom, right = min(part.top + pixels.shape[0], size[0]), min(part.left + pixels.shape[1], size[1])
        place = canvas[part.top : bottom, part.left : right]
        drawn = pixels[: place.shape[0], : place.shape[1]]
        before = place.copy() if part.disposal == "previous" else None
        place[:] = lay_over(drawn, np.ascontiguousarray(place)) if part.over and place.size else drawn
        yield canvas
        if before is not None:
            place[:] = before
        elif part.disposal == "background":
            place[:] = 0


def _planes(canvas: Canvas) -> tuple[Canvas, Canvas | None]:
    """Copies of the colors and, where it is not opaque, of the alpha."""
    opaque = canvas[..., 3].min() == 255
    return cv2.cvtColor(canvas, cv2.COLOR_RGBA2RGB), None if opaque else np.ascontiguousarray(canvas[..., 3])


def open_animation(opened: Opened, *, max_pixels: int = MAX_PIXELS) -> Animation | None:
    """Look whether a source holds an animation of several frames, without decoding it.

    opened: from `open_source`; it must stay open while frames are read. max_pixels: as for `read`.
    Returns None for a still picture, and for what is none of GIF, WebP and APNG, or damaged: `read` says of those what
    there is to say.

    >>> from u2net.video import open_animation, open_source
    >>> with open_source("clip.gif", 10_000_000) as opened:
    ...     animation = open_animation(opened)
    ...     [(frame.picture.size, frame.duration_ms) for frame in animation.frames()]
    [((30, 40), 100.0), ((30, 40), 100.0)]
    """
    opened.stream.seek(0)
    prefix = opened.stream.read(PREFIX_BYTES).ljust(PREFIX_BYTES, b"\0")
    try:
        if prefix.startswith(gif.SIGNATURES):
            return _from_parts(gif.parse(opened.stream), opened, max_pixels, _BARE)
        if prefix.startswith(png.SIGNATURE) and apng.is_animated(opened.stream):
            parts = apng.parse(opened.stream)
            return _from_parts(parts, opened, max_pixels, replace(read(apng.without_frames(opened.stream)), alpha=None))
        if webp.is_animated(prefix):
            return _from_webp(opened, max_pixels)
    except DAMAGE:
        return None
    return None


_BARE = Picture(np.zeros((1, 1, 3), np.uint8))
"""Carries nothing beside its pixels."""


def _from_parts(parts: Parts, opened: Opened, max_pixels: int, like: Picture) -> Animation | None:
    if len(parts.found) < 2 or 0 in parts.size:
        return None
    return Animation(opened.name, parts.size, len(parts.found), parts.plays, max_pixels, opened, like, parts)


def _from_webp(opened: Opened, max_pixels: int) -> Animation | None:
    size, plays, count = webp.parse(opened.stream)
    return Animation(opened.name, size, count, plays, max_pixels, opened, _BARE) if count > 1 else None


def _open_webp(opened: Opened) -> Image.Image:
    """Only now: libwebp takes the memory for the canvas when it opens the file."""
    opened.stream.seek(0)
    return open_image(opened.stream, opened.stream.read(PREFIX_BYTES), opened.name)
