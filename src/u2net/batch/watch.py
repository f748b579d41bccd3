"""Files that arrive while one looks: which of them have stopped growing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from u2net.batch.inputs import Job

POLL_S = 0.5
LONGEST_REST_S = 60.0
"""A look at many folders takes its time, so the rest after it is four times as long, but never longer than this."""

Stamp: TypeAlias = tuple[int, int, int]


class Arrivals:
    """Remembers what each file looked like. A file has arrived when two looks in a row see it alike and not empty."""

    def __init__(self) -> None:
        self._growing: dict[Path, Stamp] = {}
        self._arrived: dict[Path, Stamp] = {}

    def among(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Look: those of the jobs whose input has arrived since the last look. One that changes arrives again."""
        growing: dict[Path, Stamp] = {}
        arrived: dict[Path, Stamp] = {}
        for job in jobs:
            assert job.source is not None
            now = stamp(job.source)
            if now is None:
                continue
            if now == self._arrived.get(job.source):
                arrived[job.source] = now
            elif now == self._growing.get(job.source) and now[1] > 0:
                arrived[job.source] = self._arrived[job.source] = now
                yield job
            else:
                growing[job.source] = now
        self._growing, self._arrived = growing, arrived


def stamp(path: Path) -> Stamp | None:
    """What changes when a file is written to, or None where it is not there: time, bytes, which file it is."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
