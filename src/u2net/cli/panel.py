"""u2net panel: the picture, the map, the box and the cutout side by side."""

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
    from u2net.inference.predict import Prediction
    from u2net.matting.alpha import Edges
    from u2net.types import Picture


@click.command(
    "panel",
    cls=Sectioned,
    epilog="Examples: u2net panel cat.jpg · u2net panel photos/ -o panels/ --height 320 · "
    "u2net panel cat.jpg --sides -o maps.png",
)
@picture_options
@subject_options
@encoding_options
@click.option(
    "--height", "height_px", type=int, default=480, show_default=True, metavar="PIXELS", help="Of each picture in it."
)
@click.option(
    "--sides",
    is_flag=True,
    help="Show the network's own maps instead: the fused one and the six side outputs it is made of.",
)
@edges_option
def command(
    session: SessionOptions,
    given: InputOptions,
    subject: SubjectOptions,
    height_px: int,
    sides: bool,
    edges: Edges,
    encoding: EncodingOptions,
) -> int:
    """Draw a strip of a picture: input, map, box and cutout, with captions.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A strip is written beside its
    input as <stem>.panel.png, or into -o as <stem>.png. A picture without an object is an error (exit code 3). Other
    exit codes as in `u2net remove`.
    """
    from u2net.batch.inputs import plan
    from u2net.batch.operation import Drawing, Report, report_on
    from u2net.cli.run_pictures import run
    from u2net.compose.panel import as_cutout, check_height, panel, sides_panel
    from u2net.errors import BadInput
    from u2net.inference.predict import predict_all
    from u2net.io.write import SUFFIX_OF_FORMAT
    from u2net.tasks.remove import cut_out, segment

    check_height(height_px)
    arguments = subject.arguments
    if sides and (arguments["hints"] or arguments["detail"]):
        raise BadInput("--sides shows the network's own maps, which --hint and --detail do not change; leave them out")
    chosen = encoding.format_for(given.output)
    jobs = plan(given.inputs, given.output, tag="panel", suffix=SUFFIX_OF_FORMAT[chosen])
    opened = session.open(quiet=given.quiet)
    find = functools.partial(segment, opened, **arguments)

    def draw(picture: Picture, prediction: Prediction) -> tuple[Cutout, Report]:
        cutout = cut_out(picture, prediction, edges=edges)
        if sides:
            maps = [one.coarse() for one in predict_all(opened, picture)]
            drawn = sides_panel(picture, maps, height_px=height_px)
        else:
            drawn = panel(picture, prediction.coarse(), cutout, height_px=height_px)
        return as_cutout(drawn, cutout), report_on(cutout)

    return run(jobs, Drawing(find, draw, chosen, encoding), given)
