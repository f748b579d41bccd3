"""Cutouts have straight alpha, and lie over anything by the formula."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from u2net.compose.cutout import Cutout, cutout
from u2net.errors import BadInput, CannotWrite
from u2net.imaging.blend import lay_over_color
from u2net.imaging.color import parse_color
from u2net.imaging.icc import convert_profile
from u2net.imaging.regions import bounding_box
from u2net.imaging.samples import to_depth
from u2net.types import Picture

GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.integers(0, 256, (40, 60, 3), np.uint8)
ALPHA = GENERATOR.random((40, 60), np.float32)


def one(color: tuple[int, int, int], alpha: float, dtype: type = np.uint8) -> Cutout:
    return cutout(Picture(np.array([[color]], dtype)), np.array([[alpha]], np.float32))


def test_colors_of_half_transparent_pixels_are_not_darkened() -> None:
    assert one((200, 100, 50), 0.5).pixels[0, 0].tolist() == [200, 100, 50, 128]


def test_fully_transparent_pixels_are_zeroed() -> None:
    assert one((200, 100, 50), 0.001).pixels[0, 0].tolist() == [0, 0, 0, 0]


def test_pictures_own_alpha_multiplies_the_result() -> None:
    own = GENERATOR.integers(0, 256, ALPHA.shape, np.uint8)
    result = cutout(Picture(PIXELS, own), ALPHA)
    assert np.abs(result.pixels[..., 3] - ALPHA * own).max() <= 0.5001


def test_sixteen_bits_keep_their_depth_and_rounding() -> None:
    result = cutout(Picture(PIXELS.astype(np.uint16) * 257), ALPHA)
    assert result.pixels.dtype == np.uint16
    assert np.abs(result.pixels[..., 3] - ALPHA.astype(np.float64) * 65535).max() <= 0.51
    np.testing.assert_allclose(result.alpha, ALPHA, atol=1e-4)


def test_alpha_of_another_size_is_refused() -> None:
    with pytest.raises(BadInput, match="alpha is"):
        cutout(Picture(PIXELS), ALPHA[:-1])


def test_box_is_half_open_and_coverage_the_mean_of_alpha() -> None:
    alpha = np.zeros((40, 60), np.float32)
    alpha[10:20, 30:45] = 1
    result = cutout(Picture(PIXELS), alpha)
    assert result.box == (30, 10, 45, 20)
    assert result.coverage == pytest.approx(150 / 2400)
    assert cutout(Picture(PIXELS), alpha * 0).box is None
    assert bounding_box(np.ones((1, 1))) == (0, 0, 1, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_over_a_color_is_the_formula_rounded_once(dtype: type) -> None:
    full = np.iinfo(dtype).max
    front = cutout(Picture(to_depth(PIXELS, np.dtype(dtype))), ALPHA)
    laid = front.over((255, 51, 0)).pixels
    opacity = front.pixels[..., 3:] / full
    expected = front.pixels[..., :3] * opacity + np.array([1, 0.2, 0]) * full * (1 - opacity)
    assert np.abs(laid[..., :3] - expected).max() <= 0.51
    assert (laid[..., 3] == full).all()


def test_over_a_half_transparent_color_is_porter_and_duffs_over() -> None:
    laid = one((200, 100, 50), 0.5).over("#0000ff80").pixels[0, 0] / 255
    upper, lower = 128 / 255, 128 / 255 * (1 - 128 / 255)
    assert laid[3] == pytest.approx(upper + lower, abs=0.5 / 255)
    assert laid[2] == pytest.approx((50 / 255 * upper + lower) / (upper + lower), abs=0.51 / 255)


def test_opaque_pixels_are_untouched_to_the_bit() -> None:
    laid = cutout(Picture(PIXELS), np.ones_like(ALPHA)).over("black")
    np.testing.assert_array_equal(laid.pixels[..., :3], PIXELS)


def test_background_picture_covers_and_is_centred(tmp_path: Path) -> None:
    behind = np.zeros((10, 100, 3), np.uint8)
    behind[:, 40:60] = (0, 255, 0)
    Image.fromarray(behind).save(tmp_path / "behind.png")
    empty = cutout(Picture(PIXELS), np.zeros_like(ALPHA))
    for background in (behind, str(tmp_path / "behind.png"), Image.fromarray(behind)):
        laid = empty.over(background)
        assert laid.pixels.shape == (40, 60, 4)
        assert laid.pixels[20, 30].tolist() == [0, 255, 0, 255]


def test_background_that_is_neither_color_nor_picture_is_said() -> None:
    with pytest.raises(BadInput, match=r"'beach\.jpgg' is no file, and no colour"):
        one((1, 2, 3), 0.5).over("beach.jpgg")
    with pytest.raises(BadInput, match="three or four whole numbers"):
        one((1, 2, 3), 0.5).over((1, 2))


def test_colors_are_meant_in_srgb_and_converted_to_the_pictures_profile() -> None:
    linear = wide_profile()
    front = Cutout(np.zeros((2, 2, 4), np.uint8), icc=linear)
    laid = front.over("#ff8000").pixels[0, 0, :3]
    back = convert_profile(laid[None, None], source_icc=linear, target_icc=None)[0, 0].astype(int)
    assert laid.tolist() != [255, 128, 0]
    assert np.abs(back - [255, 128, 0]).max() <= 2


def wide_profile() -> bytes:
    """sRGB's profile with the red and green primaries exchanged: a profile that surely changes colors."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.find(b"rXYZ"), profile.find(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("#f80", (255, 136, 0, 255)),
        ("#ff8800", (255, 136, 0, 255)),
        ("#ff880080", (255, 136, 0, 128)),
        ("rebeccapurple", (102, 51, 153, 255)),
    ],
)
def test_colors_are_read(text: str, color: tuple[int, ...]) -> None:
    assert parse_color(text) == color


