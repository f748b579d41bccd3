"""Animations on the command line: what goes in moves when it comes out."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command_line import remove, u2net
from support.paths import EXAMPLES
from u2net.errors import BadInput
from u2net.inference.session import Session
from u2net.video.remove_animation import remove_animation

TIMES = [40, 60, 80, 1000]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Session) -> Path:
    """clip.gif, clip.webp and clip.png: a coffee cup that moves, four frames, played three times."""
    monkeypatch.chdir(tmp_path)
    coffee = Image.open(EXAMPLES / "coffee.jpg").resize((240, 160))
    frames = [Image.fromarray(np.roll(np.asarray(coffee), 2 * step, axis=1)) for step in range(4)]
    for suffix, loop in (("gif", 2), ("webp", 3), ("png", 3)):
        frames[0].save(f"clip.{suffix}", save_all=True, append_images=frames[1:], duration=TIMES, loop=loop)
    shutil.copy(EXAMPLES / "coffee.jpg", tmp_path)
    return tmp_path


def facts(path: str) -> tuple[str | None, int, int, list[int]]:
    """format, number of frames, loop count as the file has it, times."""
    with Image.open(path) as image:
        times = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            times.append(round(image.info["duration"]))
        return image.format, image.n_frames, image.info["loop"], times


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
@pytest.mark.parametrize("target", ["png", "webp", "gif"])
def test_every_animation_becomes_every_other(folder: Path, suffix: str, target: str) -> None:
    result = remove(f"clip.{suffix}", "-o", f"out.{target}", "--json")
    report = json.loads(result.stdout)
    assert (report["frames"], report["duration_s"], report["size"]) == (4, 1.18, [160, 240])
    assert report["found"] and 0.2 < report["coverage"] < 0.6
    kind, loop = {"png": ("PNG", 3), "webp": ("WEBP", 3), "gif": ("GIF", 2)}[target]
    assert facts(f"out.{target}") == (kind, 4, loop, TIMES)
    with Image.open(f"out.{target}") as image:
        image.seek(3)
        last = np.asarray(image.convert("RGBA"))
    assert last[80, 114, 3] == 255 and last[0, 0, 3] == 0


def test_gif_becomes_an_apng_beside_itself_unless_told_otherwise(folder: Path) -> None:
    assert remove("clip.gif").stdout == "clip.cutout.png\n"
    assert facts("clip.cutout.png")[:2] == ("PNG", 4)
    assert remove("clip.gif", "--format", "gif", "--background", "white").stdout == "clip.cutout.gif\n"
    with Image.open("clip.cutout.gif") as image:
        image.seek(2)
        assert np.asarray(image.convert("RGBA"))[0, 0].tolist() == [255, 255, 255, 255]


@pytest.mark.parametrize("file_format", ["jpeg", "avif", "tiff"])
def test_format_without_animation_takes_the_first_frame_and_says_so_once(folder: Path, file_format: str) -> None:
    result = remove("clip.gif", "--format", file_format, "-o", "out", "--background", "white")
    assert result.return_value == 0
    name = file_format.upper()
    said = (
        f"u2net: clip.gif: {name} holds no animation: the first of 4 frames is taken; --format png, webp or gif keeps"
    )
    assert result.stderr.count(said) == 1
    (made,) = (folder / "out").iterdir()
    assert getattr(Image.open(made), "n_frames", 1) == 1


def test_animation_through_a_pipe(folder: Path) -> None:
    result = remove("-", "--format", "webp", stdin=Path("clip.gif").read_bytes())
    with Image.open(io.BytesIO(result.stdout_bytes)) as image:
        assert (image.format, image.n_frames) == ("WEBP", 4)


def test_mask_of_an_animation_is_an_animation(folder: Path) -> None:
    assert remove("clip.gif", "--only-mask", "-o", "mask.png").return_value == 0
    with Image.open("mask.png") as image:
        assert image.n_frames == 4
        pixels = np.asarray(image.convert("RGBA"))
    assert pixels[80, 110].tolist() == [255] * 4
    assert pixels[0, 0].tolist() == [0, 0, 0, 255]


def test_still_gif_of_a_photograph(folder: Path) -> None:
    assert remove("coffee.jpg", "-o", "coffee.gif").return_value == 0
    with Image.open("coffee.gif") as image:
        assert (image.size, image.n_frames) == ((600, 400), 1)
        assert set(np.unique(np.asarray(image.convert("RGBA"))[..., 3])) == {0, 255}


def test_damaged_frame_writes_nothing(folder: Path) -> None:
    Path("bad.gif").write_bytes(Path("clip.gif").read_bytes()[:-900])
    result = remove("bad.gif", "-o", "out.png")
    assert result.return_value == 2
    assert "bad.gif: frame 4 of 4 is damaged" in result.stderr
    assert not Path("out.png").exists()


def test_animation_without_an_object_is_transparent_or_fails_as_asked(folder: Path) -> None:
    frames = [Image.new("RGB", (200, 150), grey) for grey in ("#777", "#888")]
    frames[0].save("plain.webp", save_all=True, append_images=frames[1:], duration=50)
    result = remove("plain.webp", "-o", "out.png")
    assert result.return_value == 0
    assert result.stderr.count("no object found") == 1
    assert facts("out.png")[1] == 2
    assert remove("plain.webp", "-o", "none.png", "--fail-if-empty").return_value == 3
    assert not Path("none.png").exists()


def test_one_animation_among_pictures(folder: Path) -> None:
    result = remove("clip.gif", "coffee.jpg", "-o", "out", "--json")
    clip, coffee = map(json.loads, result.stdout.splitlines())
    assert clip["frames"] == 4
    assert "frames" not in coffee


def test_saliency_takes_the_first_frame_as_before(folder: Path) -> None:
    assert u2net("saliency", "-m", "u2netp", "clip.gif").return_value == 0
    assert Image.open("clip.saliency.png").size == (240, 160)


def test_python_gives_the_bytes_of_the_animation(folder: Path, small: Session) -> None:
    data = remove_animation("clip.webp", small, format="gif", background=(255, 255, 255))
    Path("x.gif").write_bytes(data)
    assert facts("x.gif") == ("GIF", 4, 2, TIMES)
    with pytest.raises(BadInput, match=r"coffee\.jpg: is no animation of several frames; use u2net\.remove"):
        remove_animation("coffee.jpg", small)


def test_replace_keeps_times_and_shows_the_background_alone_where_the_object_is_away(folder: Path) -> None:
    coffee = Image.open(EXAMPLES / "coffee.jpg").resize((240, 160))
    away = Image.new("RGB", coffee.size, "#808080")
    coffee.save("visit.webp", save_all=True, append_images=[away, coffee], duration=[50, 70, 90], loop=0)
    flags = ("--background", "#336699", "--shadow", "drop", "-o", "out.webp", "--lossless")
    result = u2net("replace", "visit.webp", "-m", "u2netp", *flags)
    assert result.return_value == 0
    assert facts("out.webp") == ("WEBP", 3, 0, [50, 70, 90])
    with Image.open("out.webp") as image:
        image.seek(1)
        assert np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0).tolist() == [[0x33, 0x66, 0x99]]
        image.seek(2)
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - np.asarray(coffee))[70:90, 90:120].mean() < 5
    away.save("empty.webp", save_all=True, append_images=[Image.new("RGB", coffee.size, "#848484")], duration=50)
    assert u2net("replace", "empty.webp", "-m", "u2netp", *flags[:2], "-o", "none.webp").return_value == 3
    assert not Path("none.webp").exists()


def test_cropping_an_animation_is_refused_with_what_to_do_instead(folder: Path) -> None:
    result = u2net("crop", "clip.webp", "-m", "u2netp", "-o", "out.webp")
    assert result.return_value == 2
    assert "take its first frame alone with --format tiff" in result.stderr
    assert not Path("out.webp").exists()
    assert u2net("crop", "clip.webp", "-m", "u2netp", "-o", "out.tif").return_value == 0
