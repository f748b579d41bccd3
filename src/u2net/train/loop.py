"""The training loop."""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from u2net.errors import LossIsNaN
from u2net.networks.checkpoint import save
from u2net.system.signals import stop_on_signals
from u2net.train.config import PLACES, TrainConfig
from u2net.train.dataset import Samples, batches
from u2net.train.distributed import Process, joined
from u2net.train.resume import BEST, LAST, State, begin, save_state
from u2net.train.run_log import RunLog
from u2net.train.setup import open_backgrounds, open_data, order, start_network
from u2net.train.step import TrainStep, learning_rate, make_train_step, train_step
from u2net.train.validate import SHOWN, better, examples, validate

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h
_NEVER = 2**31 - 1
_REPORT_EVERY, _REPORT_EVERY_S = 10, 5.0
_SHEET_ROWS = 8


def keep_freed_memory() -> bool:
    """Tell glibc to give nothing back to the system; returns whether there is a glibc that could be told.

    It takes tensors of megabytes from the system and gives them back at once, for which the system zeroes every page,
    each step anew: in a step of u2netp on a CPU that was a third of the time.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))


@dataclass(frozen=True)
class Report:
    """How it stands after a step. measures: of the validation at this step, empty where there was none."""

    step: int
    steps: int
    loss: float
    pictures_per_s: float
    remaining_s: float
    measures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a run came to. weights: the best, or the last where none was validated. best: their measures.

    ended: why. signal: the one that ended it, or 0. unfinished: whether a signal or the time did, before its end.
    """

    step: int
    best: dict[str, float]
    weights: Path
    skipped: dict[str, str]
    ended: str
    signal: int = 0
    unfinished: bool = False


def train(
    config: TrainConfig,
    out: Path,
    *,
    resume: bool = False,
    minutes: float | None = None,
    on_report: Callable[[Report], None] | None = None,
) -> Result:
    """Train a network and leave in `out`: config.json, best and last .safetensors, log.csv, curves.png, sheets.

    resume: go on where the run in `out` ended, to the same numbers as if it had not; else `out` must hold no run.
    minutes: after so many, counted from the start, end after the step that is being done, with all saved.
    on_report: called every ten steps or five seconds, and after each validation.
    Under torchrun every process calls this.
    Ctrl-C and SIGTERM end the run after the step that is being done, with all saved.
    Raises BadInput, CannotWrite, EngineUnavailable, LossIsNaN.

    >>> from u2net.train import TrainConfig, train
    >>> result = train(TrainConfig(data="DUTS-TR", steps=3000), Path("run"))  # doctest: +SKIP
    >>> result.weights  # doctest: +SKIP
    PosixPath('run/best.safetensors')
    """
    began = time.monotonic()
    keep_freed_memory()
    with joined(config.device) as process, stop_on_signals() as request:
        training, validation = open_data(config, process.device)
        backgrounds = open_backgrounds(config)
        state = begin(config, out, process, resume=resume)
        if state.step >= config.steps:
            return Result(state.step, state.best, out / BEST, {}, "all steps were done before")
        network, card = start_network(config, training, process.device, resumed=state.card)
        trained = make_train_step(config, process, state, network, card, backgrounds=backgrounds)
        run_log = RunLog(out, _columns(config), step=state.step) if process.first else None
        coming = order(
            len(training),
            batch=config.batch,
            seed=config.seed,
            start=state.step,
            rank=process.rank,
            world=process.world,
        )
        progress = _Progress(config, process)

        for step, batch in enumerate(batches(training, coming), state.step + 1):
            progress.add(step, batch.names, train_step(trained, batch, step))
            signal = int(process.largest(request.number))
            late = bool(process.largest(minutes is not None and time.monotonic() - began > 60 * minutes))
            last = bool(signal) or late or step == config.steps
            # Not because of a signal: whoever sent it soon sends another, and a resumed run would count one more.
            checks = validation is not None and (step == config.steps or step % config.validate_every == 0)
            saves = last or step % config.save_every == 0
            if checks or saves or process.largest(progress.due):
                report = progress.report(run_log)  # stops where a loss is NaN, before anything is saved
                if checks or saves:
                    _refuse_nan(trained, step)
                if checks:
                    assert validation is not None
                    report = replace(report, measures=_check(trained, validation, state, out, run_log, step))
                    progress.rest()
                    last = last or 0 < config.patience <= state.stale
                if on_report and process.first:
                    on_report(report)
            if saves or last:
                _save(trained, state, out, step, run_log, best=validation is None)
            if last:
                break
        if run_log:
            run_log.close()
        unfinished = step < config.steps and bool(signal or late)
        ended = "all steps are done"
        if unfinished:
            ended = "stopped by a signal" if signal else f"stopped after {minutes:.3g} minutes"
        elif step < config.steps:
            ended = f"the last {state.stale} validations were not better than the best"
        skipped = training.skipped | (validation.skipped if validation else {})
        weights = out / (BEST if state.best or validation is None else LAST)
        return Result(step, state.best, weights, skipped, ended, signal, unfinished)


