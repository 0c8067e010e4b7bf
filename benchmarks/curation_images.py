"""Images of many kinds from real photographs, for curation.py: good ones, spoilt ones, drawn ones, and copies."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Filters = Image.Resampling
RESAMPLING = {
    "nearest": Filters.NEAREST,
    "bilinear": Filters.BILINEAR,
    "bicubic": Filters.BICUBIC,
    "lanczos": Filters.LANCZOS,
}
SHRUNK = 0.7  # by default, of the photographs of BSDS500, which are JPEGs of quality 95: no grid is left then


@dataclass(frozen=True, slots=True)
class Kind:
    """So many images of a kind: `expected` names the reasons of which one at least should be found; none for good."""

    name: str
    expected: frozenset[str]
    images: Sequence[Image.Image]


def photographs(folders: Sequence[Path], count: int, seed: int, shrunk: float = SHRUNK) -> list[Image.Image]:
    """Photographs without a trace: PNGs as they are, JPEGs `shrunk` to this share of their sides."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))
    chosen = random.Random(seed).sample(paths, min(count, len(paths)))
    return [clean(path, shrunk) for path in chosen]


def clean(path: Path, shrunk: float = SHRUNK) -> Image.Image:
    image = Image.open(path).convert("RGB")
    if path.suffix == ".png":
        return image
    return image.resize((round(image.width * shrunk), round(image.height * shrunk)), Filters.LANCZOS)


