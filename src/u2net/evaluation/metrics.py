"""How near a map comes to its truth: the measures of the field, by PySODMetrics where it has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput, MissingExtra
from u2net.system.install import install_hint

MEASURES = ("MAE", "wF", "S", "E", "F", "IoU", "relaxF")
"""What `score` can compute."""

BETA_SQUARED = 0.3
"""How much recall counts beside precision in F and relaxF; the field's value since Achanta et al., CVPR 2009."""

SLACK_PX = 3
"""How far two boundaries may lie apart and still agree, in relaxF."""

TRUTH_ABOVE = 128 / 255
"""A truth's pixel is object above this: PySODMetrics' threshold, and that of the authors' evaluation tool."""

KEYS = {
    "MAE": "mean absolute error; lower is better",
    "wF": "weighted F (Margolin et al., 2014)",
    "S": "structure measure (Fan et al., 2017)",
    "maxE": "enhanced-alignment measure (Fan et al., 2018), at its best threshold",
    "meanE": "the same, mean over 256 thresholds",
    "maxF": "F averaged over pictures, then its best threshold (PySODMetrics)",
    "meanF": "the same, mean over 256 thresholds",
    "adpF": "F at the threshold of twice the map's mean",
    "maxF_paper": "precision and recall averaged over pictures, then the best F (U²-Net's paper)",
    "IoU": "intersection over union at a half",
    "relaxF": "F of the boundaries at a half, 3 pixels allowed (U²-Net's paper)",
    "n": "pictures",
    "empty_truths": "truths without an object; counted in, with wF, F and IoU of 0",
}
"""What `summarise` gives, in this order, and what it is. β² is 0.3 in every F but wF, where it is 1."""

Curve: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """What one picture adds to the measures of a set; 8 KB.

    values: MAE, wF, S, adpF, IoU, relaxF. curves: precision, recall, F and E, each (256,): the map is cut at 255/255,
    254/255, ... 0/255 of its range, in this order. Of both, what belongs to the measures that were asked for.
    empty_truth: the truth has no object; wF, F and IoU are then 0 whatever the map, as in PySODMetrics.
    """

    values: Mapping[str, float]
    curves: Mapping[str, Curve]
    empty_truth: bool


def score(
    saliency: NDArray[Any],
    truth: NDArray[Any],
    *,
    measures: Collection[str] = MEASURES,
    truth_above: float = TRUTH_ABOVE,
) -> Scores:
    """Measure one map against its truth.

    saliency: (H, W) uint8, uint16, bool, or floating in [0, 1]. It is first spread to [0, 1] by its own minimum and
    maximum, as PySODMetrics does with every map; a constant one stays as it is.
    truth: (H, W), of the same types; the object is where it is above `truth_above`, a half.
    measures: of MEASURES; wF takes two thirds of the time of all.
    Raises BadInput for other shapes, types or values, MissingExtra without PySODMetrics.

    >>> from u2net.evaluation import score
    >>> truth = np.zeros((60, 80), bool)
    >>> truth[20:40, 30:60] = True
    >>> score(truth, truth, measures=["MAE"]).values
    {'MAE': 0.0}
    """
    sod = pysodmetrics()
    if unknown := set(measures) - set(MEASURES):
        raise BadInput(f"no measure {sorted(unknown)[0]!r}; there are {', '.join(MEASURES)}")
    if saliency.ndim != 2 or saliency.shape != truth.shape:
        raise BadInput(f"the map is {_size(saliency)}, its truth {_size(truth)}; both must be of one size")
    if saliency.size < 2:  # E divides by the number of pixels less one
        raise BadInput(f"a map of {_size(saliency)} is too small to be measured")
    mask = _fractions(truth, "truth") > truth_above
    spread = _spread(_fractions(saliency, "map"))

    values: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    if "MAE" in measures:
        values["MAE"] = _taken(sod.MAE(), spread, mask)["mae"]
    if "wF" in measures:
        values["wF"] = _taken(sod.WeightedFmeasure(), spread, mask)["wfm"]
    if "S" in measures:
        values["S"] = _taken(_structure(sod), spread, mask)["sm"]
    if "E" in measures:
        curves["E"] = _taken(sod.Emeasure(), spread, mask)["em"]["curve"]
    if "F" in measures or "IoU" in measures:
        found = _taken(sod.FmeasureV2(_handlers(sod, measures)), spread, mask)
        if "F" in measures:
            values["adpF"] = found["F"]["adaptive"]
            curves |= {name: found[name]["dynamic"] for name in ("precision", "recall", "F")}
        if "IoU" in measures:
            values["IoU"] = found["IoU"]["binary"]
    if "relaxF" in measures:
        values["relaxF"] = relaxed_boundary_f(spread > 0.5, mask)
    return Scores({name: float(value) for name, value in values.items()}, curves, empty_truth=not mask.any())


