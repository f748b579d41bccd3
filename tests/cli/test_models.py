"""u2net models: what its commands print, write and return."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from support.command_line import u2net
from support.loopback import CONTENT, MD5, Server
from u2net.cli import main
from u2net.models.registry import MODELS
from u2net.models.spec import UrlSource


@pytest.fixture
def published(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Every model's file is CONTENT on loopback, and none is on this machine."""
    for name, spec in MODELS.items():
        source = UrlSource(f"{server.root}/{spec.file}")
        monkeypatch.setitem(MODELS, name, replace(spec, sources=(source,), checksum=MD5, size_bytes=len(CONTENT)))
    return server


def models(*arguments: str) -> Result:
    return u2net("models", *arguments)


def failed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of the real entry."""
    monkeypatch.setattr(sys, "argv", ["u2net", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0), capsys.readouterr().err


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_list_has_size_licence_training_data_and_state_of_every_model(published: Server, cache: Path) -> None:
    put(cache / "u2net.onnx")
    put(cache / "u2netp.onnx", b"damaged")
    put(cache / ".u2net-silueta.onnx.part", CONTENT[:9])
    rows = {row["name"]: row for row in map(json.loads, models("list", "--json").stdout.splitlines())}
    assert list(rows) == list(MODELS)
    assert rows["u2net"] == {
        "name": "u2net",
        "kind": "saliency",
        "bytes": len(CONTENT),
        "licence": "Apache-2.0",
        "training_data": "DUTS-TR",
        "checksum": MD5,
        "state": "verified",
        "path": str(cache / "u2net.onnx"),
    }
    states = [rows[name]["state"] for name in ("u2netp", "silueta", "isnet-anime")]
    assert states == ["wrong checksum", "unfinished", "not fetched"]
    assert rows["isnet-anime"]["path"] is None


@pytest.mark.parametrize("folder", ["home/.cache/u2net", "a very long folder name " * 5])
def test_list_is_a_table_of_at_most_100_columns(
    folder: str, published: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("U2NET_CACHE", str(tmp_path / folder))
    put(tmp_path / folder / "u2net.onnx", b"damaged")
    lines = models("list").stdout.splitlines()
    assert max(map(len, lines)) <= 100
    column = lines[0].index("licence")
    assert [line[column - 1] for line in lines[: len(MODELS) + 1]] == [" "] * (len(MODELS) + 1)
    assert "wrong checksum, " in lines[1]
    assert folder.startswith("a very") or lines[1].endswith("wrong checksum, ~/.cache/u2net")
    assert lines[-1] == "u2net_cloth_seg gives maps of classes, which u2net cannot use yet; that comes later."


def test_sizes_in_the_table_are_the_rows_own(cache: Path) -> None:
    assert "u2net_human_seg    176.0 MB  Apache-2.0  Supervisely Person" in models("list").stdout


def test_pull_fetches_each_and_prints_where_it_lies(published: Server, cache: Path) -> None:
    result = models("pull", "silueta", "u2net_cloth_seg")
    assert result.stdout.splitlines() == [str(cache / "silueta.onnx"), str(cache / "u2net_cloth_seg.onnx")]
    assert (result.return_value, (cache / "silueta.onnx").read_bytes()) == (0, CONTENT)
    assert models("pull", "--quiet", "silueta").stdout == ""
    assert len(published.asked) == 2


def test_pull_goes_on_after_a_failure_and_exits_4(published: Server, cache: Path) -> None:
    published.statuses = [404]
    result = models("pull", "silueta", "u2netp")
    assert result.return_value == 4
    assert "no weights for silueta" in result.stderr
    assert result.stdout.splitlines() == [str(cache / "u2netp.onnx")]


def test_pull_offline_fetches_nothing(published: Server) -> None:
    result = models("pull", "--offline", "silueta")
    assert (result.return_value, published.asked) == (4, [])
    assert "--offline" in result.stderr


def test_unknown_name_is_refused_before_anything_is_fetched(
    published: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = failed(monkeypatch, capsys, "models", "pull", "silueta", "isnet-anim")
    assert (code, published.asked) == (2, [])
    assert "did you mean 'isnet-anime'" in message


def test_verify_names_right_and_wrong_files_and_what_to_do(published: Server, cache: Path, tmp_path: Path) -> None:
    right = put(cache / "u2net.onnx")
    wrong = put(cache / "u2netp.onnx", b"damaged")
    theirs = put(tmp_path / "home" / ".u2net" / "silueta.onnx", b"damaged too")
    result = models("verify")
    assert result.return_value == 4
    assert result.stdout.splitlines() == [f"right  {right}", f"wrong  {wrong}", f"wrong  {theirs}"]
    ours, of_others = result.stderr.splitlines()
    assert hashlib.md5(b"damaged").hexdigest() in ours and MD5 in ours and "u2net models pull u2netp" in ours
    assert "of another tool, so it is not used" in of_others
    assert (wrong.read_bytes(), theirs.read_bytes()) == (b"damaged", b"damaged too")
    assert models("verify", "u2net").return_value == 0


def test_verify_of_a_model_that_is_not_here_exits_4(published: Server) -> None:
    result = models("verify", "silueta")
    assert result.return_value == 4
    assert "silueta.onnx is not on this machine; to fetch it, run: u2net models pull silueta" in result.stderr
    assert models("verify").return_value == 0


def test_path_prints_the_file_and_fetches_nothing(
    published: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(cache / "u2net.onnx")
    put(cache / "u2netp.onnx", b"damaged")
    assert models("path", "u2net").stdout == f"{cache / 'u2net.onnx'}\n"
    for name, part in (("silueta", "models pull silueta"), ("u2netp", "it should be")):
        code, message = failed(monkeypatch, capsys, "models", "path", name)
        assert code == 4
        assert part in message
    assert not published.asked


def test_import_takes_the_published_file_and_no_other(
    published: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = put(tmp_path / "given.onnx")
    assert models("import", str(given), "--as", "silueta").stdout == f"{cache / 'silueta.onnx'}\n"
    assert models("path", "silueta").stdout == f"{cache / 'silueta.onnx'}\n"
    put(given, b"something else")
    code, message = failed(monkeypatch, capsys, "models", "import", str(given), "--as", "u2net")
    assert code == 4
    assert hashlib.md5(b"something else").hexdigest() in message and MD5 in message
    assert failed(monkeypatch, capsys, "models", "import", "nowhere.onnx", "--as", "u2net")[0] == 2
    assert not (cache / "u2net.onnx").exists()


def test_rm_deletes_our_file_and_refuses_that_of_another_tool(
    published: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = put(cache / "silueta.onnx"), put(tmp_path / "home" / ".u2net" / "silueta.onnx")
    result = models("rm", "silueta")
    assert result.stdout == f"{ours}\n"
    assert f"{theirs} stays" in result.stderr
    assert not ours.exists()
    code, message = failed(monkeypatch, capsys, "models", "rm", "silueta")
    assert code == 2
    assert f"{theirs}: of another tool" in message
    assert theirs.read_bytes() == CONTENT
    assert failed(monkeypatch, capsys, "models", "rm", "u2net")[0] == 4


def test_class_maps_are_refused_with_exit_code_2(
    published: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = failed(monkeypatch, capsys, "remove", str(tmp_path / "cat.jpg"), "-m", "u2net_cloth_seg")
    assert code == 2
    assert "comes later" in message
    assert not published.asked
