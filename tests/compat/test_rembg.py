"""u2net.compat.rembg gives rembg's pixels, kinds and modes; results of rembg 2.0.86 itself lie in rembg_results.

`benchmarks/parity_rembg.py --store` made them. Oracles otherwise: SciPy, which rembg calls, and pymatting.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError
from scipy import ndimage, sparse

import u2net
import u2net.compat.rembg as rembg
from support.paths import EXAMPLES, ROOT
from support.small_onnx import small_network
from u2net.compat import rembg_masks, rembg_session
from u2net.errors import BadInput, EngineUnavailable, MissingExtra, PictureTooLarge, UnknownModel, UnreadablePicture
from u2net.inference.session import Session
from u2net.system.install import install_hint

RESULTS = ROOT / "tests" / "compat" / "rembg_results"
STORED = json.loads((RESULTS / "results.json").read_text())
YELLOW = (255, 204, 0, 255)
WAYS: dict[str, dict[str, Any]] = {
    "cutout": {},
    "mask": {"only_mask": True},
    "post-processed": {"post_process_mask": True, "only_mask": True},
    "matted": {"alpha_matting": True},
    "coloured": {"bgcolor": YELLOW},
    "putalpha": {"putalpha": True},
}
# Matting takes seconds: of that two pictures.
CASES = [
    (case, way) for case in STORED["hashes"] for way in WAYS if way != "matted" or case.startswith(("cat", "coffee"))
]
CAT = (EXAMPLES / "cat.png").read_bytes()


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


@pytest.fixture(scope="session")
def cat() -> Image.Image:
    """113 x 75."""
    return Image.open(EXAMPLES / "cat.png").convert("RGB").resize((113, 75), Image.Resampling.BOX)


class Masks:
    """Somebody else's session: gives the masks it was made with."""

    def __init__(self, *masks: Image.Image) -> None:
        self.masks = list(masks)

    def predict(self, img: Image.Image, *args: Any, **kwargs: Any) -> list[Image.Image]:
        return self.masks


@pytest.fixture(scope="session")
def masks_of(session_of: Callable[[str], Session]) -> Callable[[str, str], Masks]:
    """The masks of a case such as `cat.png u2netp`, by an engine; each is computed once."""

    @functools.cache
    def session(model: str, engine: str) -> rembg.RembgSession:
        if engine == "openvino":
            return rembg_session.RembgSession(model, session_of(model))
        return rembg.new_session(model, engine="onnxruntime")

    @functools.cache
    def masks(case: str, engine: str) -> Masks:
        name, model = case.split()
        return Masks(*session(model, engine).predict(Image.open(EXAMPLES / name)))

    return masks


# -- pixels


