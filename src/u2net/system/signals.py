"""Ctrl-C and SIGTERM ask for an end: between two steps, or at once."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class StopRequest:
    """number: of the signal that asked, or 0."""

    number = 0


@contextlib.contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit(143) as Ctrl-C raises KeyboardInterrupt, so that nothing half-written is left."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def end_at_once() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt and SIGTERM SystemExit(143), also within `stop_on_signals`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with exit_on_sigterm():
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Note the first Ctrl-C or SIGTERM; a second one is as it always is. Only the main thread can."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _: FrameType | None) -> None:
        request.number = number
        restore()

    try:
        for number in before:
            signal.signal(number, note)
        yield request
    finally:
        restore()
