"""Make the pictures of docs/animations.md, docs/pasting.md and docs/augment.md, from examples/ alone.

Run it in the project's environment: .venv/bin/python scripts/scene_pictures.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from readme_picture import ROOT

import u2net
from u2net.compose.match_view import match_view
from u2net.compose.paste import paste
from u2net.datasets.synthetic_dataset import Subject, write_scenes
from u2net.datasets.synthetic_scene import SceneSettings, trimmed
from u2net.io.source import open_source
from u2net.io.write import encode
from u2net.system.files import write_bytes
from u2net.video.animation import open_animation
from u2net.video.remove_animation import remove_animation
from u2net.video.write_animation import encode_frames

PICTURES = ROOT / "docs" / "pictures"
FRAMES, FRAME = 16, (150, 200)


def main() -> None:
    session = u2net.open_session("u2net", precision="f32")
    cutouts = {name: u2net.remove(ROOT / "examples" / name, session) for name in ("coffee.jpg", "astronaut.jpg")}
    cutouts["cat.png"] = u2net.remove(ROOT / "examples" / "cat.png", session)
    write_bytes(PICTURES / "animation.webp", animation_shown(session))
    write_bytes(PICTURES / "pasting.jpg", encode(pasting_shown(cutouts["coffee.jpg"]), format="jpeg"))
    write_bytes(PICTURES / "augment.jpg", encode(augment_shown(cutouts), format="jpeg", quality=85))


def animation_shown(session: u2net.Session) -> bytes:
    """A cup that is panned over, and its cutout beside it."""
    pixels = u2net.read(ROOT / "examples" / "coffee.jpg").pixels
    frames = []
    for step in range(FRAMES):
        turn = 2 * np.pi * step / FRAMES
        matrix = np.array([[0.37, 0, -11 + 6 * np.cos(turn)], [0, 0.37, 1 + 3 * np.sin(turn)]])
        frames.append(cv2.warpAffine(pixels, matrix, FRAME[::-1], flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT))
    opaque = [np.dstack([frame, np.full(FRAME, 255, np.uint8)]) for frame in frames]
    source = encode_frames([(frame, 80.0) for frame in opaque], format="gif")

    cut = remove_animation(source, session, format="png", background="#ffcc00")
    with open_source(source, 10**9) as left, open_source(cut, 10**9) as right:
        given, made = open_animation(left), open_animation(right)
        assert given and made
        pairs = zip(given.frames(), made.frames(), strict=True)
        both = [np.hstack([one.picture.pixels, other.picture.pixels]) for one, other in pairs]
    shown = [(np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]), 80.0) for pixels in both]
    return encode_frames(shown, format="webp", quality=70)


def pasting_shown(cup: u2net.Cutout) -> NDArray[np.uint8]:
    """A view of the rocket's picture; where it lies in it; the cup pasted there."""
    target = u2net.read(ROOT / "examples" / "rocket.jpg")
    width, height = 300, 200
    turned = cv2.getRotationMatrix2D((430, 290), 12, 1.15)
    turned[:, 2] += np.array([width / 2 - 430, height / 2 - 290])
    view = cv2.warpAffine(target.pixels, turned, (width, height), flags=cv2.INTER_CUBIC)
    found = match_view(view, target.pixels)
    marked = target.pixels.copy()
    corners = cv2.boxPoints(((found.x, found.y), (width * found.scale, height * found.scale), found.rotation))
    cv2.polylines(marked, [np.rint(corners).astype(np.int32)], True, (255, 204, 0), 3, cv2.LINE_AA)
    made = paste(cup, target, at=(found.x, found.y), scale=0.35, rotation=-8)
    shown = [marked, made.pixels[..., :3]]
    first = np.full((target.size[0], width, 3), 255, np.uint8)
    first[(target.size[0] - height) // 2 :][:height] = view
    joined = np.hstack([first, *shown])
    return cv2.resize(joined, None, fx=0.72, fy=0.72, interpolation=cv2.INTER_AREA)


def augment_shown(cutouts: dict[str, u2net.Cutout]) -> NDArray[np.uint8]:
    """Four made pictures above their masks, with the boxes of COCO."""
    settings = SceneSettings(size=(180, 240))
    subjects = [Subject(name, "object", trimmed(cutout, 240)) for name, cutout in sorted(cutouts.items())]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("gravel.jpg", "rocket.jpg"):
            Path(folder, "b").mkdir(exist_ok=True)
            Path(folder, "b", name).write_bytes((ROOT / "examples" / name).read_bytes())
        out = Path(folder, "out")
        write_scenes(subjects, Path(folder, "b"), out, count=4, seed=3, settings=settings)
        boxes = json.loads((out / "annotations.json").read_text(encoding="utf-8"))["annotations"]
        columns = []
        for number, path in enumerate(sorted((out / "images").iterdir()), 1):
            pixels = u2net.read(path).pixels
            mask = u2net.read((out / "masks" / path.name).with_suffix(".png")).pixels
            for left, top, wide, high in (one["bbox"] for one in boxes if one["image_id"] == number):
                cv2.rectangle(mask, (left, top), (left + wide - 1, top + high - 1), (255, 160, 0), 2)
            columns.append(np.vstack([pixels, mask]))
    return np.hstack(columns)


if __name__ == "__main__":
    main()
