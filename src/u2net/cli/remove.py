"""u2net remove: cut the object out of pictures."""

from __future__ import annotations

import functools
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from u2net import __version__
from u2net.cli.cutout_options import (
    BackgroundOptions,
    EdgeOptions,
    FrameOptions,
    background_options,
    edge_options,
    frame_options,
    framed_report,
)
from u2net.cli.many_options import ManyOptions, many_options
from u2net.cli.options import (
    EncodingOptions,
    InputOptions,
    SessionOptions,
    SubjectOptions,
    encoding_options,
    picture_options,
    subject_options,
)
from u2net.cli.sections import Sectioned

if TYPE_CHECKING:
    from u2net.composite import Cutout
    from u2net.predict import Prediction
    from u2net.types import Picture


@click.command(
    "remove",
    cls=Sectioned,
    epilog="Examples: u2net remove cat.jpg · u2net remove photos/ -o cutouts/ · "
    "u2net remove shoe.jpg --background white -o white.jpg · cat cat.jpg | u2net remove - > cat.png · "
    "u2net remove in/ -o shop/ --crop marketplace --shadow contact --format webp",
)
@picture_options
@subject_options
@edge_options
@click.option("--only-mask", is_flag=True, help="Write the alpha as a grey picture instead of the cutout.")
@frame_options
@background_options
@encoding_options
@many_options
def command(
    session: SessionOptions,
    given: InputOptions,
    subject: SubjectOptions,
    edge: EdgeOptions,
    only_mask: bool,
    framed: FrameOptions,
    scene: BackgroundOptions,
    encoding: EncodingOptions,
    many: ManyOptions,
) -> int:
    """Cut the object out of pictures.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is written beside its
    input as <stem>.cutout.png, or into -o as <stem>.png. Cutting out, cropping, shadow, background and encoding are one
    pass.

    Exit codes: 0 done, 1 some pictures failed, 2 wrong usage or bad input, 3 no object (--fail-if-empty, or nothing to
    crop or to cast a shadow), 4 no weights, 5 no such device or engine.
    """
    from u2net.arrange import arrange, frame_box
    from u2net.cli.drawing import Drawing, Report, report_on
    from u2net.cli.many import Plan, run_many
    from u2net.encode import SUFFIX_OF_FORMAT
    from u2net.errors import BadInput
    from u2net.manifest import model_identity
    from u2net.subject import find_subject

    if only_mask and (scene.given or scene.shadow):
        raise BadInput("--only-mask is the alpha alone; it and a background or a shadow exclude each other")
    frame = framed.frame()
    wanted = scene.arrangement(frame, given)
    wishes = subject.wishes
    chosen = encoding.format_for(given.output)
    if chosen == "jpeg" and not (wanted.replaces or only_mask or given.quiet or many.dry_run):
        click.echo("u2net: JPEG has no transparency; the object is laid over white (--background)", err=True)

    def draw(picture: Picture, prediction: Prediction) -> tuple[Cutout, Report]:
        cutout = edge.cut(picture, prediction)
        report = report_on(cutout)
        if frame is not None:
            report |= framed_report(frame_box(cutout, frame, wanted), frame)
        if only_mask:
            return (cutout if frame is None else cutout.cropped(frame)).mask(), report
        return arrange(cutout, picture, wanted, may_be_empty=True), report

    def drawing(requests: int) -> Drawing:
        return Drawing(
            functools.partial(find_subject, session.open(quiet=given.quiet, requests=requests), **wishes),
            draw,
            chosen,
            encoding,
            grey=only_mask,
            needs_object=frame is not None or scene.shadow is not None or scene.blur is not None,
            moves=frame is None,
        )

    def options() -> dict[str, Any]:
        """All that changes a result."""
        return {
            "u2net": __version__,
            "command": "remove",
            "model": model_identity(session.model, session.precision),
            "precision": session.precision,
            "format": chosen,
            "only_mask": only_mask,
            "background": scene.fingerprint(),
            "subject": asdict(subject),
            "edge": asdict(edge),
            "framed": asdict(framed),
            "encoding": asdict(replace(encoding, file_format=None)),
        }

    planned = Plan("mask" if only_mask else "cutout", SUFFIX_OF_FORMAT[chosen], reads=[scene.background])
    return run_many(drawing, given, many, planned, options, threads=session.threads)
