"""Maps over time: still things do not flicker, moving ones do not drag behind, a cut begins anew."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from support.paths import EXAMPLES
from u2net.inference.predict import Prediction, Segmentation
from u2net.io.read import read
from u2net.models.registry import MODELS
from u2net.types import Picture
from u2net.video.animation import Animation, Frame
from u2net.video.remove_animation import found_frames
from u2net.video.temporal_smoothing import REACH, is_scene_change, smooth, thumbnail, unchanged

COFFEE = read(EXAMPLES / "coffee.jpg").pixels
SIZE = (270, 480)


def disc(x: float, side: int = 320) -> NDArray[np.float32]:
    """A map of a round object at x of 0 to 1, soft over some cells."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    distance = np.hypot(rows - side / 2, columns - x * side)
    return np.clip((side / 8 - distance) / 4 + 0.5, 0, 1).astype(np.float32)


def scene(x: float) -> NDArray[np.uint8]:
    """A white disc before grey."""
    pixels = np.full((*SIZE, 3), 90, np.uint8)
    axes = (round(SIZE[1] / 8), round(SIZE[0] / 8))
    cv2.ellipse(pixels, (round(x * SIZE[1]), SIZE[0] // 2), axes, 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
    return pixels


def flicker(maps: list[NDArray[np.float32]]) -> float:
    return float(np.mean([np.abs(b - a).mean() for a, b in pairwise(maps)]))


def test_noise_of_a_still_sequence_flickers_a_seventh_as_much() -> None:
    rng = np.random.default_rng(1)
    noisy = [disc(0.5) + rng.normal(0, 0.1, (320, 320)).astype(np.float32) for _ in range(30)]
    grain = [np.clip(scene(0.5) + rng.normal(0, 5, (*SIZE, 3)), 0, 255).astype(np.uint8) for _ in range(30)]
    thumbnails = [thumbnail(pixels) for pixels in grain]
    windows = [range(max(0, at - REACH), min(30, at + REACH + 1)) for at in range(REACH, 30 - REACH)]
    smoothed = [smooth([noisy[n] for n in window], [thumbnails[n] for n in window], REACH) for window in windows]
    # An average of seven changes by a seventh of what one map changes; some weights are a little below one.
    assert flicker(smoothed) < flicker(noisy) / 6


def test_moving_object_does_not_drag_behind() -> None:
    places = [0.3 + 0.03 * step for step in range(7)]
    maps, thumbnails = [disc(x) for x in places], [thumbnail(scene(x)) for x in places]
    smoothed = smooth(maps, thumbnails, 3)
    assert np.abs(smoothed - maps[3]).max() < 0.1
    plain_mean = np.mean(maps, axis=0)
    assert np.abs(plain_mean - maps[3]).max() > 0.6  # which is what a ghost would be


def test_unchanged_pictures_are_told_from_changed_ones() -> None:
    still, moved = thumbnail(scene(0.5)), thumbnail(scene(0.55))
    assert unchanged(still, still).min() == 1
    differs = unchanged(still, moved)
    assert differs.min() == 0
    assert differs[:, 0].min() == 1


def test_cut_is_another_scene_and_movement_is_none() -> None:
    rocket = cv2.resize(read(EXAMPLES / "rocket.jpg").pixels, SIZE[::-1])
    coffee = cv2.resize(COFFEE, SIZE[::-1])
    assert is_scene_change(thumbnail(coffee), thumbnail(rocket))
    moved = np.roll(coffee, 6, axis=1)
    assert not is_scene_change(thumbnail(coffee), thumbnail(moved))


class _Reel(Animation):
    """An animation of frames that are there already."""

    def frames(self):  # type: ignore[no-untyped-def]
        return iter(self.given)  # type: ignore[attr-defined]


def reel(pictures: list[NDArray[np.uint8]]) -> Animation:
    made = object.__new__(_Reel)
    object.__setattr__(made, "given", [Frame(Picture(pixels), 40) for pixels in pictures])
    return made


def test_every_frame_comes_out_once_and_in_order_and_a_cut_mixes_nothing() -> None:
    light, dark = np.full((*SIZE, 3), 240, np.uint8), np.full((*SIZE, 3), 10, np.uint8)
    pictures = [light] * 5 + [dark] * 5

    def find(picture: Picture) -> Prediction:
        value = 0.9 if picture.pixels[0, 0, 0] == 240 else 0.2
        return Prediction(np.full((320, 320), value, np.float32), picture.size, MODELS["u2netp"])

    found = list(found_frames(reel(pictures), find))
    assert [one.frame.picture.pixels[0, 0, 0] for one in found] == [240] * 5 + [10] * 5
    np.testing.assert_allclose([one.segmentation.confidence for one in found], [0.9] * 5 + [0.2] * 5, atol=1e-6)


def test_object_that_is_missed_in_one_frame_of_a_still_scene_is_found() -> None:
    numbers = iter(range(9))

    def find(picture: Picture) -> Prediction:
        value = 0.3 if next(numbers) == 4 else 0.9
        return Prediction(np.full((320, 320), value, np.float32), picture.size, MODELS["u2netp"])

    assert all(one.segmentation.found for one in found_frames(reel([COFFEE] * 9), find))
    numbers = iter(range(9))
    assert not all(one.segmentation.found for one in found_frames(reel([COFFEE] * 9), find, steady=False))


def test_subjects_are_averaged_by_their_probabilities() -> None:
    """What was chosen in a frame is stretched already; how sure the network was of it still counts."""
    sure = iter([0.6] + [0.9] * 6)

    def find(picture: Picture) -> Segmentation:
        return Prediction(disc(0.5) * np.float32(next(sure)), picture.size, MODELS["u2netp"]).subject()

    first = next(found_frames(reel([COFFEE] * 7), find)).segmentation
    mean = (0.6 + 3 * 0.9) / 4  # of itself and the three that follow
    np.testing.assert_allclose(first.probabilities, disc(0.5) * np.float32(mean), atol=1e-6)
    assert first.confidence == pytest.approx(mean)
    assert first.coarse().max() == 1
