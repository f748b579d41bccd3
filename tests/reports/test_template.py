"""What the pages share: one style, in the page itself; and on a phone nothing is wider than the screen."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.paths import ROOT
from support.tools import need_package, program
from u2net.evaluation.evaluate import evaluate, pair_up, read_map
from u2net.reports.batch import BatchReport
from u2net.reports.evaluation import write_report
from u2net.reports.gallery import find_gallery, page
from u2net.reports.template import filled, template, text

FOLDER = ROOT / "src" / "u2net" / "reports"
TEMPLATES = sorted(path.name for path in FOLDER.glob("*.html"))
LONG = "a-picture-whose-name-has-no-place-to-break-it-at-and-is-longer-than-the-screen-of-a-phone-is-wide"

BROKEN = """
[...document.querySelectorAll("td, th")].filter(cell => {
  const words = document.createRange();
  words.selectNodeContents(cell);
  return /^\\S{1,12}$/.test(cell.textContent) && words.getClientRects().length > 1;
}).map(cell => cell.textContent)
"""
"""The short words in tables that do not stand on one line."""


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_holds_the_one_style_and_no_address(name: str) -> None:
    style = (FOLDER / "style.css").read_text(encoding="utf-8").strip()
    whole = template(name)
    assert whole.count(style) == 1
    assert "@style@" not in whole
    assert not re.search(r"https?://|url\(|@import|<link", whole)
    for shared in ("--paper:", "--ink:", "font: 1rem"):
        assert whole.count(shared) == style.count(shared), f"{shared} is the style's"


def test_what_is_put_in_may_look_like_a_mark() -> None:
    assert filled("@a@ and @b@", {"a": "@b@", "b": "<"}) == "@b@ and <"
    assert text("<caf\udce9>") == "&lt;caf?&gt;"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three pages of a picture with a long name."""
    need_package("matplotlib")
    folder = tmp_path_factory.mktemp("pages")
    for place in ("in", "out"):
        (folder / place).mkdir()
        disc = np.zeros((200, 300), np.uint8)
        disc[50:150, 50:250] = 255
        Image.fromarray(disc).save(folder / place / f"{LONG}.png")
    batch = BatchReport(folder / "batch.html")
    batch.add({"input": f"{LONG}.jpg", "outcome": "failed", "error": f"{LONG}.jpg: {LONG} is no picture"})
    done = {"outcome": "done", "confidence": 0.98, "coverage": 0.4, "times_s": {"read": 1.25}}
    batch.add({"input": f"{LONG}.png", **done})
    batch.write(started="2026-01-01T10:00:00+00:00", seconds=2)
    batch.close()
    pairs = pair_up(folder / "in", folder / "out", pictures=folder / "in")
    facts = {"maps": f"/home/somebody/{LONG}"}
    write_report(folder / "report", evaluate(pairs, read_map), title=f"Evaluation of {LONG}", facts=facts)
    (folder / "gallery.html").write_text("".join(page(find_gallery(folder / "in", [folder / "out"]))), encoding="utf-8")
    return {path.stem: path for path in (folder / "batch.html", folder / "report/index.html", folder / "gallery.html")}


@pytest.mark.parametrize("width", [360, 1200])
def test_no_page_is_wider_than_the_screen_or_asks_for_anything(pages: dict[str, Path], width: int) -> None:
    need_package("playwright")
    from playwright.sync_api import sync_playwright

    browser = program("chromium", "chromium-browser", "google-chrome", package="chromium")
    sandbox = [] if sys.platform != "linux" or os.getuid() else ["--no-sandbox"]  # root has none
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=sandbox)
        tab = opened.new_page(viewport={"width": width, "height": 800})
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        for name, path in pages.items():
            asked.clear()
            tab.goto(path.as_uri())
            assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
            assert tab.evaluate("[...document.images].every(one => one.naturalWidth)"), name
            broken = tab.evaluate(BROKEN)
            assert broken == [], f"{name}: a short word on several lines"
        opened.close()
