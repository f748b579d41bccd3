"""How fast u2net is on this machine: each model with each engine and precision, in rounds, each in its own process."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from u2net.diagnostics.benchmark_worker import FIRST_MAP, MARK
from u2net.errors import BadInput, EngineUnavailable, WeightsUnavailable
from u2net.inference.engines import installed
from u2net.inference.open_session import MODEL_FILE_SUFFIXES
from u2net.inference.session import DEVICES_OF_ENGINE, ENGINES, PRECISIONS
from u2net.models import weights
from u2net.models.cache import tables_dir
from u2net.models.registry import MODELS, find_model
from u2net.models.spec import Progress
from u2net.system.files import write_bytes
from u2net.types import Pixels, Size

DRAWN_SIZE: Size = (1000, 1500)
TIMEOUT_S = 600.0
"""Of one process, beyond the time it was given to measure."""


@dataclass(frozen=True)
class Case:
    """What is measured: a model's name or file, an engine, a precision."""

    model: str
    engine: str
    precision: str

    def __str__(self) -> str:
        return f"{self.model}, {self.engine} {self.precision}"


@dataclass(frozen=True)
class Row:
    """What was measured of a case. Times in seconds, each tuple a number a run, over all rounds.

    auto: whether `--engine auto --precision auto` means this. first_start_s: process start to the first map, nothing
    compiled yet; start_s: later starts. network_s: the network alone; picture_s: bytes of a picture to bytes of a PNG.
    pictures_per_s: with several threads, a number a round. memory_bytes: the process' peak with one picture at a time;
    memory_together_bytes: with several threads; None: the system does not tell. found: whether the network sees an
    object in the first picture; a transparent cutout is quicker to make. noise: how much the rounds' medians of the
    network differ, (highest - lowest) / lowest.
    """

    model: str
    engine: str
    precision: str
    device: str
    auto: bool
    found: bool
    first_start_s: float
    start_s: tuple[float, ...]
    network_s: tuple[float, ...]
    picture_s: tuple[float, ...]
    pictures_per_s: tuple[float, ...]
    memory_bytes: int | None
    memory_together_bytes: int | None
    noise: float


@dataclass(frozen=True)
class Missing:
    """A case that could not be measured. exit_code: of the error that `problem` tells; None: the process broke."""

    model: str
    engine: str
    precision: str
    problem: str
    exit_code: int | None

    @property
    def failed(self) -> bool:
        """Whether something is broken, not only that an engine, precision or file is not for here."""
        return self.exit_code not in (BadInput.exit_code, EngineUnavailable.exit_code)


@dataclass(frozen=True)
class Bench:
    """All that was measured. autos: what `auto` means for each model here, also where that was not measured.

    threads_at_once: that shared a session for pictures_per_s.
    load: how many programs were running on average in the minute before, as the system counts; None: unknown.
    """

    rows: tuple[Row, ...]
    missing: tuple[Missing, ...]
    autos: tuple[Case, ...]
    pictures: int
    picture_size: Size | None
    rounds: int
    seconds: float
    threads_at_once: int
    load: float | None


