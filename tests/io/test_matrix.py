"""Every mode x orientation x output format, with and without profile and alpha, as other programs see the results.

What must come out is known by hand: the inputs are made of known samples. What did come out is read by ImageMagick and
exiftool; where those are not installed, by Pillow, OpenCV and tifffile.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from support.profiles import cmyk_profile, grey_profile, rgb_profile
from support.tools import optional_program
from u2net.compose.cutout import cutout
from u2net.io.read import read
from u2net.io.write import Format

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "LA;16", "RGB;16", "RGBA;16"]
SUFFIX: dict[Format, str] = {"png": "png", "webp": "webp", "avif": "avif", "jpeg": "jpg", "tiff": "tif"}
SIZE = (31, 47)

RANDOM = np.random.default_rng(0)
_ramps = np.meshgrid(np.linspace(20, 220, SIZE[1]), np.linspace(30, 240, SIZE[0]))
RGB = np.dstack([*_ramps, (_ramps[0] + _ramps[1]) / 2]).astype(np.uint8)  # smooth, so that lossy formats lose little
ALPHA = RANDOM.integers(1, 255, SIZE, np.uint8)
DEEP = RGB.astype(np.uint16) * 257 + RANDOM.integers(-100, 100, RGB.shape).astype(np.uint16)
DEEP_ALPHA = ALPHA.astype(np.uint16) * 256 + 3

EXIFTOOL = optional_program("exiftool", package="libimage-exiftool-perl")
IMAGEMAGICK = optional_program("magick", "convert-im6.q16", "convert-im6", package="imagemagick")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    b'tiff:Orientation="6" exif:GPSLatitude="51,30.0N"><dc:source>kept</dc:source>'
    b"<exif:GPSLongitude>0,7.0W</exif:GPSLongitude></rdf:Description></rdf:RDF></x:xmpmeta>"
)
TURN: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@dataclass(frozen=True)
class Case:
    mode: str
    orientation: int
    profile: bool

    @property
    def name(self) -> str:
        return f"{self.mode.replace(';', '-')}_{self.orientation}_{'icc' if self.profile else 'plain'}"

    @property
    def deep(self) -> bool:
        return self.mode.endswith("16")

    @property
    def in_tiff(self) -> bool:
        return self.deep or self.mode in ("CMYK", "LAB")

    @property
    def turned(self) -> bool:
        return self.orientation >= 5

    @property
    def size(self) -> tuple[int, int]:
        return SIZE[::-1] if self.turned else SIZE


CASES = [Case(*values) for values in itertools.product(MODES, TURN, (False, True))]


def source(mode: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The samples that an input is made of, and its alpha."""
    deep = mode.endswith("16")
    colors, alpha = (DEEP, DEEP_ALPHA) if deep else (RGB, ALPHA)
    grey = mode.split(";")[0] in ("1", "L", "LA", "I")
    values = colors[..., 0] if grey else colors
    return (values // 128 * 255 if mode == "1" else values), alpha if "A" in mode.replace("LAB", "") else None


@functools.cache
def pillow_image(mode: str) -> Image.Image:
    values, alpha = source(mode)
    image = Image.fromarray(values)
    if mode in ("LA", "RGBA"):
        assert alpha is not None
        image.putalpha(Image.fromarray(alpha))
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), lab, outputMode="LAB") or image
    if mode == "PA":
        image = image.quantize(200)
        image.info["transparency"] = bytes(range(55, 255))
        return image
    return image.quantize(200) if mode == "P" else image.convert(mode)


@functools.cache
def profile(mode: str) -> bytes:
    if mode.split(";")[0] in ("1", "L", "LA", "I"):
        return grey_profile(1.8)
    if mode == "LAB":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return cmyk_profile() if mode == "CMYK" else rgb_profile("p3")


def make_input(case: Case) -> bytes:
    icc = profile(case.mode) if case.profile else None
    buffer = io.BytesIO()
    if case.in_tiff:  # not by Pillow, which loses directories and, with XMP, LAB pixels
        values, alpha = source(case.mode)
        if case.mode in ("CMYK", "LAB"):
            values = np.asarray(pillow_image(case.mode))
        color = {"CMYK": "separated", "LAB": "cielab"}.get(case.mode, "rgb")
        tifffile.imwrite(
            buffer,
            values if alpha is None else np.dstack([values, alpha]),
            photometric="minisblack" if values.ndim == 2 else color,
            planarconfig=None if values.ndim == 2 and alpha is None else "contig",
            extrasamples=None if alpha is None else ["unassalpha"],
            extratags=[
                (0x0112, 3, 1, case.orientation, True),
                (0x010F, 2, 0, "maker", True),
                (700, 1, len(XMP), XMP, True),
            ],
            iccprofile=icc,
            resolution=(300, 150),
            resolutionunit="INCH",
            metadata=None,
            software=False,
        )
        return buffer.getvalue()
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "maker", case.orientation
    exif.get_ifd(0x8769).update({0x829A: IFDRational(1, 250), 0xA434: "lens", 0xA002: SIZE[1], 0xA003: SIZE[0]})
    exif.get_ifd(0x8825).update({1: "N", 2: (IFDRational(51), IFDRational(30), IFDRational(1234, 100))})
    pillow_image(case.mode).save(buffer, "PNG", exif=exif, dpi=(300, 150), icc_profile=icc)
    return buffer.getvalue()


