"""Flags about the model and what runs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options.groups import LAST, Command, grouped
from u2net.cli.options.values import complete_models
from u2net.models.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from u2net.inference.session import Session

_SESSION_OPTIONS = [
    click.option(
        "-m",
        "--model",
        default=DEFAULT_MODEL,
        show_default=True,
        help="Name, or .onnx or .xml file.",
        shell_complete=complete_models,
    ),
    click.option(
        "--engine",
        type=click.Choice(["auto", "openvino", "onnxruntime"]),
        default="auto",
        help="What runs the network.",
    ),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "gpu", "npu", "cuda", "coreml", "directml", "rocm"]),
        default="auto",
        help="Where it runs; auto is the CPU.",
    ),
    click.option("--require-device", is_flag=True, help="Fail when the device is not there, instead of using the CPU."),
    click.option(
        "--precision",
        type=click.Choice(["auto", "f32", "bf16", "int8"]),
        default="auto",
        help="auto: the fastest that this processor has and that the model loses nothing by.",
    ),
    click.option("--threads", type=click.IntRange(min=1), help="At most so many processor threads."),
    click.option("--offline", is_flag=True, help="Never fetch a weight file."),
]


@dataclass(frozen=True)
class SessionOptions:
    """What the session flags of a command line say."""

    model: str
    engine: Any
    device: Any
    require_device: bool
    precision: Any
    threads: int | None
    offline: bool

    def exact(self) -> SessionOptions:
        """The same with f32 for `auto`, for maps that are compared with other people's numbers."""
        return replace(self, precision="f32") if self.precision == "auto" else self

    def open(self, *, quiet: bool, requests: int = 1) -> Session:
        """Open the session, with a progress bar on a terminal while its weights arrive. requests: as there."""
        from u2net.cli.progress import download_bar
        from u2net.inference.open_session import open_session

        with download_bar(quiet=quiet) as on_progress:
            return open_session(
                self.model,
                engine=self.engine,
                device=self.device,
                require_device=self.require_device,
                precision=self.precision,
                threads=self.threads,
                requests=requests,
                offline=self.offline,
                on_progress=on_progress,
            )


def session_options(command: Command) -> Command:
    """Give a command the flags about the model and what runs it; it gets `session: SessionOptions`."""
    return grouped(command, SessionOptions, "session", _SESSION_OPTIONS, section=LAST)
