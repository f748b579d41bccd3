"""How many multiply-adds a second this processor does at most, and how near the networks come.

    python benchmarks/peak.py --output benchmarks/results/peak.json

Run it where u2net is installed, best where nothing else runs. Measured are, with OpenVINO, in f32 and what else the
processor has: a large matrix product; convolutions of the networks' own shapes, eight in a row; and the networks. All
in turn, with one thread, by the processor's time, so that other programs disturb little; the best of all rounds counts,
for a limit is what a busy moment never exceeds. And the memory, with numpy. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import record
from openvino import opset13 as opset

from u2net.inference.engines.openvino import prepared_model
from u2net.inference.int8_ranges import find_ranges
from u2net.models import registry, weights
from u2net.models.cache import tables_dir

Run = Callable[[], Any]
NETWORKS = {"u2netp": 19.8e9, "u2net": 58.6e9}  # multiply-adds at 320 x 320
CHAIN = 8
CONVOLUTIONS = {
    "64 -> 64, 3x3, 320x320": (64, 64, 320),
    "16 -> 16, 3x3, 160x160": (16, 16, 160),
    "64 -> 64, 3x3, 80x80": (64, 64, 80),
    "256 -> 256, 3x3, 40x40": (256, 256, 40),
    "512 -> 512, 3x3, 20x20": (512, 512, 20),
}
MATRIX = 1536


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    given = parser.parse_args()
    core = ov.Core()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    # INT8 is listed wherever a program for it exists; without VNNI it takes three instructions in place of one.
    precisions = ["f32", *(["bf16"] if "BF16" in capabilities else []), *(["int8"] if "INT8" in capabilities else [])]
    cases: dict[tuple[str, str], tuple[float, Run]] = {}
    for precision in precisions:
        cases[precision, "matrix product"] = 2 * MATRIX**3, matrices(core, precision)
        for shape, (inputs, outputs, side) in CONVOLUTIONS.items():
            adds = CHAIN * inputs * outputs * 9 * side**2
            cases[precision, shape] = adds, convolutions(core, (inputs, outputs, side), precision)
    for name, adds in NETWORKS.items():
        for precision in precisions:
            cases[precision, name] = adds, network(core, name, precision)
    best = dict.fromkeys(cases, float("inf"))
    for number in range(given.rounds + 1):
        for case, (_, run) in cases.items():
            start = time.process_time()
            run()
            if number:
                best[case] = min(best[case], time.process_time() - start)
    rates = {case: adds / best[case] for case, (adds, _) in cases.items()}
    report: dict[str, Any] = {
        **record.facts("peak"),
        "openvino": ov.__version__,
        "capabilities": list(capabilities),
        "gigabytes_per_s": memory_rate(),
        "multiply_adds_per_processor_second": {
            precision: {what: rate for (of, what), rate in rates.items() if of == precision} for precision in precisions
        },
    }
    print_table(report)
    record.keep(report, given.output)


def matrices(core: Any, precision: str) -> Run:
    numbers = np.random.default_rng(0).uniform(-1, 1, (MATRIX, MATRIX)).astype(np.float32)
    source = opset.parameter([MATRIX, MATRIX], np.float32)
    out = source
    for _ in range(2):
        out = opset.matmul(rounded(out, precision), factors(numbers, precision), False, False)
    return compiled(core, ov.Model([out], [source]), numbers, precision)


def convolutions(core: Any, shape: tuple[int, int, int], precision: str) -> Run:
    inputs, outputs, side = shape
    generator = np.random.default_rng(0)
    kernel = (generator.uniform(-1, 1, (outputs, inputs, 3, 3)) / inputs).astype(np.float32)
    source = opset.parameter([1, inputs, side, side], np.float32)
    out = source
    for _ in range(CHAIN):
        one = opset.convolution(rounded(out, precision), factors(kernel, precision), [1, 1], [1, 1], [1, 1], [1, 1])
        out = opset.relu(one)
    tensor = generator.uniform(-1, 1, (1, inputs, side, side)).astype(np.float32)
    return compiled(core, ov.Model([out], [source]), tensor, precision)


def network(core: Any, name: str, precision: str) -> Run:
    tensor = np.random.default_rng(0).standard_normal((1, 3, 320, 320), np.float32)
    path = weights.locate(registry.MODELS[name])
    ranges = find_ranges(registry.MODELS[name], path, tables_dir()) if precision == "int8" else None
    return compiled(core, prepared_model(core, path, registry.MODELS[name], ranges), tensor, precision)


def rounded(out: Any, precision: str) -> Any:
    """For int8 what tells OpenVINO that a value has 256 steps."""
    if precision != "int8":
        return out
    low, high = (opset.constant(np.float32(limit)) for limit in (-1.0, 1.0))
    return opset.fake_quantize(out, low, high, low, high, 256)


def factors(values: Any, precision: str) -> Any:
    if precision != "int8":
        return opset.constant(values)
    step = np.float32(np.abs(values).max() / 127)
    return opset.multiply(
        opset.convert(opset.constant(np.rint(values / step).astype(np.int8)), "f32"), opset.constant(step)
    )


def compiled(core: Any, model: Any, tensor: Any, precision: str) -> Run:
    config = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False, "INFERENCE_NUM_THREADS": 1}
    config["INFERENCE_PRECISION_HINT"] = "f32" if precision == "int8" else precision
    request = core.compile_model(model, "CPU", config).create_infer_request()
    return lambda: request.infer({0: tensor}, share_inputs=True)


def memory_rate() -> float:
    """10^9 bytes a second, read and written, of a copy that no cache holds; one thread."""
    source = np.ones(1 << 28, np.uint8)
    target = np.empty_like(source)
    times = []
    for _ in range(8):
        start = time.process_time()
        np.copyto(target, source)
        times.append(time.process_time() - start)
    return 2 * source.nbytes / min(times) / 1e9


def print_table(report: dict[str, Any]) -> None:
    print("10^9 multiply-adds in a second of one processor core, and its share of the best in that precision")
    for precision, rates in report["multiply_adds_per_processor_second"].items():
        for what, rate in rates.items():
            print(f"  {precision:<5} {what:<28}{rate / 1e9:8.1f}{rate / max(rates.values()):8.0%}")
    print(f"memory: {report['gigabytes_per_s']:.1f} GB/s copied, read and written, one thread")


if __name__ == "__main__":
    main()
