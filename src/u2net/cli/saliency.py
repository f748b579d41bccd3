"""u2net saliency: write the saliency map itself."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.picture_command import PictureRun, picture_command

if TYPE_CHECKING:
    from u2net.inference.session import Session
    from u2net.types import Picture


@picture_command(
    "saliency", "subject", "encoding",
    tag="saliency",
    epilog="Examples: u2net saliency cat.jpg · u2net saliency photos/ -o maps/ · u2net saliency cat.jpg -o cat.npy",
)  # fmt: skip
@click.option("--npy", is_flag=True, help="Write the float32 map, (H, W) in [0, 1], as a NumPy file.")
def command(run: PictureRun, npy: bool) -> int:
    """Write the saliency map: 8-bit grey, of the picture's size, made as the authors' published results.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is written beside its
    input as <stem>.saliency.png, or into -o as <stem>.png. Here --precision auto is f32, as the published results are.

    Exit codes as in `u2net remove`.
    """
    import numpy as np

    from u2net.batch.operation import report_of
    from u2net.errors import BadInput
    from u2net.imaging.regions import bounding_box
    from u2net.io.write import encode
    from u2net.tasks.remove import segment

    npy = npy or (run.given.output or "").lower().endswith(".npy")
    if npy and (run.encoding.file_format or run.encoding.quality or run.encoding.lossless):
        raise BadInput("a NumPy file has no --format, --quality or --lossless; leave them out")
    encoded, arguments = run.encoded, run.subject.arguments
    run.session = run.session.exact()

    def work(session: Session, picture: Picture) -> tuple[Callable[[], bytes], dict[str, Any]]:
        segmentation = segment(session, picture, **arguments)
        grey = segmentation.published_map()
        report = {
            "box": bounding_box(grey > 127),
            "coverage": round(float(grey.mean()) / 255, 4),
        } | report_of(segmentation)

        def finish() -> bytes:
            if not npy:
                dpi = None if encoded.metadata == "none" else picture.dpi
                return encode(grey, format=encoded.format, dpi=dpi, **encoded.choices)
            buffer = io.BytesIO()
            np.save(buffer, segmentation.saliency())
            return buffer.getvalue()

        return finish, report

    return run.do(
        lambda requests: functools.partial(work, run.open(requests)), run.plan(suffix=".npy" if npy else None)
    )
