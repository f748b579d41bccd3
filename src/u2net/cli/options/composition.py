"""Flags about what is made of a cutout: its frame, shadow and background."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options.groups import Command, grouped
from u2net.cli.options.pictures import InputOptions
from u2net.cli.options.values import Aspect, Margin, Percent, PictureSize, complete_files

if TYPE_CHECKING:
    from u2net.compose.crop import Crop, CropName
    from u2net.compose.layout import Layout

_MARGIN, _ASPECT, _SIZE = Margin(), Aspect(), PictureSize()
_FRAME_OPTIONS = [
    click.option(
        "--crop",
        "--preset",
        "preset",
        type=click.Choice(["tight", "square", "marketplace"]),
        help="Cut to the object: tight; square, with 5% margin; marketplace: 1:1, white, 2000 pixels, the object takes "
        "85%. --margin, --fill, --aspect and --size change them.",
    ),
    click.option(
        "--margin", type=_MARGIN, metavar=_MARGIN.name, help="Room around the object, in percent of its longer side."
    ),
    click.option("--fill", type=Percent(), metavar="PERCENT", help="Or: so much of the frame's side the object takes."),
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
        type=Percent(),
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
class FrameOptions:
    """What the flags about the frame say."""

    preset: CropName | None
    margin: Any
    fill: float | None
    aspect: float | None
    size: Any

    def frame(self, *, default: CropName | None = None) -> Crop | None:
        """The frame that is wanted, or None. default: the name of the one to begin from where no flag is given.

        Raises BadInput for flags that make no frame together.
        """
        from u2net.compose.crop import adjusted_crop

        others = {"fill": self.fill, "aspect": self.aspect, "size": self.size}
        return adjusted_crop(self.preset or default, **(self.margin or {}), **others)


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

    def layout(self, frame: Crop | None, given: InputOptions) -> Layout:
        """All of it, read and checked. Raises BadInput for what excludes each other, and for no color or picture."""
        from u2net.compose.background import Gradient, parse_background
        from u2net.compose.layout import Layout
        from u2net.errors import BadInput
        from u2net.imaging.color import parse_color

        if [self.background, self.gradient, self.blur].count(None) < 2:
            raise BadInput("--background, --gradient and --blur exclude each other; give one of them")
        parse_color(self.around)
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
        return Layout(frame, self.shadow, self.shadow_strength, behind, self.fit, self.around, self.blur)


def frame_options(command: Command) -> Command:
    """Give a command the flags about the frame; it gets `framed: FrameOptions`."""
    return grouped(command, FrameOptions, "framed", _FRAME_OPTIONS, section="Frame")


def background_options(command: Command) -> Command:
    """Give a command the flags about shadow and background; it gets `scene: BackgroundOptions`."""
    return grouped(command, BackgroundOptions, "scene", _BACKGROUND_OPTIONS, section="Background and shadow")
