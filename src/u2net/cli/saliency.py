"""u2net saliency: write the saliency map itself."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from u2net.batch.settings import EncodingOptions, InputOptions
from u2net.cli.options.groups import Sectioned
from u2net.cli.options.objects import SubjectOptions, subject_options
from u2net.cli.options.pictures import encoding_options, picture_options
from u2net.cli.options.session import SessionOptions

if TYPE_CHECKING:
    from u2net.types import Picture


@click.command(
    "saliency",
    cls=Sectioned,
    epilog="Examples: u2net saliency cat.jpg · u2net saliency photos/ -o maps/ · u2net saliency cat.jpg -o cat.npy",
)
@picture_options
@subject_options
@encoding_options
@click.option("--npy", is_flag=True, help="Write the float32 map, (H, W) in [0, 1], as a NumPy file.")
def command(
    session: SessionOptions, given: InputOptions, subject: SubjectOptions, encoding: EncodingOptions, npy: bool
) -> int:
    """Write the saliency map: 8-bit grey, of the picture's size, made as the authors' published results.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is written beside its
    input as <stem>.saliency.png, or into -o as <stem>.png. Here --precision auto is f32, as the published results are.

    Exit codes as in `u2net remove`.
    """
    import numpy as np

    from u2net.batch.inputs import plan
    from u2net.batch.operation import Report, report_of
    from u2net.cli.run_pictures import run
    from u2net.errors import BadInput
    from u2net.imaging.regions import bounding_box
    from u2net.io.write import SUFFIX_OF_FORMAT, encode
    from u2net.tasks.remove import segment

    output = given.output or ""
    npy = npy or output.lower().endswith(".npy")
    if npy and (encoding.file_format or encoding.quality or encoding.lossless):
        raise BadInput("a NumPy file has no --format, --quality or --lossless; leave them out")
    chosen = encoding.format_for(output)
    suffix = ".npy" if npy else SUFFIX_OF_FORMAT[chosen]
    jobs = plan(given.inputs, given.output, tag="saliency", suffix=suffix)
    written, arguments = encoding.choices, subject.arguments
    opened = session.exact().open(quiet=given.quiet)

    def work(picture: Picture) -> tuple[Callable[[], bytes], Report]:
        prediction = segment(opened, picture, **arguments)
        grey = prediction.published_map()
        report = {
            "box": bounding_box(grey > 127),
            "coverage": round(float(grey.mean()) / 255, 4),
        } | report_of(prediction)

        def finish() -> bytes:
            if not npy:
                return encode(grey, format=chosen, dpi=None if encoding.strip else picture.dpi, **written)
            buffer = io.BytesIO()
            np.save(buffer, prediction.saliency())
            return buffer.getvalue()

        return finish, report

    return run(jobs, work, given)
