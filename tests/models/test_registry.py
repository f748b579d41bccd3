"""Every row of the table works by itself: a small network of the same signature, served in place of the real file."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import u2net
from support.loopback import Server
from support.small_onnx import COLOR_WEIGHTS, small_network
from u2net.errors import BadInput
from u2net.inference.open_session import open_session
from u2net.inference.predict import predict
from u2net.models.registry import MODELS
from u2net.types import Map, Picture, Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RECIPES = {
    "u2net": (320, IMAGENET_MEAN, IMAGENET_STD),
    "u2netp": (320, IMAGENET_MEAN, IMAGENET_STD),
    "u2net_human_seg": (320, IMAGENET_MEAN, IMAGENET_STD),
    "silueta": (320, IMAGENET_MEAN, IMAGENET_STD),
    "isnet-general-use": (1024, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)),
    "isnet-anime": (1024, IMAGENET_MEAN, (1.0, 1.0, 1.0)),
}
# One side longer and one shorter than the networks'; never full white, so that the scale shows.
PIXELS = np.random.default_rng(5).integers(0, 201, (1100, 300, 3), np.uint8)


def by_recipe(size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """(3, S, S) float32: sampled by Pillow without anti-aliasing, black beyond the border, scaled, normalised."""
    height, width = PIXELS.shape[:2]
    edged = np.pad(PIXELS, ((1, 1), (1, 1), (0, 0))).astype(np.float32)
    affine = (width / size, 0, 1, 0, height / size, 1)
    sampled = [
        Image.fromarray(edged[..., channel]).transform(
            (size, size), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
        )
        for channel in range(3)
    ]
    planes = np.stack([np.asarray(plane) for plane in sampled])
    planes /= planes.max()
    return (planes - np.array(mean, np.float32)[:, None, None]) / np.array(std, np.float32)[:, None, None]


def serve(server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the row's file be a small network that a mirror on loopback has; the recipe stays the row's."""
    row = MODELS[name]
    server.content = small_network(row.size[0])
    checksum = "md5:" + hashlib.md5(server.content).hexdigest()
    served = replace(row, sources=(), checksum=checksum, size_bytes=len(server.content))
    monkeypatch.setitem(MODELS, name, served)
    monkeypatch.setenv("U2NET_MIRROR", server.root)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", RECIPES)
def test_network_sees_what_its_recipe_says(
    name: str, engine: u2net.session.Engine, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, name, monkeypatch)
    session = open_session(name, engine=engine, precision="f32")
    assert [path for path, _ in server.asked] == [f"/{name}.onnx"]
    seen: list[Map] = []

    def infer(tensor: Tensor) -> list[Map]:
        found = session.infer(tensor)
        seen.append(found[1])
        return found[:1]

    prediction = predict(replace(session, infer=infer), Picture(PIXELS))
    expected = by_recipe(*RECIPES[name])
    np.testing.assert_allclose(seen[0][0], expected, atol=1e-6)  # measured: 2.4e-7
    logits = np.tensordot(np.array(COLOR_WEIGHTS, np.float32), expected, axes=1)
    np.testing.assert_allclose(prediction.map, 1 / (1 + np.exp(-logits)), atol=1e-5)  # the engines' own sigmoid


@pytest.mark.parametrize("name", ["silueta", "isnet-general-use"])
def test_cutout_with_a_model_of_the_family_has_the_pictures_own_size(
    name: str, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, name, monkeypatch)
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[30:60, 40:80] = (255, 0, 255)  # red and blue make the small network's map high
    cutout = u2net.remove(pixels, open_session(name))
    assert cutout.found
    assert cutout.alpha.shape == (90, 120)
    assert cutout.alpha[45, 60] > 0.98
    assert cutout.alpha[5, 5] < 0.02


def test_every_row_is_one_of_the_recipes_or_comes_later() -> None:
    assert set(MODELS) == {*RECIPES, "u2net_cloth_seg"}
    for name, spec in MODELS.items():
        assert (spec.name, spec.file) == (name, f"{name}.onnx")
        assert spec.checksum.startswith(("sha256:", "md5:"))
        assert spec.sources and spec.size_bytes and spec.licence and spec.training_data


def test_class_maps_come_later_and_nothing_is_fetched_for_them(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, "u2net_cloth_seg", monkeypatch)
    with pytest.raises(BadInput, match=r"u2net_cloth_seg gives maps of classes, .* comes later"):
        open_session("u2net_cloth_seg")
    assert not server.asked
    assert not cache.exists()
