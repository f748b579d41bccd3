"""Pictures through the network: the published inference, from pixels to map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.imaging.blend import lay_over_color
from u2net.inference.session import Session
from u2net.inference.transforms import from_pixels, saliency_rows, stretched_map, to_published_map, to_saliency
from u2net.models.spec import ModelSpec
from u2net.types import EMPTY_BELOW, Box, Picture, Saliency, Size


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network said about one picture.

    map: (h, w) float32 probabilities at network size, not stretched. size: the picture's (H, W).
    ceiling: what a 1 of the map was before the map was stretched (see `settled`); 1 for the network's own map.
    precision: what the network computed in, `f32`, `bf16` or `int8`.
    """

    map: NDArray[np.float32]
    size: Size
    spec: ModelSpec
    ceiling: float = 1.0
    precision: str = "f32"

    @property
    def confidence(self) -> float:
        """The highest value of the unstretched map, 0 to 1."""
        return float(self.map.max()) * self.ceiling

    @property
    def found(self) -> bool:
        """Whether there is an object at all."""
        return self.confidence >= EMPTY_BELOW

    def settled(self) -> Prediction:
        """The same prediction with the map that `saliency` enlarges: stretched, and the picture from side to side.

        Its map may be replaced (`with_map`) by another of any size that covers the picture.
        """
        values = self.coarse()
        highest = float(values.max())
        spec = replace(self.spec, fit="squash", stretch=False)
        ceiling = self.confidence / highest if highest > 0 else 1.0
        return replace(self, map=values, spec=spec, ceiling=ceiling)

    def with_map(self, values: Saliency) -> Prediction:
        """A settled prediction with another map, (h, w) float32 in [0, 1], any size. Where no value of it is above
        0.5 of the network's belief there is no object any more."""
        return replace(self, map=values)

    def saliency(self, *, stretch: bool | None = None) -> Saliency:
        """(H, W) float32 in [0, 1]; see `transforms.to_saliency`."""
        return to_saliency(self.map, self.size, spec=self.spec, stretch=stretch)

    def saliency_rows(self, top: int, bottom: int) -> Saliency:
        """(bottom - top, W) float32: rows of `saliency()`, for pictures too large to hold it."""
        return self._rows(top, bottom)

    @cached_property
    def _rows(self) -> Callable[[int, int], Saliency]:
        return saliency_rows(self.map, self.size, spec=self.spec)

    def coarse(self) -> Saliency:
        """(h, w) float32 in [0, 1]: all of `saliency()`, at the map's own size."""
        return stretched_map(self.map, self.size, spec=self.spec)

    def published_map(self) -> NDArray[np.uint8]:
        """(H, W) uint8, made as the authors' published results; see `transforms.to_published_map`."""
        return to_published_map(self.map, self.size, spec=self.spec)


def predict(session: Session, picture: Picture) -> Prediction:
    """Run one picture. Raises BadInput for a model that does not give saliency maps."""
    return predict_batch(session, [picture])[0]


def predict_batch(session: Session, pictures: Sequence[Picture]) -> list[Prediction]:
    """Run several pictures, of any sizes, or the frames of a video. As `predict`, one result a picture."""
    spec = session.spec
    if spec.kind != "saliency":
        raise BadInput(f"the model {spec.name} gives {spec.kind}, not saliency maps")
    # Where a picture is transparent the network sees its own mean color: no hidden colors, no black or white edge.
    seen = [lay_over_color(picture, spec.mean) for picture in pictures]
    tensors = [from_pixels(pixels, spec, icc=picture.icc) for pixels, picture in zip(seen, pictures, strict=True)]
    if len({tensor.shape for tensor in tensors}) == 1:
        maps = list(session.run(np.concatenate(tensors)))
    else:  # a model that takes pictures at their own sizes
        maps = [session.run(tensor)[0] for tensor in tensors]
    return [
        Prediction(one[0], picture.size, spec, precision=session.precision)
        for one, picture in zip(maps, pictures, strict=True)
    ]


def predict_all(session: Session, picture: Picture) -> list[Prediction]:
    """Run one picture; the fused prediction first, then one for each side output, finest first.

    Raises BadInput for a model that does not give saliency maps, or whose file holds the fused one only.
    """
    spec = session.spec
    if spec.kind != "saliency":
        raise BadInput(f"the model {spec.name} gives {spec.kind}, not saliency maps")
    tensor = from_pixels(lay_over_color(picture, spec.mean), spec, icc=picture.icc)
    maps = session.run(tensor, outputs="all")[0]
    if len(maps) == 1:
        raise BadInput(f"the model {spec.name} has no side outputs; those published as u2net and u2netp have them")
    return [Prediction(one, picture.size, spec, precision=session.precision) for one in maps]


def predict_box(session: Session, picture: Picture, box: Box) -> Prediction:
    """Run what lies in a box of a picture, as if it were the whole; settled."""
    left, top, right, bottom = box
    part = (slice(top, bottom), slice(left, right))
    alpha = None if picture.alpha is None else picture.alpha[part]
    return predict(session, Picture(picture.pixels[part], alpha, picture.icc)).settled()
