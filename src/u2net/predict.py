"""Pictures through the network: the published inference, from pixels to map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from u2net.composite import lay_over_colour
from u2net.errors import BadInput
from u2net.pixels import Source, read
from u2net.session import Session, default_session
from u2net.tensor import EMPTY_BELOW, from_pixels, saliency_rows, stretched_map, to_published_map, to_saliency
from u2net.types import ModelSpec, Picture, Saliency, Size


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network said about one picture.

    map: (h, w) float32 probabilities at network size, not stretched. size: the picture's (H, W).
    """

    map: NDArray[np.float32]
    size: Size
    spec: ModelSpec

    @property
    def confidence(self) -> float:
        """The map's highest value, 0 to 1."""
        return float(self.map.max())

    @property
    def found(self) -> bool:
        """Whether there is an object at all."""
        return self.confidence >= EMPTY_BELOW

    def saliency(self, *, stretch: bool | None = None) -> Saliency:
        """(H, W) float32 in [0, 1]; see `tensor.to_saliency`."""
        return to_saliency(self.map, self.size, spec=self.spec, stretch=stretch)

    def saliency_rows(self, top: int, bottom: int) -> Saliency:
        """(bottom - top, W) float32: rows of `saliency()`, for pictures too large to hold it."""
        return self._rows(top, bottom)

    @cached_property
    def _rows(self) -> Callable[[int, int], Saliency]:
        return saliency_rows(self.map, self.size, spec=self.spec)

    def coarse(self) -> Saliency:
        """(h, w) float32 in [0, 1]: all of `saliency()`, at the network's size."""
        return stretched_map(self.map, self.size, spec=self.spec)

    def published_map(self) -> NDArray[np.uint8]:
        """(H, W) uint8, made as the authors' published results; see `tensor.to_published_map`."""
        return to_published_map(self.map, self.size, spec=self.spec)


def predict(session: Session, picture: Picture) -> Prediction:
    """Run one picture. Raises BadInput for a model that does not give saliency maps."""
    return predict_batch(session, [picture])[0]


def predict_batch(session: Session, pictures: Sequence[Picture]) -> list[Prediction]:
    """Run several pictures, of any sizes, or the frames of a video. As `predict`, one result a picture."""
    spec = session.spec
    if spec.kind != "saliency":
        raise BadInput(f"the model {spec.name} gives {spec.kind}, not saliency maps")
    # Where a picture is transparent the network sees its own mean colour: no hidden colours, no black or white edge.
    seen = [lay_over_colour(picture, spec.mean) for picture in pictures]
    tensors = [from_pixels(pixels, spec, icc=picture.icc) for pixels, picture in zip(seen, pictures, strict=True)]
    if len({tensor.shape for tensor in tensors}) == 1:
        maps = list(session.run(np.concatenate(tensors)))
    else:  # a model that takes pictures at their own sizes
        maps = [session.run(tensor)[0] for tensor in tensors]
    return [Prediction(one[0], picture.size, spec) for one, picture in zip(maps, pictures, strict=True)]


def saliency(source: Source, session: Session | None = None) -> Saliency:
    """How much each pixel belongs to the salient object.

    source: anything `u2net.read` takes. session: from `open_session`; None: u2net, opened once.
    Returns (H, W) float32 in [0, 1], stretched to the full range where there is an object; a picture without one keeps
    the network's low values (all below 0.5).
    Raises what `read` and `open_session` raise.
    """
    return predict(session or default_session(), read(source)).saliency()
