"""Alpha mattes against true alpha, against the formula by hand, and against pymatting's own solver."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import u2net
from u2net.errors import BadInput, MissingExtra
from u2net.inference.predict import predict
from u2net.inference.session import Session
from u2net.matting import closed_form
from u2net.matting.alpha import EDGES, Guided, matte_trimap, refine, refine_closed_form, refine_guided
from u2net.matting.guided_filter import linear_model
from u2net.system.install import install_hint

RANDOM = np.random.default_rng(5)
RIGHT = ("GT03", "GT05", "GT11", "GT17", "GT19")
"""Pictures of which u2net's map holds the right object (mean squared error below .03)."""


def disc(size: tuple[int, int] = (300, 400)) -> tuple[np.ndarray, np.ndarray]:
    """A reddish disc with one soft pixel at its rim, on blue, both a little noisy: pixels, true alpha."""
    drawn = np.zeros((4 * size[0], 4 * size[1]), np.uint8)
    cv2.circle(drawn, (2 * size[1], 2 * size[0]), int(1.2 * size[0]), 255, -1)
    alpha = cv2.resize(drawn, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colors = alpha[..., None] * (200, 60, 40) + (1 - alpha[..., None]) * (30, 80, 190)
    return np.rint(colors + RANDOM.normal(0, 2, colors.shape)).clip(0, 255).astype(np.uint8), alpha


def blurred(alpha: np.ndarray) -> np.ndarray:
    """What a network would say: a coarse map whose border lies a little beside the true one."""
    soft = cv2.GaussianBlur(np.roll(alpha, 3, axis=1), (0, 0), 6)
    return cv2.resize(soft, (100, 100), interpolation=cv2.INTER_AREA)


def whole(rows: Callable[[int, int], np.ndarray], height: int) -> np.ndarray:
    return rows(0, height)


def errors(found: np.ndarray, true: np.ndarray, where: np.ndarray) -> float:
    return float(np.square(found - true)[where].mean())


def test_linear_model_is_the_least_squares_fit_of_each_window() -> None:
    colors, values = RANDOM.random((9, 8, 3), np.float32), RANDOM.random((9, 8), np.float32)
    found = linear_model(colors, values, 1, 0.01)
    fits = np.zeros((9, 8, 4))
    padded, wanted = (np.pad(a, [(2, 2), (2, 2)] + [(0, 0)] * (a.ndim - 2), mode="reflect") for a in (colors, values))
    around = np.zeros((11, 10, 4))
    for y in range(11):
        for x in range(10):
            window = padded[y : y + 3, x : x + 3].reshape(9, 3).astype(np.float64)
            target = wanted[y : y + 3, x : x + 3].ravel()
            # Ridge regression with an unpunished offset; epsilon counts per pixel of the window.
            centred = window - window.mean(0)
            slope = np.linalg.solve(centred.T @ centred + 9 * 0.01 * np.eye(3), centred.T @ (target - target.mean()))
            around[y, x] = [*slope, target.mean() - slope @ window.mean(0)]
    for y in range(9):
        for x in range(8):
            fits[y, x] = around[y : y + 3, x : x + 3].reshape(9, 4).mean(0)
    inner = slice(1, -1), slice(1, -1)  # at the border the windows beyond it are mirrored models, not mirrored pixels
    np.testing.assert_allclose(found[inner], fits[inner], atol=2e-4)


def test_grey_picture_has_no_rounding_trouble() -> None:
    grey = np.repeat(RANDOM.random((60, 60, 1), np.float32), 3, axis=2)
    model = linear_model(grey, grey[..., 0], 4, 1e-5)
    fitted = (model[..., :3] * grey).sum(2) + model[..., 3]
    np.testing.assert_allclose(fitted, grey[..., 0], atol=2e-3)


@pytest.mark.parametrize("edges", ["auto", "sharp", "hair"])
def test_soft_and_shifted_map_is_brought_to_the_true_edge(edges: Any) -> None:
    if edges == "hair":
        pytest.importorskip("pymatting", reason="needs the extra matting")
    pixels, alpha = disc()
    saliency = blurred(alpha)
    raw = whole(refine(pixels, saliency, "none"), 300)
    band = cv2.dilate(((raw > 0.02) & (raw < 0.98)).astype(np.uint8), np.ones((9, 9))) > 0
    found = whole(refine(pixels, saliency, edges), 300)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert errors(found, alpha, band) < 0.1 * errors(raw, alpha, band)


def test_none_is_the_map_enlarged() -> None:
    pixels, alpha = disc()
    saliency = blurred(alpha)
    np.testing.assert_allclose(
        whole(refine(pixels, saliency, "none"), 300), cv2.resize(saliency, (400, 300)), atol=1e-6
    )


def test_matte_is_the_same_in_rows_and_at_once() -> None:
    pixels, alpha = disc()
    rows = refine(pixels, blurred(alpha), "auto")
    pieces = np.vstack([rows(top, min(top + 37, 300)) for top in range(0, 300, 37)])
    np.testing.assert_allclose(pieces, rows(0, 300), atol=2e-2)  # positions count in 32nds of a small pixel
    assert np.abs(pieces - rows(0, 300)).mean() < 1e-4


def test_sixteen_bit_pixels_give_the_matte_of_the_eight_bit_ones() -> None:
    pixels, alpha = disc()
    deep = pixels.astype(np.uint16) * 257
    for edges in ("auto", "soft"):
        eight, sixteen = (whole(refine(p, blurred(alpha), edges), 300) for p in (pixels, deep))
        np.testing.assert_allclose(sixteen, eight, atol=0.02)


def test_decided_places_stay_exactly_empty_and_opaque() -> None:
    pixels, alpha = disc()
    saliency = blurred(alpha)
    found = whole(refine(pixels, saliency, "auto"), 300)
    far = cv2.distanceTransform((np.abs(alpha - 0.5) == 0.5).astype(np.uint8), cv2.DIST_L2, 5) > 90
    assert far.any()
    np.testing.assert_array_equal(found[far], np.rint(alpha[far]))
    faint = np.full((320, 320), np.float32(0.015))
    faint[100:200, 100:200] = 0.99
    assert set(np.unique(whole(refine(np.full((320, 320, 3), 9, np.uint8), faint, "auto"), 320)[[0, 150], 150])) == {
        0,
        1,
    }


def test_sharp_edge_is_narrower_than_autos() -> None:
    pixels, alpha = disc()
    widths = [
        ((found > 0.05) & (found < 0.95)).sum()
        for found in (whole(refine(pixels, blurred(alpha), edges), 300) for edges in ("auto", "sharp"))
    ]
    assert widths[1] < 0.8 * widths[0]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_pictures_of_a_few_pixels(size: tuple[int, int]) -> None:
    saliency = np.zeros((320, 320), np.float32)
    saliency[:, 160:] = 0.7
    for edges in EDGES:
        if edges == "hair":
            pytest.importorskip("pymatting", reason="needs the extra matting")
        found = whole(refine(np.full((*size, 3), 9, np.uint8), saliency, edges), size[0])
        assert found.shape == size
        assert np.isfinite(found).all()


def test_edges_with_another_name_are_refused() -> None:
    with pytest.raises(BadInput, match="choose one of auto, soft, sharp, hair, none"):
        refine(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32), "crisp")  # type: ignore[arg-type]


