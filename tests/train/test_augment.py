"""Augmentation: the truth follows the picture, a seed says it all, and each part does what its formula says."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict, replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from support.paths import ROOT
from u2net.errors import BadInput
from u2net.train.augment import MODERN, NONE, PUBLISHED, Augmentation, _draw, _Window, augment
from u2net.train.degradations import blur, jpeg

N, H, W = 6, 40, 48
SEEDS = torch.arange(N) * 1000 + 7
EVERYTHING = Augmentation(flip_vertical=0.5, grey=0.3, blur=0.5, jpeg=0.5)


@pytest.fixture
def pictures() -> Any:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (N, 3, H, W), np.uint8))


def smooth(count: int = N, height: int = H, width: int = W) -> Any:
    """Pictures whose red is x and whose green is y: they tell where each of their pixels was."""
    y, x = np.mgrid[:height, :width]
    colors = np.stack([x * 4, y * 4, np.full_like(x, 100)]).astype(np.uint8)
    return torch.from_numpy(np.repeat(colors[None], count, axis=0))


def test_nothing_but_scaling_without_augmentation(pictures: Any) -> None:
    seen, truth, soft = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=NONE, size=(H, W))
    assert seen.dtype == truth.dtype == torch.float32
    assert torch.equal(seen, pictures.float() / 255)
    assert torch.equal(truth, seen[:, :1])
    assert soft is None


def test_flips_are_numpys(pictures: Any) -> None:
    for across, down in ((1, 0), (0, 1), (1, 1)):
        settings = replace(NONE, flip_horizontal=float(across), flip_vertical=float(down))
        seen, truth, _ = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=settings, size=(H, W))
        expected = pictures.numpy()[:, :, :: -1 if down else 1, :: -1 if across else 1].astype(np.float32) / 255
        assert np.array_equal(seen.numpy(), expected)
        assert np.array_equal(truth.numpy(), expected[:, :1])


def test_a_third_of_the_size_is_a_resize_and_no_crop(pictures: Any) -> None:
    """There the centres of the result lie on pixels too, but not on neighbours."""
    pictures = pictures[:, :, :39]
    seen, _, _ = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=NONE, size=(13, W // 3))
    assert seen.shape[2:] == (13, W // 3)
    assert (seen - pictures[:, :, 1::3, 1::3].float() / 255).abs().max() < 1e-5


def test_flip_of_one_half_is_about_every_second(pictures: Any) -> None:
    many = pictures[:1].expand(1000, -1, -1, -1)
    seen, _, _ = augment(
        many, many[:, :1], seeds=torch.arange(1000), settings=replace(NONE, flip_horizontal=0.5), size=(H, W)
    )
    flipped = (seen == (many.flip(3).float() / 255)).all(3).all(2).all(1).float().mean()
    assert 0.45 < flipped < 0.55  # three standard deviations of 1000 coins


def test_published_crop_is_a_slice_of_the_published_size() -> None:
    pictures = torch.from_numpy(np.random.default_rng(2).integers(0, 256, (64, 3, 320, 320), np.uint8))
    settings = replace(PUBLISHED, flip_horizontal=0, flip_vertical=0)
    seen, truth, _ = augment(pictures, pictures[:, :1], seeds=torch.arange(64), settings=settings, size=(288, 288))
    assert seen.shape == (64, 3, 288, 288)
    places = set()
    for before, after in zip(pictures.numpy(), (seen * 255).round().byte().numpy(), strict=True):
        (place,) = [
            (top, left)
            for top in range(33)
            for left in range(33)
            if np.array_equal(before[:, top, left : left + 288], after[:, 0])
        ]
        assert np.array_equal(before[:, place[0] : place[0] + 288, place[1] : place[1] + 288], after)
        places.add(place)
    assert len(places) > 55
    tops, lefts = zip(*places, strict=True)
    assert min(tops) <= 2 and max(tops) >= 30 and min(lefts) <= 2 and max(lefts) >= 30
    assert torch.equal(truth, seen[:, :1])


def test_resized_crop_is_a_window_of_the_drawn_area_and_aspect() -> None:
    count, side, result = 500, 60, 50
    pictures = smooth(count, side, side)
    settings = replace(NONE, crop="resized", min_scale=0.4, aspect=1.5)
    seen, _, _ = augment(pictures, pictures[:, :1], seeds=torch.arange(count), settings=settings, size=(result, result))
    # Red rises by 4 a pixel across: the window's width and place by hand, from two points well inside.
    x, y = seen[:, 0] * 255 / 4, seen[:, 1] * 255 / 4
    width = (x[:, 25, 35] - x[:, 25, 15]) / 20 * result
    height = (y[:, 35, 25] - y[:, 15, 25]) / 20 * result
    area, aspect = width * height / side**2, width / height
    assert 0.399 < area.min() < 0.43 and 0.97 < area.max() < 1.001
    assert 0.66 < aspect.min() < 0.72 and 1.39 < aspect.max() < 1.51
    left = x[:, 25, 15] + 0.5 - 15.5 * width / result
    top = y[:, 15, 25] + 0.5 - 15.5 * height / result
    assert left.min() > -0.02 and (left + width).max() < side + 0.02
    assert top.min() > -0.02 and (top + height).max() < side + 0.02
    free = side - width
    assert 0.45 < (left / free)[free > 1].mean() < 0.55


def test_resized_crop_is_opencvs_warp() -> None:
    """The whole picture, enlarged: OpenCV's bilinear resize has the same pixel centres."""
    pictures = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (1, 3, 30, 30), np.uint8))
    settings = replace(NONE, crop="resized", min_scale=1.0)
    seen, _, _ = augment(pictures, pictures[:, :1], seeds=SEEDS[:1], settings=settings, size=(70, 70))
    expected = cv2.resize(pictures[0].permute(1, 2, 0).numpy().astype(np.float32) / 255, (70, 70))
    assert np.abs(seen[0].permute(1, 2, 0).numpy() - expected).max() < 2e-3  # OpenCV's weights are rounded


