"""Flags about a cutout's edges, and about its frame, shadow and background; the same in every command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options import Command, InputOptions, complete_files, grouped

if TYPE_CHECKING:
    from u2net.arrange import Arrangement
    from u2net.composite import Cutout
    from u2net.framing import Framing
    from u2net.predict import Prediction
    from u2net.types import Box, Picture


class _Percent(click.types.StringParamType):
    """A number of percent, with the sign or without; given to the command as a share."""

    name = "PERCENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            share = float(value.removesuffix("%")) / 100
        except ValueError:
            share = float("nan")
        if not 0 <= share < float("inf"):
            self.fail(f"'{value}' is not a number of percent.", param, ctx)
        return share


class _Margin(click.types.StringParamType):
    """`10%` or `40`; given to the command as what a `Framing` takes."""

    name = "PERCENT%|PIXELS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)%|(\d+)(?:px)?", value)
        if not found:
            self.fail(f"'{value}' is neither percent of the object nor pixels; write 10% or 40.", param, ctx)
        return {"margin": float(found[1]) / 100} if found[1] else {"margin_px": int(found[2])}


class _Aspect(click.types.StringParamType):
    """`4:5`; given to the command as width by height."""

    name = "WIDTH:HEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", value)
        if not found or not float(found[1]) or not float(found[2]):
            self.fail(f"'{value}' is no aspect; write 1:1, 4:5 or 16:9, the width first.", param, ctx)
        return float(found[1]) / float(found[2])


class PictureSize(click.types.StringParamType):
    """`2000`, or `1200x800`, width first as for pictures everywhere; given to the command as 2000 or (800, 1200)."""

    name = "LONGER|WIDTHxHEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d{1,12})(?:x(\d{1,12}))?", value.lower())
        if not found:
            self.fail(f"'{value}' is no size; write 2000, or 1200x800, the width first.", param, ctx)
        return int(found[1]) if found[2] is None else (int(found[2]), int(found[1]))


_MARGIN, _ASPECT, _SIZE = _Margin(), _Aspect(), PictureSize()


def _can_be_done(ctx: click.Context, param: click.Parameter, edges: str) -> str:
    """Raise MissingExtra now, not after the work, where `hair` cannot be done."""
    from u2net.closed_form import require_pymatting

    if edges == "hair" and not ctx.resilient_parsing:
        require_pymatting()
    return edges


edges_option = click.option(
    "--edges",
    type=click.Choice(["auto", "soft", "sharp", "hair", "none"]),
    default="auto",
    show_default=True,
    callback=_can_be_done,
    help="auto follows the picture's edges; soft looks farther, for fur and smoke; sharp hardens them, for "
    "products; hair finds single strands (needs the extra matting); none leaves the network's own.",
)
_EDGE_OPTIONS = [
    edges_option,
    click.option(
        "--foreground/--no-foreground",
        default=True,
        show_default=True,
        help="Take the old background's colour out of half-transparent pixels.",
    ),
]
_FRAME_OPTIONS = [
    click.option(
        "--crop",
        "--preset",
        "preset",
        type=click.Choice(["tight", "square", "marketplace"]),
        help="Cut to the object: tight; square, with 5% margin; marketplace: 1:1, white, 2000 pixels, the object takes "
        "85%. The options below change each of these, or begin from tight.",
    ),
    click.option(
        "--margin", type=_MARGIN, metavar=_MARGIN.name, help="Room around the object, in percent of its longer side."
    ),
    click.option(
        "--fill", type=_Percent(), metavar="PERCENT", help="Or: so much of the frame's side the object takes."
    ),
    click.option("--aspect", type=_ASPECT, metavar=_ASPECT.name, help="Of the frame, like 4:5."),
    click.option("--size", type=_SIZE, metavar=_SIZE.name, help="Of the result, in pixels."),
]
_BACKGROUND_OPTIONS = [
    click.option(
        "--background",
        metavar="COLOUR|FILE",
        help="Lay the object over a colour or a picture.",
        shell_complete=complete_files,
    ),
    click.option("--gradient", metavar="COLOUR,COLOUR...", help="Or over colours that run into each other."),
    click.option(
        "--angle",
        type=float,
        default=90,
        show_default=True,
        metavar="DEGREES",
        help="Of the gradient: 0 from left to right, 90 from top to bottom.",
    ),
    click.option("--radial", is_flag=True, help="The gradient goes from the middle outwards."),
    click.option(
        "--blur",
        type=_Percent(),
        metavar="PERCENT",
        help="Or over the picture itself out of focus; the blur's radius, 2 is usual, in percent of the longer side.",
    ),
    click.option(
        "--fit",
        type=click.Choice(["cover", "contain"]),
        default="cover",
        show_default=True,
        help="A background picture covers all, or all of it is seen.",
    ),
    click.option(
        "--around", metavar="COLOUR", default="white", show_default=True, help="What is beside a contained background."
    ),
    click.option(
        "--shadow",
        type=click.Choice(["drop", "contact"]),
        help="drop: on a wall behind the object; contact: on the ground it stands on.",
    ),
    click.option(
        "--shadow-strength",
        type=click.FloatRange(0, 1.5),
        default=1,
        metavar="0..1.5",
        help="How dark the shadow is.  [default: 1]",
    ),
]


@dataclass(frozen=True)
class EdgeOptions:
    """What the flags about edges say."""

    edges: Any
    foreground: bool

    def cut(self, picture: Picture, prediction: Prediction) -> Cutout:
        """`cut_out` as the flags say."""
        from u2net.cut import cut_out

        return cut_out(picture, prediction, edges=self.edges, foreground=self.foreground)


@dataclass(frozen=True)
class FrameOptions:
    """What the flags about the frame say."""

    preset: str | None
    margin: Any
    fill: float | None
    aspect: float | None
    size: Any

    def frame(self, *, default: str | None = None) -> Framing | None:
        """The frame that is wanted, or None. default: the name of the one to begin from where no flag is given.

        Raises BadInput for flags that make no frame together.
        """
        from dataclasses import replace

        from u2net.errors import BadInput
        from u2net.framing import FRAMINGS

        changes = {**(self.margin or {})}
        changes |= {name: value for name in ("fill", "aspect", "size") if (value := getattr(self, name)) is not None}
        name = self.preset or default or ("tight" if changes else None)
        if name is None:
            return None
        if self.margin and self.fill is not None:
            raise BadInput("--margin and --fill both say how much room there is; give one of them")
        if self.margin:
            changes |= {"fill": None, **{"margin": 0.0, "margin_px": 0}, **self.margin}
        elif self.fill is not None:
            changes |= {"margin": 0.0, "margin_px": 0}
        if isinstance(self.size, tuple) and self.aspect is None:
            changes["aspect"] = None  # a width and a height are an aspect
        if self.aspect is not None and self.size is None and isinstance(FRAMINGS[name].size, tuple):
            changes["size"] = max(FRAMINGS[name].size)  # type: ignore[arg-type]  # a tuple, as asked just now
        return replace(FRAMINGS[name], **changes)


@dataclass(frozen=True)
class BackgroundOptions:
    """What the flags about shadow and background say."""

    background: str | None
    gradient: str | None
    angle: float
    radial: bool
    blur: float | None
    fit: Any
    around: str
    shadow: Any
    shadow_strength: float

    @property
    def given(self) -> bool:
        """Whether something is to come behind the object."""
        return any(one is not None for one in (self.background, self.gradient, self.blur))

    def fingerprint(self) -> dict[str, Any]:
        """All of it, with what a background's file holds instead of when it was written."""
        import os
        from dataclasses import asdict
        from pathlib import Path

        from u2net.manifest import hash_of

        said = asdict(self)
        if self.background is not None and os.path.isfile(self.background):
            said["background"] = hash_of(Path(self.background))
        return said

    def arrangement(self, frame: Framing | None, given: InputOptions) -> Arrangement:
        """All of it, read and checked. Raises BadInput for what excludes each other, and for no colour or picture."""
        from u2net.arrange import Arrangement
        from u2net.background import Gradient, parse_background
        from u2net.colour import parse_colour
        from u2net.errors import BadInput

        if [self.background, self.gradient, self.blur].count(None) < 2:
            raise BadInput("--background, --gradient and --blur exclude each other; give one of them")
        parse_colour(self.around)
        for flag, useless in {
            "--angle and --radial belong to --gradient": self.gradient is None and (self.radial or self.angle != 90),
            "--fit and --around belong to --background": self.background is None
            and (self.fit != "cover" or self.around != "white"),
            "--shadow-strength belongs to --shadow": self.shadow is None and self.shadow_strength != 1,
        }.items():
            if useless:
                raise BadInput(f"{flag}; leave them out, or give that too")
        behind: Any = None
        if self.background is not None:
            behind = parse_background(self.background, **given.limits)
        elif self.gradient is not None:
            behind = Gradient(tuple(re.split(r",(?![^(]*\))", self.gradient)), self.angle, self.radial)
        return Arrangement(frame, self.shadow, self.shadow_strength, behind, self.fit, self.around, self.blur)


def framed_report(box: Box, frame: Framing) -> dict[str, Any]:
    """What is reported of a frame: its box in the picture, and how many times it is enlarged, where it is."""
    rows, columns = frame.size_of(box)
    enlarged = max(rows / (box[3] - box[1]), columns / (box[2] - box[0]))
    return {"crop": box} | ({"enlarged": round(enlarged, 1)} if enlarged > 1 else {})


def edge_options(command: Command) -> Command:
    """Give a command the flags about edges; it gets `edge: EdgeOptions`."""
    return grouped(command, EdgeOptions, "edge", _EDGE_OPTIONS, section="Edges and colours")


def frame_options(command: Command) -> Command:
    """Give a command the flags about the frame; it gets `framed: FrameOptions`."""
    return grouped(command, FrameOptions, "framed", _FRAME_OPTIONS, section="Frame")


def background_options(command: Command) -> Command:
    """Give a command the flags about shadow and background; it gets `scene: BackgroundOptions`."""
    return grouped(command, BackgroundOptions, "scene", _BACKGROUND_OPTIONS, section="Background and shadow")
