"""16 bits in, 16 bits out; floating-point TIFF in its stated range; what Pillow or OpenCV would lose."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

import u2net
from support.hostile import png
from support.paths import EXAMPLES
from u2net.compose.cutout import Cutout, cutout
from u2net.errors import PictureTooLarge, UnreadablePicture
from u2net.inference.session import Session
from u2net.io.png import encode_png
from u2net.io.read import read

RANDOM = np.random.default_rng(0)


def samples(channels: int, size: tuple[int, int] = (40, 50)) -> np.ndarray:
    values = RANDOM.integers(0, 65536, (*size, channels), np.uint16)
    return values[..., 0] if channels == 1 else values


def tiff_of(values: np.ndarray, **options: Any) -> bytes:
    channels = values.shape[2] if values.ndim == 3 else 1
    options.setdefault("photometric", "minisblack" if channels < 3 else "rgb")
    if channels in (2, 4):
        options.setdefault("extrasamples", ["unassalpha"])
    if channels == 2:
        options.setdefault("planarconfig", "contig")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, metadata=None, **options)
    return buffer.getvalue()


def png_of(values: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG written by hand, rows unfiltered."""
    height, width, channels = (*values.shape, 1)[:3]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """RGB and alpha that a picture of 1 to 4 channels has."""
    channels = values.shape[2] if values.ndim == 3 else 1
    colors = values if channels == 1 else values[..., : channels - 1 + channels % 2]
    rgb = np.dstack([colors] * 3) if channels < 3 else colors
    return rgb, values[..., -1] if channels in (2, 4) else None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("write", [png_of, tiff_of])
def test_every_sixteen_bit_picture_comes_in_to_the_bit(channels: int, write: Callable[[np.ndarray], bytes]) -> None:
    values = samples(channels)
    picture = read(write(values))
    colors, alpha = split(values)
    np.testing.assert_array_equal(picture.pixels, colors)
    assert picture.pixels.dtype == np.uint16
    assert (picture.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(picture.alpha, alpha)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib"},
        {"tile": (16, 16)},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "compression": "zlib"},
        {"rowsperstrip": 7},
    ],
    ids=str,
)
def test_tiff_may_lay_its_samples_out_as_it_likes(options: dict[str, Any]) -> None:
    values = samples(3)
    laid = values.transpose(2, 0, 1) if options.get("planarconfig") == "separate" else values
    data = io.BytesIO()
    tifffile.imwrite(data, np.ascontiguousarray(laid), photometric="rgb", metadata=None, **options)
    np.testing.assert_array_equal(read(data.getvalue()).pixels, values)


def test_tiff_where_0_is_white_is_turned_round() -> None:
    values = samples(1)
    np.testing.assert_array_equal(read(tiff_of(values, photometric="miniswhite")).pixels[..., 0], 65535 - values)


def test_colors_that_were_multiplied_by_alpha_become_straight() -> None:
    values = samples(4)
    alpha = np.maximum(values[..., 3:], 20_000)
    stored = np.dstack([np.rint(values[..., :3] * (alpha / 65535)), alpha]).astype(np.uint16)
    picture = read(tiff_of(stored, extrasamples=["assocalpha"]))
    assert np.abs(picture.pixels.astype(int) - values[..., :3]).max() <= 2  # 65535 / 20000 / 2


def test_fourth_sample_that_is_not_alpha_is_passed_over() -> None:
    values = samples(4)
    picture = read(tiff_of(values, extrasamples=["unspecified"]))
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.pixels, values[..., :3])


