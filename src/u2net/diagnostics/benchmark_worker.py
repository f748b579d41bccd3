"""One combination of model, engine and precision, measured in a process of its own, which `benchmark` starts."""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from u2net.errors import U2NetError, UnreadablePicture

MARK = "u2net bench: "  # drivers print, too
FIRST_MAP = "first map"
NETWORK_SHARE, PICTURE_SHARE, TOGETHER_SHARE = 0.4, 0.3, 0.3
"""How the time given is divided: the network alone, whole pictures one by one, several threads at once."""
_LEAST_RUNS = 2


def main() -> None:
    """Answer the question in argv: a line when the first map is there, a line of JSON at the end."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # as in the command line
    try:
        answer = measure(**json.loads(sys.argv[1]))
    except U2NetError as error:
        answer = {"problem": str(error), "error": type(error).__name__, "exit_code": error.exit_code}
    _say(json.dumps(answer))


def measure(
    *, session: dict[str, Any], pictures: list[str], threads_at_once: int, seconds: float | None
) -> dict[str, Any]:
    """Open a session, and measure with it for so many seconds; None: only say what the session is.

    session: what `open_session` takes. pictures: files, taken in turn. threads_at_once: how many share the session for
    the throughput.
    Returns `engine`, `precision`, `device`; and if measured `network_s` and `picture_s`, a number a run,
    `pictures_per_s`, `memory_bytes` (the peak with one picture at a time), `memory_together_bytes` and `found`, whether
    there is an object in the first picture.
    """
    from u2net.inference.open_session import open_session
    from u2net.inference.predict import predict
    from u2net.inference.transforms import from_pixels
    from u2net.io.read import read
    from u2net.system.hardware import peak_memory
    from u2net.tasks.remove import remove

    first = _bytes_of(pictures[0])
    opened = open_session(**session)
    what = {"engine": opened.engine, "precision": opened.precision, "device": opened.device}
    if seconds is None:
        return what
    found = predict(opened, read(first)).found
    _say(FIRST_MAP)

    files = itertools.cycle([first] if len(pictures) == 1 else [_bytes_of(path) for path in pictures])
    tensor = from_pixels(read(first).pixels, opened.spec)

    def cut_out(data: bytes) -> None:
        remove(data, opened).to_bytes("png")

    opened.run(tensor)  # the first runs are slower: caches, and threads that are made
    network_s = _times(lambda: opened.run(tensor), seconds * NETWORK_SHARE)
    cut_out(first)
    picture_s = _times(lambda: cut_out(next(files)), seconds * PICTURE_SHARE)
    memory = peak_memory()
    rate = _throughput(cut_out, files, threads_at_once, seconds * TOGETHER_SHARE)
    return {
        **what,
        "found": found,
        "network_s": network_s,
        "picture_s": picture_s,
        "pictures_per_s": rate,
        "memory_bytes": memory,
        "memory_together_bytes": peak_memory(),
    }


def _bytes_of(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnreadablePicture(f"{path}: cannot be read: {error.strerror or error}") from error


def _times(run: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each run, again and again for so long."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(round(time.perf_counter() - start, 6))
    return times


def _throughput(work: Callable[[bytes], None], files: Any, threads: int, seconds: float) -> float:
    """Pictures a second with several threads, each of which does at least two; the last ones count to their end."""
    done, lock = itertools.count(), threading.Lock()
    failures: list[U2NetError] = []
    start = time.perf_counter()

    def go_on() -> None:
        own = 0
        try:
            while own < 2 or time.perf_counter() < start + seconds:
                with lock:
                    data = next(files)
                work(data)
                own += 1
                next(done)
        except U2NetError as error:
            failures.append(error)

    workers = [threading.Thread(target=go_on) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    return next(done) / (time.perf_counter() - start)


def _say(text: str) -> None:
    print("\n" + MARK + text, flush=True)  # noqa: T201
