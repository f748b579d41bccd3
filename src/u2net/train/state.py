"""The folder of a run, and all that an interrupted run needs to go on with the same numbers."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from u2net.atomic import atomic_file
from u2net.damage import DAMAGE
from u2net.errors import BadInput, CannotWrite
from u2net.train.checkpoint import write
from u2net.train.config import PLACES, TrainConfig, configured, read_settings
from u2net.train.distributed import Process

CONFIG, STATE, BEST, LAST = "config.json", "state.pt", "best.safetensors", "last.safetensors"
_FREE = {*PLACES, "device", "patience", "save_every", "licence"} - {"init"}
"""Settings that a resumed run may have otherwise: where things are and when they are saved, not what is computed."""


@dataclass
class State:
    """Where a run is. network, average and optimizer are state dicts; average is empty where none is kept.

    best: the measures of the best validation so far. stale: validations since then. card: the model card, as JSON.
    world: how many processes it is of.
    """

    step: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    average: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    stale: int = 0
    card: str = ""
    world: int = 1


def save_state(state: State, path: Path) -> None:
    """Write it whole or not at all. Raises CannotWrite, and the previous one is as it was."""
    try:
        with atomic_file(path, durable=True) as stream:
            torch.save(vars(state), stream)
    except (OSError, RuntimeError) as error:  # torch's own writer turns a full disk into a RuntimeError
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or ["the disk may be full"])[0]
        kept = "; the one that lay there is as it was" if path.exists() else ""
        raise CannotWrite(f"{path}: the state of the run cannot be written: {reason}{kept}") from error


def load_state(path: Path) -> State:
    """Raises BadInput where it is missing or damaged."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        return State(**found)
    except FileNotFoundError as error:
        raise BadInput(f"{path}: there is no run to go on with; leave --resume out to begin one") from error
    except (*DAMAGE, pickle.UnpicklingError) as error:
        raise BadInput(f"{path}: the state of the run cannot be read ({error})") from error


def begin(config: TrainConfig, out: Path, process: Process, *, resume: bool) -> State:
    """Make the folder of a run, or read where the run there ended, and write the settings.

    Raises BadInput where there is a run already and `resume` is not asked for, or none and it is, or one of another
    number of processes: then the order of the pictures would be another.
    """
    state = load_state(out / STATE) if resume else State(world=process.world)
    if state.world != process.world:
        raise BadInput(f"{out}: this run has {state.world} processes, not {process.world}; a resumed run keeps that")
    if not process.first:
        return state
    if not resume and (out / STATE).exists():
        raise BadInput(f"{out}: holds a run already; go on with it (--resume) or name another folder")
    if not resume and (out / BEST).exists():
        raise BadInput(f"{out}: holds {BEST} of another run, which cannot be gone on with; name another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{out}: the folder cannot be made: {error.strerror or error}") from error
    write(out / CONFIG, config.to_json().encode())
    return state


def settings_of(out: Path, given: Mapping[str, Any]) -> TrainConfig:
    """The settings of the run in a folder, some given anew. Raises BadInput where its numbers would change."""
    if not (out / CONFIG).is_file():
        raise BadInput(f"{out}: there is no run to go on with; leave --resume out to begin one")
    before = read_settings(out / CONFIG)
    given = json.loads(json.dumps(given))  # so that a tuple is equal to the list it has become
    changed = [name for name, value in given.items() if name not in _FREE and before.get(name) != value]
    if changed:
        name = changed[0]
        raise BadInput(f"{out}: this run has {name} {before.get(name)}, not {given[name]}; a resumed run keeps it")
    return configured({name: given[name] for name in given if name in _FREE}, begin=before)
