"""Measure what `--detail` brings: true alpha at edges and thin parts, and masks of salient objects.

    python benchmarks/detail.py --data "$U2NET_TEST_DATA" --output benchmarks/results/detail.json

--data: a folder that holds `alphamatting` and `ecssd-100`. Measured are, in f32, the maps, and what `--edges auto`
makes of them: mean squared error of alpha over the picture and over the trimap's unknown band, on the pictures where
the raw map has the right object (MSE below .03) and on the others apart; the same with each object on a plain
background of three times the side; MAE, weighted F and boundary F on ecssd-100; seconds and runs of the network a
picture. Beside what is shipped, other ways to merge the same looks. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import record

import u2net
from u2net.evaluation.metrics import score, summarise
from u2net.inference.predict import Prediction, Subject, predict, predict_box
from u2net.inference.session import Session
from u2net.matting.alpha import refine
from u2net.segmentation import merge_views, tiled_refinement
from u2net.types import Box, Picture

RIGHT_BELOW = 0.03
BAND_PX = 10
LARGER = 3
MEASURES = ("MAE", "wF", "relaxF")


def everything_believed(view: Any, blurred: Any, cells: tuple[slice, slice], size: Any) -> Any:
    return np.ones_like(blurred[cells])


BELIEVED = (merge_views, "_belief", everything_believed)
WAYS: dict[str, list[tuple[Any, str, Any]]] = {
    "shipped": [],
    "the box alone": [(tiled_refinement, "TILINGS", (1,))],
    "the box and 2 x 2 tiles": [(tiled_refinement, "TILINGS", (1, 2))],
    "tiles believed everywhere near edges": [BELIEVED],
    "tiles believed everywhere": [BELIEVED]
    + [(file, "near_undecided", np.ones_like) for file in (merge_views, tiled_refinement)],
}
"""What is replaced, in which file."""


class Looks:
    """The closer looks at one picture, kept: every way to merge them gets the same, and the network runs once each."""

    def __init__(self, session: Session, picture: Picture) -> None:
        self.session, self.picture = session, picture
        self.seen: dict[Box, Subject] = {}

    def __call__(self, box: Box) -> Subject:
        if box not in self.seen:
            self.seen[box] = predict_box(self.session, self.picture, box)
        return self.seen[box]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--models", nargs="+", default=["u2netp", "u2net"])
    parser.add_argument("--limit", type=int, help="so many pictures of each set")
    parser.add_argument("--masks", type=int, help="so many pictures of ecssd-100")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    given = parser.parse_args()
    packages = ("u2net", "openvino", "numpy", "opencv-python-headless", "pysodmetrics")
    report: dict[str, Any] = {
        **record.facts("detail"),
        "versions": {name: version(name) for name in packages},
        "models": {},
    }
    for model in given.models:
        session = u2net.open_session(model, precision="f32")
        mattes = given.data / "alphamatting"
        report["models"][model] = found = {
            "alphamatting": measure_alpha(session, list(matting_pictures(mattes))[: given.limit]),
            "alphamatting, three times the side": measure_alpha(session, list(enlarged(mattes))[: given.limit]),
            "ecssd-100": measure_masks(session, given.data / "ecssd-100", given.masks or given.limit),
        }
        for name, measures in found.items():
            print(f"{model}, {name}", flush=True)
            for line in lines(measures):
                print(f"  {line}", flush=True)
        if given.output:  # after each model: a run takes an hour
            given.output.parent.mkdir(parents=True, exist_ok=True)
            given.output.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report))


Alphas = list[tuple[str, Callable[[], tuple[Picture, Any, Any]]]]


def matting_pictures(folder: Path) -> Iterator[tuple[str, Callable[[], tuple[Picture, Any, Any]]]]:
    """Name, and what loads picture, alpha and the trimap's unknown band."""
    for path in sorted((folder / "images").iterdir()):
        yield path.stem, lambda path=path: load(folder, path)  # type: ignore[misc]


def load(folder: Path, path: Path) -> tuple[Picture, Any, Any]:
    trimap = grey(folder / "trimap1" / path.name)
    return u2net.read(path), grey(folder / "alphas" / path.name) / np.float32(255), (trimap > 5) & (trimap < 250)


def enlarged(folder: Path) -> Iterator[tuple[str, Callable[[], tuple[Picture, Any, Any]]]]:
    """The same objects at the bottom of pictures of LARGER times the side, over a gradient of their backgrounds.

    The band is what lies within BAND_PX of pixels that are neither object nor background.
    """
    for path in sorted((folder / "images").iterdir()):
        yield path.stem, lambda path=path: enlarge(*load(folder, path)[:2])  # type: ignore[misc]


