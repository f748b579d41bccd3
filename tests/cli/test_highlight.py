"""u2net highlight: what it writes and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from support.command_line import u2net
from u2net.errors import BadInput


def highlight(*arguments: str) -> Result:
    return u2net("highlight", "-m", "u2netp", *arguments)


def test_object_stays_and_the_rest_is_darkened(folder: Path) -> None:
    assert highlight("coffee.jpg").return_value == 0
    shown, given = np.asarray(Image.open("coffee.highlighted.png")), np.asarray(Image.open("coffee.jpg"))
    np.testing.assert_array_equal(shown[200, 280], given[200, 280])
    assert np.abs(shown[0, 0] - 0.35 * given[0, 0]).max() <= 0.51


@pytest.mark.parametrize("style", ["tint", "outline", "glow", "splash"])
def test_every_style_changes_the_picture_in_its_own_place(folder: Path, style: str) -> None:
    assert highlight("coffee.jpg", "--style", style, "-o", f"{style}.webp", "--lossless").return_value == 0
    shown, given = np.asarray(Image.open(f"{style}.webp")), np.asarray(Image.open("coffee.jpg"))
    assert (shown[200, 280] == given[200, 280]).all() == (style != "tint")
    assert (shown != given).any()


def test_picture_without_an_object_is_an_error_and_nothing_is_written(folder: Path) -> None:
    result = highlight("gravel.jpg")
    assert result.return_value == 3
    assert "gravel.jpg: no object found" in result.stderr
    assert not list(folder.glob("*.highlighted.*"))
    assert highlight("gravel.jpg", "coffee.jpg").return_value == 3
    assert [path.name for path in folder.glob("*.highlighted.*")] == ["coffee.highlighted.png"]


def test_bad_numbers_are_refused_before_anything_is_read(folder: Path) -> None:
    for arguments in (["--strength", "2"], ["--style", "splash", "--colour", "red"], ["--width", "5"]):
        result = highlight("coffee.jpg", *arguments)
        assert isinstance(result.exception, BadInput)
    huge = highlight("coffee.jpg", "--style", "outline", "--width", "1e9")
    assert huge.return_value == 2
    assert "more than the picture has (600)" in huge.stderr
    assert not list(folder.glob("*.highlighted.*"))
