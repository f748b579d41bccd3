"""Batches to learn from: each file is decoded once, and the next batches are made while the network learns."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from u2net.datasets.ground_truth import UNKNOWN_CLASS, Kind, read_pair
from u2net.datasets.pairs import Pair
from u2net.errors import BadInput
from u2net.models.card import ModelCard
from u2net.system.resources import usable_threads
from u2net.train.decoded_cache import Cache, FileCache, MemoryCache, fingerprint
from u2net.types import Size


def to_inputs(pictures: Tensor, card: ModelCard) -> Tensor:
    """Scale and normalise (N, 3, h, w) float in [0, 1] as `card` says. A black picture stays black."""
    if card.scale == "own-maximum":
        brightest = pictures.amax((1, 2, 3), keepdim=True)
        pictures = pictures / brightest.where(brightest > 0, 1)
    mean, std = (pictures.new_tensor(values)[:, None, None] for values in (card.mean, card.std))
    return (pictures - mean) / std


log = logging.getLogger("u2net")

_BYTES: TypeAlias = NDArray[np.uint8]
_TRUTH_CHANNELS: dict[Kind, int] = {"saliency": 1, "classes": 1, "image": 3}


@dataclass(frozen=True)
class Batch:
    """Pictures and truths as they come from the cache.

    pictures: (N, 3, H, W) uint8 RGB. truths: (N, 1, H, W) uint8, 0 to 255, or class ids; of `image` (N, 3, H, W).
    indices, names: of the samples that are really in it. soft: soft targets, (N, 1, H, W) uint8, where there are some.
    """

    pictures: Tensor
    truths: Tensor
    indices: tuple[int, ...]
    names: tuple[str, ...]
    soft: Tensor | None = None


class Dataset:
    """Pairs of picture and truth at one size. Threads may share it.

    names: of the pairs, in order. skipped: name -> why, of the pairs that could not be decoded so far.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        size: Size,
        kind: Kind = "saliency",
        classes: int | None = None,
        cache: Path | Literal["ram"] | None = "ram",
    ) -> None:
        """size: (H, W) that all are squashed to. classes: a truth with a higher id is skipped, but for 255 (unknown).

        cache: where decoded samples are kept: in memory, in a file in that folder, or (None) nowhere.
        Raises BadInput without pairs or where memory is too small for them, CannotWrite where the folder is.
        """
        if not pairs:
            raise BadInput("no pairs of picture and truth to learn from")
        self.names = tuple(pair.name for pair in pairs)
        self.skipped: dict[str, str] = {}
        self._pairs, self._size, self._kind, self._classes = tuple(pairs), size, kind, classes
        self._cache = self._open_cache(cache)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(usable_threads(), "u2net-decode")

    def _open_cache(self, cache: Path | Literal["ram"] | None) -> Cache | None:
        if cache is None:
            return None
        shape = (3 + _TRUTH_CHANNELS[self._kind], *self._size)
        if cache == "ram":
            return MemoryCache(len(self), shape)
        key = fingerprint(self._pairs, self._size, self._kind, self._classes)
        return FileCache(Path(cache), key, len(self), shape)

    def __len__(self) -> int:
        return len(self._pairs)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The samples at `indices`; for one that cannot be decoded, the next one that can.

        That goes by the order of the pairs, so an interrupted and resumed run gets the same samples as an unbroken one.
        Raises BadInput where not a single sample can be decoded, CannotWrite where a cache's disk is full.
        """
        kept = [(index, self._cache.get(index) if self._cache else None) for index in indices]
        coming = {index: self._pool.submit(self._decodable, index) for index, sample in kept if sample is None}
        pictures = torch.empty((len(kept), 3, *self._size), dtype=torch.uint8)
        truths = torch.empty((len(kept), _TRUTH_CHANNELS[self._kind], *self._size), dtype=torch.uint8)
        used = []
        for place, (wanted, sample) in enumerate(kept):
            index, found = (wanted, sample) if sample is not None else coming[wanted].result()
            pictures.numpy()[place], truths.numpy()[place] = found[:3], found[3:]
            used.append(index)
        return Batch(pictures, truths, tuple(used), tuple(self.names[index] for index in used))

    def _decodable(self, wanted: int) -> tuple[int, _BYTES]:
        for step in range(len(self)):
            index = (wanted + step) % len(self)
            sample = self._sample(index)
            if sample is not None:
                return index, sample
        first = next(iter(self.skipped.values()))
        raise BadInput(f"none of the {len(self)} pictures can be learned from; the first: {first}")

    def _sample(self, index: int) -> _BYTES | None:
        """(3 + C, H, W) uint8: picture, then truth; None where they cannot be used."""
        if self._cache and (kept := self._cache.get(index)) is not None:
            return kept
        name = self.names[index]
        if name in self.skipped:
            return None
        try:
            sample = self._decode(self._pairs[index])
        except BadInput as error:
            with self._lock:
                known = name in self.skipped  # another thread may have been as far
                self.skipped[name] = str(error)
            if not known:
                log.warning("skipped: %s", error)
            return None
        if self._cache:
            self._cache.put(index, sample)
        return sample

    def _decode(self, pair: Pair) -> _BYTES:
        picture, truth = read_pair(pair, self._kind, self._size)
        if self._classes is not None:
            highest = int(truth[truth != UNKNOWN_CLASS].max(initial=0))
            if highest >= self._classes:
                raise BadInput(f"{pair.truth}: holds class {highest}, and there are {self._classes}, counted from 0")
        sample = np.empty((3 + _TRUTH_CHANNELS[self._kind], *self._size), np.uint8)
        sample[:3] = picture.transpose(2, 0, 1)
        sample[3:] = truth.transpose(2, 0, 1) if truth.ndim == 3 else truth
        return sample


class Samples(Protocol):
    """Where batches come from: `Dataset`, or `device_dataset.DeviceDataset`, which has all on the device."""

    names: tuple[str, ...]
    skipped: dict[str, str]

    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int]) -> Batch: ...


def batches(dataset: Samples, order: Iterable[Sequence[int]], *, ahead: int = 2) -> Iterator[Batch]:
    """The batches of `order`, up to `ahead` of them made in the background while the caller uses one.

    Of data on the device each is made when it is asked for: taking it is all that there is to do.

    What a batch raises is raised in its place. `order` is read in the caller's thread and may be endless; closing the
    iterator ends the background thread.
    """
    if not isinstance(dataset, Dataset):
        yield from map(dataset.batch, order)
        return
    coming: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1, "u2net-batches") as worker:
        try:
            for indices in order:
                coming.append(worker.submit(dataset.batch, indices))
                if len(coming) > ahead:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for batch in coming:
                batch.cancel()
