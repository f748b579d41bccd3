"""The record of a folder of results: what it has as done, and what it survives."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from u2net.batch.inputs import Job
from u2net.batch.manifest import FILE, Entry, Manifest, identify, model_identity, open_manifest, temporary_files_of
from u2net.errors import UnknownModel, WeightsUnavailable
from u2net.inference.int8_ranges import find_ranges, table_path
from u2net.models.cache import tables_dir
from u2net.models.registry import MODELS

OPTIONS = {"model": "u2net", "edges": "auto"}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "out").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"picture")
    return Job(tmp_path / "a.jpg", tmp_path / "out" / "a.png")


def make(manifest: Manifest, job: Job, **said: Any) -> None:
    """A result, and its row."""
    assert job.source and job.target
    job.target.write_bytes(b"result")
    manifest.record(job, Entry(identify(job.source, max_bytes=100), **{"result_bytes": 6, "found": True, **said}))


def status(job: Job, *, options: dict[str, Any] = OPTIONS, **how: Any) -> str:
    assert job.target
    with open_manifest(job.target.parent, options, **how) as manifest:
        return manifest.status(job)


@pytest.fixture
def done(job: Job) -> Job:
    assert job.target
    with open_manifest(job.target.parent, OPTIONS) as manifest:
        assert manifest.status(job) == "new"
        make(manifest, job)
        manifest.note_options()
    return job


def touch(path: Path | None, *, seconds: float = 5) -> None:
    assert path
    later = path.stat().st_mtime + seconds
    os.utime(path, (later, later))


def test_what_was_done_is_up_to_date(done: Job) -> None:
    assert status(done) == "up to date"


def test_deleted_or_emptied_result_is_missing(done: Job) -> None:
    assert done.target
    done.target.write_bytes(b"")
    assert status(done) == "result missing"
    done.target.unlink()
    assert status(done) == "result missing"


def test_changed_input_is_seen_though_its_length_is_the_same(done: Job) -> None:
    assert done.source
    done.source.write_bytes(b"PICTURE")
    touch(done.source)
    assert status(done) == "input changed"


def test_input_that_was_only_touched_is_read_once_and_is_up_to_date(done: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(done.source)
    assert status(done) == "up to date"
    monkeypatch.setattr("u2net.batch.manifest.hash_of", lambda path: pytest.fail("read again"))
    assert status(done) == "up to date"


def test_inputs_that_moved_are_the_same_inputs(done: Job, tmp_path: Path) -> None:
    assert done.source
    (tmp_path / "elsewhere").mkdir()
    moved = Path(shutil.copy(done.source, tmp_path / "elsewhere" / "a.jpg"))
    assert status(Job(moved, done.target)) == "up to date"


def test_another_input_of_the_same_length_and_time_is_another(done: Job, tmp_path: Path) -> None:
    assert done.source
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "a.jpg"
    other.write_bytes(b"PICTURE")
    shutil.copystat(done.source, other)
    assert status(Job(other, done.target)) == "input changed"


def test_other_options_make_it_again(done: Job) -> None:
    assert status(done, options={**OPTIONS, "edges": "soft"}) == "options changed"


def test_result_that_somebody_worked_on_is_not_lost(done: Job) -> None:
    assert done.target
    done.target.write_bytes(b"retouched by hand")
    assert status(done) == "changed by hand"


def test_failed_one_is_tried_again(done: Job) -> None:
    assert done.source and done.target
    with open_manifest(done.target.parent, OPTIONS) as manifest:
        manifest.record(done, Entry(identify(done.source, max_bytes=100), error="is damaged"))
        assert manifest.status(done) == "failed before"


def test_result_without_an_object_fails_where_one_is_needed(job: Job) -> None:
    assert job.target
    with open_manifest(job.target.parent, OPTIONS) as manifest:
        make(manifest, job, found=False)
    assert status(job) == "up to date"
    assert status(job, needs_object=True) == "failed before"


def test_row_says_what_when_and_how(done: Job) -> None:
    assert done.target
    with sqlite3.connect(done.target.parent / FILE) as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute("SELECT * FROM picture").fetchone())
        (options,) = connection.execute("SELECT json FROM options WHERE id = ?", (row["options"],)).fetchone()
    connection.close()
    assert row["target"] == "a.png"
    assert (row["source"], row["source_bytes"], row["outcome"]) == (str(done.source), 7, "done")
    assert json.loads(options) == OPTIONS


def test_folder_may_move_with_its_record(done: Job, tmp_path: Path) -> None:
    assert done.target
    done.target.parent.rename(tmp_path / "moved")
    assert status(Job(done.source, tmp_path / "moved" / "a.png")) == "up to date"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems have no undecodable names")
def test_undecodable_name_is_recorded(job: Job, tmp_path: Path) -> None:
    assert job.target
    name = os.fsdecode(b"\xff.jpg")
    (tmp_path / name).write_bytes(b"picture")
    odd = Job(tmp_path / name, job.target.with_name(os.fsdecode(b"\xff.png")))
    with open_manifest(job.target.parent, OPTIONS) as manifest:
        make(manifest, odd)
    assert status(odd) == "up to date"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no database at all" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192),
    ],
    ids=["text", "cut off", "overwritten"],
)
def test_damaged_record_is_said_and_begun_anew(done: Job, damage: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert done.target
    damage(done.target.parent / FILE)
    with caplog.at_level(logging.WARNING), open_manifest(done.target.parent, OPTIONS) as manifest:
        assert manifest.status(done) == "new"
        make(manifest, done)
    assert "damaged and begun anew" in caplog.text
    assert status(done) == "up to date"


def test_record_of_a_later_version_is_not_read_as_ours(done: Job) -> None:
    assert done.target
    connection = sqlite3.connect(done.target.parent / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert status(done) == "new"


def test_where_no_record_can_be_kept_the_run_goes_on(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    assert job.target
    (job.target.parent / FILE).mkdir()
    with caplog.at_level(logging.WARNING), open_manifest(job.target.parent, OPTIONS) as manifest:
        make(manifest, job)
        assert manifest.status(job) == "up to date"
    assert "no record can be kept here" in caplog.text


def test_row_that_cannot_be_written_is_said_once(done: Job, caplog: pytest.LogCaptureFixture) -> None:
    assert done.target
    with open_manifest(done.target.parent, OPTIONS) as manifest, caplog.at_level(logging.WARNING):
        manifest._connection.execute("PRAGMA query_only = 1")
        make(manifest, done)
        make(manifest, done)
    assert caplog.text.count("the next run may do pictures again") == 1


def test_looking_writes_nothing(done: Job, tmp_path: Path) -> None:
    assert done.target
    touch(done.source)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert status(done, only_look=True) == "up to date"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    nowhere = Job(done.source, tmp_path / "nowhere" / "a.png")
    assert status(nowhere, only_look=True) == "new"
    assert not (tmp_path / "nowhere").exists()


def test_row_is_there_after_a_kill(job: Job) -> None:
    assert job.target
    code = """
