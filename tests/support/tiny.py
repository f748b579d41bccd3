"""Networks for tests: one small enough to be trained in a test, pictures that it can learn, and one of chance."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from u2net.networks.u2net import VARIANTS, Stage, U2Net, Variant

_IN, _DEEP = Stage(4, 3, 4, 8), Stage(4, 8, 4, 8)
TINY = Variant((_IN, _DEEP, _DEEP, _DEEP, _DEEP, _DEEP), (Stage(4, 16, 4, 8),) * 5)


def add_tiny() -> None:
    """Let `tiny` be the name of a variant in this process."""
    VARIANTS["tiny"] = TINY


def make_pictures(folder: Path, count: int = 8, *, side: int = 48, classes: bool = False) -> Path:
    """A bright disc on a dark ground each, and its truth."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    random = np.random.default_rng(3)
    for number in range(count):
        x, y = random.integers(14, side - 14, 2).tolist()
        radius = int(random.integers(7, 13))
        truth = np.zeros((side, side), np.uint8)
        cv2.circle(truth, (x, y), radius, 1 if classes else 255, -1)
        ground = random.integers(0, 90, (side, side, 3), dtype=np.uint8)
        picture = np.where(truth[..., None] > 0, np.uint8(230) - ground, ground)
        cv2.imwrite(str(folder / "images" / f"disc{number}.png"), picture)
        cv2.imwrite(str(folder / "masks" / f"disc{number}.png"), truth)
    return folder


def random_network(*, spread: float = 1.0) -> U2Net:
    """u2netp in evaluation mode, always the same, with norms that do something. spread: of their means."""
    torch.manual_seed(1)
    network = U2Net("u2netp").eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=spread)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return network