@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_color_of_a_sixteen_bit_png_is_alpha(channels: int) -> None:
    values = samples(channels)
    clear = values[3, 4].reshape(-1)
    picture = read(png_of(values, (b"tRNS", struct.pack(f">{channels}H", *clear))))
    assert picture.alpha is not None
    assert picture.alpha.dtype == np.uint16
    assert (picture.alpha[3, 4], picture.alpha[0, 0]) == (0, 65535)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_float_tiff_from_0_to_1_fills_the_range(dtype: type, channels: int, caplog: pytest.LogCaptureFixture) -> None:
    values = RANDOM.random((8, 9, channels)).astype(dtype)
    values[0, 0], values[0, 1] = 0, 1
    picture = read(tiff_of(values[..., 0] if channels == 1 else values))
    expected = np.rint(values[..., 0].astype(np.float64) * 65535)
    assert np.abs(picture.pixels[..., 0] - expected).max() <= 1
    assert not caplog.records


def test_float_tiff_beyond_the_range_is_clipped_and_its_range_said(caplog: pytest.LogCaptureFixture) -> None:
    values = np.array([[-0.5, 0.5, 3.25, np.nan]], np.float32)
    with caplog.at_level(logging.WARNING, "u2net"):
        picture = read(tiff_of(values))
    np.testing.assert_array_equal(picture.pixels[0, :, 0], [0, 32768, 65535, 0])
    assert "from -0.5 to 3.25, and values that are no numbers" in caplog.text
    assert "clipped" in caplog.text


def test_tiff_of_12_bits_fills_the_range() -> None:
    data = bytearray(tiff_of(np.array([[0, 0]], np.uint16)))  # to be: two samples of 12 bits in three bytes
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        page = file.pages[0]
        bits, strip, count = page.tags[258], page.dataoffsets[0], page.tags[279]
    data[bits.valueoffset : bits.valueoffset + 2] = struct.pack("<H", 12)
    data[count.valueoffset : count.valueoffset + 2] = struct.pack("<H", 3)
    data[strip : strip + 3] = bytes([0xFF, 0xF8, 0x00])  # 4095 and 2048
    np.testing.assert_array_equal(read(bytes(data)).pixels[0, :, 0], [65535, 32776])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 4), np.int16), "16-bit signed"),
        (np.zeros((4, 4), np.uint32), "32-bit unsigned"),
        (np.zeros((4, 4, 5), np.uint16), "samples a pixel"),
    ],
)
def test_samples_that_no_picture_has_are_refused_by_what_they_are(values: np.ndarray, message: str) -> None:
    options = {"planarconfig": "contig"} if values.ndim == 3 else {}
    with pytest.raises(UnreadablePicture, match=message):
        read(tiff_of(values, photometric="minisblack", extrasamples=None, **options))


def test_deep_pictures_have_the_same_limits() -> None:
    for data in (tiff_of(samples(3)), png_of(samples(3))):
        with pytest.raises(PictureTooLarge, match="--max-megapixels"):
            read(data, max_pixels=1999)


def test_strip_that_inflates_without_end_is_refused() -> None:
    planes = np.ascontiguousarray(samples(3, (300, 400)).transpose(2, 0, 1))  # large: its lengths are 32-bit numbers
    data = io.BytesIO()
    tifffile.imwrite(data, planes, photometric="rgb", planarconfig="separate", compression="zlib", metadata=None)
    bomb = bytearray(data.getvalue())
    with tifffile.TiffFile(io.BytesIO(data.getvalue())) as file:
        page = file.pages[0]
        offsets, counts = page.tags[273], page.tags[279]
        assert len(page.dataoffsets) == 3
    squeezed = zlib.compress(bytes(300_000_000), 1)
    struct.pack_into("<3I", bomb, offsets.valueoffset, *[len(bomb)] * 3)
    struct.pack_into("<3I", bomb, counts.valueoffset, *[len(squeezed)] * 3)
    with pytest.raises(UnreadablePicture, match="larger than the picture"):
        read(bytes(bomb + squeezed))


