"""Pictures that are one, saved anew, and pictures that are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.paths import EXAMPLES
from u2net import read
from u2net.datasets.near_duplicates import digest, near_duplicates, perceptual_hash


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [np.asarray(read(path).pixels, np.uint8) for path in sorted(EXAMPLES.glob("*.[jp][pn]g"))]


def found(one: list[np.ndarray], other: list[np.ndarray]) -> list[tuple[int, int]]:
    return list(
        near_duplicates(
            np.stack([perceptual_hash(each) for each in one]), np.stack([perceptual_hash(each) for each in other])
        )
    )


def test_pictures_saved_scaled_and_brightened_anew_are_found(pictures: list[np.ndarray]) -> None:
    same = [(number, number) for number in range(len(pictures))]
    assert found(pictures, pictures) == same
    halved = [cv2.resize(each, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in pictures]
    saved = [cv2.imdecode(cv2.imencode(".jpg", each, [1, 50])[1], cv2.IMREAD_COLOR) for each in pictures]
    brighter = [np.clip(each * 1.2 + 10, 0, 255).astype(np.uint8) for each in pictures]
    for changed in (halved, saved, brighter):
        assert found(pictures, changed) == same


def test_within_one_set_each_pair_comes_once(pictures: list[np.ndarray]) -> None:
    hashes = np.stack([perceptual_hash(each) for each in [*pictures, pictures[2], pictures[0]]])
    count = len(pictures)
    assert list(near_duplicates(hashes)) == [(0, count + 1), (2, count)]
    many = np.repeat(hashes[:1], 600, axis=0)  # more than one block
    assert len(list(near_duplicates(many))) == 600 * 599 // 2
    assert len(set(near_duplicates(many))) == 600 * 599 // 2
    assert list(near_duplicates(np.empty((0, 3), np.uint64))) == []


def test_hundred_photographs_are_a_hundred(reference: Path) -> None:
    paths = sorted((reference / "ecssd-100/images").iterdir())
    assert list(near_duplicates(np.stack([perceptual_hash(np.asarray(read(path).pixels)) for path in paths]))) == []


def test_digest_is_of_samples_and_shape() -> None:
    one = np.arange(12, dtype=np.uint8)
    assert digest(one.reshape(3, 4)) == digest(one.reshape(3, 4).copy())
    assert digest(one.reshape(3, 4)) != digest(one.reshape(4, 3))
    assert digest(one.reshape(3, 4)) != digest(one.reshape(3, 4) + 1)
    assert digest(np.asfortranarray(one.reshape(3, 4))) == digest(one.reshape(3, 4))
