"""Measure edges against true alpha: the raw map, each --edges of ours, rembg 2.0.86 plain and with -a, and pymatting.

    python benchmarks/edges.py --data "$U2NET_TEST_DATA/alphamatting" --output benchmarks/results/edges.json

--data: a folder with images/, alphas/ and trimap1/, files of one name belonging together (the training set of
alphamatting.com). Run it where the extra matting is installed; rembg gets its own environment, made by the first run.
Errors are mean squared (MSE) and sums of absolute differences in thousands of pixels (SAD), over the picture and over
the trimap's unknown band. Seconds are what matting adds: `-a` to plain in rembg, `--edges` and the foreground's colors
to `--edges none --no-foreground` in ours, in turn in one run. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record
from compare_rembg import UNWANTED_VARIABLES, Tool, ensure_rembg, in_turn, run_process, summary

RIGHT_BELOW = 0.03
"""A raw map with this mean squared error or more has found something else; no work on edges helps there."""
EDGES = ("auto", "soft", "sharp", "hair")
TIMED = {"0.3 MP": 0.3e6, "1.5 MP": 1.5e6}
DISTRIBUTIONS = ("u2net", "openvino", "numpy", "opencv-python-headless", "pymatting")
SETTLE_S = 0.3
LARGE = (6000, 4000)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="images/, alphas/ and trimap1/")
    parser.add_argument(
        "--picture", type=Path, default=record.REPO / "examples" / "astronaut.jpg", help="for 24 megapixels"
    )
    parser.add_argument("--repeats", type=int, default=3, help="measured runs of each")
    parser.add_argument("--rembg-venv", type=Path, default=record.REPO / ".venv-rembg", help="made where it is missing")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    parser.add_argument(
        "--errors", action="store_true", help="only errors, a few minutes; times stay those in --output"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        serve()
        return
    for name in UNWANTED_VARIABLES:
        os.environ.pop(name, None)
    ours = Tool(Path(sys.executable), dict(os.environ))
    report: dict[str, Any] = {
        **record.facts("edges"),
        "versions": ours.versions(DISTRIBUTIONS),
    }
    with tempfile.TemporaryDirectory(prefix="edges-") as temporary:
        folder = Path(temporary)
        # First, while this process is small: one that it starts begins with its peak memory.
        if given.errors:
            before = json.loads(given.output.read_text())
            report["times_of"] = before.get("times_of", {key: before[key] for key in ("date", "commit", "command")})
            report |= {key: before[key] for key in ("24 MP", "added", "true_trimap")}
        else:
            report["24 MP"] = measure_large(ours, given.picture, folder, repeats=given.repeats)
        from u2net.models import registry, weights

        (folder / "u2net.onnx").symlink_to(weights.locate(registry.MODELS["u2net"]).absolute())
        rembg = Tool(ensure_rembg(given.rembg_venv), {**os.environ, "U2NET_HOME": str(folder)})
        worker = subprocess.Popen(
            [str(rembg.python), __file__, "--worker", "--data", str(given.data)],
            env=rembg.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        report |= measure_errors(given.data, folder, worker)
        if not given.errors:
            report["added"] = measure_added(given.data, folder, worker, report["right"], repeats=given.repeats)
            report["true_trimap"] = measure_trimap(given.data, report["right"], repeats=given.repeats)
        worker.communicate()
    report["targets"] = targets(report)
    print_tables(report)
    record.keep(report, given.output)


def measure_errors(data: Path, folder: Path, worker: subprocess.Popen[str]) -> dict[str, Any]:
    """Way -> errors of each picture, and which pictures have the right object."""
    import numpy as np

    found: dict[str, dict[str, Any]] = {way: {} for way in ("raw", *EDGES, "rembg", "rembg -a")}
    for image in sorted((data / "images").glob("*.png")):
        alpha, trimap = truth(data, image.name)
        ways = {way: matte(image, "none" if way == "raw" else way) for way in ("raw", *EDGES)}
        for way, matting in (("rembg", False), ("rembg -a", True)):
            ask(worker, image, folder / "rembg.npy", matting)
            ways[way] = np.load(folder / "rembg.npy").astype(np.float32) / 255
        for way, one in ways.items():
            found[way][image.stem] = errors(one, alpha, trimap == 0.5)
    right = [name for name, of in found["raw"].items() if of["mse"] < RIGHT_BELOW]
    others = [name for name in found["raw"] if name not in right]

    def mean(names: list[str]) -> dict[str, dict[str, float]]:
        keys = ("mse", "sad", "band_mse", "band_sad")
        return {
            way: {key: round(float(np.mean([of[name][key] for name in names])), 5) for key in keys}
            for way, of in found.items()
        }

    return {"right": right, "mean_of_right": mean(right), "mean_of_others": mean(others), "pictures": found}


def measure_added(
    data: Path, folder: Path, worker: subprocess.Popen[str], names: list[str], *, repeats: int
) -> dict[str, Any]:
    """Size -> way -> seconds a picture that matting adds, the mean over pictures of the medians."""
    import cv2
    import numpy as np

    added: dict[str, Any] = {}
    for size, count in TIMED.items():
        totals: dict[str, list[float]] = {way: [] for way in (*EDGES, "rembg -a")}
        for name in names:
            pixels = cv2.imread(str(data / "images" / f"{name}.png"))
            scale = (count / (pixels.shape[0] * pixels.shape[1])) ** 0.5
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            image = folder / f"{name}.png"
            cv2.imwrite(str(image), cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how))
            runs: dict[str, Any] = {
                "rembg": functools.partial(ask, worker, image, folder / "rembg.npy", False),
                "rembg -a": functools.partial(ask, worker, image, folder / "rembg.npy", True),
                "none": functools.partial(time_ours, image, "none", False),
                **{way: functools.partial(time_ours, image, way, True) for way in EDGES},
            }
            samples = in_turn(runs, repeats=repeats, what=f"{size}, {name}", settle_s=SETTLE_S)
            middle = {way: float(np.median(seconds)) for way, seconds in samples.items()}
            totals["rembg -a"].append(middle["rembg -a"] - middle["rembg"])
            for way in EDGES:
                totals[way].append(middle[way] - middle["none"])
        added[size] = {way: round(float(np.mean(seconds)), 4) for way, seconds in totals.items()}
    return added


def measure_trimap(data: Path, names: list[str], *, repeats: int) -> dict[str, Any]:
    """Given the true trimap: pymatting's closed form and ours, band error and seconds a picture."""
    import numpy as np
    import pymatting

    import u2net
    from u2net.matting.alpha import matte_trimap

    bands: dict[str, list[float]] = {"pymatting": [], "ours": []}
    seconds: dict[str, list[float]] = {"pymatting": [], "ours": []}
    for name in names:
        pixels = u2net.read(data / "images" / f"{name}.png").pixels
        alpha, trimap = truth(data, f"{name}.png")
        runs: dict[str, Any] = {
            "pymatting": lambda p=pixels, t=trimap: pymatting.estimate_alpha_cf(p / 255, t.astype(np.float64)),
            "ours": lambda p=pixels, t=trimap: matte_trimap(p, t)(0, p.shape[0]),
        }
        timed = {way: functools.partial(clock, run) for way, run in runs.items()}
        for way, samples in in_turn(timed, repeats=repeats, what=f"true trimap, {name}", settle_s=SETTLE_S).items():
            seconds[way].append(float(np.median([took for took, _ in samples])))
            bands[way].append(errors(samples[-1][1], alpha, trimap == 0.5)["band_mse"])
    return {
        way: {"band_mse": round(float(np.mean(bands[way])), 5), "seconds": round(float(np.mean(seconds[way])), 4)}
        for way in bands
    }


