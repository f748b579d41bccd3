"""A small ONNX network written byte for byte: input (1, 3, S, S); outputs: a map, and the input as it came."""

from __future__ import annotations

import struct

COLOR_WEIGHTS = (0.5, -0.25, 1.5)
"""The map is the sigmoid of red, green and blue times these: another order of channels gives another map."""

_FLOAT = 1  # TensorProto.FLOAT in onnx.proto


def small_network(size: int, **metadata: str) -> bytes:
    """An .onnx file of the signature that saliency networks have."""
    shape = b"".join(_message(1, _number(1, extent)) for extent in (1, 3, size, size))
    entries = b"".join(_message(14, _text(1, key) + _text(2, value)) for key, value in metadata.items())
    return _number(1, 8) + _message(8, _number(2, 13)) + _message(7, _graph(shape, size)) + entries


def _graph(shape: bytes, size: int) -> bytes:
    map_shape = b"".join(_message(1, _number(1, extent)) for extent in (1, 1, size, size))
    kernel = _number(1, 1) + _number(1, 3) + _number(1, 1) + _number(1, 1) + _number(2, _FLOAT)
    kernel += _text(8, "kernel") + _message(9, struct.pack("<3f", *COLOR_WEIGHTS))
    return (
        _message(1, _node("Conv", ["picture", "kernel"], "logits"))
        + _message(1, _node("Sigmoid", ["logits"], "map"))
        + _message(1, _node("Identity", ["picture"], "seen"))
        + _text(2, "small")
        + _message(5, kernel)
        + _message(11, _value("picture", shape))
        + _message(12, _value("map", map_shape))
        + _message(12, _value("seen", shape))
    )


def _node(operator: str, inputs: list[str], output: str) -> bytes:
    return b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator)


def _value(name: str, shape: bytes) -> bytes:
    return _text(1, name) + _message(2, _message(1, _number(1, _FLOAT) + _message(2, shape)))


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
