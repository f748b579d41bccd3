"""What crop, box, replace, highlight, panel and paste add to a cutout of 12 megapixels: seconds, and memory.

    python benchmarks/effects.py --output benchmarks/results/effects.json

A photograph is enlarged to 12 megapixels and cut out with u2netp. Each effect is then done on the picture and its
cutout, in turn, and its median is what it adds. Memory is the peak of reading, cutting out, the effect and encoding as
PNG beyond the loaded session, as a multiple of the decoded picture (36 MB). Linux, whose peak memory can be set back.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import record
from compare_rembg import in_own_process
from sizes import SIZES, make_pictures

from u2net.compose.cutout import Cutout
from u2net.types import Picture

MOST_SECONDS, MOST_PICTURES = 0.25, 10  # asked for


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", type=Path, default=record.REPO / "examples" / "astronaut.jpg", help="a photograph")
    parser.add_argument("--repeats", type=int, default=7, help="measured runs of each effect")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to this file too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="u2net-effects-") as temporary:
        picture = in_own_process(make_pictures, given.picture, SIZES["12 MP"], ("jpeg",), Path(temporary))["jpeg"]
        rows = measure(given.picture, picture, given.repeats)
    report = {
        **record.facts("effects"),
        "model": "u2netp, f32",
        "asked_for": {"added_s": MOST_SECONDS, "memory_pictures": MOST_PICTURES},
        "effects": rows,
    }
    for name, row in rows.items():
        missed = " *" if row["added_s"] > MOST_SECONDS or row["memory_pictures"] > MOST_PICTURES else ""
        print(f"{name:24} {row['added_s']:6.3f} s  {row['memory_pictures']:5.1f} pictures{missed}")
    record.keep(report, given.output)


def measure(small: Path, path: Path, repeats: int) -> dict[str, dict[str, float]]:
    import u2net

    session = u2net.open_session("u2netp", precision="f32", offline=True)
    u2net.remove(small, session).to_bytes()
    works = effects(u2net.read(small))
    picture = u2net.read(path)
    cutout = u2net.remove(picture, session)
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            made = work(picture, cutout)
            seconds[name].append(time.perf_counter() - start)
            del made
    decoded = picture.pixels.nbytes
    del picture, cutout
    rows = {}
    for name, work in works.items():
        before = peak_bytes(reset=True)
        whole = u2net.read(path)
        result = work(whole, u2net.remove(whole, session))
        del whole
        result.to_bytes()
        del result
        added = statistics.median(seconds[name][1:])
        rows[name] = {
            "added_s": round(added, 4),
            "memory_pictures": round((peak_bytes() - before) / decoded, 2),
        }
    return rows


def effects(other: Picture) -> dict[str, Callable[[Picture, Cutout], Cutout]]:
    """Each effect with its defaults. other: a picture to lay behind or to paste."""
    from u2net.compose.background import Gradient
    from u2net.compose.crop import CROPS, Crop
    from u2net.compose.highlight import STYLES, highlight
    from u2net.compose.layout import Layout, apply_layout, crop
    from u2net.compose.panel import panel
    from u2net.compose.paste import paste
    from u2net.datasets.annotations import draw_boxes, find_boxes

    def laid_out(**wanted: Any) -> Callable[[Picture, Cutout], Cutout]:
        return lambda picture, cutout: apply_layout(cutout, picture, Layout(**wanted))

    def highlighted(style: Any, **wanted: Any) -> Callable[[Picture, Cutout], Cutout]:
        return lambda picture, cutout: highlight(picture, cutout, style, **wanted)

    def pasted(**where: Any) -> Callable[[Picture, Cutout], Cutout]:
        return lambda picture, cutout: paste(cutout, picture, **where)

    return {
        "cutout alone": lambda picture, cutout: cutout,
        "crop": lambda picture, cutout: crop(picture, cutout, Crop(margin=0.05)),
        "crop marketplace": laid_out(frame=CROPS["marketplace"]),
        "box": lambda picture, cutout: draw_boxes(picture, [one.box for one in find_boxes(cutout, parts=True)]),
        "replace colour": laid_out(background=(255, 255, 255, 255)),
        "replace gradient": laid_out(background=Gradient(("white", "#b8c4d0"), 30)),
        "replace radial": laid_out(background=Gradient(("white", "#b8c4d0"), radial=True)),
        "replace picture": laid_out(background=other),
        "replace contain": laid_out(background=other, fit="contain"),
        "replace blur": laid_out(blur=0.02),
        "shadow drop": laid_out(shadow="drop"),
        "shadow contact": laid_out(shadow="contact"),
        **{f"highlight {style}": highlighted(style) for style in STYLES},
        "highlight, blurred": highlighted("spotlight", blur=True),
        "panel": lambda picture, cutout: Cutout.opaque(Picture(panel(picture, cutout.alpha, cutout))),
        "paste, half the size": pasted(scale=0.5),
        "paste, turned": pasted(scale=0.5, rotation=20),
        "paste, moved": pasted(at=(1500, 1000), scale=1),
    }


def peak_bytes(*, reset: bool = False) -> int:
    """The most memory this process took, or since the peak was set back."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
