"""An evaluation as a page to look at and a table to compute with."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.datasets.ground_truth import read_mask
from u2net.errors import BadInput, MissingExtra
from u2net.evaluation.evaluate import Evaluation, Pair
from u2net.evaluation.metrics import KEYS, f_of, mean_curves, summarise
from u2net.imaging.resize import at_most
from u2net.imaging.samples import to_eight_bits
from u2net.io.read import read
from u2net.reports.template import filled, template, text
from u2net.system.files import make_folder, write_bytes
from u2net.system.install import install_hint
from u2net.version import __version__

PAGE, TABLE = "index.html", "pictures.csv"
SHOWN = 8
"""So many of the best and of the worst pictures."""

RANKED_BY = "S"
"""Of all measures but MAE the one that also judges a map whose truth is empty."""

_SIDE_PX = 300
_COLORS = ("#0b62b3", "#c4571a")
_OF_A_PICTURE = [key for key in KEYS if key not in ("n", "empty_truths", "maxF_paper")]  # of one, that is its maxF


def prepare_report(folder: Path) -> None:
    """Make the folder, before the work. Raises CannotWrite, or MissingExtra without matplotlib."""
    _matplotlib()
    make_folder(folder)


def write_report(folder: Path, evaluation: Evaluation, *, title: str, facts: Mapping[str, str]) -> None:
    """Write `index.html`, one page that needs nothing beside it, and `pictures.csv`, a row a picture.

    title: what was measured. facts: what else to say of it, as name and text.
    """
    prepare_report(folder)
    rows = [summarise([scores]) for scores in evaluation.scores]
    page = _page(evaluation, rows, title, facts)
    write_bytes(folder / TABLE, _table(evaluation.pairs, rows).encode("utf-8", "surrogateescape"))
    write_bytes(folder / PAGE, page.encode())


def _table(pairs: Sequence[Pair], rows: Sequence[Mapping[str, float]]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["picture", *_OF_A_PICTURE, "empty_truth"])
    for pair, row in zip(pairs, rows, strict=True):
        writer.writerow([pair.name, *(f"{row[key]:.6f}" for key in _OF_A_PICTURE), row["empty_truths"]])
    return table.getvalue()


def _page(evaluation: Evaluation, rows: Sequence[Mapping[str, float]], title: str, facts: Mapping[str, str]) -> str:
    order = np.argsort([row[RANKED_BY] for row in rows], kind="stable")
    worst = _pictures("Worst", order[: min(SHOWN, -(-len(order) // 2))], evaluation, rows)
    best = _pictures("Best", order[::-1][: min(SHOWN, len(order) // 2)], evaluation, rows)
    said = {
        "title": text(title),
        "facts": "\n".join(f"<tr><th>{text(name)}</th><td>{text(value)}</td></tr>" for name, value in facts.items()),
        "measures": "\n".join(_measure(key, value) for key, value in evaluation.summary.items()),
        "curves": "\n".join(_curves(evaluation)),
        "pictures": "\n".join([*worst, *best]),
        "table": TABLE,
    }
    return filled(template("evaluation.html"), said)


def _measure(key: str, value: float) -> str:
    number = str(value) if isinstance(value, int) else f"{value:.4f}"
    return f'<tr><th>{key}</th><td class="number">{number}</td><td class="line">{text(KEYS[key])}</td></tr>'


def _pictures(
    name: str, chosen: NDArray[np.intp], evaluation: Evaluation, rows: Sequence[Mapping[str, float]]
) -> Iterator[str]:
    if not len(chosen):
        return
    yield f"<h2>{name} by {RANKED_BY}</h2>\n<p>The picture (where it was given), the map and the truth.</p>"
    yield '<div class="pictures">'
    for index in chosen:
        yield from _figure(evaluation, evaluation.pairs[index], rows[index])
    yield "</div>"


def _figure(evaluation: Evaluation, pair: Pair, row: Mapping[str, float]) -> Iterator[str]:
    """A picture, its map and its truth side by side, and what was measured."""
    yield "<figure><div>"
    unread = False
    if pair.picture:
        try:
            shown = to_eight_bits(read(pair.picture).pixels)
            yield _image(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), ".jpg", "picture")
        except BadInput:  # all is measured, and that was without it
            unread = True
    yield _image(to_eight_bits(evaluation.map_of(pair)), ".png", "map")
    yield _image(to_eight_bits(read_mask(pair.truth)), ".png", "truth")
    notes = [f"{key} {row[key]:.3f}" for key in _OF_A_PICTURE]
    notes += ["empty truth"] if row["empty_truths"] else []
    notes += ["the picture cannot be read"] if unread else []
    said = "\n".join(f"<span>{note}</span>" for note in notes)
    yield f"</div><figcaption><b>{text(pair.name)}</b>\n{said}</figcaption></figure>"


def _image(pixels: NDArray[np.uint8], suffix: str, what: str) -> str:
    size = at_most(pixels.shape, _SIDE_PX)
    small = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA) if size != pixels.shape[:2] else pixels
    done, data = cv2.imencode(suffix, small, [cv2.IMWRITE_JPEG_QUALITY, 85] if suffix == ".jpg" else [])
    assert done
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    return (
        f'<img alt="{what}" title="{what}" src="data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}">'
    )


def _curves(evaluation: Evaluation) -> Iterator[str]:
    """Precision over recall, and F and E over the threshold, an SVG each, so that a narrow page can stack them."""
    curves = mean_curves(evaluation.scores)
    of_means = f_of(curves["precision"], curves["recall"])
    thresholds = np.linspace(1, 0, 256)
    yield _plot("Precision and recall", "recall", "precision", {"": (curves["recall"], curves["precision"])})
    averaged, of_mean = "averaged over pictures", "of mean precision and recall"
    yield _plot("F", "threshold", "F", {averaged: (thresholds, curves["F"]), of_mean: (thresholds, of_means)})
    yield _plot("E", "threshold", "E", {"": (thresholds, curves["E"])})


def _plot(title: str, across: str, up: str, lines: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> str:
    """lines: what each is called, if there are several, and its points' places across and up, from 0 to 1."""
    matplotlib = _matplotlib()
    with matplotlib.rc_context({"svg.hashsalt": "u2net", "svg.fonttype": "none", "font.size": 9}):
        figure = matplotlib.figure.Figure(figsize=(3.7, 3.4), layout="constrained")
        plot = figure.subplots()
        for color, (name, (places, values)) in zip(_COLORS, lines.items(), strict=False):
            plot.plot(places, values, color=color, label=name)
        if len(lines) > 1:
            plot.legend(loc="lower center", frameon=False)
        plot.set(xlabel=across, ylabel=up, title=title, xlim=(0, 1), ylim=(0, 1.02))
        plot.grid(color="#e4e7eb")
        plot.spines[["top", "right"]].set_visible(False)
        drawn = io.StringIO()
        nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
        figure.savefig(drawn, format="svg", metadata=nothing, transparent=True)
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]


def _matplotlib() -> ModuleType:
    try:
        import matplotlib.figure
    except ImportError as error:
        raise MissingExtra(f"a report needs matplotlib; {install_hint('evaluate')}") from error
    module: ModuleType = matplotlib
    return module


def table(summary: Mapping[str, float]) -> Iterator[str]:
    """A line for each measure."""
    for key, value in summary.items():
        yield f"{key:<12}  {value if isinstance(value, int) else f'{value:.4f}':>6}  {KEYS[key]}"


def versions() -> dict[str, str]:
    """What measured."""
    return {"measured by": f"u2net {__version__}, PySODMetrics {version('pysodmetrics')}"}
