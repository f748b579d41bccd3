"""Truths as they are decoded: masks, mattes, class ids, pictures; and pairs at one size."""

from __future__ import annotations

import ast
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from support.paths import ROOT
from u2net.datasets.ground_truth import first_look, read_mask, read_pair, read_truth, shape_differs, squash
from u2net.datasets.pairs import Pair
from u2net.errors import BadInput, UnreadablePicture

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
HALF = np.zeros((8, 8), np.uint8)
HALF[:, 4:] = 255


def saved(path: Path, values: NDArray[np.uint8 | np.uint16], **options: object) -> Path:
    if values.dtype == np.uint16:
        cv2.imwrite(str(path), values)
    else:
        Image.fromarray(values).save(path, **options)
    return path


def test_grey_keeps_its_numbers_whatever_profile_the_file_has(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert np.array_equal(read_truth(saved(tmp_path / "a.png", RAMP)), RAMP)
    assert np.array_equal(read_truth(saved(tmp_path / "b.png", RAMP, icc_profile=profile)), RAMP)


def test_colors_one_bit_and_sixteen_bits_become_grey(tmp_path: Path) -> None:
    in_rgb = saved(tmp_path / "rgb.png", np.repeat(HALF[..., None], 3, axis=2))  # as a few masks of DUTS are
    assert np.array_equal(read_truth(in_rgb), HALF)
    Image.fromarray(HALF).convert("1").save(tmp_path / "one.png")
    assert np.array_equal(read_truth(tmp_path / "one.png"), HALF)
    assert np.array_equal(read_truth(saved(tmp_path / "deep.png", RAMP.astype(np.uint16) * 257)), RAMP)


def test_zeros_and_ones_are_black_and_white(tmp_path: Path) -> None:
    assert np.array_equal(read_truth(saved(tmp_path / "a.png", HALF // 255)), HALF)
    assert read_truth(saved(tmp_path / "b.png", HALF // 127)).max() == 2  # that is not sure to be meant so
    deep = saved(tmp_path / "c.png", HALF.astype(np.uint16) // 255)
    assert np.array_equal(read_mask(deep), HALF.astype(np.uint16) * 257)
    assert np.array_equal(read_truth(deep), HALF)
    dark = saved(tmp_path / "d.png", np.full((8, 8), 300, np.uint16))  # 1 in 8 bits, and no mask of ones
    assert read_truth(dark).max() == 1


def test_alpha_counts_where_it_says_something(tmp_path: Path) -> None:
    white = np.full((8, 8, 4), 255, np.uint8)
    white[..., 3] = HALF
    assert np.array_equal(read_truth(saved(tmp_path / "a.png", white)), HALF)
    opaque = np.dstack([HALF, HALF, HALF, np.full_like(HALF, 255)])
    assert np.array_equal(read_truth(saved(tmp_path / "b.png", opaque)), HALF)


def test_palette_keeps_its_ids_for_classes_and_its_greys_for_saliency(tmp_path: Path) -> None:
    ids = np.tile(np.array([[0, 1, 2, 255]], np.uint8), (4, 1))
    image = Image.fromarray(ids)
    image.putpalette([0, 0, 0, 255, 255, 255, 128, 0, 0] + [7] * (253 * 3))
    image.save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "P"
    assert np.array_equal(read_truth(tmp_path / "a.png", "classes"), ids)
    assert read_truth(tmp_path / "a.png")[0].tolist() == [0, 255, 38, 7]


def test_class_ids_of_grey_deep_and_three_equal_channels(tmp_path: Path) -> None:
    ids = np.array([[0, 1], [2, 3]], np.uint8)
    assert np.array_equal(read_truth(saved(tmp_path / "a.png", ids), "classes"), ids)
    assert np.array_equal(read_truth(saved(tmp_path / "b.png", np.dstack([ids] * 3)), "classes"), ids)
    assert np.array_equal(read_truth(saved(tmp_path / "c.png", ids.astype(np.uint16)), "classes"), ids)
    Image.fromarray(HALF).convert("1").save(tmp_path / "one.png")
    assert np.array_equal(read_truth(tmp_path / "one.png", "classes"), HALF // 255)
    with pytest.raises(BadInput, match="holds colours, not class ids"):
        read_truth(saved(tmp_path / "d.png", np.dstack([ids, ids, ids * 2])), "classes")
    with pytest.raises(BadInput, match="class ids up to 771"):
        read_truth(saved(tmp_path / "e.png", ids.astype(np.uint16) * 257), "classes")


def test_truth_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UnreadablePicture, match=r"a.png: the picture is damaged"):
        read_truth(path)
    (tmp_path / "b.png").write_bytes(b"")
    (tmp_path / "c.png").write_bytes(b"not a picture")
    for name in ("b.png", "c.png", "gone.png"):
        with pytest.raises(UnreadablePicture, match=name):
            read_truth(tmp_path / name)


def test_pair_is_squashed_together(tmp_path: Path) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[:30, :40] = 255
    colors = np.where(mask[..., None] > 0, [200, 10, 20], [10, 20, 30]).astype(np.uint8)
    pair = Pair(saved(tmp_path / "a.png", colors), saved(tmp_path / "b.png", mask), "a")
    picture, truth = read_pair(pair, "saliency", (32, 32))
    assert (picture.shape, truth.shape) == ((32, 32, 3), (32, 32))
    assert np.array_equal(truth[:15, :15], np.full((15, 15), 255))
    assert truth[17:].max() == 0
    assert np.abs(picture[..., 0] - (10 + truth * (190 / 255))).max() <= 1.5


def test_truth_of_another_shape_is_refused_and_a_scaled_one_taken(tmp_path: Path) -> None:
    picture = saved(tmp_path / "a.png", np.zeros((60, 80, 3), np.uint8))
    for size, name, why in (((80, 60), "turned", "one of the two is turned"), ((60, 90), "wide", "they do not belong")):
        pair = Pair(picture, saved(tmp_path / f"{name}.png", np.zeros(size, np.uint8)), name)
        with pytest.raises(BadInput, match=f"{name}.png: measures .* its picture 80 x 60: {why}") as caught:
            read_pair(pair, "saliency", (32, 32))
        (problem,) = first_look([pair])
        assert (problem.kind, problem.message) == ("other shape", str(caught.value))
    half = Pair(picture, saved(tmp_path / "half.png", np.zeros((30, 40), np.uint8)), "half")
    assert read_pair(half, "saliency", (32, 32))[1].shape == (32, 32)
    assert first_look([half]) == ()
    assert not shape_differs((267, 401), (133, 200))
    assert shape_differs((300, 400), (300, 410))


def test_first_look_tells_all_that_headers_tell(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (80, 60)).save(tmp_path / "turned.jpg", exif=turned)
    mask = saved(tmp_path / "mask.png", np.zeros((80, 60), np.uint8))  # as it is seen upright
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    pairs = [
        Pair(tmp_path / "turned.jpg", mask, "turned"),
        Pair(tmp_path / "gone.jpg", mask, "gone"),
        Pair(mask, None, "cutout"),
        Pair(mask, tmp_path / "broken.png", "broken"),
    ]
    assert [(problem.kind, problem.message.split(":")[0]) for problem in first_look(pairs)] == [
        ("unreadable", str(tmp_path / "gone.jpg")),
        ("unreadable", str(tmp_path / "broken.png")),
    ]


def test_class_ids_are_never_mixed(tmp_path: Path) -> None:
    ids = np.zeros((50, 70), np.uint8)
    ids[:, 35:] = 3
    colors = saved(tmp_path / "a.png", np.zeros((50, 70, 3), np.uint8))
    _, truth = read_pair(Pair(colors, saved(tmp_path / "b.png", ids), "a"), "classes", (32, 32))
    assert set(np.unique(truth)) == {0, 3}
    assert (truth[:, :16] == 0).all() and (truth[:, 16:] == 3).all()


def test_cutouts_colors_do_not_darken_at_the_edge(tmp_path: Path) -> None:
    cutout = np.zeros((64, 64, 4), np.uint8)
    cutout[10:50, 10:50] = (250, 200, 100, 255)  # and black where it is transparent
    pair = Pair(saved(tmp_path / "a.png", cutout), None, "a")
    picture, alpha = read_pair(pair, "saliency", (24, 24))
    assert 0 < alpha[alpha > 0].min() < 255
    assert np.abs(picture[alpha > 0].astype(int) - (250, 200, 100)).max() <= 1
    with pytest.raises(BadInput, match="of saliency only"):
        read_pair(pair, "classes", (24, 24))
    opaque = saved(tmp_path / "b.png", cutout[..., :3])
    with pytest.raises(BadInput, match="has no alpha, and no truth beside it"):
        read_pair(Pair(opaque, None, "b"), "saliency", (24, 24))


def test_squash_averages_what_shrinks_and_keeps_what_fits() -> None:
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    assert np.abs(squash(checks.astype(np.uint8), (16, 16)).astype(int) - 127.5).max() <= 1
    assert squash(RAMP, (16, 16)) is RAMP
    wide = np.zeros((10, 100), np.uint8)
    wide[:, 50:] = 200
    mixed = squash(wide, (20, 20))  # one side grows, the other shrinks
    assert (mixed[:, :10] == 0).all() and (mixed[:, 10:] == 200).all()


READS_MAPS = {
    "evaluation/evaluate.py": "maps to be measured",
    "datasets/make_pack.py": "soft targets",
}
"""Who calls `read_grey`, and for which maps that are no truths."""
GREY = ("IMREAD_GRAYSCALE", "IMREAD_ANYDEPTH", "COLOR_RGB2GRAY", "COLOR_BGR2GRAY", "convert('L')", "convert('1')")
DECODES_GREY = {
    "datasets/ground_truth.py": "the one reader",
    "datasets/pack.py": "truths that u2net itself has packed, as grey without loss",
    "datasets/near_duplicates.py": "what a picture looks like from afar",
    "compose/match_view.py": "corners of a photo, to find it in another",
    "io/gif.py": "the numbers of a palette of greys",
}
"""Who makes one channel of a picture, and why that is no truth of a user's file."""
READERS = {"read", "decode", "read_grey", "open_image", "imread", "imdecode", "_read_plain"}


def test_every_truth_is_read_by_one_function() -> None:
    source = ROOT / "src" / "u2net"
    grey, readers = set(), set()
    for path in sorted(source.rglob("*.py")):
        tree, name = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(source).as_posix()
        if any(mark in ast.unparse(tree) for mark in GREY):
            grey.add(name)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            function, given = ast.unparse(call.func).rpartition(".")[2], " ".join(map(ast.unparse, call.args)).lower()
            if function == "read_grey":
                readers.add(name)
            of_a_truth = function in READERS and ("truth" in given or "mask" in given)
            assert not of_a_truth, f"{name}:{call.lineno}: read it with `read_truth` or `read_mask`"
    assert grey == set(DECODES_GREY)
    assert readers == {"datasets/ground_truth.py", *READS_MAPS}
