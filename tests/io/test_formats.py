"""Formats in and out, by the library and by the command line's flags."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command_line import exit_of, remove
from support.hostile import SRGB, picture, seeds, tiff
from support.paths import EXAMPLES
from u2net.errors import UnreadablePicture
from u2net.inference.session import Session
from u2net.io.read import read
from u2net.system.install import install_hint

DEEP = ["16.png", "16.tif", "float.tif", "planes.tif"]  # tests/io/test_depth.py
CONVERTED = ["lab.tif"]  # tests/imaging/test_icc.py


@pytest.mark.parametrize("suffix", [suffix for suffix in seeds() if suffix not in DEEP + CONVERTED])
def test_every_format_is_read_as_pillow_reads_it(suffix: str) -> None:
    with Image.open(io.BytesIO(seeds()[suffix])) as image:
        turned = image.getexif().get(274) == 6 and image.format not in ("TIFF", "HEIF")
        expected = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if turned:
        expected = expected.transpose(Image.Transpose.ROTATE_270)
    read_picture = read(seeds()[suffix])
    assert read_picture.size == (61, 40) if max(expected.size) == 61 and expected.height == 61 else (40, 61)
    np.testing.assert_array_equal(read_picture.pixels, np.asarray(expected)[..., :3])
    if read_picture.alpha is not None:
        np.testing.assert_array_equal(read_picture.alpha, np.asarray(expected)[..., 3])


def test_heic_brings_what_it_carries() -> None:
    pytest.importorskip("pillow_heif", reason="needs the extra u2net[heif]")
    heic = read(seeds()["heic"])
    assert heic.icc == SRGB
    assert heic.exif is not None and b"maker" in heic.exif
    upright = np.rot90(np.asarray(picture()), -1)
    assert np.abs(heic.pixels.astype(int) - upright)[..., :2].mean() < 8  # blue changes from pixel to pixel


def test_heic_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    start = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    with pytest.raises(UnreadablePicture, match=re.escape(f"a HEIC picture needs pillow-heif; {install_hint('heif')}")):
        read(start)


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Session) -> Path:
    """A photograph with a profile, a resolution, a maker, a place and XMP, in the current folder."""
    exif = Image.Exif()
    exif.update({271: "maker"})
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 7.0)})
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a exif:GPSLatitude='52,31N' dc:title='t'/></x:xmpmeta>"
    monkeypatch.chdir(tmp_path)
    with Image.open(EXAMPLES / "coffee.jpg") as image:
        image.reduce(2).save("photo.jpg", exif=exif, dpi=(300, 300), icc_profile=SRGB, xmp=xmp)
    return tmp_path / "photo.jpg"


@pytest.mark.parametrize("file_format", ["png", "webp", "avif", "tiff", "jpeg"])
def test_each_format_is_written_with_what_the_picture_carried(file_format: str, photo: Path) -> None:
    result = remove("photo.jpg", "--format", file_format)
    with Image.open(result.stdout.strip()) as cutout:
        assert cutout.format == file_format.upper()
        assert cutout.size == (300, 200)
        assert cutout.mode == ("RGB" if file_format == "jpeg" else "RGBA")
        assert cutout.info["icc_profile"] == SRGB
        assert cutout.getexif()[271] == "maker"
        assert cutout.getexif().get_ifd(0x8825)[1] == "N"
    written = read(result.stdout.strip())
    assert written.dpi == (300, 300)
    assert b"dc:title='t'" in (written.xmp or b"")


@pytest.mark.parametrize("file_format", ["png", "webp", "avif", "tiff", "jpeg"])
def test_private_leaves_the_place_out_and_strip_everything(file_format: str, photo: Path) -> None:
    result = remove("photo.jpg", "--format", file_format, "--private")
    private = Path(result.stdout.strip()).read_bytes()
    assert b"GPS" not in private
    assert read(private).icc == SRGB
    assert b"maker" in (read(private).exif or b"")
    assert b"dc:title='t'" in (read(private).xmp or b"")
    result = remove("photo.jpg", "--format", file_format, "--strip")
    stripped = read(result.stdout.strip())
    assert (stripped.icc, stripped.exif, stripped.xmp, stripped.dpi) == (None, None, None, None)


def test_mask_and_saliency_are_private_too(photo: Path) -> None:
    result = remove("photo.jpg", "--only-mask", "--private")
    assert b"GPS" not in Path(result.stdout.strip()).read_bytes()


def test_quality_is_size_and_lossless_is_exact(photo: Path) -> None:
    sizes = {}
    for quality in ("30", "95"):
        for file_format in ("webp", "avif", "jpeg"):
            name = f"q{quality}.{file_format}"
            assert remove("photo.jpg", "-o", name.replace("jpeg", "jpg"), "--quality", quality).return_value == 0
            sizes[name] = Path(name.replace("jpeg", "jpg")).stat().st_size
    for file_format in ("webp", "avif", "jpeg"):
        assert sizes[f"q30.{file_format}"] < 0.6 * sizes[f"q95.{file_format}"]
    remove("photo.jpg", "-o", "a.png")
    remove("photo.jpg", "-o", "a.webp", "--lossless")
    np.testing.assert_array_equal(read("a.webp").pixels, read("a.png").pixels)
    np.testing.assert_array_equal(read("a.webp").alpha, read("a.png").alpha)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--quality", "80"], "PNG keeps every pixel and has no quality"),
        (["--format", "webp", "--lossless", "--quality", "80"], "lossless WebP keeps every pixel"),
        (["-o", "a.avif", "--lossless"], "AVIF as written here is always lossy"),
        (["--format", "webp", "--quality", "0"], "0 is not in the range 1<=x<=100"),
    ],
)
def test_flags_that_contradict_are_refused_before_the_work(
    flags: list[str],
    message: str,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_of(monkeypatch, "remove", "photo.jpg", *flags) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]


def test_float_tiff_is_cut_out_and_its_range_is_said(photo: Path) -> None:
    with Image.open(photo) as image:
        bright = np.asarray(image).astype(np.float32) / 200
    Path("bright.tif").write_bytes(tiff(bright, photometric="rgb"))
    command = [sys.executable, "-m", "u2net", "remove", "-m", "u2netp", "bright.tif", "-o", "out.png"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    sentence = "its samples go from 0 to 1.275; 0 is black, 1 is white, the rest is clipped"
    assert result.stderr == f"u2net: bright.tif: {sentence}\n"
    cutout = read("out.png")
    assert cutout.pixels.dtype == np.uint16
    assert cutout.pixels.max() == 65535
