"""u2net.remove_many: what becomes of each picture, in order, in bounded memory, resumed, and stopped when closed."""

from __future__ import annotations

import base64
import functools
import itertools
import runpy
import shutil
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import u2net
from support.paths import EXAMPLES
from support.small_onnx import small_network
from u2net.batch import process
from u2net.cli import cli
from u2net.errors import BadInput, NothingSalient, WeightsUnavailable

MODEL = "net.onnx"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pictures in `in`, one of them in a folder, and a network that takes no time."""
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path(MODEL).write_bytes(small_network(32))
    for number in range(6):
        path = Path("in/deep" if number == 5 else "in", f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(number)).save(path)
    return tmp_path


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 40, 3), np.uint8)


def many(*arguments: Any, **named: Any) -> list[u2net.Outcome]:
    return list(u2net.remove_many(*arguments, model=MODEL, **named))


def command(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["remove", "-m", MODEL, *arguments], standalone_mode=False)


def test_folder_gives_an_outcome_for_each_in_order_with_the_bytes_of_the_command(folder: Path) -> None:
    outcomes = many("in", "out")
    assert [outcome.source for outcome in outcomes] == [Path(f"in/{n}.png") for n in range(5)] + [Path("in/deep/5.png")]
    assert {outcome.status for outcome in outcomes} == {"done"}
    for outcome in outcomes:
        assert outcome.target and outcome.target.is_file() and outcome.cutout is None and outcome.error is None
        assert outcome.confidence and outcome.coverage and outcome.seconds > 0
        assert outcome.box == u2net.remove(outcome.source, u2net.open_session(MODEL)).box
    assert command("in", "-o", "theirs").return_value == 0
    for outcome in outcomes:
        assert outcome.target and outcome.target.is_file()
        assert outcome.target.read_bytes() == Path("theirs", outcome.target.relative_to("out")).read_bytes()


def test_record_is_the_one_of_the_command_line(folder: Path) -> None:
    many("in", "out", edges="soft", keep="largest")
    again = command("in", "-o", "out", "--edges", "soft", "--keep", "largest")
    assert "0 pictures done, 6 were up to date" in again.stderr
    assert {outcome.status for outcome in many("in", "out", edges="soft", keep="largest")} == {"up to date"}
    assert {outcome.status for outcome in many("in", "out")} == {"done"}
    Path("out/1.png").write_bytes(b"by hand")
    one = many("in", "out")[1]
    assert (one.status, one.reason) == ("skipped", "changed by hand")
    assert {outcome.status for outcome in many("in", "out", overwrite=True)} == {"done"}


def test_session_is_recorded_as_the_model_and_precision_it_was_opened_with(folder: Path) -> None:
    list(u2net.remove_many("in", "out", model=u2net.open_session(MODEL)))
    assert {outcome.status for outcome in many("in", "out")} == {"up to date"}
    assert {outcome.status for outcome in many("in", "out", precision="f32")} == {"done"}


def test_layout_and_encoding_are_those_of_the_command(folder: Path) -> None:
    named: dict[str, Any] = {"crop": "square", "background": "white", "format": "webp", "quality": 50}
    many(["in/0.png", "in/1.png"], "out", **named)
    flags = ["--crop", "square", "--background", "white", "--format", "webp", "--quality", "50"]
    assert "2 were up to date" in command("in/0.png", "in/1.png", "-o", "out", *flags).stderr


def test_without_an_output_each_outcome_holds_its_cutout_and_nothing_is_written(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    outcomes = many("in")
    session = u2net.open_session(MODEL)
    for outcome in outcomes:
        assert outcome.target is None and outcome.cutout is not None
        np.testing.assert_array_equal(outcome.cutout.pixels, u2net.remove(outcome.source, session).pixels)
    assert sorted(path for path in folder.rglob("*") if "cache" not in path.parts) == [
        path for path in before if "cache" not in path.parts
    ]


def test_any_source_goes_and_a_bad_one_stops_nothing(folder: Path) -> None:
    sources = [
        noise(1),
        Path("in/1.png").read_bytes(),
        Image.fromarray(noise(2)),
        "in/3.png",
        b"no picture",
        "away.png",
    ]
    outcomes = many(iter(sources))
    assert [outcome.status for outcome in outcomes] == ["done"] * 4 + ["failed"] * 2
    assert all(outcome.source is source for outcome, source in zip(outcomes[:3], sources, strict=False))
    assert "picture 4" in outcomes[4].report["input"]
    assert "there is no such file" in str(outcomes[5].error)


def test_length_is_known_where_it_can_be(folder: Path) -> None:
    assert len(u2net.remove_many("in", model=MODEL)) == 6
    with pytest.raises(TypeError, match="nobody knows"):
        len(u2net.remove_many(iter([noise(0)]), model=MODEL))


def test_picture_without_an_object_fails_where_that_is_asked_for(folder: Path) -> None:
    (outcome,) = u2net.remove_many([np.full((32, 32, 3), 128, np.uint8)], model="u2netp", fail_if_empty=True)
    assert outcome.status == "failed" and isinstance(outcome.error, NothingSalient)


def test_sources_are_asked_for_only_as_they_are_needed(folder: Path) -> None:
    """What is held does not grow with their number: who takes none, gets none made."""
    asked = []

    def endless() -> Iterator[np.ndarray]:
        while True:
            asked.append(len(asked))
            yield noise(len(asked))

    outcomes = u2net.remove_many(endless(), model=MODEL)
    for _ in range(30):
        next(outcomes)
    time.sleep(0.2)
    assert len(asked) <= 30 + 12
    outcomes.close()
    assert next(outcomes, None) is None


def test_closing_ends_what_is_in_work_and_leaves_no_half_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = [], []
    real = process._do

    def slow(task: process.Task, *others: Any) -> None:
        begun.append(task.job.name)
        time.sleep(0.05)
        real(task, *others)
        ended.append(task.job.name)

    monkeypatch.setattr(process, "_do", slow)
    outcomes = u2net.remove_many("in", "out", model=MODEL)
    next(outcomes)
    outcomes.close()
    assert sorted(begun) == sorted(ended)
    assert len(begun) < 6
    assert not [path for path in Path("out").rglob("*") if path.name.endswith((".part", ".lock"))]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("u2net-picture")]
    monkeypatch.setattr(process, "_do", real)
    statuses = [outcome.status for outcome in many("in", "out")]
    assert statuses.count("up to date") == len(ended)


def test_progress_is_told_of_each_as_it_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that ends before the first one is told of before any outcome is given."""
    told: list[str] = []
    later = threading.Event()
    real = process._do

    def first_is_slow(task: process.Task, *others: Any) -> None:
        if task.job.name.endswith("0.png"):
            assert later.wait(60)
        real(task, *others)

    def tell(outcome: u2net.Outcome) -> None:
        told.append(outcome.source.name)
        later.set()

    monkeypatch.setattr(process, "_do", first_is_slow)
    assert len(many("in", "out", on_done=tell)) == 6
    assert told[0] != "0.png" and sorted(told) == [f"{number}.png" for number in range(6)]


