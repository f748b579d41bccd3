"""What the flags of rembg's commands ask for, as one call: they are those of its `remove` and `new_session`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from u2net.compat.rembg import new_session, refuse_vitmatte, remove
from u2net.compat.rembg_masks import matting_functions
from u2net.errors import BadInput

if TYPE_CHECKING:
    from PIL import Image

    from u2net.models.spec import Progress

_SESSION_EXTRAS = {"model_path": str, "providers": list, "engine": str, "precision": str, "offline": bool}


def cutter(flags: Mapping[str, Any], on_progress: Progress | None = None) -> Callable[[bytes | Image.Image], bytes]:
    """Load the model; gives what turns a picture into the bytes of a PNG.

    flags: the arguments of `remove`, `model`, and `extras`, a JSON object of more of both calls, or None.
    on_progress: as for `open_session`. Raises BadInput for a wrong flag, and what `new_session` raises.
    """
    chosen = {name: value for name, value in flags.items() if name not in ("model", "extras")}
    more = _more(flags["extras"], chosen)
    of_session = {name: more.pop(name) for name in _SESSION_EXTRAS if name in more}
    chosen |= more
    if chosen["vitmatte"] and not chosen["only_mask"]:
        refuse_vitmatte()
    if chosen["alpha_matting"]:
        matting_functions()
    session = new_session(flags["model"], on_progress=on_progress, **of_session)

    def cut(data: bytes | Image.Image) -> bytes:
        png = remove(data, session=session, force_return_bytes=True, **chosen)
        assert isinstance(png, bytes)
        return png

    return cut


def _more(extras: str | None, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What --extras holds. rembg takes no notice of what it does not know; here that is an error."""
    if extras is None:
        return {}
    try:
        found = json.loads(extras)
    except ValueError as error:
        raise BadInput(f"--extras is no JSON: {error}") from error
    kinds = {name: type(value) for name, value in chosen.items()}
    kinds |= {"bgcolor": list, "putalpha": bool, **_SESSION_EXTRAS}
    if not isinstance(found, dict):
        raise BadInput('--extras is no JSON object such as {"putalpha": true}')
    for name, value in found.items():
        if name not in kinds:
            raise BadInput(f"--extras knows no {name!r}; there are {', '.join(kinds)}")
        if type(value) is not kinds[name]:
            raise BadInput(f"--extras wants a {kinds[name].__name__} for {name!r}")
    return found
