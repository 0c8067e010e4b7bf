"""How LQ images lie on their GT images: each fault by a picture that has it, beside the same picture without it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset.alignment import measure_pair
from autocal_cli.dataset.model import PairTraces

Filters = Image.Resampling


def scene(side: int = 512, seed: int = 0) -> Image.Image:
    """Structure of every size, in three different channels."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.normal(size=(side // size, side // size, 3)).astype(np.float32)[..., channel]))
        for size in (2, 4, 8, 32)
        for channel in range(3)
    ]
    channels = [
        sum(size**0.7 * np.asarray(Image.fromarray(layers[3 * i + channel]).resize((side, side), Filters.BICUBIC))
            for i, size in enumerate((2, 4, 8, 32)))
        for channel in range(3)
    ]  # fmt: skip
    pixels = np.stack(channels, axis=2)
    return Image.fromarray((128 + 34 * pixels / pixels.std()).clip(0, 255).astype(np.uint8))


GT = scene()


def reduced(gt: Image.Image, scale: int, how: Filters = Filters.BICUBIC) -> Image.Image:
    return gt.resize((gt.width // scale, gt.height // scale), how)


def moved(gt: Image.Image, across: float, down: float) -> Image.Image:
    return gt.transform(gt.size, Image.Transform.AFFINE, (1, 0, -across, 0, 1, -down), Filters.BICUBIC)


def measured(lq: Image.Image, gt: Image.Image = GT, scale: int | None = None) -> PairTraces:
    return measure_pair(gt, lq, "lq.png", scale)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_pair_that_fits(scale):
    gt = GT.crop((0, 0, 480, 480))
    found = measured(reduced(gt, scale), gt)
    assert (found.lq, found.fits) == ("lq.png", True)
    assert found.scale == pytest.approx(scale, abs=0.01)
    assert found.agreement is not None
    assert found.agreement > 0.95
    assert max(abs(found.across), abs(found.down)) < 0.03
    assert found.drift < 0.1
    assert found.colour < 1


@pytest.mark.parametrize(("across", "down"), [(0.25, 0.0), (0.5, -0.5), (1.0, 2.0), (-7.25, 3.5)])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_shift_is_told_to_a_fraction_of_a_pixel(scale, across, down):
    found = measured(reduced(moved(GT, scale * across, scale * down), scale))
    assert (found.across, found.down) == pytest.approx((across, down), abs=0.05)


def test_nearest_by_the_upper_left_pixel_shifts():
    found = measured(Image.fromarray(np.asarray(GT)[::4, ::4]))
    assert (found.across, found.down) == pytest.approx((0.375, 0.375), abs=0.1)


@pytest.mark.parametrize(("start", "aside"), [(0, 0.25), (1, -0.25)])
def test_fine_stripes_of_which_samples_are_left_lie_where_the_others_do(start, aside):
    """Of stripes of 2.2 pixels every second sample leaves such of 11 LQ pixels, which seem to move the other way."""
    across, down = np.meshgrid(np.arange(512), np.arange(512))
    stripes = 60 * np.sin(2 * np.pi * across / 2.2) + 20 * np.sin(2 * np.pi * (down + 0.3 * across) / 40)
    gt = Image.fromarray((128 + stripes).astype(np.uint8)).convert("RGB")
    found = measured(Image.fromarray(np.asarray(gt)[start::2, start::2]), gt)
    assert (found.across, found.down, found.drift) == pytest.approx((aside, aside, 0), abs=0.01)


def test_a_stretch_is_told_by_the_drift_of_the_shift():
    larger = GT.resize((256, 256), Filters.BICUBIC, box=(5, 5, 507, 507))  # shows 98% of the scene
    found = measured(larger)
    assert found.drift == pytest.approx(256 * 0.02, abs=0.6)
    assert found.scale == pytest.approx(2 / 1.02, abs=0.01)


@pytest.mark.parametrize(
    ("change", "levels"),
    [
        (lambda level: level + 8, 8),
        (lambda level: 1.1 * (level - 128) + 128, 3.4),
        (lambda level: level, 0),
    ],
)
def test_colours_differ_by_levels(change, levels):
    lq = reduced(GT, 2)
    changed = np.asarray(lq).astype(float)
    changed[..., 1] = change(changed[..., 1])
    found = measured(Image.fromarray(changed.clip(0, 255).round().astype(np.uint8)))
    assert found.colour == pytest.approx(levels, abs=1.5)


def test_another_picture_does_not_agree():
    found = measured(reduced(scene(seed=1), 2))
    assert found.agreement is not None
    assert found.agreement < 0.5


REDUCED = {
    "box": lambda gt, scale: reduced(gt, scale, Filters.BOX),
    "bilinear": lambda gt, scale: reduced(gt, scale, Filters.BILINEAR),
    "bicubic": lambda gt, scale: reduced(gt, scale, Filters.BICUBIC),
    "lanczos": lambda gt, scale: reduced(gt, scale, Filters.LANCZOS),
    "nearest": lambda gt, scale: reduced(gt, scale, Filters.NEAREST),
    "nearest, upper left": lambda gt, scale: by_opencv(gt, scale, cv2.INTER_NEAREST),
    "bilinear without antialias": lambda gt, scale: by_opencv(gt, scale, cv2.INTER_LINEAR),
    "bicubic without antialias": lambda gt, scale: by_opencv(gt, scale, cv2.INTER_CUBIC),
}


def by_opencv(gt: Image.Image, scale: int, how: int) -> Image.Image:
    return Image.fromarray(cv2.resize(np.asarray(gt), (gt.width // scale, gt.height // scale), interpolation=how))


@pytest.mark.parametrize("kernel", REDUCED)
def test_a_plain_kernel_is_named(kernel):
    assert measured(REDUCED[kernel](GT, 4)).kernel == kernel


def test_a_kernel_that_is_not_plain_is_not_named():
    blurred = np.asarray(reduced(GT, 4)).astype(float)
    noisy = blurred + np.random.default_rng(0).normal(0, 20, blurred.shape)
    assert measured(Image.fromarray(noisy.clip(0, 255).astype(np.uint8))).kernel == ""


def test_sizes_that_do_not_fit():
    assert not measured(reduced(GT, 2).crop((0, 0, 255, 256)), scale=2).fits
    assert not measured(reduced(GT, 4), scale=2).fits
    assert measured(reduced(GT, 4), scale=2).scale == 4


@pytest.mark.parametrize(
    "gt",
    [Image.new("RGB", (128, 128), (90, 90, 90)), Image.linear_gradient("L").convert("RGB")],
    ids=["flat", "one gradient"],
)
def test_what_has_no_structure_in_some_direction_is_not_judged(gt):
    found = measured(reduced(gt, 2), gt)
    assert (found.agreement, found.across, found.down, found.drift) == (None, 0.0, 0.0, 0.0)


def test_images_under_sixteen_pixels_are_not_judged():
    assert measured(reduced(GT, 40).crop((0, 0, 12, 12)), GT.crop((0, 0, 480, 480)), 40).agreement is None
