"""Many small pictures on one: training samples beside their truths, those with problems first."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from u2net.datasets.check import Check, Sample
from u2net.datasets.ground_truth import UNKNOWN_CLASS, Kind, alpha_of, colors_of, read_truth
from u2net.datasets.pairs import Problem
from u2net.errors import BadInput
from u2net.io.read import read
from u2net.types import Size

_BYTES = NDArray[np.uint8]
_PANEL: Size = (120, 160)
_COLUMNS, _GAP_PX, _TEXT_PX = 3, 10, 16
_PAPER, _INK, _RED, _ABSENT = (255, 255, 255), (40, 40, 40), (190, 20, 30), (225, 225, 225)
_OF_TWO = ("same picture", "same truth", "alike", "in both")
_TINT = np.array((230, 30, 60))
# Set apart by a golden angle of hue; 0 is black, unknown is grey.
_HUES = [(number * 137) % 180 for number in range(256)]


def contact_sheet(checked: Check, *, cells: int = 30) -> _BYTES:
    """Draw up to `cells` samples: picture, truth, both on each other, name, and what is wrong. (H, W, 3) uint8 RGB.

    Problems come first, of each kind the first ones, then samples at even distances.
    """
    chosen = _chosen(checked, cells)
    rows = -(-len(chosen) // _COLUMNS)
    cell_height, cell_width = _PANEL[0] + 2 * _TEXT_PX + _GAP_PX, 3 * _PANEL[1] + 2 * _GAP_PX
    columns = min(_COLUMNS, len(chosen))
    sheet = Image.new("RGB", (columns * cell_width + _GAP_PX, rows * cell_height + _GAP_PX), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (sample, problem) in enumerate(chosen):
        left, top = (
            _GAP_PX + (number % _COLUMNS) * cell_width,
            _GAP_PX + (number // _COLUMNS) * cell_height,
        )
        for place, panel in enumerate(_panels(sample, problem, checked.kind)):
            sheet.paste(Image.fromarray(panel), (left + place * (_PANEL[1] + 2), top))
        room = cell_width - 2 * _GAP_PX
        _write(draw, font, (left, top + _PANEL[0] + 2), sample.pair.name, _INK, room)
        if problem:
            _write(draw, font, (left, top + _PANEL[0] + 2 + _TEXT_PX), _said(problem), _RED, room)
    return np.asarray(sheet)


def _chosen(checked: Check, cells: int) -> list[tuple[Sample, Problem | None]]:
    by_picture = {sample.pair.picture: sample for sample in checked.samples}
    by_kind: dict[str, list[tuple[Sample, Problem | None]]] = {}
    for problem in (*checked.errors, *checked.warnings):
        sample = by_picture.get(problem.paths[0])
        if sample:
            by_kind.setdefault(problem.kind, []).append((sample, problem))
    turns = max((len(group) for group in by_kind.values()), default=0)
    chosen = [group[turn] for turn in range(turns) for group in by_kind.values() if turn < len(group)]
    chosen = chosen[: cells - min(cells // 3, len(checked.samples))]
    chosen.sort(key=lambda each: list(by_kind).index(each[1].kind) if each[1] else 0)
    shown = {id(sample) for sample, _ in chosen}
    clean = [sample for sample in checked.samples if id(sample) not in shown and not sample.problems]
    places = np.linspace(0, len(clean) - 1, min(cells - len(chosen), len(clean))).astype(int)
    return [*chosen, *((clean[place], None) for place in places)]


def _panels(sample: Sample, problem: Problem | None, kind: Kind) -> list[_BYTES]:
    """Picture, truth and overlay; of two pictures that are one, the second instead of the overlay."""
    pair = sample.pair
    colors = _colors(pair.picture)
    truth = None
    with contextlib.suppress(BadInput):
        truth = read_truth(pair.truth, kind) if pair.truth else alpha_of(read(pair.picture))
    drawn = None if truth is None else _drawn(truth, kind)
    if problem and problem.kind in _OF_TWO:
        third = _colors(problem.paths[1])
    elif colors is None or truth is None or drawn is None:
        third = None
    else:
        third = _overlay(colors, truth, drawn, kind)
    return [_fitted(panel) for panel in (colors, drawn, third)]


def _colors(path: Path) -> _BYTES | None:
    try:
        return colors_of(read(path))
    except BadInput:
        return None


def _drawn(truth: _BYTES, kind: Kind) -> _BYTES:
    if kind == "saliency":
        return np.repeat(truth[..., None], 3, axis=2)
    if kind == "image":
        return truth
    table = np.array([[(hue, 200, 235) for hue in _HUES]], np.uint8)
    colors = cv2.cvtColor(table, cv2.COLOR_HSV2RGB)[0]
    colors[0], colors[UNKNOWN_CLASS] = 0, 128
    shown: _BYTES = colors[truth]
    return shown


def _overlay(colors: _BYTES, truth: _BYTES, drawn: _BYTES, kind: Kind) -> _BYTES:
    size = colors.shape[1], colors.shape[0]
    over = cv2.resize(drawn, size, interpolation=cv2.INTER_NEAREST)
    if kind == "image":  # the left half of the one, the right half of the other
        over[:, : size[0] // 2] = colors[:, : size[0] // 2]
        return np.asarray(over, np.uint8)
    tint = _TINT if kind == "saliency" else over
    weight = cv2.resize(truth if kind == "saliency" else np.where(truth > 0, 255, 0).astype(np.uint8), size)
    part = weight[..., None] * (0.55 / 255)
    return np.asarray(colors * (1 - part) + tint * part, np.uint8)


def _fitted(panel: _BYTES | None) -> _BYTES:
    """As large as it fits, on grey; crossed out where there is nothing to show."""
    paper = np.full((*_PANEL, 3), _ABSENT, np.uint8)
    if panel is None:
        cv2.line(paper, (0, 0), (_PANEL[1] - 1, _PANEL[0] - 1), _RED, 1, cv2.LINE_AA)
        cv2.line(paper, (0, _PANEL[0] - 1), (_PANEL[1] - 1, 0), _RED, 1, cv2.LINE_AA)
        return paper
    height, width = panel.shape[:2]
    scale = min(_PANEL[0] / height, _PANEL[1] / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(panel, size, interpolation=cv2.INTER_AREA)
    top, left = (_PANEL[0] - size[1]) // 2, (_PANEL[1] - size[0]) // 2
    paper[top : top + size[1], left : left + size[0]] = small
    return paper


def _said(problem: Problem) -> str:
    """The message without the paths: the name stands above it, and a second name is worth its place."""
    reason = problem.message
    for path in problem.paths:
        reason = reason.removeprefix(f"{path}: ")
    others = [path.stem for path in problem.paths[1:]] if problem.kind in _OF_TWO else []
    return f"{problem.kind}: {', '.join(others) or reason}"


def _write(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    place: tuple[int, int],
    text: str,
    color: tuple[int, int, int],
    room_px: int,
) -> None:
    """One line, its end cut where it is too long."""
    text = " ".join(text.split()).encode("utf-8", "replace").decode()
    while text and draw.textlength(text, font) > room_px:
        text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""
    draw.text(place, text, color, font)
