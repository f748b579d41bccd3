"""Which object is meant: from a picture and a user's wishes to one prediction, for the cutout and the map alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from u2net.hints import check_hints, choose
from u2net.pixels import Source, read
from u2net.predict import Prediction, predict
from u2net.region import Keep, check_parts, fill_holes, keep_parts
from u2net.second_look import look_again
from u2net.session import Session, default_session
from u2net.types import Hint, Picture, Saliency


def find_subject(
    session: Session,
    picture: Picture,
    *,
    hints: Sequence[Hint] = (),
    detail: bool = False,
    keep: Keep = "all",
    fill_holes: bool = False,
    min_area: float = 0.0,
) -> Prediction:
    """Run one picture, and do with its map what the user asks for; the arguments are those of `u2net.remove`.

    With their defaults the prediction is the network's own; otherwise it is settled (see `Prediction.settled`).
    Raises BadInput before the network runs for arguments that cannot be used.
    """
    check_parts(keep, min_area)
    check_hints(hints, picture.size)
    prediction = predict(session, picture)
    if hints:
        prediction = choose(session, picture, prediction, hints)
    if detail:
        prediction = look_again(session, picture, prediction)
    if prediction.found and (fill_holes or keep != "all" or min_area > 0):
        prediction = _with_parts(prediction.settled(), keep, fill_holes, min_area)
    return prediction


def saliency(
    source: Source,
    session: Session | None = None,
    *,
    hints: Sequence[Hint] = (),
    detail: bool = False,
    keep: Keep = "all",
    fill_holes: bool = False,
    min_area: float = 0.0,
) -> Saliency:
    """How much each pixel belongs to the salient object.

    source: anything `u2net.read` takes. session: from `open_session`; None: u2net, opened once. The rest: as for
    `u2net.remove`.
    Returns (H, W) float32 in [0, 1], stretched to the full range where there is an object; a picture without one keeps
    the network's low values (all below 0.5).
    Raises what `read` and `open_session` raise, and BadInput for arguments that cannot be used.
    """
    opened = session or default_session()
    wishes: dict[str, Any] = {"keep": keep, "fill_holes": fill_holes, "min_area": min_area}
    return find_subject(opened, read(source), hints=hints, detail=detail, **wishes).saliency()


def _with_parts(prediction: Prediction, keep: Keep, fill: bool, min_area: float) -> Prediction:
    """Holes first: what lies in a hole that is filled is no part of its own."""
    values = fill_holes(prediction.map) if fill else prediction.map
    return prediction.with_map(keep_parts(values, keep, min_area=min_area))
