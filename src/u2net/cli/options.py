"""Flags that mean the same in every command."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from click.shell_completion import CompletionItem

from u2net.cli.sections import LAST, OWN

if TYPE_CHECKING:
    from u2net.session import Session

Command = TypeVar("Command", bound=Callable[..., Any])


class _Limit(click.types.FloatParamType):
    """A number above 0; `inf` and `nan` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not 0 < number < math.inf:
            self.fail(f"{value} is not a number above 0.", param, ctx)
        return number


LIMIT = _Limit()


class _Keep(click.types.StringParamType):
    """`all`, `largest`, or a whole number from 1 on."""

    name = "all|largest|N"
    _words = ("all", "largest")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self._words:
            return str(value)
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"'{value}' is not all, largest or a number of parts from 1 on.", param, ctx)
        return int(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self._words if word.startswith(incomplete)]


class _Pixels(click.types.StringParamType):
    """So many whole numbers with commas between."""

    def __init__(self, *names: str) -> None:
        self.name = ",".join(names)
        self.count = len(names)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        numbers = [number.strip() for number in value.split(",")]
        if len(numbers) != self.count or not all(number.removeprefix("-").isdecimal() for number in numbers):
            self.fail(f"'{value}' is not {self.name}: {self.count} whole numbers with commas, in pixels.", param, ctx)
        return tuple(map(int, numbers))


def parse_size(value: str) -> tuple[int, int]:
    """`320` or, height first, `320x240`."""
    height, _, width = value.lower().partition("x")
    if not height.isdecimal() or not (width or height).isdecimal():
        raise click.BadParameter(f"{value} is no size; write 320 or, height first, 320x240.")
    return int(height), int(width or height)


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a file's name; click.Path would, but also refuses files in its own words."""
    return [CompletionItem(incomplete, type="file")]


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The models' names."""
    from u2net.models import MODELS

    return [CompletionItem(name) for name in MODELS if name.startswith(incomplete)]


