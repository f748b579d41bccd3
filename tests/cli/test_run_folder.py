"""u2net remove on folders: resumed, watched, killed, out of room, and what it says of all that."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from support.small_onnx import small_network
from u2net.batch import inputs
from u2net.batch import run as running
from u2net.batch.manifest import FILE
from u2net.cli import cli
from u2net.errors import CannotWrite, UnreadablePicture
from u2net.system import files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight pictures in `in`, two of them in folders, and a network that takes no time."""
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(small_network(32))
    for number in range(6):
        picture(f"in/{number}.png", number)
    picture("in/deep/6.png", 6)
    picture("in/deep/er/7.png", 7)
    return tmp_path


def picture(name: str, seed: int, *, side: int = 48) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(name)


def remove(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["remove", "-m", "net.onnx", *arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, (SystemExit, Exception)):
        raise result.exception
    return result


def results(output: str = "out") -> set[str]:
    return {path.relative_to(output).as_posix() for path in Path(output).rglob("*.png")}


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


ALL = {*(f"{number}.png" for number in range(6)), "deep/6.png", "deep/er/7.png"}


def test_folder_is_mirrored_and_named_in_order(folder: Path) -> None:
    result = remove("in", "-o", "out")
    assert result.return_value == 0
    assert results() == ALL
    named = [Path(line).relative_to("out").as_posix() for line in result.stdout.splitlines()]
    assert named == [*(f"{number}.png" for number in range(6)), "deep/6.png", "deep/er/7.png"]
    assert "8 pictures done" in result.stderr


def test_second_run_does_nothing_and_loads_no_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove("in", "-o", "out")
    monkeypatch.setattr(
        "u2net.inference.open_session.open_session", lambda *_, **__: pytest.fail("the network is loaded")
    )
    result = remove("in", "-o", "out", "--json")
    assert result.return_value == 0
    assert [line["skipped"] for line in lines(result)] == ["up to date"] * 8
    assert "0 pictures done, 8 were up to date" in result.stderr


def test_only_what_is_missing_or_changed_is_done(folder: Path) -> None:
    remove("in", "-o", "out")
    Path("out/1.png").unlink()
    picture("in/2.png", 22)
    picture("in/new.png", 23)
    result = remove("in", "-o", "out")
    assert {Path(line).name for line in result.stdout.splitlines()} == {"1.png", "2.png", "new.png"}
    assert "3 pictures done, 6 were up to date" in result.stderr


@pytest.mark.parametrize(
    "change",
    [
        ["--edges", "none"],
        ["--no-foreground"],
        ["--background", "back.png"],
        ["--crop", "square"],
        ["--strip"],
        ["--keep", "largest"],
        ["--precision", "f32"],
        ["--only-mask"],
    ],
)
def test_every_option_that_changes_a_result_makes_it_again(folder: Path, change: list[str]) -> None:
    picture("back.png", 99)
    remove("in", "-o", "out")
    result = remove("in", "-o", "out", "--dry-run", "--json", *change)
    assert {line["because"] for line in lines(result)} == {"options changed"}


def test_background_is_known_by_what_it_holds(folder: Path) -> None:
    picture("back.png", 99)
    remove("in", "-o", "out", "--background", "back.png")
    os.utime("back.png", (1, 1))
    assert "8 are up to date" in remove("in", "-o", "out", "--background", "back.png", "--dry-run").stderr
    picture("back.png", 100)
    assert "would make 8 of 8" in remove("in", "-o", "out", "--background", "back.png", "--dry-run").stderr


def test_options_that_change_nothing_make_nothing_again(folder: Path) -> None:
    remove("in", "-o", "out")
    result = remove("in", "-o", "out", "--threads", "1", "--max-megapixels", "50", "--dry-run")
    assert "8 are up to date" in result.stderr


def test_overwrite_makes_all_again(folder: Path) -> None:
    remove("in", "-o", "out")
    assert len(remove("in", "-o", "out", "--overwrite").stdout.splitlines()) == 8


def test_result_worked_on_by_hand_is_kept_and_said_until_overwrite(folder: Path) -> None:
    remove("in", "-o", "out")
    Path("out/1.png").write_bytes(b"by hand")
    result = remove("in", "-o", "out")
    assert Path("out/1.png").read_bytes() == b"by hand"
    assert "1 result was changed by hand and is kept" in result.stderr
    remove("in", "-o", "out", "--overwrite")
    assert Path("out/1.png").read_bytes() != b"by hand"


def test_dry_run_says_what_would_be_done_and_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "u2net.inference.open_session.open_session", lambda *_, **__: pytest.fail("the network is loaded")
    )
    before = sorted(folder.rglob("*"))
    result = remove("in", "-o", "out", "--dry-run")
    assert result.return_value == 0
    assert sorted(folder.rglob("*")) == before
    assert result.stdout.splitlines()[0] == f"{Path('out/0.png')}: new"
    assert "would make 8 of 8 pictures" in result.stderr


