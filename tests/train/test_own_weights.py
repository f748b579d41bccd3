"""scripts/train-own-weights with a tiny network: measures, trains in pieces, brings back what the next one needs."""

from __future__ import annotations

import json
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tiny import make_pictures

from u2net.data_pack import pack_pairs
from u2net.pairs import find_pairs
from u2net.train import record

pytestmark = pytest.mark.usefixtures("tiny")
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SMALL = {
    "variant": "tiny", "size": [48, 48], "crop_sides": [32, 64], "batch": 4, "held_out": 0.25, "precision": "f32",
    "compile": False, "device": "cpu", "warmup": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them is most of what a run of three steps takes."""
    monkeypatch.setattr(record, "curves", lambda *_: b"curves")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    loader = SourceFileLoader("train_own_weights", str(SCRIPTS / "train-own-weights"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    return module


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    data = make_pictures(tmp_path / "data")
    pack_pairs(find_pairs(data).pairs, tmp_path / "packed", size=(48, 48), maps=data / "masks")
    return tmp_path / "packed"


def run(script: ModuleType, capsys: Any, *arguments: str, **settings: Any) -> tuple[int, list[dict[str, Any]]]:
    given = [f"--set={name}={json.dumps(value)}" for name, value in (SMALL | settings).items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train-own-weights", *arguments, *given])
        code = script.main()
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_pieces_end_with_all_that_another_machine_needs(
    script: ModuleType, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"steps": 2, "validate_every": 1, "save_every": 1}
    common = ["--data", str(packed), "--trial", "B"]
    settings["init"] = ""
    code, said = run(
        script, capsys, *common, "--out", str(tmp_path / "here"), "--bring", str(tmp_path / "brought"),
        "--minutes", "0", **settings,
    )  # fmt: skip
    assert (code, said[-1]["step"], said[-1]["unfinished"]) == (0, 1, True)
    brought = {path.name: path.stat().st_size for path in (tmp_path / "brought").iterdir()}
    assert said[-1]["brought"] == brought
    assert len(brought) == 8
    (tmp_path / "brought").rename(tmp_path / "there")
    code, said = run(script, capsys, *common, "--out", str(tmp_path / "there"), **settings)
    assert (code, said[0]["resumed"], said[-1]["step"], said[-1]["ended"]) == (0, True, 2, "all steps are done")


def test_steps_are_fitted_to_the_time_that_there_is(
    script: ModuleType,
    packed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(script, "PROBE_STEPS", 20)
    monkeypatch.setattr(script, "PROBE_COUNTED", 10)
    arguments = ["--data", str(packed), "--out", str(tmp_path / "run"), "--minutes", "0", "--fit", "2"]
    code, said = run(script, capsys, *arguments)
    assert code == 0
    measured = next(one for one in said if "probed_steps_per_s" in one)
    assert measured["steps"] == pytest.approx(
        120 * measured["probed_steps_per_s"] * 0.92, abs=2 + measured["steps"] / 100
    )
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["steps"] == measured["steps"]
    assert config["validate_every"] == max(1, config["steps"] // 8)


def test_a_damaged_pack_is_one_sentence(
    script: ModuleType, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (packed / "shard-000.zip").write_bytes(b"half of it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys, "argv", ["x", "--data", str(packed), "--out", str(tmp_path / "run"), "--set", "variant=tiny"]
        )
        assert script.main() == 2
    assert "shard-000.zip: the shard is damaged" in capsys.readouterr().err