def complete_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The models' names, or a file's where none begins like that."""
    return complete_names(ctx, param, incomplete) or complete_files(ctx, param, incomplete)


_SESSION_OPTIONS = [
    click.option(
        "-m",
        "--model",
        default="u2net",
        show_default=True,
        help="A model's name, or an .onnx or .xml file.",
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
_INPUT_OPTIONS = [
    click.argument("inputs", nargs=-1, required=True, metavar="IN...", shell_complete=complete_files),
    click.option(
        "-o",
        "--output",
        metavar="DIR|FILE",
        help="A folder, or for one picture a file; - is standard output.",
        shell_complete=complete_files,
    ),
    click.option("--fail-if-empty", is_flag=True, help="Write nothing and exit with 3 where no object is found."),
    click.option("--max-megapixels", type=LIMIT, default=160, show_default=True, help="Refuse larger pictures."),
    click.option("--max-megabytes", type=LIMIT, default=500, show_default=True, help="Refuse larger files."),
    click.option("--json", "as_json", is_flag=True, help="One line of JSON a picture on standard output."),
    click.option("--quiet", is_flag=True, help="Print nothing but errors."),
]
_POINT, _BOX = _Pixels("X", "Y"), _Pixels("LEFT", "TOP", "RIGHT", "BOTTOM")
_SUBJECT_OPTIONS = [
    click.option(
        "--hint",
        type=_POINT,
        metavar=_POINT.name,
        multiple=True,
        help="Cut out what lies at this pixel, counted from 0,0 at the top left; may be given several times.",
    ),
    click.option(
        "--hint-not", type=_POINT, metavar=_POINT.name, multiple=True, help="Leave out what lies at this pixel."
    ),
    click.option(
        "--hint-box",
        type=_BOX,
        metavar=_BOX.name,
        multiple=True,
        help="Cut out what lies in this box; RIGHT and BOTTOM are one past its last pixel.",
    ),
    click.option(
        "--hint-box-not", type=_BOX, metavar=_BOX.name, multiple=True, help="Leave out what lies in this box."
    ),
    click.option(
        "--detail",
        is_flag=True,
        help="Look at the object again, closer, for thin parts and fine edges; takes up to 15 times as long.",
    ),
    click.option(
        "--keep",
        type=_Keep(),
        default="all",
        metavar="all|largest|N",
        help="Of several separate objects, keep all, only the largest, or the N largest.  [default: all]",
    ),
    click.option(
        "--min-area",
        type=click.FloatRange(0, 100),
        default=0,
        metavar="PERCENT",
        help="Drop separate objects that take less of the picture than so many percent.",
    ),
    click.option("--fill-holes", is_flag=True, help="Make solid what the object closes in, like a ring's middle."),
]
_ENCODING_OPTIONS = [
    click.option(
        "--format",
        "file_format",
        type=click.Choice(["png", "webp", "avif", "jpeg", "tiff", "gif"]),
        help="Default: by -o, else png. Animations stay animations in png (APNG), webp and gif.",
    ),
    click.option(
        "--compress",
        type=click.Choice(["fast", "balanced", "small"]),
        default="fast",
        show_default=True,
        help="Time against file size.",
    ),
    click.option(
        "--quality", type=click.IntRange(1, 100), help="Of lossy formats. Default: WebP 90, AVIF 80, JPEG 92."
    ),
    click.option("--lossless", is_flag=True, help="Keep every pixel in WebP; PNG and TIFF always do."),
    click.option("--strip", is_flag=True, help="Leave out profile (colours become sRGB), resolution, EXIF and XMP."),
    click.option("--private", is_flag=True, help="Leave out where the picture was taken (GPS)."),
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
        from u2net.session import open_session

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


@dataclass(frozen=True)
class InputOptions:
    """What the flags about inputs and reporting say."""

    inputs: tuple[str, ...]
    output: str | None
    fail_if_empty: bool
    max_megapixels: float
    max_megabytes: float
    as_json: bool
    quiet: bool

    @property
    def limits(self) -> dict[str, int]:
        """What `read` takes."""
        return {"max_pixels": int(self.max_megapixels * 1e6), "max_bytes": int(self.max_megabytes * 1e6)}


def session_options(command: Command) -> Command:
    """Give a command the flags about the model and what runs it; it gets `session: SessionOptions`."""
    return grouped(command, SessionOptions, "session", _SESSION_OPTIONS, section=LAST)


def picture_options(command: Command) -> Command:
    """Give a command the flags of both groups; it gets `session: SessionOptions` and `given: InputOptions`."""
    return grouped(session_options(command), InputOptions, "given", _INPUT_OPTIONS, section="In and out")


@dataclass(frozen=True)
class SubjectOptions:
    """What the flags about which object is meant say."""

    hint: tuple[tuple[int, int], ...]
    hint_not: tuple[tuple[int, int], ...]
    hint_box: tuple[tuple[int, int, int, int], ...]
    hint_box_not: tuple[tuple[int, int, int, int], ...]
    detail: bool
    keep: Any
    min_area: float
    fill_holes: bool

    @property
    def wishes(self) -> dict[str, Any]:
        """What `remove` and `find_subject` take. Raises BadInput for an empty box."""
        from u2net.types import Hint

        hints = [Hint(point=point) for point in self.hint]
        hints += [Hint(point=point, positive=False) for point in self.hint_not]
        hints += [Hint(box=box) for box in self.hint_box]
        hints += [Hint(box=box, positive=False) for box in self.hint_box_not]
        chosen = {"keep": self.keep, "min_area": self.min_area, "fill_holes": self.fill_holes}
        return {"hints": hints, "detail": self.detail, **chosen}


def subject_options(command: Command) -> Command:
    """Give a command the flags about which object is meant; it gets `subject: SubjectOptions`."""
    return grouped(command, SubjectOptions, "subject", _SUBJECT_OPTIONS, section="Which object")


@dataclass(frozen=True)
class EncodingOptions:
    """What the flags about the written file say. file_format: None where only the name of the output can tell."""

    file_format: Any
    compress: Any
    quality: int | None
    lossless: bool
    strip: bool
    private: bool

    @property
    def keep(self) -> Literal["all", "private", "none"]:
        """What travels from the input to the result besides the pixels."""
        return "none" if self.strip else "private" if self.private else "all"

    @property
    def choices(self) -> dict[str, Any]:
        """What `encode` and `Cutout.to_bytes` both take."""
        return {"compress": self.compress, "quality": self.quality, "lossless": self.lossless}

    def format_for(self, output: str | None) -> Any:
        """The format to write. Raises BadInput where it has no use for another flag."""
        from u2net.encode import check_quality, format_of

        chosen = self.file_format or format_of(output or "") or "png"
        check_quality(chosen, self.quality, self.lossless)  # before the first picture is cut out, not after
        return chosen


def encoding_options(command: Command) -> Command:
    """Give a command the flags about the written file; it gets `encoding: EncodingOptions`."""
    return grouped(command, EncodingOptions, "encoding", _ENCODING_OPTIONS, section="Written file")


def grouped(command: Command, group: Any, name: str, options: list[Any], *, section: str = OWN) -> Command:
    """Add options to a command, which gets their values as one argument `name`, a `group`; `Sectioned` shows them
    under `section`."""

    def collect(**values: Any) -> Any:
        collected = group(**{field: values.pop(field) for field in group.__dataclass_fields__})
        return command(**{name: collected}, **values)

    collect.__doc__ = command.__doc__
    collect.__name__ = command.__name__
    collect.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    before = len(collect.__click_params__)  # type: ignore[attr-defined]
    for option in reversed(options):
        option(collect)
    for param in collect.__click_params__[before:]:  # type: ignore[attr-defined]
        param.section = section
    return collect  # type: ignore[return-value]
