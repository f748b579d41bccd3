"""Flags about pictures in and files out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options.groups import Command, grouped
from u2net.cli.options.session import session_options
from u2net.cli.options.values import LIMIT, complete_files

if TYPE_CHECKING:
    from u2net.batch.settings import Encoding, RunSettings

_INPUT_OPTIONS = [
    click.argument("inputs", nargs=-1, required=True, metavar="IN...", shell_complete=complete_files),
    click.option(
        "-o",
        "--output",
        metavar="DIR|FILE",
        help="Folder, or file for one picture; - is stdout.",
        shell_complete=complete_files,
    ),
    click.option("--fail-if-empty", is_flag=True, help="Write nothing and exit with 3 where no object is found."),
    click.option("--max-megapixels", type=LIMIT, default=160, show_default=True, help="Refuse larger pictures."),
    click.option("--max-megabytes", type=LIMIT, default=500, show_default=True, help="Refuse larger files."),
    click.option("--json", "as_json", is_flag=True, help="One line of JSON a picture on standard output."),
    click.option("--quiet", is_flag=True, help="Print nothing but errors."),
]
_ENCODING_OPTIONS = [
    click.option(
        "--format",
        "file_format",
        type=click.Choice(["png", "webp", "avif", "jpeg", "tiff", "gif"]),
        help="Default: by -o, else png. Animations stay animations in png (APNG), webp and gif.",
    ),
    click.option(
        "--compress",
        type=click.Choice(["fast", "balanced", "small"]),
        default="fast",
        show_default=True,
        help="Time against file size.",
    ),
    click.option(
        "--quality", type=click.IntRange(1, 100), help="Of lossy formats. Default: WebP 90, AVIF 80, JPEG 92."
    ),
    click.option("--lossless", is_flag=True, help="Keep every pixel in WebP; PNG and TIFF always do."),
    click.option("--strip", is_flag=True, help="Leave out profile (colours become sRGB), resolution, EXIF and XMP."),
    click.option("--private", is_flag=True, help="Leave out where the picture was taken (GPS)."),
]


@dataclass(frozen=True)
class InputOptions:
    """What the flags about inputs and reporting say."""

    inputs: tuple[str, ...]
    output: str | None
    fail_if_empty: bool = False
    max_megapixels: float = 160
    max_megabytes: float = 500
    as_json: bool = False
    quiet: bool = False

    @property
    def limits(self) -> dict[str, Any]:
        """What `read` takes."""
        return {"max_pixels": int(self.max_megapixels * 1e6), "max_bytes": int(self.max_megabytes * 1e6)}

    @property
    def settings(self) -> RunSettings:
        """What a run takes."""
        from u2net.batch.settings import RunSettings

        return RunSettings(fail_if_empty=self.fail_if_empty, beside=self.output is None, **self.limits)


@dataclass(frozen=True)
class EncodingOptions:
    """What the flags about the written file say. file_format: None where only the name of the output can tell."""

    file_format: Any
    compress: Any
    quality: int | None
    lossless: bool
    strip: bool
    private: bool

    def for_output(self, output: str | None) -> Encoding:
        """How to write to `output`. Raises BadInput where the format has no use for another flag."""
        from u2net.batch.settings import Encoding
        from u2net.io.write import format_of

        chosen = self.file_format or format_of(output or "") or "png"
        metadata: Any = "none" if self.strip else "private" if self.private else "all"
        return Encoding(chosen, self.compress, self.quality, self.lossless, metadata)


def picture_options(command: Command) -> Command:
    """Give a command the flags of both groups; it gets `session: SessionOptions` and `given: InputOptions`."""
    return grouped(session_options(command), InputOptions, "given", _INPUT_OPTIONS, section="In and out")


def encoding_options(command: Command) -> Command:
    """Give a command the flags about the written file; it gets `encoding: EncodingOptions`."""
    return grouped(command, EncodingOptions, "encoding", _ENCODING_OPTIONS, section="Written file")
