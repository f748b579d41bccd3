"""Each term of the loss against its formula, computed by hand or by another library."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from u2net.errors import BadInput
from u2net.train.losses import TERMS, bce, cross_entropy, iou, l1, losses, ssim, structure


def some(shape: tuple[int, ...] = (2, 1, 40, 36)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    logits = 3 * torch.randn(shape, generator=generator)
    truth = (torch.rand(shape, generator=generator) > 0.6).float()
    return logits, truth


def test_bce_is_the_published_loss_of_the_sigmoid() -> None:
    logits, truth = some()
    p, t = logits.double().sigmoid().numpy(), truth.numpy()
    assert bce(logits, truth).item() == pytest.approx(-np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)), rel=1e-5)


def test_bce_of_a_certain_and_wrong_map_is_finite() -> None:
    assert bce(torch.full((1, 1, 8, 8), -200.0), torch.ones(1, 1, 8, 8)).item() == pytest.approx(200)


def test_iou_is_that_of_each_picture() -> None:
    logits, truth = some()
    p, t = logits.sigmoid().double().numpy(), truth.numpy()
    by_hand = [1 - ((a * b).sum() + 1) / ((a + b - a * b).sum() + 1) for a, b in zip(p, t, strict=True)]
    assert iou(logits, truth).item() == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_ssim_is_that_of_scikit_image() -> None:
    from skimage.metrics import structural_similarity

    logits, truth = some()
    # Ours sees 0 beyond the border, theirs a mirror: the border is given, and cut off again.
    padded = [np.pad(part.double().numpy()[:, 0], ((0, 0), (5, 5), (5, 5))) for part in (logits.sigmoid(), truth)]
    settings = {"gaussian_weights": True, "sigma": 1.5, "win_size": 11, "use_sample_covariance": False}
    each = []
    for a, b in zip(*padded, strict=True):
        _, full = structural_similarity(a, b, data_range=1, full=True, **settings)
        each.append(full[5:-5, 5:-5].mean())
    assert 1 - ssim(logits, truth).item() == pytest.approx(np.mean(each), abs=1e-4)


def test_structure_weighs_the_boundary_as_f3net_does() -> None:
    logits, truth = some((1, 1, 50, 50))
    truth = torch.zeros_like(truth)
    truth[..., 10:40, 10:40] = 1
    p, t = logits.sigmoid().double().numpy()[0, 0], truth.double().numpy()[0, 0]
    padded = np.pad(t, 15)
    near = np.array([[padded[y : y + 31, x : x + 31].mean() for x in range(50)] for y in range(50)])
    weight = 1 + 5 * np.abs(near - t)
    entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    both, either = (p * t * weight).sum(), ((p + t) * weight).sum()
    by_hand = (weight * entropy).sum() / weight.sum() + 1 - (both + 1) / (either - both + 1)
    assert structure(logits, truth).item() == pytest.approx(by_hand, rel=1e-4)
    assert weight.max() > 3 * weight.min()


def test_cross_entropy_leaves_unknown_pixels_out() -> None:
    logits = torch.tensor([2.0, 0.0, -1.0, 1.0]).view(1, 4, 1, 1).expand(1, 4, 2, 2)
    truth = torch.tensor([[[0, 3], [255, 255]]])
    p = np.exp([2, 0, -1, 1]) / np.exp([2, 0, -1, 1]).sum()
    assert cross_entropy(logits, truth).item() == pytest.approx(-(np.log(p[0]) + np.log(p[3])) / 2, rel=1e-5)
    assert cross_entropy(logits, torch.full((1, 2, 2), 255)).item() == 0


def test_l1_is_of_the_picture() -> None:
    assert l1(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.75)).item() == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["bce", "iou", "ssim", "structure"])
def test_a_perfect_map_has_no_loss_and_a_wrong_one_has(name: str) -> None:
    _, truth = some()
    assert TERMS[name]((truth - 0.5) * 60, truth).item() == pytest.approx(0, abs=2e-3)
    assert TERMS[name]((0.5 - truth) * 60, truth).item() > 0.5


@pytest.mark.parametrize("name", ["bce", "iou", "ssim", "structure"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_or_full_truth_gives_finite_gradients(name: str, value: float) -> None:
    logits = torch.zeros(1, 1, 40, 40, requires_grad=True)
    TERMS[name](logits, torch.full((1, 1, 40, 40), value)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_loss_of_seven_maps_is_their_weighted_sum() -> None:
    maps = tuple(some()[0] + shift for shift in range(7))
    truth = some()[1]
    weights = (1.0, 0.5, 0.5, 0.25, 0.25, 0.1, 0.0)
    found = losses(maps, truth, terms={"bce": 2.0, "iou": 0.5}, map_weights=weights)
    assert found["bce"].item() == pytest.approx(
        2 * sum(w * bce(one, truth).item() for w, one in zip(weights, maps, strict=True)), rel=1e-5
    )
    assert found["iou"].item() == pytest.approx(
        0.5 * sum(w * iou(one, truth).item() for w, one in zip(weights, maps, strict=True)), rel=1e-5
    )
    with pytest.raises(BadInput, match="3 weights for 7 maps"):
        losses(maps, truth, terms={"bce": 1.0}, map_weights=(1, 1, 1))
