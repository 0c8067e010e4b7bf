"""One image file -> its working image, or the reason why not."""

from __future__ import annotations

import io
import os
import struct
import threading
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from autocal_cli.dataset.crops import Cut
from autocal_cli.dataset.facts import gather_facts
from autocal_cli.dataset.fast import fast_rgb
from autocal_cli.dataset.plausible import require_plausible
from autocal_cli.dataset.record import FileIssue
from autocal_cli.dataset.report_record import ImageFacts
from autocal_cli.dataset.rgb import is_turned, to_rgb
from autocal_cli.dataset.sharpness import NATIVE_CROP
from autocal_cli.dataset.source import ImageSource, open_image, printable
from autocal_cli.dataset.traits import traits_of

WORKING_SIZE = 256  # long side at which texture and edges are measured; a fixed size, since halving shifts them
THUMBNAIL_SIZE = 128  # long side at which colours are counted
DRAFT_SIZE = 2 * WORKING_SIZE  # least long side of a JPEG decoded at 1/2, 1/4 or 1/8 of its size
LEAST_SIDE = 7  # one texture window
MAX_PIXELS = 300_000_000
MOST_BYTES = 32_000_000  # of a file that is read at once, which many small reads take longer than
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

    `raw`: the metrics in order of METRIC_NAMES, once measured. `facts` are there where they were asked for, `traits`
    are what the trainer takes otherwise (`dataset.traits`), `path` is the printable name.
    """

    working: Pixels
    thumbnail: Pixels
    width: int
    height: int
    facts: ImageFacts | None = None
    raw: tuple[float, float, float] | None = None
    traits: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of each image: its facts, the sharpness among them on crops of `native_crop` pixels, or not.

    An image of more than `max_pixels` is refused.
    """

    max_pixels: int = MAX_PIXELS
    facts: bool = False
    native_crop: int = NATIVE_CROP


PIXELS_ONLY = Wanted()


def read_image(source: ImageSource, wanted: Wanted = PIXELS_ONLY, cut: Cut | None = None) -> WorkingImage | FileIssue:
    """The working image of a file, or of a crop `cut` from it.

    Whatever goes wrong becomes a one-line reason. Safe in threads.
    """
    try:
        return _read(source, wanted, cut)
    except Exception as error:
        return FileIssue(printable(source), reason_of(error))


def read_size(path: ImageSource) -> tuple[int, int]:
    """Width and height as the header states them, not turned. Raises for a file that is no image."""
    with open_image(path) as file, _identify(file, os.fspath(path)) as image:
        return image.size


def read_rgb(source: ImageSource, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The whole image, upright, as 8-bit RGB. Raises for what cannot be read, or has more than `max_pixels`."""
    with open_image(source) as file, _identify(file, os.fspath(source)) as image:
        _check_size(image.size, max_pixels)
        require_plausible(image, file)
        return to_rgb(image)


def _read(source: ImageSource, wanted: Wanted, cut: Cut | None) -> WorkingImage:
    name = printable(source)
    with open_image(source) as opened:
        data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            data = b""
            opened.seek(0)
        with io.BytesIO(data) if data else nullcontext(opened) as file, _identify(file, os.fspath(source)) as image:
            return _decoded(image, file, data, name, wanted, cut)


def _decoded(
    image: ImageFile.ImageFile, file: IO[bytes], data: bytes, name: str, wanted: Wanted, cut: Cut | None
) -> WorkingImage:
    """The working image of an opened one. `data` is the content of `file`, where that was read at once."""
    native = image.size
    _check_size(native, wanted.max_pixels)
    require_plausible(image, file)
    if cut is None:
        _draft(image)
    with _one_large_at_a_time if image.width * image.height > LARGE_PIXELS else nullcontext():
        pixels = (fast_rgb(image, data) if data else None) or image
        rgb = to_rgb(pixels)
        upright = native[::-1] if is_turned(pixels) else native
        result = _working_image(rgb, upright)
        result = replace(result, traits=traits_of(pixels), path=name)
        if wanted.facts:
            whole = rgb if image.size == native else _decoded_whole(file, name)
            result = replace(result, facts=gather_facts(name, file, whole, result.working, wanted.native_crop))
        return result if cut is None else _cut(result, rgb, cut)


def _cut(whole: WorkingImage, rgb: Image.Image, cut: Cut) -> WorkingImage:
    """The working image of a crop of an upright image of native size, in place of that of the whole."""
    crop = rgb.crop(cut.box(rgb.size))
    pixels = _working_image(crop, crop.size)
    return replace(whole, working=pixels.working, thumbnail=pixels.thumbnail)


def _decoded_whole(file: IO[bytes], name: str) -> Image.Image:
    """The image at its native size, where it was decoded at a fraction of it."""
    file.seek(0)
    with _identify(file, name) as image:
        return to_rgb(image)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ValueError(f"too large: {width} x {height} is over the limit of {max_pixels} pixels")
    if min(_reduced(size, WORKING_SIZE)) < LEAST_SIDE:
        raise ValueError(f"too small: {width} x {height} leaves a side under {LEAST_SIDE} pixels")


def _draft(image: ImageFile.ImageFile) -> None:
    """Has a large JPEG decoded at a fraction of its size, by its low frequencies alone; leaves any other image.

    Beside whole decoding, over 111 JPEGs of 0.9 to 3.9 MP (benchmarks/small_jpegs.py): means of scores differ by up to
    0.005, the score of an image by 0.01 on average at most and by 0.04 in the worst case.
    """
    width, height = image.size
    longest = max(width, height)
    if image.format == "JPEG" and longest >= 2 * DRAFT_SIZE:
        image.draft(image.mode, (max(1, width * DRAFT_SIZE // longest), max(1, height * DRAFT_SIZE // longest)))


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


def _working_image(rgb: Image.Image, native: tuple[int, int]) -> WorkingImage:
    """From the upright RGB image, which may have been decoded smaller than its native size."""
    working = _resize(rgb, _reduced(native, WORKING_SIZE))
    thumbnail = _resize(working, _reduced(working.size, THUMBNAIL_SIZE))
    return WorkingImage(np.asarray(working), np.asarray(thumbnail), *native)


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
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
