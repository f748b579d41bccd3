"""rembg's two calls, on u2net's engines. Change the import and nothing else:

    import u2net.compat.rembg as rembg                     # or: from u2net.compat.rembg import new_session, remove
    png = rembg.remove(jpeg, session=rembg.new_session("u2net"))

The pixels are those of rembg 2.0.86, its darkened edges included, and whatever a picture holds is stretched to a full
mask, an empty one too. `u2net.remove` gives straight colors, keeps profile and depth, and knows empty pictures.
docs/coming-from-rembg.md has the whole list.
"""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from u2net.compat import rembg_masks
from u2net.compat.rembg_session import RembgSession, new_session
from u2net.errors import BadInput, UnreadablePicture
from u2net.inference.session import Session
from u2net.io.read import open_pillow
from u2net.io.write import encode

__all__ = ["NotAPicture", "RembgSession", "new_session", "remove"]


_OPENING = threading.Lock()


class NotAPicture(UnreadablePicture, UnidentifiedImageError):
    """As `UnreadablePicture`, and caught where a program waits for Pillow's error, as rembg raises it."""


def remove(
    data: bytes | Image.Image | NDArray[Any],
    alpha_matting: bool = False,
    alpha_matting_foreground_threshold: int = 240,
    alpha_matting_background_threshold: int = 10,
    alpha_matting_erode_size: int = 10,
    session: Any = None,
    only_mask: bool = False,
    post_process_mask: bool = False,
    decontaminate: bool = False,
    vitmatte: bool = False,
    vitmatte_model: str | None = None,
    bgcolor: Sequence[int] | None = None,
    force_return_bytes: bool = False,
    *args: Any,
    putalpha: bool = False,
    **kwargs: Any,
) -> Any:
    """Cut the object out of one picture, with rembg's pixels.

    data: the bytes of a file, a Pillow image, or an array that `PIL.Image.fromarray` takes; the result is of the same
    kind: the bytes of a PNG, a Pillow image, an array. With `force_return_bytes` it is always bytes.
    Returns RGBA, of the picture's size, turned upright by its EXIF orientation. The colors of half-transparent pixels
    are darkened, as rembg does, unless `putalpha` (the picture's own colors) or `decontaminate` (the object's, without
    the old background; u2net's estimation) is given.
    alpha_matting: closed-form matting between what is above the foreground threshold and what is below the background
    threshold, 0 to 255, both eroded by `alpha_matting_erode_size` pixels. Slow; needs the extra `matting`.
    session: from `new_session` or `u2net.open_session`, or any object whose `predict(image)` gives a list of masks;
    the cutouts of several masks stand one below the other. None: u2net in f32, opened at the first call and kept.
    only_mask: the mask itself, mode L or (H, W). post_process_mask: a hard, smoothed mask.
    bgcolor: (red, green, blue, alpha), 0 to 255, to lay the object over.
    vitmatte: is not here; says what to use instead. Further arguments go to `new_session` and to the session.
    Raises BadInput for other kinds, NotAPicture, PictureTooLarge, MissingExtra, and what `new_session` raises.
    """
    if vitmatte and not only_mask:
        refuse_vitmatte()
    image = ImageOps.exif_transpose(_opened(data, force_return_bytes))
    if session is None:
        session = new_session("u2net", *args, **kwargs) if args or kwargs else _default_session()
    elif isinstance(session, Session):
        session = RembgSession(session.spec.name, session)
    elif not hasattr(session, "predict"):
        raise BadInput(f"a session comes from new_session() or u2net.open_session(), not {session!r}")

    def cut(mask: Image.Image) -> Image.Image:
        if post_process_mask:
            mask = rembg_masks.post_processed(mask)
        if only_mask:
            return mask
        if alpha_matting:
            return rembg_masks.matted(
                image,
                mask,
                foreground_threshold=alpha_matting_foreground_threshold,
                background_threshold=alpha_matting_background_threshold,
                erode_size=alpha_matting_erode_size,
                putalpha=putalpha,
            )
        if putalpha:
            return rembg_masks.with_alpha(image, mask)
        return (rembg_masks.decontaminated if decontaminate else rembg_masks.plain)(image, mask)

    masks = session.predict(image, *args, **kwargs)
    result = rembg_masks.stacked([cut(mask) for mask in masks]) if masks else image
    if bgcolor is not None and not only_mask:
        if isinstance(bgcolor, str) or len(bgcolor) not in (3, 4):
            raise BadInput(f"bgcolor is (red, green, blue, alpha), each 0 to 255, not {bgcolor!r}")
        result = rembg_masks.over_color(result, bgcolor)
    if isinstance(data, bytes) or force_return_bytes:
        return _png(result)
    return np.asarray(result) if isinstance(data, np.ndarray) else result


def refuse_vitmatte() -> NoReturn:
    """Raises BadInput with what to use instead."""
    raise BadInput("ViTMatte is not here; use alpha matting (-a), or u2net's own soft edges: u2net remove --edges hair")


@functools.cache
def _opened_session() -> RembgSession:
    return new_session()


def _default_session() -> RembgSession:
    with _OPENING:  # or several threads would open one each
        return _opened_session()


def _opened(data: Any, force_return_bytes: bool) -> Image.Image:
    if isinstance(data, Image.Image):
        return data
    if isinstance(data, np.ndarray):
        try:
            return Image.fromarray(data)
        except (TypeError, ValueError) as error:
            raise BadInput(f"Pillow makes no image of this array of {data.dtype}, {data.shape}; give uint8") from error
    if isinstance(data, bytes) or (force_return_bytes and isinstance(data, (bytearray, memoryview))):
        try:
            return open_pillow(bytes(data))
        except UnreadablePicture as error:
            raise NotAPicture(str(error)) from error
    raise BadInput(
        f"cannot read a picture from {type(data).__name__}; give the file's bytes, a Pillow image or an array "
        "(u2net.remove takes paths and files too)"
    )


def _png(image: Image.Image) -> bytes:
    """Our encoder, where it can: it takes a fraction of the time of Pillow's."""
    if image.mode in ("L", "RGB", "RGBA"):
        return encode(np.asarray(image), compress="balanced", icc=image.info.get("icc_profile"))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
