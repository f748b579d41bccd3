"""Make docs/pictures/cutouts.png, the picture in README.md: inputs above, cutouts on a chequerboard below.

Run it in the project's environment: .venv/bin/python scripts/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import u2net
from u2net.io.write import encode
from u2net.system.files import write_bytes
from u2net.types import Picture

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("astronaut.jpg", "cat.png", "coffee.jpg")
TILE = (240, 320)
SQUARE_PX = 12


def main() -> None:
    session = u2net.open_session("u2net", precision="f32")
    columns = []
    for name in NAMES:
        picture = u2net.read(ROOT / "examples" / name)
        cutout = u2net.remove(picture, session).over(chequerboard(picture))
        columns.append(np.vstack([tile_of(picture.pixels), tile_of(cutout.pixels[..., :3])]))
    target = ROOT / "docs" / "pictures" / "cutouts.png"
    write_bytes(target, encode(np.hstack(columns), compress="small"))
    print(target)


def chequerboard(picture: Picture) -> NDArray[np.uint8]:
    rows, columns = np.indices(picture.size) // SQUARE_PX
    grey = np.where((rows + columns) % 2, 255, 225).astype(np.uint8)
    return np.dstack([grey] * 3)


def tile_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fit into a tile of white, aspect kept."""
    scale = min(TILE[0] / pixels.shape[0], TILE[1] / pixels.shape[1])
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    tile = np.full((*TILE, 3), 255, np.uint8)
    top, left = (TILE[0] - small.shape[0]) // 2, (TILE[1] - small.shape[1]) // 2
    tile[top : top + small.shape[0], left : left + small.shape[1]] = small
    return tile


if __name__ == "__main__":
    main()
