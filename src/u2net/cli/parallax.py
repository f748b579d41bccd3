"""u2net parallax: a picture that moves in depth."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import click

from u2net.cli.picture_command import PictureRun, picture_command

if TYPE_CHECKING:
    from u2net.inference.session import Session
    from u2net.types import Picture


@picture_command(
    "parallax", "subject", "edges",
    tag="parallax",
    epilog="Examples: u2net parallax cat.jpg · u2net parallax cat.jpg -o cat.gif --size 480 · "
    "u2net parallax photos/ -o moving/ --amount 3 --seconds 4",
)  # fmt: skip
@click.option("--format", "file_format", type=click.Choice(["webp", "gif"]), help="Default: by -o, else webp.")
@click.option("--seconds", type=float, default=3, show_default=True, help="How long one round of the movement takes.")
@click.option("--fps", type=float, default=20, show_default=True, help="Frames a second.")
@click.option(
    "--amount",
    type=float,
    default=2,
    show_default=True,
    metavar="PERCENT",
    help="How far the object moves to each side, of the longer side.",
)
@click.option(
    "--size", "size_px", type=int, default=720, show_default=True, metavar="PIXELS", help="The frames' longer side."
)
def command(
    run: PictureRun,
    file_format: Literal["webp", "gif"] | None,
    seconds: float,
    fps: float,
    amount: float,
    size_px: int,
) -> int:
    """Let a picture move in depth: a short film, without end, of the object before its background.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is written beside its
    input as <stem>.parallax.webp, or into -o as <stem>.webp. A picture without an object is an error (exit code 3).
    Other exit codes as in `u2net remove`.
    """
    from pathlib import Path

    import cv2

    from u2net.batch.operation import report_of, report_on
    from u2net.compose.parallax import check_parallax, parallax
    from u2net.errors import BadInput
    from u2net.tasks.remove import cut_out, segment
    from u2net.video.write_animation import encode_frames

    count = check_parallax(seconds=seconds, fps=fps, amount=amount, size_px=size_px)
    output = run.given.output
    named = Path(output or "").suffix.lower()
    if named in (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm"):
        raise BadInput(f"-o {output}: video files are not written here; use .webp or .gif")
    chosen: Literal["webp", "gif"] = file_format or ("gif" if named == ".gif" else "webp")
    if named in (".webp", ".gif") and named != f".{chosen}":
        raise BadInput(f"-o {output}: the result is {chosen}, which that name does not say; leave --format out")
    quality = 80 if chosen == "webp" else None
    arguments = run.subject.arguments

    def animate(session: Session, picture: Picture) -> tuple[Callable[[], bytes], dict[str, Any]]:
        segmentation = segment(session, picture, **arguments)
        cutout = cut_out(picture, segmentation, edges=run.edges)
        frames = parallax(picture, cutout, seconds=seconds, fps=fps, amount=amount, size_px=size_px)
        timed = ((cv2.cvtColor(frame, cv2.COLOR_RGB2RGBA), 1000 * seconds / count) for frame in frames)
        report = report_on(cutout) | {"frames": count}
        return lambda: encode_frames(timed, format=chosen, quality=quality), report_of(segmentation) | report

    return run.do(lambda requests: functools.partial(animate, run.open(requests)), run.plan(suffix=f".{chosen}"))
