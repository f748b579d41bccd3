"""The weight files that there are, as a table for a person and as rows for JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from u2net.models import weights
from u2net.models.spec import ModelSpec

_WIDTH = 100


def row(spec: ModelSpec) -> dict[str, Any]:
    """What --json prints of a model: what it is, and where its file lies."""
    state, path = weights.state(spec)
    return {
        "name": spec.name,
        "kind": spec.kind,
        "bytes": spec.size_bytes,
        "licence": spec.licence,
        "training_data": spec.training_data,
        "checksum": spec.checksum,
        "state": state,
        "path": str(path) if path else None,
    }


def report(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A table of such rows, of at most 100 columns."""
    cells = [("name", "size", "licence", "trained on", "on this machine")]
    cells += [(row["name"], _size(row), row["licence"], row["training_data"], _whereabouts(row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room = _WIDTH - sum(widths[:-1]) - 2 * (len(widths) - 1)
    for name, size, *texts, where in cells:
        aligned = [name.ljust(widths[0]), size.rjust(widths[1]), *map(str.ljust, texts, widths[2:])]
        yield "  ".join([*aligned, where if len(where) <= room else where[: room - 1] + "…"])
    for row in rows:
        if row["kind"] != "saliency":
            yield f"{row['name']} gives maps of {row['kind']}, which u2net cannot use yet; that comes later."


def _size(row: dict[str, Any]) -> str:
    return f"{row['bytes'] / 1e6:.1f} MB"


def _whereabouts(row: dict[str, Any]) -> str:
    """The state of a file and the folder it lies in, shortened by the user's home."""
    if row["path"] is None:
        return str(row["state"])
    folder, home = Path(row["path"]).parent, Path(os.path.expanduser("~"))
    shown = Path("~") / folder.relative_to(home) if folder.is_relative_to(home) else folder
    return f"{row['state']}, {shown}"
