"""u2net quantize: make the table by which a model is computed in int8."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from u2net.cli.options.values import complete_files, complete_models
from u2net.errors import BadInput, UnreadablePicture

if TYPE_CHECKING:
    from u2net.types import Tensor

_FEWEST = 10


@click.command(
    "quantize",
    epilog="Examples: u2net quantize cups.onnx --images photos/ · u2net quantize silueta --images photos/ · "
    "u2net quantize u2netp --images photos/ --leave Conv_787 --json > report.json",
)
@click.argument("model", shell_complete=complete_models)
@click.option(
    "--images",
    required=True,
    metavar="DIR",
    help="Pictures such as the model will see, searched recursively.",
    shell_complete=complete_files,
)
@click.option(
    "--count",
    type=click.IntRange(min=_FEWEST),
    default=300,
    show_default=True,
    help="Use so many of them, evenly spread.",
)
@click.option(
    "--leave", metavar="LAYER", multiple=True, help="Compute this convolution in f32; may be given several times."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The table. Default: where --precision int8 finds it.",
    shell_complete=complete_files,
)
@click.option("--offline", is_flag=True, help="Never fetch a weight file.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on standard output, with every layer.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    model: str,
    images: str,
    count: int,
    leave: tuple[str, ...],
    output: str | None,
    offline: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make the table by which a model is computed in int8.

    MODEL is a name, or an .onnx or .xml file. The ranges of its numbers are measured on pictures and written as a small
    table, beside the file or into the cache folder; from then on --precision int8 works with this model. Said is how
    far the map moves by it, and which layers lose most.

    Needs the extra `quantize`; without it the error says how to install it.
    """
    from u2net.batch.inputs import plan_unwritten
    from u2net.cli.progress import download_bar, picture_bar, step_line
    from u2net.imaging.blend import lay_over_color
    from u2net.inference.calibrate import calibrate, measure
    from u2net.inference.int8_ranges import table_path
    from u2net.inference.open_session import spec_of
    from u2net.inference.transforms import from_pixels
    from u2net.io.read import read
    from u2net.models import weights
    from u2net.models.cache import tables_dir
    from u2net.reports.calibration import report
    from u2net.system.files import check_target, make_folder, write_bytes

    if "" in (images, output):
        raise BadInput("an empty name stands for nothing: is a variable of the shell unset?")
    spec, path = spec_of(model)
    found = [job.source for job in plan_unwritten([images]) if job.source]
    if not Path(images).is_dir():
        raise UnreadablePicture(f"{images}: there is no such folder")
    if len(found) < _FEWEST:
        raise BadInput(f"{images}: {len(found)} pictures are too few to measure ranges on; give {_FEWEST} or more")
    wanted = min(count, len(found))
    pictures = [found[number * len(found) // wanted] for number in range(wanted)]
    if path is None:
        with download_bar(quiet=quiet) as on_progress:
            path = weights.locate(spec, offline=offline, on_progress=on_progress)
    target = Path(output) if output else table_path(spec, path, tables_dir())
    if os.path.isdir(target):
        raise BadInput(f"-o {target}: is a folder; give the table a name in it")
    check_target(target, beside=output is None)

    def load(picture: Path) -> Tensor:
        try:
            decoded = read(picture)
        except UnreadablePicture as error:
            raise UnreadablePicture(f"{error}; remove it from {images}, or mend it") from error
        return from_pixels(lay_over_color(decoded, spec.mean), spec, icc=decoded.icc)

    with picture_bar(len(pictures), quiet=quiet) as (advance, _):

        def loaded(picture: Path) -> Tensor:
            advance()
            return load(picture)

        ranges = calibrate(path, spec, pictures, loaded, leave=leave)
    with step_line(quiet=quiet) as tell:
        tell("comparing int8 with f32")
        deviation = measure(path, spec, ranges, [load(one) for one in pictures[:: len(pictures) // 8]])
    make_folder(target.parent)
    write_bytes(target, ranges.to_json().encode())
    if as_json:
        said = {"table": str(target), "pictures": len(pictures), **asdict(deviation)}
        click.echo(json.dumps(said, indent=1))
    elif not quiet:
        click.echo("\n".join(report(target, deviation)))
