"""The gallery: what belongs together, what the page holds, and what the command says."""

from __future__ import annotations

import base64
import io
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from support.command_line import u2net
from u2net.errors import BadInput
from u2net.reports.gallery import find_gallery, page


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(path: str, color: tuple[int, ...] = (200, 30, 30), size: tuple[int, int] = (40, 30)) -> Path:
    made = Path(path)
    made.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGBA" if len(color) == 4 else "RGB", size, color).save(made)
    return made


def gallery(*arguments: str) -> Result:
    return u2net("gallery", *arguments)


def sources(text: str) -> list[Image.Image]:
    data = re.findall(r'src="data:image/webp;base64,([^"]+)"', text)
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in data]


def test_results_belong_to_originals_by_path_without_suffix_and_tag(folder: Path) -> None:
    for path in ("in/a.jpg", "in/sub/b.png", "in/alone.jpg", "out/a.png", "out/sub/b.cutout.webp", "out/lost.png"):
        picture(path)
    found = find_gallery(Path("in"), [Path("out")])
    assert [(entry.name, entry.results) for entry in found.entries] == [
        ("a.jpg", (Path("out/a.png"),)),
        ("sub/b.png", (Path("out/sub/b.cutout.webp"),)),
    ]
    assert found.columns == ("out",)
    assert found.without_result == (Path("in/alone.jpg"),)
    assert found.without_original == (Path("out/lost.png"),)


def test_several_folders_are_columns_and_a_gap_stays_a_gap(folder: Path) -> None:
    for path in ("in/a.jpg", "in/b.jpg", "one/a.png", "one/b.png", "two/b.png"):
        picture(path)
    found = find_gallery(Path("in"), [Path("one"), Path("two")])
    assert [entry.results[1] for entry in found.entries] == [None, Path("two/b.png")]
    assert "no result" in "".join(page(found))


def test_results_beside_the_originals_are_found_by_their_tags(folder: Path) -> None:
    for path in ("a.jpg", "a.cutout.png", "a.mask.png", "b.jpg", "b.cutout.png"):
        picture(path)
    found = find_gallery(Path())
    assert found.columns == ("cutout", "mask")
    assert [entry.results for entry in found.entries] == [
        (Path("a.cutout.png"), Path("a.mask.png")),
        (Path("b.cutout.png"), None),
    ]


def test_folder_of_results_inside_the_originals_is_no_original(folder: Path) -> None:
    picture("in/a.jpg")
    picture("in/out/a.png")
    found = find_gallery(Path("in"), [Path("in/out")])
    assert [entry.name for entry in found.entries] == ["a.jpg"]
    assert not found.without_result


def test_names_that_several_files_share_are_left_out_and_named(folder: Path) -> None:
    for path in ("in/a.jpg", "in/a.png", "in/b.jpg", "out/a.png", "out/b.png"):
        picture(path)
    found = find_gallery(Path("in"), [Path("out")])
    assert [entry.name for entry in found.entries] == ["b.jpg"]
    assert set(found.ambiguous) == {Path("in/a.jpg"), Path("in/a.png"), Path("out/a.png")}
    assert "Left out" in "".join(page(found))


def test_accents_written_in_one_or_two_parts_are_one_name(folder: Path) -> None:
    picture("in/" + unicodedata.normalize("NFD", "é.jpg"))
    picture("out/" + unicodedata.normalize("NFC", "é.png"))
    assert len(find_gallery(Path("in"), [Path("out")]).entries) == 1


def test_folders_of_one_name_are_told_apart_by_their_paths(folder: Path) -> None:
    for path in ("in/a.jpg", "x/out/a.png", "y/out/a.png"):
        picture(path)
    assert find_gallery(Path("in"), [Path("x/out"), Path("y/out")]).columns == (str(Path("x/out")), str(Path("y/out")))


def test_page_holds_each_picture_once_made_small(folder: Path) -> None:
    picture("in/a.jpg", (255, 0, 0), (400, 200))
    picture("one/a.png", (0, 200, 0, 128), (400, 200))
    picture("two/a.png", (0, 0, 200), (400, 200))
    images = sources("".join(page(find_gallery(Path("in"), [Path("one"), Path("two")]), size_px=100)))
    assert [(image.mode, image.size) for image in images] == [
        ("RGB", (100, 50)),
        ("RGBA", (100, 50)),
        ("RGB", (100, 50)),
    ]
    for image, color in zip(images, [(255, 0, 0), (0, 200, 0, 128), (0, 0, 200)], strict=True):
        assert np.abs(np.asarray(image)[25, 50].astype(int) - color).max() <= 3


