"""More than one process, started by torchrun: who am I, and what do the others say. Alone everything is at hand."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from u2net.errors import EngineUnavailable


@dataclass(frozen=True)
class Process:
    """One of `world` processes."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean over processes; all must call this."""
        if self.world > 1:
            value = value.clone()
            distributed.all_reduce(value)
            value /= self.world
        return value

    def largest(self, number: float) -> float:
        """Of the numbers of all; all must call this."""
        if self.world == 1:
            return number
        found = torch.tensor(float(number), device=self.device)
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return float(found)

    def share(self, tensors: list[Tensor]) -> None:
        """Give all the tensors of the first; all must call this."""
        if self.world > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def gather(self, items: list[Any]) -> list[Any]:
        """The items of all, in the order of ranks; all must call this."""
        if self.world == 1:
            return items
        found: list[list[Any]] = [[] for _ in range(self.world)]
        distributed.all_gather_object(found, items)
        return [item for part in found for item in part]


@contextlib.contextmanager
def joined(device: str) -> Iterator[Process]:
    """Take part in what torchrun started, or be alone.

    device: `auto`, or torch's name of one: cpu, cuda, cuda:1, mps. Raises EngineUnavailable where it is not there.
    """
    try:
        world, local_rank = (int(os.environ.get(*each)) for each in (("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")))
    except ValueError as error:
        raise EngineUnavailable(
            f"WORLD_SIZE and LOCAL_RANK are whole numbers, which torchrun sets ({error})"
        ) from error
    chosen = choose_device(device, local_rank=local_rank if world > 1 else None)
    if world == 1:
        yield Process(chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    try:
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    except (ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EngineUnavailable(f"{world} processes were to be joined, which torchrun starts ({reason})") from error
    try:
        yield Process(chosen, distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()


def choose_device(name: str, *, local_rank: int | None = None) -> torch.device:
    """The device of a name. local_rank: which of a machine's GPUs; None: the first."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None and local_rank is not None:
            device = torch.device("cuda", local_rank)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EngineUnavailable(f"torch has no device '{name}' here ({reason}); use --device cpu") from error
    return device
