"""The model card: what travels with weights, and where it lies in the files that inference reads. No torch, no onnx."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from u2net.errors import BadInput
from u2net.models.spec import ModelSpec
from u2net.types import Size

KEY = "u2net"
"""The name that the card's JSON has in a file's metadata, whatever the format."""

_MAX_BYTES = 4_000_000
_MAX_FIELDS = 100_000
_LARGEST = 1e9


@dataclass(frozen=True)
class ModelCard:
    """What travels with weights: their network's shape, how pictures go in, and where the numbers come from.

    kind, size, scale, mean, std: as in `ModelSpec`. stretch: whether a saliency map is spread to [0, 1].
    data: what it was trained on. recipe: the training's settings. metrics: of validation. licence: of the weights.
    """

    variant: str
    in_channels: int = 3
    out_channels: int = 1
    kind: str = "saliency"
    size: Size = (320, 320)
    scale: str = "own-maximum"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    stretch: bool = True
    data: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    licence: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Raises BadInput where it is no card; keys of a newer u2net are refused, not dropped."""
        try:
            values: dict[str, Any] = json.loads(text)
            unknown = ", ".join(sorted(set(values) - {field.name for field in fields(cls)}))[:200]
            if unknown:
                raise BadInput(f"the model card has unknown keys: {unknown}; a newer u2net wrote it")
            for name in ("size", "mean", "std"):
                if name in values:
                    values[name] = tuple(values[name])
            card = cls(**values)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            if isinstance(error, BadInput):
                raise
            raise BadInput(f"the model card in the file is damaged ({error})") from error
        for name, right in _RIGHT.items():
            if not right(getattr(card, name)):
                raise BadInput(f"the model card in the file is damaged ({name} is {str(getattr(card, name))[:60]})")
        return card

    def spec(self, path: Path) -> ModelSpec:
        """The row of an exported file: its maps are probabilities already."""
        same: dict[str, Any] = {name: getattr(self, name) for name in _SAME}
        return ModelSpec(name=path.stem, file=path.name, training_data=self.data, **same)


_SAME = ("kind", "size", "scale", "mean", "std", "stretch", "licence")
"""The fields that `ModelSpec` has too."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65_536


_RIGHT: dict[str, Callable[[Any], bool]] = {
    "variant": lambda value: isinstance(value, str),
    "in_channels": _is_count,
    "out_channels": _is_count,
    "kind": lambda value: value in ("saliency", "classes", "image"),
    "size": lambda value: len(value) == 2 and all(map(_is_count, value)),
    "scale": lambda value: value in ("own-maximum", "full-range"),
    "mean": lambda value: len(value) == 3 and all(map(_is_number, value)),
    "std": lambda value: len(value) == 3 and all(_is_number(one) and one != 0 for one in value),
    "stretch": lambda value: isinstance(value, bool),
    "data": lambda value: isinstance(value, str),
    "recipe": lambda value: isinstance(value, dict),
    "metrics": lambda value: isinstance(value, dict),
    "licence": lambda value: isinstance(value, str),
}
"""What each field may hold: a file may come from anywhere."""


def read_card(path: Path) -> ModelCard | None:
    """The card in an .onnx or an OpenVINO .xml file; None where it has none, or is no such file: an engine says so.

    The weights are passed over, not read. Raises BadInput for a damaged card: without it, maps would be wrong unseen.
    """
    text = None
    try:
        with path.open("rb") as stream:
            text = _in_xml(stream) if path.suffix.lower() == ".xml" else _in_onnx(stream)
    except (OSError, EOFError, UnicodeDecodeError, ElementTree.ParseError):
        pass
    return None if text is None else card_in(path, text)


def card_in(path: Path, text: str) -> ModelCard:
    """The card whose JSON stood in this file. Raises BadInput, which names the file."""
    try:
        return ModelCard.from_json(text)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _in_xml(stream: BinaryIO) -> str | None:
    """OpenVINO's: <net><layers>…</layers><edges>…</edges><rt_info>…<u2net value="…" /></rt_info></net>.

    Only what follows the edges is parsed: a fifth of a second is saved at each start.
    """
    stream.seek(-min(_MAX_BYTES, os.fstat(stream.fileno()).st_size), os.SEEK_END)
    _, found, rest = stream.read().rpartition(b"</edges>")
    entry = ElementTree.fromstring(b"<net>" + rest).find(f"rt_info/{KEY}") if found else None
    return None if entry is None else entry.get("value")


def _in_onnx(stream: BinaryIO) -> str | None:
    """ONNX's, a protobuf message: metadata_props is field 14 of ModelProto, key and value are 1 and 2 of each.

    Source: onnx.proto3. Everything else is passed over by its length.
    """
    end = os.fstat(stream.fileno()).st_size
    for number, length in _fields(stream, end):
        if number != 14 or length is None or length > _MAX_BYTES:
            stream.seek(length or 0, os.SEEK_CUR)
            continue
        entry = {1: b"", 2: b""}
        for inner, extent in _fields(stream, stream.tell() + length):
            entry[inner] = stream.read(extent or 0)
        if entry[1] == KEY.encode():
            return entry[2].decode()
    return None


def _fields(stream: BinaryIO, end: int) -> Iterator[tuple[int, int | None]]:
    """(number, length) of each field up to `end`, the stream before its content, which the caller must pass.

    length: None for a field without one, which is passed already. Raises EOFError where it is no such message.
    """
    for _ in range(_MAX_FIELDS):
        if stream.tell() >= end:
            return
        number, wire_type = divmod(_varint(stream), 8)
        if wire_type == 2:
            length = _varint(stream)
            if number == 0 or stream.tell() + length > end:
                raise EOFError
            yield number, length
        elif wire_type == 0:
            _varint(stream)
            yield number, None
        elif wire_type in (1, 5):
            stream.seek(8 if wire_type == 1 else 4, os.SEEK_CUR)
            yield number, None
        else:
            raise EOFError


def _varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise EOFError
