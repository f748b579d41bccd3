"""Panels: every cell holds what its caption says, at the place where one looks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

from support.command_line import u2net
from support.paths import EXAMPLES
from u2net.compose.cutout import cutout
from u2net.compose.panel import panel, sides_panel
from u2net.errors import BadInput, NothingSalient
from u2net.inference.predict import predict, predict_all
from u2net.inference.session import Session
from u2net.io.read import read
from u2net.types import Picture

SIDE, GAP, TEXT = 90, 4, 11  # a thirtieth of the height would be less than four pixels
PICTURE = Picture(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
SQUARE = np.zeros((SIDE, SIDE), np.float32)
SQUARE[20:50, 30:70] = 1


def cell(sheet: NDArray[np.uint8], column: int, row: int = 0) -> NDArray[Any]:
    left, top = GAP + column * (SIDE + GAP), GAP + row * (SIDE + GAP + 2 * TEXT)
    return sheet[top : top + SIDE, left : left + SIDE]


def test_strip_is_input_map_box_and_cutout() -> None:
    sheet = panel(PICTURE, SQUARE, cutout(PICTURE, SQUARE), height_px=SIDE)
    assert sheet.shape == (SIDE + 2 * GAP + 2 * TEXT, 4 * SIDE + 5 * GAP, 3)
    np.testing.assert_array_equal(cell(sheet, 0), PICTURE.pixels)
    np.testing.assert_array_equal(cell(sheet, 1), np.dstack([SQUARE * 255] * 3))
    boxed, line = cell(sheet, 2), np.zeros((SIDE, SIDE), bool)
    line[20:50, 30:70] = True
    line[22:48, 32:68] = False
    assert (boxed[line] == (255, 45, 111)).all()
    np.testing.assert_array_equal(boxed[~line], PICTURE.pixels[~line])
    cut, inside = cell(sheet, 3), SQUARE > 0
    np.testing.assert_array_equal(cut[inside], PICTURE.pixels[inside])
    assert cut[0, 0].tolist() == [255] * 3 and cut[0, 4].tolist() == [222] * 3 and cut[4, 4].tolist() == [255] * 3
    for column in range(4):  # ink below each
        left = GAP + column * (SIDE + GAP)
        assert (sheet[GAP + SIDE : GAP + SIDE + 2 * TEXT, left : left + SIDE] < 128).any()


def test_rim_of_a_cutout_made_small_is_not_dark() -> None:
    white = Picture(np.full((8 * SIDE, 8 * SIDE, 3), 255, np.uint8))
    disc = np.hypot(*(np.indices(white.size) - 4 * SIDE)) < 2 * SIDE
    sheet = panel(white, disc.astype(np.float32), cutout(white, disc.astype(np.float32)), height_px=SIDE)
    assert cell(sheet, 3).min() >= 222


def test_sides_are_eight_cells_in_two_rows() -> None:
    maps = [np.full((4, 4), (8 - number) / 8, np.float32) for number in range(7)]
    sheet = sides_panel(PICTURE, maps, height_px=SIDE)
    np.testing.assert_array_equal(cell(sheet, 0), PICTURE.pixels)
    for number in range(7):
        column, row = (number + 1) % 4, (number + 1) // 4
        assert (cell(sheet, column, row) == np.rint(255 * (8 - number) / 8)).all()


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (2, 2), (37, 61)])
def test_pictures_of_every_shape_fit(size: tuple[int, int]) -> None:
    picture = Picture(np.full((*size, 3), 90, np.uint8), np.full(size, 200, np.uint8))
    whole = cutout(picture, np.ones(size, np.float32))
    sheet = panel(picture, np.ones((5, 5), np.float32), whole, height_px=64)
    assert sheet.shape[0] == 64 + 2 * TEXT + 2 * GAP
    assert 4 * 32 < sheet.shape[1] <= 4 * (3 * 64) + 5 * GAP


def test_empty_map_is_an_error_that_says_so() -> None:
    nothing = np.zeros((SIDE, SIDE), np.float32)
    for draw in (lambda: panel(PICTURE, nothing, cutout(PICTURE, nothing)), lambda: sides_panel(PICTURE, [nothing])):
        with pytest.raises(NothingSalient, match="no object was found, so there is no panel to draw"):
            draw()


@pytest.mark.parametrize("height_px", [0, -5, 31, 4097, 10**9])
def test_height_out_of_range_is_refused(height_px: int) -> None:
    with pytest.raises(BadInput, match=f"32 to 4096 pixels, not {height_px}"):
        panel(PICTURE, SQUARE, cutout(PICTURE, SQUARE), height_px=height_px)


def test_all_maps_of_the_network_begin_with_the_fused_one(small: Session) -> None:
    picture = read(EXAMPLES / "coffee.jpg")
    maps = predict_all(small, picture)
    assert len(maps) == 7
    np.testing.assert_array_equal(maps[0].map, predict(small, picture).map)
    # Coarser and coarser: the last is made from a map of 10 x 10.
    rough = [float(np.abs(np.diff(one.map, axis=0)).max()) for one in maps]
    assert rough[6] < 0.5 * rough[1]


def u2net_panel(*arguments: str) -> Result:
    return u2net("panel", "-m", "u2netp", *arguments)


def test_command_writes_a_strip_and_with_sides_a_sheet(folder: Path) -> None:
    result = u2net_panel("coffee.jpg", "--height", "200", "--json")
    assert json.loads(result.stdout)["output"] == "coffee.panel.png"
    assert u2net_panel("coffee.jpg", "--sides", "--height", "100", "-o", "maps.jpg").return_value == 0
    with Image.open("coffee.panel.png") as strip, Image.open("maps.jpg") as maps:
        assert (strip.mode, strip.size) == ("RGB", (4 * 300 + 5 * 6, 200 + 2 * 11 + 2 * 6))
        assert maps.size == (4 * 150 + 5 * 4, 2 * (100 + 22 + 4) + 4)


def test_command_refuses_in_a_sentence_and_writes_nothing(folder: Path) -> None:
    gravel = u2net_panel("gravel.jpg")
    assert (gravel.return_value, "no object was found" in gravel.stderr) == (3, True)
    for arguments in (["--height", "0"], ["--height", "1000000000"], ["--sides", "--hint", "10,10"]):
        assert isinstance(u2net_panel("coffee.jpg", *arguments).exception, BadInput)
    assert not list(folder.glob("*.panel.png"))


def test_model_without_side_outputs_says_so(small: Session) -> None:
    alone = replace(small, infer=lambda tensor: small.infer(tensor)[:1])
    with pytest.raises(BadInput, match="u2netp has no side outputs"):
        predict_all(alone, PICTURE)
