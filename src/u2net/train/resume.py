"""The folder of a run, and all that an interrupted run needs to go on with the same numbers."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from u2net.errors import BadInput
from u2net.io.decoders import DAMAGE
from u2net.networks.checkpoint import PART_KEY
from u2net.system.digest import digest_of
from u2net.system.files import atomic_file, make_folder, writing
from u2net.train.config import PLACES, TrainConfig, configured, read_settings
from u2net.train.distributed import Process

CONFIG, STATE, BEST, LAST = "config.json", "state.json", "best.safetensors", "last.safetensors"
_PARTS = ("network", "average", "optimizer")
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


def save_state(state: State, out: Path) -> None:
    """Write it whole or not at all: the parts first, then state.json, which names them; then the old parts go.

    In parts so that those of u2netp stay below 15 MB each, for places that take no larger file.
    Raises CannotWrite, and the previous one is as it was.
    """
    path, parts = out / STATE, {}
    with writing(f"{path}: the state of the run", over=path):
        for part in _PARTS:
            buffer = io.BytesIO()
            torch.save({PART_KEY: part, "step": state.step, "values": getattr(state, part)}, buffer)
            name = f"state-{state.step:06}-{part}.pt"
            with atomic_file(out / name, durable=True) as stream:
                stream.write(buffer.getbuffer())
            parts[part] = {"file": name, "sha256": digest_of(buffer.getbuffer())}
        rest = {name: value for name, value in vars(state).items() if name not in _PARTS}
        with atomic_file(path, durable=True) as stream:
            stream.write(json.dumps(rest | {"parts": parts}, indent=1).encode())
        for old in set(out.glob("state-*-*.pt")) - {out / part["file"] for part in parts.values()}:
            old.unlink(missing_ok=True)


def load_state(out: Path) -> State:
    """Raises BadInput where it, or a part of it, is missing or damaged."""
    path = out / STATE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        parts = values.pop("parts")
        for part in _PARTS:
            path = out / str(parts[part]["file"])
            data = path.read_bytes()
            if digest_of(data) != parts[part]["sha256"]:
                raise BadInput(f"{path}: the state of the run cannot be read (its checksum is another)")
            values[part] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)["values"]
        return State(**values)
    except FileNotFoundError as error:
        if path.name == STATE:
            raise BadInput(f"{path}: there is no run to go on with; leave --resume out to begin one") from error
        raise BadInput(f"{path}: is missing, a part of the state of the run; copy it there") from error
    except (*DAMAGE, KeyError, pickle.UnpicklingError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path}: the state of the run cannot be read ({error})") from error


def begin(config: TrainConfig, out: Path, process: Process, *, resume: bool) -> State:
    """Make the folder of a run, or read where the run there ended, and write the settings.

    Raises BadInput where there is a run already and `resume` is not asked for, or none and it is, or one of another
    number of processes: then the order of the pictures would be another.
    """
    state = load_state(out) if resume else State(world=process.world)
    if state.world != process.world:
        raise BadInput(f"{out}: this run has {state.world} processes, not {process.world}; a resumed run keeps that")
    if not process.first:
        return state
    if not resume and (out / STATE).exists():
        raise BadInput(f"{out}: holds a run already; go on with it (--resume) or name another folder")
    if not resume and (out / BEST).exists():
        raise BadInput(f"{out}: holds {BEST} of another run, which cannot be gone on with; name another folder")
    make_folder(out)
    with writing(f"{out / CONFIG}:", over=out / CONFIG), atomic_file(out / CONFIG, durable=True) as stream:
        stream.write(config.to_json().encode())
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
