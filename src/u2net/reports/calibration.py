"""What `u2net quantize` measured, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from u2net.inference.calibrate import Deviation

_WORST = 8


def report(target: Path, deviation: Deviation) -> Iterator[str]:
    """What a person reads."""
    yield f"{target}"
    yield f"the map moves by {deviation.mean:.4f} on average, by {deviation.worst:.4f} in the worst picture (1 is all)"
    yield ""
    yield "layers that lose most     off by   before"
    for layer in sorted(deviation.layers, key=lambda each: each.before - each.share)[:_WORST]:
        note = "" if layer.int8 else "  in f32"
        yield f"  {layer.node:<22} {layer.share:7.1%}  {layer.before:7.1%}{note}"
    yield ""
    yield "Off by: a layer's output against f32, as a share of it; before: its worst input. Where the map moves too"
    yield "far, leave a layer that loses much in f32: --leave LAYER."
