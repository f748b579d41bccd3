"""The gallery in a real browser, from a file: mouse, finger and keys, light and dark, wide and narrow, no request."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from support.tools import need_package, program
from u2net.reports.gallery import find_gallery, page

need_package("playwright")
BROWSER = program("chromium", "chromium-browser", "google-chrome", package="chromium")
RED, GREEN, BLUE = (255, 0, 0), (0, 160, 0), (0, 0, 255)
NAMES = ("a.png", "<b>.png", "日本語.png", "z.png")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of four red originals with two folders of results: green halves and blue wholes."""
    folder = tmp_path_factory.mktemp("gallery")
    for name in NAMES:
        half = np.zeros((200, 300, 4), np.uint8)
        half[:100] = (*GREEN, 255)
        for place, pixels in {"in": np.full((200, 300, 3), RED, np.uint8), "halves": half}.items():
            (folder / place).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / place / name)
        (folder / "wholes").mkdir(exist_ok=True)
        if name != "z.png":
            Image.new("RGB", (300, 200), BLUE).save(folder / "wholes" / name)
    target = folder / "gallery.html"
    found = find_gallery(folder / "in", [folder / "halves", folder / "wholes"])
    target.write_text("".join(page(found)), encoding="utf-8")
    return target.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    sandbox = [] if sys.platform != "linux" or os.getuid() else ["--no-sandbox"]  # root has none
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=sandbox)
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page; afterwards nothing but the file itself was asked for, and nothing went wrong in it."""
    asked: list[str] = []
    wrong: list[str] = []
    contexts = []

    def opened(**options: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options))
        tab = contexts[-1].new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.goto(address)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert {url for url in asked if not url.startswith("data:")} == {address}
    assert wrong == []


def slider(tab: Any, number: int = 0) -> Any:
    return tab.locator(".compare input").nth(number)


def color_at(tab: Any, number: int, across: float, down: float) -> tuple[int, ...]:
    """The color on the screen at a place of a comparison, as shares of its sides."""
    place = tab.locator(".compare").nth(number)
    place.evaluate("place => Promise.all([...place.querySelectorAll('img')].map(image => image.decode()))")
    tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shot = np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB"))
    return tuple(int(value) for value in shot[int(down * (shot.shape[0] - 1)), int(across * (shot.shape[1] - 1))])


def near(color: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(color, wanted, strict=True)) <= 12


def test_left_of_the_slider_is_the_original_and_right_of_it_the_result(show: Callable[..., Any]) -> None:
    tab = show()
    assert near(color_at(tab, 0, 0.3, 0.3), RED) and near(color_at(tab, 0, 0.3, 0.7), RED)
    assert near(color_at(tab, 0, 0.7, 0.3), GREEN)
    assert near(color_at(tab, 0, 0.7, 0.7), (255, 255, 255)) or near(color_at(tab, 0, 0.7, 0.7), (226, 224, 220))
    assert near(color_at(tab, 1, 0.3, 0.3), RED)  # the second column has the one original too
    assert near(color_at(tab, 1, 0.7, 0.3), BLUE)


def test_mouse_moves_the_slider(show: Callable[..., Any]) -> None:
    tab = show()
    box = tab.locator(".compare").first.bounding_box()
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    tab.mouse.up()
    assert abs(float(slider(tab).input_value()) - 80) < 1
    assert near(color_at(tab, 0, 0.7, 0.3), RED)
    tab.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.4 * box["height"])
    assert abs(float(slider(tab).input_value()) - 80) < 1  # it was let go
    assert slider(tab).evaluate("slider => slider === document.activeElement")


def test_arrow_keys_move_the_slider_and_it_says_where_it_is(show: Callable[..., Any]) -> None:
    tab = show()
    tab.keyboard.press("j")
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    assert float(slider(tab).input_value()) == 55
    assert slider(tab).get_attribute("aria-valuetext") == "55 % original, 45 % halves"
    tab.keyboard.press("Home")
    assert float(slider(tab).input_value()) == 0
    assert near(color_at(tab, 0, 0.05, 0.3), GREEN)
    assert slider(tab).get_attribute("aria-label") == "<b>.png: original against halves"


def test_keys_go_from_picture_to_picture_and_tab_to_every_slider(show: Callable[..., Any]) -> None:
    tab = show()
    focused = "document.activeElement.closest('article')?.querySelector('h2').textContent"
    seen = []
    for key in "jjjjjk":
        tab.keyboard.press(key)
        seen.append(tab.evaluate(focused))
    assert seen == ["<b>.png", "a.png", "z.png", "日本語.png", "日本語.png", "z.png"]
    tab.keyboard.press("Tab")  # z.png has one result only, so the next slider is the next picture's
    assert tab.evaluate(focused) == "日本語.png"
    outline = tab.evaluate("getComputedStyle(document.activeElement.parentElement).outlineStyle")
    assert outline == "solid"


def test_number_keys_choose_the_folder_of_results(show: Callable[..., Any]) -> None:
    tab = show()
    captions = "figure:not([hidden]) figcaption"
    assert set(tab.locator(captions).all_text_contents()) == {"halves", "wholes"}
    tab.keyboard.press("2")
    assert set(tab.locator(captions).all_text_contents()) == {"wholes"}
    assert tab.locator("figure:visible .missing").count() == 1
    tab.keyboard.press("0")
    assert set(tab.locator(captions).all_text_contents()) == {"halves", "wholes"}
    tab.get_by_label("halves", exact=True).check()
    assert set(tab.locator(captions).all_text_contents()) == {"halves"}


def test_b_changes_what_lies_behind_a_cutout(show: Callable[..., Any]) -> None:
    tab = show()
    tab.keyboard.press("b")
    assert color_at(tab, 0, 0.7, 0.7) == (255, 255, 255)
    tab.keyboard.press("b")
    assert color_at(tab, 0, 0.7, 0.7) == (0, 0, 0)
    tab.keyboard.press("b")
    assert tab.locator("#ground input:checked").input_value() == "chequer"


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_page_is_light_or_dark_as_the_system_is(show: Callable[..., Any], scheme: str, dark: bool) -> None:
    tab = show(color_scheme=scheme)
    paper, ink = (
        sum(map(int, tab.evaluate(f"getComputedStyle(document.body).{name}")[4:-1].split(",")))
        for name in ("backgroundColor", "color")
    )
    assert (paper < ink) == dark
    assert abs(paper - ink) > 500


def test_phone_shows_everything_and_a_finger_slides(show: Callable[..., Any]) -> None:
    tab = show(viewport={"width": 360, "height": 740}, device_scale_factor=2, is_mobile=True, has_touch=True)
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    for choice in tab.locator("header label").all():
        assert choice.bounding_box()["height"] >= 38
    box = tab.locator(".compare").first.bounding_box()
    assert box["width"] > 280
    tab.touchscreen.tap(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    assert abs(float(slider(tab).input_value()) - 25) < 1


def test_every_control_has_a_name(show: Callable[..., Any]) -> None:
    tab = show()
    assert tab.evaluate("[...document.images].every(image => image.alt)")
    assert tab.evaluate(
        "[...document.querySelectorAll('input')].every(input => input.ariaLabel || input.labels[0]?.textContent.trim())"
    )
    assert tab.evaluate("[...document.querySelectorAll('fieldset')].every(set => set.querySelector('legend'))")
