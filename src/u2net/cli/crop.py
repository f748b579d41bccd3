"""u2net crop: cut pictures to their object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from u2net.cli.picture_command import PictureRun, picture_command

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.inference.predict import Segmentation
    from u2net.types import Picture


@picture_command(
    "crop", "framed", "subject", "edge", "scene", "encoding",
    tag="cropped",
    epilog="Examples: u2net crop cat.jpg · u2net crop cat.jpg --aspect 4:5 --margin 10% · "
    "u2net crop shoes/ -o shop/ --preset marketplace --format jpeg · u2net crop cat.jpg --cutout --size 512",
)  # fmt: skip
@click.option(
    "--centred", is_flag=True, help="Keep the object in the middle even where the frame goes beyond the picture."
)
@click.option("--cutout", "without", is_flag=True, help="Without the picture's own background.")
def command(run: PictureRun, centred: bool, without: bool) -> int:
    """Cut pictures to their object, with their background or without.

    The frame is tight unless the options say otherwise; it grows to an aspect, and never cuts the object. The picture
    keeps its background; what the frame has beyond it is transparent. With --cutout, a background or a shadow the
    object alone is framed, in the middle. IN is a picture, a folder (searched recursively), a pattern, or - for
    standard input. A result is written beside its input as <stem>.cropped.png, or into -o as <stem>.png.

    Exit codes as in `u2net remove`; a picture without an object is not written, and exits with 3.
    """
    from dataclasses import replace

    from u2net.batch.operation import framed_report, report_on
    from u2net.compose.layout import apply_layout, crop, crop_box, frame_box

    frame = run.framed.frame(default="tight")
    assert frame is not None
    layout = replace(run.scene.layout(frame, run.given), centred=centred)
    alone = without or layout.replaces or layout.shadow is not None

    def draw(picture: Picture, segmentation: Segmentation) -> tuple[Cutout, dict[str, Any]]:
        cutout = run.edge.cut(picture, segmentation)
        box = frame_box(cutout, frame, layout) if alone else crop_box(cutout, frame, centred=centred)
        report = report_on(cutout) | framed_report(box, frame)
        if alone:
            return apply_layout(cutout, picture, layout, may_be_empty=True), report
        return crop(picture, cutout, frame, centred=centred), report

    return run.each(draw, needs_object=True, moves=False, reads=[run.scene.background])
