"""A Pillow image and its mask become a cutout, with rembg's pixels."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from u2net.errors import MissingExtra
from u2net.matting.closed_form import announce_compilation
from u2net.matting.foreground import estimate_foreground
from u2net.system.install import install_hint

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("u2net")

_BAND_PIXELS = 1 << 17
_WITH_ALPHA = ("RGBA", "CMYK", "LA", "PA", "La", "RGBa")


def plain(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture blended into transparent black: where the mask is 127, colors and alpha are halved.

    An image that has an alpha keeps it, times the mask. Returns RGBA.
    """
    cutout = Image.new("RGBA", image.size)
    cutout.paste(image, mask=mask)
    return cutout


def with_alpha(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture as it is, the mask its alpha: straight colors. Grey stays grey (LA), a palette a palette (PA)."""
    if image.mode in ("I", "F", "YCbCr", "HSV", "LAB") or image.mode.startswith("I;"):
        image = image.convert("RGB")  # Pillow has no alpha for these
    else:
        image = image.copy()
    image.putalpha(mask)
    return image


def decontaminated(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture's colors without the old background, by u2net's own estimation, the mask its alpha. RGBA."""
    grey = np.asarray(mask)
    colors = estimate_foreground(np.array(image.convert("RGB")), np.asarray(grey, np.float32) / np.float32(255))
    return Image.fromarray(np.dstack((colors, grey)))


def matted(
    image: Image.Image,
    mask: Image.Image,
    *,
    foreground_threshold: int,
    background_threshold: int,
    erode_size: int,
    putalpha: bool,
) -> Image.Image:
    """Alpha by closed-form matting between the sure parts of the mask, colors by multi-level estimation. RGBA.

    Where matting gives up (no sure foreground or background left, an ill-conditioned system) the mask is the alpha:
    over estimated colors or, with `putalpha`, the picture's own. So it is for every image with one channel.
    Raises MissingExtra without pymatting.
    Source: the defaults and the fallback are those of rembg 2.0.86, rembg/bg.py.
    """
    estimate_alpha, estimate_colors = matting_functions()
    colors = np.asarray(image.convert("RGB") if image.mode in _WITH_ALPHA else image)
    if colors.ndim == 3:
        trimap = to_trimap(np.asarray(mask), foreground_threshold, background_threshold, erode_size)
        try:
            normal = colors / 255.0
            alpha = estimate_alpha(normal, trimap / 255.0)
            return _truncated(estimate_colors(normal, alpha), alpha)
        except ValueError:  # pymatting's; what follows is what rembg does then
            pass
    if putalpha:
        return with_alpha(image, mask)
    alpha = np.asarray(mask) / 255.0
    return _truncated(estimate_colors(np.asarray(image.convert("RGB")) / 255.0, alpha), alpha)


def matting_functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """pymatting's closed-form alpha and multi-level colors. Raises MissingExtra where it is not installed."""
    announce_compilation()
    try:
        from pymatting.alpha.estimate_alpha_cf import estimate_alpha_cf
        from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml
    except ImportError as error:
        raise MissingExtra(f"alpha matting needs pymatting; {install_hint('matting')}") from error
    # It prints a warning on standard output, where a picture may go: `rembg i -a > cutout.png` is no PNG then.
    vars(importlib.import_module("pymatting.preconditioner.ichol"))["print"] = _log
    return estimate_alpha_cf, estimate_foreground_ml


def _log(*words: object) -> None:
    log.debug("%s", " ".join(map(str, words)))


def to_trimap(
    mask: NDArray[np.uint8], foreground_threshold: int, background_threshold: int, erode_size: int
) -> NDArray[np.uint8]:
    """(H, W) uint8: 255 sure foreground, 0 sure background, 128 unknown.

    Both sure parts are eroded by a square of `erode_size` pixels, by a cross of 3 where it is 0 or less. Beyond the
    border all is background.
    """
    if erode_size > 0:
        shape = cv2.getStructuringElement(cv2.MORPH_RECT, (erode_size, erode_size))
    else:
        shape = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

    def eroded(sure: NDArray[np.bool_], beyond: int) -> NDArray[np.bool_]:
        found = cv2.erode(sure.view(np.uint8), shape, borderType=cv2.BORDER_CONSTANT, borderValue=beyond)
        return np.asarray(found, bool)

    trimap = np.full(mask.shape, 128, np.uint8)
    trimap[eroded(mask > foreground_threshold, 0)] = 255
    trimap[eroded(mask < background_threshold, 1)] = 0
    return trimap


def post_processed(mask: Image.Image) -> Image.Image:
    """A hard mask, 0 or 255: opened with a cross of 3, blurred with sigma 2, cut at 127."""
    opened = cv2.morphologyEx(np.asarray(mask), cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    height, width = opened.shape
    cut = np.empty_like(opened)
    step = max(1, _BAND_PIXELS // width)
    padded = np.pad(opened, _BLUR_RADIUS, mode="symmetric")
    for top in range(0, height, step):  # a band at a time stays in the processor's cache
        band = padded[top : top + step + 2 * _BLUR_RADIUS].astype(np.float64)
        cut[top : top + step] = np.where(_blurred(_blurred(band).T).T < 127, 0, 255)
    return Image.fromarray(cut)


_BLUR_RADIUS = 8  # four times sigma
_BLUR_WEIGHTS = np.exp(-0.5 / 2.0**2 * np.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1) ** 2)
_BLUR_WEIGHTS /= _BLUR_WEIGHTS.sum()


def _blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along the first axis, which becomes shorter by twice the radius.

    Added up from the outermost pair inwards, as SciPy does: sums of exactly 127 are not rare in a mask's soft edge,
    and another order would put them on the other side.
    """
    length = len(values) - 2 * _BLUR_RADIUS
    total: NDArray[np.float64] = values[_BLUR_RADIUS : _BLUR_RADIUS + length] * _BLUR_WEIGHTS[_BLUR_RADIUS]
    for distance in range(_BLUR_RADIUS, 0, -1):
        before = values[_BLUR_RADIUS - distance : _BLUR_RADIUS - distance + length]
        after = values[_BLUR_RADIUS + distance : _BLUR_RADIUS + distance + length]
        total += (before + after) * _BLUR_WEIGHTS[_BLUR_RADIUS - distance]
    return total


def over_color(cutout: Image.Image, color: Sequence[int]) -> Image.Image:
    """The cutout laid over (red, green, blue, alpha), each 0 to 255. RGBA."""
    behind = Image.new("RGBA", cutout.size, tuple(color))
    return Image.alpha_composite(behind, cutout if cutout.mode == "RGBA" else cutout.convert("RGBA"))


def stacked(cutouts: Sequence[Image.Image]) -> Image.Image:
    """One below the other, RGBA; one alone as it is."""
    if len(cutouts) == 1:
        return cutouts[0]
    tower = Image.new("RGBA", (cutouts[0].width, sum(cutout.height for cutout in cutouts)))
    top = 0
    for cutout in cutouts:
        tower.paste(cutout, (0, top))
        top += cutout.height
    return tower


def _truncated(colors: NDArray[Any], alpha: NDArray[Any]) -> Image.Image:
    rgba = np.dstack((colors, alpha)) * 255
    return Image.fromarray(rgba.clip(0, 255).astype(np.uint8))
