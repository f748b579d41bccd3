"""Compare u2net with rembg 2.0.86: the same weight files, the same pictures, both tools in turn, in one run.

    python benchmarks/compare_rembg.py --output benchmarks/results/compare_rembg.json

Run it where u2net is installed; rembg gets its own environment, made by the first run. Linux and macOS. Measured are:
the whole process from its second start on (seconds, peak memory; 1.5 MP); the warm library, bytes of a JPEG to bytes
of a PNG (1.5 and 12 MP); `u2net --help` and `import u2net`. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import itertools
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import record

REMBG = "rembg[cpu,cli]==2.0.86"
MODELS = ("u2net", "u2netp")
PRECISIONS = ("f32", "auto")  # of u2net
SIZES = {"1.5 MP": (1500, 1000), "12 MP": (4000, 3000)}  # (width, height)
DISTRIBUTIONS = {
    "rembg": ("rembg", "onnxruntime", "numpy", "pillow"),
    "ours": ("u2net", "openvino", "numpy", "opencv-python-headless", "pillow"),
}

# What was asked for: at most so much of rembg's, and at most so many seconds.
TARGET_RATIOS = {
    "whole process, u2net f32": 0.40,
    "whole process, u2netp f32": 0.40,
    "peak memory, u2net f32": 0.75,
    "peak memory, u2net auto": 0.60,
    "peak memory, u2netp f32": 0.55,
    "warm, u2net, 1.5 MP, f32": 0.85,
    "warm, u2net, 12 MP, f32": 0.75,
    "warm, u2netp, 1.5 MP, f32": 0.50,
    "warm, u2netp, 12 MP, f32": 0.50,
}
TARGET_SECONDS = {"u2net --help": 0.12, "import u2net": 0.10}

# Threads of ONNX Runtime and OpenVINO spin for a moment after a call; the other tool must not pay for that.
SETTLE_S = 0.5
# The tools shrink a picture for the network differently, which makes .003 to .005 on a portrait. A cutout that is quick
# to make because it is empty or wrong is far above this.
ALPHAS_AGREE_BELOW = 0.03
# rembg takes its number of threads from the first; the second would make an editable u2net compile its sources at every
# start, while pip compiled rembg's; the third could lend one tool the other's packages.
UNWANTED_VARIABLES = ("OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")


@dataclass(frozen=True)
class Tool:
    """An interpreter that has one of the tools, and the environment variables it is started with."""

    python: Path
    environment: dict[str, str]

    def script(self, name: str) -> str:
        return str(self.python.with_name(name))

    def versions(self, distributions: Sequence[str]) -> dict[str, str]:
        code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
        found = subprocess.run([self.python, "-c", code, *distributions], stdout=subprocess.PIPE, text=True, check=True)
        return dict(zip(distributions, found.stdout.split(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", type=Path, default=record.REPO / "examples" / "astronaut.jpg", help="a photograph")
    parser.add_argument("--repeats", type=int, help="measured runs of each; default: 9 warm, 5 of a whole process")
    parser.add_argument("--rembg-venv", type=Path, default=record.REPO / ".venv-rembg", help="made where it is missing")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    parser.add_argument("--worker", choices=("rembg", *PRECISIONS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        serve(given.worker)
        return
    for name in UNWANTED_VARIABLES:
        os.environ.pop(name, None)
    report = record.facts("compare_rembg")
    with tempfile.TemporaryDirectory(prefix="compare-rembg-") as temporary:
        folder = Path(temporary)
        weights, report["precision_of_auto"] = in_own_process(open_models)
        for model, path in weights.items():
            (folder / f"{model}.onnx").symlink_to(path)
        tools = {
            "rembg": Tool(ensure_rembg(given.rembg_venv), {**os.environ, "U2NET_HOME": str(folder)}),
            "ours": Tool(Path(sys.executable), dict(os.environ)),
        }
        report["versions"] = {name: tool.versions(DISTRIBUTIONS[name]) for name, tool in tools.items()}
        pictures: dict[str, Path] = in_own_process(make_pictures, given.picture, folder)
        jpeg_mb = {size: path.stat().st_size / 1e6 for size, path in pictures.items()}
        report["picture"] = {"source": given.picture.name, "jpeg_mb": jpeg_mb}
        report["startup"] = measure_startup(tools["ours"], folder)
        report["whole_process"] = measure_processes(tools, pictures["1.5 MP"], folder, repeats=given.repeats or 5)
        report["warm"] = measure_warm(tools, pictures, folder, repeats=given.repeats or 9)
    # Every process starts with the peak of the one that started it: this must be far below what was measured.
    report["own_peak_mb"] = peak_mb(resource.getrusage(resource.RUSAGE_SELF))
    report["comparisons"] = compare(report)
    print_table(report)
    record.keep(report, given.output)


def ensure_rembg(folder: Path) -> Path:
    """The Python of rembg's environment, which is made where there is none."""
    python = folder.absolute() / "bin" / "python"
    if not python.with_name("rembg").is_file():
        print(f"installing {REMBG} into {folder}", file=sys.stderr)
        venv.create(folder, symlinks=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", REMBG], stdout=sys.stderr, check=True)
    found = Tool(python, {}).versions(["rembg"])["rembg"]
    if found != REMBG.split("==")[1]:
        raise SystemExit(f"{folder} holds rembg {found}, expected {REMBG}; delete it, or give another --rembg-venv")
    return python


def measure_startup(ours: Tool, folder: Path) -> dict[str, Any]:
    commands = {
        "u2net --help": [ours.script("u2net"), "--help"],
        "import u2net": [str(ours.python), "-c", "import u2net"],
        "an empty Python": [str(ours.python), "-c", "pass"],
    }
    runs = {what: functools.partial(run_process, command, ours, folder) for what, command in commands.items()}
    samples = in_turn(runs, repeats=15, what="startup")
    return {what: summary([seconds for seconds, _ in pairs]) for what, pairs in samples.items()}


def measure_processes(tools: dict[str, Tool], picture: Path, folder: Path, *, repeats: int) -> dict[str, Any]:
    """One picture, one process: model -> rembg, f32, auto (ours) -> seconds, peak memory."""
    measured: dict[str, Any] = {model: {} for model in MODELS}
    for model in MODELS:
        results = {name: folder / f"{model}-{name}.png" for name in ("rembg", *PRECISIONS)}
        command = [tools["rembg"].script("rembg"), "i", "-m", model, str(picture), str(results["rembg"])]
        runs = {"rembg": functools.partial(run_process, command, tools["rembg"], folder)}
        for precision in PRECISIONS:
            command = [tools["ours"].script("u2net"), "remove", str(picture), "-o", str(results[precision])]
            command += ["-m", model, "--precision", precision, "--offline", "--quiet"]
            runs[precision] = functools.partial(run_process, command, tools["ours"], folder)
        for name, pairs in in_turn(runs, repeats=repeats, what=f"whole process, {model}").items():
            seconds, peaks = zip(*pairs, strict=True)
            measured[model][name] = {"seconds": summary(seconds), "peak_mb": summary(peaks)}
        for precision in PRECISIONS:
            difference = in_own_process(alpha_difference, results["rembg"], results[precision])
            measured[model][precision]["alpha_difference"] = difference
    return measured


def measure_warm(tools: dict[str, Tool], pictures: dict[str, Path], folder: Path, *, repeats: int) -> dict[str, Any]:
    """Bytes to PNG bytes in processes that keep sessions: case -> rembg, f32, auto (ours) -> seconds, PNG size."""
    workers = {"rembg": start_worker("rembg", tools["rembg"])}
    workers |= {precision: start_worker(precision, tools["ours"]) for precision in PRECISIONS}
    measured: dict[str, Any] = {}
    for model, (size, picture) in itertools.product(MODELS, pictures.items()):
        case = f"{model}, {size}"
        results = {name: folder / f"{case}, {name}.png" for name in workers}
        runs = {name: functools.partial(ask, workers[name], model, picture, results[name]) for name in workers}
        samples = in_turn(runs, repeats=repeats, what=f"warm, {case}", warm_ups=2, settle_s=SETTLE_S)
        measured[case] = {
            name: {"seconds": summary(samples[name]), "png_mb": results[name].stat().st_size / 1e6} for name in workers
        }
        for precision in PRECISIONS:
            difference = in_own_process(alpha_difference, results["rembg"], results[precision])
            measured[case][precision]["alpha_difference"] = difference
    for worker in workers.values():
        worker.communicate()  # closes its stdin, at which it ends
    return measured


def in_turn(
    runs: Mapping[str, Callable[[], Any]], *, repeats: int, what: str, warm_ups: int = 1, settle_s: float = 0
) -> dict[str, list[Any]]:
    """Call each in turn, again and again, so that a busy moment of the machine meets all; the first do not count."""
    samples: dict[str, list[Any]] = {name: [] for name in runs}
    for number in range(warm_ups + repeats):
        print(f"{what}: {number + 1} of {warm_ups + repeats}", file=sys.stderr)
        for name, run in runs.items():
            time.sleep(settle_s)
            samples[name].append(run())
    return {name: values[warm_ups:] for name, values in samples.items()}


def run_process(command: list[str], tool: Tool, folder: Path) -> tuple[float, float]:
    """(wall seconds, peak memory in MB) of a command."""
    with (folder / "stderr.txt").open("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=tool.environment, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # Popen cannot ask any more: wait4 took the answer
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}:\n{errors.read()}")
    return seconds, peak_mb(usage)


def peak_mb(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6  # kilobytes on Linux, bytes on macOS


# -- the worker: this script in a tool's own interpreter, JSON lines in and out


def start_worker(name: str, tool: Tool) -> subprocess.Popen[str]:
    command = [str(tool.python), __file__, "--worker", name]
    return subprocess.Popen(command, env=tool.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(worker: subprocess.Popen[str], model: str, picture: Path, result: Path) -> float:
    """Let a worker cut a picture; seconds, without reading and writing the files."""
    assert worker.stdin and worker.stdout
    print(json.dumps([model, str(picture), str(result)]), file=worker.stdin, flush=True)
    answer = worker.stdout.readline()
    if not answer:
        raise SystemExit(f"the worker {worker.args!r} ended with {worker.wait()}")
    return float(json.loads(answer))


def serve(name: str) -> None:
    # A library that prints must not break the answers: what it takes for stdout becomes stderr.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module: Any = importlib.import_module("rembg" if name == "rembg" else "u2net")
    sessions: dict[str, Any] = {}
    for line in sys.stdin:
        model, picture, result = json.loads(line)
        if model not in sessions:
            if name == "rembg":
                sessions[model] = module.new_session(model)
            else:
                sessions[model] = module.open_session(model, precision=name, offline=True)
        data = Path(picture).read_bytes()
        start = time.perf_counter()
        if name == "rembg":
            png = module.remove(data, session=sessions[model])
        else:
            png = module.remove(data, sessions[model]).to_bytes("png")
        seconds = time.perf_counter() - start
        # Written once: the disk would still be at work in the other tool's turn.
        if not Path(result).exists():
            Path(result).write_bytes(png)
        print(json.dumps(seconds), file=answers)


# -- what needs u2net, numpy and Pillow: not in this process, because its children start with its peak memory


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def open_models() -> tuple[dict[str, Path], dict[str, str]]:
    """The weight files, fetched where they are missing, and the precision that `auto` means on this machine."""
    from u2net import open_session
    from u2net.models import registry, weights

    paths = {model: weights.locate(registry.MODELS[model]).absolute() for model in MODELS}
    return paths, {model: open_session(model).precision for model in MODELS}


def make_pictures(source: Path, folder: Path) -> dict[str, Path]:
    """The photograph as a JPEG of each size; the sides' ratio changes, which the network never sees (320 x 320)."""
    import numpy as np
    from PIL import Image, ImageOps

    pictures = {}
    original = ImageOps.exif_transpose(Image.open(source)).convert("RGB")
    for name, size in SIZES.items():
        enlarged = np.asarray(original.resize(size, Image.Resampling.LANCZOS), np.float32)
        # An enlarged picture is smooth, its PNG small and quick to make; a camera's picture has noise.
        noise = 2 * np.random.default_rng(0).standard_normal(enlarged.shape, np.float32)
        pixels = np.clip(np.rint(enlarged + noise), 0, 255).astype(np.uint8)
        pictures[name] = folder / f"{size[0]}x{size[1]}.jpg"
        Image.fromarray(pixels).save(pictures[name], quality=92)
    return pictures


def alpha_difference(rembg: Path, ours: Path) -> float:
    """The mean absolute difference of two PNG files' alpha channels, 0 to 1; an error where there is no agreement."""
    import numpy as np
    from PIL import Image

    alphas = [np.asarray(Image.open(path).convert("RGBA").getchannel("A"), np.float32) / 255 for path in (rembg, ours)]
    difference = float(np.abs(alphas[0] - alphas[1]).mean())
    if difference > ALPHAS_AGREE_BELOW:
        raise ValueError(f"{ours.name}: differs from rembg's alpha by {difference:.4f} on average: nothing to compare")
    return difference


def summary(samples: Sequence[float]) -> dict[str, Any]:
    samples = [round(sample, 4) for sample in samples]
    return {"median": round(statistics.median(samples), 4), "min": min(samples), "samples": samples}


def compare(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each pair of medians: the ratio ours / rembg, what was asked for, and whether that is met."""
    pairs: dict[str, tuple[float | None, float]] = {}
    for what, field in (("whole process", "seconds"), ("peak memory", "peak_mb")):
        for model, precision in itertools.product(MODELS, PRECISIONS):
            rembg, ours = (report["whole_process"][model][name][field]["median"] for name in ("rembg", precision))
            pairs[f"{what}, {model} {precision}"] = rembg, ours
    for (case, of), precision in itertools.product(report["warm"].items(), PRECISIONS):
        pairs[f"warm, {case}, {precision}"] = of["rembg"]["seconds"]["median"], of[precision]["seconds"]["median"]
    for case, of in report["warm"].items():
        pairs[f"PNG size, {case}"] = of["rembg"]["png_mb"], of["f32"]["png_mb"]
    pairs |= {what: (None, seconds["median"]) for what, seconds in report["startup"].items()}
    assert pairs.keys() >= TARGET_RATIOS.keys() | TARGET_SECONDS.keys()
    rows = []
    for what, (rembg, ours) in pairs.items():
        ratio = ours / rembg if rembg else None
        target, judged = (TARGET_SECONDS[what], ours) if what in TARGET_SECONDS else (TARGET_RATIOS.get(what), ratio)
        met = None if target is None or judged is None else judged <= target
        unit = "MB" if what.startswith(("peak", "PNG")) else "s"
        row = {"what": what, "unit": unit, "rembg": rembg, "ours": ours, "ratio": ratio and round(ratio, 4)}
        rows.append({**row, "target": target, "met": met})
    return rows


def print_table(report: dict[str, Any]) -> None:
    print(f"{'medians':<28}{'rembg':>12}{'ours':>12}{'ratio':>8}{'target':>8}")
    for row in report["comparisons"]:
        rembg, ours = (f"{row[tool]:.3f} {row['unit']:<2}" if row[tool] else "" for tool in ("rembg", "ours"))
        ratio, target = (f"{row[name]:.3f}" if row[name] else "" for name in ("ratio", "target"))
        verdict = {True: "met", False: "NOT MET", None: ""}[row["met"]]
        print(f"{row['what']:<28}{rembg:>12}{ours:>12}{ratio:>8}{target:>8}  {verdict}".rstrip())
    for case, measured in report["warm"].items():
        differences = ", ".join(f"{name} {measured[name]['alpha_difference']:.4f}" for name in PRECISIONS)
        print(f"mean difference of the alphas, {case}: {differences}")
    print(f"precision of auto here: {report['precision_of_auto']}")


if __name__ == "__main__":
    main()
