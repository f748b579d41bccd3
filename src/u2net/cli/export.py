"""u2net export: a network in the format of another runtime."""

from __future__ import annotations

import json

import click

from u2net.cli.options.values import complete_files, complete_models, parse_size
from u2net.cli.progress import step_line
from u2net.errors import MissingExtra


@click.command(
    "export",
    epilog="Examples: u2net export run/best.safetensors --to onnx -o mine.onnx · u2net remove cat.jpg -m mine.onnx · "
    "u2net export u2netp --to openvino --size 256 --fp16",
)
@click.argument("source", metavar="CHECKPOINT|MODEL", shell_complete=complete_models)
@click.option(
    "--to",
    required=True,
    type=click.Choice(["onnx", "openvino", "torchscript", "pt2", "coreml"]),
    help="onnx and openvino are what -m of the other commands takes.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR",
    help="Default: in this folder, named as the source.",
    shell_complete=complete_files,
)
@click.option(
    "--size",
    type=parse_size,
    metavar="N|HxW",
    help="The input's size; a smaller one is faster, and coarser. Default: the network's own.",
)
@click.option(
    "--fp16", is_flag=True, help="Keep weights in half precision: half the file, and the maps stay where they are."
)
@click.option("--all-maps", is_flag=True, help="Give the side outputs too, after the fused map.")
@click.option("--json", "as_json", is_flag=True, help="All about it as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    source: str,
    to: str,
    output: str | None,
    size: tuple[int, int] | None,
    fp16: bool,
    all_maps: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a network in the format of another runtime.

    It is run there and its maps are compared with torch's: they may differ by 1e-4 (--fp16: 2e-3), or nothing is
    written and the exit code is 1. In the file travels the model card: how pictures go in, what it was trained on.

    Needs the extra `export`; without it the error says how to install it.
    """
    try:
        from u2net.export.export import export
        from u2net.system.signals import exit_on_sigterm

        with step_line(quiet=quiet) as on_step, exit_on_sigterm():
            made = export(source, to, output, size=size, fp16=fp16, all_maps=all_maps, on_step=on_step)
    except ModuleNotFoundError as error:
        if (error.name or "u2net").startswith("u2net"):
            raise
        from u2net.system.install import install_hint

        raise MissingExtra(f"export needs {error.name}; {install_hint('export')}") from error
    if as_json:
        click.echo(json.dumps(made.as_object(source, to)))
    elif not quiet:
        click.echo(f"u2net: {made.verdict}", err=True)
        click.echo(made.path)