@pytest.mark.parametrize("crop", ["none", "published", "resized"])
def test_truth_and_soft_target_follow_the_picture(crop: Any) -> None:
    pictures = smooth()
    truths = pictures[:, :1]  # what the picture says in red
    soft = pictures[:, 1:2].float() / 255  # and in green
    settings = replace(NONE, crop=crop, flip_horizontal=0.5, flip_vertical=0.5)
    seen, truth, target = augment(pictures, truths, seeds=SEEDS, settings=settings, size=(32, 32), soft=soft)
    assert target is not None
    assert (seen[:, :1] - truth).abs().max() < 1e-6
    assert (seen[:, 1:2] - target).abs().max() < 1e-6
    assert len({tuple(sample[:, 0, 0].tolist()) for sample in seen}) > 1


def test_class_ids_follow_the_picture_and_are_never_mixed() -> None:
    ids = (torch.arange(W) // 12).byte().expand(N, 1, H, W)
    ids = torch.where(ids == 3, 255, ids)
    pictures = (ids.float() * 50).clamp(max=255).byte().expand(-1, 3, -1, -1)
    settings = replace(NONE, crop="resized", flip_horizontal=0.5)
    seen, truth, _ = augment(pictures, ids, seeds=SEEDS, settings=settings, size=(32, 32), kind="classes")
    assert (truth.dtype, truth.shape) == (torch.int64, (N, 32, 32))
    assert set(truth.unique().tolist()) <= {0, 1, 2, 255}
    same = (truth.clamp(max=5.1) * 50 - seen[:, 0] * 255).abs() < 1
    assert same.float().mean() > 0.85  # all but the columns where colors meet


def test_seed_alone_decides_whatever_the_company(pictures: Any) -> None:
    truths = pictures[:, :1]
    together = augment(pictures, truths, seeds=SEEDS, settings=EVERYTHING, size=(32, 32))
    order = torch.tensor([4, 0, 2])
    apart = augment(pictures[order], truths[order], seeds=SEEDS[order], settings=EVERYTHING, size=(32, 32))
    # Sums are rounded in another order; JPEG makes a step of what falls on the other side of one half.
    difference = (together[0][order] - apart[0]).abs()
    assert difference.mean() < 1e-5
    assert torch.allclose(together[1][order], apart[1], atol=1e-6)
    again = augment(pictures, truths, seeds=SEEDS, settings=EVERYTHING, size=(32, 32))
    assert torch.equal(together[0], again[0])
    other = augment(pictures, truths, seeds=SEEDS + 1, settings=EVERYTHING, size=(32, 32))
    assert (together[0] - other[0]).abs().mean() > 0.05


def test_switching_one_thing_on_leaves_the_others_as_they_were() -> None:
    pictures = smooth()
    geometry = replace(NONE, crop="resized", flip_horizontal=0.5)
    first = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=geometry, size=(32, 32))[1]
    second = augment(
        pictures, pictures[:, :1], seeds=SEEDS, settings=replace(EVERYTHING, flip_vertical=0), size=(32, 32)
    )[1]
    assert torch.equal(first, second)


