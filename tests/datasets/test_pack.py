"""Packed data: what goes in comes out, the same bytes each time, and damage is one sentence."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from u2net.cli import main
from u2net.datasets.make_pack import pack_pairs
from u2net.datasets.pack import is_pack, open_pack, read_samples
from u2net.datasets.pairs import Pair, find_pairs
from u2net.errors import BadInput, CannotWrite
from u2net.inference.predict import predict
from u2net.inference.session import Session
from u2net.io.read import read

SIZE = (64, 96)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six smooth pictures, truths with soft edges, and maps."""
    folder = tmp_path / "data"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "maps").mkdir()
    y, x = np.mgrid[:100, :150]
    for number in range(6):
        truth = np.clip(255 * (40 - np.hypot(y - 50, x - 40 - 10 * number)) / 6, 0, 255).astype(np.uint8)
        colors = np.stack([x, y * 2, np.full_like(x, 40 * number)], -1).astype(np.uint8)
        Image.fromarray(colors).save(folder / "images" / f"{number}.png")
        Image.fromarray(truth).save(folder / "masks" / f"{number}.png")
        Image.fromarray(cv2.GaussianBlur(truth, (0, 0), 3)).save(tmp_path / "maps" / f"{number}.png")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """As `u2net ...`: exit code, standard output, standard error."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["u2net", *arguments])
        main()
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_truths_come_back_exactly_and_pictures_nearly(data: Path, tmp_path: Path) -> None:
    packed = pack_pairs(find_pairs(data).pairs, tmp_path / "packed", size=SIZE, maps=tmp_path / "maps")
    assert (packed.pack.names, packed.pack.soft, packed.skipped) == (tuple("012345"), "maps", {})
    for sample in read_samples(open_pack(tmp_path / "packed")):
        assert sample.picture.shape == (*SIZE, 3)
        original = np.asarray(Image.open(data / "images" / f"{sample.name}.png"))
        truth = np.asarray(Image.open(data / "masks" / f"{sample.name}.png"))
        soft = np.asarray(Image.open(tmp_path / "maps" / f"{sample.name}.png"))
        resized = cv2.resize(original, SIZE[::-1], interpolation=cv2.INTER_LINEAR)
        assert np.abs(sample.picture.astype(int) - resized).mean() < 3  # of 255, by WebP at 75
        assert np.array_equal(sample.truth, cv2.resize(truth, SIZE[::-1], interpolation=cv2.INTER_LINEAR))
        assert sample.soft is not None
        difference = sample.soft.astype(int) - cv2.resize(soft, SIZE[::-1], interpolation=cv2.INTER_LINEAR)
        assert np.abs(difference).mean() < 2  # by WebP at 90, which has 220 levels of grey


def test_the_same_pairs_give_the_same_bytes(data: Path, tmp_path: Path) -> None:
    pairs = find_pairs(data).pairs
    for name in ("one", "two"):
        pack_pairs(pairs, tmp_path / name, size=SIZE, shard_bytes=4000)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_no_shard_is_larger_than_asked_and_each_is_a_folder_of_pairs(data: Path, tmp_path: Path) -> None:
    pack_pairs(find_pairs(data).pairs, tmp_path / "packed", size=SIZE, shard_bytes=6000)
    shards = sorted((tmp_path / "packed").glob("*.zip"))
    assert len(shards) > 1
    assert all(path.stat().st_size <= 6000 for path in shards)
    for path in shards:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "unpacked")
    assert [pair.name for pair in find_pairs(tmp_path / "unpacked").pairs] == list("012345")


def test_a_try_that_was_cut_off_is_gone_on_with(data: Path, tmp_path: Path) -> None:
    pairs = find_pairs(data).pairs
    pack_pairs(pairs, tmp_path / "whole", size=SIZE, shard_bytes=4000)
    done = 0

    def stop() -> None:
        nonlocal done
        done += 1
        if done == 6:
            raise KeyboardInterrupt

    import u2net.datasets.make_pack as module

    out = tmp_path / "cut"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_AT_ONCE", 1)
        with pytest.raises(KeyboardInterrupt):
            pack_pairs(pairs, out, size=SIZE, shard_bytes=4000, on_done=stop)
    with pytest.raises(BadInput, match="is unfinished; run the same"):
        open_pack(out)
    again = pack_pairs(pairs, out, size=SIZE, shard_bytes=4000)
    assert again.kept > 0
    assert files_of(out) == files_of(tmp_path / "whole")


def test_what_is_left_of_another_try_is_not_used(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "packed"
    pairs = find_pairs(data).pairs
    pack_pairs(pairs, out, size=SIZE, shard_bytes=6000)
    index = json.loads((out / "pack.json").read_text())
    (out / "pack.unfinished.json").write_text(json.dumps(index | {"unfinished": ["of something else", 6000]}))
    (out / "pack.json").unlink()
    (out / "shard-notes.zip").write_bytes(b"somebody's own")
    again = pack_pairs(pairs[:2], out, size=SIZE, shard_bytes=6000)
    assert again.kept == 0
    assert set(files_of(out)) == {"pack.json", "shard-notes.zip", *(shard.file for shard in again.pack.shards)}


def test_a_folder_with_something_else_is_not_written_into(data: Path, tmp_path: Path) -> None:
    holiday = tmp_path / "holiday"
    holiday.mkdir()
    (holiday / "shard-000.zip").write_bytes(b"pictures of the sea")
    with pytest.raises(BadInput, match="holds something else; give a new folder"):
        pack_pairs(find_pairs(data).pairs, holiday, size=SIZE)
    assert files_of(holiday) == {"shard-000.zip": b"pictures of the sea"}


def test_a_pair_that_cannot_be_read_is_left_out_and_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "images" / "3.png").write_bytes(b"no picture")
    code, out, err = run(capsys, "data", "pack", str(data), "-o", str(tmp_path / "packed"), "--size", "64", "--quiet")
    assert code == 1
    assert (out, len(err.strip().splitlines())) == ("", 1)
    assert "left out: 3:" in err
    assert open_pack(tmp_path / "packed").names == tuple("01245")


def test_names_of_a_list_do_not_tell_where_the_files_lay(data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    lines = [f"{data}/images/{number}.png,{data}/masks/{number}.png" for number in range(3)]
    (elsewhere / "pairs.csv").write_text("\n".join(lines))
    packed = pack_pairs(find_pairs(elsewhere / "pairs.csv").pairs, tmp_path / "packed", size=SIZE)
    assert packed.pack.names == tuple("012")
    assert str(tmp_path) not in (tmp_path / "packed" / "pack.json").read_text()


def test_two_pairs_of_one_name_are_refused(tmp_path: Path) -> None:
    pairs = [Pair(tmp_path / "a", None, "../x"), Pair(tmp_path / "a", None, "../y")]
    with pytest.raises(BadInput, match="two pairs have the name a"):
        pack_pairs(pairs, tmp_path / "packed")


def test_a_map_that_is_nearly_black_stays_so(data: Path, tmp_path: Path) -> None:
    Image.fromarray(np.ones((100, 150), np.uint8)).save(tmp_path / "maps" / "0.png")
    pack_pairs(find_pairs(data).pairs, tmp_path / "packed", size=SIZE, maps=tmp_path / "maps")
    soft = next(iter(read_samples(open_pack(tmp_path / "packed")))).soft
    assert soft is not None
    assert soft.max() <= 3


def test_a_missing_map_is_said_before_anything_is_made(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "maps" / "4.png").unlink()
    code, out, err = run(
        capsys, "data", "pack", str(data), "-o", str(tmp_path / "packed"), "--maps", str(tmp_path / "maps")
    )
    assert (code, out) == (2, "")
    assert "has no map for 4; make them with: u2net saliency" in err
    assert not (tmp_path / "packed").exists()


def test_a_folder_that_holds_a_pack_is_refused(data: Path, tmp_path: Path) -> None:
    pairs = find_pairs(data).pairs
    pack_pairs(pairs, tmp_path / "packed", size=SIZE)
    with pytest.raises(BadInput, match="holds packed data already; name another folder"):
        pack_pairs(pairs, tmp_path / "packed", size=SIZE)


@pytest.mark.parametrize("how", ["cut", "changed", "missing"])
def test_a_damaged_shard_is_one_sentence(
    how: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack_pairs(find_pairs(data).pairs, tmp_path / "packed", size=SIZE)
    path = tmp_path / "packed" / "shard-000.zip"
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[:-10])
    elif how == "changed":
        path.write_bytes(content[:500] + b"!" + content[501:])
    else:
        path.unlink()
    code, out, err = run(capsys, "data", "check", str(tmp_path / "packed"), "--quiet")
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert "shard-000.zip" in err
    assert "copy it" in err


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "u2net pack 9"}', '{"format": "u2net pack 1", "size": 3}']
)
def test_an_index_that_is_none_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "pack.json").write_text(text)
    with pytest.raises(BadInput, match=r"pack\.json: is no index of packed data"):
        open_pack(tmp_path)


def test_a_shard_outside_of_the_folder_is_never_read(data: Path, tmp_path: Path) -> None:
    pack_pairs(find_pairs(data).pairs, tmp_path / "packed", size=SIZE)
    index = tmp_path / "packed" / "pack.json"
    index.write_text(index.read_text().replace("shard-000.zip", "../shard-000.zip"))
    with pytest.raises(BadInput, match="lies outside of the folder"):
        open_pack(tmp_path / "packed")


def test_check_reads_all_of_a_pack(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "data", "pack", str(data), "-o", str(tmp_path / "packed"), "--size", "64", "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["pairs"], facts["bytes"]) == (6, sum(facts["shards"].values()))
    code, out, err = run(capsys, "data", "check", str(tmp_path / "packed"), "--json")
    assert (code, json.loads(out)["pairs"], json.loads(out)["ok"]) == (0, 6, True)
    assert is_pack(tmp_path / "packed")
    code, _, err = run(capsys, "data", "check", str(tmp_path / "packed"), "--kind", "classes")
    assert code == 2
    assert "is packed" in err


def test_a_folder_that_cannot_be_written_is_one_sentence(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="the packed data cannot be written"):
        pack_pairs(find_pairs(data).pairs, tmp_path / "file", size=SIZE)


def test_a_teacher_gives_soft_targets_that_are_not_stretched(data: Path, tmp_path: Path, small: Session) -> None:
    pack_pairs(find_pairs(data).pairs[:1], tmp_path / "packed", teacher=small)
    (sample,) = read_samples(open_pack(tmp_path / "packed"))
    expected = predict(small, read(data / "images" / "0.png")).map * 255
    assert sample.soft is not None
    assert np.abs(sample.soft - expected).mean() < 2  # WebP at 90
    assert open_pack(tmp_path / "packed").soft == "u2netp"
