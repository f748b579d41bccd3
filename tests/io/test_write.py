"""What is written is what was meant, and what a file held is in the next one."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from u2net.errors import BadInput, CannotWrite
from u2net.io.png import Compress
from u2net.io.read import read
from u2net.io.write import Format, encode, format_of
from u2net.system.files import atomic_file, write_bytes

RGBA = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta>kept</x:xmpmeta>"


def exif() -> bytes:
    block = Image.Exif()
    block[0x010E] = "a description"
    return block.tobytes()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("file_format", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("compress", ["fast", "balanced", "small"])
def test_lossless_formats_give_back_the_pixels(file_format: Format, channels: int, compress: Compress) -> None:
    pixels = RGBA[..., 0] if channels == 1 else np.ascontiguousarray(RGBA[..., :channels])
    np.testing.assert_array_equal(np.asarray(opened(encode(pixels, format=file_format, compress=compress))), pixels)


@pytest.mark.parametrize("file_format", ["png", "tiff"])
def test_sixteen_bits_stay_sixteen_bits(file_format: Format) -> None:
    pixels = RGBA.astype(np.uint16) * 200 + 3
    data = encode(pixels, format=file_format, icc=ICC)
    if file_format == "tiff":
        back = tifffile.imread(io.BytesIO(data))
    else:
        back = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
    np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize(("file_format", "tolerance"), [("webp", 12), ("jpeg", 6)])
def test_lossy_formats_stay_near(file_format: Format, tolerance: int) -> None:
    ramp = np.dstack([np.tile(np.arange(0, 240, 4, np.uint8), (60, 1))] * 3)
    back = np.asarray(opened(encode(ramp, format=file_format)).convert("RGB")).astype(int)
    assert np.abs(back - ramp).max() <= tolerance


@pytest.mark.parametrize("file_format", ["png", "webp", "jpeg", "tiff"])
def test_profile_is_written_again(file_format: Format) -> None:
    rgb = np.ascontiguousarray(RGBA[..., :3])
    assert opened(encode(rgb, format=file_format, icc=ICC)).info["icc_profile"] == ICC


@pytest.mark.parametrize("file_format", ["png", "webp", "jpeg"])
def test_exif_and_xmp_are_written_again(file_format: Format) -> None:
    rgb = np.ascontiguousarray(RGBA[..., :3])
    with opened(encode(rgb, format=file_format, exif=exif(), xmp=XMP)) as image:
        assert image.getexif()[0x010E] == "a description"
        assert b"kept" in (image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode())


@pytest.mark.parametrize("file_format", ["png", "jpeg", "tiff"])
def test_resolution_is_written_again(file_format: Format) -> None:
    rgb = np.ascontiguousarray(RGBA[..., :3])
    assert np.allclose(opened(encode(rgb, format=file_format, dpi=(300, 300))).info["dpi"], 300, atol=0.1)


def test_small_is_not_larger_than_fast() -> None:
    flat = np.zeros((200, 200, 4), np.uint8)
    flat[50:150, 50:150] = 255
    sizes = [len(encode(flat, compress=compress)) for compress in ("fast", "balanced", "small")]  # type: ignore[arg-type]
    assert sizes[2] <= min(sizes)


def test_what_a_format_cannot_hold_is_said() -> None:
    with pytest.raises(BadInput, match="no transparency"):
        encode(RGBA, format="jpeg")
    with pytest.raises(BadInput, match="16383"):
        encode(np.zeros((2, 16_384, 3), np.uint8), format="webp")
    with pytest.raises(BadInput, match="dpi is two numbers above 0"):
        encode(RGBA, dpi=(float("nan"), 1))
    with pytest.raises(BadInput, match="format is one of png, webp, avif, jpeg, tiff, gif and compress of fast"):
        encode(RGBA, format="bmp")  # type: ignore[arg-type]


def test_blocks_that_a_jpeg_has_no_room_for_are_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    rgb = np.ascontiguousarray(RGBA[..., :3])
    data = encode(rgb, format="jpeg", exif=b"Exif\0\0MM\0*" + bytes(70_000), xmp=b"<x>" + bytes(66_000), dpi=(72, 72))
    assert [record.message for record in caplog.records] == [
        "the EXIF of 70 KB does not fit into a JPEG and is left out",
        "the XMP of 66 KB does not fit into a JPEG and is left out",
    ]
    assert (opened(data).getexif(), opened(data).info["dpi"]) == ({}, (72, 72))


def test_resolutions_that_a_jpeg_cannot_say_are_in_its_exif() -> None:
    rgb = np.ascontiguousarray(RGBA[..., :3])
    for dpi in ((72.5, 300.0), (99_999.0, 99_999.0)):
        assert read(encode(rgb, format="jpeg", dpi=dpi)).dpi == dpi


def test_suffixes_name_formats() -> None:
    assert [format_of(name) for name in ("a.PNG", "a.jpeg", "a.tif", "a.webp", "a.gif", "a.apng", "a.bmp")] == [
        "png", "jpeg", "tiff", "webp", "gif", "png", None,
    ]  # fmt: skip


def test_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="nowhere"):
        write_bytes(tmp_path / "nowhere" / "a.png", b"x")


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_file(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