def test_autocast_around_it_changes_nothing(pictures: Any) -> None:
    plain = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=EVERYTHING, size=(32, 32))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=EVERYTHING, size=(32, 32))
    assert inside[0].dtype == torch.float32
    assert torch.equal(plain[0], inside[0])


def test_colors_change_the_picture_only_and_stay_in_range(pictures: Any) -> None:
    settings = replace(NONE, brightness=0.5, contrast=0.5, saturation=0.5, hue=0.1)
    seen, truth, _ = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=settings, size=(H, W))
    assert torch.equal(truth, pictures[:, :1].float() / 255)
    assert seen.min() >= 0 and seen.max() <= 1
    assert (seen - pictures.float() / 255).abs().mean() > 0.02


def test_brightness_is_a_factor_and_contrast_keeps_the_mean() -> None:
    pictures = smooth() // 2 + 30
    before = pictures.float() / 255
    bright, _, _ = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=replace(NONE, brightness=0.3), size=(H, W))
    factors = (bright / before).flatten(1)
    assert (factors.amax(1) - factors.amin(1)).max() < 1e-5
    assert factors.amin() >= 0.7 and factors.amax() <= 1.3 and factors.std() > 0.05
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    varied, _, _ = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=replace(NONE, contrast=0.3), size=(H, W))
    assert torch.allclose((varied * luma).sum(1).mean((1, 2)), (before * luma).sum(1).mean((1, 2)), atol=1e-5)
    spread = varied.std((2, 3)) / before.std((2, 3)).clamp(min=1e-3)
    assert spread[:, 0].min() >= 0.69 and spread[:, 0].max() <= 1.31


def test_saturation_and_hue_keep_brightness_and_grey_has_no_color() -> None:
    pictures = smooth() // 3 + 80
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    before = (pictures.float() / 255 * luma).sum(1)
    for settings in (replace(NONE, saturation=0.3), replace(NONE, hue=0.1), replace(NONE, grey=1.0)):
        seen, _, _ = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=settings, size=(H, W))
        assert ((seen * luma).sum(1) - before).abs().max() < 1e-4
        assert (seen - pictures.float() / 255).abs().max() > 0.01
    assert (seen.amax(1) - seen.amin(1)).max() < 1e-5
    grey = torch.full((N, 3, H, W), 77, dtype=torch.uint8)
    turned, _, _ = augment(grey, grey[:, :1], seeds=SEEDS, settings=replace(NONE, hue=0.5), size=(H, W))
    assert (turned - 77 / 255).abs().max() < 1e-5


