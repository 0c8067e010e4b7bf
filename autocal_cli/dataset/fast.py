"""OpenCV's decoder (the extra `autocal-cli[fast]`) for the files of which it makes the pixels that Pillow makes.

Those are plain PNG and WebP: 8-bit RGB, opaque, one frame, no metadata that could turn them. Measured on one core
beside Pillow 13, the copy included, OpenCV 5 is 1.05 to 1.1 times as fast there; for JPEG it is no faster.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType

import numpy as np
from PIL import Image, ImageFile

PNG_8_BIT_RGB = b"\x08\x02"  # bit depth and colour type, at bytes 24 and 25
PNG_NOT_PLAIN = {b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"acTL", b"tRNS"}  # may turn the image, move or be transparent


@cache
def opencv() -> ModuleType | None:
    """The module cv2, where it is installed and loads."""
    try:
        return importlib.import_module("cv2")
    except ImportError:
        return None


def fast_rgb(image: ImageFile.ImageFile, data: bytes) -> Image.Image | None:
    """The pixels of an opened image, of which `data` is the file, as RGB; None where Pillow should decode."""
    cv2 = opencv()
    if cv2 is None or not _could_be_plain(image) or (image.format == "PNG" and not _is_plain_png(data)):
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if pixels is None or pixels.shape != (image.height, image.width, 3):
        return None
    return Image.frombuffer("RGB", image.size, pixels, "raw", "BGR", 0, 1)


def _could_be_plain(image: ImageFile.ImageFile) -> bool:
    """Judged by what Pillow read of the header."""
    plain = image.mode == "RGB" and not image.has_transparency_data and not getattr(image, "is_animated", False)
    return plain and image.format in ("PNG", "WEBP") and not {"exif", "xmp"} & image.info.keys()


def _is_plain_png(data: bytes) -> bool:
    """Whether it has 8-bit RGB and is whole, its chunks one after the other: length, name, content, checksum."""
    at, names = 8, set()
    while at + 12 <= len(data):
        names.add(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4])
    whole = at == len(data) and b"IEND" in names  # of a file cut short OpenCV complains on the terminal
    return whole and data[24:26] == PNG_8_BIT_RGB and not names & PNG_NOT_PLAIN
