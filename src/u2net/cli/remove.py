"""u2net remove: cut the object out of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from u2net.cli.options import (
    EncodingOptions,
    InputOptions,
    SessionOptions,
    SubjectOptions,
    complete_files,
    encoding_options,
    picture_options,
    subject_options,
)

if TYPE_CHECKING:
    from u2net.composite import Cutout
    from u2net.matte import Edges
    from u2net.predict import Prediction
    from u2net.types import Picture


@click.command(
    "remove",
    epilog="Examples: u2net remove cat.jpg · u2net remove photos/ -o cutouts/ · "
    "u2net remove shoe.jpg --background white -o white.jpg · cat cat.jpg | u2net remove - > cat.png",
)
@picture_options
@subject_options
@encoding_options
@click.option(
    "--edges",
    type=click.Choice(["auto", "soft", "sharp", "hair", "none"]),
    default="auto",
    show_default=True,
    help="auto follows the picture's edges; soft looks farther, for fur and smoke; sharp hardens them, for products; "
    "hair finds single strands (needs the extra matting); none leaves the network's own.",
)
@click.option(
    "--foreground/--no-foreground",
    default=True,
    show_default=True,
    help="Take the old background's colour out of half-transparent pixels.",
)
@click.option("--only-mask", is_flag=True, help="Write the alpha as a grey picture instead of the cutout.")
@click.option(
    "--background",
    metavar="COLOUR|FILE",
    help="Lay the object over a colour or a picture.",
    shell_complete=complete_files,
)
def command(
    session: SessionOptions,
    given: InputOptions,
    subject: SubjectOptions,
    edges: Edges,
    foreground: bool,
    only_mask: bool,
    background: str | None,
    encoding: EncodingOptions,
) -> int:
    """Cut the object out of pictures.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is written beside its
    input as <stem>.cutout.png, or into -o as <stem>.png.

    Exit codes: 0 done, 1 some pictures failed, 2 wrong usage or bad input, 3 no object (--fail-if-empty), 4 no weights,
    5 no such device or engine.
    """
    from u2net.background import parse_background
    from u2net.batch import plan
    from u2net.cli.run import Drawing, Report, run
    from u2net.closed_form import require_pymatting
    from u2net.cut import cut_out
    from u2net.encode import SUFFIX_OF_FORMAT
    from u2net.errors import BadInput
    from u2net.subject import find_subject

    if edges == "hair":
        require_pymatting()
    if only_mask and background is not None:
        raise BadInput("--only-mask and --background exclude each other")
    chosen = encoding.format_for(given.output)
    tag = "mask" if only_mask else "cutout"
    jobs = plan(given.inputs, given.output, tag=tag, suffix=SUFFIX_OF_FORMAT[chosen])
    if chosen == "jpeg" and background is None and not only_mask:
        background = "white"
        if not given.quiet:
            click.echo("u2net: JPEG has no transparency; the object is laid over white (--background)", err=True)
    behind = None if background is None else parse_background(background, **given.limits)
    wishes = subject.wishes
    opened = session.open(quiet=given.quiet)

    def find(picture: Picture) -> Prediction:
        return find_subject(opened, picture, **wishes)

    def draw(picture: Picture, prediction: Prediction) -> tuple[Cutout, Report]:
        cutout = cut_out(picture, prediction, edges=edges, foreground=foreground)
        report = {"box": cutout.box, "coverage": round(cutout.coverage, 4)}
        if only_mask:
            return cutout.mask(), report
        return cutout if behind is None else cutout.over(behind), report

    return run(jobs, Drawing(find, draw, chosen, encoding, grey=only_mask), given)