def test_depths_are_scaled_there_and_back() -> None:
    every = np.arange(256, dtype=np.uint8)
    sixteen = to_depth(every, np.dtype(np.uint16))
    assert (sixteen[0], sixteen[-1]) == (0, 65535)
    np.testing.assert_array_equal(to_depth(sixteen, np.dtype(np.uint8)), every)


def test_save_takes_the_format_of_the_suffix_or_of_the_argument(tmp_path: Path) -> None:
    front = cutout(Picture(PIXELS, dpi=(300, 300)), ALPHA)
    for name, file_format in (("a.png", "PNG"), ("a.webp", "WEBP"), ("a.jpg", "JPEG"), ("a.tif", "TIFF")):
        front.save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.format == file_format
            assert image.mode == ("RGB" if file_format == "JPEG" else "RGBA")
    buffer = io.BytesIO()
    front.save(buffer)
    assert buffer.getvalue() == (tmp_path / "a.png").read_bytes() == front._repr_png_()
    with pytest.raises(BadInput, match=r"a\.xyz"):
        front.save(tmp_path / "a.xyz")
    with pytest.raises(CannotWrite):
        front.save(tmp_path / "nowhere" / "a.png")


def test_jpeg_is_laid_over_white() -> None:
    with Image.open(io.BytesIO(one((0, 0, 0), 0).to_bytes("jpeg"))) as image:
        assert image.getpixel((0, 0)) == (255, 255, 255)


def test_opaque_cutout_is_written_without_alpha() -> None:
    assert Image.open(io.BytesIO(one((1, 2, 3), 1).to_bytes())).mode == "RGB"
    assert Image.open(io.BytesIO(one((1, 2, 3), 0.5).to_bytes())).mode == "RGBA"


def test_pillow_image_has_the_pixels_and_the_profile() -> None:
    front = Cutout(np.dstack([PIXELS, PIXELS[..., 0]]), icc=wide_profile())
    image = front.to_pil()
    assert image.mode == "RGBA"
    assert image.info["icc_profile"] == front.icc
    np.testing.assert_array_equal(np.asarray(image), front.pixels)


def test_transparent_parts_look_like_the_color_laid_below() -> None:
    picture = Picture(np.full((1, 2, 3), 200, np.uint8), np.array([[0, 255]], np.uint8))
    np.testing.assert_array_equal(lay_over_color(picture, (0.2, 0.4, 0.6))[0], [[51, 102, 153], [200, 200, 200]])


@pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (2, 2)])
def test_background_of_any_shape_covers_and_takes_only_what_is_seen(size: tuple[int, int]) -> None:
    behind = np.zeros((*size, 3), np.uint8)
    behind[size[0] // 2, size[1] // 2] = 200
    laid = one((1, 2, 3), 0.0).over(behind)
    assert laid.size == one((1, 2, 3), 0.0).size
    assert (laid.pixels[..., 3] == 255).all()


def test_metadata_is_one_of_three() -> None:
    with pytest.raises(BadInput, match="metadata is 'all', 'private' or 'none', not 'privat'"):
        one((1, 2, 3), 1.0).to_bytes("png", metadata="privat")  # type: ignore[arg-type]


@pytest.mark.parametrize("color", [("a", "b", "c"), (0.5, 0.5, 0.5), (1, 2, 300)])
def test_colors_are_whole_numbers(color: tuple[object, ...]) -> None:
    with pytest.raises(BadInput, match="whole numbers from 0 to 255"):
        one((1, 2, 3), 1.0).over(color)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_cutout_is_an_array_of_its_pixels(depth: type) -> None:
    result = Cutout(np.dstack([PIXELS, PIXELS[..., 0]]).astype(depth))
    array = np.asarray(result)
    assert array.dtype == depth
    assert np.shares_memory(array, result.pixels)
    assert not np.shares_memory(np.array(result), result.pixels)
    assert np.asarray(result, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="copy"):
        np.array(result, dtype=np.float32, copy=False)


def test_pillow_and_matplotlib_take_a_cutout() -> None:
    result = cutout(Picture(PIXELS), ALPHA)
    np.testing.assert_array_equal(np.asarray(Image.fromarray(np.asarray(result))), result.pixels)
    pyplot = pytest.importorskip("matplotlib.figure", reason="needs the extra evaluate")
    axes = pyplot.Figure().add_subplot()
    np.testing.assert_array_equal(axes.imshow(result).get_array(), result.pixels)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_mask_is_a_grey_picture_of_one_channel_in_a_file(depth: type, tmp_path: Path) -> None:
    picture = Picture(PIXELS.astype(depth) * (np.iinfo(depth).max // 255), dpi=(300.0, 300.0), exif=b"MM")
    result = cutout(picture, ALPHA)
    result.mask().save(tmp_path / "mask.png", metadata="all")
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == ("L" if depth == np.uint8 else "I;16")
        np.testing.assert_array_equal(np.asarray(image), result.pixels[..., 3])
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert result.mask().exif is None
