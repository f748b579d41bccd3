"""Make the pictures of docs/highlight.md and docs/showing.md: highlight.jpg, panel.jpg, gallery.jpg, parallax.webp.

gallery.jpg is a screenshot and needs playwright and Chromium; without them it is left as it is.
Run it in the project's environment: .venv/bin/python scripts/effects_pictures.py
"""

from __future__ import annotations

import importlib.util
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from readme_picture import ROOT

import u2net
from u2net.compose.highlight import highlight
from u2net.compose.panel import panel
from u2net.compose.parallax import parallax
from u2net.inference.predict import predict
from u2net.io.write import encode
from u2net.reports.gallery import find_gallery, page
from u2net.system.files import write_bytes
from u2net.tasks.remove import cut_out
from u2net.types import Picture
from u2net.video.write_animation import encode_frames

PICTURES = ROOT / "docs" / "pictures"
SHOWN: list[tuple[Any, dict[str, Any]]] = [
    ("spotlight", {}),
    ("spotlight", {"blur": True}),
    ("tint", {}),
    ("outline", {"width_px": 5}),
    ("glow", {}),
    ("splash", {}),
]


def main() -> None:
    session = u2net.open_session("u2net", precision="f32")
    save("highlight.jpg", encode(highlights(session), format="jpeg", quality=85))
    picture = u2net.read(ROOT / "examples" / "coffee.jpg")
    prediction = predict(session, picture)
    strip = panel(picture, prediction.coarse(), cut_out(picture, prediction), height_px=300)
    save("panel.jpg", encode(strip, format="jpeg", quality=85))
    picture = u2net.read(ROOT / "examples" / "astronaut.jpg")
    frames = parallax(picture, cut_out(picture, predict(session, picture)), amount=3, fps=10, size_px=208)
    timed = ((cv2.cvtColor(frame, cv2.COLOR_RGB2RGBA), 100.0) for frame in frames)
    save("parallax.webp", encode_frames(timed, format="webp", quality=80))
    if shot := screenshot(session):
        save("gallery.jpg", shot)


def save(name: str, data: bytes) -> None:
    write_bytes(PICTURES / name, data)
    print(PICTURES / name, f"{len(data) / 1000:.0f} KB")


def highlights(session: u2net.Session) -> NDArray[np.uint8]:
    whole = u2net.read(ROOT / "examples" / "coffee.jpg")
    picture = Picture(cv2.resize(whole.pixels, (420, 280), interpolation=cv2.INTER_AREA))
    cutout = cut_out(picture, predict(session, picture), foreground=False)
    tiles = [highlight(picture, cutout, style, **choices).pixels[..., :3] for style, choices in SHOWN]
    return np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])])


def screenshot(session: u2net.Session) -> bytes | None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser or not importlib.util.find_spec("playwright"):
        return None
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        for name in ("photos", "cutouts"):
            (folder / name).mkdir()
        for name in ("astronaut.jpg", "coffee.jpg"):
            shutil.copy(ROOT / "examples" / name, folder / "photos")
            u2net.remove(folder / "photos" / name, session).save(folder / "cutouts" / f"{Path(name).stem}.png")
        target = folder / "gallery.html"
        target.write_text("".join(page(find_gallery(folder / "photos", [folder / "cutouts"]))), encoding="utf-8")
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        shots = []
        for scheme in ("light", "dark"):
            tab = opened.new_page(viewport={"width": 1280, "height": 680}, color_scheme=scheme)
            tab.goto(target.as_uri())
            tab.evaluate("Promise.all([...document.images].map(image => image.decode()))")
            tab.wait_for_timeout(500)  # decoded is not yet painted
            shots.append(np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("RGB").resize((640, 340))))
        opened.close()
    return encode(np.hstack(shots), format="jpeg", quality=85)


if __name__ == "__main__":
    main()
