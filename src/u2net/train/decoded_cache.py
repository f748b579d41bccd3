"""Decoded pictures and truths, each decoded once: kept in memory, or in a file that outlives the run."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from u2net.datasets.ground_truth import Kind
from u2net.datasets.pairs import Pair
from u2net.errors import BadInput, CannotWrite
from u2net.system.digest import digest_of
from u2net.system.files import atomic_file
from u2net.system.hardware import this_machine
from u2net.types import Size

_BYTES: TypeAlias = NDArray[np.uint8]
_MAGIC = b"u2net decoded 1\n"
_PAGE_BYTES = 4096
# Of what is free: the rest is for the network, its gradients and everybody else.
_MEMORY_SHARE = 0.8


class Cache(Protocol):
    """Samples of one shape, (C, H, W) uint8, by their index."""

    def get(self, index: int) -> _BYTES | None:
        """A sample, not to be written to; None where it is not there yet."""

    def put(self, index: int, sample: _BYTES) -> None:
        """Keep a sample. Threads may do this at the same time."""


class MemoryCache:
    """A cache in memory, which is taken from the system as it fills. Raises BadInput where there is not enough."""

    def __init__(self, count: int, shape: tuple[int, int, int]) -> None:
        needed, free = count * int(np.prod(shape)), this_machine().free_bytes
        if free is not None and needed > _MEMORY_SHARE * free:
            raise BadInput(
                f"the decoded pictures take {needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free; "
                "keep them in a folder instead (--cache DIR)"
            )
        self._samples = np.empty((count, *shape), np.uint8)
        self._filled = np.zeros(count, np.bool_)

    def get(self, index: int) -> _BYTES | None:
        return self._samples[index] if self._filled[index] else None

    def put(self, index: int, sample: _BYTES) -> None:
        self._samples[index] = sample
        self._filled[index] = True


class FileCache:
    """A cache in a file of `folder`, named by what it holds: a second run finds it, a changed data set makes another.

    Processes may share it: all would write the same bytes. A sample counts once its checksum is there and right, so a
    process or machine that stops in between costs that sample alone.
    Raises CannotWrite where the folder cannot be written or has too little room.
    """

    def __init__(self, folder: Path, key: str, count: int, shape: tuple[int, int, int]) -> None:
        self.path = folder / f"decoded-{key}.u2net"
        self._sample_bytes = int(np.prod(shape))
        self._sums_at = _PAGE_BYTES
        self._samples_at = self._sums_at + -(-8 * count // _PAGE_BYTES) * _PAGE_BYTES
        size = self._samples_at + count * self._sample_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".u2net-decoded.lock"):
                if not self.path.is_file() or self.path.stat().st_size != size:
                    self._create(key, size)
            # Written through the file and only read through the map: on a full disk a write fails with an error,
            # where storing into a map kills the process.
            self._file = self.path.open("r+b", buffering=0)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._lock = threading.Lock()
        self._samples = np.memmap(self.path, np.uint8, "r", self._samples_at, (count, *shape))
        self._sums = np.memmap(self.path, np.uint64, "r", self._sums_at, (count,))
        self._checked = np.zeros(count, np.bool_)

    def _create(self, key: str, size: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if size > free:
            raise CannotWrite(
                f"{self.path.parent}: the decoded pictures take {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
                "give a folder on another disk"
            )
        with atomic_file(self.path) as stream:
            stream.write(_MAGIC + key.encode())
            stream.truncate(size)  # takes no room yet, where the file system knows files with holes

    def get(self, index: int) -> _BYTES | None:
        if self._checked[index]:
            return self._samples[index]
        if not self._sums[index] or self._sums[index] != _sum(self._samples[index]):
            return None
        self._checked[index] = True
        return self._samples[index]

    def put(self, index: int, sample: _BYTES) -> None:
        contiguous = np.ascontiguousarray(sample)
        try:
            with self._lock:
                self._write(self._samples_at + index * self._sample_bytes, contiguous.tobytes())
                self._write(self._sums_at + 8 * index, np.uint64(_sum(contiguous)).tobytes())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _write(self, position: int, data: bytes) -> None:
        self._file.seek(position)
        if self._file.write(data) != len(data):  # what a nearly full disk does before it says so
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fingerprint(pairs: Sequence[Pair], size: Size, kind: Kind, classes: int | None) -> str:
    """What a cache is named by: the files' paths, sizes and times of change, and what becomes of them. 16 digits."""
    files = [[_stamp(pair.picture), pair.truth and _stamp(pair.truth)] for pair in pairs]
    return digest_of(json.dumps([_MAGIC.decode(), size, kind, classes, files]))[:16]


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path.absolute()), -1, -1  # decoding it will say so
    return str(path.absolute()), status.st_size, status.st_mtime_ns


def _sum(sample: _BYTES) -> int:
    """Never 0, which stands for a sample that is not there."""
    return zlib.crc32(sample.data) | 1 << 32


def _unwritable(path: Path, error: OSError) -> CannotWrite:
    return CannotWrite(
        f"{path}: the decoded pictures cannot be kept there: {error.strerror or error}; give another folder, "
        "or keep them in memory"
    )
