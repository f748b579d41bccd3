from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from support.paths import EXAMPLES
from support.small_onnx import COLOR_WEIGHTS, small_network
from u2net.errors import EngineUnavailable, WeightsUnavailable
from u2net.inference.engines import openvino
from u2net.inference.engines.int8 import convolutions_of, quantize_graph, weights_of
from u2net.inference.int8_ranges import SUFFIX, Ranges, checksum, find_ranges, table_path
from u2net.inference.open_session import open_session
from u2net.inference.transforms import from_pixels
from u2net.io.read import read
from u2net.models.registry import MODELS

SIZE = 16
TABLE = Ranges("sha256:0", {"picture": (-2.0, 2.0)}, {}, {"logits": 127}, {"pictures": 3})


def own_model(folder: Path, table: Ranges | str | None = TABLE) -> Path:
    path = folder / "mine.onnx"
    path.write_bytes(small_network(SIZE))
    if table is not None:
        text = table if isinstance(table, str) else replace(table, weights=checksum(path)).to_json()
        (folder / f"mine{SUFFIX}").write_text(text)
    return path


def test_table_is_the_same_after_writing_and_reading() -> None:
    table = replace(TABLE, inputs={"sum:1": (-0.5, 3.25)}, convolutions={"logits": 127, "first": 64})
    assert Ranges.from_json(table.to_json()) == table


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"weights": ""}',
        TABLE.to_json().replace("2.0", '"two"'),
        TABLE.to_json().replace("2.0]", "-3.0]"),
        TABLE.to_json().replace("2.0]", "NaN]"),
        TABLE.to_json().replace("127", "12"),
        TABLE.to_json().replace('"outputs"', '"out"'),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(tmp_path: Path, text: str) -> None:
    path = own_model(tmp_path, text)
    with pytest.raises(WeightsUnavailable, match=r"mine\.int8\.json: .* cannot be used .* u2net quantize"):
        open_session(path, precision="int8")


def test_fingerprint_follows_the_numbers_and_not_the_remarks() -> None:
    assert replace(TABLE, made={}).fingerprint == TABLE.fingerprint
    assert replace(TABLE, outputs={"picture": (-2.0, 2.5)}).fingerprint != TABLE.fingerprint


@pytest.mark.parametrize("name", ["u2net", "u2netp"])
def test_package_brings_the_tables_of_the_networks_that_lose_nothing(name: str, tmp_path: Path) -> None:
    spec = MODELS[name]
    ranges = find_ranges(spec, tmp_path / spec.file, tmp_path)
    assert ranges is not None and ranges.weights == spec.checksum
    assert len(ranges.convolutions) >= 117  # of 119
    other = replace(spec, checksum="sha256:1")
    assert find_ranges(other, tmp_path / spec.file, tmp_path) is None  # other weights of that name


def test_own_table_of_a_known_model_goes_before_the_package(tmp_path: Path) -> None:
    spec = MODELS["u2netp"]
    mine = replace(TABLE, weights=spec.checksum)
    table_path(spec, tmp_path / spec.file, tmp_path).write_text(mine.to_json())
    assert find_ranges(spec, tmp_path / spec.file, tmp_path) == mine


def test_int8_rounds_what_goes_in_and_the_weights_as_the_table_says(tmp_path: Path) -> None:
    tensor = np.random.default_rng(0).uniform(-3, 3, (1, 3, SIZE, SIZE)).astype(np.float32)
    step = 4 / 255
    seen = np.clip(np.rint((tensor + 2) / step), 0, 255) * step - 2
    weights = np.array(COLOR_WEIGHTS)
    rounded = np.rint(weights / weights.max() * 127) / 127 * weights.max()
    logits = np.tensordot(rounded, seen[0], 1)
    session = open_session(own_model(tmp_path), precision="int8")
    assert session.precision == "int8"
    found = session.run(tensor)[0, 0]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), atol=0.006)  # sums are rounded as well
    exact = 1 / (1 + np.exp(-np.tensordot(weights, tensor[0], 1)))
    assert np.abs(found - exact).max() > 0.1  # what lies beyond the table's range is cut off


def test_changed_table_makes_another_model(tmp_path: Path) -> None:
    tensor = np.full((1, 3, SIZE, SIZE), 1.9, np.float32)
    path = own_model(tmp_path)
    first = open_session(path, precision="int8").run(tensor)
    own_model(tmp_path, replace(TABLE, outputs={"picture": (-1.0, 1.0)}))
    second = open_session(path, precision="int8").run(tensor)
    assert abs(float(first.mean() - second.mean())) > 0.05


def test_table_of_an_own_model_that_was_trained_on_is_not_used(tmp_path: Path) -> None:
    path = own_model(tmp_path)
    path.write_bytes(small_network(SIZE, trained="on"))
    with pytest.raises(
        WeightsUnavailable, match=r"mine\.int8\.json: .* of other weights .* u2net quantize .*mine\.onnx"
    ):
        open_session(path, precision="int8")
    assert open_session(path).precision == "f32"


def test_weights_in_half_precision_become_int8_too(tmp_path: Path) -> None:
    core = ov.Core()
    whole = core.read_model(own_model(tmp_path))
    ov.save_model(whole, tmp_path / "half.xml", compress_to_fp16=True)
    half = core.read_model(tmp_path / "half.xml")
    assert weights_of(convolutions_of(half)["logits"]).dtype == np.float16
    found = []
    for model in (whole, half):
        quantize_graph(model, TABLE)
        found.append(weights_of(convolutions_of(model)["logits"]))
    assert found[0].dtype == np.int8
    np.testing.assert_array_equal(*found)


def test_int8_without_a_table_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"u2net quantize mine\.onnx --images FOLDER"):
        open_session(own_model(tmp_path, None), precision="int8")


def test_own_model_is_never_int8_by_itself(tmp_path: Path) -> None:
    assert open_session(own_model(tmp_path)).precision == "f32"


def test_table_of_another_model_is_an_error_where_it_was_asked_for(tmp_path: Path) -> None:
    path = own_model(tmp_path, replace(TABLE, outputs={"elsewhere": (0.0, 1.0)}))
    with pytest.raises(EngineUnavailable, match=r"does not fit this model: it has no elsewhere"):
        open_session(path, precision="int8")


def test_auto_goes_on_in_f32_where_the_table_does_not_fit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "abilities", lambda capabilities, device: {"int8"})
    spec = replace(MODELS["u2netp"], name="probe", checksum="", size=(SIZE, SIZE))
    with caplog.at_level(logging.WARNING, "u2net"):
        session = openvino.open_openvino(
            own_model(tmp_path),
            spec,
            precision="auto",
            device="cpu",
            require_device=False,
            threads=None,
            cache_dir=tmp_path,
            ranges=replace(TABLE, convolutions={"elsewhere": 127}),
        )
    assert session.precision == "f32"
    assert "int8 is not used" in caplog.text


@pytest.mark.parametrize("name", ["u2net", "u2netp"])
def test_int8_of_the_published_networks_finds_what_f32_finds(name: str) -> None:
    tensor = from_pixels(read(EXAMPLES / "astronaut.jpg").pixels, MODELS[name])
    fast, exact = (open_session(name, precision=precision) for precision in ("int8", "f32"))  # type: ignore[arg-type]
    assert fast.precision == "int8"
    off = np.abs(fast.run(tensor, outputs="all") - exact.run(tensor, outputs="all")).mean(axis=(0, 2, 3))
    assert 1e-5 < off[0] < 0.01  # it is not f32 either
    assert off.max() < 0.02
