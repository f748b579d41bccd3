"""Folders: `u2net remove` beside `rembg p` of rembg 2.0.86: same weight files, same pictures, in turn, in one run.

    python benchmarks/batch.py --pictures ECSSD/images --output benchmarks/results/batch.json

Two folders: 300 pictures as they are, and 40 of 12 megapixels made of others of them. Three ways to do each: `rembg p`;
`u2net remove` as it comes, which does more (edges follow the picture, colors of the old background go); and with
`--edges none --no-foreground`, which is what `rembg p` does. Each is a process of its own with an empty folder for its
results; measured are its seconds, start included, and its peak memory. With --requests, `u2net remove` is also measured
with other numbers of pictures in the network and in work at a time, in the first precision. Prints a table, then one
line of JSON.
"""

from __future__ import annotations

import argparse
import functools
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import record
from compare_rembg import (
    DISTRIBUTIONS,
    MODELS,
    SETTLE_S,
    UNWANTED_VARIABLES,
    Tool,
    alpha_difference,
    ensure_rembg,
    in_own_process,
    in_turn,
    open_models,
    run_process,
    summary,
)

LARGE = (4000, 3000)  # (width, height)
PLAIN = ["--edges", "none", "--no-foreground"]

# What was asked for: at least so many times rembg's throughput, and at most so much of its memory.
THROUGHPUT = {"u2net int8": 3.5, "u2netp int8": 2.5}
MEMORY = 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, metavar="DIR", help="photographs, 340 or more")
    parser.add_argument("--small", type=int, default=300, help="how many as they are (default: 300)")
    parser.add_argument("--large", type=int, default=40, help="how many of 12 megapixels (default: 40)")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--precision", nargs="+", default=["f32"], help="of u2net remove; default: f32")
    parser.add_argument("--repeats", type=int, default=1, help="rounds; one picture each before them does not count")
    parser.add_argument(
        "--requests", nargs="+", default=[], metavar="N,M", help="N in the network, M in work; with the first precision"
    )
    parser.add_argument("--rembg-venv", type=Path, default=record.REPO / ".venv-rembg", help="made where it is missing")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    given = parser.parse_args()
    # While this project's sources are run from another place than they are installed in, PYTHONPATH says where.
    own_path = os.environ.get("PYTHONPATH")
    for name in UNWANTED_VARIABLES:
        os.environ.pop(name, None)
    report = record.facts("batch")
    with tempfile.TemporaryDirectory(prefix="batch-") as temporary:
        folder = Path(temporary)
        weights, report["precision_of_auto"] = in_own_process(open_models)
        for model, path in weights.items():
            (folder / f"{model}.onnx").symlink_to(path)
        ours = {**os.environ, **({"PYTHONPATH": own_path} if own_path else {})}
        tools = {
            "rembg": Tool(ensure_rembg(given.rembg_venv), {**os.environ, "U2NET_HOME": str(folder)}),
            "ours": Tool(Path(sys.executable), ours),
        }
        report["versions"] = {name: tool.versions(DISTRIBUTIONS[name]) for name, tool in tools.items()}
        sets = in_own_process(make_sets, given.pictures, folder, given.small, given.large)
        report["pictures"] = {name: len(list(path.iterdir())) for name, path in sets.items()}
        report["runs"] = {
            model: {name: measure(tools, model, path, folder, given) for name, path in sets.items()}
            for model in given.models
        }
    report["comparisons"] = compare(report)
    print_table(report)
    record.keep(report, given.output)


def measure(tools: Mapping[str, Tool], model: str, pictures: Path, folder: Path, given: Any) -> dict[str, Any]:
    """One model, one folder of pictures: way -> seconds, peak memory, and how far its alpha is from rembg's."""
    commands = {"rembg": (tools["rembg"], [tools["rembg"].script("rembg"), "p", "-m", model], None)}
    python = [str(tools["ours"].python), "-m", "u2net"]
    for precision in given.precision:
        command = [*python, "remove", "-m", model, "--precision", precision, "--offline", "--quiet"]
        commands[f"default {precision}"] = (tools["ours"], command, None)
        commands[f"plain {precision}"] = (tools["ours"], [*command, *PLAIN], None)
        for requests in given.requests if precision == given.precision[0] else ():
            commands[f"default {precision}, {requests}"] = (tools["ours"], command, requests)
    few = folder / "few"  # before it counts: what is compiled once and kept, and files that come into memory
    few.mkdir()
    shutil.copy(min(pictures.iterdir()), few)
    for way, command in commands.items():
        once(*command, few, folder / way)
    shutil.rmtree(few)
    runs = {way: functools.partial(once, *command, pictures, folder / way) for way, command in commands.items()}
    what = f"{model}, {pictures.name}"
    samples = in_turn(runs, repeats=given.repeats, what=what, warm_ups=0, settle_s=SETTLE_S)
    measured: dict[str, Any] = {}
    for way, pairs in samples.items():
        seconds, peaks = zip(*pairs, strict=True)
        measured[way] = {"seconds": summary(seconds), "peak_mb": summary(peaks)}
        if way.startswith("plain"):
            measured[way]["alpha_difference"] = in_own_process(mean_difference, folder / "rembg", folder / way)
    for way in commands:
        shutil.rmtree(folder / way)
    return measured


