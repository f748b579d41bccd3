"""Which object is meant: the same wishes in Python and on the command line, for the cutout and for the map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from colour_network import colour_session, disc, painted
from PIL import Image
from small_onnx import small_network

import u2net
from u2net.cli import cli
from u2net.encode import encode
from u2net.errors import BadInput
from u2net.predict import Prediction, predict
from u2net.types import Picture

SIZE = (64, 64)
LARGE = disc(SIZE, (20, 22), 14)
SMALL = disc(SIZE, (48, 46), 8)
TWO = painted(np.maximum(LARGE, SMALL))
RING = painted(np.minimum(disc(SIZE, (32, 32), 24), 1 - disc(SIZE, (32, 32), 12)))


def levels(alpha: Any) -> Any:
    return np.rint(np.asarray(alpha) * 255)


def test_without_wishes_the_prediction_is_the_networks_own() -> None:
    session, seen = colour_session()
    np.testing.assert_array_equal(levels(u2net.remove(TWO, session).alpha), levels(np.maximum(LARGE, SMALL)))
    np.testing.assert_array_equal(u2net.saliency(TWO, session), predict(session, TWO).saliency())
    assert seen.runs == 3


def test_kept_parts_and_filled_holes_show_in_cutout_and_map() -> None:
    session, _ = colour_session()
    np.testing.assert_array_equal(levels(u2net.remove(TWO, session, keep="largest").alpha), levels(LARGE))
    np.testing.assert_array_equal(levels(u2net.saliency(TWO, session, min_area=8)), levels(LARGE))
    solid = levels(disc(SIZE, (32, 32), 24))
    np.testing.assert_array_equal(levels(u2net.remove(RING, session, fill_holes=True).alpha), solid)
    np.testing.assert_array_equal(levels(u2net.saliency(RING, session, fill_holes=True)), solid)


def test_holes_are_filled_before_parts_are_counted() -> None:
    session, _ = colour_session()
    dot_in_ring = painted(np.maximum(RING.pixels[..., 0] / 255, disc(SIZE, (32, 32), 5)))
    cutout = u2net.remove(dot_in_ring, session, fill_holes=True, keep="largest", min_area=40)
    np.testing.assert_array_equal(levels(cutout.alpha), levels(disc(SIZE, (32, 32), 24)))


def test_nothing_left_is_no_object() -> None:
    session, _ = colour_session()
    cutout = u2net.remove(TWO, session, min_area=50)
    assert (cutout.found, cutout.box, cutout.confidence) == (False, None, 0)
    assert not cutout.pixels.any()
    assert not u2net.saliency(TWO, session, min_area=50).any()


def test_picture_without_an_object_stays_so() -> None:
    session, _ = colour_session()
    grey = Picture(np.full((*SIZE, 3), 100, np.uint8))
    cutout = u2net.remove(grey, session, keep="largest", fill_holes=True)
    assert not cutout.found
    assert cutout.confidence == pytest.approx(100 / 255)


@pytest.mark.parametrize("wish", [{"keep": "some"}, {"keep": 0}, {"min_area": 101}])
def test_wishes_that_cannot_be_are_refused_before_the_network_runs(wish: dict[str, Any]) -> None:
    session, seen = colour_session()
    with pytest.raises(BadInput):
        u2net.remove(TWO, session, **wish)
    assert seen.runs == 0


def test_settled_prediction_gives_the_same_maps() -> None:
    session, _ = colour_session((48, 32), believe=lambda red: 0.1 + 0.7 * red)
    given = predict(session, painted(np.maximum(LARGE, SMALL)[:50]))
    settled = given.settled()
    assert settled.confidence == pytest.approx(given.confidence)
    assert (settled.map.min(), settled.map.max()) == (0, 1)
    np.testing.assert_array_equal(settled.saliency(), given.saliency())
    np.testing.assert_array_equal(settled.saliency_rows(10, 20), given.saliency_rows(10, 20))
    np.testing.assert_array_equal(settled.published_map(), given.published_map())
    np.testing.assert_array_equal(settled.settled().map, settled.map)
    assert settled.with_map(settled.map * np.float32(0.5)).found is False


def test_settled_map_has_no_letterbox_and_may_be_finer_than_the_network() -> None:
    spec = u2net.ModelSpec("x", "x", size=(64, 64), fit="letterbox")
    padded = np.zeros((64, 64), np.float32)
    padded[16:48] = 1
    settled = Prediction(padded, (50, 100), spec).settled()
    assert settled.map.shape == (32, 64)
    np.testing.assert_array_equal(settled.saliency(), np.ones((50, 100), np.float32))
    fine = settled.with_map(disc((50, 100), (60, 20), 12))
    np.testing.assert_array_equal(fine.saliency(), fine.map)
    np.testing.assert_array_equal(fine.saliency_rows(7, 30), fine.map[7:30])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two discs, a ring, and a network that sees blue."""
    monkeypatch.chdir(tmp_path)
    for name, picture in (("two", TWO), ("ring", RING)):
        red = picture.pixels[..., 0]
        Path(f"{name}.png").write_bytes(encode(np.dstack([red, red, red])))
    Path("light.onnx").write_bytes(small_network(64))
    return tmp_path


def u2net_command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "-m", "light.onnx"])


def test_each_flag_has_its_effect(folder: Path) -> None:
    def coverage(*arguments: str) -> float:
        return float(json.loads(u2net_command("remove", *arguments, "-o", "out/", "--json").stdout)["coverage"])

    assert coverage("two.png", "--keep", "all") == coverage("two.png", "--keep", "2") == coverage("two.png")
    assert coverage("two.png", "--keep", "largest") == coverage("two.png", "--keep", "1") < coverage("two.png")
    assert coverage("two.png", "--min-area", "8") == coverage("two.png", "--keep", "largest")
    assert coverage("ring.png", "--fill-holes") > coverage("ring.png") + 0.09


def test_saliency_takes_the_same_flags(folder: Path) -> None:
    assert u2net_command("saliency", "ring.png", "--fill-holes", "-o", "filled.png").exit_code == 0
    assert u2net_command("saliency", "ring.png", "-o", "open.png").exit_code == 0
    filled, as_it_is = (np.asarray(Image.open(name)) for name in ("filled.png", "open.png"))
    assert (filled[32, 32], as_it_is[32, 32]) == (255, 0)


def test_nothing_left_warns_or_exits_3(folder: Path) -> None:
    result = u2net_command("remove", "two.png", "--min-area", "60")
    assert "two.png: no object found" in result.stderr
    assert not np.asarray(Image.open("two.cutout.png")).any()
    before = sorted(folder.iterdir())
    arguments = ["remove", "two.png", "--min-area", "60", "--fail-if-empty", "-o", "x.png", "-m", "light.onnx"]
    assert CliRunner().invoke(cli, arguments, standalone_mode=False).return_value == 3
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--keep", "biggest"], "'biggest' is not all, largest or a number of parts from 1 on"),
        (["--keep", "0"], "'0' is not all, largest or a number"),
        (["--min-area", "5%"], "'5%' is not a valid float"),
        (["--min-area", "101"], "101"),
        (["--min-area", "-1"], "-1"),
    ],
)
def test_each_mistake_has_its_sentence_and_writes_nothing(folder: Path, flags: list[str], message: str) -> None:
    before = sorted(folder.iterdir())
    result = u2net_command("remove", "two.png", *flags)
    assert result.exit_code == 2
    assert message in result.stderr
    assert sorted(folder.iterdir()) == before
