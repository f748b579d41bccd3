"""u2net paste: lay the object of one picture onto another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options.values import PixelNumbers, complete_files
from u2net.cli.picture_command import PictureRun, picture_command

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.compose.paste import Anchor
    from u2net.inference.predict import Segmentation
    from u2net.types import Picture


@picture_command(
    "paste", "subject", "edge", "encoding",
    tag="pasted",
    epilog="Examples: u2net paste cat.jpg sofa.jpg · u2net paste cat.jpg --onto sofa.jpg --at 900,700 --scale 0.5 · "
    "u2net paste cat.cutout.png --onto sofa.jpg --fit · u2net paste plant.jpg --onto screen.png --locate view.jpg",
)  # fmt: skip
@click.option(
    "--onto", metavar="FILE", help="The picture to paste onto; or name it last: IN FILE.", shell_complete=complete_files
)
@click.option(
    "--at",
    type=PixelNumbers("X", "Y", whole=False),
    metavar="X,Y",
    help="Where the object goes, in pixels from the upper left corner.  [default: the middle]",
)
@click.option(
    "--anchor",
    type=click.Choice(["centre", "top-left", "bottom"]),
    default="centre",
    show_default=True,
    help="Which point of the object goes there; bottom is the middle of its lower side.",
)
@click.option("--scale", type=float, metavar="FACTOR", help="Size of the object, 0.001 to 1000.  [default: 1]")
@click.option("--fit", is_flag=True, help="Make an object that is larger than the target as small as that.")
@click.option(
    "--rotate", "--rotation", "rotate", type=float, default=0, metavar="DEGREES", help="Turn the object, clockwise."
)
@click.option(
    "--locate",
    metavar="VIEW",
    help="A photo of the target: the object goes to where its middle lies.",
    shell_complete=complete_files,
)
def command(
    run: PictureRun,
    onto: str | None,
    at: tuple[float, float] | None,
    anchor: Anchor,
    scale: float | None,
    fit: bool,
    rotate: float,
    locate: str | None,
) -> int:
    """Lay the object of a picture onto another picture.

    IN is as in `u2net remove`. A picture with transparent pixels is taken for a cutout and used as it is, without the
    network; of others the object is cut out first. A result has the target's size and profile, and is written beside
    its input as <stem>.pasted.png, or into -o as <stem>.png. Exit codes as in `u2net remove`; a picture without an
    object is an error (3).
    """
    from dataclasses import replace

    import numpy as np

    from u2net.compose.cutout import Cutout
    from u2net.compose.match_view import match_view
    from u2net.compose.paste import pasted, place
    from u2net.errors import BadInput
    from u2net.inference.predict import Prediction
    from u2net.io.read import read
    from u2net.models.registry import DEFAULT_MODEL, MODELS
    from u2net.tasks.remove import is_cutout, segment

    if at is not None and locate is not None:
        raise BadInput("--at and --locate both say where; give one of them")
    if onto is None:
        if len(run.given.inputs) != 2:
            raise BadInput("say what to paste onto: u2net paste IN FILE, or with several IN: --onto FILE")
        *inputs, onto = run.given.inputs
        run.given = replace(run.given, inputs=tuple(inputs))
    target = read(onto, **run.given.limits)
    located: dict[str, Any] = {}
    if locate is not None:
        found = match_view(read(locate, **run.given.limits).pixels, target.pixels)
        at = found.x, found.y
        where = {"scale": round(found.scale, 4), "rotation": round(found.rotation, 2), "matches": found.matches}
        located = {"located": {"at": [round(found.x, 1), round(found.y, 1)], **where}}
    arguments = run.subject.arguments

    def find(picture: Picture) -> Segmentation:
        if is_cutout(picture):
            return Prediction(np.ones((1, 1), np.float32), picture.size, MODELS[DEFAULT_MODEL])
        return segment(run.open(), picture, **arguments)  # opened now: cutouts need none

    def draw(picture: Picture, segmentation: Segmentation) -> tuple[Cutout, dict[str, Any]]:
        cutout = Cutout.opaque(picture) if is_cutout(picture) else run.edge.cut(picture, segmentation)
        placed = place(cutout, target.size, at=at, anchor=anchor, scale=scale, rotation=rotate, fit=fit)
        report = {"box": placed.box, "scale": round(placed.scale, 4), "rotation": rotate, **located}
        return pasted(cutout, target, placed), report

    return run.each(draw, find=find, cutouts=True, reads=[onto, locate])
