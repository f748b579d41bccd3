"""The tests of the torch side: all are marked `torch`, and not even collected where torch is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("torch")


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
    from tiny import add_tiny

    from u2net.train.network import VARIANTS

    add_tiny()
    yield
    del VARIANTS["tiny"]
