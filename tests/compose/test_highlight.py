"""What highlighting does to each pixel of a picture that is easy to compute, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.profiles import rgb_profile, scanner_profile
from u2net.compose.cutout import Cutout, cutout
from u2net.compose.highlight import STYLES, highlight
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.color import color_in, parse_color
from u2net.types import Picture

DISPLAY_P3 = rgb_profile("p3")
GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.integers(0, 256, (80, 120, 3), np.uint8)
SQUARE = np.zeros((80, 120), np.float32)
SQUARE[30:50, 40:70] = 1
INSIDE = SQUARE > 0
DEPTHS = [np.uint8, np.uint16]


def picture_of(dtype: type, **more: Any) -> Picture:
    return Picture(PIXELS.astype(dtype) * dtype(np.iinfo(dtype).max // 255), **more)


def show(picture: Picture, style: Any, alpha: NDArray[np.float32] = SQUARE, **choices: Any) -> Cutout:
    return highlight(picture, cutout(picture, alpha), style, **choices)


@pytest.mark.parametrize("dtype", DEPTHS)
def test_tint_mixes_the_object_with_the_color_and_leaves_the_rest(dtype: type) -> None:
    picture = picture_of(dtype)
    shown = show(picture, "tint", color=(255, 0, 128), strength=0.25).pixels
    full = np.iinfo(dtype).max
    expected = picture.pixels[INSIDE] * 0.75 + np.array([full, 0, 128 * (full // 255)]) * 0.25
    assert np.abs(shown[INSIDE][:, :3] - expected).max() <= 0.501
    np.testing.assert_array_equal(shown[~INSIDE][:, :3], picture.pixels[~INSIDE])
    assert (shown[..., 3] == full).all()


@pytest.mark.parametrize("dtype", DEPTHS)
def test_spotlight_darkens_the_rest_and_leaves_the_object(dtype: type) -> None:
    picture = picture_of(dtype)
    shown = show(picture, "spotlight", strength=0.6).pixels[..., :3]
    np.testing.assert_array_equal(shown[INSIDE], picture.pixels[INSIDE])
    assert np.abs(shown[~INSIDE] - picture.pixels[~INSIDE] * 0.4).max() <= 0.51


def test_half_an_object_gets_half_of_the_effect() -> None:
    picture = Picture(np.full((10, 10, 3), 200, np.uint8))
    half = np.full((10, 10), 128 / 255, np.float32)
    half[0, 0] = 1
    assert show(picture, "spotlight", half, strength=1).pixels[5, 5, 0] == round(200 * 128 / 255)
    assert show(picture, "tint", half, color="black", strength=1).pixels[5, 5, 0] == round(200 * 127 / 255)


@pytest.mark.parametrize("dtype", DEPTHS)
def test_outline_is_so_many_pixels_wide_and_lies_outside_of_the_object(dtype: type) -> None:
    picture = picture_of(dtype)
    shown = show(picture, "outline", color="#ff0000", width_px=3).pixels[..., :3]
    full = np.iinfo(dtype).max
    np.testing.assert_array_equal(shown[40, 37:40], [[full, 0, 0]] * 3)  # left of it
    np.testing.assert_array_equal(shown[27:30, 55], [[full, 0, 0]] * 3)
    np.testing.assert_array_equal(shown[50:53, 55], [[full, 0, 0]] * 3)
    np.testing.assert_array_equal(shown[INSIDE], picture.pixels[INSIDE])
    far = np.ones_like(INSIDE)
    far[27:53, 37:73] = False
    np.testing.assert_array_equal(shown[far], picture.pixels[far])


def test_outline_does_not_paint_the_inside_of_a_soft_object() -> None:
    alpha = np.where(INSIDE, np.float32(0.8), np.float32(0))
    shown = show(picture_of(np.uint8), "outline", alpha, color="#ff0000", width_px=3).pixels[..., :3]
    np.testing.assert_array_equal(shown[31:49, 41:69], PIXELS[31:49, 41:69])
    np.testing.assert_array_equal(shown[40, 37:40], [[255, 0, 0]] * 3)


def test_outline_of_an_object_at_the_border_is_cut_there() -> None:
    alpha = np.zeros((80, 120), np.float32)
    alpha[:10, :10] = 1
    shown = show(picture_of(np.uint8), "outline", alpha, color="white", width_px=2).pixels
    assert (shown[5, 10:12, :3] == 255).all() and (shown[10:12, 5, :3] == 255).all()
    np.testing.assert_array_equal(shown[:10, :10, :3], PIXELS[:10, :10])


def test_glow_fades_to_nothing_within_its_width() -> None:
    picture = Picture(np.zeros((80, 120, 3), np.uint8))
    shown = show(picture, "glow", color="white", strength=1, width_px=20).pixels[40, :, 0].astype(int)
    assert (shown[40:70] == 0).all()  # the object itself
    falling = shown[70:95]
    assert 150 < falling[0] <= 255
    assert (np.diff(falling) <= 0).all()
    assert (falling[:12] > 0).all() and (falling[20:] == 0).all()


def linear(value: float) -> float:
    """IEC 61966-2-1."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def encoded(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


@pytest.mark.parametrize("dtype", DEPTHS)
def test_splash_keeps_the_object_and_gives_the_rest_its_luminance(dtype: type) -> None:
    picture = picture_of(dtype)
    shown = show(picture, "splash").pixels[..., :3]
    full = int(np.iinfo(dtype).max)
    np.testing.assert_array_equal(shown[INSIDE], picture.pixels[INSIDE])
    # Luminance as the profile of sRGB has it, adapted to D50: .2225, .7169, .0606.
    for y, x in [(0, 0), (3, 90), (79, 119), (60, 20)]:
        light = [linear(float(value) / full) for value in picture.pixels[y, x]]
        grey = encoded(0.2225 * light[0] + 0.7169 * light[1] + 0.0606 * light[2]) * full
        assert np.abs(shown[y, x] - grey).max() <= 0.002 * full
        assert len(set(shown[y, x].tolist())) == 1


