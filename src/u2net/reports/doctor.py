"""What `u2net doctor` saw, as lines for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from u2net.diagnostics.advice import Finding
from u2net.diagnostics.doctor import Engine, Examination
from u2net.diagnostics.probe import ProbeResult
from u2net.system.hardware import Machine

WIDTH = 96
_OK, _BAD, _ABSENT = "ok", "!!", "--"


def report(seen: Examination, found: list[Finding]) -> Iterator[str]:
    """The lines that a person reads; in ASCII but for names, and short but for paths and commands."""
    yield f"u2net {seen.u2net}, Python {seen.machine.python}"
    yield from _section("Machine", _of_machine(seen.machine))
    packages = ", ".join(f"{name} {version or '(not installed)'}" for name, version in seen.packages.items())
    yield from _section("Packages", _wrapped(packages, "  "))
    timed = f", timed with {seen.timed_model}: cutting out a picture of 1 megapixel" if seen.timed_model else ""
    yield from _section(f"Engines{timed}", (line for engine in seen.engines for line in _of_engine(engine)))
    yield from _section("Weights", _of_weights(seen))
    yield ""
    if not found:
        yield "No problem found."
        return
    yield f"{len(found)} problem{'s' * (len(found) > 1)}"
    for number, finding in enumerate(found, 1):
        note = "no cutout can be made: " if finding.broken else ""
        yield from _wrapped(note + finding.problem, f"  {number}. ", "     ")
        yield f"     run: {finding.fix}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield ""
    yield title
    yield from lines


def _of_machine(machine: Machine) -> Iterator[str]:
    cores = f"{machine.usable_cores} of {machine.cores} cores"
    quota = f", a quota of {machine.cpu_quota:g} cores' time" if machine.cpu_quota is not None else ""
    words = {True: "yes", False: "no", None: "unknown"}
    rows = {
        "system": machine.system,
        "processor": machine.processor,
        "computes in": ", ".join(f"{name} {words[has]}" for name, has in machine.capabilities.items()),
        "threads": f"{machine.threads} ({cores}{quota})",
        "memory": f"{_gigabytes(machine.memory_bytes)}, {_gigabytes(machine.free_bytes)} free",
        "graphics": ", ".join(machine.graphics) or "none seen",
    }
    for name, text in rows.items():
        yield from _wrapped(text, f"  {name:<13}", " " * 15)


def _of_engine(engine: Engine) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in engine.packages.items())
    if engine.problem and not engine.packages:
        yield f"  {_ABSENT}  {engine.name} not installed"
        return
    yield f"  {_BAD if engine.problem or not engine.trials else _OK}  {versions or engine.name}"
    for trial in engine.trials:
        mark = _BAD if trial.problem else _OK
        yield from _wrapped(f"{trial.device:<8} {trial.precision:<4}  {_outcome(trial)}", f"  {mark}    ", " " * 23)


def _outcome(trial: ProbeResult) -> str:
    if trial.problem:
        return f"fails: {trial.problem.split('; run: ')[0]}"
    name = f"  ({trial.name})" if trial.name != trial.device else ""
    auto = ", which auto takes" if trial.auto and trial.engine == "openvino" else ""
    if trial.picture_s is None:
        return f"runs{name}{auto}"
    return f"loads in {trial.load_s:.2f} s, then {trial.picture_s:.2f} s{name}{auto}"


def _of_weights(seen: Examination) -> Iterator[str]:
    cache = seen.cache
    state = f"cannot be written: {cache.problem}" if cache.problem else f"{_gigabytes(cache.free_bytes)} free"
    yield f"  {_BAD if cache.problem else _OK}  {cache.folder}  ({state})"
    for weights in seen.weights:
        mark = {"verified": _OK, "not fetched": _ABSENT, "unfinished": _ABSENT}.get(weights.state, _BAD)
        where = weights.path if weights.state == "verified" else weights.state
        yield f"  {mark}  {weights.model:<18} {weights.bytes / 1e6:>6.1f} MB  {where}"


def _gigabytes(count: int | None) -> str:
    return f"{count / 1e9:.1f} GB" if count is not None else "unknown"


def _wrapped(text: str, first: str, rest: str = "  ") -> Iterator[str]:
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
