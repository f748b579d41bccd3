"""File names and folders as people have them: the whole command line takes them, or says in a sentence why not."""

from __future__ import annotations

import io
import json
import ntpath
import os
import subprocess
import sys
import types
import unicodedata
from pathlib import Path

import click
import pytest
from PIL import Image

from support.command_line import AS_ANYONE
from support.paths import EXAMPLES
from u2net.batch.inputs import plan
from u2net.cli import main
from u2net.errors import BadInput
from u2net.inference.session import Session

EVERYWHERE = ["ü.jpg", "日本語.jpg", "🐈.jpg", "a b.jpg", "a+b.jpg", "a%20b.jpg", "a[1].jpg", "-cat.jpg", "$x.jpg"]
POSIX = [
    "a'b.jpg",
    "a\nb.jpg",
    "a*.jpg",
    "a?.jpg",
    "a\\b.jpg",
    'a"b.jpg',
    "con.jpg",
    "a:b.jpg",
    "~.jpg",
    "a\x1b[1m.jpg",
]
LINUX = [os.fsdecode(b"\xff\xfe.jpg"), unicodedata.normalize("NFD", "é.jpg")]
NAMES = EVERYWHERE + POSIX * (os.name == "posix") + LINUX * (sys.platform == "linux")


@pytest.fixture(scope="module")
def picture() -> bytes:
    buffer = io.BytesIO()
    with Image.open(EXAMPLES / "coffee.jpg") as image:
        image.reduce(6).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Session) -> Path:
    """An empty folder to work in; u2netp is already fetched."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    return tmp_path / "in"


def run(*arguments: str, bound: bool = False, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`u2net remove` in a process of its own. bound: by the folders' rights, even for root."""
    command = ["-m", "u2net", "remove", "-m", "u2netp", *arguments]
    prefix = [sys.executable, "-c", AS_ANYONE] if bound else [sys.executable]
    result = subprocess.run(
        [*prefix, *command], env={**os.environ, **environment}, capture_output=True, timeout=60, check=False
    )
    assert b"Traceback" not in result.stderr, result.stderr.decode(errors="replace")
    return result


def remove_here(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """`u2net remove` in this process, which is quicker."""
    monkeypatch.setattr(sys, "argv", ["u2net", "remove", "-m", "u2netp", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_name_is_taken_literally_and_printed_as_it_is(
    name: str, folder: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for other in ("a1.jpg", "ab.jpg", name):  # what `a[1].jpg` and `a*.jpg` would match as patterns
        (folder / other).write_bytes(picture)
    assert remove_here(monkeypatch, "--", name) == 0
    cutout = name.replace(".jpg", ".cutout.png")
    assert capfdbinary.readouterr().out == os.fsencode(cutout) + os.linesep.encode()
    assert {path.name for path in folder.iterdir()} == {"a1.jpg", "ab.jpg", name, cutout}
    assert is_png(folder / cutout)


def test_folder_of_such_names_is_done_and_mirrored(folder: Path, picture: bytes) -> None:
    (folder / "ü +\n[1]").mkdir()
    some = NAMES[::3]
    for name in some:
        (folder / "ü +\n[1]" / name).write_bytes(picture)
    result = run(".", "-o", "../out", "--json")
    assert result.returncode == 0
    outputs = [Path(json.loads(line)["output"]) for line in result.stdout.splitlines()]
    assert sorted(path.name for path in outputs) == sorted(name.replace(".jpg", ".png") for name in some)
    assert {path.parent for path in outputs} == {Path("../out/ü +\n[1]")}
    assert all(is_png(path) for path in outputs)


PRINTED = ["ü.jpg", "日本語.jpg", *LINUX[:1] * (sys.platform == "linux")]
AS_UTF8 = [os.fsencode(name.replace(".jpg", ".cutout.png")) for name in PRINTED]
AS_CP1252 = [b"\xfc.cutout.png", rb"\u65e5\u672c\u8a9e.cutout.png", b"\xff\xfe.cutout.png"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PYTHONIOENCODING": "utf-8:strict"}, AS_UTF8),  # as en_US.UTF-8 has it
        ({"PYTHONIOENCODING": "ascii"}, AS_UTF8),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, AS_UTF8),
        ({"PYTHONIOENCODING": "cp1252"}, AS_CP1252),  # a pipe on Windows
    ],
    ids=str,
)
def test_no_encoding_of_the_output_stops_the_run(
    environment: dict[str, str], expected: list[bytes], folder: Path, picture: bytes
) -> None:
    for name in PRINTED:
        (folder / name).write_bytes(picture)
    result = run(*PRINTED, "日本.jpg", **environment)
    assert result.stdout.splitlines() == expected[: len(PRINTED)]
    assert b"there is no such file" in result.stderr
    assert result.returncode == 1


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}], ids=str)
def test_json_gives_every_name_back(environment: dict[str, str], folder: Path, picture: bytes) -> None:
    for name in PRINTED:
        (folder / name).write_bytes(picture)
    reports = [json.loads(line) for line in run(*PRINTED, "--json", **environment).stdout.splitlines()]
    assert [os.fsencode(report["input"]) for report in reports] == [os.fsencode(name) for name in PRINTED]
    assert [os.fsencode(report["output"]) for report in reports] == AS_UTF8


