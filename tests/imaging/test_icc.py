"""Colors are the input's to the bit where its mode is kept, and hardly different where it must be converted."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from support.delta_e import delta_e_2000, to_lab
from support.profiles import SRGB, cmyk_corners, cmyk_profile, grey_profile, rgb_profile, scanner_profile
from u2net.compose.cutout import Cutout, cutout
from u2net.imaging.icc import can_be_target, convert_profile, parse_matrix_profile
from u2net.io.read import read

RANDOM = np.random.default_rng(0)
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def test_delta_e_is_that_of_the_paper() -> None:
    # Rows 1, 7, 17 and 25 of the paper's table of test data.
    one = [[50, 2.6772, -79.7751], [50, 0, 0], [50, 2.5, 0], [60.2574, -34.0099, 36.2677]]
    other = [[50, 0, -82.7485], [50, -1, 2], [73, 25, -18], [60.4626, -34.1751, 39.4387]]
    np.testing.assert_allclose(
        delta_e_2000(np.array(one), np.array(other)), [2.0425, 2.3669, 27.1492, 1.2644], atol=1e-4
    )


def opaque(data: bytes) -> Cutout:
    """The whole picture as a cutout."""
    picture = read(data)
    return cutout(picture, np.ones(picture.size, np.float32))


@pytest.mark.parametrize("profile", ["p3", "adobe", "prophoto"])
@pytest.mark.parametrize("file_format", ["png", "tiff", "webp"])
def test_wide_rgb_keeps_its_colors_to_the_bit_and_its_profile(profile: str, file_format: Any) -> None:
    values = RANDOM.integers(0, 256, (30, 40, 3), np.uint8)
    icc = rgb_profile(profile)
    data = opaque(encoded(Image.fromarray(values), "PNG", icc_profile=icc)).to_bytes(
        file_format, lossless=file_format == "webp"
    )
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.asarray(image), values)
        assert image.info["icc_profile"] == icc


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("alpha", [False, True])
def test_grey_profile_becomes_srgb_of_the_same_color(gamma: float, alpha: bool) -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    image = Image.fromarray(ramp)
    if alpha:
        image.putalpha(200)
    picture = read(encoded(image, "PNG", icc_profile=grey_profile(gamma)))
    linear = (ramp[0] / 255) ** gamma
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    expected = to_lab(np.repeat(srgb[:, None], 3, axis=1))
    assert delta_e_2000(to_lab(picture.pixels[0]), expected).max() < 1
    assert picture.icc is None
    assert (picture.alpha is None) != alpha


def test_sixteen_bit_grey_profile_keeps_sixteen_bits() -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16)[None]
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, ramp, photometric="minisblack", iccprofile=grey_profile(1.8), metadata=None)
    picture = read(buffer.getvalue())
    linear = (ramp[0] / 65535) ** 1.8
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055) * 65535
    assert (
        np.abs(picture.pixels[0, :, 0] - srgb).max() <= 24
    )  # .0004 of the range: sRGB's curve, rounded in the profile
    assert len(np.unique(picture.pixels)) > 2500


@pytest.mark.parametrize("file_format", ["TIFF", "JPEG"])
def test_cmyk_with_a_profile_becomes_the_profiles_colors(file_format: str) -> None:
    for ink, expected in cmyk_corners().items():
        image = Image.new("CMYK", (8, 8), ink)
        picture = read(
            encoded(image, file_format, icc_profile=cmyk_profile(), **{"quality": 100} if file_format == "JPEG" else {})
        )
        assert picture.icc is None
        assert delta_e_2000(to_lab(picture.pixels[4, 4]), to_lab(np.array(expected))) < 1, ink


def test_lab_becomes_srgb() -> None:
    values = RANDOM.integers(0, 256, (20, 20, 3), np.uint8)
    values[:10] = values[:10] // 2 + 64
    lab = ImageCms.profileToProfile(
        Image.fromarray(values), SRGB_PROFILE, ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    exact = ImageCms.profileToProfile(lab, ImageCms.createProfile("LAB"), SRGB_PROFILE, outputMode="RGB")
    picture = read(encoded(lab, "TIFF", icc_profile=LAB))
    assert picture.icc is None
    assert delta_e_2000(to_lab(picture.pixels), to_lab(np.asarray(exact))).max() < 1
    # Lab of 8 bits is itself coarse: one step of a or b.
    assert np.median(delta_e_2000(to_lab(picture.pixels), to_lab(values))) < 1


SRGB_PROFILE = ImageCms.createProfile("sRGB")


@pytest.mark.parametrize("profile", ["p3", "adobe", "prophoto"])
def test_sixteen_bit_colors_are_converted_as_littlecms_converts_eight(profile: str) -> None:
    icc = rgb_profile(profile)
    eight = RANDOM.integers(0, 256, (100, 100, 3), np.uint8)
    for source, target in ((icc, None), (None, icc)):
        ours = convert_profile(eight.astype(np.uint16) * 257, source_icc=source, target_icc=target)
        theirs = convert_profile(eight, source_icc=source, target_icc=target)
        assert (ours.dtype, theirs.dtype) == (np.uint16, np.uint8)
        assert np.abs(ours / 257 - theirs).max() <= 2  # theirs is rounded on its way
        assert np.abs(ours / 257 - theirs).mean() < 0.3


def test_there_and_back_in_sixteen_bits_is_nearly_exact() -> None:
    icc = rgb_profile("prophoto")  # holds all of sRGB
    values = RANDOM.integers(0, 65536, (50, 50, 3), np.uint16)
    wide = convert_profile(values, source_icc=None, target_icc=icc)
    back = convert_profile(wide, source_icc=icc, target_icc=None).astype(int)
    bright = values.min(axis=2) > 3000  # near black sRGB's straight part makes one step of ProPhoto several
    assert np.abs(back - values)[bright].max() <= 40


def test_damaged_and_unusual_profiles_have_no_matrix_profile() -> None:
    icc = rgb_profile("adobe")
    assert parse_matrix_profile(icc) is not None
    assert parse_matrix_profile(icc[:200]) is None
    assert parse_matrix_profile(icc[:20] + b"Lab " + icc[24:]) is None
    assert parse_matrix_profile(cmyk_profile()) is None
    assert parse_matrix_profile(b"") is None


def test_strip_leaves_srgb_without_a_profile() -> None:
    values = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
    icc = rgb_profile("p3")
    whole = opaque(encoded(Image.fromarray(values), "PNG", icc_profile=icc, dpi=(300, 300)))
    with Image.open(io.BytesIO(whole.to_bytes("png", metadata="none"))) as image:
        assert not image.info
        expected = convert_profile(values, source_icc=icc, target_icc=None)
        np.testing.assert_array_equal(np.asarray(image), expected)
    deep = opaque(encoded(Image.fromarray(values), "PNG", icc_profile=icc))
    sixteen = Cutout(deep.pixels.astype(np.uint16) * 257, icc=icc)
    data = sixteen.to_bytes("png", metadata="none")
    written = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert written.dtype == np.uint16
    assert np.abs(written[..., ::-1] / 257 - expected).max() <= 1.5


def test_profile_of_srgb_itself_changes_nothing() -> None:
    values = RANDOM.integers(0, 65536, (20, 20, 3), np.uint16)
    assert np.abs(convert_profile(values, source_icc=SRGB, target_icc=None).astype(int) - values).max() <= 1


def test_scanners_profile_is_kept_but_never_written_into() -> None:
    assert can_be_target(None) and can_be_target(SRGB) and not can_be_target(scanner_profile())
    corners = np.array([[[255, 0, 0], [0, 255, 0], [255, 255, 255], [0, 0, 0]]], np.uint8)
    picture = read(encoded(Image.fromarray(corners), "PNG", icc_profile=scanner_profile()))
    assert picture.icc == scanner_profile()
    cut = cutout(picture, np.array([[1, 1, 0, 1]], np.float32))
    laid = cut.over("#00ff00")
    assert laid.icc is None
    np.testing.assert_array_equal(laid.pixels[0, 2, :3], [0, 255, 0])
    kept = [0, 1, 3]
    assert delta_e_2000(to_lab(laid.pixels[0, kept, :3]), to_lab(corners[0, kept])).max() < 1
    assert read(cut.to_bytes("jpeg")).icc is None
    assert read(cut.to_bytes("png")).icc == scanner_profile()


def test_profile_that_only_looks_whole_is_dropped() -> None:
    damaged = scanner_profile().replace(b"mft1", b"mft9")
    assert read(encoded(Image.new("RGB", (2, 2)), "PNG", icc_profile=damaged)).icc is None
