"""Where the time goes: OpenVINO's own counters, added up for each stage of the network and each kind of layer.

    python benchmarks/layers.py --output benchmarks/results/layers.json

Run it where u2net is installed and nothing else runs. Each model is compiled as u2net compiles it, plus the counters;
each layer's time is the median of all runs. Prints two tables a model, then one line of JSON.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import record

from u2net.inference.engines.openvino import prepared_model
from u2net.inference.int8_ranges import find_ranges
from u2net.models import registry, weights
from u2net.models.cache import tables_dir
from u2net.types import Tensor

CONVOLUTIONS = {
    "En_1": 14, "En_2": 12, "En_3": 10, "En_4": 8, "En_5": 8, "En_6": 8,
    "De_5": 8, "De_4": 8, "De_3": 10, "De_2": 12, "De_1": 14, "side outputs": 7,
}  # fmt: skip
"""How many each stage has, in the order of the file; the last ones are the six side outputs' and the fused one's."""
KINDS = {"Subgraph": "additions and sigmoids", "Add": "additions and sigmoids", "Sigmoid": "additions and sigmoids"}
NAMES = {
    "Convolution": "convolutions", "Interpolate": "enlarging", "Concat": "putting side by side", "MaxPool": "pooling",
    "MatMul": "enlarging", "FullyConnected": "enlarging",
    "Reorder": "changing the order in memory",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["u2netp", "u2net"])
    parser.add_argument("--precision", choices=("f32", "bf16", "int8"), default="f32")
    parser.add_argument("--threads", type=int, help="default: as many as OpenVINO takes")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    given = parser.parse_args()
    report: dict[str, Any] = {
        **record.facts("layers"),
        "openvino": ov.__version__,
        "precision": given.precision,
        "models": {name: profile(name, given.precision, given.threads, given.runs) for name in given.models},
    }
    for name, found in report["models"].items():
        print_tables(name, found)
    record.keep(report, given.output)


def profile(name: str, precision: str, threads: int | None, runs: int) -> dict[str, Any]:
    """Times in ms, multiply-adds in millions: in all, by stage, by kind, and of each layer that takes 1 % or more."""
    core = ov.Core()
    spec = registry.MODELS[name]
    path = weights.locate(spec)
    model = core.read_model(path)
    stages, multiply_adds = stages_of(model), multiply_adds_of(model)
    ranges = find_ranges(spec, path, tables_dir()) if precision == "int8" else None
    model = prepared_model(core, path, spec, ranges)
    config: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32" if precision == "int8" else precision,
        "ENABLE_CPU_PINNING": False,
    }
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    tensor = np.random.default_rng(0).standard_normal((1, 3, 320, 320), np.float32)
    # In turn: what counting costs, the other one does not know.
    plain = core.compile_model(model, "CPU", config).create_infer_request()
    counting = core.compile_model(model, "CPU", {**config, "PERF_COUNT": True}).create_infer_request()
    wall: dict[str, list[float]] = {"plain": [], "counting": []}
    samples: dict[str, list[float]] = defaultdict(list)
    layers: dict[str, Any] = {}
    for number in range(runs + 2):
        for which, request in (("plain", plain), ("counting", counting)):
            took = timed(request, tensor)
            if number >= 2:
                wall[which].append(took)
        for layer in counting.get_profiling_info() if number >= 2 else []:
            samples[layer.node_name].append(layer.real_time.total_seconds() * 1e3)
            layers[layer.node_name] = layer
    times = {layer: statistics.median(values) for layer, values in samples.items()}
    whole = sum(times.values())
    by_stage, by_kind = Counter[str](), Counter[str]()
    adds_of_stage = Counter[str]()
    rows = []
    for layer, time_ms in times.items():
        stage = stages.get(number_of(layer), "input" if layer.startswith(("input", "picture")) else "side outputs")
        kind = layers[layer].node_type
        by_stage[stage] += time_ms  # type: ignore[assignment]
        by_kind[KINDS.get(kind, NAMES.get(kind, "the rest"))] += time_ms  # type: ignore[assignment]
        adds = multiply_adds.get(layer, (0.0, ""))
        adds_of_stage[stage] += adds[0]  # type: ignore[assignment]
        if time_ms >= whole / 100:
            rows.append({"layer": layer, "stage": stage, "kind": kind, "by": layers[layer].exec_type, "ms": time_ms})
            rows[-1] |= {"shape": adds[1], "multiply_adds_m": adds[0]} if adds[0] else {}
    order = ["input", *CONVOLUTIONS]
    return {
        "runs": runs,
        "wall_ms": {which: {"median": statistics.median(took), "min": min(took)} for which, took in wall.items()},
        "sum_ms": whole,
        "multiply_adds_m": sum(adds for adds, _ in multiply_adds.values()),
        "stages": {
            stage: {"ms": by_stage[stage], "multiply_adds_m": adds_of_stage[stage]}
            for stage in order
            if by_stage[stage]
        },
        "kinds": dict(by_kind.most_common()),
        "layers": sorted(rows, key=lambda row: -row["ms"]),
    }


def timed(request: Any, tensor: Tensor) -> float:
    """Milliseconds of a run."""
    start = time.perf_counter()
    request.infer({0: tensor}, share_inputs=True)
    return (time.perf_counter() - start) * 1e3


def number_of(name: str) -> int:
    """What an exported layer is called by, its place in the file: Conv_12/WithoutBiases; -1 where it has none."""
    found = re.match(r"[A-Za-z]+_(\d+)", name)
    return int(found[1]) if found else -1


def stages_of(model: Any) -> dict[int, str]:
    """The stage of each numbered layer: an addition ends its stage, anything else belongs to the next convolution."""
    kinds = {
        number_of(layer.get_friendly_name()): layer.get_type_name()
        for layer in model.get_ordered_ops()
        if layer.get_type_name() in ("Convolution", "MaxPool", "Interpolate", "Concat", "Add", "Relu")
        and layer.get_output_partial_shape(0).rank.get_length() == 4  # else it works out a size
        and re.match(r"(Conv|MaxPool|Resize|Concat|Add|Relu)_", layer.get_friendly_name())
        and not (layer.get_type_name() == "Add" and layer.get_friendly_name().startswith("Conv_"))  # a bias
    }
    names = iter([stage for stage, count in CONVOLUTIONS.items() for _ in range(count)])
    found: dict[int, str] = {}
    waiting: list[int] = []
    stage = "En_1"
    for number in sorted(kinds):
        waiting.append(number)
        if kinds[number] == "Convolution":
            stage = next(names)
        elif kinds[number] not in ("Add", "Relu"):
            continue
        found |= dict.fromkeys(waiting, stage)
        waiting = []
    found |= dict.fromkeys(waiting, stage)
    assert next(names, None) is None, "not a network of 119 convolutions"
    return found


def multiply_adds_of(model: Any) -> dict[str, tuple[float, str]]:
    """(millions of multiply-adds, input -> output channels and size) of each convolution."""
    found = {}
    for layer in model.get_ordered_ops():
        if layer.get_type_name() == "Convolution":
            out, channels, high, wide = layer.input(1).get_shape()
            height, width = layer.output(0).get_shape()[2:]
            adds = out * channels * high * wide * height * width / 1e6
            found[layer.get_friendly_name()] = adds, f"{channels} -> {out}, {high}x{wide}, {height}x{width}"
    return found


def print_tables(name: str, found: dict[str, Any]) -> None:
    wall = found["wall_ms"]
    print(f"\n{name}: {wall['plain']['median']:.1f} ms, {wall['counting']['median']:.1f} ms while counting, ", end="")
    print(f"{found['sum_ms']:.1f} ms in all layers; {found['multiply_adds_m'] / 1e3:.1f} G multiply-adds")
    print(f"  {'stage':<30}{'ms':>8}{'share':>8}{'G/s':>8}")
    for stage, of in found["stages"].items():
        rate = f"{of['multiply_adds_m'] / of['ms']:8.1f}" if of["multiply_adds_m"] else ""
        print(f"  {stage:<30}{of['ms']:8.1f}{of['ms'] / found['sum_ms']:8.1%}{rate}")
    for kind, time_ms in found["kinds"].items():
        print(f"  {kind:<30}{time_ms:8.1f}{time_ms / found['sum_ms']:8.1%}")
    for row in found["layers"][:16]:
        rate = f"{row['multiply_adds_m'] / row['ms']:8.1f}" if "multiply_adds_m" in row else ""
        what = f"{row['stage']} {row.get('shape', row['layer'])}"
        print(f"    {what:<36}{row['by']:<22}{row['ms']:8.2f}{row['ms'] / found['sum_ms']:8.1%}{rate}")


if __name__ == "__main__":
    main()
