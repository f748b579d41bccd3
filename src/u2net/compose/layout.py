"""A cutout in its frame, with its shadow, before its background: all that one command may ask for, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from u2net.compose.background import Fit, Gradient
from u2net.compose.crop import Crop, clipped, moved_inside
from u2net.compose.cutout import Cutout
from u2net.compose.lens_blur import check_strength, defocused
from u2net.compose.shadow import ShadowKind
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.blend import lay_over
from u2net.imaging.color import Color, parse_color
from u2net.types import Box, Picture


@dataclass(frozen=True)
class Layout:
    """What is done with a cutout, in this order; None: not done.

    frame: see `Crop`. shadow, strength: see `Cutout.with_shadow`. background, fit, around: see `Cutout.over`. blur:
    instead of a background, the picture itself out of focus, see `lens_blur.defocused`. centred: keep the object in the
    middle of its frame then too.
    Raises BadInput for a background and a blur, and for a blur that cannot be.

    >>> from u2net.compose import Layout
    >>> Layout(frame=u2net.Crop(margin=0.1), blur=0.02).replaces
    True
    """

    frame: Crop | None = None
    shadow: ShadowKind | None = None
    strength: float = 1.0
    background: Picture | Color | Gradient | None = None
    fit: Fit = "cover"
    around: str | Sequence[int] = "white"
    blur: float | None = None
    centred: bool = False

    def __post_init__(self) -> None:
        if self.background is not None and self.blur is not None:
            raise BadInput("a background and the blurred original exclude each other; give one of them")
        if self.blur is not None:
            check_strength(self.blur)

    @property
    def replaces(self) -> bool:
        """Whether something comes behind the object."""
        return self.background is not None or self.blur is not None or bool(self.frame and self.frame.background)


def apply_layout(cutout: Cutout, picture: Picture, wanted: Layout, *, may_be_empty: bool = False) -> Cutout:
    """Frame a cutout, lay its shadow below it, and its background behind it.

    cutout, picture: of one size; only a blur looks at the picture. wanted: what is done. may_be_empty: where there is
    no object the background is shown alone, for frames of an animation from which the object is away.
    Returns the cutout of the frame's size, or of its own without one, in its own dtype.
    Raises NothingSalient where there is no object to frame, to cast a shadow or to be in focus, BadInput for a frame
    that goes beyond what a blur can fill.

    >>> from u2net.compose import Layout, apply_layout
    >>> picture = u2net.read("examples/coffee.jpg")
    >>> cutout = u2net.remove(picture, "u2netp")
    >>> apply_layout(cutout, picture, Layout(blur=0.03)).coverage
    1.0
    """
    blurred = None
    if wanted.blur is not None:
        if cutout.box is None and not may_be_empty:
            raise NothingSalient(f"no object found (confidence {cutout.confidence:.4g}), so nothing is in focus")
        blurred = defocused(picture, cutout.pixels[..., 3], strength=wanted.blur)
    if wanted.frame is not None:
        box = frame_box(cutout, wanted.frame, wanted)
        if blurred is not None and clipped(box, cutout.size) != box:
            raise BadInput(
                f"the frame of {box[2] - box[0]} x {box[3] - box[1]} goes beyond the picture of {cutout.size[1]} x "
                f"{cutout.size[0]}, where there is nothing to blur; give less margin or more fill, or a background"
            )
        size = wanted.frame.size_of(box)
        cutout = cutout.window(box, size)
        blurred = blurred and blurred.window(box, size)
    if wanted.shadow is not None and not (may_be_empty and cutout.box is None):
        cutout = cutout.with_shadow(wanted.shadow, strength=wanted.strength)
    if blurred is not None:
        return replace(cutout, pixels=lay_over(cutout.pixels, blurred.pixels))
    behind = wanted.background
    if behind is None and wanted.frame is not None and wanted.frame.background is not None:
        behind = parse_color(wanted.frame.background)
    return cutout if behind is None else cutout.over(behind, fit=wanted.fit, around=wanted.around)


def frame_box(cutout: Cutout, frame: Crop, wanted: Layout) -> Box:
    """The frame of `apply_layout`. With its own background it stays in the picture: beyond is nothing to blur."""
    return crop_box(cutout, frame, centred=wanted.centred or wanted.blur is None)


def crop(picture: Picture, cutout: Cutout, frame: Crop, *, centred: bool = False) -> Cutout:
    """A picture with its own background, cut to a frame around its object.

    picture, cutout: of one size. frame: a Crop, such as one of `CROPS`. Returns (h, w, 4) of the picture's dtype.
    centred: the object is in the middle even where the frame then goes beyond the picture, which is transparent there;
    else the frame is moved into the picture as far as that goes, and a mere margin ends where the picture does.
    Raises NothingSalient where there is no object.

    >>> from u2net.compose import CROPS, crop
    >>> picture = u2net.read("examples/coffee.jpg")
    >>> cutout = u2net.remove(picture, "u2netp")
    >>> height, width = crop(picture, cutout, CROPS["square"]).size
    >>> height == width
    True
    """
    box = crop_box(cutout, frame, centred=centred)
    return Cutout.opaque(picture, cutout.confidence).window(box, frame.size_of(box))


def crop_box(cutout: Cutout, frame: Crop, *, centred: bool = False) -> Box:
    """The box that `crop` cuts to."""
    box = cutout.frame_box(frame)
    if centred:
        return box
    shaped = frame.aspect is not None or frame.fill is not None or isinstance(frame.size, tuple)
    return moved_inside(box, cutout.size) if shaped else clipped(box, cutout.size)