def bench(
    models: Sequence[str] = (),
    *,
    engines: Sequence[str] = (),
    precisions: Sequence[str] = (),
    device: str = "cpu",
    threads: int | None = None,
    pictures: Sequence[Path] = (),
    rounds: int = 3,
    seconds: float = 6.0,
    offline: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
    on_progress: Progress | None = None,
) -> Bench:
    """Measure every case, in rounds, so that a busy moment of the machine meets all of them.

    models: names or files; none: those whose weights are here. engines: none: those installed. precisions: none: all
    that are available. threads: as in `open_session`. pictures: files; none: one of 1.5 megapixels, drawn.
    seconds: how long each case is measured in all, besides its starts. on_step: told what is being done.
    Raises BadInput, WeightsUnavailable, EngineUnavailable where nothing could be measured.
    """
    from u2net.system.hardware import this_machine

    if rounds < 2 or not 0 < seconds < math.inf:
        raise BadInput(f"at least 2 rounds and more than 0 seconds are needed, got {rounds} and {seconds}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    engines = _engines(engines, device)
    precisions = tuple(dict.fromkeys(precisions)) or tuple(name for name in PRECISIONS if name != "auto")
    files = _weight_files(models, offline, on_progress)
    at_once = max(2, threads or this_machine().threads)
    cases = [Case(model, engine, precision) for model in files for engine in engines for precision in precisions]

    with tempfile.TemporaryDirectory(prefix="u2net-bench-", ignore_cleanup_errors=True) as folder:
        sources = [path.resolve() for path in pictures] or [_write_drawn(Path(folder))]
        runner = _Runner(Path(folder), files, sources, device, threads, at_once)
        if tables_dir().is_dir():  # the processes have a cache of their own
            shutil.copytree(tables_dir(), runner.cache / tables_dir().name)
        answers: dict[Case, list[dict[str, Any]]] = {case: [] for case in cases}
        missing: list[Missing] = []
        for number in range(rounds):
            for case in cases if number % 2 == 0 else cases[::-1]:  # else the same one always follows the same one
                on_step(f"round {number + 1} of {rounds}: {case}")
                answer = runner.run(case, seconds / rounds)
                if "problem" in answer:
                    if answer["error"] in ("UnreadablePicture", "PictureTooLarge"):
                        raise BadInput(answer["problem"])
                    missing.append(
                        Missing(case.model, case.engine, case.precision, answer["problem"], answer["exit_code"])
                    )
                    answers.pop(case)
                    cases = [other for other in cases if other != case]
                else:
                    answers[case].append(answer)
        autos = []
        for model in files if answers else ():
            on_step(f"asking what auto means for {model}")
            meant = runner.run(Case(model, "auto", "auto"), None)
            autos += [Case(model, meant["engine"], meant["precision"])] if "engine" in meant else []
    if not answers:
        error = {2: BadInput, 4: WeightsUnavailable}.get(missing[0].exit_code or 0, EngineUnavailable)
        raise error("; ".join(dict.fromkeys(each.problem for each in missing)))
    rows = tuple(_row(case, found, case in autos) for case, found in answers.items())
    size = None if pictures else DRAWN_SIZE
    return Bench(rows, tuple(missing), tuple(autos), len(sources), size, rounds, seconds, at_once, load)


def percentile(samples: Sequence[float], percent: float) -> float:
    """Between the two nearest samples where there is none."""
    return float(np.percentile(samples, percent))


def drawn_picture(size: Size = DRAWN_SIZE) -> Pixels:
    """(H, W, 3) uint8: the ball of `u2net doctor`, with the noise of a camera, which decides how long a PNG takes."""
    from u2net.diagnostics.probe import ball_on_a_table

    still = ball_on_a_table(size).pixels
    noise = np.random.default_rng(0).standard_normal(still.shape, np.float32)
    noisy: Pixels = np.clip(np.rint(still + 2 * noise), 0, 255).astype(np.uint8)
    return noisy


@dataclass(frozen=True)
class _Runner:
    """What the processes of a run have in common. folder: holds their cache, so that the first start is one."""

    folder: Path
    files: dict[str, Path]
    pictures: Sequence[Path]
    device: str
    threads: int | None
    at_once: int

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def run(self, case: Case, seconds: float | None) -> dict[str, Any]:
        """What the process of a case says, with `start_s`; or `problem`, `error` and `exit_code`, None for a crash."""
        path = self.files[case.model]
        known = case.model in MODELS
        session = {
            "model": case.model if known else str(path),
            "engine": case.engine,
            "precision": case.precision,
            "device": self.device,
            "require_device": True,
            "threads": self.threads,
            "offline": True,
        }
        pictures = [str(picture) for picture in self.pictures]
        question = {"session": session, "pictures": pictures, "threads_at_once": self.at_once, "seconds": seconds}
        # The weights are found where they are as those of another tool.
        environment = {**os.environ, "U2NET_CACHE": str(self.cache), "U2NET_HOME": str(path.parent)}
        return _ask(question, environment, TIMEOUT_S + 10 * (seconds or 0))


def _ask(question: dict[str, Any], environment: dict[str, str], timeout_s: float) -> dict[str, Any]:
    """Have `benchmark_worker.main` answer in another process."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from u2net.diagnostics.benchmark_worker import main; main()"
    command = [sys.executable, "-c", code, json.dumps(question)]
    start_s, answer = math.nan, None
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment
        )
        overdue = threading.Timer(timeout_s, process.kill)
        overdue.start()
        try:
            assert process.stdout
            for line in process.stdout:
                text = line.decode(errors="replace").strip()
                if text == MARK + FIRST_MAP:
                    start_s = time.perf_counter() - start
                elif text.startswith(MARK):
                    answer = cast("dict[str, Any]", json.loads(text.removeprefix(MARK)))
            code_of_exit = process.wait()
        finally:
            in_time = overdue.is_alive()
            overdue.cancel()
            if process.poll() is None:  # interrupted
                process.kill()
                process.wait()
        if answer is not None:
            return {**answer, "start_s": round(start_s, 4)}
        if not in_time:
            return {"problem": f"gave no answer within {timeout_s:.0f} s", "exit_code": None, "error": None}
        if code_of_exit < 0:
            return {"problem": f"crashed ({signal.Signals(-code_of_exit).name})", "exit_code": None, "error": None}
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines() or [f"ended with {code_of_exit}"]
        return {"problem": said[-1][:300], "exit_code": None, "error": None}


def _engines(wanted: Sequence[str], device: str) -> tuple[str, ...]:
    """The engines to measure with: those wanted, or all that are installed and know the device."""
    if wanted:
        return tuple(dict.fromkeys(wanted))
    found = tuple(name for name in ENGINES if name != "auto" and installed(name) and device in DEVICES_OF_ENGINE[name])
    if not found:
        raise EngineUnavailable(f"no engine for the device '{device}' is installed here; run: u2net doctor")
    return found


def _weight_files(models: Sequence[str], offline: bool, on_progress: Progress | None) -> dict[str, Path]:
    """The file of each model; without names those that are here and can be used."""
    if not models:
        here = {spec.name: weights.state(spec) for spec in MODELS.values() if spec.kind == "saliency"}
        found = {name: path for name, (state, path) in here.items() if state == "verified" and path}
        if not found:
            raise WeightsUnavailable("no weights are here to measure with; run: u2net models pull u2net u2netp")
        return {name: path.resolve() for name, path in found.items()}
    files = {}
    for model in models:
        path = Path(model)
        if path.suffix.lower() not in MODEL_FILE_SUFFIXES:
            path = weights.locate(find_model(model), offline=offline, on_progress=on_progress)
        elif not path.is_file():
            raise WeightsUnavailable(f"{path}: there is no such model file")
        files[model] = path.absolute()
    return files


def _write_drawn(folder: Path) -> Path:
    from u2net.io.write import encode

    path = folder / "drawn.jpg"
    write_bytes(path, encode(drawn_picture(), format="jpeg"))
    return path


def _row(case: Case, answers: Sequence[dict[str, Any]], auto: bool) -> Row:
    """One case's rounds together; the first round's memory is left out: compiling takes more, once."""

    def all_of(name: str) -> tuple[float, ...]:
        return tuple(time_s for answer in answers for time_s in answer[name])

    def highest(name: str) -> int | None:
        return max((answer[name] for answer in answers[1:] if answer[name] is not None), default=None)

    medians = [percentile(answer["network_s"], 50) for answer in answers]
    return Row(
        model=case.model,
        engine=case.engine,
        precision=case.precision,
        device=answers[0]["device"],
        auto=auto,
        found=answers[0]["found"],
        first_start_s=answers[0]["start_s"],
        start_s=tuple(answer["start_s"] for answer in answers[1:]),
        network_s=all_of("network_s"),
        picture_s=all_of("picture_s"),
        pictures_per_s=tuple(round(answer["pictures_per_s"], 3) for answer in answers),
        memory_bytes=highest("memory_bytes"),
        memory_together_bytes=highest("memory_together_bytes"),
        noise=round(max(medians) / min(medians) - 1, 4),
    )


def noisiest(rows: Iterable[Row]) -> float:
    """The largest noise of any row."""
    return max(row.noise for row in rows)
