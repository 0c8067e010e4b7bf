"""Reads one image file: its working image with what was asked for, or the reason why there is none."""

from __future__ import annotations

import importlib
import io
import math
import os
import random
import struct
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import IO

import numpy as np
from PIL import ExifTags, Image, ImageFile

from autocal_cli.dataset.alignment import measure_pair
from autocal_cli.dataset.facts import NATIVE_CROP, Box, gather_facts
from autocal_cli.dataset.files import ImageSource, is_passing, open_image, printable
from autocal_cli.dataset.metrics import WINDOW, Pixels
from autocal_cli.dataset.model import FileIssue, ImageFacts, PairTraces
from autocal_cli.dataset.scorer import Scorer

WORKING_SIZE = 256  # long side at which facts are gathered
THUMBNAIL_SIZE = 128  # long side at which metrics are measured; a fixed size, since halving shifts them
DRAFT_SIZE = 2 * WORKING_SIZE  # least long side of a JPEG decoded at 1/2, 1/4 or 1/8 of its size
MAX_PIXELS = 300_000_000
MOST_BYTES = 32_000_000  # of a file that is read at once, which many small reads take longer than
FAST_PIXELS = 70_000  # from which libvips pays: before it began, Pillow has decoded 96 x 96 pixels
TWICE_PIXELS = 4_000_000  # of an image that may be held twice for a moment, as libvips gives it and as Pillow
LARGE_PIXELS = 50_000_000  # such images are decoded one at a time, so that memory stays flat

# What training folders hold, by content and whatever the file is called. Left out are the formats that start other
# programs (EPS) or have no signature to know them by (TGA).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF", "PPM", "DIB", "JPEG2000")
LOSSY = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "JPEG2000"})  # but WebP may be lossless

_one_large_at_a_time = threading.Lock()
_one_read_at_a_time = threading.Lock()
Image.init()  # registers every format, here once rather than in the workers all together


