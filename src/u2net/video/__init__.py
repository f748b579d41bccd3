"""Pictures that move: frames in, maps smoothed over time, frames out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from u2net.lazy import attach

if TYPE_CHECKING:
    from u2net.io.source import open_source as open_source
    from u2net.video.animation import Animation as Animation
    from u2net.video.animation import Frame as Frame
    from u2net.video.animation import open_animation as open_animation
    from u2net.video.remove_animation import remove_animation as remove_animation
    from u2net.video.temporal_smoothing import smooth as smooth
    from u2net.video.temporal_smoothing import thumbnail as thumbnail
    from u2net.video.write_animation import encode_frames as encode_frames

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "u2net.io.source": ("open_source",),
        "u2net.video.animation": ("Animation", "Frame", "open_animation"),
        "u2net.video.remove_animation": ("remove_animation",),
        "u2net.video.temporal_smoothing": ("smooth", "thumbnail"),
        "u2net.video.write_animation": ("encode_frames",),
    },
)
