"""A frame never cuts its object, has the aspect, size and fill that were asked for, and moves no pixel it need not."""

from __future__ import annotations

import numpy as np
import pytest

from u2net.compose.crop import Crop, clipped, moved_inside, resized
from u2net.compose.cutout import Cutout, cutout
from u2net.compose.layout import crop
from u2net.errors import BadInput, NothingSalient
from u2net.types import Box, Picture

GENERATOR = np.random.default_rng(1)


def boxed(box: Box, size: tuple[int, int] = (60, 100), dtype: type = np.uint8) -> tuple[Picture, Cutout]:
    """Noise, and the cutout of a box of it."""
    pixels = GENERATOR.integers(0, 256, (*size, 3)).astype(dtype)
    alpha = np.zeros(size, np.float32)
    alpha[box[1] : box[3], box[0] : box[2]] = 1
    picture = Picture(pixels)
    return picture, cutout(picture, alpha)


def test_tight_crop_is_the_object_to_the_bit() -> None:
    picture, found = boxed((20, 10, 50, 40))
    np.testing.assert_array_equal(found.cropped().pixels[..., :3], picture.pixels[10:40, 20:50])
    np.testing.assert_array_equal(crop(picture, found, Crop()).pixels[..., :3], picture.pixels[10:40, 20:50])


def test_faint_haze_is_not_framed_and_half_transparent_hair_is() -> None:
    alpha = np.full((60, 100), 0.05, np.float32)
    alpha[20:30, 30:40] = 1
    alpha[20:30, 40:45] = 0.3
    assert cutout(Picture(np.zeros((60, 100, 3), np.uint8)), alpha).frame_box() == (30, 20, 45, 30)


@pytest.mark.parametrize("scale", [1, 20])
def test_smears_and_crumbs_apart_from_the_object_do_not_move_its_frame(scale: int) -> None:
    alpha = np.zeros((60, 100), np.float32)
    alpha[20:30, 30:40] = 1
    alpha[20:30, 40:45] = 0.3  # its hair
    alpha[50:55, 5:15] = 0.4  # a smear
    alpha = np.kron(alpha, np.ones((scale, scale), np.float32))
    alpha[-1, -1] = 1  # a crumb
    found = cutout(Picture(np.zeros((*alpha.shape, 3), np.uint8)), alpha)
    assert found.frame_box() == tuple(scale * edge for edge in (30, 20, 45, 30))


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (Crop(margin=0.1), (17, 7, 53, 43)),
        (Crop(margin_px=5), (15, 5, 55, 45)),
        (Crop(aspect=2), (5, 10, 65, 40)),
        (Crop(aspect=0.5), (20, -5, 50, 55)),
        (Crop(fill=0.5), (5, -5, 65, 55)),
        (Crop(fill=0.5, aspect=2), (-25, -5, 95, 55)),
        (Crop(size=(10, 20)), (5, 10, 65, 40)),
    ],
)
def test_frame_is_where_arithmetic_puts_it(frame: Crop, expected: Box) -> None:
    assert frame.around((20, 10, 50, 40)) == expected


def test_what_lies_beyond_the_picture_is_transparent() -> None:
    _, found = boxed((0, 0, 30, 30))
    result = found.cropped(Crop(margin_px=4)).pixels
    assert result.shape == (38, 38, 4)
    assert not result[:4].any()
    assert not result[:, :4].any()
    np.testing.assert_array_equal(result[4:34, 4:34], found.pixels[:30, :30])


def test_marketplace_is_2000_square_white_and_filled_by_85_percent() -> None:
    _, found = boxed((20, 10, 80, 40))
    made = found.cropped("marketplace")
    assert made.size == (2000, 2000)
    left, top, right, bottom = made.frame_box()
    assert abs((right - left) - 1700) <= 28  # a pixel of the 60 wide object is 28 of these
    assert abs((left + right) / 2 - 1000) <= 14
    assert abs((top + bottom) / 2 - 1000) <= 14


def test_crop_with_its_own_background_stays_in_the_picture_unless_it_is_to_be_centred() -> None:
    picture, found = boxed((0, 15, 30, 45))
    inside = crop(picture, found, Crop(fill=0.5))
    np.testing.assert_array_equal(inside.pixels[..., :3], picture.pixels[0:60, 0:60])
    assert (inside.pixels[..., 3] == 255).all()
    centred = crop(picture, found, Crop(fill=0.5), centred=True)
    assert not centred.pixels[:, :15].any()
    np.testing.assert_array_equal(centred.pixels[:, 15:, :3], picture.pixels[:60, :45])


def test_a_mere_margin_ends_with_the_picture() -> None:
    picture, found = boxed((0, 10, 30, 40))
    assert crop(picture, found, Crop(margin_px=20)).size == (60, 50)


def test_moving_and_clipping_keep_what_can_be_kept() -> None:
    assert moved_inside((-10, 5, 20, 25), (60, 100)) == (0, 5, 30, 25)
    assert moved_inside((-10, 30, 130, 70), (60, 100)) == (-10, 20, 130, 60)
    assert clipped((-10, 30, 130, 70), (60, 100)) == (0, 30, 100, 60)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(15, 30), (120, 160)])
def test_transparent_colors_never_show_after_resizing(dtype: type, size: tuple[int, int]) -> None:
    full = np.iinfo(dtype).max
    pixels = np.zeros((60, 80, 4), dtype)
    pixels[..., 1] = full  # green under an alpha of 0
    pixels[10:50, 20:60] = (full, 0, 0, full)
    made = resized(pixels, size)
    seen = made[..., 3] > 0
    assert made[seen][:, 1].max() == 0
    assert made[seen][:, 0].min() >= full * 0.99
    assert made[..., 3].mean() == pytest.approx(pixels[..., 3].mean(), rel=0.02)


def test_halving_is_the_mean_of_four_weighed_by_alpha() -> None:
    pixels = np.array([[[200, 0, 0, 255], [0, 100, 0, 85]], [[0, 0, 0, 0], [0, 0, 0, 0]]], np.uint8)
    assert resized(pixels, (1, 1))[0, 0].tolist() == [150, 25, 0, 85]


def test_empty_cutout_cannot_be_framed() -> None:
    empty = cutout(Picture(np.zeros((5, 5, 3), np.uint8)), np.zeros((5, 5), np.float32), confidence=0.2)
    with pytest.raises(NothingSalient, match=r"no object found \(confidence 0.2\), so there is nothing to frame"):
        empty.cropped()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "1 to 65535 pixels a side"),
        ({"size": 10**9}, "1 to 65535 pixels a side"),
        ({"size": (60_000, 60_000)}, "at most 160 megapixels"),
        ({"fill": 0}, "fill is a share"),
        ({"fill": 1.2}, "fill is a share"),
        ({"fill": 0.5, "margin": 0.1}, "give one of them"),
        ({"margin": -1}, "a margin is"),
        ({"aspect": 0}, "an aspect is"),
        ({"aspect": 2, "size": (10, 10)}, "leave the aspect out"),
    ],
)
def test_impossible_frame_is_refused_in_a_sentence(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Crop(**arguments)  # type: ignore[arg-type]


def test_frame_too_large_for_any_memory_is_refused() -> None:
    with pytest.raises(BadInput, match="give less margin, or more fill"):
        Crop(margin=10).around((0, 0, 9000, 9000))


def test_unknown_frame_names_those_there_are() -> None:
    _, found = boxed((0, 10, 30, 40))
    with pytest.raises(BadInput, match="no frame 'ebay'; choose one of tight, square, marketplace"):
        found.cropped("ebay")  # type: ignore[arg-type]
