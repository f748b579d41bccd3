"""Pictures through the network: the published inference, from pixels to map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.imaging.blend import lay_over_color
from u2net.inference.session import Session
from u2net.inference.transforms import from_pixels, stretched_map, to_published_map, to_saliency
from u2net.models.spec import ModelSpec
from u2net.types import EMPTY_BELOW, Box, Picture, Saliency, Size


class Segmentation(ABC):
    """Where the object of one picture is, and how sure the network is of it: a `Prediction` or a `Subject`.

    size: the picture's (H, W). spec: the model of the network. precision: what the network computed in, `f32`, `bf16`
    or `int8`.
    """

    size: Size
    spec: ModelSpec
    precision: str

    @property
    @abstractmethod
    def confidence(self) -> float:
        """The network's highest probability of the object, 0 to 1."""

    @property
    @abstractmethod
    def probabilities(self) -> NDArray[np.float32]:
        """(h, w) float32: the network's probabilities of the object, not stretched."""

    @abstractmethod
    def with_probabilities(self, values: NDArray[np.float32]) -> Segmentation:
        """The same with other probabilities, such as means over time; (h, w) float32.

        A prediction stretches them by their own range; a subject keeps its scale.
        """

    @abstractmethod
    def coarse(self) -> Saliency:
        """(h, w) float32 in [0, 1]: all of `saliency()`, at the map's own size."""

    @property
    def found(self) -> bool:
        """Whether there is an object at all."""
        return self.confidence >= EMPTY_BELOW

    def saliency(self) -> Saliency:
        """(H, W) float32 in [0, 1]; see `transforms.to_saliency`."""
        return to_saliency(self.coarse(), self.size)

    def published_map(self) -> NDArray[np.uint8]:
        """(H, W) uint8, made as the authors' published results; see `transforms.to_published_map`."""
        return to_published_map(self.coarse(), self.size)

    def subject(self) -> Subject:
        """The object as it stands, as a map of which parts can be taken away, or which a finer one can replace."""
        values = self.coarse()
        highest = float(values.max())
        scale = self.confidence / highest if highest > 0 else 1.0
        return Subject(values, self.size, self.spec, scale, self.precision)


@dataclass(frozen=True, eq=False)
class Prediction(Segmentation):
    """What the network said of one picture.

    map: (h, w) float32 probabilities at network size, as they came: not stretched, with a letterbox's padding.
    """

    map: NDArray[np.float32]
    size: Size
    spec: ModelSpec
    precision: str = "f32"

    @property
    def confidence(self) -> float:
        return float(self.map.max())

    @property
    def probabilities(self) -> NDArray[np.float32]:
        return self.map

    def with_probabilities(self, values: NDArray[np.float32]) -> Prediction:
        return replace(self, map=values)

    def coarse(self) -> Saliency:
        return stretched_map(self.map, self.size, spec=self.spec)


@dataclass(frozen=True, eq=False)
class Subject(Segmentation):
    """What is to be cut out of one picture: what is left of a prediction, or a finer map of it.

    map: (h, w) float32 in [0, 1], stretched, the picture from side to side; of any size. Means over time may exceed 1,
    which counts as 1.
    scale: times this the map is the network's probabilities. Where no value reaches 0.5 of them there is no object.
    """

    map: Saliency
    size: Size
    spec: ModelSpec
    scale: float
    precision: str

    @property
    def confidence(self) -> float:
        return float(self.map.max()) * self.scale

    @property
    def probabilities(self) -> NDArray[np.float32]:
        return self.map * np.float32(self.scale)

    def with_probabilities(self, values: NDArray[np.float32]) -> Subject:
        return replace(self, map=values / np.float32(self.scale))

    def coarse(self) -> Saliency:
        return np.clip(self.map, 0, 1)


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


Look: TypeAlias = Callable[[Box], Subject]
"""Runs the network on a box of a picture: `predict_box` of one session and one picture."""


def predict_box(session: Session, picture: Picture, box: Box) -> Subject:
    """Run what lies in a box of a picture, as if it were the whole."""
    left, top, right, bottom = box
    part = (slice(top, bottom), slice(left, right))
    alpha = None if picture.alpha is None else picture.alpha[part]
    return predict(session, Picture(picture.pixels[part], alpha, picture.icc)).subject()
