"""One image file -> its working image, or the reason why not."""

from __future__ import annotations

import os
import struct
import threading
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from autocal_cli.dataset.plausible import require_plausible
from autocal_cli.dataset.record import FileIssue
from autocal_cli.dataset.rgb import to_rgb
from autocal_cli.dataset.source import ImageSource, open_image, printable
from autocal_cli.dataset.traits import traits_of

WORKING_SIZE = 256  # long side at which texture and edges are measured; a fixed size, since halving shifts them
THUMBNAIL_SIZE = 128  # long side at which colours are counted
LEAST_SIDE = 7  # one texture window
MAX_PIXELS = 300_000_000
LARGE_PIXELS = 50_000_000  # such images are decoded one at a time, so that memory stays flat

# What training folders hold, by content and whatever the file is called. Left out are the formats that start other
# programs (EPS) or have no signature to know them by (TGA).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF", "PPM", "DIB", "JPEG2000")

Pixels = npt.NDArray[np.uint8]

_one_large_at_a_time = threading.Lock()
Image.init()  # registers every format, here once rather than in the workers all together


@dataclass(frozen=True, slots=True)
class WorkingImage:
    """What the metrics need of one image: uint8 RGB (H, W, 3) at long side 256 and 128, and its upright native size.

    `traits` are what the trainer takes otherwise (`dataset.traits`), `path` the printable name.
    """

    working: Pixels
    thumbnail: Pixels
    width: int
    height: int
    traits: tuple[str, ...] = ()
    path: str = ""


def read_image(path: ImageSource, *, max_pixels: int = MAX_PIXELS) -> WorkingImage | FileIssue:
    """The working image of a file; whatever goes wrong with it becomes a one-line reason. Safe in threads."""
    try:
        return _read(path, max_pixels)
    except Exception as error:
        return FileIssue(printable(path), reason_of(error))


def read_size(path: ImageSource) -> tuple[int, int]:
    """Width and height as the header states them, not turned. Raises for a file that is no image."""
    with open_image(path) as file, _identify(file, os.fspath(path)) as image:
        return image.size


def _read(path: ImageSource, max_pixels: int) -> WorkingImage:
    with open_image(path) as file, _identify(file, os.fspath(path)) as image:
        pixels = image.width * image.height
        if pixels > max_pixels:
            raise ValueError(f"too large: {image.width} x {image.height} is over the limit of {max_pixels} pixels")
        if min(_reduced(image.size, WORKING_SIZE)) < LEAST_SIDE:
            raise ValueError(f"too small: {image.width} x {image.height} leaves a side under {LEAST_SIDE} pixels")
        require_plausible(image, file)
        with _one_large_at_a_time if pixels > LARGE_PIXELS else nullcontext():
            image.load()
            return replace(_working_image(to_rgb(image)), traits=traits_of(image), path=printable(path))


def _identify(file: IO[bytes], name: str) -> ImageFile.ImageFile:
    """Opens the file by its content. `Image.open` would judge its size by a setting that all threads share."""
    prefix = file.read(16).ljust(16, b"\0")  # some formats look at so many bytes without asking
    problem = "cannot be identified as an image"
    for known in FORMATS:
        factory, accept = Image.OPEN.get(known, (None, None))
        accepted = factory is not None and (accept is None or accept(prefix))
        if isinstance(accepted, str):  # known, but this Pillow was built without it
            raise ValueError(accepted)
        if factory is None or not accepted:
            continue
        file.seek(0)
        try:
            return factory(file, name)
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            problem = f"damaged {known} header: {error}"
    raise ValueError(problem)


def _working_image(rgb: Image.Image) -> WorkingImage:
    working = _reduce(rgb, WORKING_SIZE)
    thumbnail = _reduce(working, THUMBNAIL_SIZE)
    return WorkingImage(np.asarray(working), np.asarray(thumbnail), rgb.width, rgb.height)


def _reduce(image: Image.Image, long_side: int) -> Image.Image:
    size = _reduced(image.size, long_side)
    return image if size == image.size else image.resize(size, Image.Resampling.BOX)


def _reduced(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """The size with its long side brought down to `long_side` (never up), sides rounded to whole pixels, halves up."""
    longest = max(size)
    if longest <= long_side:
        return size
    width, height = (max(1, (2 * side * long_side + longest) // (2 * longest)) for side in size)
    return width, height


def reason_of(error: Exception) -> str:
    """One line on why an image cannot be read."""
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())
    return text or type(error).__name__
