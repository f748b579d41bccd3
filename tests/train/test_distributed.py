"""Several processes: the numbers of one with their batches together."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from support.paths import ROOT
from support.tiny import make_pictures
from u2net.errors import EngineUnavailable
from u2net.networks.checkpoint import load
from u2net.train.augment import Augmentation
from u2net.train.config import TrainConfig
from u2net.train.distributed import choose_device, joined
from u2net.train.loop import train


def torchrun(config: TrainConfig, out: Path, *, processes: int) -> None:
    file = out.with_suffix(".json")
    file.write_text(config.to_json())
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    paths = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*command, str(ROOT / "tests/train/two_processes.py"), str(file), str(out)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_two_processes_learn_as_one_with_the_doubled_batch(tmp_path: Path) -> None:
    data = make_pictures(tmp_path / "data", 9)  # an odd number: the processes validate on shares of two sizes
    config = TrainConfig(
        data=str(data), validation=str(data), variant="tiny", size=(40, 40), crop=(32, 32), steps=8, warmup=2, batch=2,
        norms="frozen", augmentation=Augmentation(swap_background=0), precision="f32", device="cpu",
    )  # fmt: skip
    torchrun(config, tmp_path / "two", processes=2)
    one = train(replace(config, batch=4), tmp_path / "one")

    def log(name: str) -> list[dict[str, str]]:
        with (tmp_path / name / "log.csv").open() as stream:
            return list(csv.DictReader(stream))

    losses = [[float(row["loss"]) for row in log(name)] for name in ("one", "two")]
    assert len(losses[0]) == 8
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    for measure, value in one.best.items():
        assert float(log("two")[-1][measure]) == pytest.approx(value, abs=1e-4)
    weights = [load(tmp_path / name / "last.safetensors")[0].state_dict() for name in ("one", "two")]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*(each.values() for each in weights), strict=True))


@pytest.mark.parametrize(("world", "words"), [("2", "which torchrun starts"), ("two", "whole numbers")])
def test_half_of_what_torchrun_sets_is_one_sentence(world: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", world)
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(EngineUnavailable, match=words), joined("cpu"):
        pass


def test_a_device_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(EngineUnavailable, match="use --device cpu"):
        choose_device("quantum")
    assert choose_device("cpu") == torch.device("cpu")
