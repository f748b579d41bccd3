"""What u2net has to work with here: the machine, the packages, each engine on each device, the cache, the weights."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from u2net.diagnostics.probe import ProbeResult, list_devices, probe_device
from u2net.inference.engines import DISTRIBUTIONS, installed, version_of
from u2net.models import weights
from u2net.models.cache import cache_dir
from u2net.models.registry import MODELS
from u2net.models.spec import ModelSpec
from u2net.system.hardware import Machine, this_machine
from u2net.version import __version__

PACKAGES = ("numpy", "pillow", "opencv-python-headless", "tifffile", "click", "rich")
TIMED_MODELS = ("u2net", "u2netp")
"""Those that find the object of the picture they are timed with; others look for people or clothes."""


@dataclass(frozen=True)
class Engine:
    """An engine. packages: those of its that are installed, with versions; problem: why it cannot be loaded, or None.

    trials: one for each device that it lists and each precision there.
    """

    name: str
    packages: dict[str, str]
    problem: str | None
    trials: tuple[ProbeResult, ...]


@dataclass(frozen=True)
class Cache:
    """The cache folder. problem: why nothing can be written there, or None. free_bytes: None: unknown."""

    folder: str
    problem: str | None
    free_bytes: int | None


@dataclass(frozen=True)
class Weights:
    """A model's weight file. state: of `weights.state`; path: where it lies, or None; bytes: its published size."""

    model: str
    state: weights.State
    path: str | None
    bytes: int


@dataclass(frozen=True)
class Examination:
    """All that the doctor saw. timed_model: the model that the trials were timed with, or None: no weights are here."""

    u2net: str
    machine: Machine
    packages: dict[str, str | None]
    engines: tuple[Engine, ...]
    timed_model: str | None
    cache: Cache
    weights: tuple[Weights, ...]


def examine(on_step: Callable[[str], None] = lambda _: None) -> Examination:
    """Look at everything and try each engine; fetches nothing. on_step: told what is being done."""
    on_step("looking at the machine")
    machine = this_machine()
    on_step("checking the weights")
    cache = look_at_cache(cache_dir())
    files = tuple(look_at_weights(spec) for spec in MODELS.values())
    timed = next((file.model for file in files if file.state == "verified" and file.model in TIMED_MODELS), None)
    return Examination(
        u2net=__version__,
        machine=machine,
        packages={name: version_of(name) for name in PACKAGES},
        engines=tuple(look_at_engine(name, timed, on_step) for name in DISTRIBUTIONS),
        timed_model=timed,
        cache=cache,
        weights=files,
    )


def look_at_engine(name: str, model: str | None, on_step: Callable[[str], None] = lambda _: None) -> Engine:
    """Try an engine on all of its devices, timed with a model whose weights are here (None: not timed)."""
    packages = installed(name)
    on_step(f"loading {name}")
    devices, problem = list_devices(name, model)
    trials = []
    for found in devices:
        for precision in found.precisions:
            on_step(f"trying {name} on {found.device} in {precision}")
            trials.append(probe_device(name, found, precision, model))
    return Engine(name, packages, problem, tuple(trials))


def look_at_cache(folder: Path) -> Cache:
    """Whether files can be written there, by writing one; a folder that is not there yet is made, as a fetch would."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        problem = None
    except OSError as error:
        problem = error.strerror or str(error)
    existing = next((above for above in (folder, *folder.parents) if os.path.isdir(above)), None)
    return Cache(str(folder), problem, shutil.disk_usage(existing).free if existing else None)


def look_at_weights(spec: ModelSpec) -> Weights:
    """Whether a model's file is here and the right one."""
    state, path = weights.state(spec)
    return Weights(spec.name, state, str(path) if path else None, spec.size_bytes)