@pytest.mark.parametrize("icc", [None, DISPLAY_P3])
def test_splash_leaves_what_is_grey_already(icc: bytes | None) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    alpha = np.zeros((1, 256), np.float32)
    alpha[0, 0] = 1
    shown = show(Picture(ramp, icc=icc), "splash", alpha).pixels[..., :3]
    np.testing.assert_array_equal(shown, ramp)


def test_blurred_spotlight_has_nothing_of_the_objects_color_around_it() -> None:
    pixels = np.full((80, 120, 3), 100, np.uint8)
    pixels[INSIDE] = 255
    shown = show(Picture(pixels), "spotlight", blur=True, strength=0.5).pixels[..., :3]
    assert np.abs(shown[~INSIDE].astype(int) - 50).max() <= 1
    np.testing.assert_array_equal(shown[INSIDE], pixels[INSIDE])


def test_blurred_spotlight_blurs() -> None:
    shown = show(picture_of(np.uint8), "spotlight", blur=True, strength=0).pixels[..., :3]
    assert shown[~INSIDE].std() < 0.7 * PIXELS[~INSIDE].std()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("dtype", DEPTHS)
def test_no_strength_is_no_change_to_the_bit(style: str, dtype: type) -> None:
    picture = picture_of(dtype)
    np.testing.assert_array_equal(show(picture, style, strength=0).pixels[..., :3], picture.pixels)


@pytest.mark.parametrize("style", STYLES)
def test_pictures_own_alpha_and_metadata_stay(style: str) -> None:
    own = GENERATOR.integers(0, 256, (80, 120), np.uint8)
    own[40, 50], own[0, 0] = 255, 0
    picture = Picture(PIXELS, own, DISPLAY_P3, (300, 300), b"exif", b"xmp")
    shown = show(picture, style)
    np.testing.assert_array_equal(shown.pixels[..., 3], own)
    assert shown.pixels[0, 0].tolist() == [0, 0, 0, 0]
    assert (shown.icc, shown.dpi, shown.exif, shown.xmp) == (DISPLAY_P3, (300, 300), b"exif", b"xmp")


def test_object_in_a_half_transparent_picture_is_the_object_as_fully() -> None:
    half = Picture(PIXELS, np.full((80, 120), 128, np.uint8))
    np.testing.assert_array_equal(
        show(half, "tint").pixels[..., :3], show(picture_of(np.uint8), "tint").pixels[..., :3]
    )


def test_color_is_given_in_srgb_and_converted_to_the_pictures_profile() -> None:
    picture = Picture(PIXELS, icc=DISPLAY_P3)
    shown = show(picture, "tint", color="#ff8000", strength=1).pixels
    expected = color_in(parse_color("#ff8000"), DISPLAY_P3, np.dtype(np.uint8))
    assert (shown[INSIDE] == expected).all()
    assert expected[0] < 255


def test_opacity_of_the_color_weakens_the_effect() -> None:
    whole = show(picture_of(np.uint8), "tint", color="#00ff00", strength=0.5 * 51 / 255).pixels
    np.testing.assert_array_equal(show(picture_of(np.uint8), "tint", color="#00ff0033", strength=0.5).pixels, whole)


@pytest.mark.parametrize("style", STYLES)
def test_empty_cutout_is_an_error_that_says_so(style: str) -> None:
    with pytest.raises(NothingSalient, match="no object was found"):
        show(picture_of(np.uint8), style, np.zeros((80, 120), np.float32))


@pytest.mark.parametrize(
    ("style", "choices", "message"),
    [
        ("sparkle", {}, "no style 'sparkle'; choose one of tint, spotlight"),
        ("tint", {"strength": 1.5}, "from 0 to 1, not 1.5"),
        ("tint", {"strength": float("nan")}, "from 0 to 1, not nan"),
        ("tint", {"color": "nocolour"}, "no colour 'nocolour'"),
        ("tint", {"width_px": 3}, "tint has no width"),
        ("splash", {"color": "red"}, "splash has no colour"),
        ("glow", {"blur": True}, "that is for spotlight"),
        ("outline", {"width_px": 0}, "above 0, not 0"),
        ("outline", {"width_px": float("inf")}, "above 0, not inf"),
        ("outline", {"width_px": 1e9}, "more than the picture has (120)"),
    ],
)
def test_each_mistake_has_its_sentence(style: str, choices: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        show(picture_of(np.uint8), style, **choices)
    assert message in str(caught.value)


def test_cutout_of_another_picture_is_refused() -> None:
    with pytest.raises(BadInput, match="give the cutout of this picture"):
        highlight(picture_of(np.uint16), cutout(picture_of(np.uint8), SQUARE))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
@pytest.mark.parametrize("style", STYLES)
def test_shapes_of_all_kinds_are_drawn(size: tuple[int, int], style: str) -> None:
    alpha = np.zeros(size, np.float32)
    alpha[0, 0] = 1
    picture = Picture(np.full((*size, 3), 90, np.uint8))
    choices = {"blur": True} if style == "spotlight" else {}
    width = {"width_px": 0.5} if STYLES[style].width else {}
    assert show(picture, style, alpha, **choices, **width).size == size


def test_colors_of_a_profile_without_a_way_back_become_srgb() -> None:
    shown = show(Picture(PIXELS, icc=scanner_profile()), "tint", color="#ff8000", strength=1)
    assert shown.icc is None
    assert (shown.pixels[INSIDE] == (255, 128, 0, 255)).all()
