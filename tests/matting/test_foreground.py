"""The object's own colors at its edge, against objects whose colors and alpha are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from support.delta_e import delta_e_2000, to_lab
from u2net.compose.cutout import cutout
from u2net.errors import BadInput
from u2net.matting.foreground import estimate_foreground
from u2net.types import Picture

GREEN = np.array([0, 177, 64])
BEHIND = [(255, 255, 255), (0, 0, 0), (200, 30, 30), (30, 60, 200), (128, 128, 128)]


def fur_ball(size: tuple[int, int] = (240, 320)) -> tuple[np.ndarray, np.ndarray]:
    """An object whose colors change from place to place, with a soft rim and thin hairs: colors 0 to 255, alpha."""
    height, width = size
    rows, columns = np.indices(size)
    colors = np.dstack([120 + 90 * np.sin(9 * columns / width), 90 + 70 * rows / height, 160 - 120 * columns / width])
    drawn = np.zeros((4 * height, 4 * width), np.uint8)
    centre = (2 * width, 2 * height)
    cv2.circle(drawn, centre, int(1.1 * height), 255, -1)
    for angle in np.linspace(0, 2 * np.pi, 90, endpoint=False):
        far = (centre[0] + int(1.7 * height * np.cos(angle)), centre[1] + int(1.7 * height * np.sin(angle)))
        cv2.line(drawn, centre, far, 255, 3)
    alpha = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    alpha[:, : width // 2] = cv2.GaussianBlur(alpha, (0, 0), 3)[:, : width // 2]  # one half out of focus
    return colors, alpha


def on(background: np.ndarray, colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return alpha[..., None] * colors + (1 - alpha[..., None]) * background


def difference(colors: np.ndarray, truth: np.ndarray, alpha: np.ndarray) -> float:
    """Mean CIEDE2000 of the half-transparent pixels, laid on five colors, to what should be seen there."""
    band = (alpha > 0.01) & (alpha < 0.99)
    pairs = [(on(np.array(behind), colors, alpha), on(np.array(behind), truth, alpha)) for behind in BEHIND]
    return float(np.mean([delta_e_2000(to_lab(seen[band]), to_lab(wanted[band])) for seen, wanted in pairs]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_object_cut_from_green_shows_no_green_on_other_colors(dtype: type) -> None:
    colors, alpha = fur_ball()
    scale = np.iinfo(dtype).max / 255
    pixels = np.rint(on(GREEN, colors, alpha) * scale).astype(dtype)
    estimated = estimate_foreground(pixels, alpha)
    assert estimated.dtype == dtype
    plain = difference(pixels / scale, colors, alpha)
    assert plain > 8  # so that a fifth of it means something
    assert difference(estimated / scale, colors, alpha) < plain / 5


def test_opaque_and_empty_pixels_keep_their_colors_to_the_bit() -> None:
    colors, alpha = fur_ball()
    pixels = np.rint(on(GREEN, colors, alpha)).astype(np.uint8)
    estimated = estimate_foreground(pixels, alpha)
    levels = np.rint(alpha * np.float32(255))
    kept = (levels == 0) | (levels == 255)
    assert 0.5 < kept.mean() < 0.95
    np.testing.assert_array_equal(estimated[kept], pixels[kept])


def test_large_picture_is_as_good_although_its_surroundings_are_seen_smaller() -> None:
    colors, alpha = fur_ball((480, 640))
    pixels = np.rint(on(GREEN, colors, alpha)).astype(np.uint8)
    assert difference(estimate_foreground(pixels, alpha), colors, alpha) < difference(pixels, colors, alpha) / 5


@pytest.mark.parametrize("level", [0.02, 0.5])
def test_smoke_without_one_opaque_pixel_gets_a_color_nearer_its_own(level: float) -> None:
    alpha = np.zeros((60, 80), np.float32)
    alpha[20:40, 20:60] = level
    smoke = np.full((60, 80, 3), 200.0)
    pixels = np.rint(on(GREEN, smoke, alpha)).astype(np.uint8)
    assert difference(estimate_foreground(pixels, alpha), smoke, alpha) <= difference(pixels, smoke, alpha)


def test_picture_that_was_transparent_already_keeps_the_colors_it_had_there() -> None:
    colors, alpha = fur_ball((60, 80))
    pixels = colors.astype(np.uint8)
    own = np.rint(alpha * 255).astype(np.uint8)
    made = cutout(Picture(pixels, own), np.ones((60, 80), np.float32), foreground=True)
    np.testing.assert_array_equal(made.pixels[own > 0, :3], pixels[own > 0])


def test_cutout_has_the_estimated_colors_where_asked_for() -> None:
    colors, alpha = fur_ball((60, 80))
    pixels = np.rint(on(GREEN, colors, alpha)).astype(np.uint8)
    estimated = estimate_foreground(pixels, alpha)
    seen = np.rint(alpha * np.float32(255)) > 0
    plain, clean = (cutout(Picture(pixels), alpha, foreground=wanted) for wanted in (False, True))
    np.testing.assert_array_equal(plain.pixels[seen, :3], pixels[seen])
    np.testing.assert_array_equal(clean.pixels[seen, :3], estimated[seen])
    assert not clean.pixels[~seen].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 3)])
def test_pictures_of_a_few_pixels(size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 77, np.uint8)
    for level in (0.0, 0.5, 1.0):
        np.testing.assert_array_equal(estimate_foreground(pixels, np.full(size, level, np.float32)), pixels)


def test_alpha_of_another_size_is_refused() -> None:
    with pytest.raises(BadInput, match="alpha is"):
        estimate_foreground(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.float32))
