"""u2net replace: put something else behind the object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from u2net.cli.picture_command import PictureRun, picture_command

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.inference.predict import Segmentation
    from u2net.types import Picture


@picture_command(
    "replace", "subject", "edge", "scene", "framed", "encoding",
    tag="replaced",
    epilog="Examples: u2net replace cat.jpg --background beach.jpg · u2net replace cat.jpg --blur 2 · "
    "u2net replace shoes/ -o shop/ --gradient white,#d8dde6 --shadow contact · "
    "u2net replace cat.jpg --background poster.png --fit contain --around black",
)  # fmt: skip
def command(run: PictureRun) -> int:
    """Put something else behind the object: a colour, a gradient, a picture, or the picture itself out of focus.

    One of --background, --gradient and --blur is needed. IN is a picture, a folder (searched recursively), a pattern,
    or - for standard input. A result is written beside its input as <stem>.replaced.png, or into -o as <stem>.png.

    Exit codes as in `u2net remove`; a picture without an object is not written, and exits with 3.
    """
    from u2net.batch.operation import framed_report, report_on
    from u2net.compose.layout import apply_layout, frame_box
    from u2net.errors import BadInput

    frame = run.framed.frame()
    layout = run.scene.layout(frame, run.given)
    if not layout.replaces:
        raise BadInput("say what comes behind the object: --background COLOUR|FILE, --gradient or --blur")

    def draw(picture: Picture, segmentation: Segmentation) -> tuple[Cutout, dict[str, Any]]:
        cutout = run.edge.cut(picture, segmentation)
        report = report_on(cutout)
        if frame is not None:
            report |= framed_report(frame_box(cutout, frame, layout), frame)
        return apply_layout(cutout, picture, layout, may_be_empty=True), report

    return run.each(draw, needs_object=True, moves=frame is None, reads=[run.scene.background])
