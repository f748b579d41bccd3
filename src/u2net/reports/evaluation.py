"""An evaluation as a page to look at and a table to compute with."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

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
from u2net.system.files import make_folder, write_bytes
from u2net.system.install import install_hint
from u2net.version import __version__

PAGE, TABLE = "index.html", "pictures.csv"
SHOWN = 8
"""So many of the best and of the worst pictures."""

RANKED_BY = "S"
"""Of all measures but MAE the one that also judges a map whose truth is empty."""

_SIDE_PX = 300
_OF_A_PICTURE = [key for key in KEYS if key not in ("n", "empty_truths", "maxF_paper")]  # of one, that is its maxF
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2024; background: #fff; max-width: 1080px; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .25rem 1rem .25rem 0; vertical-align: top; }
tr + tr { border-top: 1px solid #e4e7eb; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.facts, figcaption, footer { color: #5a6169; overflow-wrap: anywhere; } svg { max-width: 100%; height: auto; }
figure { margin: 0 0 1.4rem; } figure div { display: flex; gap: .5rem; align-items: start; }
figure img { flex: 1 1 0; min-width: 0; max-width: 300px; border: 1px solid #e4e7eb; }
figcaption b { color: #1c2024; } figcaption { font-size: .9rem; }
"""


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
    page = "\n".join(_page(evaluation, rows, title, facts))
    write_bytes(folder / TABLE, _table(evaluation.pairs, rows).encode("utf-8", "surrogateescape"))
    write_bytes(folder / PAGE, page.encode("utf-8", "backslashreplace"))


def _table(pairs: Sequence[Pair], rows: Sequence[Mapping[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["picture", *_OF_A_PICTURE, "empty_truth"])
    for pair, row in zip(pairs, rows, strict=True):
        writer.writerow([pair.name, *(f"{row[key]:.6f}" for key in _OF_A_PICTURE), row["empty_truths"]])
    return text.getvalue()


def _page(
    evaluation: Evaluation, rows: Sequence[Mapping[str, float]], title: str, facts: Mapping[str, str]
) -> Iterator[str]:
    order = np.argsort([row[RANKED_BY] for row in rows], kind="stable")
    worst = order[: min(SHOWN, -(-len(order) // 2))]
    best = order[::-1][: min(SHOWN, len(order) // 2)]
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>"
    yield '<table class="facts">'
    yield from (f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>" for name, value in facts.items())
    yield "</table>\n<h2>Measures</h2>\n<table>"
    for key, value in evaluation.summary.items():
        number = str(value) if isinstance(value, int) else f"{value:.4f}"
        yield f'<tr><th>{key}</th><td class="number">{number}</td><td>{_text(KEYS[key])}</td></tr>'
    yield "</table>\n<h2>Curves</h2>"
    yield _curves(evaluation)
    for name, chosen in (("Worst", worst), ("Best", best)):
        if len(chosen):
            yield f"<h2>{name} by {RANKED_BY}</h2>\n<p>The picture (where it was given), the map and the truth.</p>"
        for index in chosen:
            yield from _figure(evaluation, evaluation.pairs[index], rows[index])
    yield f"<footer>Each picture's measures: {TABLE}</footer>\n</body>\n</html>\n"


def _figure(evaluation: Evaluation, pair: Pair, row: Mapping[str, float]) -> Iterator[str]:
    """A picture, its map and its truth side by side, and what was measured."""
    yield "<figure><div>"
    unread = ""
    if pair.picture:
        try:
            shown = to_eight_bits(read(pair.picture).pixels)
            yield _image(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), ".jpg", "picture")
        except BadInput:  # all is measured, and that was without it
            unread = " · the picture cannot be read"
    yield _image(to_eight_bits(evaluation.map_of(pair)), ".png", "map")
    yield _image(to_eight_bits(read_mask(pair.truth)), ".png", "truth")
    numbers = " · ".join(f"{key} {row[key]:.3f}" for key in _OF_A_PICTURE)
    note = " · empty truth" if row["empty_truths"] else ""
    yield f"</div><figcaption><b>{_text(pair.name)}</b> {numbers}{note}{unread}</figcaption></figure>"


def _image(pixels: NDArray[np.uint8], suffix: str, what: str) -> str:
    size = at_most(pixels.shape, _SIDE_PX)
    small = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA) if size != pixels.shape[:2] else pixels
    done, data = cv2.imencode(suffix, small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    return (
        f'<img alt="{what}" title="{what}" src="data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}">'
    )


def _curves(evaluation: Evaluation) -> str:
    """Precision over recall, and F and E over the threshold, as SVG."""
    matplotlib = _matplotlib()
    curves = mean_curves(evaluation.scores)
    of_means = f_of(curves["precision"], curves["recall"])
    thresholds = np.linspace(1, 0, 256)
    with matplotlib.rc_context({"svg.hashsalt": "u2net", "svg.fonttype": "none", "font.size": 9}):
        figure = matplotlib.figure.Figure(figsize=(11, 3.6), layout="constrained")
        plots = figure.subplots(1, 3)
        plots[0].plot(curves["recall"], curves["precision"], color="#0b62b3")
        plots[0].set(xlabel="recall", ylabel="precision", title="Precision and recall")
        plots[1].plot(thresholds, curves["F"], color="#0b62b3", label="averaged over pictures")
        plots[1].plot(thresholds, of_means, color="#c4571a", label="of mean precision and recall")
        plots[1].set(xlabel="threshold", ylabel="F", title="F")
        plots[1].legend(loc="lower center", frameon=False)
        plots[2].plot(thresholds, curves["E"], color="#0b62b3")
        plots[2].set(xlabel="threshold", ylabel="E", title="E")
        for plot in plots:
            plot.set(xlim=(0, 1), ylim=(0, 1.02))
            plot.grid(color="#e4e7eb")
            plot.spines[["top", "right"]].set_visible(False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(["Date", "Creator", "Format", "Type"]))
    return text.getvalue()[text.getvalue().index("<svg") :]


def _text(value: str) -> str:
    return html.escape(value, quote=True)


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
