"""u2net doctor: on this machine, on broken ones made of real files and packages, and what it prints."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from support.command_line import u2net
from support.examinations import HEALTHY, ONNXRUNTIME, failing, with_engines
from support.paths import ROOT
from u2net.diagnostics.advice import Finding, findings
from u2net.diagnostics.doctor import Weights, look_at_cache, look_at_engine, look_at_weights
from u2net.diagnostics.probe import ProbeResult
from u2net.models.registry import MODELS
from u2net.reports.doctor import WIDTH, report


def doctor(*arguments: str) -> Result:
    return u2net("doctor", *arguments)


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a home in which other tools left nothing."""
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "cache"))
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("U2NET_HOME", "REMBG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def install(folder: Path, distribution: str, version: str, code: str) -> None:
    """What pip leaves of a package: its record, and its module."""
    record = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (folder / f"{distribution.split('-')[0]}.py").write_text(code)


def test_machine_without_weights_is_told_to_pull_them_and_is_not_broken(no_weights: Path) -> None:
    result = doctor("--json")
    seen = json.loads(result.stdout)
    assert (result.return_value, seen["ok"]) == (0, True)
    assert seen["timed_model"] is None
    assert {weights["state"] for weights in seen["weights"]} == {"not fetched"}
    assert "u2net models pull u2net" in [finding["mend"] for finding in seen["findings"]]
    trials = [trial for engine in seen["engines"] for trial in engine["trials"] if trial["device"] == "cpu"]
    assert {trial["engine"] for trial in trials} == {"openvino", "onnxruntime"}
    assert all(trial["problem"] is None and trial["picture_s"] is None for trial in trials)
    assert not any(no_weights.iterdir())  # nothing fetched, nothing left


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals")
def test_progress_is_on_a_terminal_and_the_json_where_it_is_sent(no_weights: Path) -> None:
    import pty

    terminal, end = pty.openpty()
    with (no_weights.parent / "json").open("wb") as json_file:
        process = subprocess.Popen([sys.executable, "-m", "u2net", "doctor", "--json"], stdout=json_file, stderr=end)
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells that the other side is gone
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert process.wait(60) == 0
    assert json.loads((no_weights.parent / "json").read_text())["ok"] is True
    for step in (b"loading openvino ...", b"trying onnxruntime on cpu in f32 ..."):
        assert step in shown


def keys_of(value: Any, path: str = "") -> set[str]:
    """Every key, as docs/doctor.md writes them; the keys of maps by name are values."""
    if isinstance(value, list):
        return set().union(*(keys_of(each, path + "[]") for each in value))
    if not isinstance(value, dict) or path in ("machine.capabilities", "packages", "engines[].packages"):
        return {path}
    return set().union(*(keys_of(each, f"{path}.{name}".lstrip(".")) for name, each in value.items()))


def documented() -> set[str]:
    found: set[str] = set()
    for cell in re.findall(r"^\| (`.+?`) \|", (ROOT / "docs/doctor.md").read_text(encoding="utf-8"), re.MULTILINE):
        first, *others = re.findall("`(.+?)`", cell)
        found |= {first, *(first.rpartition(".")[0] + other for other in others)}
    return found


def test_documented_keys_are_those_of_the_json(no_weights: Path) -> None:
    seen = json.loads(doctor("--json").stdout)
    seen["machine"]["graphics"] = None
    assert keys_of(seen) == documented()


def test_broken_engine_exits_1_with_the_command_that_mends_it(
    no_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "openvino", "2026.4.1", "raise ImportError('libtbb.so.12: no such file')")
    install(tmp_path / "site", "onnxruntime", "1.31.1", "")
    monkeypatch.syspath_prepend(tmp_path / "site")
    result = doctor()
    assert result.return_value == 1
    lines = result.stdout.splitlines()
    assert "  !!  openvino 2026.4.1" in lines
    last = " ".join(" ".join(lines[lines.index("3 problems") :]).split())
    assert "no cutout can be made: openvino cannot be loaded (libtbb.so.12: no such file); no engine works" in last
    assert "run: pip install --force-reinstall openvino" in last
    assert "run: pip install --force-reinstall onnxruntime" in last


def test_two_packages_of_onnxruntime_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "onnxruntime", "1.31.1", "")
    install(tmp_path, "onnxruntime-gpu", "1.30.0", "")
    monkeypatch.syspath_prepend(tmp_path)
    engine = look_at_engine("onnxruntime", None)
    assert engine.packages == {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.30.0"}
    (finding,) = findings(with_engines(onnxruntime=engine))
    assert finding.fix.startswith("pip uninstall -y onnxruntime onnxruntime-gpu && pip install")


def test_engine_that_is_not_installed_has_no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ModuleNotFoundError(name='onnxruntime')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("u2net.diagnostics.doctor.installed", lambda _: {})
    engine = look_at_engine("onnxruntime", None)
    assert findings(with_engines(onnxruntime=engine)) == []
    assert "  --  onnxruntime not installed" in report(with_engines(onnxruntime=engine), [])


def test_cache_folder_is_tried_by_writing(tmp_path: Path) -> None:
    cache = look_at_cache(tmp_path / "new" / "cache")
    assert cache.problem is None
    assert cache.free_bytes is not None and cache.free_bytes > 1_000_000
    (tmp_path / "file").touch()
    assert look_at_cache(tmp_path / "file").problem is not None
    assert look_at_cache(tmp_path / "file" / "below").problem is not None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no files, whoever asks")
@pytest.mark.parametrize("folder", ["/proc", "/proc/u2net"])
def test_read_only_cache_folder_is_said_in_the_systems_words(folder: str) -> None:
    cache = look_at_cache(Path(folder))
    assert cache.problem is not None and cache.problem[0].isupper()
    assert any("cannot be written: " in line for line in report(replace(HEALTHY, cache=cache), []))


def test_damaged_weights_are_seen(no_weights: Path) -> None:
    spec = MODELS["u2netp"]
    assert look_at_weights(spec) == Weights("u2netp", "not fetched", None, spec.size_bytes)
    no_weights.mkdir()
    (no_weights / spec.file).write_bytes(b"half of it")
    assert look_at_weights(spec) == Weights("u2netp", "wrong checksum", str(no_weights / spec.file), spec.size_bytes)


@pytest.mark.skipif(sys.platform != "linux", reason="a file that nobody can read, root neither")
def test_unreadable_weights_are_seen(no_weights: Path) -> None:
    spec = MODELS["u2netp"]
    no_weights.mkdir()
    (no_weights / spec.file).symlink_to("/proc/self/mem")
    assert look_at_weights(spec).state == "unreadable"


def test_report_is_ascii_and_its_lines_are_short() -> None:
    long = replace(
        HEALTHY,
        packages={f"package-number-{number}": "1.2.3" for number in range(12)},
        engines=(
            failing(HEALTHY.engines[0], "gpu", "a reason " * 30),
            replace(ONNXRUNTIME, trials=(ProbeResult("onnxruntime", "cpu", "name " * 30, "f32", None, 0.5, 0.25),)),
        ),
    )
    lines = list(report(long, [*findings(long), Finding(True, "a sentence " * 30, "a command")]))
    text = "\n".join(lines)
    assert text.isascii()
    assert max(len(line) for line in lines if "run: " not in line) <= WIDTH < 100
    assert any(line.startswith("  !!    gpu      f32   fails: a reason a") for line in lines)
    assert any(line.startswith("  ok    cpu      f32   loads in 0.50 s, then 0.25 s  (name name") for line in lines)
    assert " ".join(text.split()).count("a sentence a sentence") == 15
    assert "2 problems" in lines
    assert lines[-1] == "     run: a command"


def test_commands_and_paths_are_never_broken_over_lines() -> None:
    fix, path = "pip install " + "x" * 200, "/cache-" + "y" * 200
    lines = list(report(HEALTHY, [Finding(False, f"{path} cannot be written", fix)]))
    assert f"     run: {fix}" in lines
    assert any(path in line for line in lines)


def test_report_of_a_healthy_machine_says_so_and_shows_what_was_measured() -> None:
    lines = list(report(HEALTHY, []))
    assert lines[-1] == "No problem found."
    assert "  threads      2 (4 of 8 cores, a quota of 2.5 cores' time)" in lines
    assert "  memory       8.0 GB, unknown free" in lines
    assert "  computes in  AVX2 yes, bf16 unknown" in lines
    assert "Engines, timed with u2net: cutting out a picture of 1 megapixel" in lines


def test_report_survives_a_console_of_any_encoding(no_weights: Path) -> None:
    code = "import sys; from u2net.cli import main; sys.argv = ['u2net', 'doctor']; main()"
    environment = {"PYTHONIOENCODING": "ascii", "PATH": "", "U2NET_CACHE": str(no_weights / "日本")}
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"cache/" in result.stdout and b"problem" in result.stdout
