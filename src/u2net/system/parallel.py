"""Work on all cores: bands of one large picture, or several pictures at a time within a budget of pixels."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from u2net.system.resources import usable_cores, usable_threads

BAND_PIXELS = 1 << 18
"""So much of a picture, as floats, stays in a core's cache."""

_MOST_THREADS = 4  # beyond, memory is what takes the time
_BANDS_ALONE = 4  # up to so many, threads take more time than they save


def map_bands(top: int, bottom: int, width: int, work: Callable[[slice], None]) -> None:
    """Call `work` with bands of rows, which together are those from `top` to `bottom` (half-open) of a picture of this
    width, several at a time. What it raises is raised."""
    step = max(1, BAND_PIXELS // width)
    bands = [slice(first, min(first + step, bottom)) for first in range(top, bottom, step)]
    if len(bands) <= _BANDS_ALONE:
        for band in bands:
            work(band)
        return
    with ThreadPoolExecutor(min(_MOST_THREADS, usable_cores()), "u2net-bands") as pool:
        list(pool.map(work, bands))


Item = TypeVar("Item")
Result = TypeVar("Result")

BUDGET_PIXELS = 32_000_000
"""So many pixels are in work at once: two pictures of a camera, or many small ones. What is larger is in work alone."""

DRAWN_PIXELS = 16_000_000
"""So many of them are being cut out and encoded, which takes three times the memory of reading and finding, and for
large pictures all cores: those do it one after the other."""

_AHEAD = 64
_LOOK_S = 0.5
_MOST_REQUESTS = 4
_THREADS_OF_REQUEST = 4


def requests_for(threads: int | None = None) -> int:
    """How many pictures to have in the network at a time where many wait, see `open_session`.

    Two, and from twelve threads on one for every four, at most four. Two on two cores, a core each, are a tenth quicker
    than one after the other with both cores, and take some 65 MB more.
    threads: at most so many.
    """
    cores = _threads(threads)
    return 1 if cores == 1 else min(max(2, cores // _THREADS_OF_REQUEST), _MOST_REQUESTS)


def pictures_in_flight(threads: int | None = None) -> int:
    """How many pictures to have in work at a time, those in the network included: one more, which is read or written
    meanwhile, where there is a core for it."""
    return max(2, min(requests_for(threads) + 1, _threads(threads)))


def _threads(most: int | None) -> int:
    return most or usable_threads()


class PixelBudget:
    """So many pixels may be in work; who needs more than is free waits, and who came first is first served."""

    def __init__(self, pixels: int = BUDGET_PIXELS) -> None:
        self._pixels = pixels
        self._taken = 0
        self._next_ticket = 0
        self._serving = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, pixels: int | None) -> Iterator[None]:
        """Wait until there is room. pixels: of one picture; None, when nobody knows, and more than there are: all."""
        weight = self._pixels if pixels is None else min(pixels, self._pixels)
        with self._changed:
            ticket = self._next_ticket
            self._next_ticket += 1
            self._changed.wait_for(lambda: ticket == self._serving and self._taken + weight <= self._pixels)
            self._serving += 1
            self._taken += weight
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= weight
                self._changed.notify_all()


def parallel_map(
    items: Iterable[Item | None],
    do: Callable[[Item], Result],
    *,
    at_once: int,
    ahead: int = _AHEAD,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, Result]]:
    """Do something with each item, in threads, and give each result as it comes, with its item's number from 0 on.

    items: asked for one by one, in this thread, and only when there is a thread free for it: any number goes. None
    among them: nothing is there now; results are given, and then it is asked for again.
    at_once: how many are in work. ahead: no item begins so many places ahead of one that is not done.
    stopping: from when on nothing new is begun; what is in work is done.
    Raises what `items` and `do` raise, when all that is in work is done.
    """
    running: dict[Future[Result], int] = {}
    source = iter(items)
    number, ended = 0, False
    with ThreadPoolExecutor(at_once, "u2net-picture") as pool:
        while True:
            idle = False
            while not ended and len(running) < at_once and number - min(running.values(), default=number) < ahead:
                if stopping():
                    ended = True
                    break
                try:
                    item = next(source)
                except StopIteration:
                    ended = True
                    break
                if item is None:
                    idle = True
                    break
                running[pool.submit(do, item)] = number
                number += 1
            if ended and not running:
                return
            # A wait without end could not be interrupted on Windows.
            finished, _ = wait(running, timeout=0 if idle else _LOOK_S, return_when=FIRST_COMPLETED)
            for future in finished:
                yield running.pop(future), future.result()
