"""Where weight files, int8 tables and compiled models are kept on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from u2net.models.spec import ModelSpec

PACKAGED = Path(__file__).resolve().parent / "data"
"""The weight files that come with u2net."""


def cache_dir() -> Path:
    """The folder that weight files are kept in: `$U2NET_CACHE`, else the user's cache folder of the system."""
    given = os.environ.get("U2NET_CACHE")
    return Path(os.path.expanduser(given)) if given else platformdirs.user_cache_path("u2net", appauthor=False)


def tables_dir() -> Path:
    """Where `u2net quantize` puts the tables of models known by name."""
    return cache_dir() / "int8"


def own_path(spec: ModelSpec) -> Path:
    """Where a model's file lies, or would lie, in our cache folder."""
    return cache_dir() / spec.file


def compiled_models(name: str, cache_dir: Path) -> list[Path]:
    """The compiled models of one name that earlier starts have kept."""
    return [path for precision in ("int8", "bf16", "f32") for path in cache_dir.glob(f"{name}-{precision}-*.blob")]