def test_dry_run_fetches_no_weights(folder: Path) -> None:
    result = CliRunner().invoke(cli, ["remove", "in", "-o", "out", "--dry-run"], standalone_mode=False)
    assert result.return_value == 0
    assert not (folder / "cache").exists()


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["deep"], 6),
        (["deep/*"], 6),
        (["deep/er"], 7),
        (["[0-3].png"], 4),
        (["*.png", "nothing"], 0),
        (["deep/6.png", "5.*"], 6),
        (["er/"], 7),
        (["in"], 8),
    ],
)
def test_exclude_fits_names_and_places_below_the_folder(folder: Path, patterns: list[str], left: int) -> None:
    flags = [part for pattern in patterns for part in ("--exclude", pattern)]
    result = remove("in", "-o", "out", "--dry-run", *flags)
    if left:
        assert len(result.stdout.splitlines()) == left
    else:
        assert "all 8 pictures are excluded" in str(result.exception)


def test_one_bad_file_among_many_is_reported_and_tried_again(folder: Path) -> None:
    Path("in/bad.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    for _ in range(2):
        result = remove("in", "-o", "out", "--json")
        assert result.return_value == 1
        (bad,) = [line for line in lines(result) if "error" in line]
        assert bad["input"] == str(Path("in/bad.png"))
        assert "1 of 9 pictures failed" in result.stderr
    assert results() == ALL


def test_picture_of_300_megapixels_is_refused_and_the_rest_is_done(folder: Path) -> None:
    Image.new("1", (20_000, 15_000)).save("in/huge.png")
    result = remove("in", "-o", "out")
    assert result.return_value == 1
    assert "300 megapixels, over the limit of 160" in result.stderr
    assert results() == ALL


def test_input_that_vanishes_is_reported_and_the_rest_is_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def plan_then_lose(*arguments: object, **named: object) -> object:
        jobs = plan(*arguments, **named)
        shutil.rmtree("in/deep")
        return jobs

    plan = inputs.plan
    monkeypatch.setattr(inputs, "plan", plan_then_lose)
    result = remove("in", "-o", "out")
    assert result.return_value == 1
    assert result.stderr.count("there is no such file") == 2
    assert len(results()) == 6


def test_picture_that_goes_to_two_places_fails_where_one_does(folder: Path) -> None:
    Path("out").mkdir()
    Path("out/deep").write_bytes(b"a file where a folder should be")
    result = remove("in", "in/deep/6.png", "-o", "out")
    assert result.return_value == 1
    assert "2 of 9 pictures failed" in result.stderr


def test_output_folder_that_vanishes_is_made_again(folder: Path) -> None:
    remove("in", "-o", "out")
    shutil.rmtree("out")
    assert remove("in", "-o", "out").return_value == 0
    assert results() == ALL


def test_full_disk_is_said_of_each_picture_and_costs_no_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = files.write_bytes
    worked = []

    def full(path: Path, data: bytes, *, owner: str = "") -> None:
        worked.append(path)
        if len(worked) > 2:
            raise CannotWrite(f"{path}: cannot be written: No space left on device") from OSError(errno.ENOSPC, "full")
        real(path, data, owner=owner)

    monkeypatch.setattr("u2net.batch.process.write_bytes", full)
    monkeypatch.setattr("u2net.batch.process.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    result = remove("in", "-o", "out", "--json")
    assert result.return_value == 1
    errors = [str(line["error"]) for line in lines(result) if "error" in line]
    assert len(errors) == 6
    assert all("No space left" in error or "the disk is full; make room" in error for error in errors)
    assert len(worked) < 8
    monkeypatch.undo()
    os.chdir(folder)
    assert remove("in", "-o", "out").return_value == 0
    assert results() == ALL


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a file system"
)
def test_real_full_disk_leaves_whole_files_only_and_a_record_that_can_be_used(folder: Path) -> None:
    for number in range(8, 24):
        picture(f"in/{number}.png", number, side=200)
    Path("out").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "out"], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets root mount nothing")
    try:
        result = remove("in", "-o", "out")
        assert result.return_value == 1
        assert "No space left on device" in result.stderr
        assert not list(Path("out").rglob(".u2net-*"))
        whole = results()
        assert 3 < len(whole) < 24
        for name in whole:
            Image.open(Path("out", name)).load()
        subprocess.run(["mount", "-o", "remount,size=40m", "out"], check=True)
        again = remove("in", "-o", "out")
        assert again.return_value == 0
        assert len(results()) == 24
        assert len(again.stdout.splitlines()) < 24
    finally:
        subprocess.run(["umount", "out"], check=True)


