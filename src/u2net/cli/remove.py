"""u2net remove: cut the object out of pictures."""

from __future__ import annotations

import functools
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from u2net.batch.settings import EncodingOptions, InputOptions
from u2net.cli.options.composition import (
    BackgroundOptions,
    FrameOptions,
    background_options,
    frame_options,
    framed_report,
)
from u2net.cli.options.folder import FolderOptions, folder_options
from u2net.cli.options.groups import Sectioned
from u2net.cli.options.objects import EdgeOptions, SubjectOptions, edge_options, subject_options
from u2net.cli.options.pictures import encoding_options, picture_options
from u2net.cli.options.session import SessionOptions
from u2net.version import __version__

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.inference.predict import Prediction
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
@folder_options
def command(
    session: SessionOptions,
    given: InputOptions,
    subject: SubjectOptions,
    edge: EdgeOptions,
    only_mask: bool,
    framed: FrameOptions,
    scene: BackgroundOptions,
    encoding: EncodingOptions,
    many: FolderOptions,
) -> int:
    """Cut the object out of pictures.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is written beside its
    input as <stem>.cutout.png, or into -o as <stem>.png. Cutting out, cropping, shadow, background and encoding are one
    pass.

    Exit codes: 0 done, 1 some pictures failed, 2 wrong usage or bad input, 3 no object (--fail-if-empty, or nothing to
    crop or to cast a shadow), 4 no weights, 5 no such device or engine.
    """
    from u2net.batch.manifest import model_identity
    from u2net.batch.operation import Drawing, Report, report_on
    from u2net.cli.run_folder import Plan, run_many
    from u2net.compose.layout import apply_layout, frame_box
    from u2net.errors import BadInput
    from u2net.io.write import SUFFIX_OF_FORMAT
    from u2net.tasks.remove import segment

    if only_mask and (scene.given or scene.shadow):
        raise BadInput("--only-mask is the alpha alone; it and a background or a shadow exclude each other")
    frame = framed.frame()
    wanted = scene.layout(frame, given)
    arguments = subject.arguments
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
        return apply_layout(cutout, picture, wanted, may_be_empty=True), report

    def drawing(requests: int) -> Drawing:
        return Drawing(
            functools.partial(segment, session.open(quiet=given.quiet, requests=requests), **arguments),
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
