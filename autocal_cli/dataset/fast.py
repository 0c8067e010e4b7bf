"""OpenCV's decoder (the extra `autocal-cli[fast]`) for the files of which it makes the pixels that Pillow makes.

Those are plain PNG and WebP: 8-bit RGB, opaque, one frame, no metadata that could turn them. Measured on one core,
OpenCV 5 is 1.1 to 1.2 times as fast as Pillow 13 there; for JPEG it is no faster, and Pillow reports a damaged one.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import IO

import numpy as np
from PIL import Image, ImageFile

MOST_BYTES = 100_000_000  # OpenCV wants a file in memory as a whole
PNG_8_BIT_RGB = b"\x08\x02"  # bit depth and colour type, at bytes 24 and 25
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
PNG_METADATA = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")  # where an orientation may stand, after the pixels too


@cache
def opencv() -> ModuleType | None:
    """The module cv2, where it is installed and loads."""
    try:
        return importlib.import_module("cv2")
    except ImportError:
        return None


def fast_rgb(image: ImageFile.ImageFile, file: IO[bytes], size: int) -> Image.Image | None:
    """The pixels of an opened image (file of `size` bytes) as RGBX without a copy; None where Pillow should decode."""
    cv2 = opencv()
    if cv2 is None or size > MOST_BYTES or not _could_be_plain(image):
        return None
    file.seek(0)
    data = file.read()
    if image.format == "PNG" and not _is_plain_png(data):
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if pixels is None or pixels.shape != (image.height, image.width, 3):
        return None
    return Image.frombuffer("RGBX", image.size, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGBA), "raw", "RGBX", 0, 1)


def _could_be_plain(image: ImageFile.ImageFile) -> bool:
    """Judged by what Pillow read of the header."""
    plain = image.mode == "RGB" and not image.has_transparency_data and not getattr(image, "is_animated", False)
    return plain and image.format in ("PNG", "WEBP") and not {"exif", "xmp"} & image.info.keys()


def _is_plain_png(data: bytes) -> bool:
    whole = data.endswith(PNG_END)  # of a file cut short OpenCV complains on the terminal
    return whole and data[24:26] == PNG_8_BIT_RGB and not any(chunk in data for chunk in PNG_METADATA)
