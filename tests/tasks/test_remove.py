"""Which object is meant: the same options in Python and on the command line, for the cutout and for the map."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import u2net
from support.color_network import color_session, disc, painted
from support.small_onnx import small_network
from u2net.cli import cli, main
from u2net.errors import BadInput
from u2net.inference.predict import Prediction, Subject, predict
from u2net.io.write import encode
from u2net.tasks.remove import segment
from u2net.types import Picture

SIZE = (64, 64)
LARGE = disc(SIZE, (20, 22), 14)
SMALL = disc(SIZE, (48, 46), 8)
TWO = painted(np.maximum(LARGE, SMALL))
RING = painted(np.minimum(disc(SIZE, (32, 32), 24), 1 - disc(SIZE, (32, 32), 12)))


def levels(alpha: Any) -> Any:
    return np.rint(np.asarray(alpha) * 255)


def test_without_options_the_prediction_is_the_networks_own() -> None:
    session, seen = color_session()
    np.testing.assert_array_equal(
        levels(u2net.remove(TWO, session, edges="none").alpha), levels(np.maximum(LARGE, SMALL))
    )
    np.testing.assert_array_equal(u2net.saliency(TWO, session), predict(session, TWO).saliency())
    assert seen.runs == 3
    assert isinstance(segment(session, TWO), Prediction)
    assert isinstance(segment(session, TWO, keep=1), Subject)


def test_kept_parts_and_filled_holes_show_in_cutout_and_map() -> None:
    session, _ = color_session()
    np.testing.assert_array_equal(levels(u2net.remove(TWO, session, edges="none", keep="largest").alpha), levels(LARGE))
    np.testing.assert_array_equal(levels(u2net.saliency(TWO, session, min_area=8)), levels(LARGE))
    solid = levels(disc(SIZE, (32, 32), 24))
    np.testing.assert_array_equal(levels(u2net.remove(RING, session, edges="none", fill_holes=True).alpha), solid)
    np.testing.assert_array_equal(levels(u2net.saliency(RING, session, fill_holes=True)), solid)


def test_holes_are_filled_before_parts_are_counted() -> None:
    session, _ = color_session()
    dot_in_ring = painted(np.maximum(RING.pixels[..., 0] / 255, disc(SIZE, (32, 32), 5)))
    cutout = u2net.remove(dot_in_ring, session, edges="none", fill_holes=True, keep="largest", min_area=40)
    np.testing.assert_array_equal(levels(cutout.alpha), levels(disc(SIZE, (32, 32), 24)))


def test_nothing_left_is_no_object() -> None:
    session, _ = color_session()
    cutout = u2net.remove(TWO, session, edges="none", min_area=50)
    assert (cutout.found, cutout.box, cutout.confidence) == (False, None, 0)
    assert not cutout.pixels.any()
    assert not u2net.saliency(TWO, session, min_area=50).any()


def test_picture_without_an_object_stays_so() -> None:
    session, _ = color_session()
    grey = Picture(np.full((*SIZE, 3), 100, np.uint8))
    cutout = u2net.remove(grey, session, keep="largest", fill_holes=True)
    assert not cutout.found
    assert cutout.confidence == pytest.approx(100 / 255)


@pytest.mark.parametrize("wish", [{"keep": "some"}, {"keep": 0}, {"min_area": 101}])
def test_options_that_cannot_be_are_refused_before_the_network_runs(wish: dict[str, Any]) -> None:
    session, seen = color_session()
    with pytest.raises(BadInput):
        u2net.remove(TWO, session, edges="none", **wish)
    assert seen.runs == 0


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
    return CliRunner().invoke(
        cli, [*arguments, "-m", "light.onnx", *(["--edges", "none"] if arguments[0] == "remove" else [])]
    )


def test_each_flag_has_its_effect(folder: Path) -> None:
    def coverage(*arguments: str) -> float:
        return float(json.loads(u2net_command("remove", *arguments, "-o", "out/", "--json").stdout)["coverage"])

    assert coverage("two.png", "--keep", "all") == coverage("two.png", "--keep", "2") == coverage("two.png")
    assert coverage("two.png", "--keep", "largest") == coverage("two.png", "--keep", "1") < coverage("two.png")
    assert coverage("two.png", "--min-area", "8") == coverage("two.png", "--keep", "largest")
    assert coverage("ring.png", "--fill-holes") > coverage("ring.png") + 0.09


def test_hints_and_detail_reach_the_network(folder: Path) -> None:
    def box(*arguments: str) -> list[int]:
        left, top, right, bottom = json.loads(u2net_command("remove", *arguments, "-o", "out/", "--json").stdout)["box"]
        return [left, top, right, bottom]

    large, small = [6, 8, 34, 36], [40, 38, 56, 54]
    for flags, wanted in (
        (["--hint", "20,22"], large),
        (["--hint", " 48, 46"], small),
        (["--hint-not", "20,22"], small),
        (["--hint-box", "36,34,64,64"], small),
        (["--hint-box-not", "36,34,64,64"], large),
        (["--hint-box", "0,0,64,64", "--hint-not", "48,46", "--detail"], large),
    ):
        np.testing.assert_allclose(box("two.png", *flags), wanted, atol=1)


def test_hint_where_nothing_is_warns_or_exits_3(folder: Path) -> None:
    Path("black.png").write_bytes(encode(np.zeros((64, 64, 3), np.uint8)))
    result = u2net_command("remove", "black.png", "--hint", "32,32")
    assert (result.exit_code, "black.png: no object found" in result.stderr) == (0, True)
    arguments = ["remove", "black.png", "--hint", "32,32", "--fail-if-empty", "-o", "x.png", "-m", "light.onnx"]
    assert CliRunner().invoke(cli, arguments, standalone_mode=False).return_value == 3
    assert not Path("x.png").exists()


def test_hint_outside_one_of_several_pictures_is_that_pictures_failure(folder: Path) -> None:
    Path("small.png").write_bytes(encode(np.full((20, 20, 3), 9, np.uint8)))
    arguments = ["remove", "small.png", "two.png", "--hint", "48,46", "-m", "light.onnx"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.return_value == 1
    assert "small.png: the hint 48,46 lies outside the picture, which is 20 x 20 pixels" in result.stderr
    assert Path("two.cutout.png").exists()
    assert not Path("small.cutout.png").exists()


def test_shell_completes_the_values_of_keep(folder: Path) -> None:
    def offered(*words: str) -> str:
        environment = {
            "_U2NET_COMPLETE": "bash_complete",
            "COMP_CWORD": str(len(words)),
            "COMP_WORDS": " ".join(("u2net", *words)),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return CliRunner().invoke(cli, prog_name="u2net", complete_var="_U2NET_COMPLETE").output

    assert offered("remove", "--keep", "") == "plain,all\nplain,largest\n"
    assert offered("saliency", "--keep", "la") == "plain,largest\n"


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
        (["--min-area", "nan"], "min_area is a share of the picture in percent"),
        (["--hint", "5"], "'5' is not X,Y: 2 whole numbers with commas, in pixels"),
        (["--hint", "5,5.5"], "'5,5.5' is not X,Y"),
        (["--hint-not", "5;5"], "'5;5' is not X,Y"),
        (["--hint-box", "1,2,3"], "'1,2,3' is not LEFT,TOP,RIGHT,BOTTOM: 4 whole numbers"),
        (["--hint-box-not", "a,b,c,d"], "'a,b,c,d' is not LEFT,TOP,RIGHT,BOTTOM"),
        (["--hint-box", "9,9,3,3"], "the hint-box 9,9,3,3 is empty; its numbers are left, top, right, bottom"),
        (["--hint", "64,0"], "the hint 64,0 lies outside the picture, which is 64 x 64 pixels"),
        (["--hint", "-1,0"], "the hint -1,0 lies outside the picture"),
        (["--hint", "5,5", "--hint-not", "5,5"], "contradict each other"),
    ],
)
def test_each_mistake_has_its_sentence_and_writes_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    message: str,
) -> None:
    before = sorted(folder.iterdir())
    monkeypatch.setattr(sys, "argv", ["u2net", "remove", "two.png", "-m", "light.onnx", *flags])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before
