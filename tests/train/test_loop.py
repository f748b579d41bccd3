"""Whole runs of a tiny network: they learn, they can be cut off anywhere, they say what is wrong."""

from __future__ import annotations

import contextlib
import csv
import json
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from support.tiny import make_pictures
from u2net.errors import BadInput, CannotWrite, LossIsNaN
from u2net.networks.checkpoint import load
from u2net.networks.u2net import U2Net
from u2net.system.signals import StopRequest
from u2net.train import loop
from u2net.train.augment import NONE
from u2net.train.config import TrainConfig
from u2net.train.distributed import Process
from u2net.train.loop import Report, train
from u2net.train.resume import begin, settings_of
from u2net.train.setup import hold_out, open_backgrounds, order
from u2net.train.step import TrainStep, learning_rate, train_step, uses_bf16

pytestmark = pytest.mark.usefixtures("tiny")


def settings(data: Path, **others: Any) -> TrainConfig:
    base = TrainConfig(
        data=str(data),
        validation=str(data),
        variant="tiny",
        size=(40, 40),
        crop=(32, 32),
        steps=20,
        batch=4,
        warmup=3,
        precision="f32",
        device="cpu",
        validate_every=1000,
        save_every=1000,
    )
    return replace(base, **others)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "data")


def logged(out: Path, column: str) -> dict[int, float]:
    with (out / "log.csv").open() as stream:
        return {int(row["step"]): float(row[column]) for row in csv.DictReader(stream) if row[column]}


@pytest.mark.slow("src/u2net/networks")
def test_a_network_learns_what_it_is_shown(data: Path, tmp_path: Path) -> None:
    config = settings(
        data,
        augmentation=NONE,
        crop=(40, 40),
        steps=100,
        batch=8,
        ema=0.0,
        learning_rate=0.03,
        losses={"bce": 1.0},
        map_weights=(1, 1, 1, 0, 0, 0, 0),  # the deeper maps are of 5 x 5 pixels and fewer
    )
    result = train(config, tmp_path / "run")
    losses = logged(tmp_path / "run", "loss")
    assert len(losses) == 100
    assert losses[100] < losses[1] / 10
    assert result.best["maxF"] > 0.9
    network, card = load(result.weights)
    assert card.metrics == result.best
    assert card.recipe == json.loads(config.to_json()) | {"data": "data", "validation": "data"}
    assert (card.variant, card.size, card.data) == ("tiny", (40, 40), "data")
    assert not network.training


@pytest.mark.slow("src/u2net/networks")
def test_a_run_that_was_killed_goes_on_to_the_same_numbers(data: Path, tmp_path: Path) -> None:
    config = settings(data, save_every=10, validate_every=13)
    train(config, tmp_path / "whole")

    def die(report: Report) -> None:
        if report.step == 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "broken", on_report=die)
    train(config, tmp_path / "broken", resume=True)
    whole, broken = (logged(tmp_path / name, "loss") for name in ("whole", "broken"))
    assert list(broken) == list(range(1, 21)) == list(whole)
    assert [broken[step] for step in broken] == pytest.approx([whole[step] for step in whole], abs=1e-6)
    for name in ("last.safetensors", "best.safetensors"):
        one, other = (load(tmp_path / run / name)[0].state_dict() for run in ("whole", "broken"))
        assert all(torch.allclose(one[key].float(), other[key].float(), atol=1e-6) for key in one)


