"""Compare the pixels of u2net.compat.rembg with those of rembg 2.0.86: the same weight files, pictures and arguments.

    python benchmarks/parity_rembg.py --output benchmarks/results/parity_rembg.json
    python benchmarks/parity_rembg.py --store    # also renews tests/compat/rembg_results, for the test suite

Run it where the extras matting and onnxruntime, and imagehash, are installed. rembg gets its own environment, made by
the first run, and the Pillow that is installed here: Pillow 13 enlarges in another order than 12. Both of our engines
are compared; ONNX Runtime is rembg's own. The pictures are those of examples/ and, from $U2NET_TEST_DATA, the published
ones, every third of the matting set and every twentieth of the hundred of ECSSD; each goes through both networks and
each way of cutting, every third through matting too, which takes seconds. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import record
from compare_rembg import DISTRIBUTIONS, MODELS, UNWANTED_VARIABLES, Tool, ensure_rembg, in_turn, summary

STORED = record.REPO / "tests" / "compat" / "rembg_results"
YELLOW = (255, 204, 0, 255)
WAYS: dict[str, dict[str, Any]] = {
    "cutout": {},
    "mask": {"only_mask": True},
    "post-processed": {"post_process_mask": True, "only_mask": True},
    "matted": {"alpha_matting": True},
    "coloured": {"bgcolor": YELLOW},
    "putalpha": {"putalpha": True},
}
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "I", "I;16", "F", "turned", "array")
ENGINES = ("onnxruntime", "openvino")
SETTLE_S = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rembg-venv", type=Path, default=record.REPO / ".venv-rembg", help="made where it is missing")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    parser.add_argument(
        "--store", action="store_true", help=f"renew {STORED.relative_to(record.REPO)} from rembg's results"
    )
    parser.add_argument("--sets", nargs="*", choices=list(pictures()), help="only these sets of pictures")
    parser.add_argument("--repeats", type=int, default=7, help="measured runs of each in the table of times; 0: none")
    parser.add_argument("--worker", choices=("rembg", *ENGINES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        serve(given.worker)
        return
    for name in UNWANTED_VARIABLES:
        if name != "PYTHONPATH":  # that one is taken from rembg alone: a checkout may need it
            os.environ.pop(name, None)
    report = record.facts("parity_rembg")
    with tempfile.TemporaryDirectory(prefix="parity-rembg-") as temporary:
        folder = Path(temporary)
        from u2net.models import registry, weights

        for model in MODELS:
            (folder / f"{model}.onnx").symlink_to(weights.locate(registry.MODELS[model]).absolute())
        python = ensure_rembg(given.rembg_venv)
        theirs = {**os.environ, "U2NET_HOME": str(folder), "PYTHONPATH": str(same_pillow(python))}
        ours = Tool(Path(sys.executable), dict(os.environ))
        tools = {"rembg": Tool(python, theirs), **dict.fromkeys(ENGINES, ours)}
        packages = (*DISTRIBUTIONS["rembg"][1:], "pymatting")
        report["versions"] = {
            "rembg": in_environment(tools["rembg"], ("rembg", *packages)),
            "ours": in_environment(ours, ("u2net", "openvino", *packages)),
        }
        workers = {name: start_worker(name, tool) for name, tool in tools.items()}
        report["modes"] = compare_modes(workers, folder)
        report["pictures"] = list(compare_pictures(workers, folder, sets=given.sets, store=given.store))
        report["times"] = measure_times(workers, folder, repeats=given.repeats)
        for worker in workers.values():
            worker.communicate()  # closes its stdin, at which it ends
    if given.store:
        store(report)
    report["summary"] = summarise(report["pictures"])
    print_tables(report)
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({name: report[name] for name in ("versions", "summary", "times")}))


def same_pillow(python: Path) -> Path:
    """A folder beside rembg's environment that holds the Pillow installed here."""
    wanted = version("pillow")
    folder = python.parents[1].with_name(f"{python.parents[1].name}-pillow-{wanted}")
    if not folder.is_dir():
        command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, f"pillow=={wanted}"]
        subprocess.run(command, stdout=sys.stderr, check=True)
    return folder


