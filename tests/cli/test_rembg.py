"""u2net rembg i|p|b|d: rembg's flags and pixels, and what differs because rembg's way is a defect."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from support.paths import EXAMPLES
from u2net.batch import process
from u2net.batch import run as running
from u2net.batch.operation import FileWork
from u2net.batch.settings import RunSettings, Watch
from u2net.cli import cli
from u2net.compat.rembg import RembgSession, new_session, remove
from u2net.inference.session import Session
from u2net.system.install import install_hint


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Session) -> Path:
    """A small cat; u2netp is already fetched."""
    picture("cat.png", tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def loaded() -> RembgSession:
    """What the command itself opens."""
    return new_session("u2netp")


def picture(example: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(EXAMPLES / example).convert("RGB").resize((150, 100)).save(path)


def rembg(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["rembg", *arguments], input=stdin, standalone_mode=False)


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_one_picture_becomes_what_the_library_makes_of_it(folder: Path, loaded: RembgSession) -> None:
    assert rembg("i", "-m", "u2netp", "cat.jpg", "out/cat.png").exit_code == 0
    np.testing.assert_array_equal(
        Image.open("out/cat.png"), opened(remove(Path("cat.jpg").read_bytes(), session=loaded))
    )


def test_standard_input_goes_to_standard_output(folder: Path) -> None:
    data = Path("cat.jpg").read_bytes()
    piped = rembg("i", "-m", "u2netp", "-om", stdin=data).stdout_bytes
    assert opened(piped).shape == (100, 150)
    assert rembg("i", "-m", "u2netp", "-om", "cat.jpg").stdout_bytes == piped
    assert rembg("i", "-m", "u2netp", "-om", "-", "-", stdin=data).stdout_bytes == piped


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        (["-om"], {"only_mask": True}),
        (["-ppm", "-om"], {"post_process_mask": True, "only_mask": True}),
        (["-bgc", "255", "204", "0", "255"], {"bgcolor": (255, 204, 0, 255)}),
        (["-x", '{"putalpha": true}'], {"putalpha": True, "bgcolor": (0, 0, 0, 0)}),
        (["-x", '{"only_mask": true, "precision": "f32"}'], {"only_mask": True}),
    ],
)
def test_each_flag_is_the_argument_of_its_name(
    folder: Path, loaded: RembgSession, flags: list[str], arguments: dict[str, object]
) -> None:
    result = rembg("i", "-m", "u2netp", *flags, "cat.jpg")
    expected = opened(remove(Path("cat.jpg").read_bytes(), session=loaded, **arguments))
    np.testing.assert_array_equal(opened(result.stdout_bytes), expected)


def test_matting_flags_reach_the_library(folder: Path, loaded: RembgSession) -> None:
    pytest.importorskip("pymatting", reason="needs the extra u2net[matting]")
    result = rembg("i", "-m", "u2netp", "-a", "-af", "220", "-ab", "30", "-ae", "3", "cat.jpg")
    expected = remove(
        Path("cat.jpg").read_bytes(),
        alpha_matting=True,
        alpha_matting_foreground_threshold=220,
        alpha_matting_background_threshold=30,
        alpha_matting_erode_size=3,
        session=loaded,
        bgcolor=(0, 0, 0, 0),
    )
    np.testing.assert_array_equal(opened(result.stdout_bytes), opened(expected))


def test_result_without_a_name_lies_beside_its_input_on_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    cli(["rembg", "i", "-m", "u2netp", "cat.jpg"], standalone_mode=False)
    assert capsys.readouterr().out == "cat.out.png\n"
    assert Image.open("cat.out.png").mode == "RGBA"


def test_result_named_like_another_format_is_a_png_and_says_so(folder: Path) -> None:
    result = rembg("i", "-m", "u2netp", "cat.jpg", "out.jpg")
    assert result.exit_code == 0
    assert "out.jpg: is written as a PNG" in result.stderr
    assert Image.open("out.jpg").format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["i", "nowhere.jpg", "out.png"], 2, "nowhere.jpg: cannot be read: No such file"),
        (["i", "cat.jpg", "cat.jpg"], 2, "the result would replace the input"),
        (["i", "-m", "bria-rmbg", "cat.jpg", "out.png"], 2, "need a paid licence; there are u2net, u2netp"),
        (["i", "-vm", "cat.jpg", "out.png"], 2, "ViTMatte is not here; use alpha matting (-a)"),
        (["i", "-x", "{", "cat.jpg", "out.png"], 2, "is no JSON"),
        (["i", "-x", "[]", "cat.jpg", "out.png"], 2, "is no JSON object"),
        (["i", "-x", '{"alpha_mating": true}', "cat.jpg", "out.png"], 2, "knows no 'alpha_mating'"),
        (["i", "-x", '{"only_mask": 1}', "cat.jpg", "out.png"], 2, "wants a bool for 'only_mask'"),
        (["i", "-bgc", "0", "0", "0", "256", "cat.jpg", "out.png"], 2, "256 is not in the range"),
        (["p", "cat.jpg", "out"], 2, "is no folder; for one picture use: u2net rembg i"),
        (["p", "nowhere", "out"], 2, "nowhere: is no folder"),
        (["p", ".", "."], 2, "the results would lie among the inputs"),
        (["p", ".", "out.png"], 2, "several pictures need a folder"),
        (["b", "10", "0"], 2, "0 is not in the range"),
        (["b", "100000", "100000"], 2, "over the limit of 160 megapixels"),
        (["b", "2", "2", "-o", "out.png"], 2, "write where the number goes"),
        (["b", "2", "2", "-o", "out%.0s.png"], 2, "would write every picture to one file"),
        (["d", "u2nettp"], 2, "did you mean 'u2netp'"),
        (["s"], 2, "the HTTP server is not here yet"),
        (["s", "--port", "7000"], 2, "the HTTP server is not here yet"),
    ],
)
def test_each_mistake_has_its_sentence_and_writes_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    sentence: str,
) -> None:
    from u2net.cli import main

    before = sorted(folder.iterdir())
    monkeypatch.setattr(sys, "argv", ["u2net", "rembg", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert sorted(folder.iterdir()) == before


def test_damaged_picture_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.jpg").write_bytes(b"no picture")
    result = rembg("i", "-m", "u2netp", "bad.jpg", "out.png")
    assert str(result.exception).startswith("bad.jpg: is not a picture")
    assert not Path("out.png").exists()


def test_matting_without_pymatting_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pymatting", "pymatting.alpha.estimate_alpha_cf"):
        monkeypatch.setitem(sys.modules, name, None)
    result = rembg("p", "-m", "u2netp", "-a", ".", "out")
    assert str(result.exception) == f"alpha matting needs pymatting; {install_hint('matting')}"
    assert getattr(result.exception, "exit_code", None) == 5
    assert not Path("out").exists()


# -- p


def test_folder_keeps_its_structure(folder: Path) -> None:
    picture("coffee.jpg", folder / "in" / "cat.jpg")
    picture("cat.png", folder / "in" / "deep" / "cat.jpg")
    result = rembg("p", "-m", "u2netp", "in", "out")
    assert (result.exit_code, result.return_value) == (0, 0)
    assert sorted(map(str, Path("out").rglob("*.png"))) == ["out/cat.png", "out/deep/cat.png"]
    assert not np.array_equal(Image.open("out/cat.png"), Image.open("out/deep/cat.png"))


def test_two_pictures_with_one_result_are_refused_before_the_first_is_written(folder: Path) -> None:
    picture("coffee.jpg", folder / "in" / "a.jpg")
    picture("cat.png", folder / "in" / "a.png")
    for flags in ([], ["-w"], ["-d"]):
        result = rembg("p", "-m", "u2netp", *flags, "in", "out")
        assert "would both be written to" in str(result.exception)
        assert not Path("out").exists()
    assert len(list(Path("in").iterdir())) == 2


def test_failure_is_reported_and_the_rest_goes_on_and_the_exit_code_is_1(folder: Path) -> None:
    picture("coffee.jpg", folder / "in" / "good.jpg")
    Path("in/bad.jpg").write_bytes(b"no picture")
    result = rembg("p", "-m", "u2netp", "in", "out")
    assert result.return_value == 1
    assert "in/bad.jpg: is not a picture" in result.stderr
    assert "1 of 2 pictures failed" in result.stderr
    assert result.stdout == "out/good.png\n"


def test_only_inputs_whose_result_was_written_are_deleted(folder: Path) -> None:
    for name in ("done", "earlier"):
        picture("coffee.jpg", folder / "in" / f"{name}.jpg")
    Path("in/bad.jpg").write_bytes(b"no picture")
    Path("in/notes.txt").write_text("keep me")
    Path("out").mkdir()
    Path("out/earlier.png").write_bytes(b"another program's")
    result = rembg("p", "-m", "u2netp", "-d", "in", "out")
    assert result.return_value == 1
    assert sorted(path.name for path in Path("in").iterdir()) == ["bad.jpg", "earlier.jpg", "notes.txt"]
    assert Path("out/earlier.png").read_bytes() == b"another program's"
    assert "1 of 3 skipped: their results were there already" in result.stderr


def test_result_that_cannot_be_written_keeps_its_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from u2net.errors import CannotWrite

    def full(path: Path, data: bytes, *, owner: str = "") -> None:
        raise CannotWrite(f"{path}: cannot be written: No space left on device")

    picture("coffee.jpg", folder / "in" / "a.jpg")
    monkeypatch.setattr("u2net.batch.process.write_bytes", full)
    assert rembg("p", "-m", "u2netp", "-d", "in", "out").return_value == 1
    assert Path("in/a.jpg").exists()


# -- p -w


@pytest.fixture
def watching(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], Result]:
    """Watches `in` into `out` while a function works on the files; then stops by stop.txt."""
    monkeypatch.setattr(running, "POLL_S", 0.05)

    def watch(work: Callable[[], None], *flags: str) -> Result:
        def run() -> None:
            try:
                work()
            finally:
                Path("in/stop.txt").touch()

        Path("in").mkdir(exist_ok=True)
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(run)
            result = rembg("p", "-m", "u2netp", "-w", *flags, "in", "out")
            working.result()
        return result

    return watch


def wait_for(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.02)


def test_watch_takes_what_is_there_and_what_comes_and_ends_at_stop_txt(
    watching: Callable[..., Result], folder: Path
) -> None:
    picture("coffee.jpg", folder / "in" / "first.jpg")

    def work() -> None:
        wait_for(lambda: Path("out/first.png").exists())
        picture("cat.png", folder / "in" / "deep" / "second.jpg")
        wait_for(lambda: Path("out/deep/second.png").exists())

    result = watching(work)
    assert (result.exit_code, result.return_value) == (0, 0)
    assert result.stdout.splitlines() == ["out/first.png", "out/deep/second.png"]
    assert not Path("in/stop.txt").exists()


def test_watch_waits_until_a_file_is_complete(watching: Callable[..., Result], folder: Path) -> None:
    whole = (folder / "cat.jpg").read_bytes()

    def work() -> None:
        with Path("in/slow.jpg").open("wb") as stream:
            for start in range(0, len(whole), len(whole) // 8):
                stream.write(whole[start : start + len(whole) // 8])
                stream.flush()
                time.sleep(0.03)  # shorter than a poll
        wait_for(lambda: Path("out/slow.png").exists())

    result = watching(work, "-d")
    assert result.return_value == 0
    assert result.stderr == ""
    assert not Path("in/slow.jpg").exists()


def test_watched_file_that_failed_is_tried_again_when_it_changes(watching: Callable[..., Result], folder: Path) -> None:
    def work() -> None:
        Path("in/a.jpg").write_bytes(b"no picture yet")
        time.sleep(1)
        shutil.copy("cat.jpg", "in/a.jpg")
        wait_for(lambda: Path("out/a.png").exists())

    result = watching(work)
    assert result.return_value == 0
    assert result.stderr.count("is not a picture") == 1


def test_watched_file_whose_result_is_anothers_fails_and_stays(watching: Callable[..., Result], folder: Path) -> None:
    def work() -> None:
        picture("coffee.jpg", folder / "in" / "a.jpg")
        wait_for(lambda: Path("out/a.png").exists())
        picture("cat.png", folder / "in" / "a.png")
        time.sleep(1)

    result = watching(work, "-d")
    assert result.return_value == 1
    assert "its result would replace that of in/a.jpg" in result.stderr
    assert Path("in/a.png").exists()


def test_watched_file_takes_the_place_of_one_that_failed(watching: Callable[..., Result], folder: Path) -> None:
    def work() -> None:
        Path("in/a.jpg").write_bytes(b"no picture")
        time.sleep(1)
        shutil.copy("cat.jpg", "in/a.png")
        wait_for(lambda: Path("out/a.png").exists())

    assert watching(work).return_value == 1
    assert Path("out/a.png").exists()


def test_input_that_was_written_to_meanwhile_is_not_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture("coffee.jpg", folder / "in" / "a.jpg")
    real = process.write_bytes

    def write_and_change(path: Path, data: bytes, **how: Any) -> None:
        real(path, data, **how)
        with Path("in/a.jpg").open("ab") as stream:
            stream.write(b"more")

    monkeypatch.setattr(process, "write_bytes", write_and_change)
    assert rembg("p", "-m", "u2netp", "-d", "in", "out").return_value == 0
    assert Path("in/a.jpg").exists() and Path("out/a.png").exists()


def test_input_that_cannot_be_read_to_its_end_fails_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        picture("cat.png", folder / "in" / f"{name}.jpg")
    real = process.open_source

    @contextlib.contextmanager
    def failing(source: Any, max_bytes: int) -> Iterator[Any]:
        with real(source, max_bytes) as opened:
            if "a.jpg" in str(source):
                opened.stream.close()
                opened = dataclasses.replace(opened, stream=Broken())
            yield opened

    monkeypatch.setattr(process, "open_source", failing)
    monkeypatch.setattr(process, "declared_pixels", lambda opened: 1)
    result = rembg("p", "-m", "u2netp", "in", "out")
    assert result.return_value == 1
    assert "in/a.jpg: cannot be read: Input/output error" in result.stderr
    assert Path("out/b.png").exists()


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_watch_ends_cleanly_at_ctrl_c(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter([signal.SIGINT])

    def interrupt(_: float) -> None:
        for number in asked:
            signal.raise_signal(number)

    Path("in").mkdir()
    monkeypatch.setattr(running.time, "sleep", interrupt)
    assert rembg("p", "-m", "u2netp", "-w", "in", "out").return_value == 0


def test_stop_txt_of_an_earlier_run_does_not_stop_this_one(folder: Path) -> None:
    Path("in").mkdir()
    Path("in/stop.txt").touch()
    picture("cat.png", folder / "in" / "a.jpg")
    watch = Watch((Path("in"),), Path("out"), ".png", until=Path("in/stop.txt"))
    run = running.Run([], lambda requests: FileWork(bytes.upper), RunSettings(), watch=watch)
    outcomes = run.outcomes()
    assert next(outcomes).source == Path("in/a.jpg")
    assert Path("out/a.png").read_bytes() == Path("in/a.jpg").read_bytes().upper()
    Path("in/stop.txt").write_text("now")
    assert list(outcomes) == []
    assert not Path("in/stop.txt").exists()


# -- b and d


def test_stream_of_raw_pictures_becomes_a_stream_of_pngs(folder: Path, loaded: RembgSession) -> None:
    frames = [np.asarray(Image.open("cat.jpg")), np.asarray(Image.open("cat.jpg"))[:, ::-1]]
    result = rembg("b", "-m", "u2netp", "150", "100", stdin=b"".join(frame.tobytes() for frame in frames))
    pngs = result.stdout_bytes.split(b"\x89PNG\r\n\x1a\n")[1:]
    assert len(pngs) == 2
    for png, frame in zip(pngs, frames, strict=True):
        expected = remove(np.ascontiguousarray(frame), session=loaded, bgcolor=(0, 0, 0, 0))
        np.testing.assert_array_equal(opened(b"\x89PNG\r\n\x1a\n" + png), expected)


def test_stream_goes_to_numbered_files_and_a_cut_one_is_an_error(folder: Path) -> None:
    frame = Image.open("cat.jpg").tobytes()
    result = rembg("b", "-m", "u2netp", "150", "100", "-o", "out/cat-%03d.png", stdin=frame * 2 + frame[:1000])
    assert "picture 2: 1000 of 45000 bytes; is 150 x 100 the right size?" in str(result.exception)
    assert sorted(path.name for path in Path("out").iterdir()) == ["cat-000.png", "cat-001.png"]


def test_download_names_the_files(folder: Path) -> None:
    result = rembg("d", "u2netp")
    assert result.return_value == 0
    assert Path(result.stdout.strip()).name == "u2netp.onnx"


def test_help_has_an_example_for_every_command() -> None:
    for arguments in ([], ["i"], ["p"], ["b"], ["d"]):
        assert "Example" in rembg(*arguments, "--help").output


def test_flags_are_those_of_rembg() -> None:
    """Read from `rembg i --help` and so on, version 2.0.86."""
    shared = ["-m", "-a", "-af", "-ab", "-ae", "-om", "-ppm", "-vm", "-bgc", "-x"]
    group = cli.get_command(None, "rembg")  # type: ignore[arg-type]
    for name, own in {
        "i": ["-dc"],
        "p": ["-dc", "-w", "-d", "--delete_input", "--accept-usage-cost"],
        "b": ["-o"],
    }.items():
        known = {flag for option in group.commands[name].params for flag in option.opts}  # type: ignore[union-attr]
        assert known >= {*shared, *own}


def test_extras_in_json_may_name_a_file(folder: Path) -> None:
    from support.small_onnx import small_network

    Path("own.onnx").write_bytes(small_network(320))
    extras = json.dumps({"model_path": "own.onnx"})
    assert rembg("i", "-m", "u2net_custom", "-x", extras, "cat.jpg", "out.png").exit_code == 0
    assert Image.open("out.png").size == (150, 100)
