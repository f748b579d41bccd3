"""Training data that lies whole on the device: decoded once at the start, batches are taken by index there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from u2net.datasets.ground_truth import read_pair, squash
from u2net.datasets.pack import Pack, PackedSample, read_samples
from u2net.datasets.pairs import Pair
from u2net.errors import BadInput
from u2net.system.hardware import this_machine
from u2net.system.resources import usable_threads
from u2net.train.dataset import Batch
from u2net.types import Size

log = logging.getLogger("u2net")

_CHUNK = 256
_MEMORY_SHARE = 0.8
"""Of what is free: the rest is for the network and its gradients."""


class DeviceDataset:
    """Pairs of kind `saliency` at one size, as uint8 on a device. What `Dataset` can do, this can.

    names: of the pairs, in order. skipped: name -> why, of those that could not be decoded and are left out.
    """

    def __init__(self, samples: Iterator[PackedSample], count: int, *, size: Size, soft: bool, device: torch.device):
        """samples: at most `count`, of any size. soft: whether they have soft targets.

        Raises BadInput where there is none, or where they do not fit into the device's memory.
        """
        needed = count * (4 + soft) * size[0] * size[1]
        free = _free_bytes(device)
        if free is not None and needed > _MEMORY_SHARE * free:
            raise BadInput(
                f"the decoded pictures take {needed / 1e9:.1f} GB on {device} and {free / 1e9:.1f} GB are free; "
                "use a smaller --size, or pairs in a folder with --set cache=DIR"
            )
        self.skipped: dict[str, str] = {}
        planes = torch.empty((count, 4 + soft, *size), dtype=torch.uint8, device=device)
        names: list[str] = []
        chunk = np.empty((min(_CHUNK, count), 4 + soft, *size), np.uint8)
        filled = 0
        for sample in samples:
            chunk[filled, :3] = squash(sample.picture, size).transpose(2, 0, 1)
            chunk[filled, 3] = squash(sample.truth, size)
            if sample.soft is not None:
                chunk[filled, 4] = squash(sample.soft, size)
            names.append(sample.name)
            filled += 1
            if filled == len(chunk):
                planes[len(names) - filled : len(names)] = torch.from_numpy(chunk).to(device)
                filled = 0
        if filled:
            planes[len(names) - filled : len(names)] = torch.from_numpy(chunk[:filled]).to(device)
        if not names:
            raise BadInput("no pairs of picture and truth to learn from")
        self.names = tuple(names)
        self._planes = planes

    @property
    def soft(self) -> bool:
        """Whether there are soft targets."""
        return self._planes.shape[1] > 4

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The samples at `indices`, on the device."""
        # Copied from memory that is pinned: the processor need not wait for what the device still does.
        chosen = torch.tensor(indices)
        if self._planes.is_cuda:
            chosen = chosen.pin_memory().to(self._planes.device, non_blocking=True)
        planes = self._planes.index_select(0, chosen)
        soft = planes[:, 4:] if self.soft else None
        return Batch(planes[:, :3], planes[:, 3:4], tuple(indices), tuple(self.names[index] for index in indices), soft)


def of_pack(pack: Pack, names: Sequence[str], *, size: Size, device: torch.device) -> DeviceDataset:
    """The pairs of these names. Raises BadInput for a damaged shard."""
    return DeviceDataset(read_samples(pack, names), len(names), size=size, soft=bool(pack.soft), device=device)


def of_pairs(pairs: Sequence[Pair], *, size: Size, device: torch.device) -> DeviceDataset:
    """Pairs of files. One that cannot be decoded is left out, named and counted."""
    skipped: dict[str, str] = {}

    def decoded(pair: Pair) -> PackedSample | None:
        try:
            return PackedSample(pair.name, *read_pair(pair, "saliency", size))
        except BadInput as error:
            skipped[pair.name] = str(error)
            log.warning("skipped: %s", error)
            return None

    found = DeviceDataset(_some(pairs, decoded), len(pairs), size=size, soft=False, device=device)
    found.skipped.update(skipped)
    return found


def _some(pairs: Sequence[Pair], decoded: Callable[[Pair], PackedSample | None]) -> Iterator[PackedSample]:
    with ThreadPoolExecutor(usable_threads(), "u2net-decode") as pool:
        for start in range(0, len(pairs), _CHUNK):
            yield from filter(None, pool.map(decoded, pairs[start : start + _CHUNK]))


def _free_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return this_machine().free_bytes if device.type == "cpu" else None
