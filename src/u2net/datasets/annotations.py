"""Boxes around objects, and the two files that detectors are trained from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.compose.cutout import Cutout
from u2net.errors import BadInput
from u2net.imaging.color import color_in, parse_color
from u2net.types import Box, Picture, Size

_PART_SHARE = 0.001
"""Parts smaller than a thousandth of the picture are crumbs of an edge, unless it is the largest."""


@dataclass(frozen=True)
class Detection:
    """One object: its box, half-open, and how many pixels of it are more object than not."""

    box: Box
    area: int


@dataclass(frozen=True)
class Annotation:
    """What was found in one picture. name: as it is to stand in a COCO file. size: (H, W).

    >>> from u2net.datasets import Annotation, find_boxes
    >>> cutout = u2net.remove("examples/cat.png", "u2netp")
    >>> Annotation("cat.png", cutout.size, find_boxes(cutout)).size
    (300, 451)
    """

    name: str
    size: Size
    found: tuple[Detection, ...]
    confidence: float = 1.0


def find_boxes(cutout: Cutout, *, parts: bool = False) -> tuple[Detection, ...]:
    """The box around what was cut out: its pixels that are more object than not. None for an empty cutout.

    Returns a Detection for each box.
    parts: one box for each part that touches no other by a side or a corner, the largest first; from the second on
    at least a thousandth of the picture.
    Boxes are half-open: `pixels[top:bottom, left:right]`. (The box that U²-Net's published demo draws is inclusive: its
    right and bottom are one less.)

    >>> from u2net.datasets import find_boxes
    >>> (found,) = find_boxes(u2net.remove("examples/cat.png", "u2netp"))
    >>> len(found.box), found.area > 1000
    (4, True)
    """
    mask = (cutout.pixels[..., 3] > np.iinfo(cutout.pixels.dtype).max // 2).view(np.uint8)
    if not parts:
        return () if cutout.box is None else (Detection(cutout.box, int(cv2.countNonZero(mask))),)
    statistics = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:]
    found = [
        Detection((int(left), int(top), int(left + width), int(top + height)), int(area))
        for left, top, width, height, area in statistics
    ]
    enough = _PART_SHARE * mask.size
    return tuple(sorted(found, key=lambda one: -one.area))[: max(1, sum(one.area >= enough for one in found))]


def to_coco(annotations: Sequence[Annotation], *, label: str = "object") -> dict[str, Any]:
    """A COCO file: images, annotations (bbox is [left, top, width, height]) and the one category `label`.

    Boxes of all annotations are numbered from 1 on; the result is what `json.dump` takes.
    Source: the data format page of the COCO data set, "Object Detection".

    >>> from u2net.datasets import Annotation, Detection, to_coco
    >>> coco = to_coco([Annotation("cat.png", (300, 451), (Detection((10, 20, 110, 80), 4000),))], label="cat")
    >>> coco["annotations"][0]["bbox"], coco["categories"][0]["name"]
    ([10, 20, 100, 60], 'cat')
    """
    rows: list[dict[str, Any]] = []
    for number, annotation in enumerate(annotations, 1):
        for found in annotation.found:
            left, top, right, bottom = found.box
            row = {"id": len(rows) + 1, "image_id": number, "category_id": 1, "iscrowd": 0, "area": found.area}
            score = round(annotation.confidence, 4)
            rows.append({**row, "bbox": [left, top, right - left, bottom - top], "score": score, "segmentation": []})
    return {
        "images": [
            {"id": number, "file_name": one.name, "width": one.size[1], "height": one.size[0]}
            for number, one in enumerate(annotations, 1)
        ],
        "annotations": rows,
        "categories": [{"id": 1, "name": label, "supercategory": ""}],
    }


def to_yolo(annotation: Annotation) -> str:
    """A YOLO file, a line for each box: class 0, then the middle's x and y, width and height, all as shares of the
    picture's width and height. Empty where nothing was found.

    >>> from u2net.datasets import Annotation, Detection, to_yolo
    >>> to_yolo(Annotation("cat.png", (100, 200), (Detection((0, 0, 100, 50), 4000),)))
    '0 0.250000 0.250000 0.500000 0.500000\\n'
    """
    height, width = annotation.size
    lines = []
    for found in annotation.found:
        left, top, right, bottom = found.box
        shares = (
            (left + right) / 2 / width,
            (top + bottom) / 2 / height,
            (right - left) / width,
            (bottom - top) / height,
        )
        lines.append("0 " + " ".join(f"{share:.6f}" for share in shares) + "\n")
    return "".join(lines)


def draw_boxes(
    picture: Picture, boxes: Sequence[Box], *, color: str | Sequence[int] = "#ff2d55", width_px: int | None = None
) -> Cutout:
    """A picture with boxes drawn into it; their lines lie outside of what they enclose, where the picture has room.

    boxes: (left, top, right, bottom), half-open, in pixels of the picture. color: as for `Cutout.over`, in sRGB.
    width_px: of the lines; None: a two-hundredth of the picture's longer side. Raises BadInput for a box that is empty
    or lies beyond the picture.

    >>> from u2net.datasets import draw_boxes
    >>> draw_boxes(u2net.read("examples/cat.png"), [(10, 20, 110, 80)], color="red").pixels[20, 9].tolist()
    [255, 0, 0, 255]
    """
    drawn = Cutout.opaque(picture)
    height, width = picture.size
    line = max(1, round(max(height, width) / 200)) if width_px is None else width_px
    ink = color_in(parse_color(color), picture.icc, picture.pixels.dtype)
    for box in boxes:
        left, top, right, bottom = box
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise BadInput(f"the box {box} does not lie in the picture of {width} x {height}")
        rows, columns = slice(max(0, top - line), bottom + line), slice(max(0, left - line), right + line)
        for part in (
            (slice(rows.start, max(top, rows.start + line)), columns),
            (slice(min(bottom, height - line), rows.stop), columns),
            (rows, slice(columns.start, max(left, columns.start + line))),
            (rows, slice(min(right, width - line), columns.stop)),
        ):
            drawn.pixels[part] = ink
    return drawn


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed run lengths of an (H, W) mask: down the columns, beginning with how many are not set."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [False]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate([[0], changes, [mask.size]])) if changes.size else np.array([mask.size])
    counts: list[int] = runs.tolist()
    return counts[:-1] if len(counts) > 1 and counts[-1] == 0 else counts
