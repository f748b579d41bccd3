"""What the readers of Pillow, OpenCV and tifffile raise on damaged files."""

from __future__ import annotations

import struct
import zlib

import cv2
from PIL import Image

# OSError covers truncation and UnidentifiedImageError; AssertionError is some plug-ins' way to check a header.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    cv2.error,
    Image.DecompressionBombError,
)
