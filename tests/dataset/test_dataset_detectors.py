"""What detectors see of what was done to a picture, and that they take drawings for nothing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from autocal_cli.dataset.curation import load_policy, measured_reasons
from autocal_cli.dataset.facts import MOST_PATCHES, PATCH, find_traces, patches_of
from autocal_cli.dataset.model import ImageFacts, ImageRow, Traces

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"
FILTERS = Image.Resampling
RULES = load_policy().rules


def picture(seed: int = 0, size: int = 384) -> Image.Image:
    """As nature has them: noise whose amplitude falls with its frequency."""
    rng = np.random.default_rng(seed)
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    wave[0, 0] = 1.0
    layers = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) / wave**1.2).real for _ in range(3)]
    levels = np.stack([layers[0] + 0.3 * layer for layer in layers], axis=-1)
    return Image.fromarray((127 + 45 * (levels - levels.mean()) / levels.std()).clip(1, 254).astype(np.uint8))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def enlarged(image: Image.Image, times: float, how: Image.Resampling) -> Image.Image:
    small = image.resize((round(image.width / times), round(image.height / times)), FILTERS.BOX)
    return small.resize((round(small.width * times), round(small.height * times)), how)


def noisy(image: Image.Image, deviation: float) -> Image.Image:
    values = np.asarray(image) + np.random.default_rng(5).normal(0, deviation, (*image.size[::-1], 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def through_a_colour_filter(image: Image.Image) -> Image.Image:
    """As a camera has it: one colour a pixel, the others made of those beside it."""
    seen = np.zeros((image.height, image.width, 3), dtype=np.float32)
    for channel, rows, columns in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        place = (slice(rows, None, 2), slice(columns, None, 2), channel)
        seen[place] = np.asarray(image)[place]
    for axis in (0, 1):
        seen = seen + (np.roll(seen, 1, axis) + np.roll(seen, -1, axis)) / 2
    return Image.fromarray((seen / (1, 2, 1)).clip(0, 255).astype(np.uint8))


def contrasted(image: Image.Image) -> Image.Image:
    return image.point(lambda level: max(3, min(252, 2 * (level - 127) + 127)))


def dropped(image: Image.Image) -> set[str]:
    facts = ImageFacts("", "", False, False, 0.2, 7.0, 0, 0.0, find_traces(image))
    row = ImageRow(facts, *image.size, (0.0,) * 3, (0.0,) * 3, 0.0)
    return {reason.code for reason in measured_reasons(row, RULES) if reason.severity == "drop"}


PHOTO = picture()


@pytest.mark.parametrize(
    ("image", "reasons"),
    [
        (PHOTO, set()),
        (jpeg(PHOTO, 95), set()),
        (PHOTO.resize((192, 192), FILTERS.BOX), set()),
        (jpeg(PHOTO, 10), {"jpeg-blocks"}),
        (jpeg(PHOTO, 10).crop((3, 5, 380, 381)), {"jpeg-blocks"}),
        (jpeg(PHOTO, 10).rotate(90), {"jpeg-blocks"}),
        (jpeg(PHOTO, 50), {"jpeg-blocks"}),
        (jpeg(PHOTO, 50).crop((3, 5, 380, 381)), {"jpeg-blocks"}),
        (jpeg(PHOTO, 80), set()),
        (enlarged(PHOTO, 2, FILTERS.NEAREST), {"enlarged"}),
        (enlarged(PHOTO, 1.5, FILTERS.BICUBIC), {"enlarged"}),
        (enlarged(PHOTO, 3, FILTERS.BICUBIC), {"enlarged"}),
        (enlarged(PHOTO, 4, FILTERS.BILINEAR), {"enlarged"}),
        (jpeg(enlarged(PHOTO, 1.5, FILTERS.BICUBIC), 80), {"enlarged"}),
        (enlarged(PHOTO, 2, FILTERS.LANCZOS), {"blurred"}),
        (PHOTO.filter(ImageFilter.GaussianBlur(1.2)), {"blurred"}),
        (noisy(PHOTO.filter(ImageFilter.GaussianBlur(2)), 12), {"noise"}),
        (noisy(PHOTO, 20), {"noise"}),
    ],
)
def test_what_was_done_to_a_picture_is_seen(image, reasons):
    assert dropped(image) == reasons


@pytest.mark.parametrize("quality", [20, 30, 50, 60, 70, 80])
def test_the_quality_of_a_jpeg_is_told(quality):
    assert find_traces(jpeg(PHOTO, quality)).jpeg_quality == pytest.approx(quality, abs=3)
    assert find_traces(jpeg(jpeg(PHOTO, quality), 98)).jpeg_quality == pytest.approx(quality, abs=3)


def test_of_two_jpegs_the_coarser_quality_is_told():
    assert find_traces(jpeg(jpeg(PHOTO, 50), 80)).jpeg_quality == pytest.approx(50, abs=10)
    assert find_traces(jpeg(jpeg(PHOTO, 30), 50)).jpeg_quality == pytest.approx(50, abs=3)  # what it leaves of 30


def test_what_was_no_jpeg_has_no_quality():
    assert find_traces(PHOTO).jpeg_quality is None


@pytest.mark.parametrize(("quality", "radius", "contrast"), [(70, 0.7, 0.7), (80, 0.7, 0.7), (95, 0.8, 0.4)])
def test_the_grid_of_a_jpeg_is_no_enlargement(quality, radius, contrast):
    soft = PHOTO.filter(ImageFilter.GaussianBlur(radius))
    image = jpeg(Image.blend(Image.new("RGB", PHOTO.size, (127, 127, 127)), soft, contrast), quality)
    assert find_traces(image).detail < 0.36  # else its rhythm is not looked for
    assert "enlarged" not in dropped(image)


def test_the_colour_filter_of_a_camera_is_no_enlargement():
    image = through_a_colour_filter(PHOTO.filter(ImageFilter.GaussianBlur(0.6)))
    assert find_traces(image).detail < 0.36  # else its rhythm is not looked for
    assert "enlarged" not in dropped(image)


def soft_shapes() -> Image.Image:
    """Ellipses of two levels, far from black and white, with edges as lenses make them."""
    rng = np.random.default_rng(0)
    image = Image.new("L", (384, 384), 128)
    for _ in range(60):
        left, top, *sides = (*rng.integers(0, 340, 2).tolist(), *rng.integers(30, 120, 2).tolist())
        ImageDraw.Draw(image).ellipse((left, top, left + sides[0], top + sides[1]), fill=int(rng.choice([60, 190])))
    return noisy(image.convert("RGB").filter(ImageFilter.GaussianBlur(0.8)), 2)


@pytest.mark.parametrize(("image", "percent"), [(contrasted(PHOTO), 400), (soft_shapes(), 200)])
def test_what_was_sharpened_too_much_is_seen(image, percent):
    assert "halos" not in dropped(image)
    assert "halos" in dropped(image.filter(ImageFilter.UnsharpMask(2, percent, 0)))


@pytest.mark.parametrize("size", [10, 12, 14, 18])
def test_text_is_not_sharpened(size):
    page = Image.new("RGB", PHOTO.size, "white")
    text = "\n".join(f"The quick brown fox jumps over {line} lazy dogs. " * 2 for line in range(30))
    ImageDraw.Draw(page).text((4, 3), text, "black", ImageFont.load_default(size))
    page.paste(PHOTO.crop((0, 0, 384, 120)), (0, 264))
    assert not find_traces(jpeg(page, 90)).drawn  # else it is told by that
    assert "halos" not in dropped(jpeg(page, 90))


def test_contrast_that_clips_is_no_sharpening():
    assert "halos" not in dropped(PHOTO.point(lambda level: round(3 * (level - 128)) + 128))


def frame(width: int) -> Image.Image:
    sky = Image.linear_gradient("L").resize((400, 400)).convert("RGB")
    draw = ImageDraw.Draw(sky)
    for x in range(40, 400, 80):
        draw.rectangle((x, 0, x + width, 400), fill=(20, 20, 20))
    return sky


def windows(raster: int) -> Image.Image:
    rng = np.random.default_rng(raster)
    image = Image.new("RGB", (400, 400), (235, 235, 235))
    for _ in range(60):
        x, y, width, height = (rng.integers(1, 400 // raster // 2, 4) * raster).tolist()
        ImageDraw.Draw(image).rectangle(
            (x, y, x + width - 1, y + height - 1), fill=tuple(rng.integers(90, 255, 3).tolist())
        )
    return image


def squares(size: int, colours: int = 12) -> Image.Image:
    rng = np.random.default_rng(size)
    pixels = rng.integers(0, 256, (colours, 3))[rng.integers(0, colours, (384 // size, 384 // size))]
    return Image.fromarray(pixels.repeat(size, 0).repeat(size, 1).astype(np.uint8))


@pytest.mark.parametrize(
    "image",
    [frame(7), frame(8), windows(1), windows(8), squares(4), squares(8), squares(16), Image.new("RGB", (300, 300))],
)
def test_straight_edges_are_taken_for_nothing(image):
    assert dropped(image) == set()


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.png")), ids=lambda path: path.stem)
def test_the_demo_images_are_no_jpegs(path):
    assert "jpeg-blocks" not in dropped(Image.open(path).convert("RGB"))


@pytest.mark.parametrize(("times", "share"), [(2, 1 / 2), (4, 3 / 4)])
def test_the_next_pixel_repeats_lines(times, share):
    assert find_traces(enlarged(PHOTO, times, FILTERS.NEAREST)).repeated == pytest.approx(share, abs=0.01)


def test_lines_that_repeat_here_and_there_are_no_enlargement():
    pixels = np.asarray(PHOTO).copy()
    for start in range(0, 384, 64):
        pixels[start : start + 40] = pixels[start]
        pixels[:, start : start + 40] = pixels[:, start, None]
    assert dropped(Image.fromarray(pixels)) == set()


def test_noise_is_told_in_levels():
    grey = noisy(Image.new("RGB", (256, 256), (127, 127, 127)), 10)
    luma = 10 * (0.299**2 + 0.587**2 + 0.114**2) ** 0.5
    assert find_traces(grey).noise == pytest.approx(luma, rel=0.15)


def test_detail_of_noise_is_one_and_of_a_smooth_picture_a_sixteenth():
    assert find_traces(noisy(Image.new("RGB", (256, 256), (127, 127, 127)), 20)).detail == pytest.approx(1.2, abs=0.25)
    x = np.arange(256)
    waves = (127 + 100 * np.sin(x[:, None] / 5) * np.sin(x / 5)).astype(np.float32)
    smooth = Image.fromarray(waves.round().astype(np.uint8)).convert("RGB")
    assert 1 / 16 <= find_traces(smooth).detail < 0.1
    assert find_traces(Image.new("RGB", (64, 64))).detail is None


@pytest.mark.parametrize("size", [(15, 400), (400, 15), (1, 1)])
def test_of_tiny_images_nothing_is_said(size):
    assert find_traces(Image.new("RGB", size)) == Traces()


@pytest.mark.parametrize("size", [(16, 16), (17, 300), (130, 64), (300, 16), (128, 128), (257, 129)])
def test_any_size_is_looked_at(size):
    traces = find_traces(picture(1, 300).crop((0, 0, *size)))
    assert np.isfinite([traces.blocks, traces.noise, traces.halos, traces.laplacian]).all()


@pytest.mark.parametrize(
    ("size", "count"), [((100, 90), 1), ((128, 256), 2), ((256, 256), 4), ((500, 384), 9), ((5000, 3000), 9)]
)
def test_patches_are_few_and_begin_on_the_grid(size, count):
    column, row = np.arange(size[0]) % 251, np.arange(size[1]) % 241
    image = Image.fromarray((column[None, :] ^ row[:, None]).astype(np.uint8))
    patches = patches_of(image)
    assert patches.shape == (count, min(PATCH, size[1]), min(PATCH, size[0]))
    assert count <= MOST_PATCHES**2