def test_blur_is_opencvs_gaussian() -> None:
    pictures = torch.rand(3, 3, 40, 50, generator=torch.Generator().manual_seed(1))
    sigma = np.array([0.5, 1.0, 2.0])
    blurred = blur(pictures, sigma, radius=6)
    for before, after, each in zip(pictures, blurred, sigma, strict=True):
        expected = cv2.GaussianBlur(
            before.permute(1, 2, 0).numpy(), (13, 13), float(each), borderType=cv2.BORDER_REPLICATE
        )
        assert np.abs(after.permute(1, 2, 0).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("quality", [15, 50, 75, 95])
def test_jpeg_is_libjpegs(quality: int) -> None:
    """Natural content: smooth shapes, edges and some noise. libjpeg works in whole numbers, we do not."""
    y, x = np.mgrid[:70, :90]
    noise = np.random.default_rng(5).normal(0, 6, (70, 90, 3))
    shapes = (
        np.stack([x * 2, y * 3, (x + y) % 160], -1) + np.where((x - 40) ** 2 + (y - 30) ** 2 < 400, 60, 0)[..., None]
    )
    pixels = np.clip(shapes + noise, 0, 255).astype(np.uint8)
    before = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    ours = jpeg(before, np.array([float(quality)]))[0].permute(1, 2, 0).numpy() * 255

    def distance(at: int) -> float:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "jpeg", quality=at, subsampling=2)
        return float(np.abs(ours - np.asarray(Image.open(file), np.float32)).mean())

    assert distance(quality) < 1.2  # of 255; photographs: .2 to .8
    assert distance(quality) < 0.6 * min(distance(quality - 10), distance(min(100, quality + 10)))


def test_swap_puts_the_object_over_another_picture_of_the_batch() -> None:
    pictures = (torch.arange(N) * 40).byte()[:, None, None, None].expand(N, 3, H, W)
    truths = torch.zeros(N, 1, H, W, dtype=torch.uint8)
    for number in range(N):
        truths[number, 0, number] = 255  # a row of its own each
    settings = replace(NONE, swap_background=1.0)
    soft = truths.float() / 255
    seen, truth, target = augment(pictures, truths, seeds=SEEDS, settings=settings, size=(H, W), soft=soft)
    for number in range(N):
        assert (seen[number, :, number] * 255 == number * 40).all()
        (behind,) = set((seen[number, 0, N:] * 255).round().unique().tolist())
        partner = int(behind) // 40
        assert partner != number
        rows = truth[number, 0, :, 0].nonzero()[:, 0].tolist()
        assert rows == sorted([number, partner])  # what lies behind may be salient too
    assert torch.equal(target, truth)
    alone = augment(pictures[:1], truths[:1], seeds=SEEDS[:1], settings=settings, size=(H, W))
    assert torch.equal(alone[0], pictures[:1].float() / 255)


def test_swap_with_backgrounds_leaves_one_object_and_needs_no_company() -> None:
    pictures = torch.full((N, 3, H, W), 200, dtype=torch.uint8)
    truths = torch.zeros(N, 1, H, W, dtype=torch.uint8)
    truths[..., :10] = 255
    truths[..., 10:20] = 51
    backgrounds = (torch.arange(5) * 20).byte()[:, None, None, None].expand(5, 3, 100, 70)
    settings = replace(NONE, swap_background=1.0)
    seen, truth, _ = augment(pictures, truths, seeds=SEEDS, settings=settings, size=(H, W), backgrounds=backgrounds)
    assert torch.equal(truth, truths.float() / 255)
    assert (seen[..., :10] * 255 - 200).abs().max() < 1e-3
    behind = seen[..., 20:] * 255
    assert (behind.amax((1, 2, 3)) - behind.amin((1, 2, 3))).max() < 1e-3
    assert len(behind[:, 0, 0, 0].round().unique()) > 1
    mixed = 0.2 * 200 + 0.8 * behind[:, 0, 0, 0]
    assert (seen[:, 0, 0, 15] * 255 - mixed).abs().max() < 1e-3
    one, _, _ = augment(
        pictures[2:3], truths[2:3], seeds=SEEDS[2:3], settings=settings, size=(H, W), backgrounds=backgrounds
    )
    assert torch.equal(one[0], seen[2])


def test_a_quarter_turn_moves_every_pixel_to_its_place() -> None:
    generator = torch.Generator().manual_seed(1)
    square = torch.randint(0, 256, (1, 3, 40, 40), dtype=torch.uint8, generator=generator)
    turned = _Window(*(np.array([edge]) for edge in (0.0, 40.0, 0.0, 40.0)), turn=np.array([math.pi / 2]))
    expected = torch.rot90(square, 1, (2, 3)).float() / 255
    assert (turned.cut(square, (40, 40)) - expected).abs().max() < 1e-3