def test_a_stopped_run_goes_on_in_another_place_from_the_files_that_docs_name(data: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    stopped = train(settings(data, steps=2, validate_every=1), here, minutes=0)
    assert (stopped.step, stopped.unfinished, stopped.ended) == (1, True, "stopped after 0 minutes")
    needed = ["config.json", "state.json", "best.safetensors", "log.csv"]
    needed += [f"state-000001-{part}.pt" for part in ("network", "average", "optimizer")]
    there.mkdir()
    for name in needed:
        (here / name).rename(there / name)
    moved = str(data.rename(tmp_path / "moved"))
    resumed = train(settings_of(there, {"data": moved, "validation": moved}), there, resume=True)
    assert (resumed.step, resumed.ended) == (2, "all steps are done")
    assert list(logged(there, "loss")) == [1, 2]
    assert resumed.weights.is_file()


def test_a_finished_run_has_nothing_to_go_on_with(data: Path, tmp_path: Path) -> None:
    train(settings(data, steps=2), tmp_path / "run")
    before = (tmp_path / "run" / "state.json").read_bytes()
    result = train(settings(data, steps=2), tmp_path / "run", resume=True)
    assert (result.step, result.ended) == (2, "all steps were done before")
    assert (tmp_path / "run" / "state.json").read_bytes() == before


def test_parts_of_a_batch_give_the_step_of_the_whole(data: Path, tmp_path: Path) -> None:
    for parts in (1, 2, 4):
        train(settings(data, accumulate=parts, norms="frozen", steps=6), tmp_path / f"{parts}")
    whole = logged(tmp_path / "1", "loss")
    for parts in (2, 4):
        assert list(logged(tmp_path / f"{parts}", "loss").values()) == pytest.approx(list(whole.values()), abs=1e-5)


@pytest.mark.slow("src/u2net/networks")
@pytest.mark.parametrize(("kind", "measures"), [("classes", {"mIoU", "accuracy"}), ("image", {"MAE", "PSNR"})])
def test_other_kinds_of_maps_are_learned(kind: Any, measures: set[str], tmp_path: Path) -> None:
    data = make_pictures(tmp_path / "data", classes=kind == "classes")
    term = {"classes": "cross_entropy", "image": "l1"}[kind]
    config = settings(
        data, kind=kind, classes=2, losses={term: 1.0}, augmentation=NONE, crop=(40, 40), steps=60, batch=8, ema=0.0,
        learning_rate=0.01,
    )  # fmt: skip
    result = train(config, tmp_path / "run")
    losses = logged(tmp_path / "run", "loss")
    assert losses[60] < losses[1] / 2
    assert set(result.best) == measures
    _, card = load(result.weights)
    assert (card.kind, card.out_channels) == (kind, config.out_channels)


def test_a_run_leaves_log_curves_sheets_and_tensorboard(data: Path, tmp_path: Path, real_curves: None) -> None:
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(settings(data, validate_every=10), tmp_path / "run")
    assert list(logged(tmp_path / "run", "MAE")) == [10, 20]
    assert logged(tmp_path / "run", "learning_rate")[20] == pytest.approx(0, abs=1e-9)
    with Image.open(tmp_path / "run" / "sheets" / "step-000020.png") as sheet:
        assert sheet.size == (3 * 48, 8 * 48)
        assert np.asarray(sheet).std() > 20
    with Image.open(tmp_path / "run" / "curves.png") as curves:
        assert curves.size[0] >= 1000
    board = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("loss")] == list(range(1, 21))
    assert board.Tags()["images"] == ["input, truth, prediction"]


def test_training_ends_when_it_gets_no_better(data: Path, tmp_path: Path) -> None:
    config = settings(
        data, steps=60, validate_every=5, patience=2, learning_rate=1e-12, warmup=0, ema=0.0, norms="frozen"
    )
    result = train(config, tmp_path / "run")
    assert result.step == 15
    assert "last 2 validations" in result.ended


def test_a_loss_that_is_no_number_names_the_pictures_and_saves_nothing(data: Path, tmp_path: Path) -> None:
    config = settings(data, learning_rate=1e30, warmup=0, schedule="constant", clip=0.0, save_every=1)
    with pytest.raises(LossIsNaN) as caught:
        train(config, tmp_path / "run")
    assert "disc" in str(caught.value)
    assert "not a number" in str(caught.value)
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    assert state["step"] < int(str(caught.value).split()[1].rstrip(":"))


