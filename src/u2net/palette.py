"""Few colours for many: a palette of at most 255 and each pixel's number in it, as GIF wants them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOURS = 255
"""The number after the last one stands for transparent."""

_TRAINED_ON = 1 << 15
"""Evenly spread pixels the palette is made of; all of half a frame take 20 times as long and err .4 of 255 less."""


def paletted(colours: NDArray[np.uint8], opaque: NDArray[np.bool_] | None) -> tuple[NDArray[np.uint8], bytes]:
    """Reduce the colours of a picture.

    colours: (H, W, 3) RGB uint8. opaque: (H, W), or None for all; other pixels get the number 255.
    Returns (H, W) uint8 numbers and the 768 bytes of the palette. Up to 255 different colours are kept exactly; more
    are reduced by median cut, without dithering, whose dots would dance from frame to frame.
    """
    seen = colours.reshape(-1, 3) if opaque is None else colours[opaque]
    numbers, table = _exact(seen) or _reduced(seen)
    if opaque is not None:
        whole = np.full(opaque.shape, COLOURS, np.uint8)
        whole[opaque] = numbers
        numbers = whole
    return numbers.reshape(colours.shape[:2]), table.ljust(768, b"\0")


def _exact(seen: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bytes] | None:
    wide = seen.astype(np.uint32)
    packed = wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2]
    there = np.zeros(1 << 24, bool)
    there[packed] = True
    found = np.flatnonzero(there)
    if found.size > COLOURS:
        return None
    numbers = np.empty(1 << 24, np.uint8)
    numbers[found] = np.arange(found.size, dtype=np.uint8)
    table = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.uint8)
    return numbers[packed], table.tobytes()


def _reduced(seen: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bytes]:
    """By Pillow; the palette comes from evenly spread pixels where there are very many."""
    sample = seen[:: max(1, len(seen) // _TRAINED_ON)]
    trained = Image.fromarray(np.ascontiguousarray(sample)[None]).quantize(COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)
    table = bytes(trained.getpalette() or b"")[: 3 * COLOURS]
    if len(sample) == len(seen):
        return np.asarray(trained)[0], table
    image = Image.fromarray(np.ascontiguousarray(seen)[None])
    return np.asarray(image.quantize(palette=trained, dither=Image.Dither.NONE))[0], table
