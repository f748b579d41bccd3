"""What a run begins with: its pictures, their order, its network."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from u2net.datasets.ground_truth import colors_of, first_look, squash
from u2net.datasets.pack import Pack, is_pack, open_pack
from u2net.datasets.pairs import Pair, describe, find_pairs, pictures_below
from u2net.errors import BadInput
from u2net.io.read import read
from u2net.models.card import ModelCard
from u2net.networks.checkpoint import load
from u2net.networks.published_weights import fill_norms
from u2net.networks.u2net import U2Net
from u2net.system.digest import digest_of
from u2net.train.augment import NONE, augment
from u2net.train.config import TrainConfig
from u2net.train.dataset import Dataset, Samples, batches, to_inputs
from u2net.train.device_dataset import of_pack, of_pairs

log = logging.getLogger("u2net")

_MOST_HELD_OUT = 500
_MOST_BACKGROUNDS = 500
_NORM_PICTURES = 200


def open_data(config: TrainConfig, device: torch.device) -> tuple[Samples, Samples | None]:
    """The pictures to learn from and those to validate with, None where there are none.

    All that is wrong with the pairing is said at once, as a warning.
    Raises BadInput where nothing is left, and where soft targets are to be learned from and there are none.
    """
    learned = _found(config.data, config.truths)
    if config.validation:
        checked = _found(config.validation, config.validation_truths)
    else:
        names, held = hold_out(learned.names, config.held_out)
        learned, checked = replace(learned, names=names), replace(learned, names=held)
    if config.soft_losses and not (learned.pack and learned.pack.soft):
        raise BadInput(
            f"{config.data}: has no soft targets, which soft_losses are for; make them with: u2net data pack --teacher"
        )
    return _samples(learned, config, device), _samples(checked, config, device) if checked.names else None


def open_backgrounds(config: TrainConfig) -> Tensor | None:
    """(M, 3, H, W) uint8, the pictures for the background swap, or None; at most 500, by name.

    One that cannot be read is left out with a warning. Raises BadInput where none is left.
    """
    if not config.backgrounds:
        return None
    found = []
    for path in pictures_below(Path(config.backgrounds)):
        try:
            found.append(squash(colors_of(read(path)), config.size).transpose(2, 0, 1))
        except BadInput as error:
            log.warning("left out: %s", error)
        if len(found) == _MOST_BACKGROUNDS:
            break
    if not found:
        raise BadInput(f"{config.backgrounds}: holds no picture that can be a background")
    return torch.from_numpy(np.stack(found))


@dataclass(frozen=True)
class Located:
    """What lies in one place, by name: pairs of files, or what a pack holds."""

    names: tuple[str, ...]
    pairs: Mapping[str, Pair] = field(default_factory=dict)
    pack: Pack | None = None


def hold_out(names: Sequence[str], share: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split off a share, at most 500: the same pictures each time, and mostly the same when some are added."""
    ordered = sorted(names, key=digest_of)
    count = min(round(share * len(ordered)), _MOST_HELD_OUT, len(ordered) - 1)
    held = set(ordered[:count])
    return tuple(name for name in names if name not in held), tuple(name for name in names if name in held)


def _found(source: str, truths: str) -> Located:
    if is_pack(Path(source)):
        if truths:
            raise BadInput(f"{source}: is packed and holds its truths; leave --truths out")
        pack = open_pack(Path(source))
        return Located(pack.names, pack=pack)
    found = find_pairs(Path(source), truths=Path(truths) if truths else None)
    if problems := [*found.problems, *first_look(found.pairs)]:
        log.warning("%s: %s", source, describe(problems))
    pairs = {pair.name: pair for pair in found.pairs}
    return Located(tuple(pairs), pairs)


