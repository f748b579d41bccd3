"""The command line: a file a command, loaded when it is called."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import platform
import sys
import warnings
from typing import Any

import click

from u2net.errors import U2NetError
from u2net.inference.engines import DISTRIBUTIONS, installed
from u2net.system.streams import print_every_name
from u2net.version import __version__

_COMMANDS = {
    "remove": "Cut the object out of pictures.",
    "crop": "Cut pictures to their object.",
    "replace": "Put something else behind the object.",
    "highlight": "Show the object in its picture.",
    "paste": "Lay the object of a picture onto another picture.",
    "box": "Say where the objects are: JSON, COCO or YOLO.",
    "saliency": "Write the saliency map itself.",
    "panel": "Draw picture, map, box and cutout side by side.",
    "gallery": "Make a page to compare pictures with their results.",
    "parallax": "Let a picture move in depth.",
    "augment": "Make a data set of objects on backgrounds.",
    "rembg": "The commands, flags and pixels of rembg.",
    "evaluate": "Measure maps against truths.",
    "train": "Train a network on pictures and truths.",
    "export": "Write a network in the format of another runtime.",
    "quantize": "Make the table by which a model is computed in int8.",
    "models": "Weight files: list, fetch, verify, import and remove them.",
    "data": "Training data: look for what is wrong with it.",
    "doctor": "Show what u2net can use here, and what is wrong.",
    "bench": "Measure how fast u2net is here.",
    "completion": "Print what lets a shell complete u2net's words.",
}


class _Commands(click.Group):
    """A group that knows its commands' names and one-line helps, and imports a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"u2net.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _show_versions(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """u2net, Python and each engine, a line each; read from their metadata, which loads none."""
    if not wanted or ctx.resilient_parsing:
        return
    lines = [f"u2net {__version__}", f"Python {platform.python_version()}"]
    for engine in DISTRIBUTIONS:
        packages = [f"{name} {version}" for name, version in installed(engine).items()]
        lines += packages or [f"{engine} not installed"]
    click.echo("\n".join(lines))
    ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: u2net remove cat.jpg   (writes cat.cutout.png)",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_versions, help="Show versions."
)
def cli() -> None:
    """Find the object in a picture, cut it out, put it somewhere else."""


def main() -> None:
    """Run the command line; u2net's own errors become one message on stderr and their exit code."""
    # What the readers find wrong with a picture we say in one sentence.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="PIL")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("u2net: %(message)s"))
    logging.getLogger("u2net").addHandler(handler)
    print_every_name()
    # With this package `import openvino` tells its maker, unasked, that it happened, and writes into the home folder.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        # Patterns are ours to expand: click's own way on Windows would take `a[1].jpg` for `a1.jpg`.
        result: Any = cli(standalone_mode=False, windows_expand_args=False)
    except U2NetError as error:
        click.echo(f"u2net: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        for name in sys.argv[1:]:
            if name.startswith("-") and os.path.isfile(name):
                click.echo(f"u2net: {name} is a file here; to mean it, write ./{name}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("u2net: stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        click.echo(f"u2net: standard output cannot be written: {error.strerror}", err=True)
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)
