"""Pictures and truths made different each time they are learned from: on batched tensors of any device.

What happens to a sample is drawn from its seed alone, on the CPU: the same seed gives the same result at any place in
any batch, but for the background swap, which needs a second picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from u2net.datasets.ground_truth import Kind
from u2net.errors import BadInput
from u2net.train.degradations import blur, jpeg
from u2net.types import Size

_DRAWS = (
    "flip_horizontal", "flip_vertical", "scale", "aspect", "top", "left", "brightness", "contrast", "saturation", "hue",
    "grey", "blur", "sigma", "jpeg", "quality", "swap", "partner",
    "turn",
)  # fmt: skip
_LEAST_SIGMA_PX = 0.1
_BEST_QUALITY = 95
_LUMA = (0.299, 0.587, 0.114)
# ITU-R BT.601's YIQ: hue is the angle of its color plane.
_YIQ = ((0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))


def _in_unit(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a sample, in this order. Where nothing else is said, a number is a probability.

    flip_horizontal: left and right change places. flip_vertical: above and below.
    crop: `none`, all of the cached picture; `published`, a window of `crop_size` (None: of the asked size) at any
    place; `resized`, a window of `min_scale` to all of the area and of an aspect between 1 / `aspect` and `aspect`.
    swap_background: the object, cut out with its truth, lies on another picture.
    rotation: the window turns around its middle, by up to so many degrees either way; the picture's border is repeated.
    brightness, contrast, saturation: strengths: .2 is a factor between .8 and 1.2. hue: .05 is a 20th of a turn.
    grey: without colors. blur: with `blur_px` as the largest sigma. jpeg: compressed, at `jpeg_quality` or better.
    """

    flip_horizontal: float = 0.5
    flip_vertical: float = 0.0
    crop: Literal["none", "published", "resized"] = "resized"
    crop_size: Size | None = None
    min_scale: float = 0.5
    aspect: float = 4 / 3
    rotation: float = 0.0
    swap_background: float = 0.0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.02
    grey: float = 0.05
    blur: float = 0.1
    blur_px: float = 1.5
    jpeg: float = 0.2
    jpeg_quality: int = 40

    def __post_init__(self) -> None:
        """Raises BadInput for what cannot happen."""
        for name in ("flip_horizontal", "flip_vertical", "swap_background", "grey", "blur", "jpeg"):
            if not _in_unit(getattr(self, name)):
                raise BadInput(f"{name} is a probability, 0 to 1, not {getattr(self, name)!r}")
        if self.crop not in ("none", "published", "resized"):
            raise BadInput(f"crop is none, published or resized, not {self.crop!r}")
        if not 0 < self.min_scale <= 1 <= self.aspect:
            raise BadInput(
                f"min_scale is above 0 and at most 1, aspect at least 1, not {self.min_scale} and {self.aspect}"
            )
        if not 0 <= self.rotation <= 180:
            raise BadInput(f"rotation is 0 to 180 degrees, not {self.rotation}")
        if not 1 <= self.jpeg_quality <= _BEST_QUALITY or self.blur_px < _LEAST_SIGMA_PX:
            raise BadInput(
                f"jpeg_quality is 1 to {_BEST_QUALITY} and blur_px at least {_LEAST_SIGMA_PX}, "
                f"not {self.jpeg_quality} and {self.blur_px}"
            )


NONE = Augmentation(
    flip_horizontal=0, crop="none", brightness=0, contrast=0, saturation=0, hue=0, grey=0, blur=0, jpeg=0
)
"""Nothing but the resize to the asked size, for validation."""

PUBLISHED = Augmentation(
    flip_horizontal=0.5, flip_vertical=0.5, crop="published", crop_size=(288, 288),
    brightness=0, contrast=0, saturation=0, hue=0, grey=0, blur=0, jpeg=0,
)  # fmt: skip
"""As the authors trained: flipped copies of DUTS-TR, 320 x 320 cropped to 288 x 288, vertical flips."""

MODERN = Augmentation()
"""What is worth more than the published one; `docs/training-data.md` shows it."""


