"""Frames that a file holds as parts: what is drawn where, for how long, and what becomes of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from u2net.types import Size

MAX_FRAMES = 5_000
"""More are refused. A thousand take the network more than a minute; a file may declare millions that hold nothing."""

Disposal: TypeAlias = Literal["none", "background", "previous"]

Canvas: TypeAlias = NDArray[np.uint8]
"""(H, W, 4) RGBA, straight alpha: all that is to be seen."""


@dataclass(frozen=True, eq=False)
class Part:
    """A frame as GIF and APNG hold it.

    left, top, size: where it lies, and its (H, W); what is beyond the canvas is cut off. duration_ms: 0 where the file
    says 0.
    disposal: what becomes of its place before the next one: it stays, is cleared (transparent), or is as it was before.
    over: laid over what is there by its alpha; else it takes its place.
    decode: gives (h, w, 4) RGBA uint8, straight alpha; raises what `decoders.DAMAGE` names.
    """

    left: int
    top: int
    size: Size
    duration_ms: float
    disposal: Disposal
    over: bool
    decode: Callable[[], Canvas]


@dataclass(frozen=True, eq=False)
class Parts:
    """What a look through a file has found, without decoding a pixel.

    size: of the canvas, (H, W). plays: how often it is shown, 0 for ever. found: at most MAX_FRAMES + 1, which stands
    for more.
    damage: what is wrong after the last part, or empty.
    """

    size: Size
    plays: int
    found: tuple[Part, ...]
    damage: str = ""
