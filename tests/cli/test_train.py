"""u2net train as a person runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.paths import ROOT
from support.tiny import make_pictures

START = (
    "import torch; torch.set_num_threads(1); from support.tiny import add_tiny; add_tiny(); "
    "from u2net.__main__ import main; main()"
)
QUICK = ["--variant", "tiny", "--size", "40", "--batch", "4", "--device", "cpu", "--precision", "f32"]


def start(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-c", START, "train", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str, folder: Path) -> tuple[int, str, str]:
    process = start(*arguments, folder=folder)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.mark.slow("src/u2net/train", "src/u2net/system/signals.py")
@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_run_and_resume_ends_it(number: signal.Signals, code: int, tmp_path: Path) -> None:
    make_pictures(tmp_path / "data")
    process = start("--data", "data", "--out", "run", *QUICK, "--steps", "100000", folder=tmp_path)
    log = tmp_path / "run" / "config.json"
    deadline = time.monotonic() + 120
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(2)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "to go on: u2net train --out run --resume" in err
    assert "Traceback" not in err
    assert out.strip() == "run/best.safetensors"
    step = int(err.split("step ")[-1].split(" ")[0])
    assert step >= 1
    config = json.loads(log.read_text())
    log.write_text(json.dumps({**config, "steps": step + 3}))
    code, out, err = run("--out", "run", "--resume", folder=tmp_path)
    assert code == 0, err
    assert f"step {step + 3} of {step + 3}: all steps are done" in err


def test_json_reports_are_lines_on_standard_output(tmp_path: Path) -> None:
    make_pictures(tmp_path / "data")
    arguments = ["--data", "data", "--validation", "data", "--out", "run", *QUICK, "--steps", "12", "--json"]
    code, out, err = run(*arguments, "--set", "warmup=1", "--set", 'losses={"bce": 1}', folder=tmp_path)
    assert code == 0, err
    reports = [json.loads(line) for line in out.splitlines()]
    assert [report["step"] for report in reports if report["measures"]] == [12]
    assert set(reports[-1]["measures"]) == {"MAE", "maxF", "S", "maxE"}
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["warmup"], config["losses"], config["crop"]) == (1, {"bce": 1}, [32, 32])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "run"], "name pictures and truths with --data"),
        (["--data", "nowhere", "--out", "run"], "nowhere: there is no such folder"),
        (["--out", "run", "--resume"], "there is no run to go on with"),
        (["--data", "data", "--out", "run", "--set", "stepz=3"], "unknown setting 'stepz'"),
        (["--data", "data", "--out", "run", "--init", "u2nett"], "did you mean"),
        (["--data", "data", "--out", "run", "--config", "none.json"], "none.json: the settings cannot be read"),
        (["--data", "data", "--out", "run", "--recipe", "published", "--config", "x"], "leave one out"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    make_pictures(tmp_path / "data", 2)
    code, out, err = run(*arguments, folder=tmp_path)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert not out
    assert not (tmp_path / "run").exists()
