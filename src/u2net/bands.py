"""Work on large pictures, band by band, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from u2net.cgroup import usable_cores

BAND_PIXELS = 1 << 18
"""So much of a picture, as floats, stays in a core's cache."""

_MOST_THREADS = 4  # beyond, memory is what takes the time
_BANDS_ALONE = 4  # up to so many, threads take more time than they save


def in_bands(top: int, bottom: int, width: int, work: Callable[[slice], None]) -> None:
    """Call `work` with bands of rows, which together are those from `top` to `bottom` (half-open) of a picture of this
    width, several at a time. What it raises is raised."""
    step = max(1, BAND_PIXELS // width)
    bands = [slice(first, min(first + step, bottom)) for first in range(top, bottom, step)]
    if len(bands) <= _BANDS_ALONE:
        for band in bands:
            work(band)
        return
    with ThreadPoolExecutor(min(_MOST_THREADS, usable_cores()), "u2net-bands") as pool:
        list(pool.map(work, bands))
