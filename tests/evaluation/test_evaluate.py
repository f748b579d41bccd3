"""u2net evaluate: folders to numbers, the report, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from support.command_line import u2net
from support.paths import EXAMPLES
from support.profiles import grey_profile
from support.small_onnx import small_network
from u2net.datasets.ground_truth import read_mask
from u2net.errors import BadInput, CannotWrite, MissingExtra, UnreadablePicture
from u2net.evaluation.evaluate import Pair, evaluate, pair_up, read_map
from u2net.evaluation.metrics import KEYS, score, summarise
from u2net.system.install import install_hint

sod = pytest.importorskip("py_sod_metrics")


def run(*arguments: str | Path) -> Result:
    return u2net("evaluate", *map(str, arguments))


def save(path: Path, values: np.ndarray, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    (image.convert(mode) if mode else image).save(path)
    return path


def disk(radius: float, centre: tuple[float, float] = (24, 32)) -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    return np.clip((radius - np.hypot(y - centre[0], x - centre[1])) * 60 + 128, 0, 255).astype(np.uint8)


@pytest.fixture
def maps_and_truths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Five maps that are worse one after the other, the last of an empty truth; one lies in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a", "b", "c", "deep/d")):
        save(tmp_path / "maps" / f"{name}.png", disk(12 + 2 * number))
        save(tmp_path / "truths" / f"{name}.bmp", disk(12))
    save(tmp_path / "maps" / "e.png", disk(5))
    save(tmp_path / "truths" / "e.bmp", np.zeros((48, 64), np.uint8))
    return tmp_path / "maps", tmp_path / "truths"


def test_table_names_every_measure(maps_and_truths: tuple[Path, Path]) -> None:
    result = run(*maps_and_truths)
    assert result.exit_code == 0, result.output
    table = dict(line.split()[:2] for line in result.stdout.splitlines())
    assert list(table) == list(KEYS)
    assert (table["n"], table["empty_truths"]) == ("5", "1")
    expected = summarise([score(read_map(pair), read_mask(pair.truth)) for pair in pair_up(*maps_and_truths)])
    assert {key: float(value) for key, value in table.items()} == pytest.approx(expected, abs=6e-5)
    assert 0 < expected["maxF"] < expected["maxF_paper"] < 1


def test_json_has_every_measure_and_nothing_else(maps_and_truths: tuple[Path, Path], tmp_path: Path) -> None:
    to_stdout = run(*maps_and_truths, "--json", "-")
    found = json.loads(to_stdout.stdout)
    assert list(found) == list(KEYS)
    quiet = run(*maps_and_truths, "--json", tmp_path / "measures.json", "--quiet")
    assert quiet.output == ""
    assert json.loads((tmp_path / "measures.json").read_text()) == found


def test_number_of_threads_changes_no_number(maps_and_truths: tuple[Path, Path]) -> None:
    one, four = (run(*maps_and_truths, "--json", "-", "--threads", threads).stdout for threads in ("1", "4"))
    assert one == four


def test_model_gives_what_its_written_maps_give(tmp_path: Path) -> None:
    model = tmp_path / "small.onnx"
    model.write_bytes(small_network(32))
    random = np.random.default_rng(1)
    for name, size in (("a.jpg", (40, 60)), ("b.png", (50, 30)), ("deep/c.webp", (64, 64))):
        save(tmp_path / "images" / name, random.integers(0, 255, (*size, 3), np.uint8))
        truth = (tmp_path / "truths" / name).with_suffix(".png")
        save(truth, random.integers(0, 2, size, np.uint8) * 255)
    arguments = ["saliency", "-m", str(model), str(tmp_path / "images"), "-o", str(tmp_path / "maps")]
    assert u2net(*arguments).return_value == 0
    of_files = run(tmp_path / "maps", tmp_path / "truths", "--json", "-")
    of_model = run("-m", model, "--images", tmp_path / "images", "--truths", tmp_path / "truths", "--json", "-")
    assert of_model.exit_code == 0, of_model.output
    assert json.loads(of_model.stdout) == json.loads(of_files.stdout)
    assert json.loads(of_model.stdout)["n"] == 3


def test_report_is_one_page_that_needs_nothing_else(maps_and_truths: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "pictures" / f"{name}.jpg", np.stack([disk(9)] * 3, -1))
    result = run(*maps_and_truths, "--images", tmp_path / "pictures", "--report", tmp_path / "report")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<(?:script|link|iframe|object)|@import|url\((?!#)", page) == []
    assert all(address.startswith(("data:image/", "#")) for address in re.findall(r'(?:src|href)="([^"]+)"', page))
    for key in KEYS:
        assert f"<th>{key}</th>" in page
    assert page.count("<svg") == 3
    with (tmp_path / "report" / "pictures.csv").open(encoding="utf-8", newline="") as stream:
        by_s = [row["picture"] for row in sorted(csv.DictReader(stream), key=lambda row: float(row["S"]))]
    assert by_s[:2] == ["deep/d", "c"]
    assert re.findall(r"<figcaption><b>(.+?)</b>", page) == [*by_s[:3], by_s[4], by_s[3]]  # the worst, then the best
    assert (page.count('alt="picture"'), page.count('alt="map"'), page.count('alt="truth"')) == (2, 5, 5)
    assert page.count("empty truth<") == 1
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["index.html", "pictures.csv"]


def test_report_is_made_without_a_picture_that_cannot_be_read(
    maps_and_truths: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"no picture")
    assert run(*maps_and_truths, "--images", "pictures", "--report", "report").exit_code == 0
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count("the picture cannot be read") == 1
    assert page.count('alt="map"') == 5


def test_table_of_pictures_has_a_row_each(maps_and_truths: tuple[Path, Path], tmp_path: Path) -> None:
    run(*maps_and_truths, "--report", tmp_path / "report")
    with (tmp_path / "report" / "pictures.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["picture"] for row in rows] == ["a", "b", "c", "deep/d", "e"]
    assert [row["empty_truth"] for row in rows] == ["0", "0", "0", "0", "1"]
    found = json.loads(run(*maps_and_truths, "--json", "-").stdout)
    for key in (
        "MAE",
        "wF",
        "S",
        "adpF",
        "IoU",
        "relaxF",
        "meanF",
        "meanE",
    ):  # a mean over pictures is that of the rows
        assert np.mean([float(row[key]) for row in rows]) == pytest.approx(found[key], abs=1e-6)


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    name = "<b>&'\""
    save(tmp_path / "maps" / f"{name}.png", disk(9))
    save(tmp_path / "truths" / f"{name}.png", disk(9))
    assert run(tmp_path / "maps", tmp_path / "truths", "--report", tmp_path / "report").exit_code == 0
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "<b>&lt;b&gt;&amp;&#x27;&quot;</b>" in page
    assert page.count("<figure>") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only there may a name be no text")
def test_name_that_is_no_text_is_no_obstacle(tmp_path: Path) -> None:
    for folder in ("maps", "truths"):
        path = save(tmp_path / folder / "x.png", disk(9))
        path.rename(path.with_name("caf\udce9.png"))
    assert run(tmp_path / "maps", tmp_path / "truths", "--report", tmp_path / "report").exit_code == 0
    assert b"caf\xe9," in (tmp_path / "report" / "pictures.csv").read_bytes()


def test_truth_may_be_in_color_of_16_bits_or_of_0_and_1(tmp_path: Path) -> None:
    truth = np.where(disk(12) > 128, 255, 0).astype(np.uint8)
    for number, written in enumerate(
        [
            np.stack([truth] * 3, -1),
            truth.astype(np.uint16) * 257,
            truth // 255,
            np.dstack([truth] * 3 + [truth * 0 + 255]),
        ]
    ):
        path = save(tmp_path / f"{number}.png", written)
        assert ((read_mask(path) > 128) == (truth > 0)).all()
        assert score(truth, read_mask(path)).values["MAE"] == 0
    assert not read_mask(save(tmp_path / "black.png", truth * 0)).any()


def test_cutout_counts_by_its_alpha(tmp_path: Path) -> None:
    alpha = disk(12)
    path = save(tmp_path / "cutout.png", np.dstack([alpha * 0 + 90] * 3 + [alpha]))
    assert (read_map(Pair("cutout", path, path)) == alpha).all()
    assert (read_mask(path) == alpha).all()
    opaque = save(tmp_path / "opaque.png", np.dstack([alpha] * 3 + [alpha * 0 + 255]))
    assert (read_map(Pair("opaque", opaque, opaque)) == alpha).all()


def test_empty_cutout_is_an_empty_truth(tmp_path: Path) -> None:
    path = save(tmp_path / "empty.png", np.dstack([disk(12) * 0 + 200] * 3 + [disk(12) * 0]))
    assert not read_mask(path).any()


def test_profile_of_a_grey_file_changes_no_number(tmp_path: Path) -> None:
    Image.fromarray(disk(12)).save(tmp_path / "a.png", icc_profile=grey_profile(1.8))
    assert (read_mask(tmp_path / "a.png") == disk(12)).all()
    assert (read_map(Pair("a", tmp_path / "a.png", tmp_path / "a.png")) == disk(12)).all()


def test_graded_truth_is_cut_where_one_says(tmp_path: Path) -> None:
    graded = np.where(disk(12) > 128, 255, np.where(disk(18) > 128, 40, 0)).astype(np.uint8)
    save(tmp_path / "maps" / "a.png", np.where(graded > 0, 255, 0).astype(np.uint8))
    save(tmp_path / "truths" / "a.png", graded)
    found = {}
    for share in ("0", "0.1", "0.2", None):
        arguments = [] if share is None else ["--truth-above", share]
        found[share] = json.loads(run(tmp_path / "maps", tmp_path / "truths", "--json", "-", *arguments).stdout)["IoU"]
    assert found["0"] == found["0.1"] == 1
    assert found["0.2"] == found[None] == pytest.approx((graded == 255).sum() / (graded > 0).sum())


def test_missing_partners_are_all_named(maps_and_truths: tuple[Path, Path]) -> None:
    maps, truths = maps_and_truths
    (maps / "a.png").unlink()
    (truths / "deep" / "d.bmp").unlink()
    with pytest.raises(BadInput) as caught:
        pair_up(maps, truths)
    assert str(caught.value) == (
        f"{maps} and {truths} do not hold the same names:"
        f"\n  {truths / 'a.bmp'} has no partner in {maps}\n  {maps / 'deep' / 'd.png'} has no truth in {truths}"
    )
    for number in range(20):
        save(maps / f"{number}.png", disk(3))
    with pytest.raises(BadInput) as caught:
        pair_up(maps, truths)
    assert len(str(caught.value).splitlines()) == 12
    assert str(caught.value).endswith("\n  and 12 more")


def test_other_size_names_both(maps_and_truths: tuple[Path, Path]) -> None:
    maps, truths = maps_and_truths
    save(maps / "b.png", disk(12)[:, :-1])
    result = run(maps, truths)
    assert isinstance(result.exception, BadInput) and result.stdout == ""
    expected = f"{maps / 'b.png'} is 63 x 48 and its truth {truths / 'b.bmp'} 64 x 48; both must be of one size"
    assert expected in str(result.exception)


def test_everything_unreadable_is_named_before_there_is_a_number(maps_and_truths: tuple[Path, Path]) -> None:
    maps, truths = maps_and_truths
    (maps / "a.png").write_bytes(b"not a picture")
    data = (truths / "c.bmp").read_bytes()
    (truths / "c.bmp").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInput) as caught:
        evaluate(pair_up(maps, truths), read_map)
    first, *rest = str(caught.value).splitlines()
    assert first == "some cannot be measured, so there is no number for the set:"
    assert [str(path) in line for path, line in zip((maps / "a.png", truths / "c.bmp"), rest, strict=True)] == [
        True
    ] * 2


def test_problem_without_a_name_gets_one(maps_and_truths: tuple[Path, Path]) -> None:
    def fail(pair: Pair) -> np.ndarray:
        raise BadInput("the network's map holds NaN")

    with pytest.raises(BadInput) as caught:
        evaluate(pair_up(*maps_and_truths), fail)
    assert str(caught.value).splitlines()[1] == f"  {maps_and_truths[0] / 'a.png'}: the network's map holds NaN"


def test_tenth_problem_is_the_last(tmp_path: Path) -> None:
    for number in range(30):
        save(tmp_path / "maps" / f"{number:02}.png", disk(3)[1:])
        save(tmp_path / "truths" / f"{number:02}.png", disk(3))
    with pytest.raises(BadInput, match="stopped at the tenth") as caught:
        evaluate(pair_up(tmp_path / "maps", tmp_path / "truths"), read_map)
    assert len(str(caught.value).splitlines()) == 11


def test_two_files_of_one_name_are_refused(maps_and_truths: tuple[Path, Path]) -> None:
    save(maps_and_truths[0] / "a.jpg", disk(3))
    with pytest.raises(BadInput, match=r"a\.jpg and .*a\.png have one name; which is meant"):
        pair_up(*maps_and_truths)


def test_folder_that_is_none_or_empty_is_said(tmp_path: Path) -> None:
    save(tmp_path / "one.png", disk(3))
    (tmp_path / "empty").mkdir()
    for folder, message in (("one.png", "is not a folder"), ("none", "no such folder"), ("empty", "holds no pictures")):
        with pytest.raises(BadInput, match=message):
            pair_up(tmp_path / folder, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give two folders"),
        (["maps"], "expected two folders, MAPS and TRUTHS, got 1"),
        (["maps", "truths", "more"], "got 3"),
        (["--images", "pictures"], "give two folders"),
        (["maps", "truths", "--truths", "truths"], "given twice"),
        (["maps", "truths", "-m", "u2netp"], "a folder of maps needs no model; leave out --model"),
        (["maps", "truths", "--precision", "bf16"], "a folder of maps needs no model; leave out --precision"),
        (["maps", "truths", "--require-device"], "a folder of maps needs no model; leave out --require-device"),
        (["maps", ""], "an empty name"),
        (["maps", "truths", "--report", ""], "an empty name"),
    ],
)
def test_command_line_that_means_nothing_is_said(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exception and message in str(result.exception)
    assert result.exception.exit_code == 2  # type: ignore[attr-defined]


def test_numbers_are_printed_even_where_they_cannot_be_written(maps_and_truths: tuple[Path, Path]) -> None:
    result = run(*maps_and_truths, "--json", maps_and_truths[0] / "none" / "measures.json")
    assert isinstance(result.exception, CannotWrite)
    assert "maxF_paper" in result.stdout


def test_report_that_cannot_be_made_is_said_first(maps_and_truths: tuple[Path, Path]) -> None:
    result = run(*maps_and_truths, "--report", maps_and_truths[0] / "a.png" / "report")
    assert isinstance(result.exception, CannotWrite)
    assert result.stdout == ""


def test_missing_extra_is_said_before_anything_is_fetched(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "py_sod_metrics", None)
    result = run("--images", EXAMPLES, "--truths", EXAMPLES)
    assert isinstance(result.exception, MissingExtra)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(EXAMPLES, EXAMPLES, "--report", tmp_path / "report")
    assert isinstance(result.exception, MissingExtra)
    assert f"a report needs matplotlib; {install_hint('evaluate')}" in str(result.exception)
    assert not cache.exists() and not (tmp_path / "report").exists()


def test_folder_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, onerror: object) -> list[object]:
        onerror(PermissionError(13, "Permission denied", str(folder)))  # type: ignore[operator]
        return []

    monkeypatch.setattr(os, "walk", refuse)
    with pytest.raises(UnreadablePicture, match="the folder cannot be read: Permission denied"):
        pair_up(tmp_path, tmp_path)


def test_evaluating_loads_no_torch(maps_and_truths: tuple[Path, Path]) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from u2net.cli import cli;"
        "result = CliRunner().invoke(cli, ['evaluate', *sys.argv[1:], '--report', 'report'], standalone_mode=False);"
        "assert result.exit_code == 0, result.output;"
        "print(*[name for name in ('torch', 'openvino', 'onnxruntime') if name in sys.modules])"
    )
    arguments = [sys.executable, "-c", code, *map(str, maps_and_truths)]
    assert subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip() == ""


KNOWN = {  # data/README.md: PySODMetrics 1.6.2 over maps made with ONNX Runtime, not by this code
    "u2netp": {"MAE": 0.0275, "wF": 0.9123, "S": 0.9402, "maxE": 0.9670, "maxF": 0.9514, "maxF_paper": 0.9632},
    "u2net": {"MAE": 0.0224, "wF": 0.9324, "S": 0.9468, "maxE": 0.9719, "maxF": 0.9577, "maxF_paper": 0.9666},
}


@pytest.mark.parametrize("model", ["u2netp", pytest.param("u2net", marks=pytest.mark.slow)])
def test_known_figures_of_ecssd_100(model: str, reference: Path, tmp_path: Path) -> None:
    folder = reference / "ecssd-100"
    result = run(
        *("-m", model, "--precision", "f32", "--images", folder / "images", "--truths", folder / "truths"),
        *("--json", "-", "--report", tmp_path / "report"),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["n"], found["empty_truths"]) == (100, 0)
    assert {key: found[key] for key in KNOWN[model]} == pytest.approx(KNOWN[model], abs=0.0003)
    page = tmp_path / "report" / "index.html"
    assert page.stat().st_size < 2_000_000
    assert page.read_text(encoding="utf-8").count("<figure>") == 16