@pytest.mark.parametrize(("case", "way"), CASES)
def test_perceptual_hash_is_that_of_rembgs_own_result(
    case: str, way: str, masks_of: Callable[[str, str], Masks]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs rembg's own engine")
    if way == "matted":
        pytest.importorskip("pymatting", reason="needs the extra u2net[matting]")
    png = rembg.remove((EXAMPLES / case.split()[0]).read_bytes(), session=masks_of(case, "onnxruntime"), **WAYS[way])
    assert str(imagehash.phash(opened(png))) == STORED["hashes"][case][way]


@pytest.mark.parametrize("way", ["cutout", "mask", "post-processed", "coloured", "putalpha"])
@pytest.mark.parametrize("case", STORED["hashes"])
def test_perceptual_hash_is_nearly_rembgs_in_openvino(
    case: str, way: str, masks_of: Callable[[str, str], Masks]
) -> None:
    """The sigmoids round differently next to 1, where 8 bits change from 254 to 255: two of 64 bits may turn."""
    png = rembg.remove((EXAMPLES / case.split()[0]).read_bytes(), session=masks_of(case, "openvino"), **WAYS[way])
    assert imagehash.phash(opened(png)) - imagehash.hex_to_hash(STORED["hashes"][case][way]) <= 2


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("case", STORED["hashes"])
def test_mask_differs_from_rembgs_by_less_than_a_255th(
    case: str, engine: str, masks_of: Callable[[str, str], Masks]
) -> None:
    pytest.importorskip(engine, reason="another engine")
    name, model = case.split()
    mask = rembg.remove(Image.open(EXAMPLES / name), session=masks_of(case, engine), only_mask=True)
    expected = np.asarray(Image.open(RESULTS / f"{Path(name).stem}-{model}.png"), np.int16)
    difference = np.abs(np.asarray(mask) - expected)
    # Another engine's floats, truncated to 8 bits and enlarged: one or two steps here and there.
    assert difference.mean() < 0.1
    assert difference.max() <= 2


@pytest.mark.parametrize("model", ["u2net", "u2netp"])
def test_matte_is_rembgs(model: str, masks_of: Callable[[str, str], Masks]) -> None:
    pytest.importorskip("onnxruntime", reason="needs rembg's own engine")
    pytest.importorskip("pymatting", reason="needs the extra u2net[matting]")
    masks = masks_of(f"cat.png {model}", "onnxruntime")
    cutout = rembg.remove(Image.open(EXAMPLES / "cat.png"), alpha_matting=True, session=masks)
    expected = np.asarray(Image.open(RESULTS / f"cat-{model}-matted.png"), np.int16)
    assert np.abs(np.asarray(cutout)[..., 3] - expected).mean() < 1  # in 255ths; 0 with the Pillow it was made with


@pytest.mark.parametrize("mode", STORED["kinds"])
@pytest.mark.parametrize("way", WAYS)
def test_every_mode_gives_rembgs_kind_and_mode(mode: str, way: str) -> None:
    if way == "matted":
        pytest.importorskip("pymatting", reason="needs the extra u2net[matting]")
    expected = STORED["kinds"][mode][way]
    mask = Image.linear_gradient("L").resize((113, 75))
    result = rembg.remove(picture_of_mode(mode), session=Masks(mask), **WAYS[way])
    if isinstance(result, np.ndarray):
        assert f"array {result.dtype} {result.shape}" == expected
    elif expected == "an error":  # of Pillow or an assertion; here it works
        assert result.mode == "RGBA"
    else:
        assert f"{result.mode} {result.width}x{result.height}" == expected


def picture_of_mode(mode: str) -> Any:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import parity_rembg
    finally:
        sys.path.pop(0)
    return parity_rembg.picture_of_mode(mode)


def test_users_file_works_when_only_the_import_is_changed(tmp_path: Path, small: Session) -> None:
    """Of the form of rembg's own suite: the perceptual hash of the result equals the stored one."""
    (tmp_path / "users_file.py").write_text(
        "import sys\n"
        "import u2net.compat.rembg\n"
        "sys.modules['rembg'] = u2net.compat.rembg\n"
        "\n"
        "from io import BytesIO\n"
        "from pathlib import Path\n"
        "from imagehash import phash\n"
        "from PIL import Image\n"
        "from rembg import new_session, remove\n"
        "\n"
        "actual = remove(Path(sys.argv[1]).read_bytes(), session=new_session('u2netp'))\n"
        "assert str(phash(Image.open(BytesIO(actual)))) == sys.argv[2], phash(Image.open(BytesIO(actual)))\n"
    )
    command = [sys.executable, "users_file.py", str(EXAMPLES / "coffee.jpg")]
    subprocess.run([*command, STORED["hashes"]["coffee.jpg u2netp"]["cutout"]], cwd=tmp_path, check=True)


def test_half_transparent_colors_are_darkened_unless_putalpha(cat: Image.Image) -> None:
    half = Image.new("L", cat.size, 127)
    white = Image.new("RGB", cat.size, "white")
    assert rembg.remove(white, session=Masks(half)).getpixel((0, 0)) == (127, 127, 127, 127)
    assert rembg.remove(white, session=Masks(half), putalpha=True).getpixel((0, 0)) == (255, 255, 255, 127)


def test_decontaminate_is_our_estimation_over_the_mask(cat: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    def estimate_foreground(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        assert (pixels.dtype, alpha.dtype) == (np.uint8, np.float32)
        assert alpha.max() == np.float32(1)
        return 255 - pixels

    monkeypatch.setattr(rembg_masks, "estimate_foreground", estimate_foreground)
    mask = Image.linear_gradient("L").resize(cat.size).point(lambda grey: min(2 * grey, 255))
    cutout = np.asarray(rembg.remove(cat, session=Masks(mask), decontaminate=True))
    np.testing.assert_array_equal(cutout[..., :3], 255 - np.asarray(cat))
    np.testing.assert_array_equal(cutout[..., 3], mask)


def test_decontaminate_gives_a_white_disc_on_green_a_white_edge() -> None:
    distance = np.hypot(*(np.mgrid[:120, :160] - np.array([60, 80])[:, None, None]))
    alpha = np.clip((45 - distance) / 10, 0, 1)[..., None]
    picture = Image.fromarray(np.uint8(np.rint(alpha * 255 + (1 - alpha) * np.array([20, 160, 40]))))
    session = Masks(Image.fromarray(np.uint8(np.rint(alpha[..., 0] * 255))))
    edge = (alpha[..., 0] > 0.2) & (alpha[..., 0] < 0.8)
    straight, darkened = (
        np.asarray(rembg.remove(picture, session=session, decontaminate=flag))[edge][:, :3] for flag in (True, False)
    )
    assert straight.min() > 240
    assert darkened.mean() < 140


def test_picture_without_an_object_is_stretched_as_rembg_does(small: Session) -> None:
    mask = np.asarray(rembg.remove(Image.open(EXAMPLES / "gravel.jpg"), session=small, only_mask=True))
    assert mask.max() == 255
    assert u2net.remove(EXAMPLES / "gravel.jpg", small).alpha.max() == 0


def test_flat_map_is_an_empty_mask() -> None:
    assert not np.asarray(rembg_session.to_mask(np.full((1, 1, 320, 320), 0.7, np.float32), (40, 30))).any()


def test_map_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(BadInput, match="NaN or infinity"):
        rembg_session.to_mask(np.full((1, 1, 320, 320), np.nan, np.float32), (40, 30))


def test_black_picture_has_a_finite_tensor() -> None:
    tensor = rembg_session.to_tensor(Image.new("RGB", (8, 8)), (320, 320), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    np.testing.assert_allclose(tensor[0, :, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_post_processing_is_scipys_to_the_bit(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 60, 2)
    ramp = 127 + (np.arange(width) - width // 2) * random.integers(1, 5) + np.zeros((height, 1))
    mask = [
        random.integers(0, 256, (height, width)),
        np.full((height, width), 127),
        np.clip(ramp, 0, 255),  # symmetric about the threshold: the order of the sum decides
        (random.random((height, width)) < 0.5) * 254,
    ][seed % 4].astype(np.uint8)
    opened = ndimage.grey_opening(mask, footprint=ndimage.generate_binary_structure(2, 1), mode="reflect")
    blurred = ndimage.gaussian_filter(opened.astype(np.float64), sigma=2)
    expected = np.where(blurred < 127, 0, 255)
    np.testing.assert_array_equal(rembg_masks.post_processed(Image.fromarray(mask)), expected)


def test_post_processing_in_bands_has_no_seams() -> None:
    mask = (ndimage.gaussian_filter(np.random.default_rng(0).random((700, 900)), 5) > 0.5).astype(np.uint8) * 255
    opened = ndimage.grey_opening(mask, footprint=ndimage.generate_binary_structure(2, 1), mode="reflect")
    expected = np.where(ndimage.gaussian_filter(opened.astype(np.float64), sigma=2) < 127, 0, 255)
    np.testing.assert_array_equal(rembg_masks.post_processed(Image.fromarray(mask)), expected)


@pytest.mark.parametrize("erode_size", [-1, 0, 1, 2, 3, 10, 11])
def test_trimap_is_scipys_to_the_bit(erode_size: int) -> None:
    mask = ndimage.gaussian_filter(np.random.default_rng(1).random((70, 90)), 6)
    mask = np.uint8(255 * (mask - mask.min()) / np.ptp(mask))
    square = np.ones((erode_size, erode_size)) if erode_size > 0 else None
    expected = np.full(mask.shape, 128)
    expected[ndimage.binary_erosion(mask > 140, structure=square)] = 255
    expected[ndimage.binary_erosion(mask < 110, structure=square, border_value=1)] = 0
    np.testing.assert_array_equal(rembg_masks.to_trimap(mask, 140, 110, erode_size), expected)
    assert {0, 128, 255} == set(np.unique(expected)) or erode_size > 3


# -- alpha matting gives up


def test_matting_without_a_sure_foreground_falls_back_to_the_mask(cat: Image.Image) -> None:
    foreground = pytest.importorskip("pymatting.foreground.estimate_foreground_ml", reason="needs u2net[matting]")
    mask = Image.linear_gradient("L").resize(cat.size)
    arguments: dict[str, Any] = {"alpha_matting": True, "alpha_matting_foreground_threshold": 255}
    cutout = np.asarray(rembg.remove(cat, session=Masks(mask), **arguments))
    alpha = np.asarray(mask) / 255
    colors = foreground.estimate_foreground_ml(np.asarray(cat) / 255, alpha)
    expected = np.clip(np.dstack((colors, alpha)) * 255, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(cutout, expected)
    straight = np.asarray(rembg.remove(cat, session=Masks(mask), putalpha=True, **arguments))
    np.testing.assert_array_equal(straight[..., :3], cat)


def test_grey_picture_is_not_matted(cat: Image.Image) -> None:
    pytest.importorskip("pymatting", reason="needs the extra u2net[matting]")
    mask = Image.linear_gradient("L").resize(cat.size)
    cutout = rembg.remove(cat.convert("L"), session=Masks(mask), alpha_matting=True, putalpha=True)
    assert cutout.mode == "LA"
    np.testing.assert_array_equal(cutout.getchannel("A"), mask)


def test_matting_without_pymatting_says_how_to_get_it(cat: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pymatting", "pymatting.alpha.estimate_alpha_cf"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=re.escape(install_hint("matting"))):
        rembg.remove(cat, session=Masks(Image.new("L", cat.size)), alpha_matting=True)


# -- kinds in and out


def test_bytes_in_gives_the_bytes_of_a_png(small: Session) -> None:
    png = rembg.remove(CAT, session=small)
    assert (opened(png).format, opened(png).mode, opened(png).size) == ("PNG", "RGBA", (451, 300))
    assert opened(rembg.remove(CAT, session=small, only_mask=True)).mode == "L"


def test_array_in_gives_an_array(cat: Image.Image, small: Session) -> None:
    pixels = np.asarray(cat)
    cutout = rembg.remove(pixels, session=small)
    assert (cutout.dtype, cutout.shape) == (np.uint8, (75, 113, 4))
    np.testing.assert_array_equal(cutout, rembg.remove(cat, session=small))
    assert rembg.remove(pixels, session=small, only_mask=True).shape == (75, 113)


def test_force_return_bytes_gives_a_png_for_every_kind(cat: Image.Image, small: Session) -> None:
    expected = rembg.remove(cat, session=small)
    for data in (cat, np.asarray(cat)):
        np.testing.assert_array_equal(opened(rembg.remove(data, session=small, force_return_bytes=True)), expected)
    assert rembg.remove(bytearray(CAT), session=small, force_return_bytes=True) == rembg.remove(CAT, session=small)


def test_arguments_have_rembgs_order() -> None:
    """Read from rembg 2.0.86: people pass the first ones by position."""
    import inspect

    assert list(inspect.signature(rembg.remove).parameters)[:13] == [
        "data",
        "alpha_matting",
        "alpha_matting_foreground_threshold",
        "alpha_matting_background_threshold",
        "alpha_matting_erode_size",
        "session",
        "only_mask",
        "post_process_mask",
        "decontaminate",
        "vitmatte",
        "vitmatte_model",
        "bgcolor",
        "force_return_bytes",
    ]


def test_users_image_stays_as_it_is(cat: Image.Image) -> None:
    before = cat.tobytes()
    mask = Image.new("L", cat.size, 100)
    cutout = rembg.remove(cat, session=Masks(mask), putalpha=True)
    assert (cat.mode, cat.tobytes(), cutout.mode) == ("RGB", before, "RGBA")


def test_turned_picture_comes_out_upright(cat: Image.Image, small: Session) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    cat.transpose(Image.Transpose.ROTATE_90).save(stream, "PNG", exif=exif)
    np.testing.assert_array_equal(
        opened(rembg.remove(stream.getvalue(), session=small)), rembg.remove(cat, session=small)
    )


def test_several_masks_give_cutouts_one_below_the_other_and_none_the_picture(cat: Image.Image) -> None:
    full, none = Image.new("L", cat.size, 255), Image.new("L", cat.size)
    tower = rembg.remove(cat, session=Masks(full, none))
    assert (tower.mode, tower.size) == ("RGBA", (113, 150))
    np.testing.assert_array_equal(np.asarray(tower)[:75, :, :3], cat)
    assert not np.asarray(tower)[75:].any()
    straight = np.asarray(rembg.remove(cat, session=Masks(full, none), putalpha=True))
    assert straight[:75, :, 3].all() and not straight[75:, :, 3].any()
    np.testing.assert_array_equal(rembg.remove(cat, session=Masks()), cat)


def test_profile_is_lost_as_in_rembg_unless_putalpha(small: Session) -> None:
    stream = io.BytesIO()
    Image.open(EXAMPLES / "coffee.jpg").save(stream, "JPEG", icc_profile=b"a profile")
    assert "icc_profile" not in opened(rembg.remove(stream.getvalue(), session=small)).info
    assert opened(rembg.remove(stream.getvalue(), session=small, putalpha=True)).info["icc_profile"] == b"a profile"


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (b"", UnidentifiedImageError, "is empty"),
        (b"no picture", UnidentifiedImageError, "is not a picture"),
        (CAT[:2000], OSError, "damaged"),
        ("cat.png", ValueError, "give the file's bytes, a Pillow image or an array"),
        (bytearray(CAT), ValueError, "cannot read a picture from bytearray"),
        (io.BytesIO(CAT), ValueError, "u2net.remove takes paths and files too"),
        (np.zeros((9, 9, 3), np.float32), BadInput, "array of float32, (9, 9, 3); give uint8"),
    ],
)
def test_bad_input_is_one_sentence_and_the_error_that_programs_for_rembg_wait_for(
    data: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        rembg.remove(data, session=Masks())
    assert sentence in str(caught.value)
    assert isinstance(caught.value, (BadInput, UnreadablePicture))


def test_too_large_a_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    with pytest.raises(PictureTooLarge):
        rembg.remove(stream.getvalue(), session=Masks())


@pytest.mark.parametrize("color", ["red", (1, 2), 7 * (0,)])
def test_color_that_is_none_is_refused(cat: Image.Image, color: Any) -> None:
    with pytest.raises(BadInput, match="bgcolor is"):
        rembg.remove(cat, session=Masks(Image.new("L", cat.size)), bgcolor=color)


def test_vitmatte_says_what_to_use_instead(cat: Image.Image) -> None:
    with pytest.raises(BadInput, match="ViTMatte is not here; use alpha matting"):
        rembg.remove(cat, session=Masks(), vitmatte=True)


# -- sessions


def test_both_kinds_of_session_give_the_same(cat: Image.Image, small: Session) -> None:
    session = rembg.new_session("u2netp")
    assert isinstance(session, rembg.RembgSession)
    assert (session.model_name, session.name(), session.session.precision) == ("u2netp", "u2netp", "f32")
    theirs, ours = (np.asarray(rembg.remove(cat, session=one), np.int16) for one in (session, small))
    assert np.abs(theirs - ours).max() <= 2  # the engines may differ
    (mask,) = session.predict(cat)
    np.testing.assert_array_equal(mask, rembg.remove(cat, session=session, only_mask=True))


def test_inner_session_answers_what_users_ask_onnxruntimes(small: Session) -> None:
    inner = rembg_session.RembgSession("u2netp", small).inner_session
    assert inner.get_providers() == ["OpenVINOExecutionProvider", "CPUExecutionProvider"]
    (source,) = inner.get_inputs()
    tensor = np.zeros(source.shape, np.float32)
    (fused,) = inner.run(None, {source.name: tensor})
    np.testing.assert_array_equal(fused, small.run(tensor))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, small: Session) -> list[dict[str, Any]]:
    """What `open_session` was asked for; it gives u2netp."""
    calls: list[dict[str, Any]] = []

    def open_session(model: Any, **arguments: Any) -> Session:
        calls.append({"model": model, **arguments})
        return small

    monkeypatch.setattr(rembg_session, "open_session", open_session)
    monkeypatch.setattr(rembg_session, "installed", lambda engine: {"onnxruntime": "1.31.1"})
    monkeypatch.setattr(rembg_session, "import_onnxruntime", lambda: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return calls


@pytest.mark.parametrize(
    ("providers", "device"),
    [
        (None, "auto"),
        (["CPUExecutionProvider"], "cpu"),
        (["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"], "cuda"),
        ([("CUDAExecutionProvider", {"device_id": 0}), "CPUExecutionProvider"], "cuda"),
        (["ROCMExecutionProvider"], "rocm"),
        (["CoreMLExecutionProvider"], "coreml"),
        (["DmlExecutionProvider"], "directml"),
        (["OpenVINOExecutionProvider", "CPUExecutionProvider"], "cpu"),
        ([("OpenVINOExecutionProvider", {"device_type": "GPU.0"})], "gpu"),
        ([("OpenVINOExecutionProvider", {"device_type": "NPU"})], "npu"),
        (["NonsenseExecutionProvider", "CPUExecutionProvider"], "cpu"),
        ("CUDAExecutionProvider", "cuda"),
        ([], "auto"),
    ],
)
def test_providers_say_the_device(asked: list[dict[str, Any]], providers: Any, device: str) -> None:
    rembg.new_session("u2netp", providers=providers)
    rembg.new_session("u2netp", providers)  # by position, as rembg had it before
    assert [call["device"] for call in asked] == [device, device]


def test_engine_is_rembgs_own_on_the_cpu_where_it_is_installed(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise EngineUnavailable("onnxruntime is only half installed")

    rembg.new_session("u2netp")
    rembg.new_session("u2netp", ["CPUExecutionProvider"])
    rembg.new_session("u2netp", ["OpenVINOExecutionProvider"])
    rembg.new_session("u2netp", [("OpenVINOExecutionProvider", {"device_type": "GPU"})])
    rembg.new_session("u2netp", ["CUDAExecutionProvider"])
    rembg.new_session("u2netp", engine="openvino")
    rembg.new_session("u2netp", precision="bf16")
    monkeypatch.setattr(rembg_session, "import_onnxruntime", broken)
    rembg.new_session("u2netp")
    monkeypatch.setattr(rembg_session, "installed", lambda engine: {})
    rembg.new_session("u2netp")
    assert [call["engine"] for call in asked] == [
        "onnxruntime", "onnxruntime", "openvino", "auto", "auto", "openvino", "auto", "auto", "auto",
    ]  # fmt: skip


def test_unknown_provider_is_warned_of(asked: list[dict[str, Any]], caplog: pytest.LogCaptureFixture) -> None:
    rembg.new_session("u2netp", providers=["NonsenseExecutionProvider"])
    assert "no provider 'NonsenseExecutionProvider' here" in caplog.text


def test_package_for_graphics_cards_means_that_they_are_wanted(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rembg_session, "installed", lambda engine: {"onnxruntime-gpu": "1.31.1"})
    rembg.new_session("u2netp")
    assert asked[0]["device"] == "cuda"


def test_threads_come_from_the_options_or_the_environment(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rembg.new_session("u2netp")
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    rembg.new_session("u2netp")
    rembg.new_session("u2netp", sess_opts=types.SimpleNamespace(intra_op_num_threads=2))
    rembg.new_session("u2netp", sess_opts=types.SimpleNamespace(intra_op_num_threads=0))
    assert [call["threads"] for call in asked] == [None, 3, 2, 3]


def test_session_is_opened_once_where_none_is_given(asked: list[dict[str, Any]], cat: Image.Image) -> None:
    rembg._opened_session.cache_clear()
    try:
        for _ in range(2):
            rembg.remove(cat)
        rembg.remove(cat, providers=["CPUExecutionProvider"])
    finally:
        rembg._opened_session.cache_clear()
    assert [(call["model"], call["precision"], call["device"]) for call in asked] == [
        ("u2net", "f32", "auto"),
        ("u2net", "f32", "cpu"),
    ]


@pytest.mark.parametrize("name", ["u2nettp", "birefnet-general", "", "sam"])
def test_unknown_model_lists_what_there_is(name: str) -> None:
    with pytest.raises(UnknownModel, match="there are u2net, u2netp, u2net_human_seg, silueta, isnet") as caught:
        rembg.new_session(name)
    assert isinstance(caught.value, ValueError)  # what rembg raises


def test_default_of_rembg_is_said_to_need_a_paid_licence() -> None:
    with pytest.raises(UnknownModel, match="paid licence"):
        rembg.new_session("bria-rmbg")


def test_own_file_goes_by_rembgs_names(tmp_path: Path, cat: Image.Image) -> None:
    for size in (320, 1024):
        (tmp_path / f"{size}.onnx").write_bytes(small_network(size))
    own = rembg.new_session("u2net_custom", model_path=str(tmp_path / "320.onnx"))
    by_path = rembg.new_session(str(tmp_path / "320.onnx"))
    np.testing.assert_array_equal(rembg.remove(cat, session=own), rembg.remove(cat, session=by_path))
    dis = rembg.new_session("dis_custom", model_path=tmp_path / "1024.onnx")
    assert (dis.session.spec.size, dis.session.spec.mean) == ((1024, 1024), (0.5, 0.5, 0.5))
    assert rembg.remove(cat, session=dis).size == cat.size
    with pytest.raises(BadInput, match="give model_path="):
        rembg.new_session("u2net_custom")
    with pytest.raises(BadInput, match="takes pictures of"):
        rembg.new_session("dis_custom", model_path=tmp_path / "320.onnx")


def test_what_is_no_session_is_refused(cat: Image.Image) -> None:
    with pytest.raises(BadInput, match="a session comes from"):
        rembg.remove(cat, session="u2netp")


def test_importing_loads_no_engine_and_no_matting() -> None:
    heavy = ["openvino", "onnxruntime", "pymatting", "torch", "scipy", "numba"]
    code = f"import sys, u2net.compat.rembg; print(*[name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_matting_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """pymatting prints warnings on standard output: `rembg i -a > cutout.png` is no picture then."""
    pytest.importorskip("pymatting", reason="needs the extra u2net[matting]")
    rembg_masks.matting_functions()
    indefinite = sparse.csc_matrix(np.array([[1.0, 2.0], [2.0, 1.0]]))
    importlib.import_module("pymatting.preconditioner.ichol").ichol(indefinite)
    assert capsys.readouterr().out == ""