@pytest.mark.parametrize(("when", "file"), [("save_every", "state.json"), ("validate_every", "best.safetensors")])
def test_weights_that_are_no_numbers_are_neither_saved_nor_validated(
    when: str, file: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step_and_break(trained: TrainStep, *others: Any) -> dict[str, torch.Tensor]:
        terms = train_step(trained, *others)
        torch.nn.init.constant_(trained.network.sides[0].weight, float("nan"))
        return terms

    monkeypatch.setattr(loop, "train_step", step_and_break)
    with pytest.raises(LossIsNaN, match="step 1: the weights"):
        train(settings(data, **{when: 1}), tmp_path / "run")
    assert not (tmp_path / "run" / file).exists()


def test_a_stop_by_signal_leaves_no_trace_in_the_numbers(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if by signal: real ones are sent to processes of their own, in tests/cli/test_train.py."""
    config = settings(data, steps=12, validate_every=5, patience=2, learning_rate=1e-3)
    request = StopRequest()

    def interrupt(report: Report) -> None:
        if report.step == 7:
            request.number = signal.SIGTERM

    whole = train(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_REPORT_EVERY", 1)
        patch.setattr(loop, "stop_on_signals", lambda: contextlib.nullcontext(request))
        stopped = train(config, tmp_path / "cut", on_report=interrupt)
    assert (stopped.step, stopped.signal, stopped.ended) == (8, signal.SIGTERM, "stopped by a signal")
    assert list(logged(tmp_path / "cut", "MAE")) == [5]
    resumed = train(config, tmp_path / "cut", resume=True)
    assert (resumed.step, resumed.ended) == (whole.step, whole.ended)
    assert resumed.best == pytest.approx(whole.best, abs=1e-6)


def test_a_run_that_never_began_leaves_room_for_another(data: Path, tmp_path: Path) -> None:
    torch.save(U2Net("u2netp").state_dict(), tmp_path / "other.pth")
    with pytest.raises(BadInput, match="holds a u2netp"):
        train(settings(data, init=str(tmp_path / "other.pth")), tmp_path / "run")
    assert train(settings(data, steps=1), tmp_path / "run").step == 1
    (tmp_path / "run" / "state.json").unlink()
    with pytest.raises(BadInput, match=r"holds best.safetensors of another run"):
        train(settings(data, steps=1), tmp_path / "run")


def test_a_run_goes_on_with_its_own_settings_given_again(data: Path, tmp_path: Path) -> None:
    train(settings(data, steps=1, size=(64, 64)), tmp_path / "run")
    again = settings_of(tmp_path / "run", {"size": (64, 64), "data": "elsewhere"})
    assert (again.size, again.crop, again.data) == ((64, 64), (32, 32), "elsewhere")
    with pytest.raises(BadInput, match="this run has batch 4, not 5"):
        settings_of(tmp_path / "run", {"batch": 5})


def test_a_run_of_another_number_of_processes_is_refused(data: Path, tmp_path: Path) -> None:
    train(settings(data, steps=1), tmp_path / "run")
    with pytest.raises(BadInput, match="this run has 1 processes, not 2"):
        begin(settings(data), tmp_path / "run", Process(torch.device("cpu"), 0, 2), resume=True)


def test_backgrounds_come_from_a_folder(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "grounds"
    folder.mkdir()
    Image.new("RGB", (90, 50), (10, 200, 30)).save(folder / "green.png")
    (folder / "broken.png").write_bytes(b"no picture")
    augmentation = replace(NONE, swap_background=1.0)
    config = settings(data, steps=2, augmentation=augmentation, backgrounds=str(folder))
    found = open_backgrounds(config)
    assert found is not None
    assert found.shape == (1, 3, *config.size)
    assert found[0, :, 0, 0].tolist() == [10, 200, 30]
    assert "broken.png" in caplog.text
    assert train(config, tmp_path / "run").step == 2
    (folder / "green.png").unlink()
    with pytest.raises(BadInput, match="no picture that can be a background"):
        open_backgrounds(config)


def test_weights_do_not_tell_where_things_lay(data: Path, tmp_path: Path) -> None:
    result = train(settings(data, steps=1), tmp_path / "run")
    _, card = load(result.weights)
    assert str(tmp_path) not in card.to_json()
    assert (card.recipe["data"], card.recipe["steps"]) == ("data", 1)


def test_a_second_run_in_a_folder_is_refused(data: Path, tmp_path: Path) -> None:
    train(settings(data, steps=1), tmp_path / "run")
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(BadInput, match="--resume"):
        train(settings(data, steps=2), tmp_path / "run")
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_no_run_to_go_on_with(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run to go on with"):
        train(settings(data), tmp_path / "run", resume=True)


def test_a_damaged_state_is_said(data: Path, tmp_path: Path) -> None:
    train(settings(data, steps=1), tmp_path / "run")
    part = tmp_path / "run" / "state-000001-optimizer.pt"
    content = part.read_bytes()
    part.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match=r"-optimizer\.pt: the state of the run cannot be read \(its checksum"):
        train(settings(data), tmp_path / "run", resume=True)
    part.unlink()
    with pytest.raises(BadInput, match=r"-optimizer\.pt: is missing, a part of the state"):
        train(settings(data), tmp_path / "run", resume=True)
    (tmp_path / "run" / "state.json").write_text('{"step": 1}')
    with pytest.raises(BadInput, match=r"state\.json: the state of the run cannot be read"):
        train(settings(data), tmp_path / "run", resume=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on a file's size")
def test_a_full_disk_leaves_the_previous_state(data: Path, tmp_path: Path) -> None:
    import resource

    out = tmp_path / "run"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_disk(report: Report) -> None:
        if report.step >= 10:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))

    try:
        with pytest.raises(CannotWrite, match="as it was"):
            train(settings(data, save_every=5), out, on_report=fill_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert json.loads((out / "state.json").read_text())["step"] == 5
    assert not list(out.glob(".u2net-*"))
    assert train(settings(data, save_every=5), out, resume=True).step == 20


def test_a_picture_that_cannot_be_decoded_is_left_out_and_named(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = data / "images" / "disc3.png"
    path.write_bytes(path.read_bytes()[:600])
    result = train(settings(data), tmp_path / "run")
    assert result.step == 20
    assert list(result.skipped) == ["disc3"]
    assert sum("disc3.png" in record.getMessage() for record in caplog.records) >= 1


def test_problems_of_pairing_are_said_at_the_start(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "masks" / "disc0.png").unlink()
    (data / "images" / "disc1.png").unlink()
    train(settings(data, steps=1), tmp_path / "run")
    first = caplog.records[0].getMessage()
    assert "disc0.png: has no truth" in first
    assert "disc1.png: has no picture" in first


def test_a_folder_without_pairs_is_one_sentence_and_leaves_no_run(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no pair of picture and truth"):
        train(settings(tmp_path / "empty"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_to_begin_with_are_used(data: Path, tmp_path: Path) -> None:
    first = train(settings(data, steps=30, learning_rate=0.01), tmp_path / "first")
    config = settings(data, init=str(first.weights), steps=1, learning_rate=1e-12, ema=0.0, norms="frozen")
    second = train(config, tmp_path / "second")
    assert second.best["MAE"] == pytest.approx(first.best["MAE"], abs=1e-6)


def test_a_run_goes_on_without_the_weights_it_began_with(data: Path, tmp_path: Path) -> None:
    torch.save(U2Net("tiny").state_dict(), tmp_path / "first.pth")
    config = settings(data, init=str(tmp_path / "first.pth"), save_every=5)

    def die(report: Report) -> None:
        if report.step >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "run", on_report=die)
    (tmp_path / "first.pth").unlink()
    assert train(config, tmp_path / "run", resume=True).step == 20


def test_weights_of_another_variant_are_refused(data: Path, tmp_path: Path) -> None:
    torch.save(U2Net("u2netp").state_dict(), tmp_path / "other.pth")
    with pytest.raises(BadInput, match="holds a u2netp, not a tiny; use --variant u2netp"):
        train(settings(data, init=str(tmp_path / "other.pth")), tmp_path / "run")


def test_weights_with_another_number_of_maps_give_all_but_the_last_layers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = make_pictures(tmp_path / "data", classes=True)
    torch.save(U2Net("tiny").state_dict(), tmp_path / "one.pth")
    config = settings(
        data, kind="classes", classes=2, losses={"cross_entropy": 1.0}, init=str(tmp_path / "one.pth"), steps=1
    )
    train(config, tmp_path / "run")
    assert "has 1 maps a picture, not 2" in caplog.text


def test_bf16_steps_learn_too(data: Path, tmp_path: Path) -> None:
    plain = train(settings(data, steps=10), tmp_path / "plain")
    half = train(settings(data, steps=10, precision="bf16", channels_last=True), tmp_path / "half")
    assert half.best["MAE"] == pytest.approx(plain.best["MAE"], abs=0.05)
    assert logged(tmp_path / "half", "loss")[1] == pytest.approx(logged(tmp_path / "plain", "loss")[1], rel=0.02)


@pytest.mark.slow("src/u2net/networks")
def test_a_compiled_network_is_one_graph_and_learns_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = []

    def backend(graph: Any, _: object) -> Any:  # torch's own makes C++ of it, which takes minutes
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    for name, choice in (("plain", False), ("compiled", True)):
        train(settings(data, steps=4, compile=choice), tmp_path / name)
    assert len(graphs) == 1
    assert logged(tmp_path / "compiled", "loss") == pytest.approx(logged(tmp_path / "plain", "loss"), abs=1e-6)


def test_precision_auto_is_what_the_device_computes_in(data: Path) -> None:
    from u2net.system.hardware import this_machine

    cpu = torch.device("cpu")
    assert uses_bf16(settings(data, precision="auto"), cpu) is bool(this_machine().capabilities["bf16"])
    assert uses_bf16(settings(data, precision="bf16"), cpu)
    assert not uses_bf16(settings(data, precision="f32"), cpu)


def test_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    config = TrainConfig(data="x", steps=1000, warmup=100, learning_rate=0.01)
    assert learning_rate(config, 50) == pytest.approx(0.005)
    assert learning_rate(config, 100) == pytest.approx(0.01)
    assert learning_rate(config, 550) == pytest.approx(0.005)
    assert learning_rate(config, 1000) == pytest.approx(0)
    assert learning_rate(replace(config, schedule="constant"), 1000) == pytest.approx(0.01)


def test_every_epoch_has_each_sample_once_in_another_order() -> None:
    steps = order(10, batch=4, seed=1)
    drawn = [index for _ in range(10) for index in next(steps)]
    epochs = [drawn[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_processes_together_get_what_one_with_their_batches_gets() -> None:
    one, parts = order(7, batch=6, seed=2), [order(7, batch=2, seed=2, rank=rank, world=3) for rank in range(3)]
    for _ in range(9):
        assert next(one) == [index for part in parts for index in next(part)]


def test_a_resumed_order_goes_on_where_it_was() -> None:
    whole = order(7, batch=3, seed=4)
    for _ in range(5):
        next(whole)
    assert next(order(7, batch=3, seed=4, start=5)) == next(whole)


def test_held_out_pictures_may_have_names_that_are_no_text() -> None:
    assert sum(map(len, hold_out(("caf\udce9", "b", "c"), 0.5))) == 3


def test_held_out_pictures_stay_the_same_when_others_come(data: Path) -> None:
    names = [str(number) for number in range(200)]
    _, first = hold_out(names[:190], 0.1)
    learned, second = hold_out(names, 0.1)
    assert (len(first), len(second)) == (19, 20)
    assert len(set(first) & set(second)) >= 16
    assert not set(learned) & set(second)