def summarise(scores: Sequence[Scores]) -> dict[str, float | int]:
    """The measures of a set of pictures, or of one: those of KEYS that its scores have.

    Means over pictures, but for these: maxF and meanF are of the mean of the pictures' F curves (PySODMetrics' way),
    maxE and meanE of that of their E curves; maxF_paper takes F from the means of precision and of recall (the way of
    the authors' table, a little higher). n: pictures; empty_truths: those of them whose truth has no object.
    Raises BadInput for none.

    >>> from u2net.evaluation import score, summarise
    >>> truth = np.eye(60, dtype=np.uint8) * 255
    >>> summarise([score(truth, truth, measures=["MAE"])])
    {'MAE': 0.0, 'n': 1, 'empty_truths': 0}
    """
    if not scores:
        raise BadInput("there are no scores to summarise")
    found: dict[str, float | int] = {
        name: float(np.mean([one.values[name] for one in scores])) for name in scores[0].values
    }
    curves = mean_curves(scores)
    for name in {"E", "F"} & set(curves):
        found |= {f"max{name}": float(curves[name].max()), f"mean{name}": float(curves[name].mean())}
    if "F" in curves:
        found["maxF_paper"] = float(f_of(curves["precision"], curves["recall"]).max())
    found |= {"n": len(scores), "empty_truths": sum(one.empty_truth for one in scores)}
    return {key: found[key] for key in KEYS if key in found}


def mean_curves(scores: Sequence[Scores]) -> dict[str, Curve]:
    """The curves of `Scores`, averaged over pictures: name -> (256,) float64. scores: at least one.

    >>> from u2net.evaluation import mean_curves, score
    >>> truth = np.eye(60, dtype=np.uint8) * 255
    >>> mean_curves([score(truth, truth, measures=["F"])])["F"].shape
    (256,)
    """
    return {name: np.mean([one.curves[name] for one in scores], axis=0) for name in scores[0].curves}


def f_of(precision: Curve, recall: Curve) -> Curve:
    """F from precision and recall, with BETA_SQUARED; 0 where both are 0."""
    weighted = BETA_SQUARED * precision + recall
    return np.divide((1 + BETA_SQUARED) * precision * recall, weighted, out=np.zeros_like(weighted), where=weighted > 0)


def relaxed_boundary_f(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """F of two masks' boundaries, where SLACK_PX of distance are allowed.

    mask, truth: (H, W) bool. A boundary is a mask without its erosion, one pixel wide; a mask that reaches the
    picture's border ends there. Precision is the share of the mask's boundary that has a pixel of the truth's within
    SLACK_PX, recall the converse. Where neither has a boundary the result is 1.
    Source: U²-Net, section 4.3, "relax boundary F-measure".
    """
    ours, theirs = _boundary(mask), _boundary(truth)
    if not ours.any() and not theirs.any():
        return 1.0
    precision, recall = _share_near(ours, theirs), _share_near(theirs, ours)
    return float(f_of(np.array([precision]), np.array([recall]))[0])


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    padded = np.pad(mask.astype(np.uint8), 1)
    inner: NDArray[np.uint8] = cv2.erode(padded, _disk(1))
    return (padded ^ inner)[1:-1, 1:-1]


def _share_near(boundary: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    near = cv2.dilate(other, _disk(SLACK_PX))[boundary > 0]
    return float(near.mean()) if near.size else 0.0


def _disk(radius_px: int) -> NDArray[np.uint8]:
    y, x = np.ogrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    disk: NDArray[np.uint8] = (x * x + y * y <= radius_px * radius_px).astype(np.uint8)
    return disk


def _fractions(values: NDArray[Any], what: str) -> NDArray[np.float64]:
    """(H, W) as float64 in [0, 1]."""
    if values.dtype in (np.uint8, np.uint16):
        return values / np.iinfo(values.dtype).max
    if values.dtype != bool and not np.issubdtype(values.dtype, np.floating):
        raise BadInput(f"expected a {what} of uint8, uint16, bool or floats, got {values.dtype}")
    fractions = values.astype(np.float64)
    if not (fractions.min() >= 0 and fractions.max() <= 1):  # NaN is neither
        raise BadInput(f"expected a {what} in [0, 1], got {fractions.min():g} to {fractions.max():g}")
    return fractions


def _spread(fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = fractions.min(), fractions.max()
    return fractions if low == high else (fractions - low) / (high - low)


def _taken(measure: Any, spread: NDArray[np.float64], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """What an accumulator of PySODMetrics says after one picture."""
    measure.step(spread, mask, normalize=False)
    results: dict[str, Any] = measure.get_results()
    return results


def _structure(sod: ModuleType) -> Any:
    """S-measure, which PySODMetrics makes NaN where the object's middle lies in the last row or column.

    It parts the picture at that point into four and weighs them by area; one without pixels counts nothing.
    """
    measure = sod.Smeasure()
    similarity = measure.ssim
    measure.ssim = lambda part, of_truth: similarity(part, of_truth) if part.size else 0.0
    return measure


def _handlers(sod: ModuleType, measures: Collection[str]) -> dict[str, Any]:
    handlers: dict[str, Any] = {}
    if "F" in measures:
        handlers["precision"] = sod.PrecisionHandler(with_dynamic=True, with_adaptive=False)
        handlers["recall"] = sod.RecallHandler(with_dynamic=True, with_adaptive=False)
        handlers["F"] = sod.FmeasureHandler(with_dynamic=True, with_adaptive=True, beta=BETA_SQUARED)
    if "IoU" in measures:
        handlers["IoU"] = sod.IOUHandler(with_dynamic=False, with_adaptive=False, with_binary=True)
    return handlers


def _size(array: NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape[::-1])) if array.ndim == 2 else f"of shape {array.shape}"


def pysodmetrics() -> ModuleType:
    """The library. Raises MissingExtra where it is not installed."""
    try:
        import py_sod_metrics
    except ImportError as error:
        raise MissingExtra(f"measuring needs PySODMetrics; {install_hint('evaluate')}") from error
    module: ModuleType = py_sod_metrics
    return module
