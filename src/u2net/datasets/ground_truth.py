"""Ground truth in: masks, mattes, class ids and pictures to be learned become arrays, without color management."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from u2net.datasets.pairs import Pair, Problem
from u2net.errors import BadInput, PictureTooLarge, UnreadablePicture
from u2net.imaging.blend import lay_over_color
from u2net.imaging.icc import convert_profile
from u2net.imaging.samples import to_depth
from u2net.io import png
from u2net.io.decoders import DAMAGE, PREFIX_BYTES, is_tiff, open_image
from u2net.io.read import MAX_PIXELS, read
from u2net.system.resources import usable_threads
from u2net.types import Picture, Pixels, Size, size_of

Kind: TypeAlias = Literal["saliency", "classes", "image"]
"""What a truth says: how much each pixel is the object; which class it is; which color it should become."""

UNKNOWN_CLASS = 255
"""A class id that stands for `do not learn from this pixel`, as in PASCAL VOC."""

Grey: TypeAlias = NDArray[np.uint8 | np.uint16]
"""(H, W) uint8 or uint16: a map or a truth of saliency as its file has it."""

_Number = TypeVar("_Number", bound=np.generic)
_BYTES: TypeAlias = NDArray[np.uint8]
_MEAN = (0.485, 0.456, 0.406)  # where a picture is transparent the networks see their mean color: as in `predict`
_SAME_SHAPE = 0.02


def read_pair(pair: Pair, kind: Kind, size: Size) -> tuple[_BYTES, _BYTES]:
    """Decode a picture and its truth, both squashed to `size`: (h, w, 3) uint8 sRGB; (h, w) or, of `image`, (h, w, 3).

    A picture with alpha and a truth of its own is laid over the networks' mean color, as for prediction; without one
    the alpha is the truth and the colors stay as they are, those next to the object its own.
    Raises BadInput where one of them cannot be read or they are not of one shape.
    """
    picture = read(pair.picture)
    if pair.truth is None:
        if kind != "saliency":
            raise BadInput(f"{pair.picture}: alpha can be the truth of saliency only, not of {kind}")
        if picture.alpha is None:
            raise BadInput(f"{pair.picture}: has no alpha, and no truth beside it")
        return _srgb(_squash_straight(picture, size), picture.icc), squash(alpha_of(picture), size)
    truth = read_truth(pair.truth, kind)
    truth_size = size_of(truth)
    if shape_differs(picture.size, truth_size):
        raise BadInput(unlike(pair, picture.size, truth_size))
    small = squash(lay_over_color(picture, _MEAN), size)
    return _srgb(small, picture.icc), squash(truth, size, nearest=kind == "classes")


def first_look(pairs: Sequence[Pair]) -> tuple[Problem, ...]:
    """What the headers of all files tell before any is decoded: which cannot be read, which pairs are of two shapes.

    pairs: from `find_pairs`. .1 ms a file. What only decoding shows (half a file, an EXIF turn that makes equal headers
    differ) is left to it.

    >>> from u2net.datasets import find_pairs, first_look
    >>> first_look(find_pairs(Path("data")).pairs)
    ()
    """
    with ThreadPoolExecutor(usable_threads(), "u2net-look") as pool:
        return tuple(problem for problem in pool.map(_first_look, pairs) if problem)


def _first_look(pair: Pair) -> Problem | None:
    files = (pair.picture, pair.truth) if pair.truth else (pair.picture,)
    try:
        sizes = [_header_size(path) for path in files]
        if len(sizes) < 2 or not shape_differs(*sizes):
            return None
        sizes = [read(path).size for path in files]  # upright, which they may both be by now
    except BadInput as error:
        return Problem("unreadable", files, str(error))
    return Problem("other shape", files, unlike(pair, *sizes)) if shape_differs(*sizes) else None


def _header_size(path: Path) -> Size:
    try:
        with path.open("rb") as stream, open_image(stream, stream.read(PREFIX_BYTES), str(path)) as image:
            return image.height, image.width
    except DAMAGE as error:
        raise _damaged(path, error) from error


def unlike(pair: Pair, picture: Size, truth: Size) -> str:
    """The sentence that two sizes, (H, W), are of two shapes."""
    turned = not shape_differs(picture, truth[::-1])
    why = "one of the two is turned; was an EXIF orientation lost?" if turned else "they do not belong together"
    return f"{pair.truth}: measures {truth[1]} x {truth[0]}, its picture {picture[1]} x {picture[0]}: {why}"


def colors_of(picture: Picture) -> _BYTES:
    """(H, W, 3) uint8 sRGB, laid over the networks' mean color where it is transparent."""
    return _srgb(lay_over_color(picture, _MEAN), picture.icc)


def alpha_of(picture: Picture) -> _BYTES:
    """(H, W) uint8; 255 everywhere for an opaque picture."""
    return np.full(picture.size, 255, np.uint8) if picture.alpha is None else _eight_bits(picture.alpha)


def squash(values: NDArray[_Number], size: Size, *, nearest: bool = False) -> NDArray[_Number]:
    """Resize (H, W) or (H, W, C) to `size`: averaged where a side shrinks by more than two, else bilinear.

    nearest: no new values, for class ids; the sample at each pixel's centre.
    """
    height, width = values.shape[:2]
    # A side at a time: OpenCV averages only where no side grows.
    middle = size[0] if height > 2 * size[0] else height, size[1] if width > 2 * size[1] else width
    if middle != (height, width) and not nearest:
        values = cv2.resize(values, middle[::-1], interpolation=cv2.INTER_AREA)
    if values.shape[:2] != size:
        method = cv2.INTER_NEAREST_EXACT if nearest else cv2.INTER_LINEAR
        values = cv2.resize(values, size[::-1], interpolation=method)
    return values


