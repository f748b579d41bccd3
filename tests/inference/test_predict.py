"""What the network said, and what is to be cut out of it: the same maps, of which the second can be replaced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import u2net
from support.color_network import color_session, disc, painted
from u2net.inference.predict import Prediction, predict, predict_box

SIZE = (64, 64)
LARGE = disc(SIZE, (20, 22), 14)
SMALL = disc(SIZE, (48, 46), 8)


def test_subject_of_a_prediction_gives_the_same_maps() -> None:
    session, _ = color_session((48, 32), believe=lambda red: 0.1 + 0.7 * red)
    given = predict(session, painted(np.maximum(LARGE, SMALL)[:50]))
    subject = given.subject()
    assert given.confidence == pytest.approx(0.8)
    assert (subject.confidence, subject.scale) == (given.confidence, given.confidence)
    assert (given.map.min(), subject.map.min(), subject.map.max()) == (np.float32(0.1), 0, 1)
    np.testing.assert_array_equal(subject.saliency(), given.saliency())
    np.testing.assert_array_equal(subject.published_map(), given.published_map())
    np.testing.assert_array_equal(subject.subject().map, subject.map)


def test_confidence_of_a_subject_sinks_with_its_map() -> None:
    session, _ = color_session(believe=lambda red: 0.8 * red)
    subject = predict(session, painted(LARGE)).subject()
    half = replace(subject, map=subject.map * np.float32(0.5))
    assert half.confidence == pytest.approx(0.4)
    assert (subject.found, half.found) == (True, False)
    assert not replace(subject, map=np.zeros_like(subject.map)).subject().found


def test_map_of_a_subject_has_no_letterbox_and_may_be_finer_than_the_network() -> None:
    spec = u2net.ModelSpec("x", "x", size=(64, 64), fit="letterbox")
    padded = np.zeros((64, 64), np.float32)
    padded[16:48] = 1
    subject = Prediction(padded, (50, 100), spec).subject()
    assert subject.map.shape == (32, 64)
    np.testing.assert_array_equal(subject.saliency(), np.ones((50, 100), np.float32))
    fine = replace(subject, map=disc((50, 100), (60, 20), 12))
    np.testing.assert_array_equal(fine.saliency(), fine.map)


def test_probabilities_are_those_before_the_map_was_stretched() -> None:
    session, _ = color_session(believe=lambda red: 0.2 + 0.6 * red)
    given = predict(session, painted(LARGE))
    np.testing.assert_array_equal(given.probabilities, given.map)
    assert given.subject().probabilities.max() == pytest.approx(0.8)
    lower = given.map * np.float32(0.9)
    assert given.with_probabilities(lower).confidence == pytest.approx(0.72)
    np.testing.assert_allclose(given.with_probabilities(lower).coarse(), given.coarse(), atol=1e-6)  # stretched anew
    subject = given.subject().with_probabilities(lower)
    assert subject.confidence == pytest.approx(0.72)
    np.testing.assert_allclose(subject.map, lower / 0.8, rtol=1e-6)


def test_box_is_looked_at_as_a_picture_of_its_own() -> None:
    session, _ = color_session()
    picture = painted(np.maximum(LARGE, 0.6 * SMALL))
    subject = predict_box(session, picture, (36, 34, 60, 58))
    alone = predict(session, u2net.Picture(picture.pixels[34:58, 36:60]))
    assert (subject.size, subject.confidence) == ((24, 24), alone.confidence)
    np.testing.assert_array_equal(subject.map, alone.coarse())
