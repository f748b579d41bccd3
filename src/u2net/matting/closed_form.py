"""Closed-form matting, through pymatting."""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from u2net.errors import MissingExtra
from u2net.system.install import install_hint
from u2net.types import Alpha, Trimap

log = logging.getLogger(__name__)

_WINDOW_PX = 3
_NON_ZEROS_A_PIXEL = 100
"""Of the preconditioner, at most; pymatting's own bound reserves 4 GB. 30 to 40 were seen."""
_SHIFT = 1e-3
"""Added to the preconditioner's diagonal. With 0, pymatting's own start, it often fails, is tried again with more, and
says so on standard output, where the picture may be going."""


def _missing() -> str:
    return f"edges 'hair' need pymatting; {install_hint('matting')}"


def require_pymatting() -> None:
    """Raise MissingExtra where pymatting is not installed; so that it is said before the network is loaded."""
    if "pymatting" not in sys.modules and importlib.util.find_spec("pymatting") is None:
        raise MissingExtra(_missing())


def solve(colors: NDArray[np.float32], trimap: Trimap, tolerance: float) -> Alpha | None:
    """The alpha of a trimap's unknown pixels.

    colors: (H, W, 3) float32 in [0, 1]. trimap: (H, W) with 0, 1 and 0.5. tolerance: the relative residual to stop
    at.
    Returns (H, W) float32 in [0, 1], or None, with a warning, where the solver finds no solution.
    Raises MissingExtra without pymatting.
    """
    if min(trimap.shape) < _WINDOW_PX:
        return None
    announce_compilation()
    try:
        from pymatting import cf_laplacian, cg, ichol
    except ImportError as error:
        raise MissingExtra(_missing()) from error
    known = trimap.ravel() != 0.5
    laplacian = cf_laplacian(colors.astype(np.float64), is_known=known.reshape(trimap.shape)).tocsr()
    rows = laplacian[~known]
    inner, outer = rows[:, ~known].tocsc(), rows[:, known]
    alpha = trimap.ravel().astype(np.float64)
    try:
        preconditioner = ichol(inner, shifts=[_SHIFT, 0.1, 10.0], max_nnz=_NON_ZEROS_A_PIXEL * inner.shape[0])
        alpha[~known] = cg(inner, -outer.dot(alpha[known]), M=preconditioner, rtol=tolerance)
    except ValueError as error:
        log.warning("closed-form matting found no solution: %s", error)
        return None
    return np.clip(alpha, 0, 1).astype(np.float32).reshape(trimap.shape)


def announce_compilation() -> None:
    """pymatting's first import compiles for a minute; say so, once."""
    if "pymatting" in sys.modules:
        return
    found = importlib.util.find_spec("pymatting")
    if found and found.origin and not any(Path(found.origin).parent.rglob("*.nbi")):
        log.warning("pymatting is compiled at its first use; that takes about a minute, once")
