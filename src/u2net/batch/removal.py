"""What `u2net remove` makes of a picture, as plain data: how it is drawn, and what of it the record remembers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from u2net.batch.manifest import model_identity
from u2net.batch.operation import Drawing, Drawn, Report, framed_report, report_on
from u2net.batch.settings import Encoding
from u2net.compose.layout import Layout, apply_layout, frame_box
from u2net.errors import BadInput
from u2net.imaging.regions import Keep, check_parts
from u2net.inference.predict import Segmentation
from u2net.inference.session import Precision, Session
from u2net.matting.alpha import EDGES, Edges
from u2net.segmentation.hints import Hint
from u2net.system.digest import digest_of
from u2net.tasks.remove import cut_out, segment
from u2net.types import Picture
from u2net.version import __version__


@dataclass(frozen=True)
class Removal:
    """All that changes a result, besides the model.

    hints, detail, keep, fill_holes, min_area, edges, foreground: as for `u2net.remove`. only_mask: the alpha as a grey
    picture instead of the cutout. layout: what is made of the cutout. encoding: how it is written.
    Raises BadInput for what excludes each other.
    """

    hints: Sequence[Hint] = ()
    detail: bool = False
    keep: Keep = "all"
    fill_holes: bool = False
    min_area: float = 0.0
    edges: Edges = "auto"
    foreground: bool = True
    only_mask: bool = False
    layout: Layout = field(default_factory=Layout)
    encoding: Encoding = field(default_factory=Encoding)

    def __post_init__(self) -> None:
        check_parts(self.keep, self.min_area)
        if isinstance(self.edges, str) and self.edges not in EDGES:
            raise BadInput(f"edges is one of {', '.join(EDGES)}, not {self.edges!r}")
        if not all(isinstance(hint, Hint) for hint in self.hints):
            raise BadInput(f"hints are a list of u2net.Hint, such as [Hint(point=(120, 80))], not {self.hints!r}")
        behind = self.layout.background is not None or self.layout.blur is not None
        if self.only_mask and (behind or self.layout.shadow):
            raise BadInput("--only-mask is the alpha alone; it and a background or a shadow exclude each other")

    def drawing(self, session: Session) -> Drawing:
        """The work on each picture."""
        layout = self.layout
        parts: dict[str, Any] = {"keep": self.keep, "fill_holes": self.fill_holes, "min_area": self.min_area}
        return Drawing(
            functools.partial(segment, session, hints=self.hints, detail=self.detail, **parts),
            self._draw,
            self.encoding,
            needs_object=layout.frame is not None or layout.shadow is not None or layout.blur is not None,
            moves=layout.frame is None,
        )

    def _draw(self, picture: Picture, segmentation: Segmentation) -> tuple[Drawn, Report]:
        cutout = cut_out(picture, segmentation, edges=self.edges, foreground=self.foreground)
        report, frame = report_on(cutout), self.layout.frame
        if frame is not None:
            report |= framed_report(frame_box(cutout, frame, self.layout), frame)
        if self.only_mask:
            return (cutout if frame is None else cutout.cropped(frame)).mask(), report
        return apply_layout(cutout, picture, self.layout, may_be_empty=True), report

    def fingerprint(self, model: str | Path, precision: Precision) -> dict[str, Any]:
        """What changes when the result would, for the record of a folder. Raises as `manifest.model_identity`."""
        own = vars(self) | {"layout": vars(self.layout) | {"background": _fingerprint(self.layout.background)}}
        return own | {"u2net": __version__, "model": model_identity(model, precision), "precision": precision}


def _fingerprint(background: Any) -> str:
    """What a picture holds; a color and a gradient say it themselves."""
    if not isinstance(background, Picture):
        return repr(background)
    arrays = [one for one in (background.pixels, background.alpha) if one is not None]
    held = [f"{one.shape} {one.dtype}" for one in arrays] + [one.tobytes() for one in arrays]
    return digest_of(*held, background.icc or b"", algorithm="blake2b", digest_size=16)
