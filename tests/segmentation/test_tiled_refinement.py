"""Refinement by tiles adds what the whole picture could not show, and believes no tile that knows less."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import u2net
from support.color_network import color_session, disc, painted
from u2net.inference.predict import Segmentation, Subject, predict, predict_box
from u2net.inference.session import Session
from u2net.segmentation import tiled_refinement
from u2net.segmentation.tiled_refinement import refine_by_tiles, tiles_of
from u2net.types import Picture

SIZE = (600, 800)


def refined(session: Session, picture: Picture, found: Segmentation) -> Subject:
    return refine_by_tiles(found.subject(), functools.partial(predict_box, session, picture))


def object_with_thin_parts() -> NDArray[np.float32]:
    """A body, and three rods that are thinner than the distance of the network's samples."""
    red = disc(SIZE, (300, 330), 120, soft_px=2)
    for column in (260, 300, 340):
        red[150:230, column : column + 5] = 1
    return red


def test_tiled_refinement_shows_thin_parts_finer() -> None:
    red = object_with_thin_parts()
    session, seen = color_session()
    first = predict(session, painted(red))
    second = refined(session, painted(red), first)
    assert 10 < seen.runs <= 15
    assert max(second.map.shape) > 3 * max(first.map.shape)
    errors = [float(((one.saliency() - red) ** 2).mean()) for one in (first, second)]
    assert errors[1] < 0.25 * errors[0]
    assert (second.saliency()[160:220, 301:304] > 0.75).all()
    assert second.saliency()[160:200, 278:284].max() < 0.05


def test_tiles_that_know_better_are_not_believed() -> None:
    """What a tile finds where the map is sure that there is nothing is not taken over, nor is what it misses inside."""
    red = disc(SIZE, (300, 330), 120, soft_px=2)

    def believe(seen: NDArray[np.float32]) -> NDArray[np.float32]:
        tile = bool((seen[0] > 0.5).any() or (seen[-1] > 0.5).any())  # cut through the object: it sees the contrary
        return 1 - seen if tile else seen

    session, _ = color_session(believe=believe)
    first = predict(session, painted(red))
    second = refined(session, painted(red), first)
    assert float(((second.saliency() - red) ** 2).mean()) <= float(((first.saliency() - red) ** 2).mean())
    far = np.hypot(*(np.mgrid[: SIZE[0], : SIZE[1]] - np.array([330, 300])[:, None, None]))
    assert second.saliency()[far > 220].max() == 0
    assert second.saliency()[far < 60].min() == 1


def test_no_object_is_not_looked_at_again() -> None:
    session, seen = color_session()
    first = predict(session, painted(np.full(SIZE, 0.3, np.float32)))
    second = refined(session, painted(np.full(SIZE, 0.3, np.float32)), first)
    assert seen.runs == 1
    assert not second.found
    np.testing.assert_array_equal(second.saliency(), first.saliency())


def test_small_pictures_get_no_tiles_smaller_than_the_network_needs() -> None:
    session, seen = color_session()
    small = painted(disc((60, 80), (40, 30), 24))
    assert refined(session, small, predict(session, small)).map.shape == (60, 80)
    assert seen.runs == 2 + 4  # the picture, the box, 2 x 2 tiles of 36 pixels; 3 x 3 would have 26


def test_alpha_and_sixteen_bits_are_looked_at_as_the_picture_is() -> None:
    red = object_with_thin_parts()
    plain = painted(red)
    deep = u2net.Picture(plain.pixels.astype(np.uint16) * 257, np.full(SIZE, 65535, np.uint16))
    results = [
        refined(session, one, predict(session, one)).map for one in (plain, deep) for session, _ in [color_session()]
    ]
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tiles_fill_the_box_and_overlap(count: int) -> None:
    box = (13, 7, 610, 444)
    tiles = tiles_of(box, count)
    covered = np.zeros((500, 700), int)
    for left, top, right, bottom in tiles:
        covered[top:bottom, left:right] += 1
    assert len(tiles) == count**2
    assert (covered[7:444, 13:610] >= 1).all()
    assert covered.sum() == covered[7:444, 13:610].sum()
    assert covered.max() == (1 if count == 1 else 4)


@pytest.mark.slow("src/u2net/inference", "src/u2net/imaging/resize.py")
def test_tiled_refinement_improves_true_alpha(reference: Path, small: Session) -> None:
    """GT19 is a gourd with a sharp edge; GT05 has a thin buckle. Measured: band errors .38 and .63 of the raw map's."""
    for name, bound in (("GT19", 0.6), ("GT05", 0.8)):
        folder = reference / "alphamatting"
        alpha = grey(folder / "alphas" / f"{name}.png") / 255
        trimap = grey(folder / "trimap1" / f"{name}.png")
        band = (trimap > 5) & (trimap < 250)
        picture = u2net.read(folder / "images" / f"{name}.png")
        maps = [u2net.saliency(picture, small, detail=detail) for detail in (False, True)]
        before, after = (float(((one - alpha)[band] ** 2).mean()) for one in maps)
        assert after < bound * before


def grey(path: Path) -> Any:
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)


def test_detail_is_asked_for_in_every_place_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("u2net.tasks.remove.refine_by_tiles", lambda subject, look: asked.append(1) or subject)
    session, _ = color_session()
    calls: list[Callable[..., Any]] = [u2net.remove, u2net.saliency]
    for call in calls:
        call(painted(disc((60, 80), (40, 30), 20)), session)
        call(painted(disc((60, 80), (40, 30), 20)), session, detail=True)
    assert len(asked) == 2
    assert sum(count**2 for count in tiled_refinement.TILINGS) == 14  # what docs and help promise
