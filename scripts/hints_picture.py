"""Make docs/pictures/hints.png for docs/parts-and-detail.md: pictures, what is found in them, and what hints choose.

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
from u2net.encode import encode, write_bytes

ASTRONAUT = (
    [],
    [Hint(point=(420, 60))],
    [Hint(point=(230, 120)), Hint(point=(240, 400), positive=False)],
)
ROCKET = ([], [Hint(point=(455, 300))], [Hint(box=(295, 120, 350, 410))])
GREEN, RED = (0, 160, 0), (220, 0, 0)


def main() -> None:
    session = u2net.open_session("u2net", precision="f32")
    rows = []
    for name, choices in (("astronaut.jpg", ASTRONAUT), ("rocket.jpg", ROCKET)):
        picture = u2net.read(ROOT / "examples" / name)
        tiles = [tile_of(picture.pixels)]
        for hints in choices:
            cutout = u2net.remove(picture, session, hints=hints)
            tiles.append(tile_of(marked(cutout.over(chequerboard(picture)).pixels[..., :3], hints)))
        rows.append(np.hstack(tiles))
    target = ROOT / "docs" / "pictures" / "hints.png"
    write_bytes(target, encode(np.vstack(rows), compress="small"))
    print(target)


def marked(pixels: NDArray[Any], hints: list[Hint]) -> NDArray[np.uint8]:
    """A copy with the hints drawn: green for what is wanted, red for what is not."""
    drawn = np.ascontiguousarray(pixels)
    for hint in hints:
        colour = GREEN if hint.positive else RED
        if hint.point:
            cv2.circle(drawn, hint.point, 9, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(drawn, hint.point, 7, colour, -1, cv2.LINE_AA)
        elif hint.box:
            cv2.rectangle(drawn, hint.box[:2], hint.box[2:], colour, 3, cv2.LINE_AA)
    return drawn


if __name__ == "__main__":
    main()