def test_edge_of_a_cutout_made_small_keeps_its_color(folder: Path) -> None:
    pixels = np.zeros((200, 200, 4), np.uint8)
    pixels[:, :101] = (250, 250, 250, 255)
    picture("in/a.jpg", size=(200, 200))
    Path("out").mkdir()
    Image.fromarray(pixels).save("out/a.png")
    small = np.asarray(sources("".join(page(find_gallery(Path("in"), [Path("out")]), size_px=100)))[1])
    assert 100 < small[50, 50, 3] < 160
    assert small[50, 50, :3].min() > 235


@pytest.mark.parametrize("name", ["<b>bold.jpg", 'a"onerror="x.jpg', "日本語.jpg", "a&amp;b.jpg", "@title@.jpg"])
def test_names_are_text_and_never_markup(folder: Path, name: str) -> None:
    picture(f"in/{name}")
    picture(f"out/{name}")
    text = "".join(page(find_gallery(Path("in"), [Path("out")])))
    shown = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert f"<h2>{shown}</h2>" in text
    assert "<b>" not in text and 'onerror="' not in text


def test_page_names_no_address_and_forbids_all(folder: Path) -> None:
    picture("in/a.jpg")
    picture("out/a.png")
    text = re.sub(r'src="data:[^"]*"', "", "".join(page(find_gallery(Path("in"), [Path("out")]))))
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in text
    assert not re.search(r"https?://|//[a-z]|url\(|@import|<link", text)


def test_empty_cutout_is_said(folder: Path) -> None:
    picture("in/a.jpg")
    picture("out/a.png", (0, 0, 0, 0))
    assert "out: nothing was cut out" in "".join(page(find_gallery(Path("in"), [Path("out")])))


def test_command_writes_the_page_and_reports(folder: Path) -> None:
    for path in ("in/a.jpg", "in/b.jpg", "in/c.jpg", "out/a.png", "out/b.png", "out/d.png"):
        picture(path)
    Path("in/b.jpg").write_text("no picture")
    result = gallery("in", "out", "-o", "made/page.html", "--json")
    assert result.return_value == 1
    report = json.loads(result.stdout)
    assert report | {"failed": None} == {
        "output": str(Path("made/page.html")),
        "bytes": Path("made/page.html").stat().st_size,
        "pictures": 1,
        "results": ["out"],
        "without_result": [str(Path("in/c.jpg"))],
        "without_original": [str(Path("out/d.png"))],
        "ambiguous": [],
        "failed": None,
    }
    assert "b.jpg" in report["failed"][0]["error"]
    assert "1 without result" in result.stderr
    text = Path("made/page.html").read_text(encoding="utf-8")
    for part in ("Could not be read", "Without a result", "Without an original"):
        assert part in text


def test_large_page_is_written_and_advised_about(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("u2net.reports.gallery.LARGE_BYTES", 1000)
    picture("in/a.jpg")
    picture("out/a.png")
    result = gallery("in", "out")
    assert result.return_value == 0
    assert "a smaller --size than 900" in result.stderr
    assert Path("gallery.html").exists()


def test_each_mistake_has_its_sentence_and_nothing_is_written(folder: Path) -> None:
    for path in ("in/a.jpg", "out/a.png", "other/x.png"):
        picture(path)
    Path("empty").mkdir()
    mistakes = {
        ("nowhere",): "nowhere: there is no such folder",
        ("in", "nowhere"): "nowhere: there is no such folder",
        ("in/a.jpg",): "there is no such folder",
        ("in",): "u2net remove in",
        ("empty",): "no results beside the pictures",
        ("in", "other"): "no picture has a result in other",
        ("in", "out", "--size", "0"): "64 to 4000 pixels, not 0",
        ("in", "out", "--size", "1000000000"): "64 to 4000 pixels",
        ("in", "out", "-o", "page.png"): "ends in .html",
        ("in", "out", "-o", "-", "--json"): "both want standard output",
        ("in", "out", "--max-megapixels", "0.0001"): "none of the pictures can be read",
    }
    before = sorted(folder.rglob("*"))
    for arguments, message in mistakes.items():
        error = gallery(*arguments).exception
        assert isinstance(error, BadInput), arguments
        assert message in str(error)
    assert sorted(folder.rglob("*")) == before


def test_pipe_gets_the_whole_page(folder: Path) -> None:
    picture("in/a.jpg")
    picture("out/a.png")
    page_text = gallery("in", "out", "-o", "-").stdout
    assert page_text.startswith("<!doctype html>") and page_text.endswith("</html>\n")