def measure_large(ours: Tool, picture: Path, folder: Path, *, repeats: int) -> dict[str, Any]:
    """A whole `u2net remove` of 24 megapixels without and with all work on edges: seconds, peak memory."""
    source = folder / "large.jpg"
    code = (
        "import sys, cv2; p = cv2.imread(sys.argv[1]); "
        f"cv2.imwrite(sys.argv[2], cv2.resize(p, {LARGE}, interpolation=cv2.INTER_CUBIC))"
    )
    subprocess.run([ours.python, "-c", code, str(picture), str(source)], check=True)
    command = [ours.script("u2net"), "remove", str(source), "-m", "u2net", "--precision", "f32", "--quiet"]
    ways = {"none": ["--edges", "none", "--no-foreground"], "auto": [], "hair": ["--edges", "hair"]}
    runs = {
        way: functools.partial(run_process, [*command, *flags, "-o", str(folder / f"{way}.png")], ours, folder)
        for way, flags in ways.items()
    }
    measured = {}
    for way, samples in in_turn(runs, repeats=repeats, what="24 MP").items():
        seconds, peaks = zip(*samples, strict=True)
        measured[way] = {"seconds": summary(seconds), "peak_mb": summary(peaks)}
    return measured


def targets(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What was asked for, and what came of it."""
    right, added, trimap, large = (report[key] for key in ("mean_of_right", "added", "true_trimap", "24 MP"))
    raw = report["pictures"]["raw"]
    worst = max(report["pictures"]["auto"][name]["band_mse"] / raw[name]["band_mse"] for name in report["right"])
    more = {key: large["auto"][key]["median"] - large["none"][key]["median"] for key in ("seconds", "peak_mb")}
    rows = [
        ("auto: band error of the raw map's", right["auto"]["band_mse"] / right["raw"]["band_mse"], 0.80),
        ("auto: the worst picture's", worst, 1.0),
        ("auto and foreground: seconds a megapixel", added["1.5 MP"]["auto"] / 1.5, 0.080),
        ("hair: error of rembg -a's", right["hair"]["mse"] / right["rembg -a"]["mse"], 1.0),
        ("hair: band error of rembg -a's", right["hair"]["band_mse"] / right["rembg -a"]["band_mse"], 1.0),
        ("hair: time of -a's at .3 MP", added["0.3 MP"]["hair"] / added["0.3 MP"]["rembg -a"], 0.5),
        ("hair: time of -a's at 1.5 MP", added["1.5 MP"]["hair"] / added["1.5 MP"]["rembg -a"], 0.1),
        ("true trimap: error of pymatting's", trimap["ours"]["band_mse"] / trimap["pymatting"]["band_mse"], 1.15),
        ("true trimap: time of pymatting's", trimap["ours"]["seconds"] / trimap["pymatting"]["seconds"], 1 / 3),
        ("24 MP, auto: seconds more", more["seconds"], 1.0),
        ("24 MP, auto: MB more", more["peak_mb"], 400),
    ]
    return [
        {"what": what, "measured": round(measured, 4), "at_most": round(most, 4), "met": measured <= most}
        for what, measured, most in rows
    ]


# -- ours


@functools.cache
def session() -> Any:
    from u2net import open_session

    return open_session("u2net", precision="f32", offline=True)


@functools.cache
def predicted(image: Path) -> tuple[Any, Any]:
    import u2net
    from u2net.inference.predict import predict

    picture = u2net.read(image)
    return picture, predict(session(), picture).coarse()


def matte(image: Path, edges: Any) -> Any:
    from u2net.matting.alpha import refine

    picture, saliency = predicted(image)
    return refine(picture.pixels, saliency, edges)(0, picture.size[0])


def time_ours(image: Path, edges: Any, foreground: bool) -> float:
    from u2net.compose.cutout import cutout
    from u2net.matting.alpha import refine

    picture, saliency = predicted(image)
    return clock(lambda: cutout(picture, refine(picture.pixels, saliency, edges), foreground=foreground))[0]


def clock(run: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def truth(data: Path, name: str) -> tuple[Any, Any]:
    """The true alpha and the trimap of 0, 0.5 and 1, both (H, W) float32."""
    import cv2
    import numpy as np

    alpha, levels = (cv2.imread(str(data / kind / name), cv2.IMREAD_GRAYSCALE) for kind in ("alphas", "trimap1"))
    trimap = np.where(levels == 0, 0, np.where(levels == 255, 1, 0.5)).astype(np.float32)
    return alpha.astype(np.float32) / 255, trimap


def errors(found: Any, alpha: Any, band: Any) -> dict[str, float]:
    import numpy as np

    off = np.abs(found - alpha)
    sums = {"mse": np.square(off).mean(), "sad": off.sum() / 1000}
    sums |= {"band_mse": np.square(off[band]).mean(), "band_sad": off[band].sum() / 1000}
    return {key: round(float(value), 5) for key, value in sums.items()}


# -- rembg, in its own interpreter: JSON lines in and out


def ask(worker: subprocess.Popen[str], image: Path, result: Path, matting: bool) -> float:
    """Let rembg cut a picture and write its alpha; the seconds of `remove`."""
    assert worker.stdin and worker.stdout
    print(json.dumps([str(image), str(result), matting]), file=worker.stdin, flush=True)
    answer = worker.stdout.readline()
    if not answer:
        raise SystemExit(f"rembg's process ended with {worker.wait()}")
    return float(json.loads(answer))


def serve() -> None:
    # What rembg and pymatting print must not break the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import numpy as np
    import rembg
    from PIL import Image

    opened = rembg.new_session("u2net")
    for line in sys.stdin:
        image, result, matting = json.loads(line)
        picture = Image.open(image).convert("RGB")
        seconds, cut = clock(lambda p=picture, m=matting: rembg.remove(p, session=opened, alpha_matting=m))
        np.save(result, np.asarray(cut.getchannel("A")))
        print(json.dumps(seconds), file=answers)


def print_tables(report: dict[str, Any]) -> None:
    for title, means in (("right object", "mean_of_right"), ("other object", "mean_of_others")):
        print(f"{title:<16}{'MSE':>9}{'SAD':>9}{'band MSE':>10}{'band SAD':>10}")
        for way, of in report[means].items():
            print(f"{way:<16}{of['mse']:>9.4f}{of['sad']:>9.2f}{of['band_mse']:>10.4f}{of['band_sad']:>10.2f}")
    print(f"{'seconds added':<16}" + "".join(f"{size:>10}" for size in report["added"]))
    for way in (*EDGES, "rembg -a"):
        print(f"{way:<16}" + "".join(f"{of[way]:>10.3f}" for of in report["added"].values()))
    for row in report["targets"]:
        print(f"{row['what']:<44}{row['measured']:>9.3f}  at most {row['at_most']:<8}{'' if row['met'] else 'NOT MET'}")


if __name__ == "__main__":
    main()
