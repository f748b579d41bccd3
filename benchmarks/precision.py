"""What int8 and bf16 cost in accuracy, and what they gain in time, against f32 in OpenVINO and in ONNX Runtime.

    python benchmarks/precision.py --images ECSSD/images --truths ECSSD/truths --output …/results/precision.json

Accuracy: each network in each precision that this processor has, on the whole set, measured as `u2net evaluate` does.
Latency: the network alone, one picture of 320 x 320, all in turn in one process, medians. A processor of x86 without
VNNI computes int8 slower than one with it, and its results are the same to the last bits of a sum.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import record

MODELS = ("u2net", "u2netp")
LOST = {"MAE": 0.001, "wF": 0.002, "S": 0.002}  # at most so much worse than f32
LATENCY = {"u2net": 0.30, "u2netp": 0.40}  # of ONNX Runtime's f32, asked for of a processor with VNNI


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=Path, help="pictures; without them only latency is measured")
    parser.add_argument("--truths", type=Path, help="their truths, by name")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--precisions", nargs="+", help="measure the accuracy of these only; default: all there are")
    parser.add_argument("--limit", type=int, help="use so many pictures, evenly spread")
    parser.add_argument("--repeats", type=int, default=30, help="runs of each for the latency")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    given = parser.parse_args()
    report: dict[str, Any] = {
        **record.facts("precision"),
        "asked_for": {"lost": LOST, "latency": LATENCY},
        "models": {},
    }
    for model in given.models:
        row: dict[str, Any] = {"latency": latency(model, given.repeats)}
        if given.images:
            row["accuracy"] = accuracy(model, given.images, given.truths, given.limit, given.precisions)
        report["models"][model] = row
        tell(model, row)
    record.keep(report, given.output)


def precisions(model: str) -> list[str]:
    """Those that this processor computes in, f32 first."""
    import u2net
    from u2net.errors import EngineUnavailable

    found = []
    for precision in ("f32", "bf16", "int8"):
        try:
            with u2net.open_session(model, precision=precision) as session:  # type: ignore[arg-type]
                found.append(session.precision)
        except EngineUnavailable:
            continue
    return found


def latency(model: str, repeats: int) -> dict[str, dict[str, float]]:
    """Milliseconds of the network alone, and the share of ONNX Runtime's."""
    import u2net

    if repeats == 0:
        return {}
    sessions: dict[str, Any] = {"onnxruntime f32": u2net.open_session(model, engine="onnxruntime")}
    sessions |= {name: u2net.open_session(model, precision=name) for name in precisions(model)}  # type: ignore[arg-type]
    tensor = np.random.default_rng(0).normal(0, 1, (1, 3, 320, 320)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(repeats + 2):
        for name, session in sessions.items():
            time.sleep(0.1)  # the other engine's threads spin for a moment
            start = time.perf_counter()
            session.run(tensor)
            times[name].append((time.perf_counter() - start) * 1000)
    medians = {name: statistics.median(each[2:]) for name, each in times.items()}
    rows = {}
    for name, median in medians.items():
        ordered = sorted(times[name][2:])
        rows[name] = {
            "median_ms": round(median, 1),
            "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
            "of_onnxruntime": round(median / medians["onnxruntime f32"], 3),
        }
    for session in sessions.values():
        session.close()
    return rows


def accuracy(
    model: str, images: Path, truths: Path, limit: int | None, only: list[str] | None
) -> dict[str, dict[str, float]]:
    """The measures in each precision, and how far the maps are from those in f32."""
    import u2net
    from u2net.evaluation.evaluate import evaluate, map_by, pair_up

    pairs = pair_up(images, truths)
    if limit:
        wanted = min(limit, len(pairs))
        pairs = [pairs[number * len(pairs) // wanted] for number in range(wanted)]
    rows: dict[str, dict[str, float]] = {}
    for precision in only or precisions(model):
        start = time.perf_counter()
        with u2net.open_session(model, precision=precision) as session:  # type: ignore[arg-type]
            summary = evaluate(pairs, map_by(session)).summary
        rows[precision] = {name: round(float(summary[name]), 5) for name in ("MAE", "wF", "S", "maxF", "meanE")}
        rows[precision]["pictures"] = len(pairs)
        rows[precision]["seconds"] = round(time.perf_counter() - start)
        print(model, precision, rows[precision], flush=True)
    return rows


def tell(model: str, row: dict[str, Any]) -> None:
    for name, each in row["latency"].items():
        print(f"{model:7} {name:16} {each['median_ms']:7.1f} ms  {each['of_onnxruntime']:.2f} of ONNX Runtime")
    found = row.get("accuracy", {})
    for precision, each in found.items():
        if "f32" not in found:
            print(f"{model:7} {precision:5} {each}")
            continue
        lost = {name: each[name] - found["f32"][name] for name in LOST}
        lost["MAE"] *= -1
        kept = all(-change <= LOST[name] for name, change in lost.items())
        print(
            f"{model:7} {precision:5} MAE {each['MAE']:.4f}  weighted F {each['wF']:.4f}  S {each['S']:.4f}"
            f"  {'kept' if kept else 'LOST'}"
        )


if __name__ == "__main__":
    main()
