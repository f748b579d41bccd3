"""What a picture command makes of one picture, and what it reports of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from u2net.batch.settings import Encoding
from u2net.errors import NothingSalient

if TYPE_CHECKING:
    from u2net.compose.crop import Crop
    from u2net.compose.cutout import Cutout
    from u2net.inference.predict import Segmentation
    from u2net.io.picture import Picture as SavablePicture
    from u2net.types import Box, Picture
    from u2net.video.animation import Animation

Report: TypeAlias = dict[str, Any]
Drawn: TypeAlias = "Cutout | SavablePicture"
"""The result of one picture; a mask is a picture."""
Function: TypeAlias = Callable[["Picture"], tuple["Callable[[], bytes] | None", Report]]
"""From a picture to what encodes the result, and what to report: confidence, box and so on. Without the first nothing
is written."""


@dataclass(frozen=True)
class FileWork:
    """Work that takes a file as it is. convert: from its bytes to those of the result."""

    convert: Callable[[bytes], bytes]


@dataclass(frozen=True)
class Drawing:
    """The work of a command that makes a picture of a picture, in two steps.

    find: what the network says of a picture. draw: what is made of the two, and what to report beside the confidence.
    encoding: how it is written. needs_object: a picture without one, or an animation without one in any frame, is an
    error. moves: whether frames of an animation can be drawn one by one.
    """

    find: Callable[[Picture], Segmentation]
    draw: Callable[[Picture, Segmentation], tuple[Drawn, Report]]
    encoding: Encoding
    needs_object: bool = False
    moves: bool = True

    def found(self, picture: Picture) -> Segmentation:
        """The first step. Raises NothingSalient where an object is needed."""
        segmentation = self.find(picture)
        self._refuse_empty(report_of(segmentation))
        return segmentation

    def drawn(self, picture: Picture, segmentation: Segmentation) -> tuple[Drawn, Report]:
        """The second step: the result, and the report."""
        drawn, report = self.draw(picture, segmentation)
        self._refuse_empty(report_of(segmentation) | report)
        return drawn, report_of(segmentation) | report

    def _refuse_empty(self, report: Report) -> None:
        if self.needs_object and not report["found"]:
            raise NothingSalient(f"no object found (confidence {report['confidence']}); nothing written")
        if self.needs_object and report.get("box", ()) is None:
            raise NothingSalient("nothing of the object is more than half opaque; nothing written")

    def encode(self, drawn: Drawn) -> bytes:
        """The bytes of the file."""
        return drawn.to_bytes(**vars(self.encoding))

    def moving(self, animation: Animation) -> tuple[bytes, Report]:
        """The bytes of an animation of which every frame is drawn, and a report on all of them together."""
        from u2net.video.remove_animation import drawn_frames, encode_animation

        reports: list[Report] = []
        duration_ms = 0.0

        def frames() -> Iterator[tuple[Cutout | Picture, float]]:
            nonlocal duration_ms
            for drawn in drawn_frames(animation, self.find, self.draw):
                reports.append(report_of(drawn.segmentation) | drawn.report)
                duration_ms += drawn.duration_ms
                yield drawn.cutout, drawn.duration_ms

        data = encode_animation(frames(), plays=animation.plays, **vars(self.encoding))
        together = report_of_all(reports)
        self._refuse_empty(together)
        return data, together | {"frames": len(reports), "duration_s": round(duration_ms / 1000, 3)}


Work: TypeAlias = "Drawing | FileWork | Function"


def report_of_all(reports: Sequence[Report]) -> Report:
    """What frames report, as one: the highest confidence, the box around all boxes, the mean of coverage, and for the
    rest what the first frame says."""
    boxes = [report["box"] for report in reports if report.get("box")]
    together = dict(reports[0])
    together["confidence"] = max(report["confidence"] for report in reports)
    together["found"] = any(report["found"] for report in reports)
    if "box" in together:
        sides = list(zip(*boxes, strict=True))
        together["box"] = [min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])] if boxes else None
    if "coverage" in together:
        together["coverage"] = round(sum(report["coverage"] for report in reports) / len(reports), 4)
    return together


def report_on(cutout: Cutout) -> Report:
    """The object's box in pixels, and its share of the picture."""
    return {"box": cutout.box, "coverage": round(cutout.coverage, 4)}


def report_of(segmentation: Segmentation) -> Report:
    """What the network says of a picture."""
    confidence = round(segmentation.confidence, 4)
    return {"confidence": confidence, "found": segmentation.found, "precision": segmentation.precision}


def framed_report(box: Box, frame: Crop) -> Report:
    """What is reported of a frame: its box in the picture, and how many times it is enlarged, where it is."""
    rows, columns = frame.size_of(box)
    enlarged = max(rows / (box[3] - box[1]), columns / (box[2] - box[0]))
    return {"crop": box} | ({"enlarged": round(enlarged, 1)} if enlarged > 1 else {})
