"""What a run leaves behind for people: log.csv, curves.png, picture sheets, TensorBoard's files."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.datasets.ground_truth import Kind
from u2net.io.write import encode
from u2net.system.files import atomic_file, writing
from u2net.train.validate import Example

LOG = "log.csv"
_GAP_PX = 4
_MOST_POINTS = 3000  # of a curve, more than it has pixels
_COLORS = ((0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0))
"""Of classes. Source: Okabe and Ito, "Color universal design", 2008."""


class RunLog:
    """The log of a run in its folder; rows of steps after `step`, of a run that was cut off, are dropped.

    Raises CannotWrite where the folder cannot be written.
    """

    def __init__(self, folder: Path, columns: Sequence[str], *, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder, self.columns = folder, ["step", *columns]
        self.rows = [row for row in _rows_of(folder / LOG, self.columns) if int(row["step"]) <= step]
        with self._said("TensorBoard's file"):
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def _said(self, what: str) -> AbstractContextManager[None]:
        return writing(f"{self.folder}: {what}")

    def add(self, step: int, values: dict[str, float]) -> None:
        """Note numbers of a step; those of a step that is there already join it."""
        if not self.rows or int(self.rows[-1]["step"]) != step:
            self.rows.append({"step": str(step)})
        self.rows[-1] |= {name: f"{value:.6g}" for name, value in values.items()}
        with self._said("TensorBoard's file"):
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def write(self) -> None:
        """Bring log.csv and curves.png up to date."""
        text = io.StringIO()
        table = csv.DictWriter(text, self.columns, restval="")
        table.writeheader()
        table.writerows(self.rows)
        with self._said("the log"):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, data in ((LOG, text.getvalue().encode()), ("curves.png", curves(self.rows, self.columns[1:]))):
                with atomic_file(self.folder / name) as stream:
                    stream.write(data)
            self._board.flush()

    def show(self, step: int, examples: Sequence[Example], kind: Kind) -> None:
        """Write sheets/step-000500.png: input, truth, prediction, a row each."""
        picture = sheet(examples, kind)
        with self._said("the sheet"):
            (self.folder / "sheets").mkdir(parents=True, exist_ok=True)
            with atomic_file(self.folder / "sheets" / f"step-{step:06}.png") as stream:
                stream.write(encode(picture, format="png", compress="small"))
            self._board.add_image("input, truth, prediction", picture, step, dataformats="HWC")

    def close(self) -> None:
        with self._said("TensorBoard's file"):
            self._board.close()


def _rows_of(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """What a log holds of these columns; of one that was damaged, what can be read."""
    if not os.path.isfile(path):
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        rows = csv.DictReader(line.replace("\0", "") for line in stream)
        return [
            {name: row[name] for name in columns if _is_number(row.get(name))}
            for row in rows
            if (row.get("step") or "").isdecimal()
        ]


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text))
    except ValueError:
        return False


def sheet(examples: Sequence[Example], kind: Kind) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: a row a picture, three columns."""
    rows = []
    for one in examples:
        tiles = [_visible(one.picture.numpy(), "image")]
        tiles += [_visible(values.numpy(), kind) for values in (one.truth, one.prediction)]
        rows.append(np.concatenate([np.pad(tile, ((_GAP_PX,), (_GAP_PX,), (0,))) for tile in tiles], axis=1))
    return np.concatenate(rows)


def _visible(values: NDArray[np.uint8], kind: Kind) -> NDArray[np.uint8]:
    """A picture (3, H, W), a map or class ids (1, H, W) -> (H, W, 3)."""
    if kind == "image":
        return np.ascontiguousarray(values.transpose(1, 2, 0))
    if kind == "classes":
        return np.array(_COLORS, np.uint8)[values[0] % len(_COLORS)]
    return np.asarray(cv2.cvtColor(values[0], cv2.COLOR_GRAY2RGB), np.uint8)


def curves(rows: Sequence[dict[str, str]], names: Sequence[str]) -> bytes:
    """A PNG of all columns over the steps, a small plot each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    series: dict[str, tuple[list[int], list[float]]] = {}
    for name in names:
        points = [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
        points = points[:: 1 + len(points) // _MOST_POINTS]
        if points:
            series[name] = ([step for step, _ in points], [value for _, value in points])
    across = min(3, max(1, len(series)))
    down = max(1, -(-len(series) // across))
    figure = Figure(figsize=(5 * across, 3 * down), layout="constrained")
    for number, (name, (steps, values)) in enumerate(series.items()):
        axes: Any = figure.add_subplot(down, across, number + 1)
        axes.plot(steps, values, linewidth=1, color="#0072b2", marker="." if len(steps) < 30 else "")
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if name == "loss" and min(values) > 0:
            axes.set_yscale("log")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
