"""The losses that a probe knows: values and gradients worked out by hand, and what is refused."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn

from autocal_cli.config.losses import loss_kind
from autocal_cli.config.model import LossTerm
from autocal_cli.errors import Place
from autocal_cli.probing import formulas
from autocal_cli.probing.losses import FORK, Beside, adversarial, build_loss, gradient_norms
from autocal_cli.probing.model import UnknownLossError


def term(type: str, weight: float = 1.0, **arguments: object) -> LossTerm:
    return LossTerm(type, loss_kind(type), weight, Place(""), arguments={"type": type, **arguments})  # type: ignore[arg-type]


def image(*values: float) -> torch.Tensor:
    """One grey image of 1 x n."""
    return torch.tensor(values).view(1, 1, 1, -1)


@pytest.mark.parametrize(
    ("loss", "value", "gradient"),
    [
        (formulas.l1, (0.3 + 0.4) / 2, [0.5, -0.5]),
        (formulas.mse, (0.09 + 0.16) / 2, [0.3, -0.4]),
        (partial(formulas.charbonnier, eps=0.16), (0.5 + math.sqrt(0.32)) / 2, [0.3, -0.4 / math.sqrt(0.32) / 2]),
        (partial(formulas.huber, delta=0.35), (0.045 + 0.35 * (0.4 - 0.175)) / 2, [0.15, -0.175]),
    ],
)
def test_pixel_losses_of_two_pixels(loss, value, gradient):
    x, y = image(0.8, 0.1).requires_grad_(), image(0.5, 0.5)
    found = loss(x, y)
    found.backward()
    assert found.item() == pytest.approx(value, rel=1e-5)
    assert x.grad.flatten().tolist() == pytest.approx(gradient, rel=1e-5)


def test_the_l1_of_a_spectrum_counts_real_and_imaginary_parts():
    # d = 0.3, -0.1: the transform of a line of two is (0.2, 0.4), both real
    assert formulas.fft_l1(image(0.8, 0.4), image(0.5, 0.5)).item() == pytest.approx((0.2 + 0.4) / 4, rel=1e-5)


def test_the_focal_loss_weighs_each_frequency_by_its_size():
    # d = 0.3, -0.1: orthonormal (0.2, 0.4) / sqrt 2, of squares 0.02, 0.08; weights 1/2 and 1
    x = image(0.8, 0.4).requires_grad_()
    found = formulas.focal_frequency(x, image(0.5, 0.5))
    assert found.item() == pytest.approx(50 * (0.01 + 0.08) / 2, rel=1e-5)
    (gradient,) = torch.autograd.grad(found, x)
    # 50/2 (w_0 |X_0|^2 + w_1 |X_1|^2): d/dx = 25 (w_0 (x_0 + x_1) +- w_1 (x_0 - x_1))
    assert gradient.flatten().tolist() == pytest.approx([25 * (0.1 + 0.4), 25 * (0.1 - 0.4)], rel=1e-4)


def test_equal_images_have_no_focal_loss_and_no_nan():
    same = torch.full((2, 3, 8, 8), 0.5, requires_grad=True)
    found = formulas.focal_frequency(same, same.detach())
    assert found.item() == 0.0
    assert torch.isfinite(torch.autograd.grad(found, same)[0]).all()


def test_ssim_of_flat_images_is_their_luminance_term():
    x, y = torch.full((2, 3, 192, 192), 0.4), torch.full((2, 3, 192, 192), 0.6)
    luminance = (2 * 0.4 * 0.6 + formulas.C1) / (0.4**2 + 0.6**2 + formulas.C1)
    assert formulas.ssim(x, y).item() == pytest.approx(luminance, rel=1e-3)
    assert formulas.ms_ssim(x, y).item() == pytest.approx(0.0, abs=1e-3)  # which has no luminance term


def test_contrast_alone_lowers_ms_ssim_as_its_formula_says():
    torch.manual_seed(0)
    y = 0.5 + 0.1 * torch.randn(1, 1, 192, 192)
    x = 0.5 + 0.5 * (y - 0.5)
    variances = [0.1**2 / 4**scale for scale in range(5)]  # of noise, whose means of 2x2 have a quarter
    contrasts = [(2 * 0.5 * s + formulas.C2) / (1.25 * s + formulas.C2) for s in variances]
    assert formulas.ssim(x, y, test_y_channel=False).item() == pytest.approx(contrasts[0], abs=0.01)
    index = math.prod(contrast**b for contrast, b in zip(contrasts, formulas.EXPONENTS, strict=True))
    assert formulas.ms_ssim(x, y, test_y_channel=False).item() == pytest.approx(1 - index, abs=0.01)


@pytest.mark.parametrize("is_prod", [True, False])
def test_ms_ssim_of_an_image_with_itself_is_zero_and_of_noise_near_one(is_prod):
    torch.manual_seed(1)
    x, y = torch.rand(2, 3, 96, 96), torch.rand(2, 3, 96, 96)
    assert formulas.ms_ssim(x, x, is_prod=is_prod).item() == pytest.approx(0.0, abs=1e-4)
    assert formulas.ms_ssim(x, y, is_prod=is_prod).item() > 0.6


def says(level: float) -> nn.Module:
    """A discriminator that says `level` of an image of ones, by the mean of its pixels."""
    judge = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    nn.init.constant_(judge[1].weight, level / 4)
    return judge


@pytest.mark.parametrize(
    ("gan_type", "value", "slope"),
    [
        ("vanilla", math.log(1 + math.exp(-2.0)), -1 / (1 + math.exp(2.0))),
        ("bce", math.log(1 + math.exp(-2.0)), -1 / (1 + math.exp(2.0))),
        ("wgan_softplus", math.log(1 + math.exp(-2.0)), -1 / (1 + math.exp(2.0))),
        ("lsgan", 1.0, 2.0),
        ("ls", 1.0, 2.0),
        ("mse", 1.0, 2.0),
        ("huber", 0.5, 1.0),
        ("wgan", -2.0, -1.0),
        ("hinge", -2.0, -1.0),
    ],
)
def test_what_a_generator_minimises_where_the_discriminator_says_two(gan_type, value, slope):
    output = torch.ones(1, 1, 2, 2, requires_grad=True)
    found = adversarial(output, output.detach(), says(2.0), False, gan_type)
    found.backward()
    assert found.item() == pytest.approx(value, rel=1e-5)
    assert output.grad.sum().item() == pytest.approx(2.0 * slope, rel=1e-5)  # D = 2 x the mean of the pixels


@pytest.mark.parametrize(("gan_type", "relativistic"), [("vanilla", True), ("r3gan", False)])
def test_targets_are_judged_before_outputs_as_trainers_do(gan_type, relativistic):
    """A discriminator in training moves its spectral norms at each judgement, so that the order makes numbers."""
    judged: list[float] = []
    judge = says(1.0)
    judge.register_forward_hook(lambda _judge, given, _said: judged.append(given[0].mean().item()))
    output = torch.ones(2, 1, 2, 2, requires_grad=True)
    adversarial(output, torch.full((2, 1, 2, 2), 3.0), judge, relativistic, gan_type)
    assert judged == [3.0, 1.0]


# The discriminator says 1 of outputs and 3 of targets, so that relative to each other they are at -2 and 2.
@pytest.mark.parametrize(
    ("gan_type", "relativistic", "value"),
    [
        ("vanilla", True, math.log(1 + math.exp(2.0))),  # both terms: told the wrong way round by 2
        ("lsgan", True, (2.0**2 + 3.0**2) / 2),  # 2 wanted at 0, -2 wanted at 1
        ("wgan", True, (2.0 + 2.0) / 2),
        ("wgan_softplus", True, math.log(1 + math.exp(2.0))),
        ("hinge", True, (-2.0 + 2.0) / 2),  # of a generator -mean D, whatever label
        ("r3gan", False, (3.0 + 3.0) / 2),  # relu(1 + 3 - 1) and relu(1 - 1 + 3)
    ],
)
def test_a_relativistic_loss_judges_outputs_against_targets(gan_type, relativistic, value):
    output = torch.ones(2, 1, 2, 2, requires_grad=True)
    found = adversarial(output, torch.full((2, 1, 2, 2), 3.0), says(1.0), relativistic, gan_type)
    assert found.item() == pytest.approx(value, rel=1e-5)


def test_an_adversarial_loss_is_measured_through_its_discriminator():
    output = torch.ones(2, 1, 2, 2, requires_grad=True)
    loss = build_loss(term("ganloss", gan_type="wgan"), Beside(discriminator=says(2.0))).loss(output, output)
    # -mean D: each pixel of each image has 0.5 / 2 of it, so an image's gradient has the norm 0.25 sqrt 4
    assert loss.item() == pytest.approx(-2.0)
    assert gradient_norms([loss], output).item() == pytest.approx(0.5)


def test_a_loss_that_rounds_its_gradient_away_pulls_at_nothing():
    output = torch.rand(2, 3, 8, 8, requires_grad=True)
    built = build_loss(term("cosimloss"), Beside(FORK))
    assert gradient_norms([built.loss(output, torch.rand(2, 3, 8, 8))], output).item() == 0.0
    assert "trains nothing" in built.note


def test_ldl_of_the_start_is_no_zero_and_says_whose_average_it_had():
    output, target = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    built = build_loss(term("ldlloss"), Beside("traiNNer-redux"))
    assert built.loss(output, target).item() > 0.0
    assert "moving average" in built.note


def test_the_gradient_norm_of_a_mean_l1_follows_from_the_sizes_alone():
    x, y = torch.rand(4, 3, 8, 8, requires_grad=True), torch.rand(4, 3, 8, 8)
    pixels = 3 * 8 * 8
    assert gradient_norms([formulas.l1(x, y)], x).item() == pytest.approx(math.sqrt(pixels) / (4 * pixels), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (term("distsloss"), "pretrained weights"),
        (term("featurematchingloss"), "discriminator's features"),
        (term("wonderloss"), "not known here"),
        (term("l1loss", -1.0), "negative weight"),
        (term("l1loss", reduction="none"), "reduction"),
        (term("mssimloss", wonder=3), "wonder"),
        (term("charbonnierloss", eps="small"), "eps"),
        (term("hsluvloss", criterion="l3"), "criterion"),
        (term("ldlloss", criterion="magic"), "criterion"),
        (term("perceptualloss", criterion="magic"), "magic"),
        (term("perceptualloss", criterion="pd", layer_weights={"conv1_2": 1.0}), "does not go with"),
        (term("perceptualloss", layer_weights={"conv9_9": 1.0}), "no layer"),
        (term("vgg_perceptual_loss", patchloss=True), "patchloss"),
        (term("ganloss", gan_type="magic"), "magic"),
        (term("ganloss"), "no discriminator"),
    ],
)
def test_a_loss_that_cannot_be_built_says_why(loss, why):
    judge = nn.Identity() if "gan_type" in loss.arguments else "there is no discriminator"
    with pytest.raises(UnknownLossError, match=why):
        build_loss(loss, Beside("traiNNer-redux", judge))


@pytest.mark.parametrize(
    "loss",
    [
        term("L1Loss", loss_weight=1.0, reduction="mean"),
        term("charbonnierloss", eps=1),  # a whole number is a number
        term("mssimloss", test_y_channel=False, color_space="yiq"),
        term("ffloss", alpha=0.5, ave_spectrum=False),
        term("fftloss"),
        term("huberloss", delta=0.1),
        term("mseloss"),
        term("ssimloss"),
        term("mssim_loss"),
        term("consistency_loss"),
        term("l1loss", start_iter=1000, target_iter=2000, schedule_type="linear"),
    ],
)
def test_what_trainers_write_is_built(loss):
    x, y = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    assert build_loss(loss, Beside()).loss(x, y).item() > 0.0


def test_gradients_of_a_loss_in_half_precision_are_not_rounded_to_nothing():
    output = torch.rand(1, 3, 64, 64, requires_grad=True)
    half = (1e-4 * output.half()).mean()  # of each value 1e-4 / 12,288, below the least number of half precision
    assert gradient_norms([half], output).item() == pytest.approx(1e-4 / math.sqrt(3 * 64 * 64), rel=0.05)
