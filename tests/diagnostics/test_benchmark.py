"""u2net bench: real processes with a small network, and what is printed of numbers made up."""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from support.command_line import u2net
from support.paths import ROOT
from support.small_onnx import small_network
from u2net.diagnostics import benchmark_worker
from u2net.diagnostics.benchmark import Bench, Case, Missing, Row, bench, drawn_picture, percentile
from u2net.errors import BadInput, EngineUnavailable, WeightsUnavailable
from u2net.models import weights
from u2net.models.cache import tables_dir
from u2net.models.registry import MODELS
from u2net.reports.benchmark import as_object, report
from u2net.system.hardware import peak_memory, this_machine
from u2net.tasks.remove import remove

QUICK = {"rounds": 2, "seconds": 0.1}


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "small.onnx"
    path.write_bytes(small_network(64))
    return str(path)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "pictures" / "small.png"
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)).save(path)
    return path


def called(*arguments: str) -> Result:
    return u2net("bench", *arguments)


def row(model: str = "u2netp", engine: str = "openvino", precision: str = "f32", **changes: Any) -> Row:
    made = Row(
        model=model, engine=engine, precision=precision, device="cpu", auto=False, found=True, first_start_s=2.5,
        start_s=(0.75, 0.65), network_s=tuple(i / 1000 for i in range(100, 201)), picture_s=(0.2, 0.3, 0.4),
        pictures_per_s=(4.0, 8.0), memory_bytes=300_000_000, memory_together_bytes=400_000_000, noise=0.05,
    )  # fmt: skip
    return replace(made, **changes)


def measured(*rows: Row, missing: tuple[Missing, ...] = (), load: float | None = 0.0) -> Bench:
    autos = tuple(Case(each.model, each.engine, each.precision) for each in rows if each.auto)
    return Bench(rows, missing, autos, 1, (1000, 1500), 3, 8.0, 2, load)


def lines_of(seen: Bench) -> str:
    return "\n".join(report(seen, replace(this_machine(), processor="a processor", cores=2, threads=2)))


def test_each_engine_is_measured_in_every_round_and_auto_is_named(model: str, picture: Path) -> None:
    steps: list[str] = []
    found = bench([model], precisions=["f32"], pictures=[picture], on_step=steps.append, **QUICK)
    assert [(each.engine, each.precision, each.auto) for each in found.rows] == [
        ("openvino", "f32", True),
        ("onnxruntime", "f32", False),
    ]
    for each in found.rows:
        assert (len(each.start_s), len(each.pictures_per_s)) == (1, 2)  # the first start of two is told apart
        assert len(each.network_s) >= 2 * 2 and len(each.picture_s) >= 2 * 2
        assert 0 < percentile(each.network_s, 50) < min(each.first_start_s, *each.start_s)
        assert each.memory_bytes is None or 30e6 < each.memory_bytes <= (each.memory_together_bytes or 0)
        assert each.noise >= 0
    assert found.missing == ()
    rounds = [step.split(": ")[1] for step in steps if step.startswith("round")]
    assert rounds[:2] == rounds[:1:-1]  # the second round goes the other way


def test_users_cache_folder_stays_as_it_was(model: str, picture: Path, cache: Path) -> None:
    bench([model], engines=["openvino"], precisions=["f32"], pictures=[picture], **QUICK)
    assert not cache.exists()


@pytest.mark.slow("src/u2net/inference/engines")
def test_users_own_tables_are_measured_with(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_HOME", str(weights.locate(MODELS["u2netp"]).parent))
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "own"))
    tables_dir().mkdir(parents=True)
    (tables_dir() / "u2netp.int8.json").write_text("no table")
    found = bench(["u2netp"], engines=["openvino"], precisions=["f32", "int8"], pictures=[picture], **QUICK)
    assert [each.precision for each in found.rows] == ["f32"]
    assert "this table for int8 cannot be used" in found.missing[0].problem


