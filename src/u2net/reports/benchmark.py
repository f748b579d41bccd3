"""What `u2net bench` measured, as lines for a person and as an object for JSON."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from u2net.diagnostics.benchmark import Bench, Missing, Row, noisiest, percentile
from u2net.inference.engines import DISTRIBUTIONS, installed
from u2net.system.hardware import Machine
from u2net.version import __version__

WIDTH = 80
_BUSY_LOAD = 0.25
"""Of the cores: from here on other programs take time from what is measured."""
_NOISY = 0.15


def as_object(measured: Bench, machine: Machine) -> dict[str, Any]:
    """What --json prints: what was measured, with the numbers of the table worked out, and on what."""
    rows = []
    for row in measured.rows:
        found = asdict(row)
        for name in ("network_s", "picture_s"):
            found[name] = {"p50": percentile(found[name], 50), "p95": percentile(found[name], 95), "runs": found[name]}
        for name in ("start_s", "pictures_per_s"):
            found[name] = {"p50": percentile(found[name], 50), "runs": found[name]}
        rows.append(found)
    return {
        "u2net": __version__,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": ["u2net", *sys.argv[1:]],
        "machine": asdict(machine),
        "engines": {engine: installed(engine) for engine in DISTRIBUTIONS},
        **asdict(measured),
        "rows": rows,
    }


def report(measured: Bench, machine: Machine) -> Iterator[str]:
    """The lines that a person reads, of at most 80 columns but for names."""
    yield from _wrapped(f"{machine.processor}, {machine.threads} threads; {_of_pictures(measured)}.")
    for model in dict.fromkeys(row.model for row in measured.rows):
        rows = [row for row in measured.rows if row.model == model]
        yield ""
        yield model
        yield "  engine       preci-    start, s     network, ms    picture, ms  pict.  memory"
        yield "               sion    first   next     p50    p95     p50    p95     /s      MB"
        yield from map(_line, rows)
    yield ""
    yield from _wrapped(
        "start: from the process' start to the first map, first ever (the model is compiled) and later. picture: from "
        f"its bytes to those of a PNG. pictures/s: {measured.threads_at_once} threads with one session. memory: the "
        "peak, one picture at a time."
    )
    yield from _verdicts(measured)
    for problem in dict.fromkeys(_of_missing(each, measured) for each in measured.missing):
        yield from _wrapped(problem)
    yield from _noise(measured, machine)


def _line(row: Row) -> str:
    name = f"{row.engine:<12} {row.precision + ('*' if row.auto else ''):<6}"
    starts = f"{row.first_start_s:7.2f}{percentile(row.start_s, 50):7.2f}"
    times = "".join(
        f" {percentile(samples, 50) * 1e3:7.0f}{percentile(samples, 95) * 1e3:7.0f}"
        for samples in (row.network_s, row.picture_s)
    )
    memory = f"{row.memory_bytes / 1e6:7.0f}" if row.memory_bytes is not None else "      -"
    return f"  {name} {starts}{times}{percentile(row.pictures_per_s, 50):7.2f}{memory}"


def _verdicts(measured: Bench) -> Iterator[str]:
    """What auto takes, and where something else is quicker."""
    if any(row.auto for row in measured.rows):
        yield "*: what --engine auto --precision auto takes here."
    for model in dict.fromkeys(row.model for row in measured.rows):
        times = {row: percentile(row.network_s, 50) for row in measured.rows if row.model == model}
        fastest = min(times, key=lambda row: times[row])
        chosen = next((row for row in times if row.auto), None)
        if chosen and times[chosen] > times[fastest] * (1 + _NOISY):
            ratio = times[chosen] / times[fastest]
            yield f"{model}: {fastest.engine} {fastest.precision} is {ratio:.1f} times as fast as that."
        for case in measured.autos:
            if case.model == model and chosen is None:
                yield f"{model}: auto takes {case.engine} {case.precision} here, which was not measured."
        if not all(row.found for row in times):
            yield f"{model} sees no object in the first picture: an empty cutout is quicker to make."


def _of_pictures(measured: Bench) -> str:
    if measured.picture_size:
        height, width = measured.picture_size
        what = f"a drawn picture of {width} x {height} pixels"
    else:
        what = f"{measured.pictures} of your pictures"
    return f"{what}, {measured.rounds} rounds, {measured.seconds:g} s for each row"


def _of_missing(each: Missing, measured: Bench) -> str:
    """Without the model where it is the same for all."""
    models = {row.model for row in measured.rows} | {one.model for one in measured.missing}
    alike = {one.model for one in measured.missing if (one.engine, one.precision) == (each.engine, each.precision)}
    what = f"{each.engine} {each.precision}" if alike == models else f"{each.model}, {each.engine} {each.precision}"
    return f"{'failed' if each.failed else 'not here'}: {what}: {each.problem.split('; ')[0]}"


def _noise(measured: Bench, machine: Machine) -> Iterator[str]:
    noise = noisiest(measured.rows)
    load = "" if measured.load is None else f", load before it {measured.load:.1f} on {machine.cores} cores"
    yield f"noise: the rounds differ by up to {noise:.0%}{load}."
    if noise > _NOISY or (measured.load or 0) > _BUSY_LOAD * machine.cores:
        yield from _wrapped("The machine was busy with something else: trust no difference smaller than that.")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