def in_environment(tool: Tool, distributions: tuple[str, ...]) -> dict[str, str]:
    """As `Tool.versions`, with the environment's own PYTHONPATH."""
    code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    command = [tool.python, "-c", code, *distributions]
    found = subprocess.run(command, env=tool.environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(zip(distributions, found.stdout.split(), strict=True))


def pictures() -> dict[str, list[Path]]:
    """Name of a set -> its pictures."""
    found = {
        "examples": sorted(path for path in (record.REPO / "examples").iterdir() if path.suffix in (".jpg", ".png"))
    }
    data = os.environ.get("U2NET_TEST_DATA")
    if data:
        found["published"] = sorted(Path(data, "reference", "salient", "images").iterdir())
        found["matting"] = sorted(Path(data, "alphamatting", "images").iterdir())[::3]
        found["ECSSD"] = sorted(Path(data, "ecssd-100", "images").iterdir())[::20]
    return found


def compare_pictures(
    workers: dict[str, Any], folder: Path, *, sets: list[str] | None, store: bool
) -> Iterator[dict[str, Any]]:
    """A row for each picture, network, engine and way."""
    for name, paths in pictures().items():
        if sets is not None and name not in sets:
            continue
        for number, path in enumerate(paths):
            for model in MODELS:
                print(f"{name}: {path.name}, {model}", file=sys.stderr)
                for way, options in WAYS.items():
                    if way == "matted" and name != "examples" and number % 3:
                        continue
                    results = {}
                    for tool, worker in workers.items():
                        if way == "matted" and tool == "openvino":
                            continue  # matting from a mask that is a 255th off says nothing new, and takes long
                        results[tool] = folder / f"{tool}.png"
                        ask(worker, {"model": model, "source": str(path), "options": options, "to": str(results[tool])})
                    if store and name == "examples" and way == "mask":
                        keep_mask(results["rembg"], f"{path.stem}-{model}.png")
                    if store and name == "examples" and way == "matted" and path.stem == "cat":
                        keep_mask(results["rembg"], f"{path.stem}-{model}-matted.png")
                    for engine in results.keys() - {"rembg"}:
                        row = {"set": name, "picture": path.name, "model": model, "engine": engine, "way": way}
                        yield row | difference(results["rembg"], results[engine])


def difference(rembg: Path, ours: Path) -> dict[str, Any]:
    """How far two results are from each other; means and maxima in 255ths, of all channels and of the mask alone."""
    import imagehash
    import numpy as np
    from PIL import Image

    images = [Image.open(path) for path in (rembg, ours)]
    hashes = [imagehash.phash(image) for image in images]
    arrays = [np.asarray(image, np.int16) for image in images]
    apart = np.abs(arrays[0] - arrays[1])
    mask = apart if apart.ndim == 2 else apart[..., -1]
    return {
        "hash": str(hashes[0]),
        "hash_distance": int(hashes[0] - hashes[1]),
        "same_mode": images[0].mode == images[1].mode,
        "mask_mean": round(float(mask.mean()), 5),
        "mask_max": int(mask.max()),
        "mean": round(float(apart.mean()), 5),
        "max": int(apart.max()),
        "differing": round(float((apart > 0).mean()), 5),
    }


def compare_modes(workers: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Pictures of every mode, handed over as Pillow images: which kind and mode comes back, and how far apart."""
    workers = {name: worker for name, worker in workers.items() if name != "openvino"}  # the mask matters not
    rows = []
    for mode in MODES:
        for way, options in WAYS.items():
            question = {"model": "u2netp", "mode": mode, "options": options}
            answers = {tool: ask(worker, {**question, "to": f"{folder}/{tool}"}) for tool, worker in workers.items()}
            theirs, ours = answers["rembg"], answers["onnxruntime"]
            row = {"mode": mode, "way": way, "rembg": theirs["kind"], "ours": ours["kind"]}
            if theirs["saved"] and ours["saved"]:
                row["max"] = worst(folder / "rembg.npy", folder / "onnxruntime.npy")
            rows.append(row)
    return rows


def worst(rembg: Path, ours: Path) -> int:
    import numpy as np

    return int(np.abs(np.load(rembg).astype(np.int16) - np.load(ours)).max())


def measure_times(workers: dict[str, Any], folder: Path, *, repeats: int) -> dict[str, Any]:
    """Bytes to PNG bytes with loaded sessions, rembg and our two engines in turn."""
    from PIL import Image

    if not repeats:
        return {}
    source = folder / "timed.jpg"
    Image.open(record.REPO / "examples" / "astronaut.jpg").convert("RGB").resize((1500, 1000)).save(source, quality=92)
    small = folder / "small.jpg"
    Image.open(source).resize((600, 500)).save(small, quality=92)
    cases = {f"{model}, 1.5 MP, cutout": (model, source, {}) for model in MODELS}
    cases |= {f"{model}, 1.5 MP, post-processed": (model, source, {"post_process_mask": True}) for model in MODELS}
    cases |= {f"{model}, 0.3 MP, matted": (model, small, {"alpha_matting": True}) for model in MODELS}
    measured = {}
    for case, (model, path, options) in cases.items():
        question = {"model": model, "source": str(path), "options": options}
        runs = {
            tool: functools.partial(ask_seconds, worker, {**question, "to": f"{folder}/{tool}.png"})
            for tool, worker in workers.items()
        }
        samples = in_turn(runs, repeats=repeats, what=case, warm_ups=2, settle_s=SETTLE_S)
        found = {tool: summary(values) for tool, values in samples.items()}
        medians = {tool: statistics.median(values) for tool, values in samples.items()}
        ratios = {f"ratio_{engine}": round(medians[engine] / medians["rembg"], 3) for engine in ENGINES}
        sizes = {f"{tool}_png_mb": Path(folder, f"{tool}.png").stat().st_size / 1e6 for tool in workers}
        measured[case] = {**found, **sizes, **ratios}
    return measured


def keep_mask(result: Path, name: str) -> None:
    """The mask of a result of rembg, small."""
    from PIL import Image

    STORED.mkdir(exist_ok=True)
    image = Image.open(result)
    (image if image.mode == "L" else image.getchannel("A")).save(STORED / name, optimize=True)


def store(report: dict[str, Any]) -> None:
    hashes: dict[str, dict[str, str]] = {}
    for row in report["pictures"]:
        if row["set"] == "examples":
            hashes.setdefault(f"{row['picture']} {row['model']}", {})[row["way"]] = row["hash"]
    kinds: dict[str, dict[str, str]] = {}
    for row in report["modes"]:
        kinds.setdefault(row["mode"], {})[row["way"]] = row["rembg"]
    found = {"versions": report["versions"]["rembg"], "hashes": hashes, "kinds": kinds}
    (STORED / "results.json").write_text(json.dumps(found, indent=1) + "\n")


def summarise(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The worst of each set, network and way."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["engine"], row["set"], row["model"], row["way"]), []).append(row)
    return [
        {
            "engine": engine,
            "set": name,
            "model": model,
            "way": way,
            "pictures": len(group),
            "same_hash": sum(row["hash_distance"] == 0 for row in group),
            **{measure: max(row[measure] for row in group) for measure in ("mask_mean", "mask_max", "mean", "max")},
        }
        for (engine, name, model, way), group in sorted(groups.items())
    ]


def print_tables(report: dict[str, Any]) -> None:
    print(f"{'the worst picture, in 255ths':<50}{'same hash':>10}{'mask mean':>11}{'max':>5}{'mean':>9}{'max':>5}")
    for row in report["summary"]:
        what = f"{row['engine']}, {row['set']}, {row['model']}, {row['way']}"
        hashes = f"{row['same_hash']}/{row['pictures']}"
        print(f"{what:<50}{hashes:>10}{row['mask_mean']:>11.4f}{row['mask_max']:>5}{row['mean']:>9.4f}{row['max']:>5}")
    for row in report["modes"]:
        if row["rembg"] != row["ours"] or row.get("max", 0) > 0:
            what = f"{row['mode']}, {row['way']}"
            print(f"{what}: rembg {row['rembg']}, ours {row['ours']}, max {row.get('max')}")
    for case, times in report["times"].items():
        ours = "".join(f"  {name} {times[name]['median']:.3f} s, {times[f'ratio_{name}']:.2f}" for name in ENGINES)
        print(f"{case:<40}rembg {times['rembg']['median']:.3f} s{ours}")


# -- the worker: this script in a tool's own interpreter, JSON lines in and out


def start_worker(name: str, tool: Tool) -> subprocess.Popen[str]:
    command = [str(tool.python), __file__, "--worker", name]
    return subprocess.Popen(command, env=tool.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(worker: subprocess.Popen[str], question: dict[str, Any]) -> dict[str, Any]:
    assert worker.stdin and worker.stdout
    print(json.dumps(question), file=worker.stdin, flush=True)
    answer = worker.stdout.readline()
    if not answer:
        raise SystemExit(f"the worker {worker.args!r} ended with {worker.wait()}")
    found: dict[str, Any] = json.loads(answer)
    return found


def ask_seconds(worker: subprocess.Popen[str], question: dict[str, Any]) -> float:
    return float(ask(worker, question)["seconds"])


def serve(name: str) -> None:
    # A library that prints must not break the answers: what it takes for stdout becomes stderr.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if name == "rembg":
        import rembg
    else:
        import u2net.compat.rembg as rembg
    sessions: dict[str, Any] = {}
    for line in sys.stdin:
        question = json.loads(line)
        model, options = question["model"], question["options"]
        if model not in sessions:
            sessions[model] = rembg.new_session(model, **({} if name == "rembg" else {"engine": name}))
        if "mode" in question:
            answer = answer_mode(rembg, sessions[model], question)
        else:
            data = Path(question["source"]).read_bytes()
            start = time.perf_counter()
            png = rembg.remove(data, session=sessions[model], **options)
            answer = {"seconds": time.perf_counter() - start}
            Path(question["to"]).write_bytes(png)
        print(json.dumps(answer), file=answers)


def answer_mode(rembg: Any, session: Any, question: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    try:
        result = rembg.remove(picture_of_mode(question["mode"]), session=session, **question["options"])
    except (ValueError, AssertionError, OSError, TypeError) as error:
        return {"kind": "an error", "error": f"{type(error).__name__}: {error}", "saved": False}
    if isinstance(result, np.ndarray):
        kind = f"array {result.dtype} {result.shape}"
    else:
        kind = f"{result.mode} {result.width}x{result.height}"
    np.save(question["to"], np.asarray(result))
    return {"kind": kind, "saved": True}


def picture_of_mode(mode: str) -> Any:
    """The cat at a quarter of its size, 113 x 75; `turned`: lying on its side, with the tag that says so."""
    import numpy as np
    from PIL import Image

    colors = Image.open(record.REPO / "examples" / "cat.png").convert("RGB")
    colors = colors.resize((113, 75), Image.Resampling.BOX)
    faded = colors.copy()
    faded.putalpha(Image.linear_gradient("L").resize(colors.size))
    if mode == "array":
        return np.asarray(colors)
    if mode == "turned":
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        colors.transpose(Image.Transpose.ROTATE_90).save(stream, "PNG", exif=exif)
        return Image.open(stream)
    if mode == "I;16":
        return Image.fromarray(np.asarray(colors.convert("L")).astype(np.uint16) * 257)
    if mode in ("P", "PA"):
        return colors.quantize(64).convert(mode)
    return faded.convert(mode) if mode in ("LA", "RGBA", "RGBa") else colors.convert(mode)


if __name__ == "__main__":
    main()
