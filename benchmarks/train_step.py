"""Compare a training step of u2net with that of the published script: same network, batch, crop, seven losses.

    python benchmarks/train_step.py --pictures FOLDER --truths FOLDER --output benchmarks/results/train_step.json

The published step is written anew from its description: eager, f32, NCHW, sigmoids in the network and BCE of
probabilities, Adam, one worker that reads, resizes with scikit-image, crops and normalises each picture each time.
Ours is the step of `u2net train`, with its loader, its augmentation and the published recipe's losses. Both run in
turn, each time in a process of its own; the median step of each round counts. Prints a table, then a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

TARGETS = {"cpu": 2.5, "cuda": 3.0}
CROP = 288


def published(folder: Path, variant: str, batch: int, device_name: str) -> Iterator[None]:
    """The step of the published script, one a `next`."""
    import numpy as np
    import torch
    from skimage import io, transform
    from torch import nn
    from torch.utils.data import DataLoader
    from torch.utils.data import Dataset as TorchDataset

    from u2net.networks.u2net import U2Net

    device = torch.device(device_name)
    paths = sorted((folder / "images").iterdir())

    class Pictures(TorchDataset[Any]):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, index: int) -> Any:
            picture = io.imread(paths[index])
            truth = io.imread(folder / "masks" / f"{paths[index].stem}.png")
            truth = truth[..., 0] if truth.ndim == 3 else truth
            picture = np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture
            picture = transform.resize(picture, (320, 320), mode="constant")
            truth = transform.resize(truth, (320, 320), mode="constant", order=0, preserve_range=True)
            top, left = np.random.randint(0, 320 - CROP, 2)
            picture = picture[top : top + CROP, left : left + CROP]
            truth = truth[top : top + CROP, left : left + CROP]
            if np.random.random() < 0.5:
                picture, truth = picture[::-1], truth[::-1]
            picture = (picture / picture.max() - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
            truth = truth / truth.max() if truth.max() > 0 else truth
            return picture.transpose(2, 0, 1).astype(np.float32), truth[None].astype(np.float32).copy()

    network = U2Net(variant).to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    measure = nn.BCELoss()
    while True:
        for pictures, truths in DataLoader(Pictures(), batch_size=batch, shuffle=True, num_workers=1, drop_last=True):
            optimizer.zero_grad()
            maps = [torch.sigmoid(logits) for logits in network(pictures.to(device))]
            each = [measure(one, truths.to(device)) for one in maps]
            loss = sum(each)
            assert isinstance(loss, torch.Tensor)
            loss.backward()
            optimizer.step()
            [one.item() for one in each]  # the script prints them
            yield


def ours(folder: Path, variant: str, batch: int, device_name: str) -> Iterator[None]:
    """The step of `u2net train`, one a `next`."""
    import torch

    from u2net.train.config import configured
    from u2net.train.dataset import batches
    from u2net.train.distributed import Process
    from u2net.train.loop import keep_freed_memory
    from u2net.train.resume import State
    from u2net.train.setup import open_data, order, start_network
    from u2net.train.step import make_train_step, train_step

    keep_freed_memory()
    given = {"data": str(folder), "held_out": 0.0, "variant": variant, "batch": batch, "device": device_name}
    config = configured({**given, "precision": "auto"}, recipe="published")
    process = Process(torch.device(device_name))
    training, _ = open_data(config, process.device)
    trained = make_train_step(config, process, State(), *start_network(config, training, process.device))
    coming = batches(training, order(len(training), batch=batch, seed=0))
    for step, found in enumerate(coming, 1):
        terms = train_step(trained, found, step)
        terms["loss"].item()
        yield


def measure_steps(side: Callable[..., Iterator[None]], arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    steps = side(folder, arguments.variant, arguments.batch, arguments.device)
    times = []
    for number in range(arguments.steps + 2):
        start = time.perf_counter()
        next(steps)
        if number >= 2:
            times.append(time.perf_counter() - start)
    return {"median_s": statistics.median(times), "steps_s": [round(value, 3) for value in times]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--truths", type=Path, required=True)
    parser.add_argument("--variant", default="u2netp")
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--side", choices=["published", "ours"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        side = published if arguments.side == "published" else ours
        print(json.dumps(measure_steps(side, arguments, arguments.pictures)), flush=True)
        os._exit(0)  # the loader's worker need not be waited for

    import torch

    found: dict[str, list[float]] = {"published": [], "ours": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "images").symlink_to(arguments.pictures.resolve())
        (folder / "masks").symlink_to(arguments.truths.resolve())
        common = ["--variant", arguments.variant, "--batch", str(arguments.batch), "--device", arguments.device]
        common += ["--steps", str(arguments.steps), "--pictures", str(folder), "--truths", str(folder)]
        for _ in range(arguments.rounds):
            for side_name, times in found.items():
                command = [sys.executable, __file__, "--side", side_name, *common]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                times.append(json.loads(done.stdout.splitlines()[-1])["median_s"])
                print(f"{side_name:10} {times[-1]:7.2f} s a step", flush=True)
    theirs, our = (statistics.median(found[name]) for name in ("published", "ours"))
    target = TARGETS[arguments.device.split(":")[0]]
    print(f"ratio {theirs / our:.2f} (asked for: {target})")
    line = {
        "benchmark": "train_step",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(["python", *sys.argv]),
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "os": platform.platform(),
        },
        "versions": {name: version(name) for name in ("torch", "numpy", "scikit-image")},
        "variant": arguments.variant,
        "batch": arguments.batch,
        "crop": CROP,
        "device": arguments.device if arguments.device == "cpu" else torch.cuda.get_device_name(),
        "rounds_s": {name: [round(value, 3) for value in times] for name, times in found.items()},
        "published_s": round(theirs, 3),
        "ours_s": round(our, 3),
        "ratio": round(theirs / our, 2),
        "target": target,
    }
    if arguments.output:
        arguments.output.write_text(json.dumps(line, indent=1) + "\n")
    print(json.dumps(line))


if __name__ == "__main__":
    main()
