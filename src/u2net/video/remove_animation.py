"""Animations through the network: each frame found, smoothed over time, drawn, and encoded with its time kept."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from u2net.compose.background import Background, parse_background
from u2net.compose.cutout import Cutout
from u2net.errors import BadInput, U2NetError
from u2net.imaging.icc import to_srgb
from u2net.imaging.regions import Keep
from u2net.imaging.samples import to_eight_bits, with_alpha
from u2net.inference.open_session import shared_session
from u2net.inference.predict import Segmentation
from u2net.inference.session import Session
from u2net.io.metadata import without_gps
from u2net.io.picture import Metadata
from u2net.io.png import Compress
from u2net.io.read import MAX_BYTES
from u2net.io.source import open_source
from u2net.io.write import Format
from u2net.matting.alpha import Edges
from u2net.models.registry import DEFAULT_MODEL
from u2net.segmentation.hints import Hint
from u2net.tasks.remove import cut_out, segment
from u2net.types import Picture
from u2net.video.animation import Animation, Frame, open_animation
from u2net.video.temporal_smoothing import REACH, Thumbnail, is_scene_change, smooth, thumbnail
from u2net.video.write_animation import Kept, encode_frames

Find: TypeAlias = Callable[[Picture], Segmentation]
Draw: TypeAlias = Callable[[Picture, Segmentation], tuple[Cutout | Picture, dict[str, Any]]]


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """A frame, and what was found in it after smoothing over time."""

    frame: Frame
    segmentation: Segmentation


def found_frames(animation: Animation, find: Find, *, steady: bool = True) -> Iterator[TrackedFrame]:
    """Find the object in each frame of an animation.

    find: what finds it in one picture. steady: average the maps of neighbouring frames where the picture stays the
    same (see `temporal_smoothing.smooth`); a scene change begins anew.
    The frames of the next `temporal_smoothing.REACH` are read ahead. Raises what `Animation.frames` and `find` raise.
    """
    found = (TrackedFrame(frame, find(frame.picture)) for frame in animation.frames())
    return _smoothed(found) if steady else found


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is kept of a frame that is already given: its thumbnail and what was found in it."""

    thumbnail: Thumbnail
    segmentation: Segmentation


def _smoothed(found: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
    past: deque[_Seen] = deque(maxlen=REACH)
    ahead: deque[tuple[TrackedFrame, _Seen]] = deque()

    def give() -> TrackedFrame:
        one, seen = ahead.popleft()
        scene = [*past, seen, *(later for _, later in ahead)]
        averaged = _averaged(scene, len(past))
        past.append(seen)
        return TrackedFrame(one.frame, averaged)

    for one in found:
        seen = _Seen(thumbnail(one.frame.picture.pixels), one.segmentation)
        if ahead and is_scene_change(ahead[-1][1].thumbnail, seen.thumbnail):
            while ahead:
                yield give()
            past.clear()
        ahead.append((one, seen))
        if len(ahead) > REACH:
            yield give()
    while ahead:
        yield give()


def _averaged(scene: Sequence[_Seen], middle: int) -> Segmentation:
    """What was found in the middle one, its probabilities averaged over the scene."""
    maps = [seen.segmentation.probabilities for seen in scene]
    belief = smooth(maps, [seen.thumbnail for seen in scene], middle)
    return scene[middle].segmentation.with_probabilities(belief)


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """What was made of one frame. report: what `draw` says of it."""

    cutout: Cutout | Picture
    duration_ms: float
    segmentation: Segmentation
    report: dict[str, Any]


def drawn_frames(animation: Animation, find: Find, draw: Draw, *, steady: bool = True) -> Iterator[RenderedFrame]:
    """As `found_frames`, and draw each frame. An error of `draw` gets the frame's number."""
    for number, found in enumerate(found_frames(animation, find, steady=steady), 1):
        picture, segmentation = found.frame.picture, found.segmentation
        try:
            cutout, report = draw(picture, segmentation)
        except U2NetError as error:
            raise type(error)(f"frame {number} of {animation.count}: {error}") from error
        yield RenderedFrame(cutout, found.frame.duration_ms, segmentation, report)


def encode_animation(
    drawn: Iterable[tuple[Cutout | Picture, float]],
    *,
    format: Format,
    plays: int,
    compress: Compress = "fast",
    quality: int | None = None,
    lossless: bool = False,
    metadata: Metadata = "all",
) -> bytes:
    """Encode drawn frames, each with its time in milliseconds; see `encode_frames`.

    metadata: as for `Cutout.to_bytes`; what is kept is the first frame's. GIF is converted to sRGB.
    """
    plain = format == "gif" or metadata == "none"
    kept: Kept = Kept()

    def levels() -> Iterator[tuple[NDArray[np.uint8], float]]:
        nonlocal kept
        for number, (cutout, duration_ms) in enumerate(drawn):
            if number == 0 and not plain:
                exif, xmp = without_gps(cutout.exif, cutout.xmp) if metadata == "private" else (cutout.exif, cutout.xmp)
                kept = Kept(cutout.icc, cutout.dpi, exif, xmp)
            pixels = with_alpha(np.asarray(cutout))
            yield to_eight_bits(to_srgb(pixels, cutout.icc) if plain else pixels), duration_ms

    return encode_frames(
        levels(), format=format, plays=plays, compress=compress, quality=quality, lossless=lossless, kept=lambda: kept
    )


def remove_animation(
    source: str | os.PathLike[str] | bytes | IO[bytes],
    model: str | Path | Session = DEFAULT_MODEL,
    *,
    format: Format = "png",
    background: Background | None = None,
    edges: Edges = "auto",
    foreground: bool = True,
    hints: Sequence[Hint] = (),
    detail: bool = False,
    keep: Keep = "all",
    fill_holes: bool = False,
    min_area: float = 0.0,
    steady: bool = True,
) -> bytes:
    """Cut the object out of every frame of an animation.

    source: a path, the bytes of a file, or a binary file: a GIF, WebP or APNG of two frames or more. model, edges,
    foreground, hints, detail, keep, fill_holes, min_area: as for `u2net.remove`.
    format: `png` (an APNG), `webp`, or `gif`, whose pixels are opaque or not there. background: lay the object over
    it, see `Cutout.over`. steady: smooth the maps over time, see `found_frames`.
    Returns the bytes of a file with the same frame times and number of plays; frames without an object are transparent.
    Raises BadInput for a still picture, UnreadablePicture for a damaged frame, and what `u2net.remove` raises.

    >>> from u2net.video import remove_animation
    >>> remove_animation("clip.gif", "u2netp", format="webp", background="white")[:4]
    b'RIFF'
    """
    session = shared_session(model)
    behind = None if background is None else parse_background(background)

    def find(picture: Picture) -> Segmentation:
        parts: dict[str, Any] = {"keep": keep, "fill_holes": fill_holes, "min_area": min_area}
        return segment(session, picture, hints=hints, detail=detail, **parts)

    def draw(picture: Picture, segmentation: Segmentation) -> tuple[Cutout, dict[str, Any]]:
        cutout = cut_out(picture, segmentation, edges=edges, foreground=foreground)
        return cutout if behind is None else cutout.over(behind), {}

    with open_source(source, MAX_BYTES) as held:
        animation = open_animation(held)
        if animation is None:
            raise BadInput(f"{held.name}: is no animation of several frames; use u2net.remove")
        drawn = drawn_frames(animation, find, draw, steady=steady)
        pairs = ((one.cutout, one.duration_ms) for one in drawn)
        return encode_animation(pairs, format=format, plays=animation.plays)