def test_precision_that_is_not_here_is_shown_with_its_reason_and_is_no_failure(model: str, picture: Path) -> None:
    result = called(
        model, "--engine", "onnxruntime", "--pictures", str(picture), "--seconds", "0.1", "--rounds", "2", "--quiet"
    )
    assert result.return_value == 0
    assert "not here: onnxruntime bf16: the onnxruntime engine computes in f32 only" in result.stdout
    assert "1 of your pictures, 2 rounds" in " ".join(result.stdout.split())


def test_nothing_of_what_was_asked_for_is_exit_code_5(model: str, picture: Path) -> None:
    with pytest.raises(EngineUnavailable, match="f32 only") as caught:
        bench([model], engines=["onnxruntime"], precisions=["bf16"], pictures=[picture], **QUICK)
    assert caught.value.exit_code == 5


def test_json_holds_every_run_and_the_machine(model: str, picture: Path) -> None:
    result = called(
        model, "--json", "--precision", "f32", "--engine", "openvino", "--pictures", str(picture.parent), "--seconds",
        "0.1", "--rounds", "2",
    )  # fmt: skip
    found = json.loads(result.stdout)
    (only,) = found["rows"]
    runs = only["network_s"]["runs"]
    assert only["network_s"]["p50"] == pytest.approx(statistics.median(runs), abs=1e-6) and min(runs) > 0
    assert found["machine"]["processor"] == this_machine().processor
    assert found["pictures"] == 1 and found["picture_size"] is None
    assert set(found["engines"]) == {"openvino", "onnxruntime"}


def test_picture_that_cannot_be_read_is_bad_input(model: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(BadInput, match=r"broken\.png|PNG|picture"):
        bench([model], pictures=[broken], **QUICK)


def test_picture_that_is_not_there_is_bad_input(model: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.png: cannot be read: No such file"):
        bench([model], pictures=[tmp_path / "none.png"], **QUICK)


def test_model_file_that_is_not_there_is_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"none\.onnx: there is no such model file"):
        bench([str(tmp_path / "none.onnx")])


def test_without_weights_the_command_to_have_them_is_said(cache: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="u2net models pull"):
        bench()


@pytest.mark.parametrize("wrong", [{"rounds": 1}, {"seconds": 0.0}, {"seconds": float("nan")}])
def test_numbers_that_cannot_be_used_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="at least 2 rounds and more than 0 seconds"):
        bench(**wrong)


def test_crash_is_told_by_its_signal_and_exits_with_1(
    model: str, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "onnxruntime.py").write_text("import os; os.abort()")
    monkeypatch.syspath_prepend(site)
    result = called(
        model, "--precision", "f32", "--pictures", str(picture), "--seconds", "0.1", "--rounds", "2", "--quiet"
    )
    assert result.return_value == 1
    assert re.search(r"^failed: onnxruntime f32: (crashed \(SIGABRT\)|ended with)", result.stdout, re.MULTILINE)
    assert re.search(r"^  openvino     f32\*", result.stdout, re.MULTILINE)


def test_table_has_medians_and_percentiles_in_80_columns() -> None:
    text = lines_of(measured(row(auto=True), row(engine="onnxruntime"), row("isnet-general-use", network_s=(12.3456,))))
    assert max(map(len, text.splitlines())) <= 80
    # 100 to 200 ms in steps of 1: half are below 150, 95 of a hundred below 195.
    assert "  openvino     f32*      2.50   0.70     150    195     300    390   6.00    300" in text.splitlines()
    assert "*: what --engine auto --precision auto takes here." in text


def test_what_is_faster_than_auto_is_said() -> None:
    text = lines_of(measured(row(auto=True), row(precision="int8", network_s=(0.05, 0.05))))
    assert "u2netp: openvino int8 is 3.0 times as fast as that." in text
    assert "times as fast" not in lines_of(measured(row(auto=True), row(engine="onnxruntime", network_s=(0.149,))))


def test_what_auto_takes_is_said_where_it_was_not_measured() -> None:
    seen = replace(measured(row()), autos=(Case("u2netp", "openvino", "int8"),))
    assert "u2netp: auto takes openvino int8 here, which was not measured." in lines_of(seen)


