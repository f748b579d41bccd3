"""u2net highlight: show the object in its picture."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from u2net.batch.settings import EncodingOptions, InputOptions
from u2net.cli.options.groups import Sectioned
from u2net.cli.options.objects import SubjectOptions, edges_option, subject_options
from u2net.cli.options.pictures import encoding_options, picture_options
from u2net.cli.options.session import SessionOptions

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.compose.highlight import Style
    from u2net.inference.predict import Prediction
    from u2net.matting.alpha import Edges
    from u2net.types import Picture


@click.command(
    "highlight",
    cls=Sectioned,
    epilog="Examples: u2net highlight cat.jpg · u2net highlight cat.jpg --style outline --colour orange --width 12 · "
    "u2net highlight photos/ -o shown/ --style splash --format jpeg",
)
@picture_options
@subject_options
@encoding_options
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
@edges_option
def command(
    session: SessionOptions,
    given: InputOptions,
    subject: SubjectOptions,
    style: Style,
    color: str | None,
    strength: float | None,
    width_px: float | None,
    blur: bool,
    edges: Edges,
    encoding: EncodingOptions,
) -> int:
    """Show the object in its picture: spotlight, tint, outline, glow, or colour on grey.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is the whole picture,
    written beside its input as <stem>.highlighted.png, or into -o as <stem>.png. A picture without an object is an
    error (exit code 3). Other exit codes as in `u2net remove`.
    """
    from u2net.batch.inputs import plan
    from u2net.batch.operation import Drawing, Report, report_on
    from u2net.cli.run_pictures import run
    from u2net.compose.cutout import Cutout
    from u2net.compose.highlight import check_style, highlight
    from u2net.io.write import SUFFIX_OF_FORMAT
    from u2net.tasks.remove import cut_out, segment

    check_style(style, color=color, strength=strength, width_px=width_px, blur=blur)
    chosen = encoding.format_for(given.output)
    jobs = plan(given.inputs, given.output, tag="highlighted", suffix=SUFFIX_OF_FORMAT[chosen])
    find = functools.partial(segment, session.open(quiet=given.quiet), **subject.arguments)

    def draw(picture: Picture, prediction: Prediction) -> tuple[Cutout, Report]:
        cutout = cut_out(picture, prediction, edges=edges, foreground=False)
        if cutout.box is None:  # a frame of an animation from which the object is away
            return Cutout.opaque(picture), {"box": None, "coverage": 0.0}
        shown = highlight(picture, cutout, style, color=color, strength=strength, width_px=width_px, blur=blur)
        return shown, report_on(cutout)

    return run(jobs, Drawing(find, draw, chosen, encoding, needs_object=True), given)
