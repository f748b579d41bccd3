"""u2net rembg: the commands of the tool people come from, with its flags and its pixels."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options import complete_files, complete_models, complete_names, grouped

if TYPE_CHECKING:
    from PIL import Image

_LEVEL = click.IntRange(0, 255)
_OPTIONS = [
    click.option(
        "-m",
        "--model",
        default="u2net",
        show_default=True,
        help="A model's name, or an .onnx or .xml file.",
        shell_complete=complete_models,
    ),
    click.option("-a", "--alpha-matting", is_flag=True, help="Closed-form matting; slow, needs u2net[matting]."),
    click.option(
        "-af",
        "--alpha-matting-foreground-threshold",
        type=int,
        default=240,
        show_default=True,
        help="Sure foreground is above it.",
    ),
    click.option(
        "-ab",
        "--alpha-matting-background-threshold",
        type=int,
        default=10,
        show_default=True,
        help="Sure background is below it.",
    ),
    click.option(
        "-ae",
        "--alpha-matting-erode-size",
        type=int,
        default=10,
        show_default=True,
        help="Pixels that both are eroded by.",
    ),
    click.option("-om", "--only-mask", is_flag=True, help="The mask alone."),
    click.option("-ppm", "--post-process-mask", is_flag=True, help="A hard mask, smoothed."),
    click.option("-dc", "--decontaminate", is_flag=True, help="Colours without the old background; not with -a."),
    click.option("-vm", "--vitmatte", is_flag=True, help="Is not here; says what to use instead."),
    click.option(
        "-bgc",
        "--bgcolor",
        nargs=4,
        type=_LEVEL,
        default=(0, 0, 0, 0),
        metavar="R G B A",
        help="Lay the object over a colour.",
    ),
    click.option(
        "-x",
        "--extras",
        metavar="JSON",
        help='More arguments of remove and new_session: \'{"putalpha": true, "model_path": "mine.onnx"}\'.',
    ),
]
_SESSION_EXTRAS = {"model_path": str, "providers": list, "engine": str, "precision": str, "offline": bool}


@dataclass(frozen=True)
class RembgOptions:
    """What rembg's flags say, in rembg's words: those of `u2net.compat.rembg.remove`, but for model and extras."""

    model: str
    alpha_matting: bool
    alpha_matting_foreground_threshold: int
    alpha_matting_background_threshold: int
    alpha_matting_erode_size: int
    only_mask: bool
    post_process_mask: bool
    decontaminate: bool
    vitmatte: bool
    bgcolor: tuple[int, ...]
    extras: str | None

    def open(self) -> Callable[[bytes | Image.Image], bytes]:
        """Load the model; gives what turns a picture into the bytes of a PNG. A wrong flag is an error now."""
        from u2net.cli.progress import download_bar
        from u2net.compat.cutouts import matting_functions
        from u2net.compat.rembg import new_session, refuse_vitmatte, remove

        flags: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        model, more = flags.pop("model"), self._more()
        del flags["extras"]
        of_session = {name: more.pop(name) for name in _SESSION_EXTRAS if name in more}
        flags |= more
        if flags["vitmatte"] and not flags["only_mask"]:
            refuse_vitmatte()
        if flags["alpha_matting"]:
            matting_functions()
        with download_bar(quiet=False) as on_progress:
            session = new_session(model, on_progress=on_progress, **of_session)

        def cut(data: bytes | Image.Image) -> bytes:
            png = remove(data, session=session, force_return_bytes=True, **flags)
            assert isinstance(png, bytes)
            return png

        return cut

    def _more(self) -> dict[str, Any]:
        """What --extras holds. rembg takes no notice of what it does not know; here that is an error."""
        if self.extras is None:
            return {}
        try:
            found = json.loads(self.extras)
        except ValueError as error:
            raise click.BadParameter(f"is no JSON: {error}.", param_hint="-x") from error
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        kinds = {**kinds, "bgcolor": list, "putalpha": bool, **_SESSION_EXTRAS}
        del kinds["model"], kinds["extras"]
        if not isinstance(found, dict):
            raise click.BadParameter('is no JSON object such as {"putalpha": true}.', param_hint="-x")
        for name, value in found.items():
            if name not in kinds:
                raise click.BadParameter(f"knows no {name!r}; there are {', '.join(kinds)}.", param_hint="-x")
            if type(value) is not kinds[name]:
                raise click.BadParameter(f"wants a {kinds[name].__name__} for {name!r}.", param_hint="-x")
        return found


def rembg_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that i, p and b of rembg share; it gets `given: RembgOptions`."""
    return grouped(command, RembgOptions, "given", _OPTIONS)


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
    from u2net.batch import Job
    from u2net.cli.attempt import check_target, make_folder, named
    from u2net.encode import write_bytes
    from u2net.errors import BadInput

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

    from u2net.cli.attempt import make_folder
    from u2net.encode import write_bytes
    from u2net.errors import BadInput, PictureTooLarge
    from u2net.pixels import MAX_PIXELS

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
    from u2net.models import MODELS

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


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises UnreadablePicture, or PictureTooLarge as `u2net.read` does."""
    from u2net.errors import PictureTooLarge, UnreadablePicture
    from u2net.pixels import MAX_BYTES

    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadablePicture(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(f"{path}: is larger than {MAX_BYTES / 1e6:g} MB")
    return data