def test_what_is_written_is_recorded_though_the_caller_fails(folder: Path) -> None:
    def fail(outcome: u2net.Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        many("in", "out", on_done=fail)
    written = list(Path("out").rglob("*.png"))
    assert written
    statuses = [outcome.status for outcome in many("in", "out")]
    assert statuses.count("up to date") == len(written) < 6


def test_outcomes_are_closed_by_a_with_block_and_from_another_thread(folder: Path) -> None:
    with u2net.remove_many(iter([noise(0)] * 50), model=MODEL) as outcomes:
        assert outcomes
        next(outcomes)
    assert next(outcomes, None) is None
    endless = u2net.remove_many(itertools.repeat(noise(0)), model=MODEL)
    next(endless)
    stopper = threading.Timer(0.2, endless.close)
    stopper.start()
    assert all(outcome.status == "done" for outcome in endless)


def test_what_is_named_twice_is_two_outcomes_and_none_is_no_picture(folder: Path) -> None:
    data_url = "data:image/png;base64," + base64.b64encode(Path("in/0.png").read_bytes()).decode()
    outcomes = many(["in/0.png", "in/0.png", data_url, None])
    assert [outcome.status for outcome in outcomes] == ["done", "done", "done", "failed"]
    assert "NoneType" in str(outcomes[3].error)


def test_iterable_of_paths_goes_with_an_output(folder: Path) -> None:
    assert len(many(Path("in").glob("*.png"), "out")) == 5


def test_backgrounds_of_equal_bytes_and_other_shapes_are_two(folder: Path) -> None:
    stripes = np.zeros((40, 20, 3), np.uint8)
    many("in", "out", background=u2net.read(stripes))
    other = many("in", "out", background=u2net.read(stripes.reshape(20, 40, 3)))
    assert {outcome.status for outcome in other} == {"done"}


def test_example_with_a_bar_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bar(list[Any]):
        def __init__(self, outcomes: Any, **_: Any) -> None:
            assert len(outcomes) == 7
            super().__init__(outcomes)

        told: ClassVar[list[str]] = []
        write = told.append

    Path("in/broken.png").write_bytes(b"no picture")
    shutil.copy(EXAMPLES / "many_pictures.py", "script.py")
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(sys, "argv", ["script.py", "in", "out"])
    monkeypatch.setattr(u2net, "remove_many", functools.partial(u2net.remove_many, model=MODEL))
    runpy.run_path("script.py")
    assert len(list(Path("out").rglob("*.png"))) == 6
    assert len(Bar.told) == 1 and "broken.png" in Bar.told[0]


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        ([[np.zeros((8, 8, 3), np.uint8)], "out"], {}, "inputs are files, folders or patterns"),
        ([np.zeros((8, 8, 3), np.uint8)], {}, "put it in a list"),
        ([b"bytes"], {}, "put it in a list"),
        (["in"], {"keep": 0}, "keep"),
        (["in", "out"], {"format": "jpeg", "lossless": True}, "always lossy"),
        (["in", "out"], {"only_mask": True, "background": "white"}, "exclude each other"),
        (["in", "out"], {"background": "no colour"}, "no colour"),
        (["nothing*.png"], {}, "no picture matches"),
        ([[], "out"], {}, "inputs are files"),
        (["-", "out"], {}, "the command line's"),
        (["in", "out"], {"format": "bmp"}, "format is one of"),
        (["in", "out"], {"metadata": "some"}, "metadata is"),
        (["in", "out"], {"edges": "fuzzy"}, "edges is one of"),
        (["in", "out"], {"precision": "f8"}, "no precision 'f8'"),
        (["in", "out"], {"exclude": "*.gif"}, "list of patterns"),
        (["in", "out"], {"shadow": "long"}, "shadow is"),
        (["in", "out"], {"hints": ["5,5"]}, "hints are a list"),
    ],
)
def test_what_cannot_be_used_is_said_at_once(
    arguments: list[Any], named: dict[str, Any], words: str, folder: Path
) -> None:
    with pytest.raises(BadInput, match=words):
        u2net.remove_many(*arguments, model=MODEL, **named)
    assert not Path("out").exists()


def test_model_that_is_not_there_is_an_error_of_the_first_outcome(folder: Path) -> None:
    outcomes = u2net.remove_many("in", model="away.onnx")
    with pytest.raises(WeightsUnavailable, match=r"away\.onnx"):
        next(outcomes)
