"""Shadow, background and blur lie where they should, and leave the object's opaque pixels as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from u2net.compose.background import Gradient
from u2net.compose.crop import Crop
from u2net.compose.cutout import Cutout, cutout
from u2net.compose.layout import Layout, apply_layout
from u2net.compose.lens_blur import defocused
from u2net.compose.shadow import add_shadow
from u2net.errors import BadInput, NothingSalient
from u2net.types import Picture

GENERATOR = np.random.default_rng(2)
SIZE = (120, 160)


def standing(dtype: type = np.uint8) -> tuple[Picture, Cutout]:
    """Noise, and a block of it that stands in the middle."""
    full = np.iinfo(dtype).max
    picture = Picture(GENERATOR.integers(0, full + 1, (*SIZE, 3)).astype(dtype))
    alpha = np.zeros(SIZE, np.float32)
    alpha[30:90, 60:100] = 1
    return picture, cutout(picture, alpha)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["drop", "contact"])
def test_shadow_is_black_below_the_object_and_changes_no_opaque_pixel(kind: str, dtype: type) -> None:
    _, found = standing(dtype)
    made = add_shadow(found.pixels, kind)  # type: ignore[arg-type]
    opaque = found.pixels[..., 3] == np.iinfo(dtype).max
    np.testing.assert_array_equal(made[opaque], found.pixels[opaque])
    assert not made[~opaque][:, :3].any()
    assert made.dtype == dtype
    shade = made[..., 3] / np.iinfo(dtype).max
    assert 0.1 < shade[91, 80] < 0.8
    assert shade[:, :20].max() == 0


def test_drop_shadow_is_the_blurred_alpha_moved() -> None:
    alpha = np.zeros((400, 400), np.float32)
    alpha[100:300, 100:300] = 1
    shade = add_shadow(cutout(Picture(np.zeros((400, 400, 3), np.uint8)), alpha).pixels, "drop")[..., 3] / 255
    # By hand: 200 long, so moved 3 right and 6 down, a deviation of 5: half of .4 on the moved edge, all inside it.
    assert shade[306, 200] == pytest.approx(0.2, abs=0.03)
    assert shade[301, 200] == pytest.approx(0.4 * 0.84, abs=0.03)
    assert shade[200, 303] == pytest.approx(0.2, abs=0.03)
    assert shade[90, 200] == pytest.approx(0.0, abs=0.01)


def test_contact_shadow_is_darkest_where_the_object_touches_the_ground() -> None:
    _, found = standing()
    shade = add_shadow(found.pixels, "contact")[..., 3].astype(int)
    assert shade[90, 80] > shade[94, 80] > shade[100, 80]
    assert shade[40, 55] == 0  # none beside its upper half


def test_shadow_of_nothing_and_unknown_shadows_are_refused() -> None:
    picture, found = standing()
    with pytest.raises(NothingSalient, match="nothing casts a shadow"):
        cutout(picture, np.zeros(SIZE, np.float32), confidence=0.1).with_shadow("drop")
    with pytest.raises(BadInput, match="choose one of drop, contact"):
        found.with_shadow("long")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"strength is 0 to 1\.5"):
        found.with_shadow("drop", strength=2)


def test_gradient_is_linear_between_its_colors() -> None:
    empty = Cutout(np.zeros((101, 11, 4), np.uint8))
    column = empty.over(Gradient(("black", "white"))).pixels[:, 5, 0].astype(float)
    np.testing.assert_allclose(column, 255 * (np.arange(101) + 0.5) / 101, atol=0.6)
    row = empty.over(Gradient(("#000", "#f00", "#fff"), angle=0)).pixels[50]
    np.testing.assert_allclose(row[:, 0], np.minimum(255, 2 * 255 * (np.arange(11) + 0.5) / 11), atol=0.6)
    radial = empty.over(Gradient(("white", "black"), radial=True)).pixels[..., 0]
    assert radial[50, 5] == 255
    assert radial[0, 0] < 10


@pytest.mark.parametrize("radial", [False, True])
def test_gradient_of_a_panorama_is_drawn_to_its_end(radial: bool) -> None:
    drawn = Gradient(("black", "white"), angle=0, radial=radial).draw((4, 40_000), None, np.dtype(np.uint16))
    assert drawn[2, -1, 0] > 65_500
    assert abs(int(drawn[2, 30_000, 0]) - (32_768 if radial else 49_152)) < 40


@pytest.mark.parametrize("colors", [("white",), "white", ("white", "wite")])
def test_gradient_of_no_two_colors_is_refused(colors: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match=r"gradient has 2 to 16|no colour 'wite'"):
        Gradient(colors)


def test_contained_background_is_seen_whole_with_a_color_around() -> None:
    empty = Cutout(np.zeros((40, 60, 4), np.uint8))
    behind = np.full((10, 30, 3), (0, 0, 255), np.uint8)
    made = empty.over(behind, fit="contain", around="red").pixels
    assert (made[:10] == (255, 0, 0, 255)).all()
    assert (made[30:] == (255, 0, 0, 255)).all()
    assert (made[10:30] == (0, 0, 255, 255)).all()


def test_blur_is_sharp_at_the_foot_and_keeps_no_trace_of_the_object() -> None:
    pixels = np.full((400, 600, 3), (40, 90, 40), np.uint8)
    pixels[::2] += 40  # stripes, which a blur makes one
    alpha = np.zeros((400, 600), np.float32)
    alpha[100:300, 250:350] = 1
    pixels[alpha > 0] = (255, 0, 0)
    picture = Picture(pixels)
    behind = defocused(picture, cutout(picture, alpha).pixels[..., 3], strength=0.02).pixels.astype(int)
    beside = np.abs(behind[100:300, 240:249] - behind[100:300, 50:59])
    assert beside.max() <= 12  # red is 215 away
    assert np.ptp(behind[10:40, 100, 0]) <= 4
    assert np.ptp(behind[296:304, 100, 0]) >= 36


def test_blur_of_a_plain_picture_changes_nothing() -> None:
    picture = Picture(np.full((60, 80, 3), (10, 200, 99), np.uint8))
    alpha = np.zeros((60, 80), np.uint8)
    alpha[20:40, 20:40] = 255
    np.testing.assert_array_equal(defocused(picture, alpha).pixels[..., :3], picture.pixels)
    with pytest.raises(BadInput, match=r"0\.001 to 0\.1"):
        defocused(picture, alpha, strength=1)


def test_all_in_one_pass_is_what_the_steps_give_one_after_another(tmp_path: Path) -> None:
    picture, found = standing()
    frame = Crop(aspect=1, fill=0.6, size=(90, 90))
    once = apply_layout(found, picture, Layout(frame=frame, shadow="contact", background=(255, 255, 255, 255)))
    found.cropped(frame).save(tmp_path / "1.png")
    step = Cutout(np.asarray(Image.open(tmp_path / "1.png"))).with_shadow("contact")
    np.testing.assert_array_equal(once.pixels, step.over("white").pixels)


def test_blurred_original_is_framed_together_with_its_object() -> None:
    picture, found = standing()
    whole = apply_layout(found, picture, Layout(blur=0.02))
    part = apply_layout(found, picture, Layout(frame=Crop(margin_px=8), blur=0.02))
    np.testing.assert_array_equal(part.pixels, whole.pixels[22:98, 52:108])


def test_frame_that_has_a_background_of_its_own_gets_it_unless_another_is_named() -> None:
    picture, found = standing()
    frame = Crop(margin_px=5, background="white")
    assert apply_layout(found, picture, Layout(frame=frame)).pixels[0, 0].tolist() == [255, 255, 255, 255]
    other = Layout(frame=frame, background=(0, 0, 0, 0))
    assert apply_layout(found, picture, other).pixels[0, 0].tolist() == [0, 0, 0, 0]
    with pytest.raises(BadInput, match="exclude each other"):
        Layout(background=(0, 0, 0, 0), blur=0.02)
