"""Make the pictures of docs/arranging.md: cropped.png (crop and box) and replaced.png (backgrounds and shadows).

Run it in the project's environment: .venv/bin/python scripts/arranging_pictures.py
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from readme_picture import ROOT, chequerboard, tile_of

import u2net
from u2net.compose.background import Gradient
from u2net.compose.crop import CROPS, Crop
from u2net.compose.cutout import Cutout
from u2net.compose.layout import Layout, apply_layout, crop
from u2net.datasets.annotations import draw_boxes, find_boxes
from u2net.io.write import encode
from u2net.system.files import write_bytes
from u2net.types import Picture

WHITE = (255, 255, 255, 255)


def main() -> None:
    session = u2net.open_session("u2net", precision="f32")
    pictures = {name: u2net.read(ROOT / "examples" / name) for name in ("coffee.jpg", "astronaut.jpg", "rocket.jpg")}
    cutouts = {name: u2net.remove(picture, session) for name, picture in pictures.items()}
    for name, tiles in (("cropped", cropped(pictures, cutouts)), ("replaced", replaced(pictures, cutouts))):
        shown = [tile_of(_on_chequers(tile)) for tile in tiles]
        rows = [np.hstack(shown[start : start + 4]) for start in range(0, len(shown), 4)]
        target = ROOT / "docs" / "pictures" / f"{name}.png"
        write_bytes(target, encode(np.vstack(rows), compress="small"))
        print(target)


def cropped(pictures: dict[str, Picture], cutouts: dict[str, Cutout]) -> list[Cutout]:
    picture, cutout = pictures["rocket.jpg"], cutouts["rocket.jpg"]
    cup = cutouts["coffee.jpg"]
    return [
        draw_boxes(picture, [one.box for one in find_boxes(cutout)]),
        crop(picture, cutout, Crop(aspect=4 / 5, margin=0.1)),
        cup.cropped(Crop(margin=0.05)),
        cup.cropped("marketplace").over("white"),
    ]


def replaced(pictures: dict[str, Picture], cutouts: dict[str, Cutout]) -> list[Cutout]:
    cup, square = "coffee.jpg", Crop(aspect=4 / 3, fill=0.75)
    ways = [
        (cup, Layout(blur=0.03)),
        (cup, Layout(square, shadow="contact", background=Gradient(("white", "#b8c4d0")))),
        (cup, Layout(square, shadow="drop", background=(232, 228, 220, 255))),
        ("astronaut.jpg", Layout(CROPS["tight"], background=pictures["rocket.jpg"])),
    ]
    return [apply_layout(cutouts[name], pictures[name], way) for name, way in ways]


def _on_chequers(made: Cutout) -> NDArray[np.uint8]:
    board = chequerboard(Picture(made.pixels[..., :3]))
    return np.asarray(made.over(board).pixels[..., :3], np.uint8)


if __name__ == "__main__":
    main()
