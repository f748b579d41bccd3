"""Does the batch stay flat? `u2net remove` on 1,000 and on 10,000 pictures: time a picture and peak memory.

    python benchmarks/scale.py --output benchmarks/results/scale.json

What is measured is the machinery around the network, so the network is one convolution, of tests/support/, and the
pictures are small. Each run is a process; then the same again, where all is up to date. Prints a table, then JSON.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import record
from compare_rembg import Tool, in_own_process, run_process

SIDE_PX = 160
NETWORK_PX = 320


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 3_000, 10_000])
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    given = parser.parse_args()
    report: dict[str, Any] = {
        **record.facts("scale"),
        "runs": [],
    }
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        folder = Path(temporary)
        tool = Tool(Path(sys.executable), {**os.environ, "U2NET_CACHE": str(folder / "cache")})
        in_own_process(make_network, folder / "net.onnx")
        for count in given.counts:
            pictures, results = folder / f"in{count}", folder / f"out{count}"
            in_own_process(make_pictures, pictures, count)
            command = [sys.executable, "-m", "u2net", "remove", str(pictures), "-o", str(results)]
            command += ["-m", str(folder / "net.onnx"), "--quiet"]
            for what in ("made", "up to date"):
                print(f"{count} pictures, {what}", file=sys.stderr)
                seconds, peak = run_process(command, tool, folder)
                run = {"pictures": count, "what": what, "seconds": round(seconds, 2), "peak_mb": round(peak, 1)}
                report["runs"].append({**run, "ms_a_picture": round(1000 * seconds / count, 3)})
            made = sum(1 for _ in results.rglob("*.png"))
            if made != count:
                raise SystemExit(f"{made} of {count} results")
            report["runs"][-1]["record_mb"] = round((results / ".u2net.sqlite").stat().st_size / 1e6, 2)
            shutil.rmtree(pictures)
            shutil.rmtree(results)
    for run in report["runs"]:
        print(
            f"{run['pictures']:>7} {run['what']:<11}{run['ms_a_picture']:>9.2f} ms a picture{run['peak_mb']:>8.0f} MB"
        )
    record.keep(report, given.output)


def make_network(path: Path) -> None:
    sys.path.insert(0, str(record.REPO / "tests"))
    from support.small_onnx import small_network

    path.write_bytes(small_network(NETWORK_PX))


def make_pictures(folder: Path, count: int) -> None:
    """A bright disc somewhere on a dark ground, each another one, in folders of a hundred."""
    import cv2
    import numpy as np

    for number in range(count):
        place = folder / f"{number // 100:04}"
        if number % 100 == 0:
            place.mkdir(parents=True)
        random = np.random.default_rng(number)
        pixels = random.integers(0, 40, (SIDE_PX, SIDE_PX, 3), np.uint8)
        centre = tuple(map(int, random.integers(40, SIDE_PX - 40, 2)))
        cv2.circle(pixels, centre, 30, (200, 120, 240), cv2.FILLED, cv2.LINE_AA)
        cv2.imwrite(str(place / f"{number:06}.jpg"), pixels)


if __name__ == "__main__":
    main()
