"""Synthetic pictures to learn from: objects laid over a background at random, with what is true of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.compose.cutout import Cutout
from u2net.compose.paste import paste
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.blend import lay_over
from u2net.imaging.regions import bounding_box
from u2net.imaging.resize import at_most
from u2net.types import Box, Picture, Size

LEAST_VISIBLE = 0.25
"""An object of which less is to be seen, because others cover it, is left out."""


@dataclass(frozen=True)
class SceneSettings:
    """How scenes are drawn.

    size: (H, W). most: objects in one scene, 1 to this many. scale: an object's long side, from and to, as a share of
    the scene's short side. rotation: at most so many degrees either way. flip: the probability of a mirrored object; of
    a background it is a half. brightness: at most so much of an object's is added or taken. match: at most so far an
    object's mean color goes towards the background's.

    >>> from u2net.datasets import SceneSettings
    >>> SceneSettings(size=(256, 256), most=1).most
    1
    """

    size: Size = (512, 512)
    most: int = 3
    scale: tuple[float, float] = (0.3, 0.8)
    rotation: float = 20.0
    flip: float = 0.5
    brightness: float = 0.15
    match: float = 0.25

    def __post_init__(self) -> None:
        if not all(16 <= side <= 8192 for side in self.size):
            raise BadInput(f"a scene's sides are 16 to 8192 pixels, not {self.size[1]} x {self.size[0]}")
        if not 1 <= self.most <= 50:
            raise BadInput(f"a scene has at most 1 to 50 objects, not {self.most}")
        if not 0 < self.scale[0] <= self.scale[1] <= 2:
            raise BadInput(f"scale is two numbers above 0 up to 2, the smaller first, not {self.scale}")
        if not (0 <= self.rotation <= 180 and 0 <= self.flip <= 1):
            raise BadInput(f"rotation is 0 to 180 degrees and flip 0 to 1, not {self.rotation} and {self.flip}")
        if not (0 <= self.brightness < 1 and 0 <= self.match <= 1):
            raise BadInput(f"brightness and match are shares from 0 to 1, not {self.brightness} and {self.match}")


@dataclass(frozen=True, eq=False)
class Instance:
    """An object of a scene. subject: its number among those given. mask: (H, W) bool, where it is what is seen.

    box: exactly around the mask. scale, rotation, flipped, at: how it was drawn; at is (x, y) of its middle.
    """

    subject: int
    mask: NDArray[np.bool_]
    box: Box
    scale: float
    rotation: float
    flipped: bool
    at: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Scene:
    """pixels: (H, W, 3) RGB uint8. alpha: (H, W) uint8, of all objects together. instances: those behind come first."""

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    instances: tuple[Instance, ...]


@dataclass(frozen=True, eq=False)
class _Layer:
    subject: int
    pixels: NDArray[np.uint8]
    scale: float
    rotation: float
    flipped: bool
    at: tuple[int, int]


def trimmed(cutout: Cutout, side_px: int) -> Cutout:
    """A cutout cropped to what is to be seen of it, at most `side_px` long: subjects are kept in memory.

    Raises NothingSalient for an empty one.
    """
    box = bounding_box(cutout.pixels[..., 3])
    if box is None:
        raise NothingSalient("the cutout is empty: there is nothing to make scenes of")
    object_ = box[3] - box[1], box[2] - box[0]
    size, scale = at_most(object_, side_px), min(1.0, side_px / max(object_))
    return replace(paste(cutout, _clear(size), scale=scale, at=(0, 0), anchor="top-left"), icc=None)


def draw_scene(
    subjects: Sequence[Cutout], background: Picture, random: np.random.Generator, settings: SceneSettings
) -> Scene:
    """Draw one scene: the background's random part, and random subjects on it.

    subjects: not empty, 8 bits, sRGB; see `trimmed`. background: 8 bits, sRGB, opaque. random: all that differs from
    scene to scene comes from it, in a fixed order.

    >>> from u2net.datasets import SceneSettings, draw_scene
    >>> cutout = u2net.remove("examples/cat.png", "u2netp").cropped()
    >>> settings = SceneSettings(size=(128, 128))
    >>> scene = draw_scene([cutout], u2net.read("examples/coffee.jpg"), np.random.default_rng(0), settings)
    >>> scene.pixels.shape, scene.alpha.shape
    ((128, 128, 3), (128, 128))
    """
    behind = _cropped(background.pixels, random, settings.size)
    layers = [_drawn(subjects, behind, random, settings) for _ in range(int(random.integers(1, settings.most + 1)))]
    shown = list(_enough_seen(layers))
    canvas = cv2.cvtColor(behind, cv2.COLOR_RGB2RGBA)
    clear = np.ones(settings.size, np.float32)
    for layer in shown:
        canvas = lay_over(layer.pixels, canvas)
        clear *= 1 - layer.pixels[..., 3].astype(np.float32) / 255
    alpha = np.rint((1 - clear) * 255).astype(np.uint8)
    instances = [_instance(layer, mask) for layer, mask in zip(shown, _visible(shown), strict=True)]
    return Scene(cv2.cvtColor(canvas, cv2.COLOR_RGBA2RGB), alpha, tuple(instances))


def _cropped(pixels: NDArray[Any], random: np.random.Generator, size: Size) -> NDArray[np.uint8]:
    """A random part of the aspect of `size`, at least .6 of the largest such part, perhaps mirrored, resized to it."""
    height, width = pixels.shape[:2]
    zoom = float(random.uniform(0.6, 1)) * min(height / size[0], width / size[1])
    rows, columns = max(1, int(size[0] * zoom)), max(1, int(size[1] * zoom))
    top, left = int(random.integers(height - rows + 1)), int(random.integers(width - columns + 1))
    part = pixels[top : top + rows, left : left + columns]
    way = cv2.INTER_AREA if zoom > 1 else cv2.INTER_CUBIC
    resized = cv2.resize(part, size[::-1], interpolation=way)
    flipped: NDArray[np.uint8] = resized[:, ::-1] if random.random() < 0.5 else resized
    return np.ascontiguousarray(flipped)


def _drawn(
    subjects: Sequence[Cutout], behind: NDArray[np.uint8], random: np.random.Generator, settings: SceneSettings
) -> _Layer:
    """One subject on a transparent canvas of the scene's size."""
    number = int(random.integers(len(subjects)))
    subject = subjects[number]
    height, width = settings.size
    scale = float(random.uniform(*settings.scale)) * min(settings.size) / max(subject.size)
    rotation = float(random.uniform(-settings.rotation, settings.rotation))
    flipped = bool(random.random() < settings.flip)
    # Its middle is on the scene, a tenth away from the border: at least about a quarter of it is.
    x, y = (int(random.integers(side // 10, side - side // 10)) for side in (width, height))
    pixels = _recolored(subject.pixels, behind, random, settings)
    if flipped:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    least = 1 / min(subject.size)
    made = paste(Cutout(pixels), _clear(settings.size), at=(x, y), scale=max(scale, least), rotation=rotation)
    return _Layer(number, np.asarray(made.pixels, np.uint8), scale, rotation, flipped, (x, y))


def _recolored(
    pixels: NDArray[Any], behind: NDArray[np.uint8], random: np.random.Generator, settings: SceneSettings
) -> NDArray[np.uint8]:
    brightness = 1 + float(random.uniform(-settings.brightness, settings.brightness))
    match = float(random.uniform(0, settings.match))
    alpha = pixels[..., 3]
    own = np.array(cv2.mean(pixels, mask=(alpha > 127).view(np.uint8))[:3])
    shift = match * (np.array(cv2.mean(behind)[:3]) - own)
    table = np.arange(256)[:, None] * brightness + shift
    table = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    channels = [table[pixels[..., channel], channel] for channel in range(3)]
    recolored: NDArray[np.uint8] = cv2.merge([*channels, np.ascontiguousarray(alpha)])
    recolored[alpha == 0] = 0
    return recolored


def _enough_seen(layers: Sequence[_Layer]) -> list[_Layer]:
    """The layers of which enough is to be seen; the topmost is, unless it is nowhere half opaque."""
    kept: list[_Layer] = []
    for layer in reversed(layers):
        (mask, *_) = _visible([layer, *reversed(kept)])
        whole = int((layer.pixels[..., 3] >= 128).sum())
        if mask.any() and (not kept or mask.sum() >= LEAST_VISIBLE * whole):
            kept.append(layer)
    return kept[::-1]


def _visible(layers: Sequence[_Layer]) -> list[NDArray[np.bool_]]:
    """Of each layer the pixels that it makes up at least half of."""
    masks: list[NDArray[np.bool_]] = []
    if not layers:
        return masks
    clear: NDArray[np.float32] = np.ones(layers[0].pixels.shape[:2], np.float32)
    for layer in reversed(layers):
        alpha = layer.pixels[..., 3].astype(np.float32) / 255
        masks.append(alpha * clear >= 0.5)
        clear *= 1 - alpha
    return masks[::-1]


def _instance(layer: _Layer, mask: NDArray[np.bool_]) -> Instance:
    box = bounding_box(mask)
    assert box is not None
    return Instance(layer.subject, mask, box, layer.scale, layer.rotation, layer.flipped, layer.at)


def _clear(size: Size) -> Picture:
    return Picture(np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8))