def enlarge(picture: Picture, alpha: Any) -> tuple[Picture, Any, Any]:
    height, width = picture.size
    third = height // 3
    ends = []
    for rows in (slice(0, third), slice(-third, None)):
        bare = alpha[rows] < 0.02
        ends.append(
            picture.pixels[rows][bare].mean(axis=0) if bare.any() else picture.pixels[alpha < 0.02].mean(axis=0)
        )
    down = np.linspace(0, 1, LARGER * height)[:, None, None]
    noise = np.random.default_rng(0).normal(0, 3, (LARGER * height, LARGER * width, 3))
    pixels = (ends[0] * (1 - down) + ends[1] * down + noise).astype(np.float32)
    truth = np.zeros(pixels.shape[:2], np.float32)
    here = (slice(-height, None), slice((LARGER - 1) * width // 2, (LARGER - 1) * width // 2 + width))
    truth[here] = alpha
    pixels[here] = picture.pixels * alpha[..., None] + pixels[here] * (1 - alpha[..., None])
    soft = ((truth > 0.02) & (truth < 0.98)).astype(np.uint8)
    band = cv2.dilate(soft, np.ones((2 * BAND_PX + 1, 2 * BAND_PX + 1), np.uint8)) > 0
    return Picture(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)), truth, band


def measure_alpha(session: Session, pictures: Alphas) -> dict[str, Any]:
    """Errors of the raw map and of each way, a row a picture; means of those whose raw map is right, and the rest."""
    rows: dict[str, dict[str, dict[str, float]]] = {}
    times = []
    for name, loads in pictures:
        picture, truth, band = loads()
        raw, ways, taken = look(session, picture)
        times.append(taken)
        rows[name] = {way: errors(one.saliency(), truth, band) for way, one in {"raw": raw, **ways}.items()}
        for way, one in (("raw", raw), ("shipped", ways["shipped"])):
            alpha = refine(picture.pixels, one.coarse(), "auto")(0, picture.size[0])
            rows[name][f"{way}, --edges auto"] = errors(alpha, truth, band)
    right = [name for name, row in rows.items() if row["raw"]["mse"] < RIGHT_BELOW]
    other = [name for name in rows if name not in right]
    return {
        "right": means([rows[name] for name in right]),
        "others": means([rows[name] for name in other]),
        "names_of_right": right,
        "worst_band_ratio_of_right": round(
            max(rows[name]["shipped"]["band_mse"] / rows[name]["raw"]["band_mse"] for name in right), 3
        ),
        "time": middle(times),
        "pictures": rows,
    }


def measure_masks(session: Session, folder: Path, limit: int | None) -> dict[str, Any]:
    scores: dict[str, list[Any]] = {}
    times = []
    for path in sorted((folder / "images").iterdir())[:limit]:
        truth = grey(folder / "truths" / f"{path.stem}.png")
        raw, ways, taken = look(session, u2net.read(path))
        times.append(taken)
        for way, one in {"raw": raw, **ways}.items():
            scores.setdefault(way, []).append(score(one.saliency(), truth, measures=MEASURES))
    found = {
        way: {key: round(float(value), 4) for key, value in summarise(many).items()} for way, many in scores.items()
    }
    return {"ways": found, "time": middle(times)}


def look(session: Session, picture: Picture) -> tuple[Prediction, dict[str, Subject], dict[str, float]]:
    """The raw prediction, what each way makes of it, and the seconds and network runs of the shipped way."""
    start = time.perf_counter()
    raw = predict(session, picture)
    once = time.perf_counter() - start
    looks, ways = Looks(session, picture), {}
    runs = taken = 0.0
    for way, changes in WAYS.items():
        start = time.perf_counter()
        with contextlib.ExitStack() as replaced:
            for file, name, value in changes:
                replaced.enter_context(patch.object(file, name, value))
            ways[way] = tiled_refinement.refine_by_tiles(raw.subject(), looks)
        if way == "shipped":
            runs, taken = len(looks.seen), time.perf_counter() - start
    return raw, ways, {"map_s": once, "detail_s": taken, "detail_runs": runs}


def errors(saliency: Any, truth: Any, band: Any) -> dict[str, float]:
    difference = saliency - truth
    squared = difference**2
    found = {"mse": squared.mean(), "band_mse": squared[band].mean(), "band_sad": np.abs(difference[band]).sum() / 1000}
    return {key: round(float(value), 5) for key, value in found.items()}


def means(rows: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    if not rows:
        return {}
    return {
        way: {key: round(statistics.mean(row[way][key] for row in rows), 5) for key in rows[0][way]} for way in rows[0]
    }


def middle(times: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(one[key] for one in times), 3) for key in times[0]}


def grey(path: Path) -> Any:
    values = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if values is None:
        raise SystemExit(f"{path}: no such picture")
    return values


def lines(measures: dict[str, Any]) -> Iterator[str]:
    groups = {"": measures["ways"]} if "ways" in measures else {name: measures[name] for name in ("right", "others")}
    for name, ways in groups.items():
        for way, values in ways.items():
            yield f"{name:7}{way:38}" + "  ".join(f"{key} {value:.4f}" for key, value in values.items())
    yield "median: " + "  ".join(f"{key} {value}" for key, value in measures["time"].items())


if __name__ == "__main__":
    main()
