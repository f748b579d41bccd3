"""u2net remove: cut the object out of pictures."""

from __future__ import annotations

from collections.abc import Callable
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
    from u2net.matte import Edges
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
    from u2net.batch import plan
    from u2net.cli.run import Report, run
    from u2net.closed_form import require_pymatting
    from u2net.composite import parse_background
    from u2net.encode import SUFFIX_OF_FORMAT, encode
    from u2net.errors import BadInput
    from u2net.remove import remove

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
    written, wishes = encoding.choices, subject.wishes
    opened = session.open(quiet=given.quiet)

    def work(picture: Picture) -> tuple[Callable[[], bytes], Report]:
        cutout = remove(picture, opened, edges=edges, foreground=foreground, **wishes)
        report = {
            "box": cutout.box,
            "coverage": round(cutout.coverage, 4),
            "confidence": round(cutout.confidence, 4),
            "found": cutout.found,
        }

        def finish() -> bytes:
            if only_mask:
                return encode(
                    cutout.pixels[..., 3], format=chosen, dpi=None if encoding.strip else cutout.dpi, **written
                )
            laid = cutout if behind is None else cutout.over(behind)
            return laid.to_bytes(chosen, keep=encoding.keep, **written)

        return finish, report

    return run(jobs, work, given)
