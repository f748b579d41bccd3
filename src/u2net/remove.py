"""The main job: cut the salient object out of one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from u2net.composite import Cutout
    from u2net.matte import Edges
    from u2net.pixels import Source
    from u2net.region import Keep
    from u2net.session import Session
    from u2net.types import Hint


def remove(
    source: Source,
    session: Session | None = None,
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
    session: from `open_session`; None: u2net, opened at the first call and kept.
    edges: how they follow the picture, see `matte.EDGES`: auto, soft, sharp, hair (needs pymatting), none.
    foreground: give half-transparent pixels the object's own colours instead of what the old background mixed in.
    hints: what a user points at, or does not want (see `Hint`). detail: look at the object again, closer, for thin
    parts and fine edges; up to 14 more runs of the network.
    keep: which of several separate parts stay: all, largest, or how many of the largest. fill_holes: what the object
    closes in belongs to it. min_area: smaller parts go, in percent of the picture.
    Returns a Cutout of the picture's own size and depth. Where there is no object (`confidence` below 0.5) it is
    transparent everywhere.
    Raises what `read`, `open_session` and `matte.refine` raise, and BadInput for arguments that cannot be used.
    """
    # Imported here because `u2net/__init__.py` must load this module at once, and must stay light: the function has
    # its module's name, and whichever is set last on the package is what `u2net.remove` means.
    from u2net.cut import cut_out
    from u2net.pixels import read
    from u2net.session import default_session
    from u2net.subject import find_subject

    picture = read(source)
    prediction = find_subject(
        session or default_session(),
        picture,
        hints=hints,
        detail=detail,
        keep=keep,
        fill_holes=fill_holes,
        min_area=min_area,
    )
    return cut_out(picture, prediction, edges=edges, foreground=foreground)
