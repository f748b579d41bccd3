"""The command line's contract: what it writes, prints and returns."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command_line import exit_of, remove, u2net
from support.paths import EXAMPLES
from u2net.inference.open_session import open_session
from u2net.inference.session import Session
from u2net.models.cache import cache_dir
from u2net.system.install import install_hint
from u2net.version import __version__


@pytest.fixture
def folder(folder: Path) -> Path:
    """The usual one, with cat.png as well."""
    shutil.copy(EXAMPLES / "cat.png", folder)
    return folder


@pytest.mark.parametrize("edges", ["auto", "soft", "sharp", "hair", "none"])
def test_edges_change_the_rim_of_the_object_and_nothing_else(folder: Path, edges: str) -> None:
    if edges == "hair":
        pytest.importorskip("pymatting", reason="needs the extra matting")
    assert remove("coffee.jpg", "--edges", edges, "-o", "a.png").return_value == 0
    assert remove("coffee.jpg", "--edges", "none", "--no-foreground", "-o", "plain.png").return_value == 0
    found, plain, given = (np.asarray(Image.open(name)) for name in ("a.png", "plain.png", "coffee.jpg"))
    sure = np.abs(plain[..., 3] - 127.5) == 127.5
    assert np.abs(found[..., 3].astype(int) - plain[..., 3])[sure].mean() < 5
    opaque = found[..., 3] == 255
    np.testing.assert_array_equal(found[opaque, :3], given[opaque])
    rim = (found[..., 3] > 30) & (found[..., 3] < 225)
    assert (found[rim, :3] != given[rim]).mean() > 0.5  # the table shines through no more
    np.testing.assert_array_equal(plain[plain[..., 3] > 0, :3], given[plain[..., 3] > 0])


def test_hair_without_its_extra_is_said_before_anything_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "pymatting", raising=False)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *of: None if name == "pymatting" else found(name, *of)
    )
    assert exit_of(monkeypatch, "remove", "-m", "u2netp", "--edges", "hair", "coffee.jpg") == 5
    assert install_hint("matting") in capsys.readouterr().err
    assert not list(folder.glob("*.cutout.png"))


def test_cutout_lies_beside_its_input_and_is_named_on_stdout(folder: Path) -> None:
    result = remove("coffee.jpg")
    assert (result.return_value, result.stdout) == (0, "coffee.cutout.png\n")
    with Image.open("coffee.cutout.png") as cutout:
        assert (cutout.mode, cutout.size) == ("RGBA", (600, 400))
        alpha = np.asarray(cutout)[..., 3]
    assert alpha[0, 0] == 0
    assert alpha[200, 280] == 255


def test_json_has_one_line_a_picture(folder: Path) -> None:
    result = remove("coffee.jpg", "gravel.jpg", "-o", "out", "--json")
    coffee, gravel = map(json.loads, result.stdout.splitlines())
    assert coffee["input"] == "coffee.jpg"
    assert Path(coffee["output"]) == Path("out/coffee.png")
    assert coffee["size"] == [400, 600]
    left, top, right, bottom = coffee["box"]
    assert 60 < left < 100 and 5 < top < 30 and 470 < right < 490 and 380 < bottom <= 400
    assert 0.4 < coffee["coverage"] < 0.55
    assert coffee["confidence"] > 0.9
    assert set(coffee["times_s"]) == {"read", "work", "write"}
    assert (gravel["box"], gravel["coverage"], gravel["found"]) == (None, 0, False)


def test_json_says_what_the_network_computed_in(folder: Path) -> None:
    told, written = {}, {}
    for wanted in ("auto", "f32", "int8"):
        told[wanted] = json.loads(remove("coffee.jpg", "--precision", wanted, "--json").stdout)["precision"]
        written[wanted] = Path("coffee.cutout.png").read_bytes()
    assert told == {"auto": open_session("u2netp").precision, "f32": "f32", "int8": "int8"}
    assert written["f32"] != written["int8"]
    assert written["auto"] == written[told["auto"]]


def test_picture_without_an_object_warns_once_and_exits_0(folder: Path) -> None:
    result = remove("gravel.jpg")
    assert result.return_value == 0
    assert result.stderr.count("no object found") == 1
    assert not np.asarray(Image.open("gravel.cutout.png")).any()


def test_fail_if_empty_exits_3_and_writes_nothing(folder: Path) -> None:
    assert remove("gravel.jpg", "--fail-if-empty").return_value == 3
    assert remove("gravel.jpg", "coffee.jpg", "--fail-if-empty").return_value == 3
    assert not Path("gravel.cutout.png").exists()
    assert Path("coffee.cutout.png").exists()


def test_one_bad_file_is_reported_and_the_rest_go_on(folder: Path) -> None:
    Path("bad.jpg").write_text("not a picture")
    result = remove("bad.jpg", "coffee.jpg", "--json")
    assert result.return_value == 1
    bad, coffee = map(json.loads, result.stdout.splitlines())
    assert "not a picture" in bad["error"]
    assert Path(coffee["output"]).exists()
    assert "1 of 2 pictures failed" in result.stderr
    assert not Path("bad.cutout.png").exists()


def test_one_bad_file_alone_gives_its_own_exit_code(folder: Path) -> None:
    assert remove("nowhere.jpg").return_value == 2


def test_quiet_still_prints_errors(folder: Path) -> None:
    result = remove("--quiet", "coffee.jpg", "nowhere.jpg")
    assert result.stdout == ""
    assert "nowhere.jpg" in result.stderr


def test_pipe_in_and_out(folder: Path) -> None:
    result = remove("-", stdin=Path("coffee.jpg").read_bytes())
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert remove("coffee.jpg", "-o", "-").stdout_bytes == result.stdout_bytes


def test_only_mask_is_the_cutouts_alpha(folder: Path) -> None:
    remove("coffee.jpg")
    remove("coffee.jpg", "--only-mask")
    with Image.open("coffee.mask.png") as mask:
        assert mask.mode == "L"
        np.testing.assert_array_equal(np.asarray(mask), np.asarray(Image.open("coffee.cutout.png"))[..., 3])


@pytest.mark.parametrize("background", ["#ff0000", "red", "cat.png"])
def test_background_fills_what_was_cut_away(folder: Path, background: str) -> None:
    assert remove("coffee.jpg", "--background", background, "-o", "laid.png").return_value == 0
    with Image.open("laid.png") as laid:
        assert laid.mode == "RGB"
        if background != "cat.png":
            assert laid.getpixel((0, 0)) == (255, 0, 0)


def test_jpeg_goes_over_white_and_says_so_once(folder: Path) -> None:
    result = remove("coffee.jpg", "cat.png", "--format", "jpeg", "-o", "out")
    assert result.stderr.count("laid over white") == 1
    assert min(Image.open("out/coffee.jpg").getpixel((0, 0))) >= 253


def test_saliency_writes_grey_or_the_float_map(folder: Path) -> None:
    assert u2net("saliency", "coffee.jpg", "-m", "u2netp", "-o", "maps/").return_value == 0
    assert u2net("saliency", "coffee.jpg", "-m", "u2netp", "--npy").return_value == 0
    grey, values = Image.open("maps/coffee.png"), np.load("coffee.saliency.npy")
    assert (grey.mode, grey.size) == ("L", (600, 400))
    assert (values.dtype, values.shape) == (np.float32, (400, 600))
    assert np.abs(np.asarray(grey) / 255 - values).max() < 0.02


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["remove", "coffee.jpg", "-m", "u2nettp"], 2, "did you mean 'u2netp'"),
        (["remove", "coffee.jpg", "--background", "nocolour"], 2, "nocolour"),
        (["remove", "coffee.jpg", "--only-mask", "--background", "red"], 2, "exclude each other"),
        (["remove", "coffee.jpg", "-o", "coffee.jpg"], 2, "would replace this input"),
        (["remove", "-", "-o", "-", "--json"], 2, "both want standard output"),
        (["remove", "coffee.jpg", "-m", "nowhere.onnx"], 4, "no such model file"),
        (["remove", "coffee.jpg", "-m", "u2netp", "--device", "npu", "--require-device"], 5, "npu"),
        (["remove", "--nonsense"], 2, "No such option"),
        (["remove", "coffee.jpg", "-m", "u2netp", "--max-megapixels", "0.1"], 2, "--max-megapixels"),
        (["remove", "coffee.jpg", "--max-megapixels", "inf"], 2, "inf is not a number above 0"),
        (["remove", "coffee.jpg", "--max-megabytes", "nan"], 2, "nan is not a number above 0"),
        (["remove", "coffee.jpg", "--max-megabytes", "-1"], 2, "-1 is not a number above 0"),
        (["remove", "coffee.jpg", "--background", ""], 2, "the background '' is no file, and no colour"),
        (["remove", "coffee.jpg", "--background", "x" * 5000], 2, "is no file, and no colour"),
        (["remove", "coffee.jpg", "--background", "cat.png", "--max-megapixels", "0.01"], 2, "cat.png"),
        (["saliency", "coffee.jpg", "-o", "a.npy", "--quality", "50"], 2, "a NumPy file has no --format, --quality"),
    ],
)
def test_each_mistake_has_its_sentence_and_exit_code(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    before = sorted(folder.iterdir())
    assert exit_of(monkeypatch, *arguments) == code
    assert message in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_offline_without_weights_exits_4(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("U2NET_CACHE", str(folder / "empty"))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("U2NET_HOME", raising=False)
    monkeypatch.delenv("REMBG_HOME", raising=False)
    assert exit_of(monkeypatch, "remove", "coffee.jpg", "--offline") == 4
    message = capsys.readouterr().err
    for part in ("u2net.onnx", "sha256:8d10d2f3", str(folder / "empty"), "u2net models pull u2net"):
        assert part in message


def test_help_has_an_example_for_every_command() -> None:
    models = [["models", name] for name in ("list", "pull", "verify", "path", "import", "rm")]
    for arguments in ([], ["remove"], ["crop"], ["replace"], ["box"], ["saliency"], *models):
        assert "Example" in u2net(*arguments, "--help").output


def test_nothing_is_told_to_anybody_and_the_home_folder_stays_as_it_is(folder: Path, small: Session) -> None:
    home = folder / "home"
    home.mkdir()
    keep = {**os.environ, "U2NET_CACHE": str(cache_dir()), "HOME": str(home), "USERPROFILE": str(home), "CI": "false"}
    command = [sys.executable, "-X", "importtime", "-m", "u2net", "remove", "coffee.jpg", "-m", "u2netp"]
    result = subprocess.run(command, env=keep, capture_output=True, text=True, check=True)
    assert " openvino\n" in result.stderr
    assert "openvino_telemetry." not in result.stderr
    assert list(home.iterdir()) == []


def test_module_runs_as_the_command_does() -> None:
    result = subprocess.run([sys.executable, "-m", "u2net", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"u2net {__version__}\n")


def test_version_names_the_engines_and_loads_none() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "u2net", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    python, openvino, onnxruntime = result.stdout.splitlines()[1:]
    assert python == f"Python {platform.python_version()}"
    assert openvino == f"openvino {metadata.version('openvino')}"
    assert onnxruntime.split()[0].startswith("onnxruntime")
    for heavy in ("numpy", "openvino", "onnxruntime"):
        assert not re.search(rf" {heavy}$", result.stderr, re.MULTILINE)


def test_version_says_which_engine_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {"openvino": {}, "onnxruntime": {"onnxruntime-gpu": "1.31.1"}}
    monkeypatch.setattr("u2net.cli.installed", packages.__getitem__)
    assert u2net("--version").stdout.splitlines()[2:] == ["openvino not installed", "onnxruntime-gpu 1.31.1"]
