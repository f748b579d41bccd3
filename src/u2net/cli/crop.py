"""u2net crop: cut pictures to their object."""

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
    "crop",
    cls=Sectioned,
    epilog="Examples: u2net crop cat.jpg · u2net crop cat.jpg --aspect 4:5 --margin 10% · "
    "u2net crop shoes/ -o shop/ --preset marketplace --format jpeg · u2net crop cat.jpg --cutout --size 512",
)
@picture_options
@frame_options
@click.option(
    "--centred", is_flag=True, help="Keep the object in the middle even where the frame goes beyond the picture."
)
@click.option("--cutout", "without", is_flag=True, help="Without the picture's own background.")
@subject_options
@edge_options
@background_options
@encoding_options
def command(
    session: SessionOptions,
    given: InputOptions,
    framed: FrameOptions,
    centred: bool,
    without: bool,
    subject: SubjectOptions,
    edge: EdgeOptions,
    scene: BackgroundOptions,
    encoding: EncodingOptions,
) -> int:
    """Cut pictures to their object, with their background or without.

    The frame is as tight as it goes unless the options say otherwise; it grows to an aspect, and never cuts the object.
    The picture keeps its background, and the frame stays inside it where it can; what is beyond it is transparent.
    With --cutout, a background or a shadow the object alone is framed, always in the middle.
    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is written beside its
    input as <stem>.cropped.png, or into -o as <stem>.png.

    Exit codes as in `u2net remove`; a picture without an object is not written, and exits with 3.
    """
    from dataclasses import replace

    from u2net.batch.inputs import plan
    from u2net.batch.operation import Drawing, Report, report_on
    from u2net.cli.run_pictures import run
    from u2net.compose.layout import apply_layout, crop, crop_box, frame_box
    from u2net.io.write import SUFFIX_OF_FORMAT
    from u2net.tasks.remove import segment

    frame = framed.frame(default="tight")
    assert frame is not None
    wanted = replace(scene.layout(frame, given), centred=centred)
    alone = without or wanted.replaces or wanted.shadow is not None
    chosen = encoding.format_for(given.output)
    jobs = plan(given.inputs, given.output, tag="cropped", suffix=SUFFIX_OF_FORMAT[chosen], reads=[scene.background])
    find = functools.partial(segment, session.open(quiet=given.quiet), **subject.arguments)

    def draw(picture: Picture, prediction: Prediction) -> tuple[Cutout, Report]:
        cutout = edge.cut(picture, prediction)
        box = frame_box(cutout, frame, wanted) if alone else crop_box(cutout, frame, centred=centred)
        report = report_on(cutout) | framed_report(box, frame)
        if alone:
            return apply_layout(cutout, picture, wanted, may_be_empty=True), report
        return crop(picture, cutout, frame, centred=centred), report

    return run(jobs, Drawing(find, draw, chosen, encoding, needs_object=True, moves=False), given)
