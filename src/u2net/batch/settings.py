"""Limits and encoding of a run, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class InputOptions:
    """What the flags about inputs and reporting say."""

    inputs: tuple[str, ...]
    output: str | None
    fail_if_empty: bool
    max_megapixels: float
    max_megabytes: float
    as_json: bool
    quiet: bool

    @property
    def limits(self) -> dict[str, int]:
        """What `read` takes."""
        return {"max_pixels": int(self.max_megapixels * 1e6), "max_bytes": int(self.max_megabytes * 1e6)}


@dataclass(frozen=True)
class EncodingOptions:
    """What the flags about the written file say. file_format: None where only the name of the output can tell."""

    file_format: Any
    compress: Any
    quality: int | None
    lossless: bool
    strip: bool
    private: bool

    @property
    def metadata(self) -> Literal["all", "private", "none"]:
        """What travels from the input to the result besides the pixels."""
        return "none" if self.strip else "private" if self.private else "all"

    @property
    def choices(self) -> dict[str, Any]:
        """What `encode` and `Cutout.to_bytes` both take."""
        return {"compress": self.compress, "quality": self.quality, "lossless": self.lossless}

    def format_for(self, output: str | None) -> Any:
        """The format to write. Raises BadInput where it has no use for another flag."""
        from u2net.io.write import check_quality, format_of

        chosen = self.file_format or format_of(output or "") or "png"
        check_quality(chosen, self.quality, self.lossless)  # before the first picture is cut out, not after
        return chosen
