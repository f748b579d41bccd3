"""The record of a folder of results: what was made of what, and how, so that the next run does only what is missing."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, TypeAlias

from u2net.batch.inputs import Job
from u2net.errors import BadInput, UnreadablePicture
from u2net.inference.open_session import int8_table, spec_of
from u2net.inference.session import Precision
from u2net.system.digest import digest_of, digest_of_files
from u2net.system.files import is_part

log = logging.getLogger("u2net")

FILE = ".u2net.sqlite"
_VERSION = 1
_BUSY_S = 30
_TABLES = """
CREATE TABLE IF NOT EXISTS picture (
    target PRIMARY KEY, source, source_bytes INTEGER, source_mtime_ns INTEGER, source_hash TEXT, options TEXT,
    outcome TEXT, error TEXT, found INTEGER, confidence REAL, result_bytes INTEGER, finished TEXT,
    read_s REAL, work_s REAL, write_s REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS options (id TEXT PRIMARY KEY, json TEXT) WITHOUT ROWID;
"""

Status: TypeAlias = Literal[
    "up to date", "changed by hand", "new", "input changed", "options changed", "result missing", "failed before"
]
"""How it stands with a job. With the first two there is nothing to do: of the second the result is there, but somebody
has worked on it since, which is not to be lost."""
NOTHING_TO_DO: tuple[Status, ...] = ("up to date", "changed by hand")


@dataclass(frozen=True)
class Input:
    """What tells one state of a file from another. hash: BLAKE2b of 128 bits, hexadecimal, of all it holds."""

    size_bytes: int
    mtime_ns: int
    hash: str


@dataclass(frozen=True)
class Entry:
    """What became of a job. found: whether there was an object, None where that is not known. result_bytes: of the file
    that was written. times_s: of reading, working and writing, as far as they were come to. error: why it failed."""

    input: Input | None
    error: str | None = None
    found: bool | None = None
    confidence: float | None = None
    result_bytes: int | None = None
    times_s: Mapping[str, float] | None = None


def identify(path: Path, *, max_bytes: int) -> Input | None:
    """Read all of a file; None for what is longer, and for a pipe or a device, which can be read only once.

    The size and time are those from before: what is changed meanwhile is changed the next time.
    Raises UnreadablePicture.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        return Input(status.st_size, status.st_mtime_ns, hash_of(path))
    except FileNotFoundError as error:
        raise UnreadablePicture(f"{path}: there is no such file") from error
    except OSError as error:
        raise UnreadablePicture(f"{path}: cannot be read: {error.strerror or error}") from error


def hash_of(path: Path) -> str:
    """Raises OSError."""
    return digest_of_files(path, algorithm="blake2b", digest_size=16)


def model_identity(model: str | Path, precision: Precision) -> str:
    """What is another text for other weights, the published checksum or the hash of a user's own file, and for another
    table where the model may be int8 by it.

    Raises UnknownModel, WeightsUnavailable, and BadInput for a file that cannot be read; nothing is fetched.
    """
    spec, path = spec_of(model)
    table = int8_table(spec, path or Path(spec.file), precision)
    int8 = f" int8 {table.fingerprint}" if table else ""
    if path is None:
        return f"{spec.name} {spec.checksum}{int8}"
    files = [path, *([path.with_suffix(".bin")] if path.suffix.lower() == ".xml" else [])]
    try:
        return " ".join(hash_of(file) for file in files if file == path or file.is_file()) + int8
    except OSError as error:
        raise BadInput(f"{model}: cannot be read: {error.strerror or error}") from error


class Manifest:
    """The record in one folder; for one thread. Made by `open_manifest`."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, options: Mapping[str, Any], needs_object: bool
    ) -> None:
        self.folder = folder
        self._connection = connection
        self._needs_object = needs_object
        self._json = json.dumps(options, sort_keys=True, default=str)
        self._options = digest_of(self._json.encode("utf-8", "replace"), algorithm="blake2b", digest_size=8)
        self._complained = False

    def status(self, job: Job) -> Status:
        """How it stands with a job. An input is read only where its size or time is not the recorded one."""
        assert job.source is not None and job.target is not None
        query = (
            "SELECT source, source_bytes, source_mtime_ns, source_hash, options, outcome, found, result_bytes "
            "FROM picture WHERE target = ?"
        )
        try:
            row = self._connection.execute(query, (self._key(job),)).fetchone()
        except sqlite3.Error as error:
            self._complain(error)
            return "new"
        if row is None:
            return "new"
        source, size_bytes, mtime_ns, known_hash, options, outcome, found, result_bytes = row
        if outcome != "done" or (self._needs_object and not found):
            return "failed before"
        if options != self._options:
            return "options changed"
        try:
            result = job.target.stat()
        except OSError:
            return "result missing"
        if not result.st_size:
            return "result missing"
        try:
            status = job.source.stat()
            if (source, size_bytes, mtime_ns) != (_storable(job.source), status.st_size, status.st_mtime_ns):
                if size_bytes != status.st_size or hash_of(job.source) != known_hash:
                    return "input changed"
                values = (_storable(job.source), status.st_mtime_ns, self._key(job))
                self._write("UPDATE picture SET source = ?, source_mtime_ns = ? WHERE target = ?", values)
        except OSError:
            return "input changed"  # reading it will say what is wrong
        return "up to date" if result.st_size == result_bytes else "changed by hand"

    def record(self, job: Job, entry: Entry) -> None:
        """Write down what became of a job; at once, so that it is there after a kill. A record that cannot be written
        is said once and stops nothing."""
        assert job.source is not None
        input, times = entry.input, entry.times_s or {}
        values = {
            "target": self._key(job),
            "source": _storable(job.source),
            "source_bytes": input and input.size_bytes,
            "source_mtime_ns": input and input.mtime_ns,
            "source_hash": input and input.hash,
            "options": self._options,
            "outcome": "failed" if entry.error else "done",
            "error": entry.error and entry.error.encode("utf-8", "replace").decode(),
            "found": entry.found,
            "confidence": entry.confidence,
            "result_bytes": entry.result_bytes,
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **{f"{step}_s": times.get(step) for step in ("read", "work", "write")},
        }
        marks = ", ".join("?" * len(values))
        self._write(f"INSERT OR REPLACE INTO picture ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))

    def note_options(self) -> None:
        """Write down what the options are, for who looks into the file."""
        self._write("INSERT OR IGNORE INTO options VALUES (?, ?)", (self._options, self._json))

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            with self._connection:
                self._connection.execute(statement, values)
        except sqlite3.Error as error:
            self._complain(error)

    def _complain(self, error: sqlite3.Error) -> None:
        if not self._complained:
            self._complained = True
            log.warning("%s: cannot be used (%s); the next run may do pictures again", self.folder / FILE, error)

    def _key(self, job: Job) -> str | bytes:
        assert job.target is not None
        return _storable(job.target.relative_to(self.folder).as_posix())


@contextlib.contextmanager
def open_manifest(
    folder: Path, options: Mapping[str, Any], *, needs_object: bool = False, only_look: bool = False
) -> Iterator[Manifest]:
    """Open the record in a folder of results, or begin one.

    options: all that changes a result besides the input; must go into JSON. needs_object: a recorded result without an
    object is a failure. only_look: nothing in the folder is written, not even by the database.
    One that is damaged is begun anew, where none can be kept the run goes on without: both are said.
    """
    path = folder / FILE
    with contextlib.ExitStack() as stack:
        if only_look:
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="u2net-")))
            for suffix in ("", "-wal"):
                with contextlib.suppress(OSError):
                    shutil.copyfile(f"{path}{suffix}", copy / f"{FILE}{suffix}")
            path = copy / FILE
        connection = _opened(path, folder / FILE)
        stack.enter_context(contextlib.closing(connection))
        yield Manifest(folder, connection, options, needs_object)


@contextlib.contextmanager
def temporary_files_of(folder: Path) -> Iterator[str]:
    """What this run's temporary files below a folder begin with; those of killed runs are deleted.

    A lock beside the record, which ends with the process, tells the killed runs from those that are at work.
    """
    import filelock

    dead = []
    for path in folder.glob(".u2net-*.lock"):
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=0)
        except (filelock.Timeout, OSError, NotImplementedError):
            continue
        dead.append(path.name.removeprefix(".u2net-").removesuffix(".lock") + "-")
        lock.release()
        with contextlib.suppress(OSError):
            path.unlink()
    if dead:
        for where, _, names in os.walk(folder):
            for name in names:
                if any(is_part(name, owner) for owner in dead):
                    with contextlib.suppress(OSError):
                        Path(where, name).unlink()
    own = secrets.token_hex(4)
    mark = folder / f".u2net-{own}.lock"
    held = filelock.FileLock(mark)
    try:
        held.acquire(timeout=0)
    except (filelock.Timeout, OSError, NotImplementedError) as error:
        log.debug("%s: no lock: %s", mark, error)
    try:
        yield f"{own}-"
    finally:
        held.release()
        with contextlib.suppress(OSError):
            mark.unlink()


def _opened(path: Path, shown: Path) -> sqlite3.Connection:
    try:
        return _checked(path)
    except sqlite3.OperationalError as error:
        log.warning("%s: no record can be kept here (%s); a second run will do all pictures again", shown, error)
    except sqlite3.DatabaseError:
        log.warning("%s: the record of earlier runs is damaged and begun anew; all pictures are done again", shown)
        for suffix in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(OSError):
                Path(f"{path}{suffix}").unlink()
        with contextlib.suppress(sqlite3.Error):
            return _checked(path)
    return _checked(":memory:")


def _checked(path: Path | str) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError for a damaged file, and its child OperationalError where there can be none."""
    connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION) or connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("not a record of this version")
        # A kill loses nothing, a power cut at most the last pictures; nothing waits for the disk.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.executescript(_TABLES)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("SELECT target, result_bytes FROM picture LIMIT 1")  # of somebody else's file
    except BaseException:
        connection.close()
        raise
    return connection


def _storable(name: str | Path) -> str | bytes:
    """A name as a text, or as bytes where it is none (undecodable, which SQLite's texts cannot hold)."""
    text = str(name)
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text