def test_leading_dash_needs_a_dash_dash_or_a_folder_and_is_explained(
    folder: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("-cat.jpg", "-oh.jpg"):
        (folder / name).write_bytes(picture)
        assert remove_here(monkeypatch, name) == 2
        assert f"{name} is a file here; to mean it, write ./{name}" in capsys.readouterr().err
        assert remove_here(monkeypatch, f"./{name}") == 0
    assert is_png(folder / "-cat.cutout.png")


def test_windows_shell_leaves_patterns_to_us(
    folder: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a[1].jpg").write_bytes(picture)
    (folder / "a1.jpg").write_bytes(picture)
    windows = types.SimpleNamespace(**{**vars(os), "name": "nt"})
    monkeypatch.setattr(click.core, "os", windows)
    assert remove_here(monkeypatch, "a[1].jpg", "-o", "out") == 0
    assert [path.name for path in (folder / "out").iterdir()] == ["a[1].png"]


LONGEST = "a" * 251 + ".jpg"  # 255 bytes, the most that file systems take


def test_result_with_too_long_a_name_is_refused_before_the_work(folder: Path, picture: bytes) -> None:
    (folder / LONGEST).write_bytes(picture)
    (folder / "b.jpg").write_bytes(picture)
    result = run(LONGEST, "b.jpg")
    assert result.returncode == 1
    assert b"cutout.png: cannot be written: the name is too long; give another name or folder with -o" in result.stderr
    assert {path.name for path in folder.iterdir()} == {LONGEST, "b.jpg", "b.cutout.png"}
    assert run(LONGEST, "-o", "out").returncode == 0
    assert is_png(folder / "out" / LONGEST.replace(".jpg", ".png"))
    result = run(LONGEST, "-o", "out", "--format", "webp")
    assert result.returncode == 1
    assert b"the name is too long; rename the input" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([f"a{LONGEST}"], 2, "cannot be read: File name too long"),
        ([f"a{LONGEST}", "*.gif"], 2, "no picture matches"),
        ([f"a{LONGEST}[1]"], 2, "no picture matches"),
        (["b.jpg", "-o", "n" * 256], 1, "the name is too long"),
        (["b.jpg", "-o", "n" * 256 + ".png"], 1, "the name is too long"),
        (["b.jpg", "b.jpg", "-o", "n" * 256], 1, "the name is too long"),
        ([""], 2, "an empty name"),
        (["b.jpg", "-o", ""], 2, "an empty name"),
    ],
)
def test_impossible_name_gets_one_sentence(
    arguments: list[str],
    code: int,
    message: str,
    folder: Path,
    picture: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "b.jpg").write_bytes(picture)
    assert remove_here(monkeypatch, *arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert [path.name for path in folder.iterdir()] == ["b.jpg"]


@pytest.mark.parametrize("levels", [2, 8])
def test_long_paths_are_read_and_written(
    levels: int, folder: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = Path("photos", *["d" * 150] * levels)
    deep.mkdir(parents=True)
    (deep / "cat.jpg").write_bytes(picture)
    assert len(str(deep)) > (260 if levels == 2 else 1000)
    assert remove_here(monkeypatch, "photos", "-o", "out") == 0
    assert is_png(Path("out", *["d" * 150] * levels, "cat.png"))
    assert remove_here(monkeypatch, str(deep / "cat.jpg")) == 0
    assert is_png(deep / "cat.cutout.png")


def test_read_only_folder_is_said_before_the_work_and_served_with_an_output(folder: Path, picture: bytes) -> None:
    (folder / "photos").mkdir()
    (folder / "photos" / "cat.jpg").write_bytes(picture)
    (folder / "photos").chmod(0o555)
    result = run("photos/cat.jpg", bound=True)
    assert result.returncode == 1
    assert result.stderr.decode().strip().endswith("the folder photos is read-only to you; give a folder with -o")
    assert run("photos", bound=True).returncode == 1
    assert run("photos", "-o", "photos/new", bound=True).returncode == 1
    assert [path.name for path in (folder / "photos").iterdir()] == ["cat.jpg"]
    assert run("photos", "-o", "out", bound=True).returncode == 0
    assert is_png(folder / "out" / "cat.png")


def test_picture_that_may_not_be_read_is_reported_not_passed_over(folder: Path, picture: bytes) -> None:
    for name in ("secret", "listed", "open"):
        (folder / name).mkdir()
        (folder / name / f"{name}.jpg").write_bytes(picture)
    (folder / "secret" / "secret.jpg").chmod(0)
    (folder / "listed").chmod(0o444)  # its names can be read, its files cannot
    result = run(".", "-o", "out", bound=True)
    assert result.returncode == 1
    assert result.stderr.count(b"cannot be read: Permission denied") == 2
    assert [path.name for path in (folder / "out").rglob("*.png")] == ["open.png"]


def test_links_in_circles_pipes_and_broken_links_do_not_stop_a_folder(folder: Path, picture: bytes) -> None:
    (folder / "a.jpg").write_bytes(picture)
    (folder / "circle").symlink_to(".")
    (folder / "self.jpg").symlink_to("self.jpg")
    (folder / "broken.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    for inputs in (".", "*.jpg"):
        result = run(inputs, "-o", "../out", "--overwrite")
        assert (result.returncode, result.stdout.splitlines()) == (0, [b"../out/a.png"])
    result = run("self.jpg", "broken.jpg", "a.jpg", "-o", "../new")
    assert (result.returncode, result.stderr.count(b".jpg: ")) == (1, 2)
    assert b"Too many levels of symbolic links" in result.stderr
    assert result.stdout.splitlines() == [b"../new/a.png"]


def test_link_and_its_file_are_one_input(folder: Path, picture: bytes) -> None:
    (folder / "a.jpg").write_bytes(picture)
    (folder / "photos").symlink_to(".")
    (job,) = plan(["a.jpg", "photos/a.jpg"], "../out", tag="cutout", suffix=".png")
    assert job.target == Path("../out/a.png")


def test_one_name_in_two_cases_is_two_results_on_linux_and_refused_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = ["1/A.jpg", "2/a.jpg"]
    composed = ["1/é.jpg", unicodedata.normalize("NFD", "2/é.jpg")]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "linux")
        patch.setattr(os.path, "normcase", lambda path: path)
        for names in (inputs, composed):
            assert len(plan(names, "out", tag="cutout", suffix=".png")) == 2
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "normcase", ntpath.normcase)
        with pytest.raises(BadInput, match="both be written"):
            plan(inputs, "out", tag="cutout", suffix=".png")
    monkeypatch.setattr(sys, "platform", "darwin")
    for names in (inputs, composed):
        with pytest.raises(BadInput, match="both be written"):
            plan(names, "out", tag="cutout", suffix=".png")
