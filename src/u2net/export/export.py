"""A network in the format of another runtime, tried there before it takes its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from u2net.errors import BadInput, CannotWrite, ExportDiffers
from u2net.export.formats import FORMATS, Network, exactly
from u2net.export.fp16 import halved
from u2net.inference.transforms import from_pixels
from u2net.models.card import ModelCard
from u2net.networks.checkpoint import find, load
from u2net.networks.u2net import ConvBNReLU, U2Net
from u2net.system.files import atomic_files, writing
from u2net.types import Map, Pixels, Size

BOUND, BOUND_FP16 = 1e-4, 2e-3
_STAYS_EXACT = "network.encoder.0"
"""With --fp16: the first stage, where rounding does most harm. It is .4 % of u2net's weights and 6 % of u2netp's."""

_MIN_SIDE, _MAX_SIDE = 32, 4096


@dataclass(frozen=True)
class Export:
    """What was written.

    path: what to open; files: all that belong to it. card: what travels in it. parity: each map's largest difference
    from torch's, at most `bound`; empty where this machine cannot run the format.
    """

    path: Path
    files: tuple[Path, ...]
    card: ModelCard
    parity: dict[str, float]
    bound: float

    @property
    def verdict(self) -> str:
        """The parity in a sentence."""
        if not self.parity:
            return "not compared with torch: this machine cannot run that format"
        parity = ", ".join(f"{name} {value:.1e}" for name, value in self.parity.items())
        return f"parity with torch: {parity} (at most {self.bound:g})"

    def as_object(self, source: str, to: str) -> dict[str, object]:
        """What --json prints of an export of a source to a format."""
        return {
            "input": source,
            "output": str(self.path),
            "files": [str(path) for path in self.files],
            "to": to,
            "size": self.card.size,
            "parity": self.parity or None,
            "bound": self.bound,
            "card": vars(self.card),
        }


class Probabilities(nn.Module):
    """A network as others use it: (N, C, H, W) pictures in, one map of probabilities, or a tuple of all, fused first.

    The norms are folded into the convolutions. Saliency and pictures end in a sigmoid, classes in a softmax over them.
    """

    def __init__(self, network: U2Net, kind: str, *, all_maps: bool) -> None:
        super().__init__()
        self.network = network.float().eval().requires_grad_(False)
        self.kind, self.all_maps = kind, all_maps
        for unit in network.modules():
            if isinstance(unit, ConvBNReLU):
                unit.conv, unit.norm = fuse_conv_bn_eval(unit.conv, unit.norm), nn.Identity()

    def forward(self, picture: Tensor) -> Tensor | tuple[Tensor, ...]:
        logits = self.network(picture)
        if not self.all_maps:
            return self._activated(logits[0])
        return tuple(self._activated(one) for one in logits)

    def _activated(self, logits: Tensor) -> Tensor:
        return logits.softmax(1) if self.kind == "classes" else logits.sigmoid()


def export(
    source: str | Path,
    to: str,
    output: str | Path | None = None,
    *,
    size: Size | None = None,
    fp16: bool = False,
    all_maps: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Export:
    """Write a network in another format, run it there, and compare its maps with torch's.

    source: a checkpoint or a model's name, as `checkpoint.load` takes it. to: one of `FORMATS`.
    output: a file or folder; None: the source's name in the current folder. size: of the input; None: the card's.
    fp16: weights in half precision. all_maps: the side outputs too. on_step: told what is being done.
    Raises BadInput, CannotWrite, ExportDiffers (then nothing is written), MissingExtra, EngineUnavailable, and what
    `load` raises.
    """
    if to not in FORMATS:
        raise BadInput(f"no format '{to}'; there are: {', '.join(FORMATS)}")
    on_step("loading")
    files = _targets(source, to, output)
    if size is not None:
        _check_size(size)
    network, card = load(source)
    card = replace(card, size=size or card.size)
    _check_size(card.size)
    outputs = _names(network)[: None if all_maps else 1]
    exact = Probabilities(network, card.kind, all_maps=all_maps)
    pictures = [torch.from_numpy(one) for one in _tensors(card)]
    module: nn.Module = exact
    try:
        on_step("running it in torch")
        with torch.inference_mode(), exactly():
            wanted = [_as_arrays(exact(one)) for one in pictures]
        if fp16 and to != "coreml":  # which has half precision of its own
            on_step("halving")
            others = [torch.from_numpy(one) for one in _tensors(card, seed=1)]  # than those that tell how good it is
            module = halved(exact, others, exact=_STAYS_EXACT)
    except RuntimeError as error:
        height, width = card.size
        raise BadInput(f"torch cannot run it at {height}x{width} on this machine ({_one_line(error)})") from error
    bound = BOUND_FP16 if fp16 else BOUND
    with writing(f"{files[0]}:", over=files[0]):
        files[0].parent.mkdir(parents=True, exist_ok=True)
        with atomic_files(*reversed(files)) as made:  # what is opened comes last
            on_step("writing")
            _write(Network(module, card, outputs, fp16), to, made[-1], files[0])
            on_step("running it again")
            parity = _compare(wanted, pictures, to, made[-1], outputs, files[0])
            _enforce(files[0], parity, bound)
    return Export(files[0], files, card, parity, bound)


def _write(network: Network, to: str, path: Path, target: Path) -> None:
    try:
        FORMATS[to].write(network, path)
    except RuntimeError as error:  # what OpenVINO and torch make of a full disk, too
        raise CannotWrite(f"{target}: cannot be written as {to} ({_one_line(error)})") from error


def _compare(
    wanted: list[list[Map]], pictures: Sequence[Tensor], to: str, path: Path, names: Sequence[str], target: Path
) -> dict[str, float]:
    """Run what was written: the largest difference of each map over all pictures, NaN where there is one."""
    run = FORMATS[to].run
    if run is None:
        return {}
    try:
        found = run(path, [one.numpy() for one in pictures], names)
    except RuntimeError as error:
        raise ExportDiffers(f"{target}: not written, because {to} cannot run it ({_one_line(error)})") from error
    worst = {}
    for place, name in enumerate(names):
        pairs = [(left[place], right[place]) for left, right in zip(wanted, found, strict=True)]
        worst[name] = float(np.max([np.max(np.abs(left - right)) for left, right in pairs]))
    return worst


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[-300:]


def _targets(source: str | Path, to: str, output: str | Path | None) -> tuple[Path, ...]:
    """The files to write, the one to open first. Raises BadInput where one would replace the source."""
    form = FORMATS[to]
    path, _ = find(source)
    stem = Path(source).stem if path == Path(source) else str(source)
    usual = stem + form.suffixes[0]
    target = Path(usual) if output is None else Path(output)
    names_folder = target.is_dir() or str(output).endswith(("/", os.sep))
    if output is not None and names_folder and target.suffix not in form.suffixes:
        target = target / usual
    if target.suffix not in form.suffixes:
        raise BadInput(f"-o {target}: what --to {to} writes ends in {' or '.join(form.suffixes)}")
    files = (target, *([target.with_suffix(form.beside)] if form.beside else []))
    for one in files:
        if os.path.realpath(one) == os.path.realpath(path):
            raise BadInput(f"{one}: the export would replace the checkpoint that it is made of; give another -o")
        if one.is_dir() and form.suffixes[0] != ".mlpackage":
            raise BadInput(f"{one}: is a folder; give another -o")
    return files


def _check_size(size: Size) -> None:
    if not all(_MIN_SIDE <= side <= _MAX_SIDE for side in size):
        height, width = size
        raise BadInput(f"a size of {height}x{width} is not possible; each side is {_MIN_SIDE} to {_MAX_SIDE}")


def _names(network: U2Net) -> tuple[str, ...]:
    sides = tuple(f"side{number + 1}" for number in range(len(network.sides)))
    return sides if network.fuse is None else ("fused", *sides)


def _enforce(path: Path, parity: dict[str, float], bound: float) -> None:
    wrong = {name: value for name, value in parity.items() if not value <= bound}  # NaN is wrong too
    if wrong:
        told = ", ".join(f"{name} {value:.1e}" for name, value in wrong.items())
        raise ExportDiffers(f"{path}: not written, because its maps differ from torch's by more than {bound:g}: {told}")


def _as_arrays(maps: Tensor | tuple[Tensor, ...]) -> list[Map]:
    return [one.numpy() for one in ([maps] if isinstance(maps, Tensor) else maps)]


def _tensors(card: ModelCard, *, seed: int = 0) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Network inputs to compare with: one picture alone, then two at once. (n, C, H, W)."""
    spec = card.spec(Path("card"))
    tensors = [from_pixels(pixels, spec)[:, np.arange(card.in_channels) % 3] for pixels in _pictures(card.size, seed)]
    return [np.ascontiguousarray(tensors[0]), np.concatenate(tensors[1:])]


def _pictures(size: Size, seed: int) -> list[Pixels]:
    """An object on a ground, once clear, once pale, once hardly to be seen, in a little noise; of a seed the same.

    Where the network hesitates its maps move most.
    """
    rng = np.random.default_rng(seed)
    (height, width), pictures = size, []
    down, across = np.mgrid[0:height, 0:width] / np.array(size).reshape(2, 1, 1)

    def soft(count: int, low: int, high: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        colors = rng.uniform(low, high, (count, count, 3)).astype(np.float32)
        return np.asarray(cv2.resize(colors, (width, height), interpolation=cv2.INTER_CUBIC))

    for contrast in (1.0, 0.3, 0.1):
        ground = soft(4, 60, 200)
        centre, radius = rng.uniform(0.35, 0.65, 2), rng.uniform(0.15, 0.3, 2)
        inside = ((down - centre[0]) / radius[0]) ** 2 + ((across - centre[1]) / radius[1]) ** 2 < 1
        picture = ground + contrast * inside[..., None] * (soft(5, 0, 255) - ground)
        pictures.append(np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8))
    return pictures
