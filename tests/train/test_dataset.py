"""Batches: what is in them, what is skipped, and what is kept for the next epoch, run or process."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from u2net.datasets.pairs import Pair, find_pairs
from u2net.errors import BadInput, CannotWrite
from u2net.train import decoded_cache
from u2net.train.dataset import Dataset, batches

SIZE = (24, 32)


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Pair, ...]:
    """Eight pictures, each of one color (10 times its number), and truths of twice that."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for number in range(8):
        Image.new("RGB", (40, 30), (number * 10, 1, 2)).save(tmp_path / f"images/{number}.png")
        Image.new("L", (40, 30), number * 20).save(tmp_path / f"masks/{number}.png")
    return find_pairs(tmp_path).pairs


def damage(pair: Pair) -> None:
    pair.picture.write_bytes(pair.picture.read_bytes()[:60])


def reds(batch: object) -> list[int]:
    return [int(value) for value in batch.pictures[:, 0, 0, 0]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("cache", ["ram", "file", None])
def test_batch_holds_what_was_asked_for_in_that_order(
    cache: str | None, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    dataset = Dataset(pairs, size=SIZE, cache=tmp_path / "cache" if cache == "file" else cache)  # type: ignore[arg-type]
    for _ in range(2):
        batch = dataset.batch([5, 0, 5])
        assert (batch.pictures.shape, batch.truths.shape) == ((3, 3, *SIZE), (3, 1, *SIZE))
        assert batch.pictures.dtype == batch.truths.dtype == torch.uint8
        assert reds(batch) == [50, 0, 50]
        assert batch.truths.amax((1, 2, 3)).tolist() == batch.truths.amin((1, 2, 3)).tolist() == [100, 0, 100]
        assert (batch.indices, batch.names) == ((5, 0, 5), ("5", "0", "5"))
    assert (len(dataset), dataset.names[3], dataset.skipped) == (8, "3", {})


@pytest.mark.parametrize("cache", ["ram", "file"])
def test_each_file_is_decoded_once(cache: str, pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    where = tmp_path / "cache" if cache == "file" else "ram"
    dataset = Dataset(pairs, size=SIZE, cache=where)  # type: ignore[arg-type]
    dataset.batch(range(8))
    for pair in pairs:
        pair.picture.unlink()
    assert reds(dataset.batch([7, 1])) == [70, 10]


def test_picture_that_fails_is_replaced_by_the_next_named_and_counted_once(
    pairs: tuple[Pair, ...], caplog: pytest.LogCaptureFixture
) -> None:
    for number in (3, 4, 7):
        damage(pairs[number])
    dataset = Dataset(pairs, size=SIZE)
    with caplog.at_level(logging.WARNING, "u2net"):
        for _ in range(2):
            batch = dataset.batch([3, 7, 2])
            assert (batch.indices, batch.names) == ((5, 0, 2), ("5", "0", "2"))
            assert reds(batch) == [50, 0, 20]
    assert set(dataset.skipped) == {"3", "4", "7"}
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"skipped: {dataset.skipped[name]}" for name in ("3", "4", "7")
    ]
    assert all(str(pairs[int(name)].picture) in reason for name, reason in dataset.skipped.items())


def test_mask_of_another_shape_is_skipped_with_both_sizes(pairs: tuple[Pair, ...]) -> None:
    Image.new("L", (30, 40)).save(pairs[0].truth or "")
    dataset = Dataset(pairs, size=SIZE)
    assert dataset.batch([0]).names == ("1",)
    assert "0.png: measures 30 x 40, its picture 40 x 30: one of the two is turned" in dataset.skipped["0"]


def test_nothing_to_learn_from_is_bad_input(pairs: tuple[Pair, ...]) -> None:
    for pair in pairs:
        damage(pair)
    with pytest.raises(BadInput, match=r"none of the 8 pictures can be learned from; the first: .*\.png"):
        Dataset(pairs, size=SIZE).batch([4])
    with pytest.raises(BadInput, match="no pairs"):
        Dataset([], size=SIZE)


def test_classes_and_images_come_in_their_own_shapes(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    images = Dataset([Pair(pair.picture, pair.picture, pair.name) for pair in pairs], size=SIZE, kind="image")
    batch = images.batch([6])
    assert batch.truths.shape == (1, 3, *SIZE)
    assert torch.equal(batch.truths, batch.pictures)
    for number, pair in enumerate(pairs):
        Image.new("L", (40, 30), 255 if number == 7 else number).save(pair.truth or "")
    classes = Dataset(pairs, size=SIZE, kind="classes", classes=4)
    assert classes.batch([2, 3, 7]).truths.amax((1, 2, 3)).tolist() == [2, 3, 255]
    assert classes.batch([4]).names == ("7",)
    assert "holds class 4, and there are 4, counted from 0" in classes.skipped["4"]


def test_second_run_takes_the_file_and_a_changed_data_set_does_not(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    Dataset(pairs, size=SIZE, cache=folder).batch(range(8))
    (first,) = folder.glob("*.u2net")
    kept = [(pair.picture, pair.picture.stat()) for pair in pairs]
    for path, status in kept:  # other content, as old and as large: only a cache still knows the first one
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert reds(Dataset(pairs, size=SIZE, cache=folder).batch(range(8))) == list(range(0, 80, 10))
    Image.new("RGB", (40, 30), (99, 0, 0)).save(pairs[1].picture)
    assert reds(Dataset(pairs, size=SIZE, cache=folder).batch([1])) == [99]
    Dataset(pairs, size=(8, 8), cache=folder)
    Dataset(pairs[:5], size=SIZE, cache=folder)
    assert len({first, *folder.glob("*.u2net")}) == 4


def test_interrupted_write_costs_that_sample_alone(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    dataset = Dataset(pairs, size=SIZE, cache=folder)
    dataset.batch(range(8))
    (path,) = folder.glob("*.u2net")
    with path.open("r+b") as stream:  # as a machine leaves it that stopped between the sum and the sample
        stream.seek(-4 * SIZE[0] * SIZE[1], os.SEEK_END)
        stream.write(bytes(100))
    pairs[6].picture.unlink()
    again = Dataset(pairs, size=SIZE, cache=folder)
    assert reds(again.batch([7, 5])) == [70, 50]
    assert not again.skipped


@pytest.mark.slow("src/u2net/networks")
def test_processes_share_one_file(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from u2net.datasets.pairs import find_pairs; "
        "from u2net.train.dataset import Dataset; folder = Path(sys.argv[1]); "
        "dataset = Dataset(find_pairs(folder).pairs, size=(24, 32), cache=folder / 'cache'); "
        "print([int(dataset.batch([number]).pictures[0, 0, 0, 0]) for number in range(8)])"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [run.communicate()[0].strip() for run in runs] == [str(list(range(0, 80, 10)))] * 3
    assert len(list((tmp_path / "cache").glob("*.u2net"))) == 1


def test_disk_or_memory_too_small_is_said_before_the_first_step(
    pairs: tuple[Pair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=r"take \d+\.\d GB of memory and .* are free; keep them in a folder"):
        Dataset(pairs, size=(200_000, 200_000))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(CannotWrite, match="GB are free; give a folder on another disk"):
        Dataset(pairs, size=SIZE, cache=tmp_path / "cache")
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match=r"cannot be kept there: .*; give another folder"):
        Dataset(pairs, size=SIZE, cache=tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_disk_that_fills_up_meanwhile_is_one_sentence(
    pairs: tuple[Pair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset(pairs, size=SIZE, cache=tmp_path / "cache")
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(dataset._cache, "_file", full)
        with pytest.raises(CannotWrite, match="No space left on device; give another folder, or keep them in memory"):
            dataset.batch([0])


def test_sums_are_never_that_of_an_empty_place() -> None:
    assert decoded_cache._sum(np.zeros(0, np.uint8)) != 0


def background_threads() -> int:
    return sum(thread.name.startswith("u2net-batches") for thread in threading.enumerate())


def test_batches_come_in_order_and_the_thread_ends(pairs: tuple[Pair, ...]) -> None:
    dataset = Dataset(pairs, size=SIZE)
    order = [[number, 7 - number] for number in range(8)]
    assert [list(batch.indices) for batch in batches(dataset, order)] == order
    assert background_threads() == 0
    endless = batches(dataset, ([number % 8] for number in count()), ahead=3)
    assert [next(endless).indices for _ in range(10)] == [(number % 8,) for number in range(10)]
    assert background_threads() == 1
    endless.close()  # type: ignore[attr-defined]
    assert background_threads() == 0
    assert list(batches(dataset, [])) == []


def test_error_comes_up_where_its_batch_would_and_ends_the_thread(
    pairs: tuple[Pair, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset(pairs, size=SIZE)
    coming = batches(dataset, [[0], [1], [99]])
    assert next(coming).indices == (0,)
    monkeypatch.setattr(dataset, "batch", None)  # those ahead are under way already
    assert next(coming).indices == (1,)
    for pair in pairs:
        damage(pair)
    with pytest.raises(BadInput, match="none of the 8 pictures"):
        list(batches(Dataset(pairs, size=SIZE), [[0]]))
    coming.close()  # type: ignore[attr-defined]
    assert background_threads() == 0
