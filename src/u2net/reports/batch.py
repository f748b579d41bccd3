"""What became of many pictures, as JSON, as a table, or as a page to read."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

from u2net.errors import BadInput, CannotWrite
from u2net.reports.template import filled, template, text
from u2net.system.files import atomic_file, writing
from u2net.version import __version__

Row: TypeAlias = Mapping[str, Any]
"""One picture: `outcome` (done, up to date, failed) and what `--json` prints of it."""
Kind: TypeAlias = Literal["json", "csv", "html"]
KINDS: dict[str, Kind] = {".json": "json", ".csv": "csv", ".html": "html"}

_COLUMNS = ("input", "outcome", "output", "error", "height", "width", "confidence", "found", "coverage")
_BOX = ("left", "top", "right", "bottom")
_TIMES = ("read", "work", "write")


def kind_of(path: Path) -> Kind:
    """By the file's suffix. Raises BadInput for any other than .json, .csv and .html."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise BadInput(f"--report {path}: the report is a .json, .csv or .html file; give it such a name")
    return kind


class BatchReport:
    """Rows are kept in a temporary file of the system until all are there: any number goes."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput for a suffix that is none of ours, CannotWrite where no temporary file can be made."""
        self.path = path
        self._kind = kind_of(path)
        try:
            self._rows = tempfile.TemporaryFile("w+", encoding="ascii", prefix="u2net-")  # noqa: SIM115  see `close`
        except OSError as error:
            raise CannotWrite(f"{path}: the report cannot be kept: {error.strerror or error}") from error

    def add(self, row: Row) -> None:
        """Raises CannotWrite where the system's folder for temporary files is full."""
        try:
            self._rows.write(json.dumps(row) + "\n")
        except OSError as error:
            raise CannotWrite(f"{self.path}: the report cannot be kept: {error.strerror or error}") from error

    def write(self, *, started: str, seconds: float) -> None:
        """Write the file, whole or not at all. started: when the run began. Raises CannotWrite."""
        totals = {"done": 0, "up to date": 0, "failed": 0}
        facts: dict[str, Any] = {"u2net": __version__, "started": started, "seconds": round(seconds, 2)}
        with writing(f"{self.path}: the report"):
            for row in self._all():
                totals[row["outcome"]] += 1
            pieces = {"json": self._json, "csv": self._csv, "html": self._html}[self._kind](facts | totals)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(self.path) as stream:
                for piece in pieces:
                    stream.write(piece.encode("utf-8", "surrogateescape" if self._kind == "csv" else "replace"))

    def close(self) -> None:
        with suppress(OSError):  # a full disk, which `add` or `write` has said
            self._rows.close()

    def _all(self, *, failed: bool | None = None) -> Iterator[Row]:
        self._rows.seek(0)
        for line in self._rows:
            row = json.loads(line)
            if failed is None or failed == (row["outcome"] == "failed"):
                yield row

    def _json(self, facts: Row) -> Iterator[str]:
        yield json.dumps(facts)[:-1] + ', "pictures": ['
        between = "\n"
        for row in self._all():
            yield between + json.dumps(row)
            between = ",\n"
        yield "\n]}\n"

    def _csv(self, facts: Row) -> Iterator[str]:
        yield _line([*_COLUMNS, *_BOX, *(f"{step}_s" for step in _TIMES)])
        for row in self._all():
            height, width = row.get("size") or ("", "")
            values = {**row, "height": height, "width": width}
            times = row.get("times_s", {})
            cells = [values.get(name, "") for name in _COLUMNS]
            yield _line([*cells, *(row.get("box") or [""] * 4), *(times.get(step, "") for step in _TIMES)])

    def _html(self, facts: Row) -> Iterator[str]:
        started = facts["started"].replace("T", " ").replace("+00:00", " UTC")
        all_of_them = facts["done"] + facts["up to date"] + facts["failed"]
        shown = {
            "title": f"{all_of_them} picture{'s' * (all_of_them != 1)}",
            "when": f"{started} · {facts['seconds']:g} s · u2net {facts['u2net']}",
            "done": str(facts["done"]),
            "uptodate": str(facts["up to date"]),
            "failed": str(facts["failed"]),
            "nofailures": "" if facts["failed"] else "hidden",
            "nopictures": "" if all_of_them > facts["failed"] else "hidden",
        }
        pieces = re.split("@failures@|@pictures@", template("batch.html"))
        before, between, after = (filled(piece, shown) for piece in pieces)
        yield before
        for row in self._all(failed=True):
            why = row["error"].removeprefix(f"{row['input']}: ")
            yield f"<tr><th scope=row>{text(row['input'])}<td>{text(why)}\n"
        yield between
        for row in self._all(failed=False):
            times = row.get("times_s", {})
            seconds = f"{sum(times.values()):.2f}" if times else ""
            said = "no object" if row.get("found") is False else row["outcome"]
            sure = f"{row['confidence']:.2f}" if "confidence" in row else ""
            covers = f"{row['coverage']:.0%}" if "coverage" in row else ""
            yield (
                f"<tr><th scope=row>{text(row['input'])}<td class=said>{text(said)}<td class='number sure'>{sure}"
                f"<td class='number covers'>{covers}<td class='number seconds'>{seconds}\n"
            )
        yield after


def _line(cells: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
