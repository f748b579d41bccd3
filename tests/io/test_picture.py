"""A picture that was read can be written, shown, and taken for an array."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import u2net
from support.paths import EXAMPLES
from u2net import types
from u2net.compose.cutout import Cutout
from u2net.errors import BadInput
from u2net.io.picture import Picture
from u2net.io.read import read

GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.integers(0, 256, (20, 30, 3), np.uint8)
ALPHA = GENERATOR.integers(0, 256, (20, 30), np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_what_is_written_is_read_again(depth: type, tmp_path: Path) -> None:
    picture = Picture(PIXELS.astype(depth), ALPHA.astype(depth), dpi=(300.0, 300.0))
    for name in ("a.png", "a.tif"):
        picture.save(tmp_path / name)
        again = read(tmp_path / name)
        np.testing.assert_array_equal(again, picture)
        assert again.dpi == pytest.approx((300, 300), abs=0.01)


def test_its_bytes_are_those_of_the_same_cutout() -> None:
    picture = read(EXAMPLES / "astronaut.jpg")
    for options in ({}, {"format": "webp", "quality": 70}, {"format": "jpeg"}, {"metadata": "none"}):
        assert picture.to_bytes(**options) == Cutout.opaque(picture).to_bytes(**options)  # type: ignore[arg-type]


def test_jpeg_lies_over_white() -> None:
    clear = Picture(PIXELS, np.zeros_like(ALPHA))
    assert np.asarray(opened(clear.to_bytes("jpeg"))).min() == 255


@pytest.mark.parametrize("format", ["png", "webp", "avif", "jpeg", "tiff", "gif"])
def test_grey_is_written_with_one_channel(format: Any) -> None:
    grey = Picture(np.dstack([ALPHA] * 3))
    mode = opened(grey.to_bytes(format)).mode
    assert mode == {"webp": "RGB", "avif": "RGB", "gif": "P"}.get(format, "L")
    assert opened(Picture(PIXELS).to_bytes("png")).mode == "RGB"


def test_grey_with_a_profile_or_alpha_keeps_its_colors() -> None:
    grey = np.dstack([ALPHA] * 3)
    assert opened(Picture(grey, icc=SRGB).to_bytes()).mode == "RGB"
    assert opened(Picture(grey, icc=SRGB).to_bytes(metadata="none")).mode == "L"
    assert opened(Picture(grey, ALPHA).to_bytes()).mode == "RGBA"


def test_other_metadata_and_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="metadata is"):
        Picture(PIXELS).to_bytes(metadata="some")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no format for that suffix"):
        Picture(PIXELS).save(tmp_path / "a.xyz")


def test_a_file_object_gets_the_bytes() -> None:
    stream = io.BytesIO()
    Picture(PIXELS).save(stream, format="webp", lossless=True)
    np.testing.assert_array_equal(read(stream.getvalue()).pixels, PIXELS)


def test_pillow_gets_rgb_or_rgba_and_the_profile() -> None:
    image = Picture(PIXELS, icc=SRGB).to_pil()
    assert (image.mode, image.info["icc_profile"]) == ("RGB", SRGB)
    assert Picture(PIXELS.astype(np.uint16) * 257, ALPHA.astype(np.uint16) * 257).to_pil().mode == "RGBA"


@pytest.mark.parametrize("kind", [Picture, types.Picture])
def test_a_picture_is_an_array_of_its_samples(kind: type[types.Picture]) -> None:
    assert np.shares_memory(np.asarray(kind(PIXELS)), PIXELS)
    assert not np.shares_memory(np.array(kind(PIXELS), copy=True), PIXELS)
    both = np.asarray(kind(PIXELS, ALPHA))
    np.testing.assert_array_equal(both, np.dstack([PIXELS, ALPHA]))
    assert np.asarray(kind(PIXELS, ALPHA), np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="copy"):
        np.array(kind(PIXELS, ALPHA), copy=False)
    with pytest.raises(ValueError, match="copy"):
        np.array(kind(PIXELS), np.float32, copy=False)


def test_read_gives_the_public_kind_of_a_bare_record() -> None:
    picture = read(types.Picture(PIXELS, ALPHA, dpi=(72, 72)))
    assert isinstance(picture, u2net.Picture)
    assert picture.pixels is PIXELS
    assert picture.dpi == (72, 72)


def test_a_notebook_shows_it() -> None:
    assert Picture(PIXELS)._repr_png_().startswith(b"\x89PNG")
