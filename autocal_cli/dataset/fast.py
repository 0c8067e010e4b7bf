"""Faster decoders (the extra `autocal-cli[fast]`) for the files of which they make the pixels that Pillow makes.

Those are plain PNG and WebP: 8-bit RGB, opaque, one frame, no metadata that could turn them. PNG goes to libvips,
WebP to OpenCV, JPEG stays with Pillow: so they were measured, the copy into Pillow included (benchmarks/decoders.py).
OpenCV is not asked for PNG, where it is hardly faster and complains of damage on the terminal.
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


@cache
def libvips() -> ModuleType | None:
    """The module pyvips, where it is installed and finds its library."""
    try:
        pyvips = importlib.import_module("pyvips")
    except (ImportError, OSError):
        return None
    pyvips.cache_set_max(0)  # no image comes twice
    return pyvips


def fast_rgb(image: ImageFile.ImageFile, data: bytes) -> Image.Image | None:
    """The pixels of an opened image, of which `data` is the file, as RGB; None where Pillow should decode."""
    if not _could_be_plain(image):
        return None
    if image.format == "PNG":
        return _by_libvips(image.size, data) if _is_plain_png(data) else None
    return _by_opencv(image.size, data)


def _by_libvips(size: tuple[int, int], data: bytes) -> Image.Image | None:
    pyvips = libvips()
    if pyvips is None:
        return None
    try:
        decoded = pyvips.Image.pngload_buffer(data, access="sequential", fail_on="error")
        if (decoded.width, decoded.height, decoded.bands, decoded.format) != (*size, 3, "uchar"):
            return None
        pixels = decoded.write_to_memory()
    except pyvips.Error:
        return None
    return Image.frombuffer("RGB", size, pixels, "raw", "RGB", 0, 1)


def _by_opencv(size: tuple[int, int], data: bytes) -> Image.Image | None:
    cv2 = opencv()
    if cv2 is None:
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if pixels is None or pixels.shape != (*size[::-1], 3):
        return None
    return Image.frombuffer("RGB", size, pixels, "raw", "BGR", 0, 1)


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
    whole = at == len(data) and b"IEND" in names  # of a file cut short the libraries complain on the terminal
    return whole and data[24:26] == PNG_8_BIT_RGB and not names & PNG_NOT_PLAIN