def test_closed_form_is_pymattings_where_nothing_is_made_smaller() -> None:
    pymatting = pytest.importorskip("pymatting", reason="needs the extra matting")
    pixels, alpha = disc((90, 120))
    border = cv2.dilate(((alpha > 0) & (alpha < 1)).astype(np.uint8), np.ones((7, 7))) > 0
    trimap = np.where(border, 0.5, np.rint(alpha)).astype(np.float32)
    expected = pymatting.estimate_alpha_cf(pixels / 255, trimap.astype(np.float64))
    found = closed_form.solve(pixels.astype(np.float32) / 255, trimap, 1e-7)
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_closed_form_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pymatting", reason="needs the extra matting")
    pixels, alpha = disc()
    whole(refine_closed_form(pixels, blurred(alpha)), 300)
    assert capfd.readouterr().out == ""


def test_picture_that_is_larger_is_not_solved_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pymatting", reason="needs the extra matting")
    solved: list[int] = []

    def spy(colors: Any, trimap: np.ndarray, tolerance: float) -> np.ndarray | None:
        solved.append(int((trimap == 0.5).sum()))
        return closed_form.solve(colors, trimap, tolerance)

    monkeypatch.setattr("u2net.matting.alpha.solve", spy)
    pixels, alpha = disc((1800, 2400))
    found = whole(refine_closed_form(pixels, blurred(alpha)), 1800)
    assert solved and max(solved) <= 1.2 * EDGES["hair"].max_unknown_px  # type: ignore[union-attr]
    assert np.abs(found - alpha).mean() < 0.01