def test_rotation_turns_in_pixels_also_where_a_picture_is_not_square() -> None:
    """A square stays one, of the same area, at the place where the angle says."""
    truth = torch.zeros(1, 1, 60, 120, dtype=torch.uint8)
    truth[..., 26:34, 80:88] = 255  # 24 pixels to the right of the middle
    angle = math.radians(30)
    window = _Window(*(np.array([edge]) for edge in (0.0, 60.0, 0.0, 120.0)), turn=np.array([angle]))
    after = window.cut(truth, (60, 120))[0, 0]
    y, x = torch.meshgrid(torch.arange(60) + 0.5, torch.arange(120) + 0.5, indexing="ij")
    centre = float((after * x).sum() / after.sum()) - 60, float((after * y).sum() / after.sum()) - 30
    assert centre == pytest.approx((24 * math.cos(angle), -24 * math.sin(angle)), abs=0.1)
    assert float(after.sum()) == pytest.approx(64, rel=0.02)


def test_rotation_is_drawn_between_its_limits_and_changes_nothing_else(pictures: Any) -> None:
    seeds = torch.arange(500)
    draws = _draw(seeds)
    turn = _Window.drawn(draws, replace(NONE, rotation=20.0), (H, W), (H, W)).turn
    assert math.radians(18) < turn.max() <= math.radians(20)
    assert -math.radians(20) <= turn.min() < -math.radians(18)
    assert abs(turn.mean()) < math.radians(2)
    plain, _, _ = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=MODERN, size=(32, 32))
    turned, _, _ = augment(
        pictures, pictures[:, :1], seeds=SEEDS, settings=replace(MODERN, rotation=1e-6), size=(32, 32)
    )
    assert (plain - turned).abs().mean() < 1e-3


def test_settings_go_through_json_and_refuse_nonsense() -> None:
    for settings in (NONE, PUBLISHED, MODERN):
        fields = json.loads(json.dumps(asdict(settings)))
        pictures = torch.zeros(1, 3, 320, 320, dtype=torch.uint8)
        augment(pictures, pictures[:, :1], seeds=SEEDS[:1], settings=Augmentation(**fields), size=(288, 288))
    wrong: list[dict[str, Any]] = [
        {"crop": "centre"}, {"min_scale": 0}, {"aspect": 0.5}, {"jpeg_quality": 100}, {"blur_px": 0},
    ]  # fmt: skip
    for fields in wrong:
        with pytest.raises(BadInput):
            Augmentation(**fields)


def test_every_setting_is_documented_with_its_defaults() -> None:
    text = (ROOT / "docs/training-data.md").read_text(encoding="utf-8")
    assert [name for name in asdict(MODERN) if f"`{name}`" not in text] == []
    assert (MODERN.flip_horizontal, MODERN.crop, MODERN.min_scale, MODERN.swap_background) == (0.5, "resized", 0.5, 0)
    assert (MODERN.brightness, MODERN.hue, MODERN.grey, MODERN.blur, MODERN.blur_px) == (0.2, 0.02, 0.05, 0.1, 1.5)
    assert (MODERN.rotation, MODERN.jpeg, MODERN.jpeg_quality, PUBLISHED.flip_vertical) == (0, 0.2, 40, 0.5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_device_does_not_matter(pictures: Any) -> None:
    here = augment(pictures, pictures[:, :1], seeds=SEEDS, settings=EVERYTHING, size=(32, 32))
    there = augment(pictures.cuda(), pictures[:, :1].cuda(), seeds=SEEDS, settings=EVERYTHING, size=(32, 32))
    assert there[0].is_cuda and there[1].is_cuda
    assert (here[0] - there[0].cpu()).abs().mean() < 1e-3  # JPEG makes a step of what falls beside one half
    assert (here[1] - there[1].cpu()).abs().max() < 1e-5
