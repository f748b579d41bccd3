"""How a run goes and how its files are written, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from u2net.io.read import MAX_BYTES, MAX_PIXELS

if TYPE_CHECKING:
    from u2net.io.picture import Metadata
    from u2net.io.png import Compress
    from u2net.io.write import Format


@dataclass(frozen=True)
class RunSettings:
    """What goes for every picture of a run.

    fail_if_empty: a picture without an object is not written, and counts as failed. max_pixels, max_bytes: larger
    pictures and files are refused. beside: results lie beside their inputs, because no output was named. writes:
    results are written; else `Outcome.cutout` holds them.
    """

    fail_if_empty: bool = False
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    beside: bool = False
    writes: bool = True


@dataclass(frozen=True)
class Encoding:
    """How a result is written; see `Cutout.to_bytes`.

    Raises BadInput for an unknown choice, and where the format has no use for `quality` or `lossless`: before the first
    picture, not after it.
    """

    format: Format = "png"
    compress: Compress = "fast"
    quality: int | None = None
    lossless: bool = False
    metadata: Metadata = "all"

    def __post_init__(self) -> None:
        from u2net.io.picture import check_metadata
        from u2net.io.write import check_format, check_quality

        check_format(self.format, self.compress)
        check_metadata(self.metadata)
        check_quality(self.format, self.quality, self.lossless)

    @property
    def suffix(self) -> str:
        """Of the files, like `.png`."""
        from u2net.io.write import SUFFIX_OF_FORMAT

        return SUFFIX_OF_FORMAT[self.format]

    @property
    def choices(self) -> dict[str, Any]:
        """What `encode` and `Cutout.to_bytes` both take besides the format."""
        return {"compress": self.compress, "quality": self.quality, "lossless": self.lossless}


@dataclass(frozen=True)
class Watch:
    """A run that goes on with what arrives.

    folders: looked into again and again. output: results go there, mirrored. suffix: of results. excludes: see
    `inputs.is_excluded`. until: the run ends when this file appears, or is written again, and deletes it.
    """

    folders: tuple[Path, ...]
    output: Path
    suffix: str
    excludes: tuple[str, ...] = ()
    until: Path | None = None
