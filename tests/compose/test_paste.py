"""Pasting: exact where it can be, without fringes where it is scaled, and refused where nothing would be seen."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from support.hostile import SRGB
from support.paths import EXAMPLES
from u2net.compose.cutout import Cutout
from u2net.compose.match_view import LEAST_MATCHES, match_view
from u2net.compose.paste import paste, place
from u2net.errors import BadInput, NothingSalient
from u2net.io.read import read
from u2net.tasks.remove import is_cutout
from u2net.types import Picture

ORANGE = (250, 130, 10)


def square(side: int = 10, canvas: int = 50) -> Cutout:
    """An opaque square at (12, 8) of a transparent canvas whose hidden colors are black."""
    pixels = np.zeros((canvas, canvas, 4), np.uint8)
    pixels[8 : 8 + side, 12 : 12 + side] = (*ORANGE, 255)
    return Cutout(pixels)


def target(size: tuple[int, int] = (60, 80), color: tuple[int, int, int] = (20, 40, 60)) -> Picture:
    return Picture(np.full((*size, 3), color, np.uint8))


def colors(cutout: Cutout) -> NDArray[np.uint8]:
    assert (cutout.pixels[..., 3] == 255).all()
    return cutout.pixels[..., :3]


@pytest.mark.parametrize(
    ("anchor", "box"), [("top-left", (30, 20, 40, 30)), ("centre", (25, 15, 35, 25)), ("bottom", (25, 10, 35, 20))]
)
def test_object_is_copied_to_the_pixel_where_its_anchor_says(anchor: str, box: tuple[int, int, int, int]) -> None:
    made = paste(square(), target(), at=(30, 20), anchor=anchor)  # type: ignore[arg-type]
    expected = target().pixels.copy()
    expected[box[1] : box[3], box[0] : box[2]] = ORANGE
    np.testing.assert_array_equal(colors(made), expected)
    assert place(square(), (60, 80), at=(30, 20), anchor=anchor).box == box  # type: ignore[arg-type]


def test_without_a_place_it_lies_in_the_middle() -> None:
    assert place(square(), (60, 80)).box == (35, 25, 45, 35)


def test_what_reaches_beyond_the_target_is_cut_off() -> None:
    made = colors(paste(square(), target(), at=(-4, 55), anchor="top-left"))
    assert (made[55:60, :6] == ORANGE).all()
    assert (made == ORANGE).all(axis=2).sum() == 30


def test_half_size_is_the_mean_of_four_pixels_and_no_dark_fringe() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[1:7, 1:7] = (*ORANGE, 255)
    pixels[1, :, 3] = pixels[0, :, 3]
    pixels[pixels[..., 3] == 0] = 0
    pixels[1, 1:7] = (*ORANGE, 1)  # nearly nothing: the box begins here
    made = colors(paste(Cutout(pixels), target(), at=(10, 10), anchor="top-left", scale=0.5))
    # Rows 1 and 2 of the square, of alpha 1 and 255, become one of alpha 128, in the square's own color.
    mixed = np.rint((np.array(ORANGE) * 128 + np.array((20, 40, 60)) * 127) / 255)
    assert np.abs(made[10, 10:13].astype(int) - mixed).max() <= 1
    np.testing.assert_array_equal(made[11:13, 10:13], np.broadcast_to(ORANGE, (2, 3, 3)))
    assert (made[13, 13] == (20, 40, 60)).all()


@pytest.mark.parametrize(("scale", "rotation"), [(0.37, 0), (2.3, 0), (1, 17), (3.1, -40), (0.6, 100)])
def test_edges_of_a_scaled_and_turned_object_have_its_own_color(scale: float, rotation: float) -> None:
    clear = Picture(np.zeros((120, 120, 3), np.uint8), np.zeros((120, 120), np.uint8))
    made = paste(square(), clear, at=(60, 60), scale=scale, rotation=rotation).pixels
    seen = made[..., 3] > 8
    assert np.abs(made[seen, :3].astype(int) - ORANGE).max() <= 16  # 8 bits of alpha 8 tell a color to a 16th
    assert np.abs(made[made[..., 3] > 100, :3].astype(int) - ORANGE).max() <= 1
    area = made[..., 3].sum() / 255
    side = max(1, round(10 * scale))
    assert abs(area - side * side) < 0.05 * side * side + 1


def test_turning_is_clockwise_and_exact_for_quarters() -> None:
    pixels = np.zeros((5, 9, 4), np.uint8)
    pixels[...] = (0, 0, 200, 255)
    pixels[:, :3] = (*ORANGE, 255)  # the left third
    made = colors(paste(Cutout(pixels), target(), at=(40, 30), rotation=90))
    np.testing.assert_array_equal(made[26:29, 38:43], np.broadcast_to(ORANGE, (3, 5, 3)))  # now the upper one
    slanted = colors(paste(Cutout(pixels), target(), at=(40, 30), rotation=89.99))
    assert np.abs(slanted[26:27, 39:42].astype(int) - ORANGE).max() <= 5
    turned = colors(paste(Cutout(pixels), target(), at=(40, 30), rotation=-270))
    np.testing.assert_array_equal(turned, made)


def test_depth_profile_and_metadata_are_the_targets() -> None:
    deep = Picture(np.full((60, 80, 3), 1000, np.uint16), None, SRGB, (300.0, 300.0), b"Exif\0\0x", b"<x/>")
    made = paste(square(), deep, at=(30, 20))
    assert (made.pixels.dtype, made.icc, made.dpi, made.exif, made.xmp) == (
        np.uint16, SRGB, (300.0, 300.0), b"Exif\0\0x", b"<x/>",
    )  # fmt: skip
    expected = np.array(ORANGE) * 257
    assert np.abs(made.pixels[20, 30, :3].astype(int) - expected).max() <= 257  # sRGB by another profile
    assert made.pixels[0, 0].tolist() == [1000, 1000, 1000, 65535]


def test_empty_cutout_is_nothing_to_paste() -> None:
    with pytest.raises(NothingSalient, match="the cutout is empty: there is nothing to paste"):
        paste(Cutout(np.zeros((4, 4, 4), np.uint8)), target())


def test_larger_object_needs_a_scale_and_is_told_which() -> None:
    with pytest.raises(BadInput, match=r"object is 30 x 30, larger than the target of 20 x 12; --scale 0\.4 or --fit"):
        paste(square(30), target((12, 20)))
    assert place(square(30), (12, 20), scale=0.4).box == (4, 0, 16, 12)
    assert place(square(30), (12, 20), fit=True).box == (4, 0, 16, 12)
    assert place(square(30), (12, 20), scale=1).scale == 1  # asked for: cut off


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"at": (500, 10)}, r"at 500,10 nothing .* x is from -4 to 84, y from -4 to 64"),
        ({"at": (1e9, -1e9)}, "nothing of the object would be seen"),
        ({"scale": 0}, r"scale is a number from 0\.001 to 1000, not 0"),
        ({"scale": 1e9}, "scale is a number"),
        ({"scale": math.nan}, "scale is a number"),
        ({"scale": 0.002}, "nothing is left of the object of 10 x 10"),
        ({"rotation": math.inf}, "rotation and place are numbers"),
        ({"at": (math.nan, 1)}, "rotation and place are numbers"),
        ({"anchor": "left"}, "anchor is centre, top-left or bottom"),
    ],
)
def test_what_cannot_be_pasted_is_said_in_a_sentence(choice: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        paste(square(), target(), **choice)  # type: ignore[arg-type]


def test_places_at_the_edge_of_the_allowed_range_are_allowed() -> None:
    for at in ((-4, 20), (84, 20), (40, -4), (40, 64)):
        assert (colors(paste(square(), target(), at=at)) == ORANGE).all(axis=2).sum() == 10
    with pytest.raises(BadInput):
        paste(square(), target(), at=(85, 20))


def test_thousandfold_enlargement_takes_only_what_is_seen() -> None:
    assert (colors(paste(square(), target(), at=(40, 30), scale=1000)) == ORANGE).all()


def test_pictures_with_transparent_pixels_are_cutouts() -> None:
    alpha = np.full((4, 4), 255, np.uint8)
    assert not is_cutout(Picture(np.zeros((4, 4, 3), np.uint8)))
    assert not is_cutout(Picture(np.zeros((4, 4, 3), np.uint8), alpha))
    alpha[0, 0] = 0
    picture = Picture(np.full((4, 4, 3), 9, np.uint8), alpha)
    assert is_cutout(picture)
    assert Cutout.opaque(picture).pixels[0].tolist() == [[0, 0, 0, 0]] + [[9, 9, 9, 255]] * 3


@pytest.mark.parametrize("turn", [0, 12, -95])
def test_photo_of_a_screen_is_located_within_two_pixels(turn: float) -> None:
    scene = read(EXAMPLES / "astronaut.jpg").pixels
    height, width = 360, 480
    centre, scale = (250.0, 170.0), 0.45
    cos, sin = scale * math.cos(math.radians(turn)), scale * math.sin(math.radians(turn))
    # From pixels of the view to pixels of the scene, a little seen from the side; the middle goes to `centre`.
    to_scene = np.array([[cos, -sin, 0], [sin, cos, 0], [2e-4, -1e-4, 1]])
    middle = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    there = np.array([[1, 0, centre[0]], [0, 1, centre[1]], [0, 0, 1]])
    whole = there @ to_scene @ middle
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    view = cv2.warpPerspective(
        scene, np.linalg.inv(half) @ whole @ half, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    )
    noisy = np.clip(0.8 * view + 20 + np.random.default_rng(0).normal(0, 5, view.shape), 0, 255).astype(np.uint8)
    found = match_view(noisy, scene)
    assert math.hypot(found.x - centre[0], found.y - centre[1]) < 2
    assert abs(found.scale - scale) < 0.02
    assert abs(found.rotation - turn) < 1.5
    assert found.matches > 3 * LEAST_MATCHES


def test_view_of_something_else_is_not_found() -> None:
    with pytest.raises(BadInput, match=r"the view was not found in the target: \d+ features agree .* it takes 12"):
        match_view(read(EXAMPLES / "coffee.jpg").pixels, read(EXAMPLES / "rocket.jpg").pixels)
    with pytest.raises(BadInput, match="0 features agree"):
        match_view(np.full((50, 50, 3), 9, np.uint8), read(EXAMPLES / "rocket.jpg").pixels)
