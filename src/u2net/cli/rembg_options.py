"""The flags of `u2net rembg`, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options.groups import grouped
from u2net.cli.options.values import complete_models

if TYPE_CHECKING:
    from PIL import Image

_LEVEL = click.IntRange(0, 255)
_OPTIONS = [
    click.option(
        "-m",
        "--model",
        default="u2net",
        show_default=True,
        help="A model's name, or an .onnx or .xml file.",
        shell_complete=complete_models,
    ),
    click.option("-a", "--alpha-matting", is_flag=True, help="Closed-form matting; slow, needs the extra matting."),
    click.option(
        "-af",
        "--alpha-matting-foreground-threshold",
        type=int,
        default=240,
        show_default=True,
        help="Sure foreground is above it.",
    ),
    click.option(
        "-ab",
        "--alpha-matting-background-threshold",
        type=int,
        default=10,
        show_default=True,
        help="Sure background is below it.",
    ),
    click.option(
        "-ae",
        "--alpha-matting-erode-size",
        type=int,
        default=10,
        show_default=True,
        help="Pixels that both are eroded by.",
    ),
    click.option("-om", "--only-mask", is_flag=True, help="The mask alone."),
    click.option("-ppm", "--post-process-mask", is_flag=True, help="A hard mask, smoothed."),
    click.option("-dc", "--decontaminate", is_flag=True, help="Colours without the old background; not with -a."),
    click.option("-vm", "--vitmatte", is_flag=True, help="Is not here; says what to use instead."),
    click.option(
        "-bgc",
        "--bgcolor",
        nargs=4,
        type=_LEVEL,
        default=(0, 0, 0, 0),
        metavar="R G B A",
        help="Lay the object over a colour.",
    ),
    click.option(
        "-x",
        "--extras",
        metavar="JSON",
        help='More arguments of remove and new_session: \'{"putalpha": true, "model_path": "mine.onnx"}\'.',
    ),
]


@dataclass(frozen=True)
class RembgOptions:
    """What rembg's flags say, in rembg's words: those of `u2net.compat.rembg.remove`, but for model and extras."""

    model: str
    alpha_matting: bool
    alpha_matting_foreground_threshold: int
    alpha_matting_background_threshold: int
    alpha_matting_erode_size: int
    only_mask: bool
    post_process_mask: bool
    decontaminate: bool
    vitmatte: bool
    bgcolor: tuple[int, ...]
    extras: str | None

    def open(self) -> Callable[[bytes | Image.Image], bytes]:
        """Load the model; gives what turns a picture into the bytes of a PNG. A wrong flag is an error now."""
        from u2net.cli.progress import download_bar
        from u2net.compat.rembg_flags import cutter

        with download_bar(quiet=False) as on_progress:
            return cutter(vars(self), on_progress=on_progress)


def rembg_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that i, p and b of rembg share; it gets `given: RembgOptions`."""
    return grouped(command, RembgOptions, "given", _OPTIONS)


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises UnreadablePicture, or PictureTooLarge as `u2net.read` does."""
    from u2net.errors import PictureTooLarge, UnreadablePicture
    from u2net.io.read import MAX_BYTES

    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadablePicture(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(f"{path}: is larger than {MAX_BYTES / 1e6:g} MB")
    return data