def tiles(image: Image.Image, side: int, most: int) -> list[Image.Image]:
    """Square tiles at multiples of their side, at most so many and evenly spread over those that there are."""
    corners = [(x, y) for y in range(0, image.height - side + 1, side) for x in range(0, image.width - side + 1, side)]
    taken = corners[:: max(1, -(-len(corners) // most))]
    return [image.crop((x, y, x + side, y + side)) for x, y in taken]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The image as JPEG, decoded again."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def shifted_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The same, cut so that its grid begins elsewhere."""
    spoilt = jpeg(image, quality)
    return spoilt.crop((3, 5, spoilt.width, spoilt.height))


def enlarged(image: Image.Image, times: float, how: str) -> Image.Image:
    small = image.resize((round(image.width / times), round(image.height / times)), Filters.BOX)
    return small.resize((round(small.width * times), round(small.height * times)), RESAMPLING[how])


def blurred(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def noisy(image: Image.Image, deviation: float, seed: int = 1) -> Image.Image:
    values = np.asarray(image) + np.random.default_rng(seed).normal(0, deviation, (image.height, image.width, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def sharpened(image: Image.Image, percent: int, radius: float = 2) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(radius, percent, 0))


def cropped(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    left, top = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
    return image.crop((left, top, width - left, height - top))


# What must not be taken for anything: drawn, framed, cut out.


def framed_sky(seed: int) -> Image.Image:
    """A smooth sky in a window's frame."""
    rng = np.random.default_rng(seed)
    down = np.linspace(0, 1, 400)[:, None, None]
    top, bottom = rng.integers(60, 160, 3), rng.integers(150, 250, 3)
    sky = (top + (bottom - top) * down + rng.normal(0, 0.8, (400, 480, 1))).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(np.broadcast_to(sky, (400, 480, 3))))
    draw = ImageDraw.Draw(image)
    for x in range(int(rng.integers(20, 60)), 480, 120):
        draw.rectangle((x, 0, x + 9, 400), fill=(45, 40, 38))
    draw.rectangle((0, 180, 480, 190), fill=(45, 40, 38))
    return image


def interface(seed: int, raster: int = 1) -> Image.Image:
    """Windows and buttons, their edges on a raster of so many pixels."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (480, 360), (240, 240, 240))
    draw = ImageDraw.Draw(image)
    for number in range(40):
        x, y = (int(side) // raster * raster for side in rng.integers(0, 400, 2))
        width, height = (max(raster, int(side) // raster * raster) for side in rng.integers(20, 160, 2))
        fill = tuple(rng.integers(120, 255, 3).tolist())
        draw.rectangle((x, y, x + width - 1, y + height - 1), fill=fill, outline=None if raster > 1 else (90, 90, 90))
        if raster == 1:
            draw.text((x + 3, y + 3), f"Button {number}", fill=(0, 0, 0), font=ImageFont.load_default(14))
    return image


def pixel_art(seed: int, size: int) -> Image.Image:
    """Twelve colours in squares of `size` pixels."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 255, (12, 3))
    pixels = palette[rng.integers(0, 12, (480 // size, 480 // size))]
    return Image.fromarray(pixels.repeat(size, 0).repeat(size, 1).astype(np.uint8))


def page_of_text(seed: int) -> Image.Image:
    image = Image.new("RGB", (480, 480), "white")
    draw = ImageDraw.Draw(image)
    for line in range(26):
        draw.text(
            (6, 6 + 18 * line), f"The quick brown fox {seed * line} jumps over it.", "black", ImageFont.load_default(14)
        )
    return image


def cut_out(photograph: Image.Image) -> Image.Image:
    """A photograph cut out on white."""
    mask = Image.new("L", photograph.size, 0)
    ImageDraw.Draw(mask).ellipse((20, 20, photograph.width - 20, photograph.height - 20), fill=255)
    white = Image.new("RGB", photograph.size, "white")
    white.paste(photograph, mask=mask)
    return white


def framed_photograph(photograph: Image.Image) -> Image.Image:
    black = Image.new("RGB", (photograph.width + 43, photograph.height + 37), "black")
    black.paste(photograph, (21, 18))
    return black


Spoiling = Callable[[Image.Image], Image.Image]


def spoilings() -> dict[str, tuple[frozenset[str], Spoiling]]:
    """Every way of spoiling a photograph, by name, and the reasons that it should give."""
    ways: dict[str, tuple[frozenset[str], Spoiling]] = {}
    for quality in (5, 10, 20, 30, 50, 70, 80, 90, 95):
        ways[f"JPEG {quality}"] = frozenset({"jpeg-blocks"}), lambda image, q=quality: jpeg(image, q)
        ways[f"JPEG {quality}, shifted"] = frozenset({"jpeg-blocks"}), lambda image, q=quality: shifted_jpeg(image, q)
    ways["JPEG 50, then 80"] = frozenset({"jpeg-blocks"}), lambda image: jpeg(jpeg(image, 50), 80)
    for how in RESAMPLING:
        for times in (1.5, 2.0, 3.0, 4.0):
            soft = frozenset({"enlarged", "blurred"})
            ways[f"x{times:g} {how}"] = soft, lambda image, t=times, h=how: enlarged(image, t, h)
    for radius in (0.7, 1.0, 1.5, 2.0, 3.0):
        ways[f"blur {radius:g}"] = frozenset({"blurred", "enlarged"}), lambda image, r=radius: blurred(image, r)
    for deviation in (5, 8, 12, 20):
        ways[f"noise {deviation}"] = frozenset({"noise"}), lambda image, d=deviation: noisy(image, d)
    for percent in (50, 100, 150, 200, 300):
        ways[f"sharpened {percent}%"] = frozenset({"halos"}), lambda image, p=percent: sharpened(image, p)
        for radius in (1, 3) if percent % 100 == 0 else ():
            ways[f"sharpened {percent}%, radius {radius}"] = (
                frozenset({"halos"}),
                lambda image, p=percent, r=radius: sharpened(image, p, r),
            )
    return ways


def drawings() -> Iterator[Kind]:
    drawn: dict[str, Callable[[int], Image.Image]] = {
        "framed sky": framed_sky,
        "interface": interface,
        "interface on a raster of 8": lambda seed: interface(seed, 8),
        "pixel art of 4": lambda seed: pixel_art(seed, 4),
        "pixel art of 8": lambda seed: pixel_art(seed, 8),
        "pixel art of 16": lambda seed: pixel_art(seed, 16),
        "text": page_of_text,
    }
    for name, draw in drawn.items():
        yield Kind(name, frozenset(), [draw(seed) for seed in range(20)])


def never(photos: Sequence[Image.Image]) -> Iterator[Kind]:
    """What must not be taken for anything."""
    yield from drawings()
    yield Kind("photograph halved by area", frozenset(), [photo.reduce(2) for photo in photos])
    halves = [photo.resize((photo.width // 2, photo.height // 2), Filters.LANCZOS) for photo in photos]
    yield Kind("photograph halved by Lanczos", frozenset(), halves)
    yield Kind("1.5 times the contrast", frozenset(), [steeper(photo, 1.5) for photo in photos])
    yield Kind("cut out on white", frozenset(), [cut_out(photo) for photo in photos])
    yield Kind("framed photograph", frozenset(), [framed_photograph(photo) for photo in photos])


# Pairs of GT and LQ images: ways to reduce, and faults of a pair.

Reducing = Callable[[Image.Image, int], Image.Image]
PairFault = Callable[[Image.Image, Image.Image, int, Reducing], Image.Image]  # of GT, another GT, scale, way -> LQ


def reduced(image: Image.Image, scale: int, how: Image.Resampling) -> Image.Image:
    return image.resize((image.width // scale, image.height // scale), how)


REDUCINGS: dict[str, Reducing] = {
    **{name: lambda image, scale, h=how: reduced(image, scale, h) for name, how in RESAMPLING.items()},
    "box": lambda image, scale: image.reduce(scale),
    "nearest, upper left": lambda image, scale: Image.fromarray(
        np.asarray(image)[: image.height // scale * scale : scale, : image.width // scale * scale : scale]
    ),
}


def moved(image: Image.Image, across: float, down: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, -across, 0, 1, -down), Filters.BICUBIC)


def stretched(image: Image.Image, times: float) -> Image.Image:
    """The middle of the image, so enlarged that it fills it."""
    left, top = (side * (1 - 1 / times) / 2 for side in image.size)
    return image.resize(image.size, Filters.BICUBIC, box=(left, top, image.width - left, image.height - top))


def brighter(image: Image.Image, levels: float) -> Image.Image:
    return image.point(lambda level: min(255, round(level + levels)))


def steeper(image: Image.Image, times: float) -> Image.Image:
    return image.point(lambda level: max(0, min(255, round(128 + times * (level - 128)))))


def _spoilt(code: str, change: Callable[[Image.Image, int], Image.Image]) -> tuple[str, PairFault]:
    return code, lambda gt, _, scale, reduce: reduce(change(gt, scale), scale)


PAIR_FAULTS: dict[str, tuple[str, PairFault]] = {
    "another photograph": ("pair-content", lambda gt, other, scale, reduce: reduce(other.resize(gt.size), scale)),
    "two LQ columns short": _spoilt("pair-size", lambda gt, scale: gt.crop((0, 0, gt.width - 2 * scale, gt.height))),
    "of 1.2 times the contrast": _spoilt("pair-colour", lambda gt, _: steeper(gt, 1.2)),
}
for pixels in (0.25, 0.5, 1, 4, 12):
    PAIR_FAULTS[f"shifted by {pixels:g} LQ pixels"] = _spoilt(
        "pair-shift", lambda gt, scale, p=pixels: moved(gt, 0.8 * p * scale, -0.6 * p * scale)
    )
for percent in (1, 2, 4):
    PAIR_FAULTS[f"stretched by {percent}%"] = _spoilt(
        "pair-stretch", lambda gt, _, p=percent: stretched(gt, 1 + p / 100)
    )
for levels in (5, 10, 20):
    PAIR_FAULTS[f"brighter by {levels}"] = _spoilt("pair-colour", lambda gt, _, v=levels: brighter(gt, v))
for name in ("nearest", "bilinear", "lanczos", "box"):
    PAIR_FAULTS[f"reduced by {name}"] = "pair-kernel", lambda gt, _, scale, __, n=name: REDUCINGS[n](gt, scale)
