"""Memory that the step frees stays with the process."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to give nothing back to the system; returns whether there is a glibc that could be told.

    It takes tensors of megabytes from the system and gives them back at once, for which the system zeroes every page,
    each step anew: in a step of u2netp on a CPU that was a third of the time.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))
