"""What of an opened image the trainer takes otherwise than the scan does.

As traiNNer-redux reads images: libvips, the pixels as they are stored, colours converted to sRGB, alpha dropped.
"""

from __future__ import annotations

from PIL import ExifTags, Image

# Formats that the libvips inside pyvips' own wheels was built without (found with libvips 8.17).
RARE_FORMATS = frozenset({"BMP", "DIB", "PPM", "JPEG2000"})


def traits_of(image: Image.Image) -> tuple[str, ...]:
    """The traits of an opened image, loaded; the names are the keys of `trainer_view.TRAINER_VIEW`."""
    present = {
        "floating-point": image.mode == "F",
        "transparent": image.has_transparency_data,
        "turned": _orientation(image) not in (1, None),
        "rare-format": image.format in RARE_FORMATS,
    }
    return tuple(trait for trait, is_so in present.items() if is_so)


def _orientation(image: Image.Image) -> int | None:
    try:
        stated = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # broken metadata, of which there are many kinds
        return None
    return stated if stated in range(1, 9) else None
