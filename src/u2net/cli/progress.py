"""Progress bars: on stderr, and only where a person looks at it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from u2net.types import Progress


@contextlib.contextmanager
def download_bar(*, quiet: bool) -> Iterator[Progress | None]:
    """A bar that appears with the first byte of a weight file."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("fetching weights"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with contextlib.ExitStack() as stack:
        bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
        task: list[progress.TaskID] = []

        def show(done: int, total: int) -> None:
            if not task:
                stack.enter_context(bar)
                task.append(bar.add_task("", total=total))
            bar.update(task[0], completed=done, total=total)

        yield show


@contextlib.contextmanager
def picture_bar(count: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar over `count` pictures; call what it yields after each."""
    if quiet or count < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("pictures"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count)
        yield lambda: bar.advance(task)
