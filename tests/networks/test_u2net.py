"""The networks against their published numbers: parameters, multiply-adds, sizes."""

from __future__ import annotations

import pytest
import torch

from u2net.errors import BadInput
from u2net.networks.u2net import RSU, U2Net


@pytest.mark.parametrize(
    ("variant", "out_channels", "expected"),
    [
        ("u2net", 1, 44_009_869),
        ("u2netp", 1, 1_131_181),
        ("u2net", 3, 44_037_579),
        ("u2net", 4, 44_051_452),
        ("isnet", 1, 44_046_790),
    ],
)
def test_parameters_are_as_many_as_published(variant: str, out_channels: int, expected: int) -> None:
    with torch.device("meta"):
        network = U2Net(variant, out_channels=out_channels)
    assert sum(weight.numel() for weight in network.parameters()) == expected


@pytest.mark.parametrize(("variant", "expected"), [("u2net", 58.6e9), ("u2netp", 19.8e9)])
def test_multiply_adds_at_320_are_those_of_the_design(variant: str, expected: float) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network, picture = U2Net(variant).eval(), torch.empty(1, 3, 320, 320)
    with FlopCounterMode(display=False) as counter:
        network(picture)
    assert counter.get_total_flops() / 2 == pytest.approx(expected, abs=0.05e9)  # a multiply-add is two operations


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 32), (75, 101), (160, 144)])
@pytest.mark.parametrize(("variant", "count"), [("u2netp", 7), ("isnet", 6)])
def test_any_size_from_32_gives_maps_of_that_size(variant: str, count: int, size: tuple[int, int]) -> None:
    network = U2Net(variant, in_channels=4, out_channels=2).eval()
    with torch.inference_mode():
        maps = network(torch.rand(1, 4, *size))
    assert [tuple(one.shape) for one in maps] == [(1, 2, *size)] * count


def test_maps_are_logits_and_the_first_is_the_others_fused() -> None:
    torch.manual_seed(0)
    network = U2Net("u2netp").eval()
    with torch.inference_mode():
        fused, *sides = network(torch.rand(1, 3, 64, 64))
        weight, bias = network.fuse.weight.flatten(), network.fuse.bias
        by_hand = sum(w * side for w, side in zip(weight, sides, strict=True)) + bias
    assert torch.allclose(fused, by_hand, atol=1e-5)
    assert fused.min() < 0


def test_a_dilated_block_never_shrinks_its_features() -> None:
    sizes = set()
    block = RSU(4, 3, 4, 8, dilated=True).eval()
    for unit in block.modules():
        if isinstance(unit, torch.nn.Conv2d):
            unit.register_forward_hook(lambda _, __, found: sizes.add(tuple(found.shape[2:])))
    assert tuple(block(torch.rand(1, 3, 17, 5)).shape) == (1, 8, 17, 5)
    assert sizes == {(17, 5)}
    assert [unit.conv.dilation[0] for unit in (*block.encoder, block.bottom, *block.decoder)] == [1, 2, 4, 8, 4, 2, 1]


def test_an_unknown_variant_names_the_nearest() -> None:
    with pytest.raises(BadInput, match="did you mean 'u2net'"):
        U2Net("u2nett")
