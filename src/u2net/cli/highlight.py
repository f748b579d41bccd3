"""u2net highlight: show the object in its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from u2net.cli.picture_command import PictureRun, picture_command

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.compose.highlight import Style
    from u2net.inference.predict import Segmentation
    from u2net.types import Picture


@picture_command(
    "highlight", "subject", "encoding", "edges",
    tag="highlighted",
    epilog="Examples: u2net highlight cat.jpg · u2net highlight cat.jpg --style outline --colour orange --width 12 · "
    "u2net highlight photos/ -o shown/ --style splash --format jpeg",
)  # fmt: skip
@click.option(
    "--style",
    type=click.Choice(["spotlight", "tint", "outline", "glow", "splash"]),
    default="spotlight",
    show_default=True,
    help="spotlight darkens the rest; tint colours the object; outline draws a line around it; glow lays a light "
    "there; splash makes the rest grey.",
)
@click.option(
    "--colour",
    "--color",
    "color",
    metavar="COLOUR",
    help="Of tint, outline and glow, and what a spotlight's rest fades into. Default: one that suits the style.",
)
@click.option("--strength", type=float, metavar="0...1", help="How much of the effect. Default: what suits the style.")
@click.option(
    "--width",
    "width_px",
    type=float,
    metavar="PIXELS",
    help="Of the outline, or how far the glow reaches. Default: .5 and 6 percent of the picture's longer side.",
)
@click.option("--blur", is_flag=True, help="Blur the rest too; for spotlight.")
def command(
    run: PictureRun, style: Style, color: str | None, strength: float | None, width_px: float | None, blur: bool
) -> int:
    """Show the object in its picture: spotlight, tint, outline, glow, or colour on grey.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is the whole picture,
    written beside its input as <stem>.highlighted.png, or into -o as <stem>.png. A picture without an object is an
    error (exit code 3). Other exit codes as in `u2net remove`.
    """
    from u2net.batch.operation import report_on
    from u2net.compose.cutout import Cutout
    from u2net.compose.highlight import check_style, highlight
    from u2net.tasks.remove import cut_out

    check_style(style, color=color, strength=strength, width_px=width_px, blur=blur)

    def draw(picture: Picture, segmentation: Segmentation) -> tuple[Cutout, dict[str, Any]]:
        cutout = cut_out(picture, segmentation, edges=run.edges, foreground=False)
        if cutout.box is None:  # a frame of an animation from which the object is away
            return Cutout.opaque(picture), {"box": None, "coverage": 0.0}
        shown = highlight(picture, cutout, style, color=color, strength=strength, width_px=width_px, blur=blur)
        return shown, report_on(cutout)

    return run.each(draw, needs_object=True)
