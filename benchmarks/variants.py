"""What would make the network faster: each idea beside today's way, in turn, in one run.

    python benchmarks/variants.py --output benchmarks/results/variants.json

Run it where u2net is installed and nothing else runs. Each variant is the same network, compiled from another graph or
with other settings; its fused map is compared with today's. Prints the median and the ratio to today's, worked out
round by round, with the quartiles of that ratio, and the same of the processor's time, which other programs disturb
less than the clock's; then one line of JSON.
"""

from __future__ import annotations

import argparse
import operator
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import record
from openvino import opset13 as opset

from u2net import read
from u2net.inference.engines.int8 import quantize_graph
from u2net.inference.engines.openvino import prepared_model
from u2net.inference.int8_ranges import find_ranges
from u2net.inference.transforms import from_pixels
from u2net.models import registry, weights
from u2net.models.cache import tables_dir
from u2net.types import Tensor

Run = Callable[[], Any]
LATENCY: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
TODAY = "today"
SETTINGS: dict[str, dict[str, Any]] = {
    TODAY: LATENCY,
    "today, once more": LATENCY,  # what two equal things differ by
    "hint THROUGHPUT": {"PERFORMANCE_HINT": "THROUGHPUT", "ENABLE_CPU_PINNING": False},
    "threads pinned": {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": True},
    "cores of performance only": {**LATENCY, "SCHEDULING_CORE_TYPE": "PCORE_ONLY"},
    "denormals are zero": {**LATENCY, "CPU_DENORMALS_OPTIMIZATION": True},
    "one thread": {**LATENCY, "INFERENCE_NUM_THREADS": 1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["u2netp", "u2net"])
    parser.add_argument("--precision", choices=("f32", "bf16", "int8"), default="f32")
    parser.add_argument("--threads", type=int, help="default: as many as OpenVINO takes")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="+", help="these variants, and today's")
    parser.add_argument("--picture", type=Path, default=record.REPO / "examples" / "astronaut.jpg", help="a photograph")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    given = parser.parse_args()
    report: dict[str, Any] = {
        **record.facts("variants"),
        "openvino": ov.__version__,
        "precision": given.precision,
        "transparent_hugepage": pages(),
        "models": {},
    }
    for model in given.models:
        report["models"][model] = compare(model, given)
        print_table(model, report["models"][model])
    record.keep(report, given.output)


def compare(model: str, given: argparse.Namespace) -> dict[str, Any]:
    spec = registry.MODELS[model]
    path = weights.locate(spec)
    tensor = from_pixels(read(given.picture).pixels, spec)
    core = ov.Core()
    graphs: dict[str, Callable[[Any], Any]] = {
        "maps enlarged by Interpolate": lambda graph: graph,
        "fused map only": fused_only,
        "fused map only, added up": added_up,
        "fused map only, side convolutions in two": lambda graph: added_up(graph, split=True),
    }

    def compiled(graph: Any, config: dict[str, Any], source: Tensor = tensor) -> Run:
        config = {**config, "INFERENCE_PRECISION_HINT": "f32" if ranges else given.precision}
        if given.threads:
            config = {"INFERENCE_NUM_THREADS": given.threads, **config}
        request = core.compile_model(graph, "CPU", config).create_infer_request()
        return lambda: np.array(request.infer({0: source}, share_inputs=True)[0])

    ranges = find_ranges(spec, path, tables_dir()) if given.precision == "int8" else None
    runs = {
        name: compiled(prepared_model(core, path, spec, ranges), config)
        for name, config in SETTINGS.items()
        if chosen(name, given)
    }
    for name, change in graphs.items():
        if chosen(name, given):
            graph = core.read_model(path)
            if ranges:
                quantize_graph(graph, ranges)
            runs[name] = compiled(change(graph), LATENCY)
    if chosen("bytes as input", given):
        small = (tensor[0].transpose(1, 2, 0) * spec.std + spec.mean) * 255
        graph = takes_bytes(core.read_model(path), spec)
        runs["bytes as input"] = compiled(graph, LATENCY, np.rint(small).clip(0, 255).astype(np.uint8)[None])

    truth = runs[TODAY]()
    samples: dict[str, list[float]] = {name: [] for name in runs}
    worked: dict[str, list[float]] = {name: [] for name in runs}
    off = {name: float(np.abs(run() - truth).max()) for name, run in runs.items()}
    for number in range(given.rounds):
        for name in list(runs) if number % 2 == 0 else list(runs)[::-1]:
            start, processor = time.perf_counter(), time.process_time()
            runs[name]()
            worked[name].append((time.process_time() - processor) * 1e3)
            samples[name].append((time.perf_counter() - start) * 1e3)
    found = {}
    for name, times in samples.items():
        ratios = [own / today for own, today in zip(times, samples[TODAY], strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        found[name] = {
            "median_ms": statistics.median(times), "min_ms": min(times), "ratio": statistics.median(ratios),
            "ratio_quartiles": [low, high], "ratio_of_min": min(times) / min(samples[TODAY]), "off_by": off[name],
            "processor_ms": statistics.median(worked[name]),
            "processor_ratio": statistics.median(map(operator.truediv, worked[name], worked[TODAY])),
        }  # fmt: skip
    return found


def chosen(name: str, given: argparse.Namespace) -> bool:
    return name == TODAY or not given.only or name in given.only


def fused_only(graph: Any) -> Any:
    """The network without the six results that nobody asks for."""
    return ov.Model([graph.outputs[0]], graph.get_parameters())


def added_up(graph: Any, *, split: bool = False) -> Any:
    """The fused map as a sum: the 1x1 convolution's weights go into the side convolutions, its bias stays.

    split: a 3x3 convolution from C channels to 1 becomes a 1x1 to 9, one for each place of the kernel, and the sum of
    these where they belong: SIMD has 8 lanes or more, of which a convolution to one channel uses one.
    """
    sigmoid = graph.outputs[0].get_node().input_value(0).get_node()
    fusing, bias = two_inputs(sigmoid.input_value(0))
    sides = fusing.input_value(0).get_node()
    mixing = fusing.input_value(1).get_node().data.reshape(-1)  # (1, 6, 1, 1) -> (6,)
    total = float(bias.sum())
    out = None
    for weight, side in zip(mixing, sides.input_values(), strict=True):
        enlarging = side.get_node() if side.get_node().get_type_name() == "Interpolate" else None
        one, own_bias = two_inputs(enlarging.input_value(0) if enlarging else side)
        kernel = one.input_value(1).get_node().data * weight  # (1, C, 3, 3)
        total += float(own_bias.sum() * weight)
        source = one.input_value(0)
        if split:
            channels = kernel.shape[1]
            places = kernel[0].reshape(channels, 9).T.reshape(9, channels, 1, 1)
            source = opset.convolution(source, opset.constant(np.ascontiguousarray(places)), *flat(0)).output(0)
            kernel = np.eye(9, dtype=np.float32).reshape(1, 9, 3, 3)
        made = opset.convolution(source, opset.constant(np.ascontiguousarray(kernel)), *flat(1))
        if enlarging:
            size = opset.constant(np.array(side.get_shape()[2:], np.int32))
            axes = opset.constant(np.array([2, 3], np.int32))
            made = opset.interpolate(
                made, size, "linear_onnx", "sizes", coordinate_transformation_mode="half_pixel", axes=axes
            )
        out = made if out is None else opset.add(out, made)
    result = opset.sigmoid(opset.add(out, opset.constant(np.full((1, 1, 1, 1), total, np.float32))))
    return ov.Model([result], graph.get_parameters())


def flat(pad: int) -> tuple[list[int], ...]:
    """Stride, pads and dilation of a convolution that keeps the size."""
    return [1, 1], [pad, pad], [pad, pad], [1, 1]


def two_inputs(output: Any) -> tuple[Any, Any]:
    """(the convolution, its bias) of what an addition gives."""
    node = output.get_node()
    assert node.get_type_name() == "Add", node
    first, second = (value.get_node() for value in node.input_values())
    convolution, other = (first, second) if first.get_type_name() == "Convolution" else (second, first)
    while other.get_type_name() != "Constant":
        other = other.input_value(0).get_node()
    return convolution, other.data


def takes_bytes(graph: Any, spec: Any) -> Any:
    """The network with the scaling in it: (1, h, w, 3) uint8 in. It divides by 255, not by the picture's maximum."""
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(graph)
    source = steps.input()
    source.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    source.model().set_layout(ov.Layout("NCHW"))
    scaled = source.preprocess().convert_element_type(ov.Type.f32)
    scaled.mean([255 * one for one in spec.mean]).scale([255 * one for one in spec.std])
    return steps.build()


def pages() -> str | None:
    state = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return state.read_text().strip() if state.exists() else None


def print_table(model: str, found: dict[str, Any]) -> None:
    print(f"\n{model:<44}{'ms':>8}{'ratio':>8}   quartiles    of min  processor   off by")
    for name, of in found.items():
        low, high = of["ratio_quartiles"]
        print(f"  {name:<42}{of['median_ms']:8.1f}{of['ratio']:8.3f}   {low:.3f} {high:.3f}", end="")
        print(f"{of['ratio_of_min']:9.3f}{of['processor_ratio']:11.3f}   {of['off_by']:.1e}")


if __name__ == "__main__":
    main()