import os, signal, sys
from pathlib import Path
from u2net.batch.inputs import Job
from u2net.batch.manifest import Entry, identify, open_manifest
source, target = map(Path, sys.argv[1:])
with open_manifest(target.parent, {"model": "u2net", "edges": "auto"}) as manifest:
    target.write_bytes(b"result")
    manifest.record(Job(source, target), Entry(identify(source, max_bytes=100), found=True, result_bytes=6))
    os.kill(os.getpid(), signal.SIGKILL) if hasattr(signal, "SIGKILL") else os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code, str(job.source), str(job.target)], check=False)
    assert status(job, only_look=True) == "up to date"
    assert status(job) == "up to date"


def test_temporary_files_clean_up_after_the_dead_and_spare_the_living(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    with temporary_files_of(tmp_path) as living:
        with temporary_files_of(tmp_path) as other:
            assert other != living
            of_living, of_dead = (tmp_path / "deep" / f".u2net-{owner}00.part" for owner in (living, other))
            for path in (of_living, of_dead):
                path.touch()
            mark = tmp_path / f".u2net-{other.removesuffix('-')}.lock"
            assert mark.exists()
        assert not mark.exists()  # ended well
        mark.touch()  # as a kill leaves it
        with temporary_files_of(tmp_path):
            assert of_living.exists()
            assert not of_dead.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}


def test_model_is_known_by_what_it_holds(tmp_path: Path) -> None:
    assert model_identity("u2net", "f32") != model_identity("u2netp", "f32")
    for name, data in {"one.onnx": b"a", "same.onnx": b"a", "other.onnx": b"b"}.items():
        (tmp_path / name).write_bytes(data)
    one, same, other = (model_identity(str(tmp_path / f"{name}.onnx"), "auto") for name in ("one", "same", "other"))
    assert one == same != other
    with pytest.raises(UnknownModel):
        model_identity("u2nettp", "auto")
    with pytest.raises(WeightsUnavailable, match="no such model file"):
        model_identity(str(tmp_path / "none.onnx"), "auto")


def test_model_that_may_be_int8_is_known_by_its_table_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path))
    spec = MODELS["u2netp"]
    packaged = model_identity("u2netp", "auto")
    assert packaged == model_identity("u2netp", "int8") != model_identity("u2netp", "f32")
    table = find_ranges(spec, Path(spec.file), tmp_path)
    assert table
    path = table_path(spec, Path(spec.file), tables_dir())
    path.parent.mkdir()
    path.write_text(replace(table, convolutions={}).to_json())
    assert model_identity("u2netp", "auto") != packaged


def test_pipe_and_what_is_too_long_are_not_read_to_know_them(tmp_path: Path) -> None:
    (tmp_path / "long.jpg").write_bytes(b"x" * 101)
    assert identify(tmp_path / "long.jpg", max_bytes=100) is None
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert identify(tmp_path / "pipe", max_bytes=100) is None  # and does not wait for who writes
