"""Weight files: find them on this machine, fetch them, verify them, import and remove them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from u2net.errors import BadInput, WeightsUnavailable, WrongChecksum
from u2net.models.cache import PACKAGED, cache_dir, own_path
from u2net.models.spec import ModelSpec, PackageSource, Progress, UrlSource, WheelSource
from u2net.system.digest import digest_of_files
from u2net.system.files import atomic_file

log = logging.getLogger("u2net")

State: TypeAlias = Literal["verified", "wrong checksum", "unreadable", "unfinished", "not fetched"]


def locate(spec: ModelSpec, *, offline: bool = False, on_progress: Progress | None = None) -> Path:
    """The verified weight file of a model, fetched where it is not on this machine.

    One process at a time fetches a file; others wait for it. Nothing half-written is ever left under its name.
    Raises WeightsUnavailable where it cannot be had, WrongChecksum where only a wrong file can.
    """
    return _obtain(spec, offline, on_progress, fix=False)


def pull(spec: ModelSpec, *, offline: bool = False, on_progress: Progress | None = None) -> Path:
    """As `locate`, but a wrong file in our own folder is fetched anew instead of being refused."""
    return _obtain(spec, offline, on_progress, fix=not offline)


def _obtain(spec: ModelSpec, offline: bool, on_progress: Progress | None, *, fix: bool) -> Path:
    def found() -> Path | None:
        try:
            return find(spec)
        except (WrongChecksum, WeightsUnavailable):  # the second: it cannot be read
            if fix:
                return None
            raise

    if path := found():
        return path
    from u2net.models import download

    if offline:
        raise WeightsUnavailable(_missing(spec, ["fetching is off (--offline)"]))
    try:
        with _locked(spec) as target:
            return found() or _fetch(spec, target, on_progress)
    except OSError as error:
        raise WeightsUnavailable(_missing(spec, [f"{cache_dir()}: {download.reason_of(error)}"])) from error


@contextlib.contextmanager
def _locked(spec: ModelSpec) -> Iterator[Path]:
    """A model's place in our cache folder, which is made where it is missing; nobody else changes it meanwhile."""
    import filelock

    target = own_path(spec)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(target.with_name(target.name + ".lock"))
    try:
        lock.acquire(timeout=1)
    except filelock.Timeout:
        log.warning("another process is fetching %s; waiting for it", spec.file)
        lock.acquire()
    try:
        yield target
    finally:
        lock.release()


def find(spec: ModelSpec) -> Path | None:
    """The model's weight file on this machine, or None.

    Looked for beside this module, in our cache folder, then where other tools keep the same file; theirs are read,
    never changed.
    Raises WrongChecksum for a wrong file in our own folder, WeightsUnavailable for one that cannot be read; those of
    other tools are passed over.
    """
    own = own_path(spec)
    for path in candidate_files(spec):
        try:
            if _stamps().get(_key(path)) != _stamp(path, spec):
                verify(path, spec)
            return path
        except WrongChecksum as error:
            if path == own:
                raise WrongChecksum(f"{error}; to replace it, run: u2net models pull {spec.name}") from error
        except OSError as error:
            if path == own:
                raise WeightsUnavailable(f"{own}: cannot be read: {error.strerror or error}") from error
    return None


def state(spec: ModelSpec) -> tuple[State, Path | None]:
    """How it stands with a model's file, and where the one is of which that is said."""
    from u2net.models import download

    own = own_path(spec)
    try:
        if path := find(spec):
            return "verified", path
    except WrongChecksum:
        return "wrong checksum", own
    except WeightsUnavailable:
        return "unreadable", own
    partial = download.partial_path(own)
    return ("unfinished", partial) if os.path.isfile(partial) else ("not fetched", None)


def candidate_files(spec: ModelSpec) -> list[Path]:
    """Every file on this machine that should be this model's: what came with u2net, our cache, other tools' files."""
    found: dict[str, Path] = {}
    inside = [PACKAGED / source.member for source in spec.sources if isinstance(source, PackageSource)]
    for path in (*inside, own_path(spec), *_places_of_others(spec)):
        if os.path.isfile(path):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _places_of_others(spec: ModelSpec) -> Iterator[Path]:
    for variable, home in (("U2NET_HOME", "~/.u2net"), ("REMBG_HOME", "~/.rembg")):
        # expanduser leaves a ~ as it is where there is no home folder.
        for folder in filter(None, (os.environ.get(variable), home)):
            yield Path(os.path.expanduser(folder), spec.file)
            yield Path(os.path.expanduser(folder), "models", spec.name, spec.file)
    if data := os.environ.get("XDG_DATA_HOME"):
        yield Path(os.path.expanduser(data), ".u2net", spec.file)


def verify(path: Path, spec: ModelSpec) -> None:
    """Compare every byte of a file with its checksum. Raises WrongChecksum, or OSError where it cannot be read.

    A right file is not hashed again by `find` while its size and time stay the same (u2net takes .35 s to hash).
    """
    stamp = _stamp(path, spec)
    try:
        _compare(path, spec)
    except WrongChecksum:
        _remember(path, None)
        raise
    _remember(path, stamp)


def _compare(path: Path, spec: ModelSpec) -> None:
    found = _checksum(path, spec)
    if found != spec.checksum:
        raise WrongChecksum(f"{path}: is not the published {spec.file}: {_sums(found, spec)}")


def _sums(found: str, spec: ModelSpec) -> str:
    return f"its checksum is {found}, it should be {spec.checksum}"


def _key(path: Path) -> str:
    return str(path.resolve())


def _stamp(path: Path, spec: ModelSpec) -> list[object]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, spec.checksum]


