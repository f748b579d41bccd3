"""What is wrong with what the doctor saw, and for each problem the command that fixes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from u2net.diagnostics.doctor import Engine, Examination, Weights
from u2net.diagnostics.probe import ProbeResult
from u2net.inference.engines.onnxruntime import install_for
from u2net.models.registry import DEFAULT_MODEL

_INTEL_DRIVERS = 'sudo apt install ocl-icd-libopencl1 intel-opencl-icd && sudo usermod -aG render "$USER"'
_MISSING = ("not fetched", "unfinished")
_CARDS = {"nvidia": ("cuda", "NVIDIA card"), "amd": ("rocm", "AMD card")}


@dataclass(frozen=True)
class Finding:
    """A problem. broken: no cutout can be made with the defaults before it is fixed. fix: a command to type."""

    broken: bool
    problem: str
    fix: str


def findings(seen: Examination, *, platform: str = sys.platform) -> list[Finding]:
    """All problems, those that stand in the way of a cutout first. platform: as `sys.platform`."""
    engines = {engine.name: engine for engine in seen.engines}
    found = [
        *_of_openvino(engines["openvino"], seen, platform),
        *_of_onnxruntime(engines["onnxruntime"], seen),
        *_of_cache(seen, platform),
        *(finding for weights in seen.weights for finding in _of_weights(weights)),
    ]
    return sorted(found, key=lambda finding: not finding.broken)


def _of_openvino(engine: Engine, seen: Examination, platform: str) -> Iterator[Finding]:
    """OpenVINO is what `--engine auto` takes: without its CPU nothing works unless another engine is asked for."""
    reinstall = "pip install --force-reinstall openvino"
    if not engine.packages:
        yield Finding(True, f"openvino is not installed; {_otherwise(seen)}", "pip install openvino")
    elif engine.problem:
        yield Finding(True, f"openvino {_reason(engine.problem)}; {_otherwise(seen)}", reinstall)
    elif not _lists(engine, "cpu"):
        yield Finding(True, f"OpenVINO finds no device 'cpu'; {_otherwise(seen)}", reinstall)
    for trial in _failed(engine):
        fix = _INTEL_DRIVERS if trial.device == "gpu" and platform == "linux" else "pip install --upgrade openvino"
        yield Finding(trial.device == "cpu", _sentence(trial), reinstall if trial.device == "cpu" else fix)
    if "intel" in seen.machine.graphics and engine.trials and not _lists(engine, "gpu"):
        yield Finding(False, "there is an Intel graphics card, but OpenVINO finds no device 'gpu'", _INTEL_DRIVERS)


def _of_onnxruntime(engine: Engine, seen: Examination) -> Iterator[Finding]:
    """ONNX Runtime is an extra: nothing about it is broken, and its absence is a problem only where a card idles."""
    cards = {device: card for maker, (device, card) in _CARDS.items() if maker in seen.machine.graphics}
    name = next(iter(engine.packages), "onnxruntime")
    if len(engine.packages) > 1:
        fix = install_for(next(iter(cards), "cpu"), engine.packages)
        names = " and ".join(engine.packages)
        yield Finding(False, f"{names} are installed over each other's files; keep one", fix)
    elif engine.packages and engine.problem:
        yield Finding(False, f"{name} {_reason(engine.problem)}", f"pip install --force-reinstall {name}")
    else:
        yield from _of_providers(engine, name, cards)


def _of_providers(engine: Engine, name: str, cards: dict[str, str]) -> Iterator[Finding]:
    """cards: the devices that a card is here for, and what it is called."""
    for trial in _failed(engine):
        if trial.device == "cuda" and "cuda" not in cards:
            problem = f"{name} is installed, but no NVIDIA card can be reached (its driver, or --gpus all?)"
            yield Finding(False, problem, install_for("cpu", engine.packages))
        elif trial.device == "cuda":
            yield Finding(False, _sentence(trial), install_for("cuda", []))
        else:
            how = "--force-reinstall" if trial.device == "cpu" else "--upgrade"
            yield Finding(False, _sentence(trial), f"pip install {how} {name}")
    why = "has no provider for it" if engine.trials else "is not installed"
    for device, card in cards.items():
        if not _lists(engine, device):
            problem = f"there is an {card}, but ONNX Runtime {why}: --device {device} cannot be used"
            yield Finding(False, problem, install_for(device, engine.packages))


def _of_cache(seen: Examination, platform: str) -> Iterator[Finding]:
    set_to = (
        'set "U2NET_CACHE=%TEMP%\\u2net"'
        if platform == "win32"
        else "mkdir -m 700 /tmp/u2net && export U2NET_CACHE=/tmp/u2net"
    )
    missing = [weights for weights in seen.weights if weights.model == DEFAULT_MODEL and weights.state in _MISSING]
    if seen.cache.problem:
        costs = "weights cannot be fetched" if missing else "each start compiles the model anew"
        problem = (
            f"nothing can be written into {seen.cache.folder} ({seen.cache.problem}): {costs}; name another folder"
        )
        yield Finding(bool(missing), problem, set_to)
    # Twice: the wheel that the file comes in lies beside it for a moment.
    elif missing and seen.cache.free_bytes is not None and seen.cache.free_bytes < 2 * missing[0].bytes:
        problem = (
            f"only {seen.cache.free_bytes / 1e6:.0f} MB are free for weights in {seen.cache.folder}; name another disk"
        )
        yield Finding(True, problem, set_to)


def _of_weights(weights: Weights) -> Iterator[Finding]:
    pull = f"u2net models pull {weights.model}"
    default = weights.model == DEFAULT_MODEL
    if weights.state == "wrong checksum":
        yield Finding(default, f"{weights.path} is not the published file of {weights.model}", pull)
    elif weights.state == "unreadable" and weights.path:
        yield Finding(default, f"{weights.path} cannot be read", pull)
    elif weights.state in _MISSING and default:
        size = f"{weights.bytes / 1e6:.0f} MB"
        yield Finding(False, f"the weights of {weights.model} are not here; the first use fetches {size}", pull)


def _failed(engine: Engine) -> Iterator[ProbeResult]:
    """One failure a device: where f32 fails, what else fails there has the same cause."""
    told = set()
    for trial in engine.trials:
        if trial.problem and trial.device not in told:
            told.add(trial.device)
            yield trial


def _lists(engine: Engine, device: str) -> bool:
    return any(trial.device == device for trial in engine.trials)


def _otherwise(seen: Examination) -> str:
    """What can be used meanwhile."""
    others = [trial for engine in seen.engines for trial in engine.trials if trial.engine == "onnxruntime"]
    return "--engine onnxruntime works" if any(not trial.problem for trial in others) else "no engine works"


def _sentence(trial: ProbeResult) -> str:
    return f"{trial.engine} on '{trial.device}' in {trial.precision}: {_reason(trial.problem or '')}"


def _reason(problem: str) -> str:
    """Without the engine's name, which the caller puts, and the command at the end: the doctor knows a better one."""
    return problem.split("; run: ")[0].removeprefix("openvino ").removeprefix("onnxruntime ")