@dataclass(frozen=True, slots=True)
class WorkingImage:
    """What facts and metrics need of an image: uint8 RGB (H, W, 3) at long side 256 and 128, its upright native size.

    `raw`: the metrics in order of METRIC_NAMES, once measured. `facts` are there where they were asked for, `traits`
    are what the trainer takes otherwise (`traits_of`), `path` is the printable name.
    """

    working: Pixels
    thumbnail: Pixels
    width: int
    height: int
    facts: ImageFacts | None = None
    raw: tuple[float, ...] | None = None
    traits: tuple[str, ...] = ()
    path: str = ""
    file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """The crop of one draw: `side` pixels, at a place that seed and number of the draw decide."""

    side: int
    seed: int
    draw: int

    def box(self, size: tuple[int, int]) -> Box:
        """Where it lies in an image of (width, height): anywhere with equal chance, no larger than the image."""
        place = random.Random(f"{self.seed} {self.draw}")
        wide, high = (min(self.side, extent) for extent in size)
        left, top = place.randrange(size[0] - wide + 1), place.randrange(size[1] - high + 1)
        return left, top, left + wide, top + high


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of each image: its facts, the sharpness among them on crops of `native_crop` pixels, or not.

    An image of more than `max_pixels` is refused. `gentle`: files are read one at a time, the disk idle half the time.
    With the facts comes how its LQ image `partner` lies on it, or that it is `without_lq`, at the training's `scale`
    where that is known, and what the `scorer` says of it.
    """

    max_pixels: int = MAX_PIXELS
    facts: bool = False
    native_crop: int = NATIVE_CROP
    gentle: bool = False
    partner: ImageSource | None = None
    without_lq: bool = False
    scale: int | None = None
    scorer: Scorer | None = None


PIXELS_ONLY = Wanted()


def read_image(source: ImageSource, wanted: Wanted = PIXELS_ONLY, cut: Cut | None = None) -> WorkingImage | FileIssue:
    """The working image of a file, or of a crop `cut` from it.

    Whatever goes wrong becomes a one-line reason. Safe in threads.
    """
    try:
        with open_image(source) as opened:
            data = _content(opened, wanted.gentle)
            with io.BytesIO(data) if data else nullcontext(opened) as file:
                return _decoded(file, data, source, wanted, cut)
    except Exception as error:
        code = error.code if isinstance(error, UnfitSizeError) else "unreadable"
        return FileIssue(printable(source), reason_of(error), is_passing(error), code)


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


def _content(opened: IO[bytes], gentle: bool) -> bytes:
    """The content, empty where there is too much of it. Gently: while no other file is read, with a pause as long."""
    with _one_read_at_a_time if gentle else nullcontext():
        started = time.monotonic()
        size = opened.seek(0, os.SEEK_END)
        opened.seek(0)
        data = opened.read() if size <= MOST_BYTES else b""
        if gentle:
            time.sleep(min(1.0, time.monotonic() - started))
    return data


def _decoded(file: IO[bytes], data: bytes, source: ImageSource, wanted: Wanted, cut: Cut | None) -> WorkingImage:
    """The working image of an opened file, of which `data` is the content where that was read at once."""
    name = os.fspath(source)
    with _identify(file, name) as image:
        native = image.size
        _check_size(native, wanted.max_pixels)
        require_plausible(image, file)
        if cut is None:
            _draft(image)
        with _one_large_at_a_time if image.width * image.height > LARGE_PIXELS else nullcontext():
            pixels = (fast_rgb(image, data) if data else None) or image
            rgb = to_rgb(pixels)
            width, height = native[::-1] if _orientation(pixels) in TURNED else native
            working, thumbnail = reduced(rgb, (width, height))
            traits, facts = traits_of(pixels), None
            if wanted.facts:
                whole = rgb
                if image.size != native:  # it was decoded at a fraction of its size
                    file.seek(0)
                    with _identify(file, name) as again:
                        whole = to_rgb(again)
                alpha = "transparent" in traits
                facts = gather_facts(printable(source), file, whole, working, wanted.native_crop, alpha)
                none = PairTraces("") if wanted.without_lq else None
                pair = _paired(whole, wanted.partner, wanted) if wanted.partner else none
                model = wanted.scorer.score(rgb) if wanted.scorer else None
                facts = replace(facts, pair=pair, model=model, loss=_loss(image, native, file))
            if cut is not None:
                working, thumbnail = reduced(rgb.crop(cut.box(rgb.size)))
            return WorkingImage(working, thumbnail, width, height, facts, None, traits, printable(source), len(data))


def _paired(gt: Image.Image, partner: ImageSource, wanted: Wanted) -> PairTraces:
    """How the LQ image lies on its GT image; where it cannot be read, why."""
    try:
        return measure_pair(gt, read_rgb(partner, wanted.max_pixels), printable(partner), wanted.scale)
    except Exception as error:
        return PairTraces(printable(partner), problem=reason_of(error), passing=is_passing(error))


def _loss(image: Image.Image, size: tuple[int, int], file: IO[bytes]) -> float:
    """For how many pixels a byte stands where the compression is lossy, 0 where it is not: `ImageFacts.loss`."""
    file.seek(0)
    head = 4096 + len(image.info.get("icc_profile") or b"")  # which stands before the pixels
    if image.format not in LOSSY or (image.format == "WEBP" and b"VP8L" in file.read(head)):
        return 0.0
    return size[0] * size[1] / file.seek(0, os.SEEK_END)


class UnfitSizeError(ValueError):
    """An image that is not measured for its size; `code` is the reason of its verdict."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        message = f"too large: {width} x {height} is over the limit of {max_pixels:,} pixels (--max-pixels)"
        raise UnfitSizeError("large", message)
    if min(_reduced(size, WORKING_SIZE)) < WINDOW:
        at = f" once its long side is {WORKING_SIZE}" if max(size) > WORKING_SIZE else ""
        raise UnfitSizeError("small", f"too small: {width} x {height} leaves a side under {WINDOW} pixels{at}")


