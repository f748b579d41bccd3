"""u2net panel: the picture, the map, the box and the cutout side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from u2net.cli.picture_command import PictureRun, picture_command

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.inference.predict import Segmentation
    from u2net.types import Picture


@picture_command(
    "panel", "subject", "encoding", "edges",
    tag="panel",
    epilog="Examples: u2net panel cat.jpg · u2net panel photos/ -o panels/ --height 320 · "
    "u2net panel cat.jpg --sides -o maps.png",
)  # fmt: skip
@click.option(
    "--height", "height_px", type=int, default=480, show_default=True, metavar="PIXELS", help="Of each picture in it."
)
@click.option(
    "--sides",
    is_flag=True,
    help="Show the network's own maps instead: the fused one and the six side outputs it is made of.",
)
def command(run: PictureRun, height_px: int, sides: bool) -> int:
    """Draw a strip of a picture: input, map, box and cutout, with captions.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A strip is written beside its
    input as <stem>.panel.png, or into -o as <stem>.png. A picture without an object is an error (exit code 3). Other
    exit codes as in `u2net remove`.
    """
    from u2net.batch.operation import report_on
    from u2net.compose.panel import as_cutout, check_height, panel, sides_panel
    from u2net.errors import BadInput
    from u2net.inference.predict import predict_all
    from u2net.tasks.remove import cut_out

    check_height(height_px)
    if sides and (run.subject.arguments["hints"] or run.subject.detail):
        raise BadInput("--sides shows the network's own maps, which --hint and --detail do not change; leave them out")

    def draw(picture: Picture, segmentation: Segmentation) -> tuple[Cutout, dict[str, Any]]:
        cutout = cut_out(picture, segmentation, edges=run.edges)
        if sides:
            maps = [one.coarse() for one in predict_all(run.open(), picture)]
            drawn = sides_panel(picture, maps, height_px=height_px)
        else:
            drawn = panel(picture, segmentation.coarse(), cutout, height_px=height_px)
        return as_cutout(drawn, cutout), report_on(cutout)

    return run.each(draw)
