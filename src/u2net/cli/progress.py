"""Progress bars: on stderr, and only where a person looks at it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import click

from u2net.models.spec import Progress

_LINE_EVERY_S = 30


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
def step_line(*, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """One line that says what is being done, and is gone when the next is, or all."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("", spinner="line") as status:
        yield lambda step: status.update(f"{step} ...")


@contextlib.contextmanager
def picture_bar(count: int, *, quiet: bool) -> Iterator[tuple[Callable[[], None], Callable[[str], None]]]:
    """A bar over `count` pictures. Yields what to call after each, and what prints on stderr above the bar."""
    if quiet or count < 2 or not sys.stderr.isatty():
        yield (lambda: None), (lambda message: click.echo(message, err=True))
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("pictures"),
        progress.TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    # Not redirected: rich would send standard output to stderr, away from a pipe.
    with progress.Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        task = bar.add_task("", total=count)

        def tell(message: str) -> None:
            console.print(message, markup=False, highlight=False, soft_wrap=True)

        yield (lambda: bar.advance(task)), tell


@contextlib.contextmanager
def training_bar(steps: int, *, quiet: bool) -> Iterator[Callable[[int, float, float, float, dict[str, float]], None]]:
    """What shows how training goes: yields what to call with step, loss, pictures a second, seconds left and measures.

    On a terminal a bar, and a line for each validation; elsewhere a line for each, and one every half a minute.
    """
    if quiet:
        yield lambda *_: None
        return
    from rich import progress
    from rich.console import Console

    columns = (progress.BarColumn(), progress.MofNCompleteColumn(), progress.TextColumn("{task.description}"))
    bar = progress.Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, disable=not sys.stderr.isatty()
    )
    task = bar.add_task("", total=steps)
    said = time.monotonic()

    def show(step: int, loss: float, speed: float, left_s: float, measures: dict[str, float]) -> None:
        nonlocal said
        state = f"loss {loss:.4f}  {speed:.1f} pictures/s  {_duration(left_s)} left"
        bar.update(task, completed=step, description=state)
        if measures:
            state += "  " + "  ".join(f"{name} {value:.4f}" for name, value in measures.items())
        if measures or (bar.disable and time.monotonic() - said > _LINE_EVERY_S):
            said = time.monotonic()
            bar.console.print(f"step {step} of {steps}  {state}", markup=False, highlight=False, soft_wrap=True)

    with bar:
        yield show


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"
