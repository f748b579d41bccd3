"""All that an interrupted run needs to go on with the same numbers."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from u2net.atomic import atomic_file
from u2net.errors import BadInput, CannotWrite


@dataclass
class State:
    """Where a run is. network, average and optimizer are state dicts; average is empty where none is kept.

    best: the measures of the best validation so far. stale: validations since then.
    """

    step: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    average: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    stale: int = 0


def save_state(state: State, path: Path) -> None:
    """Write it whole or not at all. Raises CannotWrite, and the previous one is as it was."""
    try:
        with atomic_file(path) as stream:
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
    except (OSError, RuntimeError, EOFError, TypeError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: the state of the run cannot be read ({error})") from error
