"""What a string or a file object stands for: a path, a picture as text, an address, a stream that was read before."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from u2net.compose.background import parse_background
from u2net.errors import BadInput, PictureTooLarge, UnreadablePicture
from u2net.io.read import read
from u2net.io.source import is_inline
from u2net.types import Picture

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def encoded(file_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, file_format)
    return buffer.getvalue()


PNG = encoded()
TEXT = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("="),
        base64.urlsafe_b64encode(PNG).decode(),
        base64.encodebytes(PNG).decode(),
        f"data:image/png;base64,{TEXT}",
        f"DATA:;base64,{quote(TEXT, safe='')}",
        f"data:image/png,{quote(PNG)}",
    ],
    ids=["plain", "unpadded", "url-safe", "lines", "data-url", "quoted", "percent"],
)
def test_a_picture_as_text_is_decoded(text: str) -> None:
    np.testing.assert_array_equal(read(text).pixels, PIXELS)
    background = parse_background(text)
    assert isinstance(background, Picture)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_base64_of_the_common_formats_is_known(file_format: str) -> None:
    assert read(base64.b64encode(encoded(file_format)).decode()).size == (6, 9)


def test_damaged_and_too_large_text_is_said() -> None:
    with pytest.raises(BadInput, match="damaged base64"):
        read("data:image/png;base64,iVB*")
    with pytest.raises(UnreadablePicture, match="is not a picture"):
        read("data:text/plain;base64,aGVsbG8gd29ybGQ=")
    with pytest.raises(PictureTooLarge):
        read(TEXT, max_bytes=20)


def test_a_file_of_that_name_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "iVBORw0KGgo" + "A" * 60
    assert is_inline(name)
    Path(name).write_bytes(PNG)
    np.testing.assert_array_equal(read(name).pixels, PIXELS)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/cat.jpg",
        "HTTP://example.org/cat.jpg",
        "https://example.org/\n" + "a" * 5000,
        Path("https://example.org/cat.jpg"),
    ],
)
def test_an_address_is_refused_in_a_line(address: Any) -> None:
    with pytest.raises(BadInput, match=r"(?i)https?://?example\.org/.*: u2net fetches no pictures; ") as caught:
        read(address)
    assert len(str(caught.value)) <= 200
    assert "\n" not in str(caught.value)


def test_a_text_that_no_path_can_be_is_not_repeated_in_full() -> None:
    with pytest.raises(UnreadablePicture, match=r"xx… \(100000 characters\): cannot be read") as caught:
        read("x" * 100_000)
    assert len(str(caught.value)) <= 200


def test_a_file_object_at_its_end_says_so() -> None:
    stream = io.BytesIO(PNG)
    read(stream)
    with pytest.raises(UnreadablePicture, match=r"is at its end, so nothing is left to read; call its seek\(0\) first"):
        read(stream)
    stream.seek(0)
    np.testing.assert_array_equal(read(stream).pixels, PIXELS)
    with pytest.raises(UnreadablePicture, match="is empty"):
        read(io.BytesIO())


def test_a_pipe_that_gives_nothing_is_empty() -> None:
    class Pipe:
        def read(self, _: int = -1) -> bytes:
            return b""

    with pytest.raises(UnreadablePicture, match="is empty"):
        read(Pipe())  # type: ignore[arg-type]