def _stamps() -> dict[str, object]:
    try:
        stamps = json.loads((cache_dir() / "verified.json").read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _remember(path: Path, stamp: list[object] | None) -> None:
    stamps = _stamps()
    key = _key(path)
    if stamps.pop(key, None) == stamp:
        return
    if stamp:
        stamps[key] = stamp
    with contextlib.suppress(OSError):  # a cache folder that cannot be written costs only the time to hash again
        cache_dir().mkdir(parents=True, exist_ok=True)
        with atomic_file(cache_dir() / "verified.json") as stream:
            stream.write(json.dumps(stamps, indent=1).encode())


def _checksum(path: Path, spec: ModelSpec) -> str:
    """`sha256:…` or `md5:…` of a file, by what the model's row has."""
    algorithm = spec.checksum.split(":")[0]
    return f"{algorithm}:{digest_of_files(path, algorithm=algorithm)}"


def _fetch(spec: ModelSpec, target: Path, on_progress: Progress | None) -> Path:
    """Try the sources in order. The caller holds the lock: an unfinished download here is nobody else's."""
    from u2net.models import download

    if os.path.isdir(target):
        raise WeightsUnavailable(f"{target} is a folder where the weight file belongs; remove it")
    download.remove_leftovers(target)
    partial = download.partial_path(target)
    failures: list[str] = []
    refused = 0
    for source in download.sources_of(spec):
        where = source.url if isinstance(source, UrlSource) else f"wheel {source.distribution} {source.version}"
        try:
            found = _bring(source, spec, partial, on_progress)
            if found == spec.checksum:
                return _take(partial, target, spec)
            failures.append(f"{where}: {_sums(found, spec)}; refused")
            refused += 1
            download.discard(partial)
        except download.FAILURES as error:
            failures.append(f"{where}: {download.reason_of(error)}")
    wrong = 0 < refused == len(failures)
    raise (WrongChecksum if wrong else WeightsUnavailable)(_missing(spec, failures))


def _bring(source: WheelSource | UrlSource, spec: ModelSpec, partial: Path, on_progress: Progress | None) -> str:
    """Bring the file and return its checksum. One that was continued and is wrong had another file's start: again."""
    from u2net.models import download

    continued = isinstance(source, UrlSource) and download.held_bytes(partial) > 0
    download.download(source, spec, partial, on_progress)
    found = _checksum(partial, spec)
    if found == spec.checksum or not continued:
        return found
    download.discard(partial)
    download.download(source, spec, partial, on_progress)
    return _checksum(partial, spec)


def _take(partial: Path, target: Path, spec: ModelSpec) -> Path:
    """Give a file whose checksum was found right its name."""
    from u2net.models import download

    partial.replace(target)
    download.discard(partial)
    _remember(target, _stamp(target, spec))
    return target


def _missing(spec: ModelSpec, failures: list[str]) -> str:
    reasons = "".join(f"\n  {failure}" for failure in failures)
    return (
        f"no weights for {spec.name}: {spec.file} is not on this machine and could not be fetched.{reasons}\n"
        f"Put {spec.file} ({spec.checksum}) into {cache_dir()} (U2NET_CACHE names another folder), "
        f"or try again: u2net models pull {spec.name}"
    )


def problem_of(path: Path, spec: ModelSpec) -> str:
    """What is wrong with a weight file and what to do; empty where nothing is."""
    try:
        verify(path, spec)
    except WrongChecksum as error:
        ours = path == own_path(spec)
        return f"{error}; {f'run: u2net models pull {spec.name}' if ours else 'of another tool, so it is not used'}"
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror or error}"
    return ""


def not_here(spec: ModelSpec) -> str:
    """A sentence."""
    return f"{spec.file} is not on this machine; to fetch it, run: u2net models pull {spec.name}"


def import_file(path: Path, spec: ModelSpec) -> Path:
    """Copy a weight file that the user has into our cache folder, and return its place there.

    Raises BadInput where it cannot be read, WrongChecksum where it is not the published one, WeightsUnavailable where
    the cache folder cannot take it.
    """
    from u2net.models import download

    if not os.path.isfile(path):
        raise BadInput(f"{path}: {'is not a file' if os.path.exists(path) else 'there is no such file'}")
    try:
        _compare(path, spec)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        with _locked(spec) as target:
            partial = download.partial_path(target)
            download.discard(partial)
            download.require_space(target.parent, path.stat().st_size)
            shutil.copyfile(path, partial)
            _compare(partial, spec)
            return _take(partial, target, spec)
    except OSError as error:
        folder = f"{cache_dir()} (U2NET_CACHE names another folder)"
        raise WeightsUnavailable(f"{path} cannot be copied to {folder}: {download.reason_of(error)}") from error


def remove(spec: ModelSpec) -> list[Path]:
    """Delete what is ours of a model: its file, an unfinished download, what was compiled from it. Returns the paths.

    Raises BadInput where only another tool has the file, WeightsUnavailable where it is not here or cannot be deleted.
    """
    from u2net.models import download
    from u2net.models.cache import compiled_models

    own = own_path(spec)
    partial = download.partial_path(own)
    ours = [path for path in (own, partial) if os.path.isfile(path)]
    if not ours:
        if others := candidate_files(spec):
            places = ", ".join(map(str, others))
            raise BadInput(f"{places}: of another tool or of u2net itself, only read here; delete it there")
        raise WeightsUnavailable(f"{own}: there is no such file to remove")
    try:
        with _locked(spec):
            download.remove_leftovers(own)
            doomed = [*ours, *compiled_models(spec.name, cache_dir() / "compiled")]
            for path in doomed:
                path.unlink(missing_ok=True)
            download.discard(partial)
    except OSError as error:
        raise WeightsUnavailable(f"{own}: cannot be removed: {error.strerror or error}") from error
    return doomed
