"""Animations: what is read of GIF, WebP and APNG, and what is written, each against another reader or by hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from support.hostile import chunk, encoded
from u2net.errors import BadInput, PictureTooLarge, UnreadablePicture
from u2net.io.frames import MAX_FRAMES
from u2net.io.read import MAX_PIXELS, read
from u2net.io.source import Opened
from u2net.io.write import encode
from u2net.types import Box
from u2net.video.animation import Animation, open_animation
from u2net.video.write_animation import encode_frames

RED, GREEN, BLUE, CLEAR = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)


def opened(data: bytes) -> Opened:
    return Opened(io.BytesIO(data), len(data), "a.gif")


def animation_of(data: bytes, max_pixels: int = MAX_PIXELS) -> Animation:
    found = open_animation(opened(data), max_pixels=max_pixels)
    assert found is not None
    return found


def frames_of(data: bytes) -> list[NDArray[np.uint8]]:
    """(H, W, 4) of each frame."""
    result = []
    for frame in animation_of(data).frames():
        picture = frame.picture
        alpha = np.full(picture.size, 255, np.uint8) if picture.alpha is None else picture.alpha
        result.append(np.dstack([picture.pixels, alpha]))
    return result


def times_of(data: bytes) -> list[float]:
    return [frame.duration_ms for frame in animation_of(data).frames()]


def plain(color: tuple[int, ...], size: tuple[int, int] = (4, 6)) -> NDArray[np.uint8]:
    return np.full((*size, 4), color, np.uint8)


def gif(parts: Sequence[tuple[Box, int, int]], *, size: tuple[int, int] = (4, 6)) -> bytes:
    """A GIF by hand. parts: (left, top, right, bottom), number of the color in [red, green, blue, transparent], and
    disposal. Codes are written without packing: a clear code before every pixel keeps them 3 bits wide."""
    colors = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    data = b"GIF89a" + struct.pack("<HHBBB", size[1], size[0], 0xF1, 2, 0) + colors
    for (left, top, right, bottom), color, disposal in parts:
        codes = [code for _ in range((right - left) * (bottom - top)) for code in (4, color)] + [5]
        bits = sum(code << 3 * place for place, code in enumerate(codes))
        packed = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
        data += b"\x21\xf9\x04" + struct.pack("<BHBB", disposal << 2 | 1, 7, 3, 0)
        data += b"," + struct.pack("<HHHHB", left, top, right - left, bottom - top, 0) + b"\x02"
        pieces = [packed[at : at + 255] for at in range(0, len(packed), 255)]
        data += b"".join(bytes([len(piece)]) + piece for piece in pieces)
        data += b"\0"
    return data + b";"


WHOLE, LEFT, RIGHT = (0, 0, 6, 4), (0, 0, 3, 4), (3, 0, 6, 4)


def test_gif_frame_that_stays_is_seen_under_the_next() -> None:
    first, second = frames_of(gif([(WHOLE, 0, 1), (LEFT, 1, 1)]))
    np.testing.assert_array_equal(first, plain(RED))
    np.testing.assert_array_equal(second, np.hstack([plain(GREEN, (4, 3)), plain(RED, (4, 3))]))


def test_gif_frame_that_is_cleared_leaves_a_hole_and_not_the_background_color() -> None:
    _, second = frames_of(gif([(LEFT, 0, 2), (RIGHT, 1, 1)]))
    np.testing.assert_array_equal(second, np.hstack([plain(CLEAR, (4, 3)), plain(GREEN, (4, 3))]))


def test_gif_frame_that_is_taken_back_leaves_what_was_before() -> None:
    parts = [(WHOLE, 0, 1), (LEFT, 1, 3), (RIGHT, 2, 1)]
    _, _, third = frames_of(gif(parts))
    np.testing.assert_array_equal(third, np.hstack([plain(RED, (4, 3)), plain(BLUE, (4, 3))]))


def test_gif_transparent_pixels_show_what_lies_below() -> None:
    _, second = frames_of(gif([(WHOLE, 0, 1), (LEFT, 3, 1)]))
    np.testing.assert_array_equal(second, plain(RED))


def test_gif_part_beyond_the_canvas_is_cut_off() -> None:
    first, second = frames_of(gif([(WHOLE, 0, 1), ((4, 2, 9, 9), 1, 1)]))
    assert first.shape == second.shape == (4, 6, 4)
    assert (second[2:, 4:] == GREEN).all()
    assert (second[:2] == RED).all()


@pytest.mark.parametrize(("loops", "plays"), [(None, 1), (0, 0), (4, 5)])
def test_gif_loop_count_is_repetitions(loops: int | None, plays: int) -> None:
    data = gif([(WHOLE, 0, 1), (LEFT, 1, 1)])
    if loops is not None:
        block = b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loops) + b"\0"
        data = data[:25] + block + data[25:]
    assert animation_of(data).plays == plays
    again = encode_frames([(plain(RED), 40)] * 2, format="gif", plays=plays)
    assert animation_of(again).plays == plays
    assert (b"NETSCAPE" in again) == (plays != 1)


def apng(parts: Sequence[tuple[Box, tuple[int, ...], int, int]], *, hidden: bool = False) -> bytes:
    """An APNG by hand. parts: (left, top, right, bottom), color, dispose, blend. hidden: a blue picture that is no
    frame comes first."""

    def packed(color: tuple[int, ...], height: int, width: int) -> bytes:
        return zlib.compress((b"\0" + bytes(color) * width) * height)

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 4, 8, 6, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">II", len(parts), 3))
    if hidden:
        data += chunk(b"IDAT", packed(BLUE, 4, 6))
    number = 0
    for (left, top, right, bottom), color, dispose, blend in parts:
        place = (number, right - left, bottom - top, left, top)
        data += chunk(b"fcTL", struct.pack(">5I2H2B", *place, 1, 30, dispose, blend))
        pixels = packed(color, bottom - top, right - left)
        number += 1
        if number == 1 and not hidden:
            data += chunk(b"IDAT", pixels)
        else:
            data += chunk(b"fdAT", struct.pack(">I", number) + pixels)
            number += 1
    return data + chunk(b"IEND")


HALF_GREEN = (0, 255, 0, 128)


def test_apng_half_transparent_frame_is_laid_over_what_is_there() -> None:
    _, second = frames_of(apng([(WHOLE, RED, 0, 0), (LEFT, HALF_GREEN, 0, 1)]))
    assert second[0, 0].tolist() == [127, 128, 0, 255]  # 128/255 of green over red: 127.0 and 128.0
    assert second[0, 5].tolist() == list(RED)


def test_apng_half_transparent_over_half_transparent_gets_denser() -> None:
    _, second = frames_of(apng([(WHOLE, HALF_GREEN, 0, 0), (LEFT, HALF_GREEN, 0, 1)]))
    assert second[0, 0].tolist() == [0, 255, 0, 192]  # 1 - (127/255)² = .752


def test_apng_frame_may_replace_what_is_there_by_nothing() -> None:
    _, second = frames_of(apng([(WHOLE, RED, 0, 0), (LEFT, (9, 9, 9, 0), 0, 0)]))
    assert (second[:, :3, 3] == 0).all()
    assert (second[:, 3:] == RED).all()


@pytest.mark.parametrize(("dispose", "left"), [(0, GREEN), (1, CLEAR), (2, RED)])
def test_apng_disposal_says_what_the_next_frame_begins_from(dispose: int, left: tuple[int, ...]) -> None:
    frames = frames_of(apng([(WHOLE, RED, 0, 0), (LEFT, GREEN, dispose, 0), (RIGHT, BLUE, 0, 0)]))
    assert (frames[2][:, :3] == left).all()
    assert (frames[2][:, 3:] == BLUE).all()


def test_apng_picture_before_the_first_frame_is_no_frame() -> None:
    data = apng([(WHOLE, RED, 0, 0), (WHOLE, GREEN, 0, 0)], hidden=True)
    first, second = frames_of(data)
    assert (first == RED).all() and (second == GREEN).all()
    assert (read(data).pixels == BLUE[:3]).all()


def test_apng_times_are_fractions() -> None:
    data = apng([(WHOLE, RED, 0, 0), (WHOLE, GREEN, 0, 0)])
    assert times_of(data) == [pytest.approx(1000 / 30)] * 2
    again = encode_frames([(plain(RED), 1000 / 30)] * 2, format="png")
    assert struct.pack(">HH", 1, 30) in again


def noise(count: int = 5) -> list[NDArray[np.uint8]]:
    """Frames of an object of 100 colors that moves, soft at one side."""
    frames = []
    for number in range(count):
        frame = np.zeros((40, 60, 4), np.uint8)
        ramp = np.add.outer(np.arange(10), 10 * np.arange(10)).astype(np.uint8)
        frame[5:15, 7 + number : 17 + number] = np.dstack([ramp, 99 - ramp, ramp // 2, np.full_like(ramp, 255)])
        frame[5:15, 16 + number, 3] = 200
        frames.append(frame)
    return frames


@pytest.mark.parametrize("file_format", ["png", "webp", "gif"])
def test_frames_come_back_as_pillow_and_we_read_them(file_format: str) -> None:
    given = noise()
    lossless = file_format == "webp"
    pairs = zip(given, (40, 0, 70, 100, 1000), strict=True)
    data = encode_frames(pairs, format=file_format, plays=3, lossless=lossless)  # type: ignore[arg-type]
    if file_format == "gif":
        for frame in given:
            frame[frame[..., 3] == 200, 3] = 255
    assert times_of(data) == [40, 0, 70, 100, 1000]
    assert animation_of(data).plays == 3
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == len(given)
        for number, (ours, expected) in enumerate(zip(frames_of(data), given, strict=True)):
            image.seek(number)
            theirs = np.asarray(image.convert("RGBA")).copy()
            theirs[theirs[..., 3] == 0] = 0
            np.testing.assert_array_equal(ours, expected)
            np.testing.assert_array_equal(theirs, expected)


def test_empty_frame_is_transparent_and_keeps_its_time() -> None:
    for file_format in ("png", "webp", "gif"):
        data = encode_frames([(plain(RED), 50), (plain(CLEAR), 60), (plain(RED), 70)], format=file_format)  # type: ignore[arg-type]
        first, second, third = frames_of(data)
        assert not second.any()
        assert first.any() and third.any()
        assert times_of(data) == [50, 60, 70]


def test_rounding_of_times_does_not_add_up() -> None:
    data = encode_frames([(plain(RED), 1000 / 30)] * 30, format="gif")
    assert sum(times_of(data)) == 1000
    assert set(times_of(data)) == {30, 40}


def test_gif_times_too_short_for_browsers_become_the_shortest_they_show() -> None:
    assert set(times_of(encode_frames([(plain(RED), 1000 / 120)] * 4, format="gif"))) == {20}
    assert times_of(encode_frames([(plain(RED), 10), (plain(RED), 0)], format="gif")) == [10, 0]


def test_still_pictures_are_no_animations() -> None:
    for suffix in ("GIF", "PNG", "WEBP", "JPEG"):
        assert open_animation(opened(encoded(Image.new("RGB", (5, 5)), suffix))) is None
    assert open_animation(opened(gif([(WHOLE, 0, 1)]))) is None


def test_webp_says_how_often_it_plays() -> None:
    frames = [Image.fromarray(frame) for frame in noise(3)]
    for loop in (0, 1, 6):
        data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], loop=loop, duration=30)
        assert animation_of(data).plays == loop


def test_damaged_frame_in_the_middle_is_named() -> None:
    data = gif([(WHOLE, 0, 1), (WHOLE, 1, 1), (WHOLE, 2, 1)])
    third = data.rindex(b"\x21\xf9")
    with pytest.raises(UnreadablePicture, match=r"a\.gif: frame 3 of 3 is damaged"):
        list(animation_of(data[: third + 25]).frames())
    with pytest.raises(UnreadablePicture, match=r"damaged after frame 2: what follows is no part of a GIF"):
        list(animation_of(data[:third] + b"\x99" + data[third:]).frames())
    png = apng([(WHOLE, RED, 0, 0), (LEFT, GREEN, 0, 0), (RIGHT, BLUE, 0, 0)])
    broken = bytearray(png)
    broken[png.index(b"fdAT") + 14] ^= 0xFF
    with pytest.raises(UnreadablePicture, match="frame 2 of 3 is damaged"):
        list(animation_of(bytes(broken)).frames())
    with pytest.raises(UnreadablePicture, match="damaged after frame 3: it ends too early"):
        list(animation_of(png[:-12]).frames())


def test_too_many_frames_are_refused_before_one_is_decoded() -> None:
    one, control = gif([(LEFT, 0, 1)])[25:-1], apng([(LEFT, RED, 0, 0)])[53:91]
    assert control[4:8] == b"fcTL"
    for many in (
        gif([(WHOLE, 0, 1)])[:-1] + one * 100_000 + b";",
        apng([(WHOLE, RED, 0, 0)])[:-12] + control * 100_000 + chunk(b"IEND"),
        encode_frames([(plain(RED), 10)] * (MAX_FRAMES + 1), format="webp"),
    ):
        with pytest.raises(PictureTooLarge, match=f"more than {MAX_FRAMES} frames; its first frame alone: --format"):
            animation_of(many).frames()


def test_large_canvas_with_small_frames_is_refused() -> None:
    data = gif([(WHOLE, 0, 1), (LEFT, 1, 1)], size=(30_000, 30_000))
    with pytest.raises(PictureTooLarge, match="30000 x 30000, 2 frames: one may have 20 megapixels"):
        animation_of(data).frames()
    with pytest.raises(PictureTooLarge, match="240 megapixels, over the limit of 192 for an animation"):
        animation_of(gif([(WHOLE, 0, 1)] * 50, size=(2000, 2400)), max_pixels=48_000_000).frames()


def test_large_part_on_a_small_canvas_is_refused() -> None:
    data = bytearray(gif([(WHOLE, 0, 1), (LEFT, 1, 1)]))
    at = data.rindex(b",") + 5
    data[at : at + 4] = struct.pack("<HH", 60_000, 60_000)
    with pytest.raises(PictureTooLarge, match="one may have 20 megapixels"):
        animation_of(bytes(data)).frames()


def test_frames_of_different_sizes_are_refused() -> None:
    with pytest.raises(BadInput, match="frame 2 is 5 x 4, the first 6 x 4"):
        encode_frames([(plain(RED), 10), (plain(RED, (4, 5)), 10)], format="png")


def test_formats_without_animation_are_refused() -> None:
    with pytest.raises(BadInput, match="JPEG holds no animation; use gif, png, webp"):
        encode_frames([(plain(RED), 10)], format="jpeg")


def test_still_gif_has_hard_edges_and_exact_colors_where_they_are_few() -> None:
    frame = noise(1)[0]
    with Image.open(io.BytesIO(encode(frame, format="gif"))) as image:
        read_back = np.asarray(image.convert("RGBA"))
    np.testing.assert_array_equal(read_back[..., 3], np.where(frame[..., 3] >= 128, 255, 0))
    opaque = frame[..., 3] >= 128
    np.testing.assert_array_equal(read_back[opaque, :3], frame[opaque, :3])


def test_gif_of_a_photograph_is_off_by_little() -> None:
    from support.paths import EXAMPLES

    given = read(EXAMPLES / "coffee.jpg").pixels
    with Image.open(io.BytesIO(encode(given, format="gif"))) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - given).mean() < 4  # Pillow's own median cut: 2.8


@pytest.mark.parametrize(("choice", "flag"), [({"quality": 50}, "--quality"), ({"lossless": True}, "--lossless")])
def test_gif_knows_neither_quality_nor_lossless(choice: dict[str, int], flag: str) -> None:
    with pytest.raises(BadInput, match=f"GIF reduces every picture to 255 colours; leave {flag} out"):
        encode(plain(RED), format="gif", **choice)  # type: ignore[arg-type]