@pytest.mark.parametrize("file_format", ["png", "tiff"])
def test_sixteen_bits_go_through_to_the_file_alpha_too(file_format: Any, small: Session, tmp_path: Path) -> None:
    example = cv2.imread(str(EXAMPLES / "coffee.jpg"), cv2.IMREAD_COLOR_RGB)
    deep = np.clip(example.astype(np.uint16) * 257 + RANDOM.integers(-128, 128, example.shape), 0, 65535)
    source = tmp_path / f"in.{file_format}"
    source.write_bytes((png_of if file_format == "png" else tiff_of)(deep.astype(np.uint16)))
    target = tmp_path / f"out.{file_format}"
    u2net.remove(source, small).save(target)
    if file_format == "png":
        written = cv2.cvtColor(cv2.imread(str(target), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
    else:
        written = tifffile.imread(target)
    assert written.dtype == np.uint16
    opaque = written[..., 3] == 65535
    assert opaque.mean() > 0.15
    np.testing.assert_array_equal(written[opaque][:, :3], deep[opaque])
    assert len(np.unique(written[..., 3])) > 256
    # The network saw the whole range: the same object as in the 8-bit picture.
    eight_bit = u2net.remove(example, small)
    assert np.abs(eight_bit.alpha - written[..., 3] / 65535).mean() < 0.003


@pytest.mark.parametrize("compress", ["fast", "balanced", "small"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 7, 3), (300, 1000, 4), (900, 700), (3, 200_000, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_our_png_is_what_opencv_and_pillow_read(compress: Any, shape: tuple[int, ...], dtype: Any) -> None:
    values = RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    values[: shape[0] // 2] //= 200  # runs and ramps, so that every filter is the best one somewhere
    data = encode_png(values, compress)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded.ndim == 3:
        decoded = decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]
    np.testing.assert_array_equal(decoded, values)
    with Image.open(io.BytesIO(data)) as image:
        image.verify()  # every chunk's checksum
    with Image.open(io.BytesIO(data)) as image:
        if dtype == np.uint8:
            np.testing.assert_array_equal(np.asarray(image), values)


def test_png_of_balanced_is_not_larger_than_pillows_default() -> None:
    picture = read(EXAMPLES / "astronaut.jpg").pixels
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    assert len(encode_png(picture, "small")) <= 1.01 * len(buffer.getvalue())


def test_rows_of_alpha_and_the_whole_make_the_same_cutout() -> None:
    picture = read(RANDOM.integers(0, 256, (700, 900, 3), np.uint8))
    alpha = RANDOM.random((700, 900), np.float32)
    whole = cutout(picture, alpha)
    np.testing.assert_array_equal(cutout(picture, lambda top, bottom: alpha[top:bottom]).pixels, whole.pixels)


@pytest.mark.parametrize(("file_format", "options"), [("webp", {"lossless": True}), ("avif", {})])
def test_colors_of_what_becomes_transparent_in_eight_bits_are_gone(file_format: Any, options: dict[str, Any]) -> None:
    pixels = np.full((64, 64, 4), 60_000, np.uint16)
    pixels[..., 3] = 100  # of 65535: nothing, in eight bits
    pixels[:32, :, 3] = 65_535
    cut = Cutout(pixels)
    written = read(cut.to_bytes(file_format, **options))
    assert written.alpha is not None and not written.alpha[40:].any()
    assert written.pixels[40:].max() <= 2
    assert np.asarray(cut.to_pil())[40:].max() == 0


def test_transparent_grey_of_two_and_four_bits_is_transparent() -> None:
    for bits, value in ((2, 2), (4, 9)):
        row = bytes([0, value << (8 - bits)]) + bytes(bits - 1)
        data = png(8, 1, bits, 0, row, [(b"tRNS", struct.pack(">H", value))])
        alpha = read(data).alpha
        assert alpha is not None
        assert alpha[0].tolist() == [0] + [255] * 7


def test_grey_and_alpha_that_cannot_be_unpacked_are_said_to_be_packed() -> None:
    data = bytearray(tiff_of(samples(2), photometric="minisblack", extrasamples=["unassalpha"]))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        at = file.pages[0].tags[259].valueoffset
    struct.pack_into("<H", data, at, 5)
    with pytest.raises(UnreadablePicture, match="its samples lie in groups of 2, compressed as LZW; save it uncomp"):
        read(bytes(data))
