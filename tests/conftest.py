"""Where pictures, truths, weights and sessions come from."""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import u2net
from support.loopback import Server
from support.paths import ROOT
from u2net.inference.session import Session
from u2net.models import download

TORCH = ["train", "networks", "export", "cli/test_train.py"]
"""The tests of the torch side: all are marked `torch`, and not even collected where torch is not installed."""
collect_ignore = [] if importlib.util.find_spec("torch") else TORCH


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(ROOT / "tests").as_posix()
        if any(path == place or path.startswith(f"{place}/") for place in TORCH):
            item.add_marker("torch")


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
