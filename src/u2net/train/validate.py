"""How good the network is now: the measures of pictures that it does not learn from, at the size of the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from u2net.datasets.ground_truth import UNKNOWN_CLASS, Kind
from u2net.evaluation.metrics import score, summarise
from u2net.inference.transforms import stretched_map, to_published_map
from u2net.models.card import ModelCard
from u2net.models.spec import ModelSpec
from u2net.networks.u2net import U2Net
from u2net.train.augment import NONE, augment
from u2net.train.dataset import Batch, Samples, batches, to_inputs
from u2net.train.distributed import Process
from u2net.types import Size

DECIDES: dict[Kind, str] = {"saliency": "MAE", "classes": "mIoU", "image": "MAE"}
"""The measure by which one validation is better than another."""

SHOWN: dict[Kind, tuple[str, ...]] = {
    "saliency": ("MAE", "maxF", "S", "maxE"),
    "classes": ("mIoU", "accuracy"),
    "image": ("MAE", "PSNR"),
}
"""The measures of each kind, in the order to show them."""

_MEASURES = ("MAE", "F", "S", "E")


@dataclass(frozen=True)
class Example:
    """A picture, its truth and what the network makes of it, (3, H, W), (C, H, W) and (C, H, W) uint8."""

    picture: Tensor
    truth: Tensor
    prediction: Tensor


def validate(
    network: U2Net, dataset: Samples, card: ModelCard, *, batch: int, bf16: bool, process: Process
) -> dict[str, float]:
    """Measure all of a dataset, shared out among the processes; all must call this.

    saliency: MAE, maxF, S, maxE, as `metrics.summarise` has them; classes: mIoU, accuracy; image: MAE, PSNR (dB).
    """
    own = range(process.rank, len(dataset), process.world)
    parts = [own[start : start + batch] for start in range(0, len(own), batch)]
    found: list[Any] = []
    measured: set[int] = set()
    for seen, maps in _run(network, dataset, card, parts, bf16=bf16, device=process.device):
        for index, truth, values in zip(seen.indices, seen.truths.cpu(), maps, strict=True):
            if index not in measured:  # in the place of one that cannot be decoded comes another, which counts once
                measured.add(index)
                found.append(_score(values, truth, card))
    return _summary(process.gather(found), card)


def examples(
    network: U2Net, dataset: Samples, card: ModelCard, *, count: int, bf16: bool, device: torch.device
) -> list[Example]:
    """The first `count` pictures of a dataset, to show to a person."""
    found = []
    shown = range(min(count, len(dataset)))
    parts = [shown[start : start + 4] for start in range(0, len(shown), 4)]
    for batch, maps in _run(network, dataset, card, parts, bf16=bf16, device=device):
        for picture, truth, values in zip(batch.pictures.cpu(), batch.truths.cpu(), maps, strict=True):
            found.append(Example(picture, truth, torch.from_numpy(_to_bytes(values, card).copy())))
    return found


def better(one: dict[str, float], other: dict[str, float], kind: Kind) -> bool:
    """Whether the first validation is better than the second."""
    name = DECIDES[kind]
    return one[name] < other[name] if name == "MAE" else one[name] > other[name]


def _run(
    network: U2Net,
    dataset: Samples,
    card: ModelCard,
    parts: Sequence[Sequence[int]],
    *,
    bf16: bool,
    device: torch.device,
) -> Iterator[tuple[Batch, np.ndarray[Any, np.dtype[np.float32]]]]:
    was_training = network.training
    network.eval()
    try:
        for batch in batches(dataset, [part for part in parts if len(part)]):
            size: Size = (batch.pictures.shape[2], batch.pictures.shape[3])
            seeds = torch.zeros(len(batch.indices), dtype=torch.int64)
            seen, _, _ = augment(
                batch.pictures.to(device), batch.truths.to(device), seeds=seeds, settings=NONE, size=size
            )
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                maps = network(to_inputs(seen, card))[0]
            yield batch, (maps if card.kind == "classes" else maps.float().sigmoid()).float().cpu().numpy()
    finally:
        network.train(was_training)


def _to_bytes(values: np.ndarray[Any, np.dtype[np.float32]], card: ModelCard) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(C, H, W) numbers of the network -> (1, H, W) map or ids, or (3, H, W) picture."""
    if card.kind == "classes":
        return values.argmax(axis=0, keepdims=True).astype(np.uint8)
    if card.kind == "image":
        return np.rint(values * 255).astype(np.uint8)
    height, width = values.shape[1:]
    spec = ModelSpec(name="", file="", size=(height, width), stretch=card.stretch)
    return to_published_map(stretched_map(values[0], (height, width), spec=spec), (height, width))[None]


def _score(values: np.ndarray[Any, np.dtype[np.float32]], truth: Tensor, card: ModelCard) -> Any:
    if card.kind == "saliency":
        return score(_to_bytes(values, card)[0], truth[0].numpy(), measures=_MEASURES)
    if card.kind == "image":
        difference = values - truth.numpy() / 255
        return float(np.abs(difference).mean()), float(np.square(difference).mean())
    known = truth.numpy() != UNKNOWN_CLASS
    classes = values.shape[0]
    pairs = truth.numpy()[known].astype(np.int64) * classes + _to_bytes(values, card)[known]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def _summary(found: list[Any], card: ModelCard) -> dict[str, float]:
    if card.kind == "saliency":
        every = summarise(found)
        return {name: float(every[name]) for name in SHOWN["saliency"]}
    if card.kind == "image":
        absolute, squared = np.mean(found, axis=0)
        return {"MAE": float(absolute), "PSNR": float(-10 * np.log10(max(squared, 1e-10)))}
    confusion = np.sum(found, axis=0)
    either = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    ious = confusion.diagonal()[either > 0] / either[either > 0]
    return {"mIoU": float(ious.mean()), "accuracy": float(confusion.trace() / max(confusion.sum(), 1))}
