"""What u2net does with a file: read it and, where that gives a small picture, write it in every format.

python tests/support/judge.py FOLDER does it with every file there, in one process; a line of JSON for each.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from u2net.compose.cutout import cutout
from u2net.errors import BadInput
from u2net.io.read import Source, read
from u2net.io.write import SUFFIX_OF_FORMAT

_SMALL_PIXELS = 1_000_000


def judge(source: Source) -> dict[str, Any]:
    """Use a file, and say what came of it.

    outcome: `read`, `refused`, or the name of an error that is not ours. message: of the error. seconds: on the clock,
    or of this process's own work where that is less, because the machine is busy with others. peak_mb: what this
    process has taken at most so far.
    """
    start, worked = time.perf_counter(), time.process_time()
    outcome, message = "read", ""
    try:
        _use(source)
    except BadInput as error:
        outcome, message = "refused", str(error)
    except Exception as error:  # noqa: BLE001  that is what is looked for
        outcome, message = type(error).__name__, str(error)
    seconds = min(time.perf_counter() - start, time.process_time() - worked)
    return {"outcome": outcome, "message": message, "seconds": seconds, "peak_mb": peak_mb()}


def _use(source: Source) -> None:
    picture = read(source)
    height, width = picture.size
    if height * width > _SMALL_PIXELS:
        return
    made = cutout(picture, np.ones(picture.size, np.float32))
    for file_format in SUFFIX_OF_FORMAT:
        for metadata in ("all", "private", "none"):
            _write(made, file_format, metadata)


def _write(made: Any, file_format: str, metadata: str) -> None:
    try:
        written = made.to_bytes(file_format, metadata=metadata)
    except BadInput as error:
        if "pixels a side" not in str(error):  # what a format cannot hold, PNG can
            raise RuntimeError(f"cannot be written as {file_format}: {error}") from error
    else:
        if read(written).size != made.size:
            raise RuntimeError(f"written as {file_format} it is another picture")


def peak_mb() -> float:
    """The most memory that this process has had, in megabytes; 0 where the system does not say.

    Linux counts the parent's memory into `ru_maxrss` of a process it starts, so there it is read from /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return next((float(line.split()[1]) / 1e3 for line in status.open() if line.startswith("VmHWM:")), 0.0)
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main(folder: Path) -> None:
    """Judge every file of a folder; its name is printed before, for the case that this process does not survive."""
    logging.disable()
    for path in sorted(folder.iterdir()):
        print(json.dumps({"name": path.name}), flush=True)
        print(json.dumps({"name": path.name, **judge(path)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
