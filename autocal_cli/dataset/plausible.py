"""Headers that lie: more pixels than the bytes of the file can hold are refused before memory is taken for them."""

from __future__ import annotations

import os
from typing import IO

from PIL import Image

DEFLATE_MOST = 1032  # the most bytes that one byte of deflate can stand for (zlib's technical details)
JPEG_MOST = 1024  # pixels that one byte of JPEG can stand for: one bit at least for 64 pixels, and half of that again


def require_plausible(image: Image.Image, file: IO[bytes]) -> None:
    """Raises ValueError where a PNG or JPEG claims more pixels than its file can hold. The position is kept."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    if image.width * image.height > _most_pixels(image, size):
        claim = f"{image.width} x {image.height}"
        raise ValueError(f"truncated, or a lying header: {size} bytes cannot hold the {claim} pixels that it claims")


def _most_pixels(image: Image.Image, size: int) -> float:
    if image.format == "PNG":
        bits = 1 if image.mode in ("1", "L", "P") else 8 * len(image.getbands())
        return size * DEFLATE_MOST * 8 / bits
    return size * JPEG_MOST if image.format == "JPEG" else float("inf")
