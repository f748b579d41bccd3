"""The table that makes an int8 model of a float one: which numbers travel through the network, measured once."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from u2net.errors import WeightsUnavailable
from u2net.models.spec import ModelSpec
from u2net.system.digest import digest_of, digest_of_files

Range: TypeAlias = tuple[float, float]

SUFFIX = ".int8.json"
"""A user's own model, `cups.onnx`, has its table beside it: `cups.int8.json`."""

_MAX_BYTES = 4_000_000
LEVEL, HALF_LEVEL = 127, 64
"""The highest level of int8 weights. NNCF takes half of them where sums may overflow 16 bits, without VNNI."""


@dataclass(frozen=True)
class Ranges:
    """What is computed in int8, and the range of its numbers.

    weights: `sha256:…` of the weight file that was measured. outputs: by a value's name in the model file, the range
    that it is rounded to, 256 levels of it, for all that take it. inputs: the same for one input of one node alone: the
    name of what the node gives, a colon and the input's number. convolutions: those whose weights are int8, by the name
    of what they give, and the highest level of theirs: 127, or 64 for what may overflow 16 bits on the way; the others
    compute in f32. made: how; for people.
    """

    weights: str
    outputs: dict[str, Range]
    inputs: dict[str, Range]
    convolutions: dict[str, int]
    made: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line an entry, so that two tables can be compared."""
        parts = []
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                rows = ",\n  ".join(f"{json.dumps(key)}: {json.dumps(one)}" for key, one in value.items())
                parts.append(f' "{name}": {{\n  {rows}\n }}')
            else:
                parts.append(f' "{name}": {json.dumps(value)}')
        return "{\n" + ",\n".join(parts) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Ranges:
        """Raises ValueError for what is no table."""
        try:
            found = cls(**json.loads(text))
            ranges = {
                kind: {str(name): (float(low), float(high)) for name, (low, high) in getattr(found, kind).items()}
                for kind in ("outputs", "inputs")
            }
            levels = {str(name): int(level) for name, level in found.convolutions.items()}
        except (TypeError, AttributeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        if not all(low < high and math.isfinite(high - low) for each in ranges.values() for low, high in each.values()):
            raise ValueError("a range is empty")
        if not all(level in (LEVEL, HALF_LEVEL) for level in levels.values()):
            raise ValueError("a level is 64 or 127")
        return cls(str(found.weights), ranges["outputs"], ranges["inputs"], levels, dict(found.made))

    @property
    def fingerprint(self) -> str:
        """What changes where the int8 model changes."""
        parts = (self.outputs, self.inputs, self.convolutions)
        return digest_of(json.dumps(parts, sort_keys=True))[:16]


def table_path(spec: ModelSpec, path: Path, own_tables: Path) -> Path:
    """Where the table of a model lies that its user has made: of a user's own file beside it, else in a folder."""
    return own_tables / f"{spec.name}{SUFFIX}" if spec.checksum else path.with_name(path.stem + SUFFIX)


def checksum(path: Path) -> str:
    """`sha256:…` of a weight file; of an .xml the file with its weights counts too. Raises OSError."""
    files = (path, path.with_suffix(".bin")) if path.suffix.lower() == ".xml" else (path,)
    return f"sha256:{digest_of_files(*files)}"


def find_ranges(spec: ModelSpec, path: Path, own_tables: Path) -> Ranges | None:
    """The table of a model: the user's own, or the one that came with the package; None where there is none.

    own_tables: the folder of the user's tables of models known by name.
    Raises WeightsUnavailable for a damaged table, and for that of a user's own file which has changed since.
    """
    packaged = Path(__file__).with_name("int8_tables") / f"{spec.name}{SUFFIX}"
    places = [table_path(spec, path, own_tables)] + ([packaged] if spec.checksum else [])
    for place in places:
        try:
            if place.stat().st_size > _MAX_BYTES:
                raise ValueError("too large")
            ranges = Ranges.from_json(place.read_text(encoding="utf-8"))
            of_these = bool(spec.checksum) or ranges.weights == checksum(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise WeightsUnavailable(
                f"{place}: this table for int8 cannot be used ({error}); delete it, or make it anew with u2net quantize"
            ) from error
        if not of_these:
            raise WeightsUnavailable(
                f"{place}: this table for int8 is of other weights than {path.name} has now; "
                f"make it anew: u2net quantize {path} --images FOLDER"
            )
        if spec.checksum.startswith("sha256:") and ranges.weights != spec.checksum:
            continue  # of other weights of that name
        return ranges
    return None
