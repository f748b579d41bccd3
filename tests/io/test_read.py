"""Every common picture comes in upright, in RGB, with what it carried; the others have their sentence."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from u2net.errors import BadInput, PictureTooLarge, UnreadablePicture
from u2net.io.read import read
from u2net.types import Picture

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
RGB = Image.fromarray(PIXELS)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def test_path_bytes_file_image_array_and_picture_are_all_sources(tmp_path: Path) -> None:
    data = encoded(RGB)
    (tmp_path / "a.png").write_bytes(data)
    picture = read(data)
    assert read(picture) is picture
    sources: list[Any] = [tmp_path / "a.png", str(tmp_path / "a.png"), data, bytearray(data), memoryview(data)]
    sources += [io.BytesIO(data), RGB, PIXELS]
    for source in sources:
        np.testing.assert_array_equal(read(source).pixels, PIXELS)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_may_be_grey_rgb_or_rgba(dtype: type) -> None:
    rgba = np.dstack([PIXELS, PIXELS[..., 0]]).astype(dtype)
    assert read(rgba[..., 0]).pixels.shape == (6, 9, 3)
    np.testing.assert_array_equal(read(rgba[..., :1]).pixels, read(rgba[..., 0]).pixels)
    assert read(rgba[..., :3]).alpha is None
    picture = read(rgba)
    assert picture.pixels.dtype == dtype
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, rgba[..., 3])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), "scale it"),
        (np.zeros((4, 4), bool), r"uint8 or uint16, got bool; scale it: array\.astype\('uint8'\) \* 255"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
    ],
)
def test_other_arrays_are_refused_by_what_they_are(array: np.ndarray, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read(array)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG", "AVIF"])
def test_common_formats_are_read(file_format: str) -> None:
    image = RGB.resize((64, 48), Image.Resampling.BICUBIC)
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encoded(image, file_format, **options)
    np.testing.assert_array_equal(read(data).pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read(data).pixels[0, 0], [255, 0, 0])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"])
def test_every_mode_gives_pillows_rgb_and_alpha(mode: str) -> None:
    image = RGB.convert("RGBA")
    image.putalpha(RGB.getchannel("R"))
    image = image.convert(mode)
    picture = read(image)
    np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    if mode in ("LA", "RGBA"):
        np.testing.assert_array_equal(picture.alpha, np.asarray(RGB.getchannel("R")))
    elif mode not in ("P", "PA"):  # their palettes may keep alpha
        assert picture.alpha is None


def test_transparent_palette_entry_is_transparent() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    picture = read(encoded(image, transparency=1))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, [[255, 0]])


def test_sixteen_bit_grey_keeps_its_range() -> None:
    values = np.array([[0, 256, 40000, 65535]], np.uint16)
    picture = read(encoded(Image.fromarray(values)))
    assert picture.pixels.dtype == np.uint16
    np.testing.assert_array_equal(picture.pixels[..., 1], values)


def test_32_bit_and_in_memory_float_samples_are_refused() -> None:
    with pytest.raises(UnreadablePicture, match="32-bit"):
        read(encoded(Image.new("I", (4, 4), 70000), "TIFF"))
    with pytest.raises(UnreadablePicture, match="floating-point"):
        read(Image.new("F", (4, 4), 0.5))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_orientation_is_applied_and_forgotten(orientation: int, file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a description"
    data = encoded(RGB, file_format, exif=exif, dpi=(100, 200))
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    picture = read(data)
    np.testing.assert_array_equal(picture.pixels, expected)
    kept = Image.Exif()
    kept.load(picture.exif or b"")
    assert kept.get(0x010E) == "a description"
    assert 0x0112 not in kept
    assert np.allclose(picture.dpi, (200, 100) if orientation >= 5 else (100, 200), rtol=1e-3)


def test_xmp_orientation_is_forgotten_too() -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6" dc:title="t"/></x:xmpmeta>'
    picture = read(encoded(RGB, "WEBP", lossless=True, xmp=xmp))
    assert picture.xmp is not None
    assert b"Orientation" not in picture.xmp
    assert b"title" in picture.xmp


def test_rgb_profile_is_kept_and_a_broken_one_dropped() -> None:
    assert read(encoded(RGB, icc_profile=SRGB)).icc == SRGB
    assert read(encoded(RGB, icc_profile=b"nonsense")).icc is None
    assert read(encoded(RGB)).icc is None


def test_lab_picture_is_converted_to_srgb() -> None:
    color = Image.new("RGB", (4, 4), (200, 100, 50))
    lab = ImageCms.profileToProfile(
        color, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    picture = read(encoded(lab, "TIFF", icc_profile=LAB))
    assert picture.icc is None
    assert np.abs(picture.pixels.astype(int) - [200, 100, 50]).max() <= 3


def test_postscript_is_never_opened() -> None:
    with pytest.raises(UnreadablePicture, match="not a picture in a format"):
        read(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")


def test_too_many_pixels_or_bytes_are_refused() -> None:
    with pytest.raises(PictureTooLarge, match="--max-megapixels"):
        read(encoded(RGB), max_pixels=53)
    with pytest.raises(PictureTooLarge, match="max_bytes"):
        read(encoded(RGB), max_bytes=60)
    with pytest.raises(PictureTooLarge, match="max_bytes"):
        read(io.BytesIO(encoded(RGB)), max_bytes=60)


def test_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = bytearray(encoded(Image.new("L", (1, 1))))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # IHDR's width and height; its checksum is then wrong as well
    with pytest.raises((PictureTooLarge, UnreadablePicture)):
        read(bytes(bomb))
    with pytest.raises(PictureTooLarge, match="20000 x 20000"):
        read(encoded(Image.new("1", (20_000, 20_000))))


def test_large_picture_below_a_raised_limit_is_read_though_pillow_would_refuse() -> None:
    data = encoded(Image.new("1", (14_000, 14_000)))
    with pytest.raises(PictureTooLarge, match="196 megapixels"):
        read(data)
    assert read(data, max_pixels=200_000_000).size == (14_000, 14_000)


@pytest.mark.parametrize(("file_format", "weight"), [("WEBP", 2), ("JPEG2000", 3), ("PNG", 1)])
def test_formats_that_take_more_memory_have_a_lower_limit(file_format: str, weight: int) -> None:
    data = encoded(Image.new("RGB", (100, 100)), file_format)
    assert read(data, max_pixels=10_000 * weight).size == (100, 100)
    with pytest.raises(PictureTooLarge):
        read(data, max_pixels=10_000 * weight - 1)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_file_is_said_to_be_damaged(file_format: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    data = encoded(Image.fromarray(noise), file_format)
    with pytest.raises(UnreadablePicture):
        read(data[: int(len(data) * share)])


def test_missing_empty_text_and_folder_have_their_sentences(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("just text")
    for name, message in (("no.jpg", "no such file"), ("empty.jpg", "0 bytes"), ("text.jpg", "not a picture")):
        with pytest.raises(UnreadablePicture, match=message):
            read(tmp_path / name)
    with pytest.raises(UnreadablePicture, match="is a folder"):
        read(tmp_path)
    with pytest.raises(UnreadablePicture, match="not a file name"):
        read("a\0b.jpg")
    with pytest.raises(BadInput, match="binary mode"):
        read(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="cannot read a picture from int"):
        read(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (1, 20_000)])
def test_extreme_shapes_are_pictures(size: tuple[int, int]) -> None:
    picture = read(encoded(Image.new("RGB", size, "red")))
    assert isinstance(picture, Picture)
    assert picture.size == size[::-1]