def augment(
    pictures: Tensor,
    truths: Tensor,
    *,
    seeds: Tensor,
    settings: Augmentation,
    size: Size,
    kind: Kind = "saliency",
    soft: Tensor | None = None,
    backgrounds: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Make a batch ready for the network.

    pictures: (N, 3, H, W) uint8. truths: (N, C, H, W) uint8. seeds: (N,) int64. soft: a second target of the same
    geometry, (N, C, H, W) uint8 or float in [0, 1]. size: (h, w) of the result. backgrounds: (M, 3, h', w') uint8, for
    the background swap; without them another picture of the batch is used, and its own object stays an object.
    Returns pictures (N, 3, h, w) float32 in [0, 1]; truths (N, C, h, w) float32 in [0, 1], or class ids (N, h, w)
    int64; soft (N, C, h, w) float32.

    >>> import torch
    >>> from u2net.train import MODERN, augment
    >>> pictures, truths = torch.zeros(2, 3, 80, 80, dtype=torch.uint8), torch.zeros(2, 1, 80, 80, dtype=torch.uint8)
    >>> made = augment(pictures, truths, seeds=torch.arange(2), settings=MODERN, size=(64, 64))
    >>> tuple(made[0].shape), tuple(made[1].shape)
    ((2, 3, 64, 64), (2, 1, 64, 64))
    """
    draws = _draw(seeds)
    with torch.no_grad(), torch.autocast(pictures.device.type, enabled=False):
        window = _Window.drawn(draws, settings, (pictures.shape[2], pictures.shape[3]), size)
        seen, truth, target = _cut_all(window, pictures, truths, soft, size, kind)
        if settings.swap_background and kind != "image":
            seen, truth, target = _swap(seen, truth, target, draws, settings, kind, backgrounds)
        seen = _recolor(seen, draws, settings).clamp_(0, 1)
        seen = _degrade(seen, draws, settings)
        return seen, (truth * 255).round_().long()[:, 0] if kind == "classes" else truth, target


class _Draws(dict[str, NDArray[np.float64]]):
    """Numbers in [0, 1), one a sample, by what they are for."""

    def chosen(self, name: str, probability: float) -> NDArray[np.bool_]:
        """Which samples something happens to."""
        return np.asarray(self[name] < probability)

    def factor(self, name: str, strength: float) -> NDArray[np.float64]:
        """A number around 1."""
        return 1 + strength * (2 * self[name] - 1)


def _draw(seeds: Tensor) -> _Draws:
    """By a hash of seed and purpose: whatever else is switched on, a sample keeps its numbers. Source: SplitMix64."""
    state = seeds.detach().cpu().numpy().astype(np.uint64)[:, None]
    purpose = np.arange(1, len(_DRAWS) + 1, dtype=np.uint64)
    mixed = _mix(_mix(state) + purpose * np.uint64(0x9E3779B97F4A7C15))
    uniform = (mixed >> np.uint64(11)) * 2.0**-53
    return _Draws(zip(_DRAWS, uniform.T, strict=True))


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@dataclass(frozen=True)
class _Window:
    """What part of each sample is seen, in pixels, half-open, (N,) each; an end before its start is a flip."""

    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    turn: NDArray[np.float64]
    """Around the window's middle, in radians; the result is turned counter-clockwise."""

    @staticmethod
    def drawn(draws: _Draws, settings: Augmentation, source: Size, size: Size) -> _Window:
        height, width = (np.full(len(draws["top"]), float(side)) for side in source)
        if settings.crop == "published":
            wanted = settings.crop_size or size
            height, width = np.minimum(height, wanted[0]), np.minimum(width, wanted[1])
            top = np.floor(draws["top"] * (source[0] - height + 1))
            left = np.floor(draws["left"] * (source[1] - width + 1))
        else:
            if settings.crop == "resized":
                area = settings.min_scale + (1 - settings.min_scale) * draws["scale"]
                aspect = np.exp(math.log(settings.aspect) * (2 * draws["aspect"] - 1))  # width to height
                # As much of it as there is room for: a window of all of the area has the picture's own aspect.
                aspect = np.clip(aspect, area, 1 / area)
                height, width = height * np.sqrt(area / aspect), width * np.sqrt(area * aspect)
            top, left = draws["top"] * (source[0] - height), draws["left"] * (source[1] - width)
        across = draws.chosen("flip_horizontal", settings.flip_horizontal)
        down = draws.chosen("flip_vertical", settings.flip_vertical)
        return _Window(
            np.where(down, top + height, top),
            np.where(down, top, top + height),
            np.where(across, left + width, left),
            np.where(across, left, left + width),
            math.radians(settings.rotation) * (2 * draws["turn"] - 1),
        )

    def cut(self, values: Tensor, size: Size, *, nearest: bool = False) -> Tensor:
        """(N, C, H, W) uint8 or float -> (N, C, h, w) float32, uint8 scaled to [0, 1]."""
        rows = _centres(self.top, self.bottom, size[0])
        columns = _centres(self.left, self.right, size[1])
        if (
            not self.turn.any() and _neighbours(rows) and _neighbours(columns)
        ):  # a crop or flip without resize: the very pixels
            parts = [_slice(*each) for each in zip(values, rows, columns, strict=True)]
            return _unit(torch.stack(parts))
        height, width = values.shape[2:]
        y, x = (
            torch.from_numpy((2 * at + 1) / side - 1).float().to(values.device)
            for at, side in ((rows, height), (columns, width))
        )
        grid = torch.stack(
            [x[:, None, :].expand(-1, size[0], -1), y[:, :, None].expand(-1, -1, size[1])], dim=-1
        )  # (N, h, w, 2)
        if self.turn.any():
            grid = _turned(grid, self.turn, height / width)
        mode = "nearest" if nearest else "bilinear"
        return F.grid_sample(_unit(values), grid, mode=mode, padding_mode="border", align_corners=False)


def _cut_all(
    window: _Window, pictures: Tensor, truths: Tensor, soft: Tensor | None, size: Size, kind: Kind
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Cut all three, together where they are of one kind: finding the places is half of the work."""
    given = [pictures, truths] if soft is None else [pictures, truths, soft]
    if kind == "classes" or len({values.dtype for values in given}) > 1:
        cut = [window.cut(values, size, nearest=kind == "classes" and values is truths) for values in given]
    else:
        cut = list(window.cut(torch.cat(given, dim=1), size).split([values.shape[1] for values in given], dim=1))
    return cut[0], cut[1], cut[2] if len(cut) > 2 else None


def _turned(grid: Tensor, turn: NDArray[np.float64], aspect: float) -> Tensor:
    """Turn each sample's places (N, h, w, 2), of (x, y) in [-1, 1], around their middle; aspect: height to width."""
    cosine, sine = (_tensor(values, grid)[:, None, None] for values in (np.cos(turn), np.sin(turn)))
    middle = grid.mean((1, 2), keepdim=True)
    x, y = (grid - middle).unbind(-1)
    # In pixels: a step of 1 is half a width across and half a height down.
    turned = torch.stack([cosine * x - sine * aspect * y, sine / aspect * x + cosine * y], dim=-1)
    return turned + middle


def _centres(start: NDArray[np.float64], end: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(N, count): where in the source the centres of the result's pixels lie; 0 is the centre of the first one."""
    part = (np.arange(count) + 0.5) / count
    return np.asarray(start[:, None] + (end - start)[:, None] * part - 0.5)


def _slice(sample: Tensor, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Tensor:
    """The part of (C, H, W) between whole first and last positions, flipped where these run down."""
    for axis, positions in ((1, rows), (2, columns)):
        first, last = round(positions[0]), round(positions[-1])
        sample = sample.narrow(axis, min(first, last), abs(last - first) + 1)
        sample = sample.flip(axis) if first > last else sample
    return sample


def _unit(values: Tensor) -> Tensor:
    return values.float() / 255 if values.dtype == torch.uint8 else values.float()


def _neighbours(positions: NDArray[np.float64]) -> bool:
    """Whether all lie on pixels, one on each."""
    steps = np.abs(np.diff(positions))
    return bool(np.abs(positions - np.rint(positions)).max() < 1e-6 and np.abs(steps - 1).max(initial=0) < 1e-6)


def _swap(
    seen: Tensor,
    truth: Tensor,
    soft: Tensor | None,
    draws: _Draws,
    settings: Augmentation,
    kind: Kind,
    backgrounds: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Lay objects over other pictures: as they already are, cropped and flipped in their own way."""
    count = len(seen)
    chosen = draws.chosen("swap", settings.swap_background)
    others = count - 1 if backgrounds is None else len(backgrounds)
    if not others or not chosen.any():
        return seen, truth, soft
    drawn = np.floor(draws["partner"] * others).astype(np.int64)
    here = torch.from_numpy(np.flatnonzero(chosen)).to(seen.device)
    alpha = (truth[here] > 0).float() if kind == "classes" else truth[here]

    def either(values: Tensor, partner: Tensor) -> Tensor:
        """What lies behind may be salient too, or of a class."""
        own, other = values[here], values[partner]
        both = own + (1 - own) * other if kind == "saliency" else torch.where(alpha > 0, own, other)
        return values.index_copy(0, here, both)

    if backgrounds is None:
        partner = torch.from_numpy(((np.arange(count) + 1 + drawn) % count)[chosen]).to(seen.device)
        behind = seen[partner]
        truth, soft = either(truth, partner), None if soft is None else either(soft, partner)
    else:
        picked = backgrounds[torch.from_numpy(drawn[chosen]).to(backgrounds.device)].to(seen.device)
        behind = F.interpolate(_unit(picked), seen.shape[2:], mode="bilinear", antialias=True).clamp_(0, 1)
    return seen.index_copy(0, here, alpha * seen[here] + (1 - alpha) * behind), truth, soft


def _recolor(pictures: Tensor, draws: _Draws, settings: Augmentation) -> Tensor:
    """Brightness, contrast, saturation, hue and grey, all of which are one matrix and one offset a sample."""
    grey = draws.chosen("grey", settings.grey)
    if not (settings.brightness or settings.contrast or settings.saturation or settings.hue or grey.any()):
        return pictures
    luma = np.tile(np.array(_LUMA), (3, 1))
    bright, contrast = draws.factor("brightness", settings.brightness), draws.factor("contrast", settings.contrast)
    vivid = np.where(grey, 0.0, draws.factor("saturation", settings.saturation))[:, None, None]
    angle = 2 * math.pi * settings.hue * (2 * draws["hue"] - 1)
    turn = np.zeros((len(angle), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 1, 2], turn[:, 2, 1] = -np.sin(angle), np.sin(angle)
    yiq = np.array(_YIQ)
    color = np.linalg.inv(yiq) @ turn @ yiq @ (vivid * np.eye(3) + (1 - vivid) * luma)
    matrix = _tensor(color * (bright * contrast)[:, None, None], pictures)
    # Contrast is around the picture's mean grey, which hue and saturation leave as it is.
    mean = (pictures.mean((2, 3)) * pictures.new_tensor(_LUMA)).sum(1) * _tensor(bright * (1 - contrast), pictures)
    return (matrix @ pictures.flatten(2)).unflatten(2, pictures.shape[2:]) + mean[:, None, None, None]


def _degrade(pictures: Tensor, draws: _Draws, settings: Augmentation) -> Tensor:
    """Blur and JPEG, for the samples that they are drawn for."""
    sigma = _LEAST_SIGMA_PX + (settings.blur_px - _LEAST_SIGMA_PX) * draws["sigma"]
    blurred = np.flatnonzero(draws.chosen("blur", settings.blur))
    if len(blurred):
        here = torch.from_numpy(blurred).to(pictures.device)
        change = blur(pictures[here], sigma[blurred], radius=math.ceil(3 * settings.blur_px))
        pictures = pictures.index_copy(0, here, change)
    quality = np.floor(settings.jpeg_quality + (_BEST_QUALITY + 1 - settings.jpeg_quality) * draws["quality"])
    compressed = np.flatnonzero(draws.chosen("jpeg", settings.jpeg))
    if len(compressed):
        here = torch.from_numpy(compressed).to(pictures.device)
        pictures = pictures.index_copy(0, here, jpeg(pictures[here], quality[compressed]))
    return pictures


def _tensor(values: NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(device=like.device, dtype=torch.float32)