def test_solver_without_a_solution_falls_back_to_the_guided_filter_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pymatting = pytest.importorskip("pymatting", reason="needs the extra matting")

    def diverging(*_: Any, **__: Any) -> None:
        raise ValueError("did not converge within 10000 iterations")

    monkeypatch.setattr(pymatting, "cg", diverging)
    pixels, alpha = disc()
    found = whole(refine_closed_form(pixels, blurred(alpha)), 300)
    assert np.abs(found - alpha).mean() < 0.02
    assert "no solution: did not converge" in caplog.text


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_trimap_without_both_sides_stays_as_it_is(value: float) -> None:
    trimap = np.full((30, 40), np.float32(value))
    np.testing.assert_array_equal(whole(matte_trimap(np.zeros((30, 40, 3), np.uint8), trimap), 30), trimap)


def test_hair_without_pymatting_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pymatting"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "pymatting", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    pixels, alpha = disc()
    with pytest.raises(MissingExtra, match=re.escape(install_hint("matting"))):
        refine(pixels, blurred(alpha), "hair")


def truths(
    reference: Path, session: Session
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """(pixels, coarse map, true alpha, unknown band, trimap) of the pictures whose map is right."""
    found = []
    folder = reference / "alphamatting"
    for name in RIGHT:
        picture = u2net.read(folder / "images" / f"{name}.png")
        alpha = cv2.imread(str(folder / "alphas" / f"{name}.png"), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        levels = cv2.imread(str(folder / "trimap1" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        trimap = np.where(levels == 0, 0, np.where(levels == 255, 1, 0.5)).astype(np.float32)
        found.append((picture.pixels, predict(session, picture).coarse(), alpha, trimap == 0.5, trimap))
    return found


def test_real_mattes_are_nearer_to_the_truth(reference: Path, session_of: Callable[[str], Session]) -> None:
    """auto: band error at most .80 of the raw map's, no picture worse. hair: at most rembg -a's .024 and .0047."""
    pytest.importorskip("pymatting", reason="needs the extra matting")
    bands: dict[str, list[float]] = {"none": [], "auto": [], "hair": []}
    wholes: dict[str, list[float]] = {"none": [], "auto": [], "hair": []}
    for pixels, saliency, alpha, band, _ in truths(reference, session_of("u2net")):
        for edges in bands:
            found = whole(refine(pixels, saliency, edges), pixels.shape[0])  # type: ignore[arg-type]
            bands[edges].append(errors(found, alpha, band))
            wholes[edges].append(errors(found, alpha, np.ones_like(band)))
    assert np.mean(bands["auto"]) < 0.80 * np.mean(bands["none"])
    assert all(auto < raw for auto, raw in zip(bands["auto"], bands["none"], strict=True))
    assert np.mean(bands["hair"]) < 0.024
    assert np.mean(wholes["hair"]) < 0.0047


def test_true_trimap_gives_nearly_pymattings_error(reference: Path, session_of: Callable[[str], Session]) -> None:
    """pymatting's closed form on these five pictures: mean squared error of the unknown pixels .0096."""
    pytest.importorskip("pymatting", reason="needs the extra matting")
    found = [
        errors(whole(matte_trimap(pixels, trimap), pixels.shape[0]), alpha, band)
        for pixels, _, alpha, band, trimap in truths(reference, session_of("u2net"))
    ]
    assert np.mean(found) < 1.15 * 0.0097


def test_more_contrast_is_a_parameter_not_another_filter() -> None:
    pixels, alpha = disc()
    saliency = blurred(alpha)
    plain = whole(refine_guided(pixels, saliency, Guided(contrast=1)), 300)
    hard = whole(refine_guided(pixels, saliency, Guided(contrast=3)), 300)
    np.testing.assert_allclose(hard, np.clip((plain - 0.5) * 3 + 0.5, 0, 1), atol=1e-5)


@pytest.mark.slow("src/u2net/inference", "src/u2net/imaging/resize.py")
def test_auto_is_no_worse_than_the_map_on_photographs(reference: Path, session_of: Callable[[str], Session]) -> None:
    """Where colors do not tell object and background apart the map stays: no smoke around the object. Every fourth
    picture of ECSSD's hundred; its truths are hard masks, so that every softness counts as an error."""
    session = session_of("u2net")
    off: dict[str, list[float]] = {"none": [], "auto": []}
    for image in sorted((reference / "ecssd-100" / "images").iterdir())[::4]:
        picture = u2net.read(image)
        saliency = predict(session, picture).coarse()
        truth = u2net.read(reference / "ecssd-100" / "truths" / f"{image.stem}.png").pixels[..., 0] > 128
        for edges, values in off.items():
            values.append(float(np.abs(whole(refine(picture.pixels, saliency, edges), truth.shape[0]) - truth).mean()))  # type: ignore[arg-type]
    assert np.mean(off["auto"]) < 1.02 * np.mean(off["none"])


def test_noise_that_tells_nothing_leaves_the_map_alone() -> None:
    _, alpha = disc()
    noise = RANDOM.integers(0, 256, (300, 400, 3)).astype(np.uint8)
    saliency = blurred(alpha)
    raw = whole(refine(noise, saliency, "none"), 300)
    found = whole(refine(noise, saliency, "auto"), 300)
    believing = Guided(trust=(-99.0, -98.0))
    wrong = whole(refine_guided(noise, saliency, believing), 300)
    steepened = np.clip((raw - 0.5) * believing.contrast + 0.5, 0, 1)
    assert np.abs(found - steepened).mean() < 0.5 * np.abs(wrong - steepened).mean()


def test_hair_keeps_an_object_that_is_thinner_than_the_band() -> None:
    pytest.importorskip("pymatting", reason="needs the extra matting")
    alpha = np.zeros((400, 400), np.float32)
    alpha[50:350, 196:204] = 1  # a pole of 8 pixels, the band is 6 on each side
    saliency = cv2.GaussianBlur(alpha, (0, 0), 1)
    pixels = np.rint(alpha[..., None] * (200, 60, 40) + (1 - alpha[..., None]) * (30, 80, 190)).astype(np.uint8)
    found = whole(refine(pixels, cv2.resize(saliency, (320, 320), interpolation=cv2.INTER_AREA), "hair"), 400)
    assert found[100:300, 198:202].min() > 0.9
    assert found[:, :180].max() < 0.1


def test_hidden_colors_do_not_change_the_edges(small: Session) -> None:
    pixels, alpha = disc()
    own = np.where(cv2.dilate((alpha > 0).astype(np.uint8), np.ones((3, 3))) > 0, 255, 0).astype(np.uint8)
    hidden = pixels.copy()
    hidden[own == 0] = RANDOM.integers(0, 256, (int((own == 0).sum()), 3))
    plain, noisy = (u2net.remove(u2net.Picture(each, own), small).pixels for each in (pixels, hidden))
    np.testing.assert_array_equal(plain, noisy)


@pytest.mark.parametrize("edges", ["auto", "sharp"])
def test_there_is_no_seam_between_tiles_and_blocks_of_rows(edges: Any) -> None:
    saliency = np.zeros((100, 320), np.float32)
    saliency[:, 160:] = 0.6  # everywhere the same; and one spot that makes only the first tile work
    saliency[40:60, 20:40] = RANDOM.random((20, 20))
    pixels = RANDOM.integers(100, 110, (300, 1600, 3)).astype(np.uint8)
    rows = refine(pixels, saliency, edges)
    found = rows(0, 300)
    assert np.abs(np.diff(found[:, 1000:1100], axis=1)).max() < 0.05  # 1024 is where a tile begins
    np.testing.assert_allclose(np.vstack([rows(0, 90), rows(90, 300)]), found, atol=0.04)


def test_panorama_keeps_the_rows_of_its_map() -> None:
    pixels, alpha = disc((100, 1000))
    saliency = cv2.resize(cv2.GaussianBlur(alpha, (0, 0), 2), (320, 320), interpolation=cv2.INTER_AREA)
    raw, found = (whole(refine(pixels, saliency, edges), 100) for edges in ("none", "auto"))
    assert np.square(found - alpha).mean() < np.square(raw - alpha).mean()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 1), np.float32),
        np.full((4, 4), np.nan, np.float32),
        np.full((4, 4), 255, np.float32),
        np.full((4, 4), -1, np.float32),
    ],
)
def test_map_that_is_none_is_refused_at_the_door(wrong: np.ndarray) -> None:
    for function in (refine, matte_trimap):
        with pytest.raises(BadInput, match=r"\[0, 1\]"):
            function(np.zeros((8, 8, 3), np.uint8), wrong)


def test_map_of_doubles_is_taken() -> None:
    pixels, alpha = disc()
    single, double = (whole(refine(pixels, blurred(alpha).astype(kind)), 300) for kind in (np.float32, np.float64))
    np.testing.assert_allclose(single, double, atol=1e-6)


def test_few_unknown_pixels_far_apart_are_not_solved_at_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def spy(colors: Any, trimap: np.ndarray, tolerance: float) -> np.ndarray:
        sizes.append(trimap.size)
        return trimap

    monkeypatch.setattr("u2net.matting.alpha.solve", spy)
    trimap = np.zeros((2000, 3000), np.float32)
    trimap[:, 1500:] = 1
    trimap[10:14, 10:40] = trimap[-14:-10, -40:-10] = 0.5
    assert whole(matte_trimap(np.zeros((2000, 3000, 3), np.uint8), trimap), 5).shape == (5, 3000)
    assert max(sizes) <= 510_000
