"""The main job: cut the salient object out of one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from u2net.composite import Cutout
    from u2net.matte import Edges
    from u2net.pixels import Source
    from u2net.session import Session


def remove(source: Source, session: Session | None = None, *, edges: Edges = "auto", foreground: bool = True) -> Cutout:
    """Cut the salient object out of one picture.

    source: a path, bytes, a binary file, a Pillow image, an array (see `u2net.read`), or a Picture.
    session: from `open_session`; None: u2net, opened at the first call and kept.
    edges: how they follow the picture, see `matte.EDGES`: auto, soft, sharp, hair (needs pymatting), none.
    foreground: give half-transparent pixels the object's own colours instead of what the old background mixed in.
    Returns a Cutout of the picture's own size and depth. Where there is no object (`confidence` below 0.5) it is
    transparent everywhere.
    Raises what `read`, `open_session` and `matte.refine` raise.
    """
    # Imported here because `u2net/__init__.py` must load this module at once, and must stay light: the function has
    # its module's name, and whichever is set last on the package is what `u2net.remove` means.
    import numpy as np

    from u2net.composite import cutout
    from u2net.matte import refine
    from u2net.pixels import read
    from u2net.predict import predict
    from u2net.session import default_session

    picture = read(source)
    prediction = predict(session or default_session(), picture)
    if not prediction.found:
        return cutout(picture, np.zeros(picture.size, np.float32), confidence=prediction.confidence)
    alpha = refine(picture.pixels, prediction.coarse(), edges)
    return cutout(picture, alpha, confidence=prediction.confidence, foreground=foreground)
