"""Flags about the object: which one is meant, and what its edges are like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options.groups import Command, grouped
from u2net.cli.options.values import KeepParts, PixelNumbers

if TYPE_CHECKING:
    from u2net.compose.cutout import Cutout
    from u2net.inference.predict import Segmentation
    from u2net.types import Picture


def _can_be_done(ctx: click.Context, param: click.Parameter, edges: str) -> str:
    """Raise MissingExtra now, not after the work, where `hair` cannot be done."""
    from u2net.matting.closed_form import require_pymatting

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
    "products; hair (extra matting) finds single strands; none leaves the network's own.",
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


@dataclass(frozen=True)
class EdgeOptions:
    """What the flags about edges say."""

    edges: Any
    foreground: bool

    def cut(self, picture: Picture, segmentation: Segmentation) -> Cutout:
        """`cut_out` as the flags say."""
        from u2net.tasks.remove import cut_out

        return cut_out(picture, segmentation, **vars(self))


def edge_options(command: Command) -> Command:
    """Give a command the flags about edges; it gets `edge: EdgeOptions`."""
    return grouped(command, EdgeOptions, "edge", _EDGE_OPTIONS, section="Edges and colours")


_POINT, _BOX = PixelNumbers("X", "Y"), PixelNumbers("LEFT", "TOP", "RIGHT", "BOTTOM")
_SUBJECT_OPTIONS = [
    click.option(
        "--hint",
        type=_POINT,
        metavar=_POINT.name,
        multiple=True,
        help="Cut out what lies at this pixel, counted from 0,0 at the top left; repeatable.",
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
        type=KeepParts(),
        default="all",
        metavar="all|largest|N",
        help="Of several separate objects, keep all, the largest, or the N largest.  [default: all]",
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
    def arguments(self) -> dict[str, Any]:
        """What `remove` and `segment` take. Raises BadInput for an empty box."""
        from u2net.segmentation.hints import Hint

        hints = [Hint(point=point) for point in self.hint]
        hints += [Hint(point=point, positive=False) for point in self.hint_not]
        hints += [Hint(box=box) for box in self.hint_box]
        hints += [Hint(box=box, positive=False) for box in self.hint_box_not]
        chosen = {"keep": self.keep, "min_area": self.min_area, "fill_holes": self.fill_holes}
        return {"hints": hints, "detail": self.detail, **chosen}


def subject_options(command: Command) -> Command:
    """Give a command the flags about which object is meant; it gets `subject: SubjectOptions`."""
    return grouped(command, SubjectOptions, "subject", _SUBJECT_OPTIONS, section="Which object")