def _samples(found: Located, config: TrainConfig, device: torch.device) -> Samples:
    if found.pack:
        if config.kind != "saliency":
            raise BadInput(f"{found.pack.folder}: packed data are for maps of saliency, not of {config.kind}")
        where = device if config.cache == "device" else torch.device("cpu")
        return of_pack(found.pack, found.names, size=config.size, device=where)
    pairs = [found.pairs[name] for name in found.names]
    if config.cache == "device":
        return of_pairs(pairs, size=config.size, device=device)
    cache: Path | Literal["ram"] = "ram" if config.cache == "ram" else Path(config.cache)
    classes = config.classes if config.kind == "classes" else None
    return Dataset(pairs, size=config.size, kind=config.kind, classes=classes, cache=cache)


def order(count: int, *, batch: int, seed: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[list[int]]:
    """The samples of each step from `start` on, without end: every epoch in an order of its own.

    Step, seed and rank alone say what comes: a resumed run gets what an unbroken one gets, and processes together what
    one process with their batches together gets.
    """
    shuffled: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))
    for step in _from(start):
        indices = []
        for position in positions(step, batch=batch, rank=rank, world=world):
            epoch, place = divmod(position, count)
            if epoch != shuffled[0]:
                shuffled = epoch, np.random.default_rng([seed, epoch]).permutation(count)
            indices.append(int(shuffled[1][place]))
        yield indices


def positions(step: int, *, batch: int, rank: int, world: int) -> range:
    """Which of all samples that ever come are those of a step (from 0) in a process."""
    first = (step * world + rank) * batch
    return range(first, first + batch)


def _from(start: int) -> Iterator[int]:
    while True:
        yield start
        start += 1


def start_network(
    config: TrainConfig, training: Samples, device: torch.device, *, resumed: str = ""
) -> tuple[U2Net, ModelCard]:
    """The network on its device, random or from `init`, and what it is.

    resumed: the card, as JSON, of a run that goes on: its numbers come from there, and `init` may be gone.

    Norms that come folded into an ONNX file get the statistics of some 200 training pictures, unless they stay frozen.
    With another number of maps than `init` has, the side outputs and the fused one start at random.
    Raises BadInput where `init` is of another variant.
    """
    torch.manual_seed(config.seed)
    network = U2Net(config.variant, out_channels=config.out_channels)
    card = ModelCard(config.variant, out_channels=config.out_channels, kind=config.kind, size=config.size)
    card = replace(card, stretch=config.kind == "saliency")
    if resumed:
        return network.to(device), ModelCard.from_json(resumed)
    if not config.init:
        return network.to(device), card
    given, known = load(config.init)
    if given.variant != config.variant:
        raise BadInput(f"{config.init}: holds a {given.variant}, not a {config.variant}; use --variant {given.variant}")
    if given.in_channels != network.in_channels:
        raise BadInput(f"{config.init}: takes {given.in_channels} channels in, pictures have {network.in_channels}")
    card = replace(card, scale=known.scale, mean=known.mean, std=known.std, licence=known.licence)
    tensors = given.state_dict()
    if given.out_channels != network.out_channels:
        log.warning("%s: has %d maps a picture, not %d: its side outputs and fused map begin at random",
                    config.init, given.out_channels, network.out_channels)  # fmt: skip
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(("sides.", "fuse."))}
    network.load_state_dict(tensors, strict=False)
    network = network.to(device)
    if config.norms == "train":
        _fill_norms(network, card, config, training, device)
    return network, card


def _fill_norms(network: U2Net, card: ModelCard, config: TrainConfig, training: Samples, device: torch.device) -> None:
    steps = -(-min(_NORM_PICTURES, len(training)) // config.batch)
    chosen = order(len(training), batch=config.batch, seed=config.seed)
    seeds = torch.zeros(config.batch, dtype=torch.int64)

    def inputs() -> Iterator[Tensor]:
        for batch in batches(training, [next(chosen) for _ in range(steps)]):
            pictures, truths = batch.pictures.to(device), batch.truths.to(device)
            seen, _, _ = augment(pictures, truths, seeds=seeds, settings=NONE, size=config.crop)
            yield to_inputs(seen, card)

    fill_norms(network, inputs())
