"""What training makes small: named terms, each a number for one map against the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from u2net.datasets.ground_truth import UNKNOWN_CLASS
from u2net.errors import BadInput
from u2net.networks.u2net import Maps

Term: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(logits (N, C, H, W), truth) -> a scalar, a mean over pictures."""

_BOUNDARY_PX = 31
_BOUNDARY_WEIGHT = 5.0
_SSIM_WINDOW_PX = 11
_SSIM_SIGMA_PX = 1.5


def bce(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy, the published loss; on logits, where a sigmoid and a logarithm lose no digits."""
    return F.binary_cross_entropy_with_logits(logits, truth)


def iou(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - intersection over union, both soft. Source: Máttyus et al., "DeepRoadMapper", ICCV 2017."""
    map_ = logits.sigmoid()
    both = (map_ * truth).sum((1, 2, 3))
    either = (map_ + truth).sum((1, 2, 3)) - both
    return (1 - (both + 1) / (either + 1)).mean()  # + 1 pixel: an empty truth has no 0 / 0


def ssim(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - structural similarity in Gaussian windows of 11 pixels. Source: Wang et al., 2004; in BASNet, CVPR 2019."""
    map_ = logits.sigmoid()
    offsets = torch.arange(_SSIM_WINDOW_PX, device=map_.device, dtype=map_.dtype) - _SSIM_WINDOW_PX // 2
    bell = torch.exp(-offsets.square() / (2 * _SSIM_SIGMA_PX**2))
    bell = bell / bell.sum()

    def blurred(values: Tensor) -> Tensor:
        flat = values.flatten(0, 1)[:, None]  # (N * C, 1, H, W)
        rows = F.conv2d(flat, bell.view(1, 1, -1, 1), padding=(_SSIM_WINDOW_PX // 2, 0))
        return F.conv2d(rows, bell.view(1, 1, 1, -1), padding=(0, _SSIM_WINDOW_PX // 2)).view_as(values)

    mean, mean_truth = blurred(map_), blurred(truth)
    variance = blurred(map_.square()) - mean.square()
    variance_truth = blurred(truth.square()) - mean_truth.square()
    covariance = blurred(map_ * truth) - mean * mean_truth
    steady, steady_contrast = 0.01**2, 0.03**2
    similarity = ((2 * mean * mean_truth + steady) * (2 * covariance + steady_contrast)) / (
        (mean.square() + mean_truth.square() + steady) * (variance + variance_truth + steady_contrast)
    )
    return 1 - similarity.mean()


def structure(logits: Tensor, truth: Tensor) -> Tensor:
    """BCE and IoU that count a pixel up to six times near a boundary. Source: Wei et al., "F³Net", AAAI 2020."""
    near = _box_mean(truth, _BOUNDARY_PX)
    weight = 1 + _BOUNDARY_WEIGHT * (near - truth).abs()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    weighted = (weight * entropy).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    map_ = logits.sigmoid()
    both = (map_ * truth * weight).sum((1, 2, 3))
    sum_ = ((map_ + truth) * weight).sum((1, 2, 3))
    return (weighted + 1 - (both + 1) / (sum_ - both + 1)).mean()


def _box_mean(values: Tensor, side_px: int) -> Tensor:
    """The mean around each pixel, zeros beyond the border; one axis after the other, which reads 62 and not 961."""
    rows = F.avg_pool2d(values, (side_px, 1), stride=1, padding=(side_px // 2, 0))
    return F.avg_pool2d(rows, (1, side_px), stride=1, padding=(0, side_px // 2))


def cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Over the classes; truth: (N, H, W) int64 ids, 255 where nobody knows, which does not count."""
    summed = F.cross_entropy(logits, truth, ignore_index=UNKNOWN_CLASS, reduction="sum")
    return summed / (truth != UNKNOWN_CLASS).sum().clamp(min=1)


def l1(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the picture that the logits stand for, in [0, 1]."""
    return F.l1_loss(logits.sigmoid(), truth)


TERMS: dict[str, Term] = {
    "bce": bce,
    "iou": iou,
    "ssim": ssim,
    "structure": structure,
    "cross_entropy": cross_entropy,
    "l1": l1,
}


def losses(maps: Maps, truth: Tensor, *, terms: Mapping[str, float], map_weights: Sequence[float]) -> dict[str, Tensor]:
    """The weighted terms of all maps; the loss is their sum.

    maps: logits (N, C, H, W), fused first. truth: (N, C, H, W) float in [0, 1], or (N, H, W) ids for cross_entropy.
    terms: name -> weight. map_weights: one a map, or one for all. Computed in float32, whatever the maps are.
    """
    if len(map_weights) not in (1, len(maps)):
        raise BadInput(f"{len(map_weights)} weights for {len(maps)} maps; give one for each, or one for all")
    weights = tuple(map_weights) * (len(maps) if len(map_weights) == 1 else 1)
    wide = [logits.float() for logits in maps]
    return {
        name: factor * torch.stack([w * TERMS[name](one, truth) for w, one in zip(weights, wide, strict=True)]).sum()
        for name, factor in terms.items()
    }
