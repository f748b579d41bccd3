"""Where the object is: boxes of an alpha matte or a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from u2net.types import Box


def bounding_box(mask: NDArray[Any]) -> Box | None:
    """The smallest box around the true (non-zero) pixels of an (H, W) array; None where there are none.

    Half-open: (left, top, right, bottom) with right and bottom one past the last pixel, so that
    `pixels[top:bottom, left:right]` is the object.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
