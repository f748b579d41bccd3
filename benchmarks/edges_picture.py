"""Make docs/pictures/edges.png: crops at 400 % of pictures in examples/, cut out by rembg 2.0.86 and by u2net.

    python benchmarks/edges_picture.py

Run it where the extra matting is installed; rembg gets its own environment, made by the first run. Columns: the
picture, the raw map with the picture's colors, rembg, rembg -a, ours (auto), ours (hair), all laid over one color.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np
import record
from compare_rembg import ensure_rembg
from PIL import Image, ImageDraw, ImageFont

import u2net
from u2net.compose.background import parse_background
from u2net.io.write import encode
from u2net.models import registry, weights
from u2net.system.files import write_bytes

CROPS = [("astronaut.jpg", 264, 44), ("astronaut.jpg", 150, 18), ("coffee.jpg", 112, 322)]
"""The pictures, and where each crop begins: left, top."""
CROP_PX = 64
ZOOM = 4
GAP_PX = 6
TITLE_PX = 26
BEHIND = "#e8590c"
REMBG = (
    "import sys, rembg; s = rembg.new_session('u2net'); "
    "[open(f'{sys.argv[1]}/{n}-{m}.png', 'wb').write(rembg.remove(open(p, 'rb').read(), session=s, "
    "alpha_matting=m == 'a')) for p in sys.argv[2:] for n in [p.split('/')[-1]] for m in ('plain', 'a')]"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rembg-venv", type=Path, default=record.REPO / ".venv-rembg", help="made where it is missing")
    given = parser.parse_args()
    session = u2net.open_session("u2net", precision="f32")
    columns: dict[str, list[np.ndarray]] = {}
    with tempfile.TemporaryDirectory(prefix="edges-picture-") as temporary:
        (Path(temporary) / "u2net.onnx").symlink_to(weights.locate(registry.MODELS["u2net"]).absolute())
        sources = [str(record.REPO / "examples" / name) for name in dict.fromkeys(name for name, _, _ in CROPS)]
        environment = {**os.environ, "U2NET_HOME": temporary}
        subprocess.run([ensure_rembg(given.rembg_venv), "-c", REMBG, temporary, *sources], env=environment, check=True)
        for name, left, top in CROPS:
            picture = u2net.read(record.REPO / "examples" / name)
            ways = {
                "picture": picture.pixels,
                "raw map": over(u2net.remove(picture, session, edges="none", foreground=False)),
                "rembg 2.0.86": over(rembg_cutout(Path(temporary) / f"{name}-plain.png")),
                "rembg -a": over(rembg_cutout(Path(temporary) / f"{name}-a.png")),
                "u2net": over(u2net.remove(picture, session)),
                "u2net --edges hair": over(u2net.remove(picture, session, edges="hair")),
            }
            for title, pixels in ways.items():
                columns.setdefault(title, []).append(crop(pixels, left, top))
    target = record.REPO / "docs" / "pictures" / "edges.png"
    write_bytes(target, encode(sheet(columns), compress="small"))
    print(target)


def over(cutout: u2net.Cutout) -> np.ndarray:
    return np.ascontiguousarray(cutout.over(parse_background(BEHIND)).pixels[..., :3])


def rembg_cutout(path: Path) -> u2net.Cutout:
    """rembg's file as it is: its colors are darkened towards black where it is half transparent."""
    picture = u2net.read(path)
    return u2net.Cutout(np.dstack([picture.pixels, picture.alpha]))


def crop(pixels: np.ndarray, left: int, top: int) -> np.ndarray:
    part = pixels[top : top + CROP_PX, left : left + CROP_PX]
    return cv2.resize(part, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)


def sheet(columns: dict[str, list[np.ndarray]]) -> np.ndarray:
    step = CROP_PX * ZOOM + GAP_PX
    height = TITLE_PX + step * len(CROPS) - GAP_PX
    image = Image.new("RGB", (step * len(columns) - GAP_PX, height), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    for number, (title, crops) in enumerate(columns.items()):
        draw.text((number * step, 3), title, "black", font)
        for row, pixels in enumerate(crops):
            image.paste(Image.fromarray(pixels), (number * step, TITLE_PX + row * step))
    return np.asarray(image)


if __name__ == "__main__":
    main()