class _Progress:
    """Losses since the last report, and the speed. They stay on the device until then, which need not wait for us."""

    def __init__(self, config: TrainConfig, process: Process) -> None:
        self._config, self._process = config, process
        self._new: list[tuple[int, tuple[str, ...], dict[str, Tensor]]] = []
        self._began, self._pictures = time.perf_counter(), 0
        self._reported = self._began

    def add(self, step: int, names: tuple[str, ...], terms: dict[str, Tensor]) -> None:
        self._new.append((step, names, terms))
        self._pictures += len(names) * self._process.world

    @property
    def due(self) -> bool:
        """Whether it is time for a report."""
        return len(self._new) >= _REPORT_EVERY or time.perf_counter() - self._reported > _REPORT_EVERY_S

    def rest(self) -> None:
        """What was done since the last report was no learning."""
        self._began, self._pictures = time.perf_counter(), 0

    def report(self, run_log: RunLog | None) -> Report:
        """How it stands after the last step. Raises LossIsNaN, which names the pictures of the first such step."""
        config, process = self._config, self._process
        own = torch.stack([torch.stack(list(terms.values())) for _, _, terms in self._new])  # (steps, terms)
        shared = process.mean(own).cpu()
        for (step, names, _), here, all_ in zip(self._new, own.cpu(), shared, strict=True):
            if not all_.isfinite().all():
                guilty = process.gather([] if here.isfinite().all() else list(names))
                raise LossIsNaN(
                    f"step {step}: the loss is not a number any more, with the pictures {', '.join(guilty)}; look at "
                    "them and their truths, or lower --learning-rate; the run can go on from its last state (--resume)"
                )
        speed = self._pictures / (time.perf_counter() - self._began)
        columns = list(self._new[0][2])
        for (step, _, _), values in zip(self._new, shared.tolist(), strict=True):
            if run_log:
                rate = {"learning_rate": learning_rate(config, step)}
                run_log.add(step, dict(zip(columns, values, strict=True)) | rate)
        step, loss = self._new[-1][0], float(shared[-1, columns.index("loss")])
        if run_log:
            run_log.add(step, {"pictures_per_s": speed})
        self._new.clear()
        self._reported = time.perf_counter()
        left = (config.steps - step) * config.batch * process.world
        return Report(step, config.steps, loss, speed, left / speed)


def _columns(config: TrainConfig) -> list[str]:
    soft = [f"soft_{name}" for name in config.soft_losses]
    return ["loss", *config.losses, *soft, "learning_rate", "pictures_per_s", *SHOWN[config.kind]]


def _check(
    trained: TrainStep, validation: Samples, state: State, out: Path, run_log: RunLog | None, step: int
) -> dict[str, float]:
    """Validate, keep the weights where they are the best so far, and show what the network makes of pictures."""
    config, process, kept = trained.config, trained.process, trained.kept
    process.share(list(kept.buffers()))  # norms count on their own, but on GPUs
    measures = validate(kept, validation, trained.card, batch=config.batch, bf16=trained.bf16, process=process)
    if not state.best or better(measures, state.best, config.kind):
        state.best, state.stale = measures, 0
        if process.first:
            _save_weights(trained, out / BEST, measures)
    else:
        state.stale += 1
    if run_log:
        run_log.add(step, measures)
        shown = examples(kept, validation, trained.card, count=_SHEET_ROWS, bf16=trained.bf16, device=process.device)
        run_log.show(step, shown, config.kind)
        run_log.write()
    return measures


def _refuse_nan(trained: TrainStep, step: int) -> None:
    if not all(weight.isfinite().all() for weight in trained.network.parameters()):
        raise LossIsNaN(
            f"step {step}: the weights are not numbers any more; lower --learning-rate; "
            "the run can go on from its last state (--resume)"
        )


def _save(trained: TrainStep, state: State, out: Path, step: int, run_log: RunLog | None, *, best: bool) -> None:
    trained.into(state, step)
    if trained.process.first:
        save_state(state, out)
        _save_weights(trained, out / LAST, {})
        if best:
            _save_weights(trained, out / BEST, {})
    if run_log:
        run_log.write()


def _save_weights(trained: TrainStep, path: Path, measures: dict[str, float]) -> None:
    config = trained.config
    recipe = json.loads(config.to_json())
    for name in PLACES:  # the file may go far, and need not tell whose machine it comes from
        recipe[name] = Path(recipe[name]).name
    card = replace(
        trained.card,
        data=Path(config.data).resolve().name,
        recipe=recipe,
        metrics=measures,
        licence=config.licence or trained.card.licence,
    )
    save(trained.kept, path, card)
