"""ICC profiles made by hand, byte for byte, for tests: wide RGB, grey, and a CMYK with known corners."""

from __future__ import annotations

import itertools
import struct

import numpy as np
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

# Red, green and blue in XYZ under D50, as published by Apple (Display P3), Adobe and the ROMM RGB standard.
COLORANTS = {
    "p3": ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
    "adobe": ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
    "prophoto": ((0.79767, 0.28804, 0.00000), (0.13519, 0.71188, 0.00000), (0.03134, 0.00009, 0.82491)),
}
_D50 = (0.9642, 1.0, 0.8249)


def rgb_profile(name: str) -> bytes:
    """Display P3 (sRGB's curve), Adobe RGB (gamma 563/256) or ProPhoto (gamma 1.8 as a table)."""
    if name == "p3":
        curve = _parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    elif name == "adobe":
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 563)
    else:
        table = np.rint((np.arange(1024) / 1023) ** 1.8 * 65535).astype(">u2")
        curve = b"curv" + bytes(4) + struct.pack(">I", 1024) + table.tobytes()
    tags = {b"wtpt": _xyz(*_D50)}
    for letter, colorant in zip((b"r", b"g", b"b"), COLORANTS[name], strict=True):
        tags |= {letter + b"XYZ": _xyz(*colorant), letter + b"TRC": curve}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """Grey with a plain power."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(*_D50), b"kTRC": _parametric(gamma)})


def cmyk_profile() -> bytes:
    """Straight between the 16 corners of CMYK, whose colors in sRGB are (1 - c)(1 - k) and so on."""
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(*_D50), b"A2B0": _table(cmyk_corners())})


def scanner_profile() -> bytes:
    """RGB of a device that only gives colors: straight between the corners of sRGB, and no way back."""
    corners = {rgb: rgb for rgb in itertools.product((0, 255), repeat=3)}
    return _profile(b"scnr", b"RGB ", b"Lab ", {b"wtpt": _xyz(*_D50), b"A2B0": _table(corners)})


def _table(corners: dict[tuple[int, ...], tuple[int, ...]]) -> bytes:
    """A lut8Type from device values, the last of which changes fastest, to the Lab of sRGB colors."""
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB", 1)
    lab = [ImageCms.applyTransform(Image.new("RGB", (1, 1), rgb), to_lab) for rgb in corners.values()]
    nodes = [_lab8(image) for image in lab if image is not None]
    identity = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * value for value in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    channels = len(next(iter(corners)))
    head = b"mft1" + bytes(4) + bytes([channels, 3, 2, 0])
    return head + matrix + identity * channels + b"".join(nodes) + identity * 3


def cmyk_corners() -> dict[tuple[int, ...], tuple[int, ...]]:
    """(c, m, y, k) of 0 or 255 to the sRGB color that `cmyk_profile` gives it; k changes fastest."""
    return {
        ink: tuple(round((255 - part) * (255 - ink[3]) / 255) for part in ink[:3])
        for ink in itertools.product((0, 255), repeat=4)
    }


def _lab8(image: Image.Image) -> bytes:
    """Pillow keeps a and b as signed bytes, ICC as bytes around 128."""
    lightness, a, b = image.tobytes()
    return bytes([lightness, a ^ 128, b ^ 128])


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _parametric(*parameters: float) -> bytes:
    kind = {1: 0, 3: 1, 4: 2, 5: 3, 7: 4}[len(parameters)]
    numbers = struct.pack(f">{len(parameters)}i", *(round(value * 65536) for value in parameters))
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + numbers


def _profile(device: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = "made for a test".encode("utf-16-be")
    multi = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": multi, b"cprt": multi, **tags}
    table, data, offset = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"lcms", 0x04300000, device, space, pcs)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", *(round(value * 65536) for value in _D50))
    return header + bytes(128 - len(header)) + body
