"""Training: data, augmentation, losses, the loop. Needs the extra `train`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from u2net.lazy import attach

if TYPE_CHECKING:
    from u2net.networks.checkpoint import load as load
    from u2net.networks.checkpoint import save as save
    from u2net.networks.u2net import U2Net as U2Net
    from u2net.train.augment import MODERN as MODERN
    from u2net.train.augment import PUBLISHED as PUBLISHED
    from u2net.train.augment import Augmentation as Augmentation
    from u2net.train.augment import augment as augment
    from u2net.train.config import TrainConfig as TrainConfig
    from u2net.train.config import of_recipe as of_recipe
    from u2net.train.loop import Report as Report
    from u2net.train.loop import Result as Result
    from u2net.train.loop import train as train

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "u2net.networks.checkpoint": ("load", "save"),
        "u2net.networks.u2net": ("U2Net",),
        "u2net.train.augment": ("MODERN", "PUBLISHED", "Augmentation", "augment"),
        "u2net.train.config": ("TrainConfig", "of_recipe"),
        "u2net.train.loop": ("Report", "Result", "train"),
    },
)
