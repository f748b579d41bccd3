"""Parallax: the object moves, the background less, nothing of the object stays behind, and the end meets the start."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

from support.command_line import u2net
from u2net.compose.cutout import Cutout, cutout
from u2net.compose.parallax import parallax
from u2net.errors import BadInput, NothingSalient
from u2net.types import Picture

SIZE = (200, 300)
WHITE, GREY, MARK = 255, 100, 0
DISC = (np.hypot(*(np.indices(SIZE) - np.array(SIZE)[:, None, None] / 2)) < 40).astype(np.float32)


def scene() -> Picture:
    """A white disc on grey, and a black mark in the background."""
    pixels = np.full((*SIZE, 3), GREY, np.uint8)
    pixels[DISC > 0] = WHITE
    pixels[20:40, 60:80] = MARK
    return Picture(pixels)


def frames_of(picture: Picture, alpha: NDArray[np.float32] = DISC, **choices: Any) -> list[NDArray[np.uint8]]:
    return list(parallax(picture, cutout(picture, alpha), **choices))


def middle(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(y, x), counted from the frame's own middle."""
    return np.argwhere(mask).mean(axis=0) - (np.array(mask.shape) - 1) / 2


def test_object_moves_by_the_amount_and_the_background_by_less() -> None:
    frames = frames_of(scene(), amount=4, seconds=2, fps=20)
    assert len(frames) == 40
    x = [middle(frame[..., 0] > 220)[1] for frame in frames]
    # 4 percent of 300 pixels to each side, and the disc's own middle is half a pixel off.
    assert abs(x[10] - x[0] - 12) < 0.5 and abs(x[30] - x[0] + 12) < 0.5
    marks = [middle(frame[..., 0] < 40)[1] for frame in frames]
    assert abs((marks[10] - marks[30]) / (x[10] - x[30]) - 0.3) < 0.05


def test_object_comes_nearer_and_goes_back() -> None:
    areas = [int((frame[..., 0] > 220).sum()) for frame in frames_of(scene(), amount=5, seconds=2, fps=20)]
    assert areas[20] > 0.99 * max(areas)
    assert 1.03 < areas[20] / areas[0] < 1.09  # 3 percent larger each way


def test_nothing_of_the_object_is_left_in_the_background() -> None:
    for frame in frames_of(scene(), amount=6, seconds=1, fps=8):
        y, x = np.indices(frame.shape[:2])
        at = middle(frame[..., 0] > 220) + (np.array(frame.shape[:2]) - 1) / 2
        ring = np.hypot(y - at[0], x - at[1])
        around = frame[(ring > 45) & (ring < 80) & (frame[..., 0] > 60)]  # away from the mark
        assert np.abs(around.astype(int) - GREY).max() <= 2


def test_movement_has_no_seam() -> None:
    frames = [frame.astype(int) for frame in frames_of(scene(), seconds=2, fps=15)]
    steps = [np.abs(after - before).mean() for before, after in zip(frames, [*frames[1:], frames[0]], strict=True)]
    assert steps[-1] <= max(steps[:-1]) * 1.01


def test_no_border_comes_into_view() -> None:
    pixels = np.full((*SIZE, 3), GREY, np.uint8)
    for frame in frames_of(Picture(pixels), amount=10, seconds=1, fps=8):
        assert np.abs(frame.astype(int) - GREY).max() <= 1


def test_object_that_fills_the_picture_moves_all_the_same() -> None:
    frames = frames_of(scene(), np.ones(SIZE, np.float32), seconds=1, fps=8)
    assert (frames[0] != frames[2]).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_frames_have_the_size_that_was_asked_for_and_8_bits(dtype: type) -> None:
    picture = Picture(
        scene().pixels.astype(dtype) * dtype(np.iinfo(dtype).max // 255), np.full(SIZE, np.iinfo(dtype).max, dtype)
    )
    for frame in frames_of(picture, size_px=150, amount=2, seconds=1, fps=4):
        assert frame.dtype == np.uint8 and frame.shape[2] == 3
        assert 146 <= frame.shape[1] <= 150


def test_small_pictures_are_not_enlarged() -> None:
    assert max(frames_of(scene(), size_px=4000, seconds=1, fps=2)[0].shape) <= 300


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 3)])
def test_pictures_of_every_shape_move(size: tuple[int, int]) -> None:
    picture = Picture(np.full((*size, 3), 90, np.uint8))
    frames = frames_of(picture, np.ones(size, np.float32), seconds=1, fps=2)
    assert min(frames[0].shape[:2]) >= 1


def test_empty_cutout_is_an_error_that_says_so() -> None:
    with pytest.raises(NothingSalient, match="no object was found"):
        frames_of(scene(), np.zeros(SIZE, np.float32))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"size_px": 0}, "16 to 4096 pixels, not 0"),
        ({"size_px": 10**9}, "16 to 4096 pixels"),
        ({"amount": 0}, "above 0 and at most 10, not 0"),
        ({"amount": 11}, "at most 10, not 11"),
        ({"amount": float("nan")}, "not nan"),
        ({"seconds": 0}, "seconds is a number above 0"),
        ({"fps": float("inf")}, "fps is a number above 0"),
        ({"seconds": 1e9}, "2 to 600 can be"),
        ({"seconds": 0.01}, "2 to 600 can be"),
        ({"seconds": 30, "size_px": 4096}, "give a smaller size"),
    ],
)
def test_each_mistake_has_its_sentence(choices: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        frames_of(scene(), **choices)
    assert message in str(caught.value)


def test_cutout_of_another_picture_is_refused() -> None:
    with pytest.raises(BadInput, match="give the cutout of this picture"):
        parallax(scene(), Cutout(np.full((5, 5, 4), 255, np.uint8)))


def command(*arguments: str) -> Result:
    return u2net("parallax", "-m", "u2netp", "--size", "120", *arguments)


@pytest.mark.parametrize("target", ["coffee.parallax.webp", "short.gif"])
def test_command_writes_an_animation_without_end(folder: Path, target: str) -> None:
    named = [] if target == "coffee.parallax.webp" else ["-o", target]
    assert command("coffee.jpg", "--seconds", "1", "--fps", "12", *named).return_value == 0
    with Image.open(io.BytesIO(Path(target).read_bytes())) as image:
        assert (image.n_frames, image.info["loop"]) == (12, 0)
        lasts = []
        for number in range(12):
            image.seek(number)
            image.load()
            lasts.append(image.info["duration"])
    assert sum(lasts) == 1000


def test_command_refuses_in_a_sentence_and_writes_nothing(folder: Path) -> None:
    gravel = command("gravel.jpg")
    assert (gravel.return_value, "no object was found" in gravel.stderr) == (3, True)
    assert isinstance(command("coffee.jpg", "--fps", "0").exception, BadInput)
    assert isinstance(command("coffee.jpg", "-o", "film.mp4").exception, BadInput)
    assert isinstance(command("coffee.jpg", "-o", "a.gif", "--format", "webp").exception, BadInput)
    assert isinstance(command("coffee.jpg", "-o", "a.png").exception, BadInput)
    assert sorted(path.name for path in folder.iterdir()) == ["coffee.jpg", "gravel.jpg"]