def _draft(image: ImageFile.ImageFile) -> None:
    """Has a large JPEG decoded at a fraction of its size, by its low frequencies alone; leaves any other image.

    Beside whole decoding, over 111 JPEGs of 0.9 to 3.9 MP (benchmarks/small_jpegs.py): means of scores differ by up to
    0.002, the score of an image by 0.01 on average at most and by 0.05 in the worst case.
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
            problem = f"{known} header that Pillow cannot read: {error}"
    raise ValueError(problem)


def reduced(rgb: Image.Image, native: tuple[int, int] | None = None) -> tuple[Pixels, Pixels]:
    """Working image and thumbnail of the upright RGB image, which may have been decoded at a fraction of `native`.

    The thumbnail of a strip that is too thin to be measured at 128 is as large as its working image.
    """
    working = _resize(rgb, _reduced(native or rgb.size, WORKING_SIZE))
    smaller, pixels = _reduced(working.size, THUMBNAIL_SIZE), np.asarray(working)
    if smaller == working.size or min(smaller) < WINDOW:
        return pixels, pixels
    return pixels, np.asarray(_resize(working, smaller))


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
    text = " ".join(str(error).split()).removesuffix(" (0 bytes not processed)")
    return text or type(error).__name__


# An opened image in whatever mode -> upright 8-bit RGB, what is transparent shown on white.

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
    if (move := UPRIGHT.get(_orientation(image))) is not None:
        image = image.transpose(move)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(image))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", rgba.size, (255, 255, 255))
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def is_transparent(image: Image.Image) -> bool:
    """Whether some pixel is not opaque; an alpha channel may well be so throughout."""
    if not image.has_transparency_data:
        return False
    alpha = (image if "A" in image.getbands() else image.convert("RGBA")).getchannel("A")
    return int(np.asarray(alpha).min()) < 255


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken metadata, of which there are many kinds, does not make the pixels unreadable
        return 1


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


# Headers that lie: more pixels than the bytes of the file can hold are refused before memory is taken for them.

DEFLATE_MOST = 1032  # the most bytes that one byte of deflate can stand for (zlib's technical details)
JPEG_MOST = 1024  # pixels that one byte of JPEG can stand for: one bit at least for 64 pixels, and half of that again


def require_plausible(image: Image.Image, file: IO[bytes]) -> None:
    """Raises ValueError where a PNG or JPEG claims more pixels than its file can hold. The position is kept."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    bits = 1 if image.mode in ("1", "L", "P") else 8 * len(image.getbands())
    most = {"PNG": size * DEFLATE_MOST * 8 / bits, "JPEG": size * JPEG_MOST}.get(image.format or "", math.inf)
    if image.width * image.height > most:
        claim = f"{image.width} x {image.height}"
        raise ValueError(f"truncated, or a lying header: {size} bytes cannot hold the {claim} pixels that it claims")


# What the trainer takes otherwise than the scan does: traiNNer-redux reads by libvips, the pixels as they are stored,
# colours converted to sRGB, alpha dropped.

# Formats that the libvips inside pyvips' own wheels was built without (found with libvips 8.17).
RARE_FORMATS = frozenset({"BMP", "DIB", "PPM", "JPEG2000"})


def traits_of(image: Image.Image) -> tuple[str, ...]:
    """The traits of an opened image, loaded; the names are the keys of `trainer_view.TRAINER_VIEW`."""
    present = {
        "floating-point": image.mode == "F",
        "transparent": is_transparent(image),
        "turned": _orientation(image) in UPRIGHT,
        "rare-format": image.format in RARE_FORMATS,
    }
    return tuple(trait for trait, is_so in present.items() if is_so)


# PNG is decoded by libvips where that is installed (`autocal-cli[fast]`, and traiNNer-redux brings it): to the same
# pixels in two thirds of the time. With OpenCV a scan of PNGs or WebPs was hardly faster (benchmarks/RESULTS.md).

# Chunks of a PNG that leave its pixels as they are: no transparency, turn or second frame.
PLAIN_CHUNKS = frozenset({b"IHDR", b"IDAT", b"IEND", b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"iCCP", b"tIME"})


@cache
def libvips() -> ModuleType | None:
    """The module pyvips, where it is installed and finds its library."""
    try:
        vips = importlib.import_module("pyvips")
    except (ImportError, OSError):
        return None
    vips.cache_set_max(0)  # it would keep the contents of files
    if hasattr(vips, "concurrency_set"):  # not in old releases
        vips.concurrency_set(1)  # workers are threads already
    return vips


def fast_rgb(image: ImageFile.ImageFile, data: bytes) -> Image.Image | None:
    """The pixels of an opened image, of which `data` is the file, as RGB; None where Pillow should decode."""
    plain = image.format == "PNG" and image.mode == "RGB" and data[24] == 8 and data[28] == 0  # not interlaced
    plain = plain and FAST_PIXELS <= image.width * image.height <= TWICE_PIXELS and _chunks(data) <= PLAIN_CHUNKS
    if not plain or (vips := libvips()) is None:
        return None
    try:  # whatever is wrong with the file is for Pillow to say
        pixels = vips.Image.pngload_buffer(data, access="sequential", fail_on="warning").write_to_memory()
        return Image.frombuffer("RGB", image.size, pixels, "raw", "RGB", 0, 1)
    except (vips.Error, ValueError):
        return None


def _chunks(data: bytes) -> set[bytes]:
    """The kinds of chunks of a PNG."""
    found, at = set(), 8
    while at < len(data):
        found.add(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4])
    return found