def expected(case: Case) -> np.ndarray:
    """(H, W, 4) uint16: the upright picture as it must be, in sRGB or, for RGB with a profile, in that."""
    values, alpha = source(case.mode)
    if case.mode in ("P", "PA", "CMYK", "LAB"):
        rgba = np.asarray(pillow_image(case.mode).convert("RGBA" if case.mode == "PA" else "RGB"))
        values, alpha = rgba[..., :3], rgba[..., 3] if case.mode == "PA" else None
        if case.mode == "CMYK" and case.profile:
            values = cmyk_of_the_profile(np.asarray(pillow_image("CMYK")))
    scale = 1 if case.deep else 257
    colors = np.dstack([values] * 3) if values.ndim == 2 else values
    colors = colors.astype(np.float64) * scale
    if case.profile and case.mode.split(";")[0] in ("1", "L", "LA", "I"):
        linear = (colors / 65535) ** 1.8
        colors = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055) * 65535
    opacity = np.full(SIZE, 65535.0) if alpha is None else alpha * float(scale)
    return TURN[case.orientation](np.dstack([colors, opacity]))


def cmyk_of_the_profile(ink: np.ndarray) -> np.ndarray:
    """Corners of the profile's table, straight between them: in Lab, so Pillow converts it back."""
    found = ImageCms.profileToProfile(
        Image.fromarray(ink, "CMYK"),
        ImageCms.ImageCmsProfile(io.BytesIO(cmyk_profile())),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    return np.asarray(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All results: <case>.<suffix>, and <case>.private.<suffix> and <case>.strip.<suffix> of some."""
    where = tmp_path_factory.mktemp("matrix")
    for case in CASES:
        picture = read(make_input(case))
        whole = cutout(picture, np.ones(picture.size, np.float32))
        for file_format, suffix in SUFFIX.items():
            whole.save(where / f"{case.name}.{suffix}", format=file_format)
            if case.orientation == 6:
                whole.save(where / f"{case.name}.private.{suffix}", format=file_format, metadata="private")
                whole.save(where / f"{case.name}.strip.{suffix}", format=file_format, metadata="none")
    return where


@pytest.fixture(scope="module")
def decoded(folder: Path) -> Callable[[Format], dict[str, np.ndarray]]:
    """All pictures of a format, (H, W, 4) of 65535 levels, by case."""

    @functools.cache
    def decode(file_format: Format) -> dict[str, np.ndarray]:
        paths = [folder / f"{case.name}.{SUFFIX[file_format]}" for case in CASES]
        if not IMAGEMAGICK or file_format == "avif":  # ImageMagick 6 loses alpha and chroma of AVIF
            return {case.name: with_libraries(path) for case, path in zip(CASES, paths, strict=True)}
        command = [IMAGEMAGICK, *map(str, paths), "-alpha", "on"]
        command += ["-depth", "16", "-endian", "LSB", "rgba:-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        pictures = np.frombuffer(raw, "<u2").reshape(len(CASES), -1)
        return {case.name: one.reshape(*case.size, 4) for case, one in zip(CASES, pictures, strict=True)}

    return decode


def with_libraries(path: Path) -> np.ndarray:
    if path.suffix == ".tif":
        values = tifffile.imread(path)
    elif path.suffix == ".png":
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    else:
        values = np.asarray(Image.open(path))
    values = values if values.dtype == np.uint16 else values.astype(np.uint16) * 257
    return values if values.shape[2] == 4 else np.dstack([values, np.full(values.shape[:2], 65535, np.uint16)])


@pytest.fixture(scope="module")
def tags(folder: Path) -> dict[str, dict[str, Any]]:
    """What exiftool says of each result: {file name: {group:tag: value}}."""
    if not EXIFTOOL:
        return {path.name: tags_by_pillow(path) for path in folder.iterdir()}
    command = [EXIFTOOL, "-json", "-G1", "-a", "-n", str(folder)]
    return {
        Path(one["SourceFile"]).name: one for one in json.loads(subprocess.run(command, capture_output=True).stdout)
    }


def tags_by_pillow(path: Path) -> dict[str, Any]:
    with Image.open(path) as image:
        exif = image.getexif()
        named = {"IFD0:Make": exif.get(0x010F), "IFD0:Orientation": exif.get(0x0112)}
        named |= {
            "ExifIFD:ExposureTime": exif.get_ifd(0x8769).get(0x829A),
            "GPS:GPSLatitudeRef": exif.get_ifd(0x8825).get(1),
        }
        named |= {"ExifIFD:ExifImageWidth": exif.get_ifd(0x8769).get(0xA002)}
        named |= {"ICC-header:ColorSpaceData": "RGB " if "icc_profile" in image.info else None}
        if "dpi" in image.info or 0x011A in exif:
            named["IFD0:XResolution"] = round(float(image.info.get("dpi", (exif.get(0x011A),))[0]))
        xmp = image.info.get("xmp") or b""
        named["XMP-dc:Source"] = "kept" if b"kept" in xmp else None
        named["XMP-exif:GPSLatitude"] = 51.5 if b"GPSLatitude" in xmp else None
        return {name: value for name, value in named.items() if value is not None}


@pytest.mark.parametrize("file_format", ["png", "tiff"])
@pytest.mark.parametrize("mode", MODES)
def test_lossless_formats_hold_every_sample(
    mode: str, file_format: Format, decoded: Callable[[Format], dict[str, np.ndarray]]
) -> None:
    for case in (case for case in CASES if case.mode == mode):
        found, wanted = decoded(file_format)[case.name].astype(np.float64), expected(case)
        # Converted colors are rounded to the depth of the picture; LAB's eight bits are coarser than sRGB's.
        grey = case.profile and mode.split(";")[0] in ("1", "L", "LA", "I")
        tolerance = (24 if case.deep else 257) if grey else 514 if mode == "LAB" else 0
        assert np.abs(found - wanted).max() <= tolerance, case


@pytest.mark.parametrize(("file_format", "mean", "largest"), [("webp", 2.0, 20), ("avif", 2.0, 20), ("jpeg", 2.0, 20)])
@pytest.mark.parametrize("mode", MODES)
def test_lossy_formats_stay_near(
    mode: str, file_format: Format, mean: float, largest: float, decoded: Callable[[Format], dict[str, np.ndarray]]
) -> None:
    for case in (case for case in CASES if case.mode == mode):
        found, wanted = decoded(file_format)[case.name] / 257, expected(case) / 257
        if file_format == "jpeg":  # laid over white
            opacity = wanted[..., 3:] / 255
            wanted = np.dstack([wanted[..., :3] * opacity + 255 * (1 - opacity), np.full(case.size, 255)])
        if mode in ("1", "P", "PA") or (file_format == "jpeg" and opacity.min() < 1):
            mean, largest = 12.0, 130  # noise and hard edges, which such formats are bad at
        weight = np.dstack([wanted[..., 3:] / 255] * 3 + [np.ones((*case.size, 1))])  # unseen colors may differ
        difference = np.abs(found - wanted) * weight
        assert difference.mean() <= mean, case
        assert difference.max() <= largest, case


@pytest.mark.parametrize("file_format", list(SUFFIX))
def test_metadata_are_kept(file_format: Format, tags: dict[str, dict[str, Any]]) -> None:
    for case in CASES:
        found = tags[f"{case.name}.{SUFFIX[file_format]}"]
        assert found["IFD0:Make"] == "maker", case
        assert "IFD0:Orientation" not in found, case
        assert resolution(found) == (150 if case.turned else 300), case
        has_profile = "ICC-header:ColorSpaceData" in found
        assert has_profile == (case.profile and case.mode.split(";")[0] in ("P", "PA", "RGB", "RGBA")), case
        if not case.in_tiff:
            assert found["ExifIFD:ExposureTime"] == pytest.approx(0.004), case
            assert found["ExifIFD:ExifImageWidth"] == case.size[1], case
            assert found["GPS:GPSLatitudeRef"] == "N", case
        if case.in_tiff:
            assert found["XMP-dc:Source"] == "kept", case
            assert "XMP-tiff:Orientation" not in found, case
            assert "XMP-exif:GPSLatitude" in found, case


def resolution(found: dict[str, Any]) -> int | None:
    """Dots per inch across, from wherever the format keeps it."""
    if "PNG-pHYs:PixelsPerUnitX" in found:
        return round(found["PNG-pHYs:PixelsPerUnitX"] * 0.0254)
    across = found.get("JFIF:XResolution", found.get("IFD0:XResolution"))
    return None if across is None else round(across)


@pytest.mark.parametrize("file_format", list(SUFFIX))
def test_private_drops_the_place_and_strip_all(file_format: Format, tags: dict[str, dict[str, Any]]) -> None:
    for case in (case for case in CASES if case.orientation == 6):
        private = tags[f"{case.name}.private.{SUFFIX[file_format]}"]
        assert private["IFD0:Make"] == "maker"
        assert not [name for name in private if "GPS" in name], case
        strip = tags[f"{case.name}.strip.{SUFFIX[file_format]}"]
        assert not [name for name in strip if name.startswith(("ExifIFD", "GPS", "XMP", "ICC", "PNG-pHYs"))], case
        assert "IFD0:Make" not in strip
        assert resolution(strip) in (None, 1), case
