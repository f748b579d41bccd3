"""Measures: PySODMetrics' own accumulators, formulas by hand, and what maps and truths may be."""

from __future__ import annotations

import pickle
import re
import sys
import warnings

import numpy as np
import pytest

from u2net.errors import BadInput, MissingExtra
from u2net.evaluation.metrics import KEYS, MEASURES, Scores, f_of, relaxed_boundary_f, score, summarise
from u2net.system.install import install_hint

sod = pytest.importorskip("py_sod_metrics")

HEIGHT, WIDTH = 40, 60


def square(top: int = 10, bottom: int = 30, left: int = 20, right: int = 45) -> np.ndarray:
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[top:bottom, left:right] = 255
    return truth


def one(saliency: np.ndarray, truth: np.ndarray) -> dict[str, float | int]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return summarise([score(saliency, truth)])


@pytest.fixture(scope="module")
def pictures() -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps that miss their truths in many ways; some truths graded, one of them empty."""
    random = np.random.default_rng(4)
    pairs = []
    for number in range(12):
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        distance = np.hypot(y - random.uniform(5, 35), x - random.uniform(5, 55)) - random.uniform(4, 18)
        truth = np.clip(127 - distance * random.choice([4, 400]), 0, 255).astype(np.uint8)
        noise = random.normal(0, random.uniform(1, 60), truth.shape)
        saliency = np.clip(np.roll(truth, number - 5, axis=1) * random.uniform(0.3, 1) + noise, 0, 255).astype(np.uint8)
        pairs.append((saliency, truth if number != 7 else np.zeros_like(truth)))
    return pairs


@pytest.mark.filterwarnings("ignore:This class will be removed")
def test_measures_are_those_of_pysodmetrics(pictures: list[tuple[np.ndarray, np.ndarray]]) -> None:
    mae, weighted, structure, alignment, f = (
        sod.MAE(), sod.WeightedFmeasure(), sod.Smeasure(), sod.Emeasure(), sod.Fmeasure(),
    )  # fmt: skip
    for saliency, truth in pictures:
        for measure in (mae, weighted, structure, alignment, f):
            measure.step(saliency, truth)
    alignments, fs = alignment.get_results()["em"]["curve"], f.get_results()["fm"]
    precision, recall = f.get_results()["pr"].values()
    expected = {
        "MAE": mae.get_results()["mae"],
        "wF": weighted.get_results()["wfm"],
        "S": structure.get_results()["sm"],
        "maxE": alignments.max(),
        "meanE": alignments.mean(),
        "maxF": fs["curve"].max(),
        "meanF": fs["curve"].mean(),
        "adpF": fs["adp"],
        "maxF_paper": (1.3 * precision * recall / (0.3 * precision + recall)).max(),
        "n": 12,
        "empty_truths": 1,
    }
    found = summarise([score(*pair) for pair in pictures])
    assert list(found) == list(KEYS)
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-12)


def test_iou_is_the_share_of_the_union_at_a_half(pictures: list[tuple[np.ndarray, np.ndarray]]) -> None:
    expected = []
    for saliency, truth in pictures:
        stretched = (saliency - saliency.min()) / np.ptp(saliency)
        mask, of_truth = stretched > 0.5, truth > 128
        expected.append((mask & of_truth).sum() / (mask | of_truth).sum())
    assert summarise([score(*pair) for pair in pictures])["IoU"] == pytest.approx(np.mean(expected), abs=1e-12)


def test_perfect_map_has_perfect_scores() -> None:
    found = one(square(), square())
    size = HEIGHT * WIDTH
    # E divides by the number of pixels less one, and at threshold 0 the whole picture is object.
    expected = {"MAE": 0, "wF": 1, "S": 1, "maxE": size / (size - 1), "maxF": 1, "adpF": 1, "maxF_paper": 1}
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    assert (found["IoU"], found["relaxF"], found["n"], found["empty_truths"]) == (1, 1, 1, 0)


def test_inverted_map_is_all_wrong() -> None:
    found = one(255 - square(), square())
    covered = 20 * 25 / (HEIGHT * WIDTH)
    assert found["MAE"] == 1
    assert found["IoU"] == 0
    assert found["wF"] == pytest.approx(0, abs=1e-9)
    # Only with the whole picture as object is anything of the truth met: precision is then its share, recall 1.
    assert found["maxF"] == pytest.approx(1.3 * covered / (0.3 * covered + 1))


def test_empty_truth_counts_and_has_no_f() -> None:
    saliency = np.zeros((HEIGHT, WIDTH), np.uint8)
    saliency[:10] = 255
    found = one(saliency, np.zeros_like(saliency))
    assert found["empty_truths"] == 1
    assert (found["wF"], found["maxF"], found["adpF"], found["IoU"], found["relaxF"]) == (0, 0, 0, 0, 0)
    assert found["MAE"] == 0.25
    assert found["S"] == 0.75
    black = one(np.zeros_like(saliency), np.zeros_like(saliency))
    assert (black["MAE"], black["S"], black["relaxF"], black["maxF"]) == (0, 1, 1, 0)


def test_truth_that_fills_the_picture() -> None:
    white = np.full((HEIGHT, WIDTH), 255, np.uint8)
    found = one(white, white)
    assert (found["MAE"], found["S"], found["maxF"], found["IoU"], found["relaxF"]) == (0, 1, 1, 1, 1)
    assert found["wF"] == pytest.approx(1)
    assert one(np.zeros_like(white), white)["MAE"] == 1


def test_constant_map_is_not_stretched() -> None:
    assert one(np.full((HEIGHT, WIDTH), 51, np.uint8), square())["MAE"] == pytest.approx(
        (0.8 * 500 + 0.2 * 1900) / 2400
    )


def test_map_is_spread_to_its_own_range() -> None:
    assert one((square() // 5 + 20).astype(np.uint8), square())["MAE"] == pytest.approx(0, abs=1e-12)


def test_graded_truth_is_cut_at_a_half() -> None:
    graded = np.zeros((HEIGHT, WIDTH), np.uint8)
    graded[10:30, 20:45] = np.linspace(0, 255, 25)[None].astype(np.uint8)
    cut = np.where(graded > 128, 255, 0).astype(np.uint8)
    assert one(square(), graded) == one(square(), cut)


@pytest.mark.parametrize("edge", [np.s_[-1:, :], np.s_[:, -1:], np.s_[-1:, -1:], np.s_[:1, :1]])
def test_object_at_the_edge_has_a_number(edge: tuple[slice, slice]) -> None:
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[edge] = 255
    found = one(truth, truth)
    assert np.isfinite(list(found.values())).all()
    assert found["S"] == pytest.approx(1)


def test_types_of_map_and_truth_do_not_matter() -> None:
    saliency, truth = (square() * 0.8).astype(np.uint8), square(12, 33)
    expected = one(saliency, truth)
    for other in (
        (saliency / 255, truth > 0),
        ((saliency / 255).astype(np.float32), (truth / 255).astype(np.float32)),
        (saliency.astype(np.uint16) * 257, truth.astype(np.uint16) * 257),
    ):
        assert one(*other) == pytest.approx(expected, abs=1e-6)


def boundary_f_by_hand(mask: np.ndarray, truth: np.ndarray) -> float:
    def boundary(one: np.ndarray) -> list[tuple[int, int]]:
        inside = set(map(tuple, np.argwhere(one).tolist()))
        return [(y, x) for y, x in inside if not {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)} <= inside]

    def share(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> float:
        return np.mean([any((y - v) ** 2 + (x - u) ** 2 <= 9 for v, u in others) for y, x in some])

    precision, recall = (
        share(boundary(mask), boundary(truth)),
        share(boundary(truth), boundary(mask)),
    )
    return 1.3 * precision * recall / (0.3 * precision + recall)


@pytest.mark.parametrize(
    "mask", [square(12, 33, 17, 40), square(0, 40, 0, 22), square(10, 31, 24, 45)], ids=["moved", "to the edge", "cut"]
)
def test_relaxed_boundary_f_by_hand(mask: np.ndarray) -> None:
    expected = boundary_f_by_hand(mask > 0, square() > 0)
    assert 0 < expected < 1
    assert relaxed_boundary_f(mask > 0, square() > 0) == pytest.approx(expected)


def test_boundary_may_be_three_pixels_away_not_four() -> None:
    truth = square(10, 30, 10, 30) > 0
    assert relaxed_boundary_f(np.roll(truth, 3, axis=1), truth) == 1
    assert relaxed_boundary_f(np.roll(truth, 4, axis=1), truth) < 1


def test_f_of_nothing_is_nothing() -> None:
    assert f_of(np.zeros(2), np.array([0.0, 1.0])).tolist() == [0, 0]


def test_only_the_measures_asked_for() -> None:
    asked = ("MAE", "F", "S", "E")
    quick, whole = score(square(), square(12, 33), measures=asked), score(square(), square(12, 33))
    found = summarise([quick, quick])
    assert list(found) == [key for key in KEYS if key not in ("wF", "IoU", "relaxF")]
    assert found == {**{key: summarise([whole])[key] for key in found}, "n": 2}
    for measure in MEASURES:
        assert "n" in summarise([score(square(), square(), measures=[measure])])


def test_scores_are_small_and_travel() -> None:
    scores = score(square(), square(12, 33))
    packed = pickle.dumps(scores)
    assert len(packed) < 10_000
    again = pickle.loads(packed)
    assert isinstance(again, Scores) and summarise([again]) == summarise([scores])


@pytest.mark.parametrize(
    ("saliency", "truth", "message"),
    [
        (square()[:, :-1], square(), "the map is 59 x 40, its truth 60 x 40; both must be of one size"),
        (np.stack([square()] * 3, -1), square(), "the map is of shape (40, 60, 3), its truth 60 x 40"),
        (square()[:0], square()[:0], "a map of 60 x 0 is too small to be measured"),
        (square()[:1, :1], square()[:1, :1], "a map of 1 x 1 is too small to be measured"),
        (square() / 128, square(), "expected a map in [0, 1], got 0 to 1.99219"),
        (np.full((HEIGHT, WIDTH), np.nan), square(), "expected a map in [0, 1], got nan to nan"),
        (square(), square().astype(np.int64), "expected a truth of uint8, uint16, bool or floats, got int64"),
    ],
)
def test_what_cannot_be_measured_is_said(saliency: np.ndarray, truth: np.ndarray, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        score(saliency, truth)
    assert message in str(caught.value)


def test_unknown_measure_and_empty_set_are_said() -> None:
    with pytest.raises(BadInput, match="no measure 'maxF'; there are MAE, wF, S"):
        score(square(), square(), measures=["maxF"])
    with pytest.raises(BadInput, match="no scores"):
        summarise([])


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py_sod_metrics", None)
    with pytest.raises(MissingExtra, match=re.escape(install_hint("evaluate"))) as caught:
        score(square(), square())
    assert caught.value.exit_code == 5
