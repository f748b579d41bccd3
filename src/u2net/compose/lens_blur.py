"""The background of a picture out of focus, as behind a lens that is wide open."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.compose.cutout import Cutout
from u2net.errors import BadInput
from u2net.imaging.regions import bounding_box
from u2net.imaging.resize import at_most, enlarged_tile, shrunk
from u2net.system.parallel import map_bands
from u2net.types import Alpha, Picture

WORK_PX = 640
"""The long side at which the blur is made."""

_GROUND = 0.5
"""From the object's foot on, the ground is out of focus after so much of the object's height."""


def check_strength(strength: float) -> None:
    """Raise BadInput unless `defocused` can use this."""
    if not 0.001 <= strength <= 0.1:
        raise BadInput(f"a blur is 0.001 to 0.1 (0.1 % to 10 %) of the picture's long side, not {strength:g}")


def defocused(picture: Picture, alpha: NDArray[Any], *, strength: float = 0.02) -> Cutout:
    """A picture with everything but its object out of focus; meant to lie behind the cutout, so the object is gone
    from the blur and leaves no halo.

    alpha: (H, W) of the picture's dtype: the cutout's. strength: the radius of the blur as a share of the picture's
    long side, 0.001 to 0.1.
    Where the object stands on the ground in the picture, that is as sharp as the object at its foot, and blurs with
    the distance from there, upwards and downwards; where the picture ends at the object's foot all is far away.
    Discs, not Gaussians, mixed as light (squares of the values): bright points become bright discs.
    Returns all of the picture, of the same size and dtype, as transparent as it was.
    Raises BadInput for another strength.

    >>> from u2net.compose import defocused
    >>> picture = u2net.read("examples/coffee.jpg")
    >>> cutout = u2net.remove(picture, "u2netp")
    >>> defocused(picture, cutout.pixels[..., 3], strength=0.03).size
    (400, 600)
    """
    check_strength(strength)
    size = picture.size
    full = np.float32(np.iinfo(picture.pixels.dtype).max)
    small = at_most(size, WORK_PX)
    colors = np.divide(shrunk(picture.pixels, small), full, dtype=np.float32)
    opacity: Alpha = np.divide(shrunk(np.ascontiguousarray(alpha), small), full, dtype=np.float32)
    radius = strength * max(small)
    # Beside the object a little more is left out: what is half its own color would come back as a halo.
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    light = cv2.dilate(opacity, reach)
    weight = np.clip(1 - light, np.float32(1e-4), 1)
    if picture.alpha is not None:
        weight *= np.divide(shrunk(picture.alpha, small), full, dtype=np.float32)
    far = _rounded(_blurred(colors, weight, radius), full)
    shares = _out_of_focus(opacity, size[0])
    near = _rounded(_blurred(colors, weight, radius / 2), full) if shares.min() < 1 else far
    result: NDArray[Any] = cv2.resize(far, size[::-1], interpolation=cv2.INTER_LINEAR)

    def sharpen(rows: slice) -> None:
        if shares[rows].min() == 1:
            return
        half = enlarged_tile(near, size, (0, rows.start, size[1], rows.stop))
        sharp = cv2.cvtColor(picture.pixels[rows], cv2.COLOR_RGB2RGBA)
        for row, share in enumerate(map(float, shares[rows])):
            # From sharp to half the blur, then on to all of it.
            behind = result[rows.start + row]
            first, second = (sharp[row], half[row]) if share < 0.5 else (half[row], behind)
            part = share * 2 % 1 if share < 1 else 1.0
            cv2.addWeighted(first, 1 - part, second, part, 0, dst=behind)

    map_bands(0, size[0], size[1], sharpen)
    if picture.alpha is not None:
        result[..., 3] = picture.alpha
    return Cutout(result, icc=picture.icc)


def _rounded(colors: NDArray[np.float32], full: np.float32) -> NDArray[Any]:
    """(h, w, 3) in [0, 1] to opaque (h, w, 4) of whole numbers up to `full`: a blur has no more levels than those."""
    levels = np.rint(np.clip(colors, 0, 1) * full).astype(np.uint8 if full == 255 else np.uint16)
    opaque: NDArray[Any] = cv2.cvtColor(levels, cv2.COLOR_RGB2RGBA)
    return opaque


def _blurred(colors: NDArray[np.float32], weight: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """(h, w, 3): discs of light, of what has weight alone. Inside the object, farther than the radius, its nearest
    surroundings."""
    reach = max(1, math.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    disc /= disc.sum()
    kept = np.square(colors) * weight[..., None]
    light = np.dstack([kept, weight])
    wide = cv2.blur(light, (8 * reach + 1, 8 * reach + 1), borderType=cv2.BORDER_REFLECT)
    sums = cv2.filter2D(light, -1, disc, borderType=cv2.BORDER_REFLECT) + wide * np.float32(0.01)
    mixed: NDArray[np.float32] = np.sqrt(np.maximum(sums[..., :3] / np.maximum(sums[..., 3:], np.float32(1e-9)), 0))
    return mixed


def _out_of_focus(opacity: Alpha, height: int) -> NDArray[np.float32]:
    """(height,) float32 in [0, 1]: how far each row of a picture is out of focus, whose small alpha is given."""
    small = opacity.shape[0]
    box = bounding_box(opacity > 0.5)
    if box is None or box[3] >= small - 1:
        return np.ones(height, np.float32)
    foot, tall = box[3], box[3] - box[1]
    rows = (np.arange(height, dtype=np.float32) + np.float32(0.5)) * np.float32(small / height)
    share = np.clip(np.abs(rows - np.float32(foot)) / np.float32(_GROUND * tall), 0, 1)
    smooth: NDArray[np.float32] = share * share * (3 - 2 * share)
    return smooth
