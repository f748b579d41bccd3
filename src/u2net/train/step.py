"""One step of learning, and what it changes: the network, its moving average, the optimizer."""

from __future__ import annotations

import contextlib
import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from u2net.models.card import ModelCard
from u2net.networks.u2net import U2Net
from u2net.system.hardware import this_machine
from u2net.train.augment import augment
from u2net.train.config import TrainConfig
from u2net.train.dataset import Batch, to_inputs
from u2net.train.distributed import Process
from u2net.train.losses import losses
from u2net.train.resume import State
from u2net.train.setup import positions
from u2net.types import Size


@dataclass(frozen=True)
class TrainStep:
    """The network and what changes it.

    model: the network as it is called: compiled, shared out. average: its moving average, or None.
    backgrounds: (M, 3, H, W) uint8 for the background swap, or None.
    """

    config: TrainConfig
    process: Process
    card: ModelCard
    network: U2Net
    model: nn.Module
    average: U2Net | None
    optimizer: torch.optim.Optimizer
    bf16: bool
    backgrounds: Tensor | None = None

    @property
    def kept(self) -> U2Net:
        """The network to validate and to save."""
        return self.network if self.average is None else self.average

    def into(self, state: State, step: int) -> None:
        """Note all that a resumed run needs."""
        state.step, state.network, state.optimizer = step, self.network.state_dict(), self.optimizer.state_dict()
        state.card = self.card.to_json()
        state.average = {} if self.average is None else self.average.state_dict()


def make_train_step(
    config: TrainConfig,
    process: Process,
    state: State,
    network: U2Net,
    card: ModelCard,
    *,
    backgrounds: Tensor | None = None,
) -> TrainStep:
    """Put together what trains, as far as `state` says it has come."""
    if state.network:
        network.load_state_dict(state.network)
    average = copy.deepcopy(network).eval().requires_grad_(False) if config.ema else None
    if average and state.average:
        average.load_state_dict(state.average)
    on_gpu = process.device.type == "cuda"
    if on_gpu:
        torch.backends.cudnn.benchmark = True  # few sizes, each of which comes thousands of times
    if process.world > 1 and on_gpu and config.norms == "train":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    if _channels_last(config, process):
        network = network.to(memory_format=torch.channels_last)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    optimizer = kind(_groups(network, config), lr=config.learning_rate, fused=on_gpu)
    if state.optimizer:
        optimizer.load_state_dict(state.optimizer)
    model: nn.Module = network
    if process.world > 1:
        model = nn.parallel.DistributedDataParallel(network, device_ids=[process.device] if on_gpu else None)
    if config.compile:
        model = torch.compile(model, dynamic=False)  # one graph for each of `crop_sides`, which is quicker
    bf16 = uses_bf16(config, process.device)
    return TrainStep(config, process, card, network, model, average, optimizer, bf16, backgrounds)


def train_step(trained: TrainStep, batch: Batch, step: int) -> dict[str, Tensor]:
    """Step number `step`, from 1. Returns the terms of the loss and, as `loss`, their sum, of this process."""
    config, process, network = trained.config, trained.process, trained.network
    network.train()
    for module in network.modules() if config.norms == "frozen" else ():
        module.train(not isinstance(module, nn.BatchNorm2d))
    for group in trained.optimizer.param_groups:
        group["lr"] = learning_rate(config, step)

    place = positions(step - 1, batch=config.batch, rank=process.rank, world=process.world)
    pictures, truths, soft = augment(
        batch.pictures.to(process.device, non_blocking=True),
        batch.truths.to(process.device, non_blocking=True),
        seeds=torch.tensor([(config.seed << 40) + position for position in place]),
        settings=config.augmentation,
        size=crop_of(config, step),
        kind=config.kind,
        soft=batch.soft.to(process.device, non_blocking=True)
        if batch.soft is not None and config.soft_losses
        else None,
        backgrounds=trained.backgrounds,
    )
    inputs = to_inputs(pictures, trained.card)
    if _channels_last(config, process):
        inputs = inputs.contiguous(memory_format=torch.channels_last)

    sums: dict[str, Tensor] = {}
    chunks = [values.chunk(config.accumulate) for values in (inputs, truths, truths if soft is None else soft)]
    parts = list(zip(*chunks, strict=True))
    for number, (seen, truth, belief) in enumerate(parts, 1):
        with _unshared(trained.model) if number < len(parts) else contextlib.nullcontext():
            with torch.autocast(process.device.type, torch.bfloat16, enabled=trained.bf16):
                maps = trained.model(seen)
            terms = losses(maps, truth, terms=config.losses, map_weights=config.map_weights)
            if config.soft_losses:
                softly = losses(maps, belief, terms=config.soft_losses, map_weights=config.map_weights)
                terms |= {f"soft_{name}": value for name, value in softly.items()}
            loss = torch.stack(list(terms.values())).sum() / config.accumulate
            loss.backward()
        for name, value in (*terms.items(), ("loss", loss * config.accumulate)):
            sums[name] = sums.get(name, 0) + value.detach() / config.accumulate
    if config.clip:
        nn.utils.clip_grad_norm_(network.parameters(), config.clip)
    trained.optimizer.step()
    trained.optimizer.zero_grad(set_to_none=True)
    if trained.average:
        _follow(trained.average, network, share=min(config.ema, (1 + step) / (10 + step)))
    return sums


def learning_rate(config: TrainConfig, step: int) -> float:
    """Of a step, from 1: up in a line over `warmup` steps, then constant, or down to 0 along a cosine."""
    if step <= config.warmup:
        return config.learning_rate * step / config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    part = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * (1 + math.cos(math.pi * min(1, part))) / 2


def crop_of(config: TrainConfig, step: int) -> Size:
    """(h, w) that the network learns from at a step: of the step and the seed alone, so the same after a resume."""
    if not config.crop_sides:
        return config.crop
    side = config.crop_sides[int(np.random.default_rng([config.seed, step]).integers(len(config.crop_sides)))]
    return side, side


def _groups(network: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Weight decay is for what is multiplied in convolutions; a norm or a bias that is drawn to 0 is only worse.

    Source: He et al., "Bag of tricks for image classification", CVPR 2019.
    """
    weights = list(network.parameters())
    return [
        {"params": [one for one in weights if one.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [one for one in weights if one.ndim <= 1], "weight_decay": 0.0},
    ]


def uses_bf16(config: TrainConfig, device: torch.device) -> bool:
    """Whether the step computes in bf16. `auto`: where the device does so by itself, not by imitation."""
    if config.precision != "auto":
        return config.precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(this_machine().capabilities.get("bf16"))


def _channels_last(config: TrainConfig, process: Process) -> bool:
    """By itself on GPUs only: on a CPU without bf16 it doubled the step."""
    return process.device.type == "cuda" if config.channels_last is None else config.channels_last


def _unshared(model: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Where gradients are only added up, the processes need not exchange them."""
    return model.no_sync() if isinstance(model, nn.parallel.DistributedDataParallel) else contextlib.nullcontext()


@torch.no_grad()
def _follow(average: U2Net, network: U2Net, *, share: float) -> None:
    """Move the average towards the network; share: how much of the old stays. Counters are taken over."""
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    numbers = [(old, new) for old, new in pairs if old.is_floating_point()]
    torch._foreach_lerp_([old for old, _ in numbers], [new for _, new in numbers], 1 - share)
    counters = [(old, new) for old, new in pairs if not old.is_floating_point()]
    torch._foreach_copy_([old for old, _ in counters], [new for _, new in counters])
