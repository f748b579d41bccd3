"""Time and memory over sizes and formats: what grows with the picture, and what must not.

    python benchmarks/sizes.py --output benchmarks/results/sizes.json

Each case has a process of its own, which opens u2netp and cuts out a small picture first; memory is what the process
takes at most beyond that. Measured are: reading, the network, the cutout and writing, for pictures of .2, 1.5, 12 and
48 megapixels from JPEG to each output format and from each input format to PNG; a JPEG of 100 megapixels to PNG; and
the memory after 1 and after 30 pictures. Prints tables, then one line of JSON. Linux and macOS.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record
from compare_rembg import in_own_process, peak_mb

SIZES = {".2 MP": (500, 400), "1.5 MP": (1500, 1000), "12 MP": (4000, 3000), "48 MP": (8000, 6000)}  # (width, height)
LARGEST = "100 MP", (12_000, 8_334)
INPUTS = ("jpeg", "png", "webp", "avif", "tiff", "heic", "png 16 bit", "tiff 16 bit")
OUTPUTS = ("png", "webp", "avif", "tiff", "jpeg")
MOST_BYTES_A_PIXEL = 10  # asked for, of 100 megapixels from JPEG to PNG
PARTS = ("read", "network", "cutout", "write")
MANY = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", type=Path, default=record.REPO / "examples" / "astronaut.jpg", help="a photograph")
    parser.add_argument("--repeats", type=int, default=3, help="measured runs of each case")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    parser.add_argument("--worker", nargs=3, metavar=("IN", "FORMAT", "TIMES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(work(given.picture, Path(given.worker[0]), given.worker[1], int(given.worker[2]))))
        return
    report: dict[str, Any] = {
        **record.facts("sizes"),
        "model": "u2netp, f32",
    }
    with tempfile.TemporaryDirectory(prefix="u2net-sizes-") as temporary:
        folder = Path(temporary)
        cases: list[dict[str, Any]] = []
        for size, sides in [*SIZES.items(), LARGEST]:
            formats = INPUTS if size in SIZES else INPUTS[:1]
            if size == "48 MP":  # libheif's decoder gives up on one tile of that size; cameras write many small ones
                formats = tuple(name for name in formats if name != "heic")
            pictures = in_own_process(make_pictures, given.picture, sides, formats, folder)
            pairs = [(source, "png") for source in formats]
            pairs += [("jpeg", target) for target in OUTPUTS[1:]] if size in SIZES else []
            for source, target in pairs:
                runs = [ask(given.picture, pictures[source], target) for _ in range(given.repeats)]
                cases.append(summary(size, sides, source, target, runs))
                print(line(cases[-1]), flush=True)
            if size == "1.5 MP":
                report["many"] = {times: ask(given.picture, pictures["jpeg"], "png", times) for times in (1, MANY)}
            for path in pictures.values():
                path.unlink()
    report["cases"] = cases
    report["bytes_a_pixel_at_100_mp"] = cases[-1]["bytes_a_pixel"]
    print(f"100 MP: {cases[-1]['bytes_a_pixel']:.1f} bytes a pixel, at most {MOST_BYTES_A_PIXEL} asked for")
    one, many = (report["many"][times]["extra_mb"] for times in (1, MANY))
    print(f"after 1 picture of 1.5 MP {one:.0f} MB more than before, after {MANY} {many:.0f} MB")
    record.keep(report, given.output)


def ask(small: Path, picture: Path, target: str, times: int = 1) -> dict[str, float]:
    command = [sys.executable, __file__, "--picture", str(small), "--worker", str(picture), target, str(times)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    result: dict[str, float] = json.loads(answer)
    return result


def summary(
    size: str, sides: tuple[int, int], source: str, target: str, runs: list[dict[str, float]]
) -> dict[str, Any]:
    medians = {name: round(statistics.median(run[name] for run in runs), 4) for name in runs[0]}
    pixels = sides[0] * sides[1]
    case = {"size": size, "from": source, "to": target, "repeats": len(runs)}
    return {**case, **medians, "bytes_a_pixel": round(medians["extra_mb"] * 1e6 / pixels, 2)}


def line(case: dict[str, Any]) -> str:
    parts = "  ".join(f"{part} {case[part]:7.3f} s" for part in PARTS)
    memory = f"{case['extra_mb']:6.0f} MB, {case['bytes_a_pixel']:5.1f} bytes a pixel"
    return f"{case['size']:>7}  {case['from']:>11} to {case['to']:4}  {parts}  {memory}"


def make_pictures(source: Path, sides: tuple[int, int], formats: tuple[str, ...], folder: Path) -> dict[str, Path]:
    """The photograph at one size, with a camera's noise, as a file of each format."""
    import numpy as np
    from PIL import Image

    from u2net.imaging.samples import to_depth
    from u2net.io.write import encode

    with Image.open(source) as image:
        enlarged = np.array(image.convert("RGB").resize(sides, Image.Resampling.BICUBIC))
    rng = np.random.default_rng(0)
    for top in range(0, sides[1], 256):  # a band at a time: this process has no more memory than the others
        band = enlarged[top : top + 256]
        noisy = band + 2 * rng.standard_normal(band.shape, np.float32)
        band[:] = np.clip(np.rint(noisy), 0, 255)
    paths = {}
    for name in formats:
        kind, _, deep = name.partition(" ")
        paths[name] = folder / f"{name.replace(' ', '-')}.{kind}"
        if kind == "heic":
            import pillow_heif

            pillow_heif.from_pillow(Image.fromarray(enlarged)).save(paths[name], quality=80)
        else:
            pixels = to_depth(enlarged, np.dtype(np.uint16)) if deep else enlarged
            paths[name].write_bytes(encode(pixels, format=kind))  # type: ignore[arg-type]
    return paths


def work(small: Path, picture: Path, target: str, times: int) -> dict[str, float]:
    """Seconds of the last run's parts, and the megabytes of memory beyond those of the loaded session."""
    import numpy as np

    import u2net
    from u2net.compose.cutout import cutout
    from u2net.inference.predict import predict
    from u2net.matting.alpha import refine

    session = u2net.open_session("u2netp", precision="f32", offline=True)
    u2net.remove(small, session).to_bytes(target)  # type: ignore[arg-type]
    before = peak_mb(resource.getrusage(resource.RUSAGE_SELF))
    for _ in range(times):
        moments = [time.perf_counter()]
        given = u2net.read(picture)
        moments.append(time.perf_counter())
        prediction = predict(session, given)
        moments.append(time.perf_counter())
        alpha = refine(given.pixels, prediction.coarse()) if prediction.found else np.zeros(given.size, np.float32)
        made = cutout(given, alpha, confidence=prediction.confidence, foreground=prediction.found)
        del given
        moments.append(time.perf_counter())
        made.to_bytes(target)  # type: ignore[arg-type]
        moments.append(time.perf_counter())
    after = peak_mb(resource.getrusage(resource.RUSAGE_SELF))
    parts = {part: end - start for part, start, end in zip(PARTS, moments, moments[1:], strict=False)}
    return {**parts, "extra_mb": after - before}


if __name__ == "__main__":
    main()
