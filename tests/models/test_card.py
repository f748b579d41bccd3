"""The model card: what is read of it from files that may come from anywhere, and that inference does as it says."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from support.small_onnx import COLOR_WEIGHTS, small_network
from u2net.errors import BadInput
from u2net.inference.open_session import open_session
from u2net.inference.predict import predict
from u2net.inference.session import Session
from u2net.models.card import KEY, ModelCard, read_card
from u2net.types import Picture

CARD = ModelCard(
    "u2netp",
    size=(32, 32),
    scale="full-range",
    mean=(0.1, 0.2, 0.3),
    std=(0.5, 2.0, 4.0),
    stretch=False,
    data="16 pictures of <\"&'> and 日本",
    recipe={"steps": 10},
    metrics={"MAE": 0.04},
    licence="MIT",
)


def write_onnx(path: Path, text: str) -> Path:
    path.write_bytes(small_network(32, other="thing", **{KEY: text}))
    return path


def write_xml(path: Path, text: str) -> Path:
    """The small network again, written by OpenVINO."""
    picture = ops.parameter([1, 3, 32, 32], np.float32)
    weights = ops.constant(np.array(COLOR_WEIGHTS, np.float32).reshape(1, 3, 1, 1))
    ones = [[1, 1], [0, 0], [0, 0], [1, 1]]
    model = ov.Model([ops.sigmoid(ops.convolution(picture, weights, *ones))], [picture], "small")
    model.set_rt_info(text, [KEY])
    ov.save_model(model, path, compress_to_fp16=False)
    return path


WRITERS = pytest.mark.parametrize("write", [write_onnx, write_xml])
Write = Callable[[Path, str], Path]


def name_for(write: Write, stem: str = "mine") -> str:
    return stem + (".onnx" if write is write_onnx else ".xml")


def test_a_card_goes_through_json() -> None:
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert ModelCard.from_json('{"variant": "u2netp"}') == ModelCard("u2netp")


@WRITERS
def test_a_card_is_read_from_a_models_metadata(write: Write, tmp_path: Path) -> None:
    assert read_card(write(tmp_path / name_for(write), CARD.to_json())) == CARD


@WRITERS
def test_pictures_go_in_as_the_card_says(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / "cache"))
    color = np.array([40, 120, 200], np.uint8)
    picture = Picture(np.broadcast_to(color, (60, 70, 3)).copy())
    normal = (color / 255 - CARD.mean) / CARD.std
    expected = 1 / (1 + np.exp(-(normal * COLOR_WEIGHTS).sum()))
    path = write(tmp_path / name_for(write), CARD.to_json())
    for _ in range(2):  # the second time from the compiled model
        with open_session(path) as session:
            prediction = predict(session, picture)
            assert (session.spec.name, session.spec.training_data, session.spec.licence) == ("mine", CARD.data, "MIT")
        np.testing.assert_allclose(prediction.map, expected, atol=1e-5)
        np.testing.assert_allclose(prediction.saliency(), expected, atol=1e-5)  # not stretched


def test_onnxruntime_does_as_the_card_says_too(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = write_onnx(tmp_path / "mine.onnx", CARD.to_json())
    assert open_session(path, engine="onnxruntime").spec.mean == CARD.mean


@WRITERS
def test_another_kind_of_maps_is_refused_by_its_card(write: Write, tmp_path: Path) -> None:
    path = write(tmp_path / name_for(write), ModelCard("u2netp", kind="classes").to_json())
    with pytest.raises(BadInput, match="maps of classes"):
        open_session(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{}",
        "[" * 100_000,
        "1" * 10_000,
        CARD.to_json()[:-3],
        *(
            json.dumps(json.loads(CARD.to_json()) | change)
            for change in (
                {"size": [0, 320]},
                {"size": [320]},
                {"size": 320},
                {"size": [1e9, 1e9]},
                {"size": [True, 5]},
                {"mean": ["a", "b", "c"]},
                {"std": [0.5, 0.0, 0.5]},
                {"std": [float("nan"), 1, 1]},
                {"mean": [10**400, 0, 0]},
                {"kind": "thing"},
                {"kind": ["saliency"]},
                {"scale": None},
                {"stretch": "no"},
                {"data": 5},
                {"recipe": []},
                {"of a newer u2net": 1},
            )
        ),
    ],
    ids=lambda text: text[:24] + text[-24:],
)
def test_a_damaged_card_is_one_sentence(text: str, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "mine.onnx", text)
    with pytest.raises(BadInput) as caught:
        open_session(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: the model card")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400


def test_files_without_a_card_have_none(tmp_path: Path, small: Session) -> None:
    for name, data in {
        "plain.onnx": small_network(32),
        "empty.onnx": b"",
        "text.onnx": b"This is no model, and long enough to be taken for one.",
        "cut.onnx": small_network(32, **{KEY: CARD.to_json()})[:-5],
        "long.onnx": b"\x72\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        "endless.onnx": b"\x08\x01" * 200_000,
        "empty.xml": b"",
        "text.xml": b"</edges> <rt_info",
        "other.xml": b"<net><edges></edges><rt_info><info value='1' /></rt_info></net>",
        "bomb.xml": b'<!DOCTYPE a [<!ENTITY a "aaaa">]><net><edges></edges>&a;</net>',
    }.items():
        (tmp_path / name).write_bytes(data)
        assert read_card(tmp_path / name) is None, name
    assert read_card(tmp_path) is None


def test_bytes_turned_over_never_raise_anything_else(tmp_path: Path) -> None:
    right = small_network(8, **{KEY: ModelCard("u2netp").to_json()})
    rng, path = np.random.default_rng(0), tmp_path / "mine.onnx"
    for _ in range(500):
        wrong = bytearray(right)
        for place in rng.integers(0, len(wrong), 3):
            wrong[place] = rng.integers(256)
        path.write_bytes(wrong)
        try:
            read_card(path)
        except BadInput as error:
            assert str(path) in str(error)


@pytest.mark.skipif(sys.platform == "win32", reason="no files with holes")
def test_weights_are_passed_over_and_not_read(tmp_path: Path) -> None:
    path, plain = tmp_path / "huge.onnx", small_network(8)
    entry = small_network(8, **{KEY: CARD.to_json()})[len(plain) :]
    with path.open("wb") as stream:
        stream.write(b"\x3a\x80\x80\x80\x80\x40")  # field 7, the graph, of 16 GiB
        stream.seek(1 << 34, os.SEEK_CUR)
        stream.write(entry)
    assert read_card(path) == CARD
