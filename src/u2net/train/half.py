"""Weights in half precision: half of the file, the same arithmetic, and maps that stay where they were."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

_PROJECTIONS = 4


class HalfConv2d(nn.Module):
    """A convolution that keeps its weights in half precision and computes in f32, so that every engine can run it."""

    def __init__(self, exact: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(exact.weight.half(), requires_grad=False)
        self.bias = exact.bias
        self.stride, self.padding, self.dilation = exact.stride, exact.padding, exact.dilation

    def forward(self, features: Tensor) -> Tensor:
        return conv2d(features, self.weight.float(), self.bias, self.stride, self.padding, self.dilation)


def halved(network: nn.Module, pictures: Sequence[Tensor], *, within: float) -> nn.Module:
    """A copy of `network` with the weights of its convolutions in half precision, or of as many as `within` allows.

    pictures: inputs to try it with; no map of them moves by more than `within`. A few convolutions move the maps most:
    rounding all moves u2netp's by .1, and 4 of 5 of that is one, the last of De_2, which int8 must leave alone too.
    """
    network = copy.deepcopy(network)
    convolutions = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    exact = {name: module.weight.detach() for name, module in convolutions.items()}
    with torch.no_grad():
        wanted = [_maps(network, one) for one in pictures]
    order = _worst_first(network, convolutions, pictures)

    def fits(kept: int) -> bool:
        for place, name in enumerate(order):
            weight = exact[name]
            convolutions[name].weight.data = weight if place < kept else weight.half().float()
        with torch.no_grad():
            moved = [
                float((_maps(network, one) - map_).abs().max()) for one, map_ in zip(pictures, wanted, strict=True)
            ]
        return all(one <= within for one in moved)

    low, high = 0, len(order)
    while low < high:  # how many must be kept: bisected
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    for name in order:
        convolutions[name].weight.data = exact[name]
    for name in order[low:]:
        network.set_submodule(name, HalfConv2d(convolutions[name]))
    return network


def _worst_first(network: nn.Module, convolutions: dict[str, nn.Conv2d], pictures: Sequence[Tensor]) -> list[str]:
    """The convolutions, those first that move the maps most, squared and per weight, when they are rounded.

    What rounding does to all pixels together is the length of Jacobian · difference; its products with random signs
    have that length on average, and a backward pass gives one for all convolutions at once. At half the size: that
    ranks them the same, four times as fast.
    """
    weights = [module.weight.requires_grad_(True) for module in convolutions.values()]
    moved = torch.zeros(len(weights), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for one in pictures:
        picture = interpolate(one, size=[max(32, side // 2) for side in one.shape[2:]], mode="bilinear")
        for _ in range(_PROJECTIONS):
            maps = _maps(network, picture)
            signs = torch.randint(0, 2, maps.shape, generator=generator) * 2 - 1
            gradients = torch.autograd.grad((maps * signs).sum(), weights)
            products = [(g * (w.half().float() - w)).sum() for g, w in zip(gradients, weights, strict=True)]
            moved += torch.stack(products).detach().double().square()
    for weight in weights:
        weight.requires_grad_(False)
    # One that half precision cannot hold, infinite or NaN here, is the first.
    moved = torch.nan_to_num(moved, nan=float("inf"), posinf=float("inf")) / torch.tensor([w.numel() for w in weights])
    names = list(convolutions)
    return [names[place] for place in moved.argsort(descending=True).tolist()]


def _maps(network: nn.Module, picture: Tensor) -> Tensor:
    found = network(picture)
    return found if isinstance(found, Tensor) else torch.cat(found, dim=1)