def test_damaged_record_is_said_and_all_is_done(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    remove("in", "-o", "out")
    Path("out", FILE).write_bytes(b"rubbish" * 1000)
    assert len(remove("in", "-o", "out").stdout.splitlines()) == 8
    assert "is damaged and begun anew" in caplog.text


def test_no_record_lies_beside_inputs_nor_beside_one_result(folder: Path) -> None:
    assert remove("in/0.png").return_value == 0
    assert remove("in/1.png", "-o", "one").return_value == 0
    assert remove("in/1.png", "in/2.png").return_value == 0
    assert list(folder.rglob(".u2net*")) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_pipes_among_several_inputs_are_read_once(folder: Path) -> None:
    os.mkfifo("pipe.png")
    data = Path("in/0.png").read_bytes()
    writer = threading.Thread(target=lambda: Path("pipe.png").write_bytes(data))
    writer.start()
    result = remove("pipe.png", "in/1.png", "-o", "out")
    writer.join()
    assert result.return_value == 0
    assert results() == {"pipe.png", "1.png"}


# -- the report


def test_report_as_json_and_csv_has_a_row_a_picture(folder: Path) -> None:
    Path('in/=bad,".png').write_bytes(b"no picture")
    remove("in", "-o", "out", "--report", "new/report.json")
    told = json.loads(Path("new/report.json").read_text())
    assert (told["done"], told["up to date"], told["failed"]) == (8, 0, 1)
    (failed,) = [row for row in told["pictures"] if row["outcome"] == "failed"]
    assert "is not a picture" in failed["error"]
    remove("in", "-o", "out", "--report", "report.csv")
    with Path("report.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["outcome"] for row in rows) == ["failed"] + ["up to date"] * 8
    assert failed["input"] in [row["input"] for row in rows]


def test_report_as_a_page_shows_failures_first_and_escapes_names(folder: Path) -> None:
    Path("in/<b>&amp;@failed@.png").write_bytes(b"no picture")
    remove("in", "-o", "out", "--report", "report.html")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;amp;@failed@.png" in page
    assert page.index("&lt;b&gt;") < page.index("0.png")
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize("name", ["report.txt", "report", "report.json.gz"])
def test_report_of_another_kind_is_refused_before_the_work(folder: Path, name: str) -> None:
    result = remove("in", "-o", "out", "--report", name)
    assert "a .json, .csv or .html file" in str(result.exception)
    assert not Path("out").exists()


def test_report_of_single_pictures_needs_no_folder(folder: Path) -> None:
    assert remove("in/0.png", "--report", "r.json").return_value == 0
    assert json.loads(Path("r.json").read_text())["done"] == 1


# -- stopped


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "u2net", "remove", "-m", "net.onnx", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def whole_or_absent(output: Path) -> int:
    count = 0
    for path in output.rglob("*.png"):
        Image.open(path).load()
        count += 1
    return count


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_killed_again_and_again_it_loses_nothing_and_leaves_no_half_file(folder: Path) -> None:
    for number in range(40):
        picture(f"many/{number}.png", number, side=220)
    moments = random.Random(7)
    for _ in range(4):
        process = start("many", "-o", "out")
        assert process.stdout
        for _ in range(moments.randrange(1, 8)):  # so many results, and then some part of a picture
            process.stdout.readline()
        time.sleep(moments.random() / 20)
        process.kill()
        process.communicate()
        whole_or_absent(folder / "out")
    killed = whole_or_absent(folder / "out")
    last = start("many", "-o", "out")
    said, _ = last.communicate()
    assert last.returncode == 0
    assert killed >= 4
    assert len(said.splitlines()) <= 40 - killed + 4 * 3  # all but what was in work at each kill was recorded
    assert whole_or_absent(folder / "out") == 40
    assert sorted(path.name for path in Path("out").iterdir() if path.name.startswith(".")) == [FILE]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a whole console there, this test too")
def test_ctrl_c_finishes_what_is_in_work_and_exits_130(folder: Path) -> None:
    for number in range(30):
        picture(f"many/{number}.png", number, side=220)
    process = start("many", "-o", "out", "--report", "r.json")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "stopping; the pictures in work are finished first" in said
    assert "Traceback" not in said
    done = whole_or_absent(folder / "out")
    assert 1 <= done < 30
    assert json.loads(Path("r.json").read_text())["done"] == done
    again = remove("many", "-o", "out")
    assert len(again.stdout.splitlines()) == 30 - done


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a whole console there, this test too")
def test_ctrl_c_while_the_model_is_opened_ends_at_once(folder: Path) -> None:
    code = (
        "import sys, time, u2net.inference.open_session; from u2net.cli import main\n"
        "u2net.inference.open_session.open_session = lambda *_, **__: (print('opening', flush=True), time.sleep(60))\n"
        "sys.argv[0] = 'u2net'; main()"
    )
    command = [sys.executable, "-c", code, "remove", "-m", "net.onnx", "in", "-o", "out"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "opening\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said.strip()) == (130, "u2net: stopped")
    assert results() == set()


# -- watch


@pytest.fixture
def watching(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Watches `in` into `out` while a function works on the files, then Ctrl-C."""
    monkeypatch.setattr(running, "POLL_S", 0.02)

    def watch(work: Callable[[], None], *flags: str, output: str = "out") -> Result:
        failed: list[BaseException] = []

        def run() -> None:
            try:
                time.sleep(0.2)
                work()
            except BaseException as error:  # noqa: BLE001  raised below
                failed.append(error)
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=run)
        thread.start()
        result = remove("in", "-o", output, "--watch", *flags)
        thread.join()
        if failed:
            raise failed[0]
        return result

    yield watch


needs_signals = pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process there")


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.02)


@needs_signals
def test_watch_does_what_is_there_what_comes_and_what_changes(watching: Callable[..., Result]) -> None:
    def work() -> None:
        wait_for(lambda: results() == ALL)
        picture("in/new/folder/8.png", 8)
        wait_for(lambda: "new/folder/8.png" in results())
        before = Path("out/0.png").read_bytes()
        picture("in/0.png", 100)
        wait_for(lambda: Path("out/0.png").read_bytes() != before)

    result = watching(work, "--exclude", "*.gif")
    assert (result.exit_code, result.return_value) == (0, 0)
    assert "10 pictures done" in result.stderr


@needs_signals
def test_watch_resumes_and_its_output_may_lie_in_its_input(folder: Path, watching: Callable[..., Result]) -> None:
    remove("in", "-o", "in/out")

    def work() -> None:
        picture("in/late.png", 8)
        wait_for(lambda: "late.png" in results("in/out"))

    result = watching(work, output="in/out")
    assert result.stdout.splitlines() == [str(Path("in/out/late.png"))]


@needs_signals
def test_watch_sees_what_comes_soon_after_long_work(
    watching: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = running.Run._task
    monkeypatch.setattr(running.Run, "_task", lambda batch, job: time.sleep(0.5) or real(batch, job))
    took: list[float] = []

    def work() -> None:
        wait_for(lambda: results() == ALL)
        picture("in/new.png", 8)
        start = time.monotonic()
        wait_for(lambda: "new.png" in results())
        took.append(time.monotonic() - start)

    watching(work)
    assert took[0] < 10  # to rest four times as long as the work took would be 16 s


@needs_signals
def test_one_failure_while_watching_is_exit_code_1(watching: Callable[..., Result]) -> None:
    shutil.rmtree("in")
    Path("in").mkdir()
    Path("in/broken.png").write_bytes(b"no picture")
    reports = Path("out/.u2net.sqlite")
    result = watching(lambda: wait_for(lambda: reports.exists() and failures() == 1))
    assert result.return_value == 1


def failures() -> int:
    with contextlib.closing(sqlite3.connect("out/.u2net.sqlite")) as record:
        return record.execute("SELECT count(*) FROM picture WHERE outcome = 'failed'").fetchone()[0]


@needs_signals
def test_watched_picture_whose_result_is_anothers_is_refused(watching: Callable[..., Result]) -> None:
    def work() -> None:
        wait_for(lambda: results() == ALL)
        Image.new("RGB", (9, 9)).save("in/0.bmp")
        time.sleep(0.01)
        picture("in/later.png", 8)  # is looked at after the other
        wait_for(lambda: "later.png" in results())

    result = watching(work)
    assert result.return_value == 1
    assert "0.bmp: its result would replace that of" in result.stderr


@needs_signals
def test_watched_folder_that_vanishes_is_waited_for(
    watching: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    missed = threading.Event()
    real = running.jobs_below

    def look(*arguments: Any, **named: Any) -> Any:
        try:
            return real(*arguments, **named)
        except UnreadablePicture:
            missed.set()
            raise

    monkeypatch.setattr(running, "jobs_below", look)

    def work() -> None:
        wait_for(lambda: results() == ALL)
        Path("in").rename("away")
        assert missed.wait(60)
        Path("away").rename("in")
        picture("in/back.png", 8)
        wait_for(lambda: "back.png" in results())

    result = watching(work, "--json")
    assert result.return_value == 0
    assert caplog.text.count("waiting for it") == 1
    assert len(lines(result)) == 9  # those of before have not come again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "--watch"], "--watch looks at folders"),
        (["in/0.png", "-o", "out", "--watch"], "--watch looks at folders"),
        (["in", "-o", "out", "--watch", "--dry-run"], "exclude each other"),
        (["in", "-o", "in/deep/..", "--watch"], "lie among the inputs"),
        (["in", "-o", "in"], "lie among the inputs"),
        (["in", "-o", "out", "--dry-run", "--report", "r.json"], "--dry-run writes nothing, so there is no --report"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, arguments: list[str], message: str) -> None:
    result = remove(*arguments)
    assert message in str(result.exception)
    assert not Path("out").exists()
