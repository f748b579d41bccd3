"""Weights in half precision: half of the file, the same arithmetic, and maps that stay where they were."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class HalfConv2d(nn.Module):
    """A convolution that keeps its weights in half precision and computes in f32, so that every engine can run it.

    mean: (channels,) of what comes to it. Rounding adds (rounded - exact) · input to its output; the part of that
    which is the same everywhere, the difference times the mean, is taken out of its bias, which stays in f32.
    """

    def __init__(self, exact: nn.Conv2d, mean: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(exact.weight.half(), requires_grad=False)
        added = (self.weight.float() - exact.weight).sum((2, 3)) @ mean
        self.bias = nn.Parameter(exact.bias - added, requires_grad=False)
        self.stride, self.padding, self.dilation = exact.stride, exact.padding, exact.dilation

    def forward(self, features: Tensor) -> Tensor:
        return conv2d(features, self.weight.float(), self.bias, self.stride, self.padding, self.dilation)


def halved(network: nn.Module, pictures: Sequence[Tensor], *, exact: str | None = None) -> nn.Module:
    """A copy of `network` with the weights of its convolutions in half precision.

    pictures: inputs that the means come from. exact: the name of a part that stays as it is.
    Source: bias correction in Nagel et al., "Data-free quantization through weight equalization and bias correction",
    ICCV 2019.
    """
    network = copy.deepcopy(network)
    convolutions = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and not (exact and name.startswith(f"{exact}."))
    }
    means: dict[nn.Conv2d, list[Tensor]] = {module: [] for module in convolutions.values()}

    def note(module: nn.Conv2d, given: tuple[Tensor], _: Tensor) -> None:
        means[module].append(given[0].mean((2, 3)))

    hooks = [module.register_forward_hook(note) for module in convolutions.values()]
    with torch.no_grad():
        for picture in pictures:
            network(picture)
        for hook in hooks:
            hook.remove()
        for name, module in convolutions.items():
            network.set_submodule(name, HalfConv2d(module, torch.cat(means[module]).mean(0)))
    return network