def test_memory_that_the_system_does_not_tell_is_a_dash() -> None:
    assert re.search(r"6\.00      -$", lines_of(measured(row(memory_bytes=None))), re.MULTILINE)


@pytest.mark.parametrize(("noise", "load", "warned"), [(0.05, 0.1, False), (0.4, 0.1, True), (0.05, 1.5, True)])
def test_busy_machine_is_warned_of(noise: float, load: float, warned: bool) -> None:
    text = lines_of(measured(row(noise=noise), load=load))
    assert f"noise: the rounds differ by up to {noise:.0%}, load before it {load:.1f} on 2 cores." in text
    assert ("The machine was busy" in text) is warned


def test_system_without_a_load_average_shows_none() -> None:
    assert "load" not in lines_of(measured(row(), load=None)).split("noise")[1]


def test_same_reason_for_all_models_is_said_once() -> None:
    missing = tuple(Missing(model, "openvino", "bf16", "no bf16; use another", 5) for model in ("u2net", "u2netp"))
    text = lines_of(measured(row("u2net"), row("u2netp"), missing=missing))
    assert text.count("not here: openvino bf16: no bf16") == 1 and "use another" not in text


def test_object_that_is_not_seen_is_mentioned() -> None:
    assert "u2netp sees no object in the first picture" in lines_of(measured(row(found=False)))


def test_json_of_made_up_numbers_has_their_percentiles() -> None:
    found = as_object(measured(row()), this_machine())["rows"][0]
    assert (found["network_s"]["p50"], found["network_s"]["p95"]) == (pytest.approx(0.15), pytest.approx(0.195))
    assert found["pictures_per_s"]["p50"] == 6.0


def test_documented_keys_are_those_of_the_json() -> None:
    seen = measured(row(auto=True), missing=(Missing("u2net", "openvino", "bf16", "none", 5),))
    found = as_object(seen, this_machine())
    text = (ROOT / "docs/performance.md").read_text(encoding="utf-8").split("| key | is |")[1].split("\n\n")[0]
    cells = [re.findall("`(.+?)`", line.split("|")[1]) for line in text.splitlines() if line.startswith("| `")]
    names = {name for cell in cells for name in cell}
    assert {name.split("[]")[0] for name in names if not name.startswith(".")} == set(found)
    assert {name.rpartition(".")[2] for name in names if name.startswith((".", "rows[]."))} == set(found["rows"][0])


def test_drawn_picture_is_the_same_each_time_and_its_object_is_found(session_of: Callable[[str], Any]) -> None:
    drawn = drawn_picture()
    assert drawn.shape == (1000, 1500, 3) and np.array_equal(drawn, drawn_picture())
    cutout = remove(drawn, session_of("u2netp"))
    assert cutout.found
    # The ball: a circle of .325 of the height around the middle, a little below.
    across, down = np.meshgrid(np.arange(1500) - 750, np.arange(1000) - 525)
    ball = np.hypot(across, down) < 325
    assert np.mean((cutout.alpha > 0.5) == ball) > 0.98


def test_throughput_counts_every_picture_of_every_thread() -> None:
    seen: list[bytes] = []
    rate = benchmark_worker._throughput(seen.append, iter(lambda: b"x", None), 3, 0.05)
    assert len(seen) >= 3 * 2 and rate > len(seen) / 10


@pytest.mark.skipif(sys.platform not in ("linux", "darwin", "win32"), reason="unknown there")
@pytest.mark.slow("src/u2net/system/hardware.py")
def test_peak_memory_grows_with_what_is_taken_and_stays() -> None:
    before = peak_memory()
    assert before is not None and before > 10e6
    taken = np.ones(int(2 * before), np.uint8)
    higher = peak_memory()
    assert higher is not None and higher >= taken.nbytes
    del taken
    assert (peak_memory() or 0) >= 0.95 * higher  # Linux counts in steps
