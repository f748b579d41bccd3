"""Make the pictures of docs/parts-and-detail.md: hints.png, what hints choose, and detail.png, what a second look adds.

Run it in the project's environment: .venv/bin/python scripts/hints_picture.py
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from readme_picture import ROOT, chequerboard, tile_of

import u2net
from u2net import Hint
from u2net.io.write import encode
from u2net.system.files import write_bytes
from u2net.types import Picture

ASTRONAUT = (
    [],
    [Hint(point=(420, 60))],
    [Hint(point=(230, 120)), Hint(point=(240, 400), positive=False)],
)
ROCKET = ([], [Hint(point=(455, 300))], [Hint(box=(295, 120, 350, 410))])
SHEET_TIMES = 3
GREEN, RED = (0, 160, 0), (220, 0, 0)


def main() -> None:
    session = u2net.open_session("u2net", precision="f32")
    for name, pixels in (("hints", hints_shown(session)), ("detail", detail_shown(session))):
        target = ROOT / "docs" / "pictures" / f"{name}.png"
        write_bytes(target, encode(pixels, compress="small"))
        print(target)


def hints_shown(session: u2net.Session) -> NDArray[np.uint8]:
    rows = []
    for name, choices in (("astronaut.jpg", ASTRONAUT), ("rocket.jpg", ROCKET)):
        picture = u2net.read(ROOT / "examples" / name)
        tiles = [tile_of(picture.pixels)]
        for hints in choices:
            cutout = u2net.remove(picture, session, hints=hints)
            tiles.append(tile_of(marked(cutout.over(chequerboard(picture)).pixels[..., :3], hints)))
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


def detail_shown(session: u2net.Session) -> NDArray[np.uint8]:
    """The astronaut on a plain sheet of three times the side: of that her part, its map, its map with detail."""
    cutout = u2net.remove(ROOT / "examples" / "astronaut.jpg", session)
    height, width = cutout.size
    sheet = np.full((SHEET_TIMES * height, SHEET_TIMES * width, 3), (214, 208, 198), np.uint8)
    here = (slice(-height, None), slice(width, 2 * width))
    sheet[here] = cutout.over(Picture(sheet[here])).pixels[..., :3]
    maps = [u2net.saliency(sheet, session, detail=detail) for detail in (False, True)]
    shown = [sheet, *(np.dstack([np.rint(255 * one).astype(np.uint8)] * 3) for one in maps)]
    return np.hstack([cv2.resize(one[here], (450, 450 * height // width)) for one in shown])


def marked(pixels: NDArray[Any], hints: list[Hint]) -> NDArray[np.uint8]:
    """A copy with the hints drawn: green for what is wanted, red for what is not."""
    drawn = np.ascontiguousarray(pixels)
    for hint in hints:
        color = GREEN if hint.positive else RED
        if hint.point:
            cv2.circle(drawn, hint.point, 9, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(drawn, hint.point, 7, color, -1, cv2.LINE_AA)
        elif hint.box:
            cv2.rectangle(drawn, hint.box[:2], hint.box[2:], color, 3, cv2.LINE_AA)
    return drawn


if __name__ == "__main__":
    main()
