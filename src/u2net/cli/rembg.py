"""u2net rembg: the commands of the tool people come from, with its flags and its pixels."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from u2net.cli.options.values import complete_files, complete_names
from u2net.cli.rembg_options import RembgOptions, read_file, rembg_options


@click.group("rembg", epilog="Example: u2net rembg i -m u2netp cat.jpg cat.png")
def command() -> None:
    """The commands of rembg 2.0.86, with its flags and its pixels, for scripts that call it.

    `u2net remove` gives better edges and keeps colours, profile and depth; docs/coming-from-rembg.md says what is
    what. The default model is u2net: bria-rmbg, the default of rembg, has weights that need a paid licence.
    """


@command.command("i", epilog="Examples: u2net rembg i cat.jpg cat.png · u2net rembg i -om < cat.jpg > mask.png")
@rembg_options
@click.argument("source", metavar="[INPUT]", default="-", shell_complete=complete_files)
@click.argument("target", metavar="[OUTPUT]", required=False, shell_complete=complete_files)
def one(given: RembgOptions, source: str, target: str | None) -> None:
    """Cut out one picture.

    Without INPUT, or where it is -, from standard input. Without OUTPUT to standard output, or, where that is a
    terminal, beside INPUT as <stem>.out.png. The result is a PNG.
    """
    from u2net.batch.inputs import Job
    from u2net.batch.process import named
    from u2net.errors import BadInput
    from u2net.system.files import check_target, make_folder, write_bytes

    job = Job(None if source == "-" else Path(source), Path(target) if target not in (None, "-") else None)
    chosen = target is None and sys.stdout.isatty() and job.source is not None
    if chosen:
        assert job.source is not None
        job = Job(job.source, job.source.with_name(job.source.stem + ".out.png"))
    if job.source is None and sys.stdin.isatty():
        raise click.UsageError("standard input is a terminal; name a picture or redirect one.")
    if job.target is None and sys.stdout.isatty():
        raise BadInput("standard output is a terminal; give an OUTPUT or redirect it")
    if job.target is not None:
        if job.source is not None and os.path.realpath(job.source) == os.path.realpath(job.target):
            raise BadInput(f"{job.target}: the result would replace the input; give another OUTPUT")
        check_target(job.target, beside=chosen)
        if job.target.suffix.lower() != ".png":
            click.echo(f"u2net: {job.target}: is written as a PNG, whatever its name says", err=True)
    try:
        data = sys.stdin.buffer.read() if job.source is None else read_file(job.source)
        png = given.open()(data)
    except BadInput as error:
        raise type(error)(named(job, error)) from error
    if job.target is None:
        sys.stdout.buffer.write(png)
        sys.stdout.buffer.flush()
        return
    make_folder(job.target.parent)
    write_bytes(job.target, png)
    if chosen:
        click.echo(str(job.target))


@command.command("p", epilog="Examples: u2net rembg p photos cutouts · u2net rembg p -w -d inbox cutouts")
@rembg_options
@click.option("-w", "--watch", is_flag=True, help="Go on with what arrives, until Ctrl-C or a file stop.txt in INPUT.")
@click.option(
    "-d",
    "--delete_input",
    "--delete-input",
    is_flag=True,
    help="Delete an input once its result is written, and only then.",
)
@click.option("--accept-usage-cost", is_flag=True, help="For rembg's sake; no model here costs anything.")
@click.argument("folder", metavar="INPUT", shell_complete=complete_files)
@click.argument("output", metavar="OUTPUT", shell_complete=complete_files)
def folder(
    given: RembgOptions, watch: bool, delete_input: bool, accept_usage_cost: bool, folder: str, output: str
) -> int:
    """Cut out the pictures of a folder, recursively, into another with the same structure.

    A result that is already there is kept and its picture skipped. Two pictures with one result are refused before the
    first is written. A watched picture is taken when it has stopped growing. Exits with 1 where pictures failed.
    """
    from u2net.cli.rembg_folder import cut_folder

    return cut_folder(given, Path(folder), Path(output), watch=watch, delete_input=delete_input)


@command.command(
    "b", epilog="Example: ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - | u2net rembg b 640 360 -o %04d.png"
)
@rembg_options
@click.option("-o", "--output_specifier", metavar="NAME", help="A file for each, numbered from 0: out-%d.png.")
@click.argument("width", type=click.IntRange(min=1), metavar="WIDTH")
@click.argument("height", type=click.IntRange(min=1), metavar="HEIGHT")
def stream(given: RembgOptions, output_specifier: str | None, width: int, height: int) -> None:
    """Cut out raw pictures of WIDTH x HEIGHT from standard input, three bytes a pixel, RGB.

    Their PNGs follow one another on standard output, unless -o names files. A last picture that is cut short is an
    error, after all others are done.
    """
    from PIL import Image

    from u2net.errors import BadInput, PictureTooLarge
    from u2net.io.read import MAX_PIXELS
    from u2net.system.files import make_folder, write_bytes

    if width * height > MAX_PIXELS:
        raise PictureTooLarge(f"{width} x {height} is over the limit of {MAX_PIXELS / 1e6:g} megapixels")
    if sys.stdin.isatty():
        raise click.UsageError("standard input is a terminal; the pictures come from a pipe.")
    if output_specifier is None and sys.stdout.isatty():
        raise BadInput("standard output is a terminal; give -o out-%d.png or redirect it")
    name_of = None if output_specifier is None else numbered(output_specifier)
    cut = given.open()
    size_bytes, number = width * height * 3, 0
    while raw := sys.stdin.buffer.read(size_bytes):
        if len(raw) < size_bytes:
            raise BadInput(f"picture {number}: {len(raw)} of {size_bytes} bytes; is {width} x {height} the right size?")
        png = cut(Image.frombytes("RGB", (width, height), raw))
        if name_of is None:
            sys.stdout.buffer.write(png)
            sys.stdout.buffer.flush()
        else:
            make_folder(name_of(number).parent)
            write_bytes(name_of(number), png)
        number += 1


@command.command("d", epilog="Example: u2net rembg d u2netp")
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=complete_names)
@click.pass_context
def download(ctx: click.Context, models: tuple[str, ...]) -> int:
    """Fetch weight files, all there are without a MODEL, and print where they lie; as `u2net models pull`."""
    from u2net.cli.models import pull
    from u2net.models.registry import MODELS

    names = models or tuple(name for name, spec in MODELS.items() if spec.kind == "saliency")
    code: int = ctx.invoke(pull, names=names, offline=False, quiet=False)
    return code


@command.command(
    "s",
    epilog="Example: u2net rembg i cat.jpg cat.png",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def server() -> None:
    """Say that the HTTP server is not here yet."""
    raise click.UsageError("the HTTP server is not here yet; it comes in a later version.")


def numbered(specifier: str) -> Callable[[int], Path]:
    """`out-%d.png` as what gives a number's file. Raises click.BadParameter where it is no such thing."""
    try:
        names = [specifier % number for number in (0, 1)]
    except (TypeError, ValueError) as error:
        raise click.BadParameter(f"{specifier}: write where the number goes: out-%d.png.", param_hint="-o") from error
    if names[0] == names[1]:
        raise click.BadParameter(f"{specifier}: would write every picture to one file.", param_hint="-o")
    return lambda number: Path(specifier % number)
