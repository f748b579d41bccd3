"""u2net replace: put something else behind the object."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from u2net.batch.settings import EncodingOptions, InputOptions
from u2net.cli.options.composition import (
    BackgroundOptions,
    FrameOptions,
    background_options,
    frame_options,
    framed_report,
)
from u2net.cli.options.groups import Sectioned
from u2net.cli.options.objects import EdgeOptions, SubjectOptions, edge_options, subject_options
from u2net.cli.options.pictures import encoding_options, picture_options
from u2net.cli.options.session import SessionOptions

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.inference.predict import Prediction
    from u2net.types import Picture


@click.command(
    "replace",
    cls=Sectioned,
    epilog="Examples: u2net replace cat.jpg --background beach.jpg · u2net replace cat.jpg --blur 2 · "
    "u2net replace shoes/ -o shop/ --gradient white,#d8dde6 --shadow contact · "
    "u2net replace cat.jpg --background poster.png --fit contain --around black",
)
@picture_options
@subject_options
@edge_options
@background_options
@frame_options
@encoding_options
def command(
    session: SessionOptions,
    given: InputOptions,
    subject: SubjectOptions,
    edge: EdgeOptions,
    scene: BackgroundOptions,
    framed: FrameOptions,
    encoding: EncodingOptions,
) -> int:
    """Put something else behind the object: a colour, a gradient, a picture, or the picture itself out of focus.

    One of --background, --gradient and --blur is needed. IN is a picture, a folder (searched recursively), a pattern,
    or - for standard input. A result is written beside its input as <stem>.replaced.png, or into -o as <stem>.png.

    Exit codes as in `u2net remove`; a picture without an object is not written, and exits with 3.
    """
    from u2net.batch.inputs import plan
    from u2net.batch.operation import Drawing, Report, report_on
    from u2net.cli.run_pictures import run
    from u2net.compose.layout import apply_layout, frame_box
    from u2net.errors import BadInput
    from u2net.io.write import SUFFIX_OF_FORMAT
    from u2net.tasks.remove import segment

    frame = framed.frame()
    wanted = scene.layout(frame, given)
    if not wanted.replaces:
        raise BadInput("say what comes behind the object: --background COLOUR|FILE, --gradient or --blur")
    chosen = encoding.format_for(given.output)
    jobs = plan(given.inputs, given.output, tag="replaced", suffix=SUFFIX_OF_FORMAT[chosen], reads=[scene.background])
    find = functools.partial(segment, session.open(quiet=given.quiet), **subject.arguments)

    def draw(picture: Picture, prediction: Prediction) -> tuple[Cutout, Report]:
        cutout = edge.cut(picture, prediction)
        report = report_on(cutout)
        if frame is not None:
            report |= framed_report(frame_box(cutout, frame, wanted), frame)
        return apply_layout(cutout, picture, wanted, may_be_empty=True), report

    return run(jobs, Drawing(find, draw, chosen, encoding, needs_object=True, moves=frame is None), given)
