"""Training from data that lies on the device: packed, with soft targets, at several sizes, in pieces."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from support.tiny import make_pictures
from u2net.datasets.make_pack import pack_pairs
from u2net.datasets.pack import open_pack
from u2net.datasets.pairs import find_pairs
from u2net.errors import BadInput, CannotWrite
from u2net.models.card import ModelCard
from u2net.networks.checkpoint import load
from u2net.networks.u2net import U2Net
from u2net.train import resume
from u2net.train.augment import Augmentation
from u2net.train.config import TrainConfig
from u2net.train.dataset import Dataset
from u2net.train.device_dataset import of_pack, of_pairs
from u2net.train.distributed import Process
from u2net.train.loop import train
from u2net.train.resume import State, load_state, save_state
from u2net.train.step import crop_of, make_train_step

pytestmark = pytest.mark.usefixtures("tiny")
CPU = torch.device("cpu")
SIZE = (48, 48)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "data")


@pytest.fixture
def packed(data: Path, tmp_path: Path) -> Path:
    """The discs, with their truths as soft targets."""
    pack_pairs(find_pairs(data).pairs, tmp_path / "packed", size=SIZE, quality=100, maps=data / "masks")
    return tmp_path / "packed"


def settings(data: Path, **others: Any) -> TrainConfig:
    base = TrainConfig(
        data=str(data),
        validation=str(data),
        variant="tiny",
        size=SIZE,
        crop=(32, 32),
        augmentation=Augmentation(rotation=10, swap_background=0.5),
        steps=6,
        batch=4,
        warmup=2,
        precision="f32",
        device="cpu",
        cache="device",
        validate_every=2,
        save_every=1000,
    )
    return replace(base, **others)


def logged(out: Path, column: str) -> list[float]:
    with (out / "log.csv").open() as stream:
        return [float(row[column]) for row in csv.DictReader(stream) if row[column]]


def test_data_on_the_device_give_the_batches_of_data_in_files(data: Path) -> None:
    pairs = find_pairs(data).pairs
    here = of_pairs(pairs, size=SIZE, device=CPU)
    files = Dataset(pairs, size=SIZE)
    one, other = here.batch([5, 0, 5]), files.batch([5, 0, 5])
    assert (one.indices, one.names, one.soft) == (other.indices, other.names, None)
    assert torch.equal(one.pictures, other.pictures)
    assert torch.equal(one.truths, other.truths)


def test_a_pack_gives_pictures_exact_truths_and_soft_targets(data: Path, packed: Path) -> None:
    names = [pair.name for pair in find_pairs(data).pairs]
    batch = of_pack(open_pack(packed), names[2:5], size=SIZE, device=CPU).batch([2, 0])
    assert batch.names == (names[4], names[2])
    for place, name in enumerate(batch.names):
        truth = cv2.imread(str(data / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        picture = cv2.imread(str(data / "images" / f"{name}.png"))[..., ::-1]
        assert np.array_equal(batch.truths[place, 0].numpy(), truth)
        assert (
            np.abs(batch.pictures[place].permute(1, 2, 0).numpy().astype(int) - picture).mean() < 25
        )  # noise, as WebP
        assert batch.soft is not None
        assert np.abs(batch.soft[place, 0].numpy().astype(int) - truth).mean() < 4


def test_a_pack_may_be_learned_from_at_a_smaller_size(packed: Path) -> None:
    names = open_pack(packed).names
    batch = of_pack(open_pack(packed), names, size=(32, 24), device=CPU).batch([0])
    assert batch.pictures.shape == (1, 3, 32, 24)


def test_pictures_that_cannot_be_read_are_left_out_and_named(data: Path) -> None:
    (data / "images" / "disc3.png").write_bytes(b"no picture")
    found = of_pairs(find_pairs(data).pairs, size=SIZE, device=CPU)
    assert (len(found), list(found.skipped)) == (7, ["disc3"])
    assert "disc3" not in found.names


def test_more_than_the_memory_holds_is_said(data: Path) -> None:
    with pytest.raises(BadInput, match=r"GB on cpu and .* GB are free; use a smaller --size"):
        of_pairs(find_pairs(data).pairs, size=(200_000, 200_000), device=CPU)


@pytest.mark.slow("src/u2net/networks")
def test_a_run_in_pieces_is_the_unbroken_one(packed: Path, tmp_path: Path) -> None:
    """All that changes from step to step takes part: sizes, augmentation, average, schedule, soft targets."""
    config = settings(packed, crop_sides=(32, 64), soft_losses={"bce": 0.5}, losses={"structure": 1.0}, steps=3)
    whole = train(config, tmp_path / "whole")
    result = train(config, tmp_path / "pieces", minutes=0)
    pieces = 1
    while result.unfinished:
        assert result.ended == "stopped after 0 minutes"
        result = train(config, tmp_path / "pieces", resume=True, minutes=0)
        pieces += 1
    assert (pieces, result.step, result.best) == (3, 3, whole.best)
    for column in ("loss", "structure", "soft_bce", "MAE"):
        assert logged(tmp_path / "pieces", column) == logged(tmp_path / "whole", column)
    for name in ("last.safetensors", "best.safetensors"):
        one, other = (load(tmp_path / run / name)[0].state_dict() for run in ("whole", "pieces"))
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_truths_as_soft_targets_give_the_loss_of_truths(packed: Path, tmp_path: Path) -> None:
    config = settings(packed, losses={"bce": 1.0}, soft_losses={"bce": 0.5})
    train(config, tmp_path / "run")
    soft, hard = logged(tmp_path / "run", "soft_bce"), logged(tmp_path / "run", "bce")
    assert soft == pytest.approx([0.5 * one for one in hard], rel=0.02)  # WebP at 90
    assert logged(tmp_path / "run", "loss") == pytest.approx(np.add(soft, hard).tolist(), rel=1e-4)


def test_everything_for_a_gpu_works_together(packed: Path, tmp_path: Path) -> None:
    """But for compiling, which takes minutes: benchmarks/train_step.py does it."""
    config = settings(
        packed,
        precision="bf16",
        channels_last=True,
        crop_sides=(32, 64),
        accumulate=2,
        soft_losses={"bce": 1.0},
        steps=3,
    )
    result = train(config, tmp_path / "run")
    assert (result.step, result.ended) == (3, "all steps are done")
    assert np.isfinite(logged(tmp_path / "run", "loss")).all()


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"soft_losses": {"bce": 1.0}}, "has no soft targets, which soft_losses are for; make them with"),
        (
            {"kind": "classes", "losses": {"cross_entropy": 1.0}},
            "cache=device and soft_losses are for maps of saliency",
        ),
        ({"crop_sides": (30,)}, "crop_sides are multiples of 32"),
        ({"crop_sides": (128,)}, "crop_sides are multiples of 32, at most twice size"),
        ({"crop_sides": (32,), "augmentation": Augmentation(crop="none")}, "crop to be resized, not none"),
        ({"augmentation": {"rotation": 200}}, "rotation is 0 to 180 degrees"),
        ({"truths": "masks"}, "is packed and holds its truths"),
    ],
)
def test_what_cannot_be_is_one_sentence(others: dict[str, Any], words: str, packed: Path, data: Path) -> None:
    where = packed if "truths" in others else data
    with pytest.raises(BadInput) as caught:
        if isinstance(others.get("augmentation"), dict):
            Augmentation(**others["augmentation"])
        train(settings(where, **others), packed.parent / "run")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (packed.parent / "run").exists()


def test_a_damaged_shard_is_one_sentence(packed: Path, tmp_path: Path) -> None:
    (packed / "shard-000.zip").write_bytes(b"half of it")
    with pytest.raises(BadInput, match=r"shard-000\.zip: the shard is damaged") as caught:
        train(settings(packed, validation="", held_out=0.25), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_the_size_of_a_step_is_of_the_step_alone() -> None:
    config = TrainConfig(data="x", crop_sides=(256, 288, 320, 352), seed=3)
    drawn = [crop_of(config, step) for step in range(1, 401)]
    assert drawn == [crop_of(config, step) for step in range(1, 401)]
    assert all(height == width for height, width in drawn)
    counts = Counter(height for height, _ in drawn)
    assert set(counts) == set(config.crop_sides)
    assert min(counts.values()) > 60  # of 100 expected, 4.6 deviations below
    assert drawn != [crop_of(replace(config, seed=4), step) for step in range(1, 401)]


def test_norms_and_biases_do_not_decay() -> None:
    """With gradients of 0, decay is all that AdamW does."""
    config = TrainConfig(data="x", variant="tiny", weight_decay=0.1, learning_rate=0.1, device="cpu")
    network = U2Net("tiny")
    for parameter in network.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    trained = make_train_step(config, Process(CPU), State(), network, ModelCard("tiny"))
    trained.optimizer.step()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.flatten()[0].item() == pytest.approx(1 - 0.1 * 0.1)
            assert bool(module.bias is not None and (module.bias == 1).all())
        elif isinstance(module, nn.BatchNorm2d):
            assert bool((module.weight == 1).all() and (module.bias == 1).all())


def published_state(step: int) -> State:
    """As of a run of u2netp."""
    network = U2Net("u2netp")
    optimizer = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    tensors = network.state_dict()
    return State(step, tensors, tensors, optimizer.state_dict(), {"MAE": 0.5}, card=ModelCard("u2netp").to_json())


def test_no_file_of_a_state_of_u2netp_is_of_15_megabytes(tmp_path: Path) -> None:
    save_state(published_state(5), tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert len(sizes) == 4
    assert max(sizes.values()) < 15_000_000
    found = load_state(tmp_path)
    assert (found.step, found.best, found.stale, found.world) == (5, {"MAE": 0.5}, 0, 1)
    assert torch.equal(found.network["fuse.weight"], found.average["fuse.weight"])
    assert len(found.optimizer["state"]) == len(list(U2Net("u2netp").parameters()))


@pytest.mark.parametrize("cut", ["network", "average", "optimizer", "state.json"])
def test_a_state_that_is_cut_off_leaves_the_one_before(
    cut: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = State(5, {"a": torch.ones(3)}, {"a": torch.ones(3)}, {"b": torch.ones(2)}, card="{}")
    save_state(before, tmp_path)
    real = resume.atomic_file

    def fail(path: Path, *, durable: bool) -> Any:
        if cut in path.name:
            raise OSError(28, "No space left on device")
        return real(path, durable=durable)

    monkeypatch.setattr(resume, "atomic_file", fail)
    with pytest.raises(CannotWrite, match="No space left on device; the one that lay there is as it was"):
        save_state(replace(before, step=6, network={"a": torch.zeros(3)}), tmp_path)
    monkeypatch.undo()
    found = load_state(tmp_path)
    assert (found.step, found.network["a"].tolist()) == (5, [1, 1, 1])
    save_state(replace(before, step=7), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("state-*")) == [
        f"state-000007-{part}.pt" for part in ("average", "network", "optimizer")
    ]
