"""Where pictures, truths, weights and sessions come from."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from itertools import chain, groupby
from pathlib import Path

import pytest

import u2net
from support.loopback import Server
from support.paths import EXAMPLES, ROOT
from support.proofs import inputs_of, is_proven, record, room_of
from u2net.inference.session import Session
from u2net.models import download

TORCH = ["train", "networks", "export", "cli/test_train.py"]
"""The tests of the torch side: all are marked `torch`, and not even collected where torch is not installed."""
collect_ignore = [] if importlib.util.find_spec("torch") else TORCH
LONG = [
    "evaluation/test_evaluate.py",
    "io/test_hostile.py",
    "test_readme.py",
    "cli",
    "train",
    "export",
    "test_wheel.py",
]
"""First, so that no process is left with a long one at the end."""
slow_proofs: dict[str, list[pytest.Item]] = {}
"""Room -> its slow proofs that this run was asked for."""
passed: set[str] = set()
"""The names of tests that have passed."""
SKIPPED = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    help_text = "slow proofs: none, those of rooms that changed since they passed, or all (then they are noted)"
    parser.addoption("--slow", choices=["none", "changed", "all"], default="none", help=help_text)


def pytest_configure(config: pytest.Config) -> None:
    """Several processes share the processor, so that none waits for threads of another."""
    worker = getattr(config, "workerinput", None)
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        own = cores[int(worker["workerid"].removeprefix("gw")) % len(cores) :: worker["workercount"]]
        os.sched_setaffinity(0, own)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if any(_lies_in(item, place) for place in TORCH):
            item.add_marker("torch")
    items.sort(key=lambda item: next((at for at, place in enumerate(LONG) if _lies_in(item, place)), len(LONG)))
    _choose_slow_proofs(config, items)


def _lies_in(item: pytest.Item, place: str) -> bool:
    path = item.path.relative_to(ROOT / "tests").as_posix()
    return path == place or path.startswith(f"{place}/")


def _choose_slow_proofs(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("slow")
    left_out: set[pytest.Item] = set()
    by_room = sorted((item for item in items if item.get_closest_marker("slow")), key=lambda item: room_of(item.path))
    for room, group in groupby(by_room, key=lambda item: room_of(item.path)):
        proofs = list(group)
        if wanted == "none" or (wanted == "changed" and is_proven(room, inputs_of(proofs))):
            left_out |= set(proofs)
        else:
            slow_proofs[room] = proofs
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))
        rooms = ", ".join(sorted({room_of(item.path) for item in left_out}))
        because = (
            "nothing they depend on has changed since they passed" if wanted == "changed" else "--slow all runs them"
        )
        config.stash[SKIPPED] = f"slow proofs of {rooms} left out: {because}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        passed.add(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Seconds of each room, and what was left out as proven."""
    seconds: dict[str, float] = {}
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            room = room_of(ROOT / report.nodeid.partition("::")[0])
            seconds[room] = seconds.get(room, 0) + report.duration
    rows = sorted(seconds.items(), key=lambda row: -row[1])
    terminalreporter.write_line("seconds of each room: " + ", ".join(f"{room} {spent:.0f}" for room, spent in rows))
    if skipped := config.stash.get(SKIPPED, None):
        terminalreporter.write_line(skipped)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A room's slow proofs are noted where all of the suite's were asked for, and all of the room's have passed."""
    config = session.config
    whole = config.getoption("slow") == "all" and config.args_source == pytest.Config.ArgsSource.TESTPATHS
    if whole and exitstatus == 0 and not hasattr(config, "workerinput"):
        record(
            {room: inputs_of(proofs) for room, proofs in slow_proofs.items() if {p.nodeid for p in proofs} <= passed}
        )


@pytest.fixture(autouse=True)
def no_handler_stays() -> Iterator[None]:
    """`main`, run within a test, gives u2net's logger a handler that writes to that test's standard error."""
    log = logging.getLogger("u2net")
    before = list(log.handlers)
    yield
    log.handlers[:] = before


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of published results and truths; not part of the repository."""
    folder = os.environ.get("U2NET_TEST_DATA")
    if not folder:
        pytest.skip("needs the reference data: set U2NET_TEST_DATA to its folder")
    return Path(folder)


@pytest.fixture(scope="session")
def session_of() -> Callable[[str], Session]:
    """Sessions in f32 with the published weights, fetched once into the user's own cache and opened once."""
    opened: dict[str, Session] = {}

    def open_once(name: str) -> Session:
        if name not in opened:
            opened[name] = u2net.open_session(name, precision="f32")
        return opened[name]

    return open_once


@pytest.fixture(scope="session")
def small(session_of: Callable[[str], Session]) -> Session:
    """u2netp, the quick one."""
    return session_of("u2netp")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Session) -> Path:
    """The current folder, with coffee.jpg and gravel.jpg, which holds no object, in it; u2netp is already fetched."""
    for name in ("coffee.jpg", "gravel.jpg"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder and an empty home, for a test of how weights get there; no proxy, no mirror."""
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "cache"))
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("U2NET_HOME", "REMBG_HOME", "XDG_DATA_HOME", "U2NET_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """One file on loopback; a broken download is tried again at once."""
    monkeypatch.setattr(download, "RETRY_WAIT_S", 0.0)
    with Server() as serving:
        threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
        yield serving
        serving.ending.set()
        serving.shutdown()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Networks this small are quicker so, and a test says nothing of a machine that is busy with others."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny(one_thread: None) -> Iterator[None]:
    """A variant `tiny` of the network."""
    from support.tiny import add_tiny
    from u2net.networks.u2net import VARIANTS

    add_tiny()
    yield
    del VARIANTS["tiny"]