def _squash_straight(picture: Picture, size: Size) -> Pixels:
    """Resize the colors of a cutout: what is transparent, often black, does not run into the object's edge."""
    assert picture.alpha is not None
    hidden = squash(picture.pixels, size)
    weight = (picture.alpha / np.float32(np.iinfo(picture.alpha.dtype).max))[..., None]
    total = squash(weight, size)[..., None]
    own = squash(picture.pixels * weight, size) / np.maximum(total, 1e-6)
    mixed: Pixels = np.where(total > 1e-3, np.rint(own), hidden).astype(picture.pixels.dtype)
    return mixed


def read_truth(path: Path, kind: Kind = "saliency") -> _BYTES:
    """Decode a truth.

    saliency: (H, W) uint8, 255 is the object; colors become grey, alpha that is not opaque everywhere is what counts,
    and a truth of zeros and ones becomes one of 0 and 255. classes: (H, W) uint8 ids, those of a palette too.
    image: (H, W, 3) uint8 sRGB.
    Raises UnreadablePicture, PictureTooLarge; BadInput for colors where there should be class ids.

    >>> from u2net.datasets import read_truth
    >>> truth = read_truth(Path("data/masks/cat.png"))
    >>> truth.shape, truth.dtype
    ((300, 451), dtype('uint8'))
    """
    if kind == "image":
        picture = read(path)
        return _srgb(picture.pixels, picture.icc)
    if kind == "classes":
        ids = _read_plain(path, ids=True)
        return _ids_of(read(path), path) if ids is None else ids
    return _eight_bits(read_mask(path))


def read_mask(path: Path) -> Grey:
    """Decode a truth of saliency in its own depth: (H, W), 255 or 65535 is the object; one of zeros and ones too.

    Whoever measures, learns from, checks or shows a truth has it from here. Raises UnreadablePicture, PictureTooLarge.
    """
    grey = read_grey(path)
    return grey * np.iinfo(grey.dtype).max if grey.max() == 1 else grey


def read_grey(path: Path) -> Grey:
    """Decode a map: (H, W), its numbers as they are; of colors their grey, of a cutout its alpha.

    A cutout is what is not opaque everywhere. Raises UnreadablePicture, PictureTooLarge.
    """
    plain = _read_plain(path, ids=False)
    if plain is not None:
        return plain
    picture = read(path)
    if picture.alpha is not None and int(picture.alpha.min()) < np.iinfo(picture.alpha.dtype).max:
        return picture.alpha
    grey: Grey = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY)
    return grey


def shape_differs(one: Size, other: Size) -> bool:
    """Whether two sizes are of different shape, by more than 2 % of a side: one is no scaled copy of the other."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) > _SAME_SHAPE


def _read_plain(path: Path, *, ids: bool) -> _BYTES | None:
    """The samples of an 8-bit grey file as they are, or of a palette (`ids`: its indices); None for all others.

    `io.read.read` would take a truth for colors: a grey profile would change its numbers, and a palette hide its ids.
    """
    try:
        data = path.read_bytes()
        if not data:
            raise UnreadablePicture(f"{path}: is empty (0 bytes)")
        prefix = data[:PREFIX_BYTES]
        if is_tiff(prefix) or png.is_sixteen_bit(prefix):
            return None
        with open_image(io.BytesIO(data), prefix, str(path)) as image:
            if image.mode not in ("1", "L", "P"):
                return None
            if image.width * image.height > MAX_PIXELS:
                raise PictureTooLarge(f"{path}: {image.width} x {image.height} is too large for a truth")
            upright = ImageOps.exif_transpose(image)
            wanted = upright if upright.mode == "L" or (ids and upright.mode == "P") else upright.convert("L")
            values = np.asarray(wanted)
            return values // 255 if ids and image.mode == "1" else values
    except DAMAGE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> BadInput:
    if isinstance(error, BadInput):
        return error
    if isinstance(error, FileNotFoundError):
        return UnreadablePicture(f"{path}: there is no such file")
    reason = " ".join(str(error).split()) or type(error).__name__
    return UnreadablePicture(f"{path}: the picture is damaged ({reason})")


def _ids_of(picture: Picture, path: Path) -> _BYTES:
    red, green, blue = (picture.pixels[..., channel] for channel in range(3))
    if not (np.array_equal(red, green) and np.array_equal(red, blue)):
        raise BadInput(f"{path}: holds colours, not class ids; save it as grey (0, 1, 2 ...) or with a palette")
    if int(red.max()) > 255:
        raise BadInput(f"{path}: holds class ids up to {red.max()}; 0 to 255 are possible")
    return np.ascontiguousarray(red.astype(np.uint8))


def _srgb(pixels: Pixels, icc: bytes | None) -> _BYTES:
    return _eight_bits(convert_profile(pixels, source_icc=icc, target_icc=None))


def _eight_bits(values: Grey) -> _BYTES:
    return np.asarray(to_depth(values, np.dtype(np.uint8)), np.uint8)
