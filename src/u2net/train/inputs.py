"""From decoded pictures to what the network gets: `tensor.from_pixels` for batches on any device."""

from __future__ import annotations

from torch import Tensor

from u2net.card import Card


def to_inputs(pictures: Tensor, card: Card) -> Tensor:
    """Scale and normalise (N, 3, h, w) float in [0, 1] as `card` says. A black picture stays black."""
    if card.scale == "own-maximum":
        brightest = pictures.amax((1, 2, 3), keepdim=True)
        pictures = pictures / brightest.where(brightest > 0, 1)
    mean, std = (pictures.new_tensor(values)[:, None, None] for values in (card.mean, card.std))
    return (pictures - mean) / std