def once(tool: Tool, command: list[str], requests: str | None, pictures: Path, results: Path) -> tuple[float, float]:
    """(seconds, peak MB) of one run into an empty folder."""
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    into = [str(pictures), *([str(results)] if "rembg" in command[0] else ["-o", str(results)])]
    if requests:  # not a flag of the program: nobody should have to know
        network, work = requests.split(",")
        code = (
            "import sys, u2net.batch.run as run; from u2net.cli import main; "
            f"run.requests_for = lambda threads: {int(network)}; run.pictures_in_flight = lambda threads: {int(work)}; "
            "main()"
        )
        command = [command[0], "-c", code, *command[3:]]
    measured = run_process([*command, *into], tool, results.parent)
    made, count = len(list(results.glob("*.png"))), len(list(pictures.iterdir()))
    if made != count:
        raise SystemExit(f"{shlex.join(command)} made {made} of {count} results")
    return measured


def compare(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each model, set and way, and for both sets: rembg's seconds by ours, and our peak by rembg's."""
    rows = []
    for model, sets in report["runs"].items():
        ways = [way for way in next(iter(sets.values())) if way != "rembg"]
        for name in [*sets, "both"]:
            of = [sets[name]] if name in sets else list(sets.values())
            for way in ways:
                seconds = {tool: sum(one[tool]["seconds"]["median"] for one in of) for tool in ("rembg", way)}
                peaks = {tool: max(one[tool]["peak_mb"]["median"] for one in of) for tool in ("rembg", way)}
                row = {
                    "model": model,
                    "pictures": name,
                    "way": way,
                    "times_the_throughput": round(seconds["rembg"] / seconds[way], 3),
                    "of_the_memory": round(peaks[way] / peaks["rembg"], 3),
                    "rembg": {"seconds": seconds["rembg"], "peak_mb": peaks["rembg"]},
                    "ours": {"seconds": seconds[way], "peak_mb": peaks[way]},
                }
                rows.append({**row, **targets(model, name, way, row)})
    return rows


def targets(model: str, name: str, way: str, row: dict[str, Any]) -> dict[str, Any]:
    """What was asked for of both sets together, and whether it is met."""
    wanted = THROUGHPUT.get(f"{model} {way.split()[-1]}")
    if name != "both" or wanted is None:
        return {}
    met = row["times_the_throughput"] >= wanted and row["of_the_memory"] <= MEMORY
    return {"target_throughput": wanted, "target_memory": MEMORY, "met": met}


def print_table(report: dict[str, Any]) -> None:
    print(f"{'':<46}{'rembg p':>18}{'u2net remove':>18}{'throughput':>12}{'memory':>8}")
    for row in report["comparisons"]:
        what = f"{row['model']}, {row['pictures']}, {row['way']}"
        cells = (f"{row[tool]['seconds']:.1f} s {row[tool]['peak_mb']:.0f} MB" for tool in ("rembg", "ours"))
        print(f"{what:<46}" + "".join(f"{cell:>18}" for cell in cells), end="")
        print(f"{row['times_the_throughput']:>11.2f}x{row['of_the_memory']:>8.2f}")


# -- what needs numpy and Pillow: not in this process, because its children start with its peak memory


def make_sets(source: Path, folder: Path, small: int, large: int) -> dict[str, Path]:
    """Both folders of pictures; the large ones have a camera's noise, since what is enlarged is smooth."""
    import numpy as np
    from PIL import Image

    found = sorted(path for path in source.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(found) < small + large:
        raise SystemExit(f"{source} holds {len(found)} pictures, {small + large} are needed")
    sets = {f"{small} small": folder / "small", f"{large} of 12 MP": folder / "large"}
    for path in sets.values():
        path.mkdir()
    for path in found[:small]:
        shutil.copy(path, folder / "small")
    random = np.random.default_rng(0)
    noise = 2 * random.standard_normal((LARGE[1], LARGE[0], 3), np.float32)
    for path in found[small : small + large]:
        enlarged = np.asarray(Image.open(path).convert("RGB").resize(LARGE, Image.Resampling.LANCZOS), np.float32)
        pixels = np.clip(np.rint(enlarged + np.roll(noise, int(random.integers(LARGE[1])), 0)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "large" / f"{path.stem}.jpg", quality=92)
    return {name: path for name, path in sets.items() if any(path.iterdir())}


def mean_difference(rembg: Path, ours: Path) -> float:
    """Over every tenth picture; see `alpha_difference`, but an empty map may differ: rembg stretches noise."""
    differences = []
    for path in sorted(rembg.glob("*.png"))[::10]:
        try:
            differences.append(alpha_difference(path, ours / path.name))
        except ValueError as error:
            print(error, file=sys.stderr)
    return round(sum(differences) / len(differences), 4)


if __name__ == "__main__":
    main()
