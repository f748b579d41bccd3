"""Downloads: continued where they broke off, through proxies and mirrors, on disks that are full or read-only."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from support.loopback import CONTENT, SHA256, Server
from u2net.errors import BadInput, WeightsUnavailable, WrongChecksum
from u2net.models import download, weights
from u2net.models.spec import ModelSpec, UrlSource

pytestmark = pytest.mark.usefixtures("cache")


def spec(*urls: str, size_bytes: int = len(CONTENT)) -> ModelSpec:
    sources = tuple(UrlSource(url) for url in urls)
    return ModelSpec("tiny", "tiny.onnx", sources=sources, checksum=SHA256, size_bytes=size_bytes)


def break_off(server: Server, at: int) -> None:
    """Let a download of CONTENT end after `at` bytes; the server forgets nothing and asks for nothing."""
    server.cuts = [at, *[0] * download.TRIES]
    with pytest.raises(WeightsUnavailable, match="are kept"):
        weights.locate(spec(server.url))
    assert not server.cuts
    server.asked.clear()


def files(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} - {"tiny.onnx.lock"}


# Broken connections.


def test_broken_download_is_continued_in_the_same_call(server: Server, cache: Path) -> None:
    server.cuts = [1_000_000, 500_000]
    seen: list[tuple[int, int]] = []
    path = weights.locate(spec(server.url), on_progress=lambda *at: seen.append(at))
    assert path.read_bytes() == CONTENT
    assert server.header("Range") == [None, "bytes=1000000-", "bytes=1500000-"]
    assert server.header("If-Range") == [None, '"first"', '"first"']
    assert all(before[0] < after[0] for before, after in pairwise(seen))
    assert {total for _, total in seen} == {len(CONTENT)}
    assert files(cache) == {"tiny.onnx", "verified.json"}


def test_broken_download_is_continued_by_the_next_call(server: Server, cache: Path) -> None:
    break_off(server, at=700_000)
    assert files(cache) == {".u2net-tiny.onnx.part", ".u2net-tiny.onnx.part.json"}
    assert weights.state(spec())[0] == "unfinished"
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range") == ["bytes=700000-"]
    assert files(cache) == {"tiny.onnx", "verified.json"}


def test_interrupted_download_is_continued(server: Server) -> None:
    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.locate(spec(server.url), on_progress=interrupt)
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range")[1] is not None


def test_download_of_a_killed_process_is_continued(server: Server, cache: Path) -> None:
    server.cuts = [900_000]
    server.ending.clear()  # the connection stays open, and nothing more comes
    code = (
        "from u2net.models import weights; from u2net.models.spec import ModelSpec, UrlSource;"
        f"weights.locate(ModelSpec('tiny', 'tiny.onnx', sources=(UrlSource({server.url!r}),), checksum={SHA256!r}))"
    )
    partial = download.partial_path(cache / "tiny.onnx")
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        deadline = time.monotonic() + 60
        while download.held_bytes(partial) < 800_000 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    server.ending.set()
    held = download.held_bytes(partial)
    assert held >= 800_000
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range") == [None, f"bytes={held}-"]


def test_download_that_is_already_whole_is_only_taken(server: Server, cache: Path) -> None:
    cache.mkdir()
    download.partial_path(cache / "tiny.onnx").write_bytes(CONTENT)
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range") == [f"bytes={len(CONTENT)}-"]


def test_server_without_ranges_sends_all_again(server: Server) -> None:
    server.ranges = False
    server.cuts = [1_000_000]
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_server_that_sends_short_parts_is_asked_until_all_is_here(server: Server) -> None:
    server.part_bytes = 800_000
    server.cuts = [300_000]
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range")[1:] == ["bytes=300000-", "bytes=1100000-", "bytes=1900000-"]


def test_server_that_sends_another_part_is_asked_for_all(server: Server) -> None:
    break_off(server, at=700_000)
    server.shift = 5
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range") == ["bytes=700000-", None]


def test_file_that_has_changed_is_fetched_from_its_start(server: Server) -> None:
    server.content, server.etag = CONTENT[::-1], '"old"'
    break_off(server, at=700_000)
    server.content, server.etag = CONTENT, '"new"'
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("If-Range") == ['"old"']


def test_file_that_has_changed_unnoticed_is_fetched_once_more(server: Server) -> None:
    server.content, server.etag = CONTENT[::-1], ""
    break_off(server, at=700_000)
    server.content = CONTENT
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range") == ["bytes=700000-", None]


def test_file_that_has_become_shorter_is_fetched_from_its_start(server: Server, cache: Path) -> None:
    cache.mkdir()
    download.partial_path(cache / "tiny.onnx").write_bytes(CONTENT + b"more")
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range") == [f"bytes={len(CONTENT) + 4}-", None]


def test_wrong_file_is_not_continued(server: Server, cache: Path) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(WrongChecksum):
        weights.locate(spec(server.url))
    assert files(cache) == set()


def test_next_source_continues_what_the_first_broke_off(server: Server) -> None:
    server.cuts = [1_000_000, *[0] * download.TRIES]
    assert weights.locate(spec(server.root + "/first", server.root + "/second")).read_bytes() == CONTENT
    path, headers = server.asked[-1]
    assert (path, headers["Range"], headers["If-Range"]) == ("/second", "bytes=1000000-", None)


def test_busy_server_is_asked_again_but_not_for_ever(server: Server) -> None:
    server.statuses = [503, 500]
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    server.asked.clear()
    server.statuses = [503] * 10
    with pytest.raises(WeightsUnavailable, match="503"):
        weights.locate(ModelSpec("other", "other.onnx", sources=(UrlSource(server.url),), checksum=SHA256))
    assert len(server.asked) == download.TRIES


def test_missing_file_is_asked_for_once(server: Server) -> None:
    server.statuses = [404]
    with pytest.raises(WeightsUnavailable, match="the server answers 404 Not Found"):
        weights.locate(spec(server.url))
    assert len(server.asked) == 1


# Mirrors and proxies.


def test_mirror_is_asked_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_MIRROR", server.root + "/mirror/")
    assert weights.locate(spec(server.root + "/published")).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/mirror/tiny.onnx"]


def test_published_source_follows_a_mirror_that_lacks_the_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_MIRROR", server.root + "/mirror")
    server.statuses = [404]
    assert weights.locate(spec(server.root + "/published")).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/mirror/tiny.onnx", "/published"]


def test_mirror_may_be_a_folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "on a + share"
    folder.mkdir()
    (folder / "tiny.onnx").write_bytes(CONTENT)
    monkeypatch.setenv("U2NET_MIRROR", str(folder))
    assert weights.locate(spec()) == cache / "tiny.onnx"
    assert (cache / "tiny.onnx").read_bytes() == (folder / "tiny.onnx").read_bytes() == CONTENT
    with pytest.raises(WeightsUnavailable, match="No such file"):
        weights.locate(ModelSpec("other", "other.onnx", checksum=SHA256))


def test_wrong_file_of_a_mirror_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_MIRROR", server.root)
    server.content = CONTENT[::-1]
    with pytest.raises(WrongChecksum, match=hashlib.sha256(CONTENT[::-1]).hexdigest()):
        weights.locate(spec())


def test_mirror_of_another_kind_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_MIRROR", "ftp://somewhere/weights")
    with pytest.raises(BadInput, match="U2NET_MIRROR is 'ftp://somewhere/weights'"):
        weights.locate(spec())


def test_proxy_variable_is_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.root)
    assert weights.locate(spec("http://weights.invalid/tiny.onnx")).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["http://weights.invalid/tiny.onnx"]


def test_proxy_is_asked_for_a_tunnel_to_an_https_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", server.root)
    with pytest.raises(WeightsUnavailable, match="Tunnel connection failed: 403"):
        weights.locate(spec("https://weights.invalid/tiny.onnx"))
    assert [path for path, _ in server.asked] == ["weights.invalid:443"]


def test_no_proxy_variable_goes_round_the_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as dead:
        monkeypatch.setenv("http_proxy", dead.root)
    with pytest.raises(WeightsUnavailable, match="Connection refused"):
        weights.locate(spec(server.url))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT


# Disks.


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """The cache folder on a file system of its own; what is given changes how it is mounted (size=…, ro)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a file system")
    monkeypatch.setenv("U2NET_CACHE", str(folder))
    yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True) and None
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_said_before_anything_is_fetched(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")(1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(WeightsUnavailable, match=r"1 MB free, and 2 MB are needed(.|\n)*U2NET_CACHE"):
        weights.locate(spec(server.url))
    assert not server.asked


def test_disk_that_fills_up_keeps_a_part_that_is_continued(
    server: Server, disk: Callable[[str], None], tmp_path: Path
) -> None:
    with pytest.raises(WeightsUnavailable, match=r"No space left on device(.|\n)*U2NET_CACHE"):
        weights.locate(spec(server.url, size_bytes=0))
    assert not (tmp_path / "disk" / "tiny.onnx").exists()
    held = download.held_bytes(download.partial_path(tmp_path / "disk" / "tiny.onnx"))
    assert 0 < held < 1 << 20
    disk("size=8m")
    assert weights.locate(spec(server.url)).read_bytes() == CONTENT
    assert server.header("Range") == [None, f"bytes={held}-"]


def test_read_only_cache_folder_serves_what_it_has(server: Server, disk: Callable[[str], None], tmp_path: Path) -> None:
    disk("size=8m")
    (tmp_path / "disk" / "tiny.onnx").write_bytes(CONTENT)
    disk("ro")
    assert weights.locate(spec(server.url)) == tmp_path / "disk" / "tiny.onnx"
    assert weights.pull(spec(server.url)) == tmp_path / "disk" / "tiny.onnx"
    assert not server.asked


@pytest.mark.parametrize("present", [None, b"not the published one"])
def test_read_only_cache_folder_without_the_weights_says_what_to_do(
    server: Server, disk: Callable[[str], None], tmp_path: Path, present: bytes | None
) -> None:
    if present:
        (tmp_path / "disk" / "tiny.onnx").write_bytes(present)
    disk("ro")
    with pytest.raises(WeightsUnavailable, match=r"Read-only file system(.|\n)*U2NET_CACHE names another folder"):
        weights.pull(spec(server.url))
    with pytest.raises(WeightsUnavailable, match="Read-only file system"):
        (tmp_path / "given.onnx").write_bytes(CONTENT)
        weights.import_file(tmp_path / "given.onnx", spec())
    assert not server.asked


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_cache_folder_that_is_not_ours_says_what_to_do(server: Server, cache: Path) -> None:
    cache.mkdir(mode=0o555)
    with pytest.raises(WeightsUnavailable, match=r"Permission denied(.|\n)*U2NET_CACHE"):
        weights.locate(spec(server.url))
