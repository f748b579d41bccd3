"""U²-Net and its kin: one block, one network, a table of variants.

Source: Qin et al., "U²-Net: Going deeper with nested U-structure for salient object detection", Pattern Recognition 106
(2020); IS-Net: Qin et al., "Highly accurate dichotomous image segmentation", ECCV 2022.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from u2net.errors import BadInput

Maps = tuple[Tensor, ...]
"""(N, C, H, W) logits each, the fused map first, then the side outputs of stages De_1 … De_5 and En_6."""


@dataclass(frozen=True)
class Stage:
    """An RSU of the network: its levels, the channels that go in, lie inside and come out, whether it is an RSU-4F."""

    height: int
    in_channels: int
    mid: int
    out_channels: int
    dilated: bool = False


@dataclass(frozen=True)
class Variant:
    """A shape of the network.

    encoder: En_1 … En_6. decoder: De_5 … De_1. stem: channels of a convolution with stride 2 before them, or 0.
    fused: whether a 1x1 convolution over the side outputs gives one map more, the first.
    """

    encoder: tuple[Stage, ...]
    decoder: tuple[Stage, ...]
    stem: int = 0
    fused: bool = True


_DEEP = (
    Stage(6, 64, 32, 128),
    Stage(5, 128, 64, 256),
    Stage(4, 256, 128, 512),
    Stage(4, 512, 256, 512, dilated=True),
    Stage(4, 512, 256, 512, dilated=True),
)
_DEEP_DECODER = (
    Stage(4, 1024, 256, 512, dilated=True),
    Stage(4, 1024, 128, 256),
    Stage(5, 512, 64, 128),
    Stage(6, 256, 32, 64),
    Stage(7, 128, 16, 64),
)

VARIANTS: dict[str, Variant] = {
    "u2net": Variant((Stage(7, 3, 32, 64), *_DEEP), _DEEP_DECODER),
    "u2netp": Variant(
        (
            Stage(7, 3, 16, 64),
            Stage(6, 64, 16, 64),
            Stage(5, 64, 16, 64),
            Stage(4, 64, 16, 64),
            Stage(4, 64, 16, 64, dilated=True),
            Stage(4, 64, 16, 64, dilated=True),
        ),
        (
            Stage(4, 128, 16, 64, dilated=True),
            Stage(4, 128, 16, 64),
            Stage(5, 128, 16, 64),
            Stage(6, 128, 16, 64),
            Stage(7, 128, 16, 64),
        ),
    ),
    "isnet": Variant((Stage(7, 64, 32, 64), *_DEEP), _DEEP_DECODER, stem=64, fused=False),
}


class ConvBNReLU(nn.Sequential):
    """Convolution 3x3, batch norm, ReLU; the size stays."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)


class RSU(nn.Module):
    """A residual U-block: a small U-Net whose result is added to what its stem made of the input.

    height: levels, the bottom one included. dilated: growing dilation in the place of pooling (RSU-4F).
    """

    def __init__(self, height: int, in_channels: int, mid: int, out_channels: int, *, dilated: bool = False) -> None:
        super().__init__()
        dilations = [2**level if dilated else 1 for level in range(height - 1)]
        self.dilated = dilated
        self.stem = ConvBNReLU(in_channels, out_channels)
        self.encoder = nn.ModuleList(
            ConvBNReLU(mid if level else out_channels, mid, dilation) for level, dilation in enumerate(dilations)
        )
        self.bottom = ConvBNReLU(mid, mid, 2 ** (height - 1) if dilated else 2)
        self.decoder = nn.ModuleList(
            ConvBNReLU(2 * mid, mid if level else out_channels, dilation)
            for level, dilation in reversed(list(enumerate(dilations)))
        )

    def forward(self, features: Tensor) -> Tensor:
        residual = inner = self.stem(features)
        skips: list[Tensor] = []
        for level, unit in enumerate(self.encoder):
            inner = unit(_pool(inner) if level and not self.dilated else inner)
            skips.append(inner)
        inner = self.bottom(inner)
        for unit in self.decoder:
            skip = skips.pop()
            inner = unit(torch.cat([_resize(inner, skip), skip], dim=1))  # (N, 2 * mid, h, w)
        return inner + residual


class U2Net(nn.Module):
    """The network: an encoder and a decoder of RSUs, a side output each of the decoder's and the last encoder's stage.

    pictures: (N, in_channels, H, W) float, H and W at least 32, any numbers. Returns logits (N, out_channels, H, W),
    fused first: seven maps, six of variant isnet. A sigmoid belongs to the loss and to the export.

    >>> import torch
    >>> from u2net.train import U2Net
    >>> maps = U2Net("u2netp").eval()(torch.zeros(1, 3, 64, 64))
    >>> len(maps), tuple(maps[0].shape)
    (7, (1, 1, 64, 64))
    """

    def __init__(self, variant: str = "u2netp", *, in_channels: int = 3, out_channels: int = 1) -> None:
        super().__init__()
        shape = find_variant(variant)
        self.variant, self.in_channels, self.out_channels = variant, in_channels, out_channels
        self.stem = nn.Conv2d(in_channels, shape.stem, 3, stride=2, padding=1) if shape.stem else None
        first = replace(shape.encoder[0], in_channels=shape.stem or in_channels)
        self.encoder = nn.ModuleList(_block(stage) for stage in (first, *shape.encoder[1:]))
        self.decoder = nn.ModuleList(_block(stage) for stage in shape.decoder)
        seen = (*reversed(shape.decoder), shape.encoder[-1])  # De_1 … De_5, En_6
        self.sides = nn.ModuleList(nn.Conv2d(stage.out_channels, out_channels, 3, padding=1) for stage in seen)
        self.fuse = nn.Conv2d(len(seen) * out_channels, out_channels, 1) if shape.fused else None

    def forward(self, pictures: Tensor) -> Maps:
        inner = pictures if self.stem is None else self.stem(pictures)
        skips: list[Tensor] = []
        for number, stage in enumerate(self.encoder):
            inner = stage(_pool(inner) if number else inner)
            skips.append(inner)
        outer = [skips.pop()]  # En_6, De_5, …, De_1
        for stage in self.decoder:
            skip = skips.pop()
            outer.append(stage(torch.cat([_resize(outer[-1], skip), skip], dim=1)))
        maps = tuple(
            _resize(side(features), pictures) for side, features in zip(self.sides, reversed(outer), strict=True)
        )
        return maps if self.fuse is None else (self.fuse(torch.cat(maps, dim=1)), *maps)


def find_variant(name: str) -> Variant:
    """The row of a variant. Raises BadInput, with the nearest name there is."""
    if name in VARIANTS:
        return VARIANTS[name]
    near = difflib.get_close_matches(name, VARIANTS, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise BadInput(f"no variant '{name}' of the network; {hint}there are: {', '.join(VARIANTS)}")


def _block(stage: Stage) -> RSU:
    return RSU(stage.height, stage.in_channels, stage.mid, stage.out_channels, dilated=stage.dilated)


def _pool(features: Tensor) -> Tensor:
    return nn.functional.max_pool2d(features, 2, stride=2, ceil_mode=True)


def _resize(features: Tensor, like: Tensor) -> Tensor:
    """Enlarge to the size of `like`, (N, C, h, w) -> (N, C, H, W)."""
    if features.shape[2:] == like.shape[2:]:
        return features
    return interpolate(features, size=like.shape[2:], mode="bilinear", align_corners=False)
