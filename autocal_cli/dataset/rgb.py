"""An opened image in whatever mode -> upright 8-bit RGB, what is transparent shown on white."""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image

# EXIF orientation -> the move that sets the image upright (EXIF 2.32, tag 0x0112).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


TURNED = (5, 6, 7, 8)  # the moves that make the width the height


def to_rgb(image: Image.Image) -> Image.Image:
    """The image, loaded, upright, as 8-bit RGB. Raises ValueError for values whose range nobody states."""
    image.load()
    image = _upright(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(image))
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def is_turned(image: Image.Image) -> bool:
    """Whether the upright image is as wide as the stored one is high."""
    return _orientation(image) in TURNED


def _upright(image: Image.Image) -> Image.Image:
    move = UPRIGHT.get(_orientation(image))
    return image if move is None else image.transpose(move)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken metadata, of which there are many kinds, does not make the pixels unreadable
        return 1


def _on_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _eight_bits(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Grey of more than 8 bits, scaled and never clipped: the high byte of 16 bits, as Pillow does for 16-bit colour.

    Integers count as 16 bits (PNG, PGM, TIFF); floating-point values have to lie in 0..1.
    """
    values = np.asarray(image)
    full = 1.0 if image.mode == "F" else 65535
    if not (values.min() >= 0 and values.max() <= full):
        raise ValueError(f"grey values outside 0..{full:g}: the range of white is not known")
    if image.mode == "F":
        return (values * 255.0 + 0.5).astype(np.uint8)
    return (values >> 8).astype(np.uint8)
