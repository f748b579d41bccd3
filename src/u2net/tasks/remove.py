"""The main job: cut the salient object out of one picture, step by step."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from u2net.compose.cutout import Cutout, cutout
from u2net.imaging.blend import lay_over_color
from u2net.imaging.regions import Keep, check_parts, fill_holes, keep_parts
from u2net.inference.open_session import shared_session
from u2net.inference.predict import Segmentation, Subject, predict, predict_box
from u2net.inference.session import Session
from u2net.io.read import Source, read
from u2net.matting.alpha import Edges, refine
from u2net.models.registry import DEFAULT_MODEL
from u2net.segmentation.choose_by_hints import choose_by_hints
from u2net.segmentation.hints import Hint, check_hints
from u2net.segmentation.tiled_refinement import refine_by_tiles
from u2net.types import Picture, Saliency


def remove(
    source: Source,
    model: str | Path | Session = DEFAULT_MODEL,
    *,
    edges: Edges = "auto",
    foreground: bool = True,
    hints: Sequence[Hint] = (),
    detail: bool = False,
    keep: Keep = "all",
    fill_holes: bool = False,
    min_area: float = 0.0,
) -> Cutout:
    """Cut the salient object out of one picture.

    source: a path, bytes, a binary file, a Pillow image, an array (see `u2net.read`), or a Picture.
    model: a name of `u2net.MODELS`, the path of an .onnx or OpenVINO .xml file, or a session of `open_session`. A model
    given by name or path is opened at its first use and kept for all later calls, from any thread.
    edges: how they follow the picture, see `matting.alpha.EDGES`: auto, soft, sharp, hair (needs pymatting), none.
    foreground: give half-transparent pixels the object's own colors instead of what the old background mixed in.
    hints: what a user points at, or does not want (see `Hint`). detail: look at the object again, closer, for thin
    parts and fine edges; up to 14 more runs of the network.
    keep: which of several separate parts stay: all, largest, or how many of the largest. fill_holes: what the object
    closes in belongs to it. min_area: smaller parts go, in percent of the picture.
    Returns a Cutout of the picture's own size and depth. Where there is no object (`confidence` below 0.5) it is
    transparent everywhere.
    Models are opened with `precision="auto"`: the fastest that this processor computes in, int8, bf16 or f32. Results
    therefore differ slightly between processors; `model=u2net.open_session("u2net", precision="f32")` fixes them.
    Raises what `read`, `open_session` and `matting.alpha.refine` raise, and BadInput for arguments that cannot be used.

    >>> cutout = u2net.remove("examples/cat.png", "u2netp")
    >>> cutout.pixels.shape, cutout.pixels.dtype, cutout.found
    ((300, 451, 4), dtype('uint8'), True)
    """
    picture = read(source)
    segmentation = segment(
        shared_session(model),
        picture,
        hints=hints,
        detail=detail,
        keep=keep,
        fill_holes=fill_holes,
        min_area=min_area,
    )
    return cut_out(picture, segmentation, edges=edges, foreground=foreground)


def saliency(
    source: Source,
    model: str | Path | Session = DEFAULT_MODEL,
    *,
    hints: Sequence[Hint] = (),
    detail: bool = False,
    keep: Keep = "all",
    fill_holes: bool = False,
    min_area: float = 0.0,
) -> Saliency:
    """How much each pixel belongs to the salient object.

    source: anything `u2net.read` takes. model and the rest: as for `u2net.remove`.
    Returns (H, W) float32 in [0, 1], stretched to the full range where there is an object; a picture without one keeps
    the network's low values (all below 0.5).
    Raises what `read` and `open_session` raise, and BadInput for arguments that cannot be used.

    >>> saliency = u2net.saliency("examples/cat.png", "u2netp")
    >>> saliency.shape, saliency.dtype, float(saliency.min().round(2)), float(saliency.max().round(2))
    ((300, 451), dtype('float32'), 0.0, 1.0)
    """
    session = shared_session(model)
    parts: dict[str, Any] = {"keep": keep, "fill_holes": fill_holes, "min_area": min_area}
    return segment(session, read(source), hints=hints, detail=detail, **parts).saliency()


def segment(
    session: Session,
    picture: Picture,
    *,
    hints: Sequence[Hint] = (),
    detail: bool = False,
    keep: Keep = "all",
    fill_holes: bool = False,
    min_area: float = 0.0,
) -> Segmentation:
    """Run one picture, and do with its map what the user asks for; the arguments are those of `u2net.remove`.

    Returns the network's own prediction where nothing of that is asked for, otherwise a subject.
    Raises BadInput before the network runs for arguments that cannot be used.
    """
    check_parts(keep, min_area)
    check_hints(hints, picture.size)
    look = functools.partial(predict_box, session, picture)
    segmentation: Segmentation = predict(session, picture)
    if hints:
        segmentation = choose_by_hints(segmentation.subject(), picture, hints, look)
    if detail:
        segmentation = refine_by_tiles(segmentation.subject(), look)
    if segmentation.found and (fill_holes or keep != "all" or min_area > 0):
        segmentation = _with_parts(segmentation.subject(), keep, fill_holes, min_area)
    return segmentation


def _with_parts(subject: Subject, keep: Keep, fill: bool, min_area: float) -> Subject:
    """Holes first: what lies in a hole that is filled is no part of its own."""
    values = fill_holes(subject.map) if fill else subject.map
    return replace(subject, map=keep_parts(values, keep, min_area=min_area))


def cut_out(picture: Picture, segmentation: Segmentation, *, edges: Edges = "auto", foreground: bool = True) -> Cutout:
    """Cut out of a picture what was found in it; `edges` and `foreground` as for `u2net.remove`.

    Where there is no object the cutout is transparent everywhere. Raises what `matting.alpha.refine` raises.
    """
    if not segmentation.found:
        return cutout(picture, np.zeros(picture.size, np.float32), confidence=segmentation.confidence)
    # As the network saw it: what is hidden under an alpha of 0 must not change the edges.
    seen = lay_over_color(picture, segmentation.spec.mean)
    alpha = refine(seen, segmentation.coarse(), edges)
    return cutout(picture, alpha, confidence=segmentation.confidence, foreground=foreground)


def is_cutout(picture: Picture) -> bool:
    """Whether a picture is a cutout already: some of its pixels are more than half transparent."""
    return picture.alpha is not None and int(picture.alpha.min()) <= np.iinfo(picture.alpha.dtype).max // 2
