"""The losses of published recipes that `calibrate --probe` does not know: perceptual, HSLuv, relativistic adversarial.

Each gives the raw loss, without its weight, of images (B, 3, H, W) in about 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from recipe_vgg import STAND_IN, Vgg
from torch import Tensor

ROUND = 1e-12  # of the Charbonnier criterion: so small that it is L1 but for its differentiability at 0

# sRGB (IEC 61966-2-1, D65) from XYZ, and the constants of CIE L*u*v*, as hsluv.org's specification gives them
FROM_XYZ = (
    (3.240969941904521, -1.537383177570093, -0.498610760293),
    (-0.96924363628087, 1.87596750150772, 0.041555057407175),
    (0.055630079696993, -0.20397695888897, 1.056971514242878),
)
WHITE_U, WHITE_V, KAPPA, EPSILON = 0.19783000664283, 0.46831999493879, 903.2962962, 0.0088564516
GREY = 0.1  # below this saturation, or this far from black and white, a pixel has no hue (traiNNer-redux)


def perceptual(vgg: Vgg, output: Tensor, high: Tensor, layers: Mapping[str, float]) -> Tensor:
    """sum_l weight_l mean |features_l(output) - features_l(high)|, features before the ReLU (Wang et al. 2018)."""
    with torch.no_grad():
        original = vgg(high, layers)
    found = vgg(output, layers)
    return sum(
        (weight * F.l1_loss(found[name], original[name]) for name, weight in _named(layers).items()),
        output.new_zeros(()),
    )


def _named(layers: Mapping[str, float]) -> dict[str, float]:
    return {STAND_IN.get(name, name): weight for name, weight in layers.items()}


def hsluv_loss(output: Tensor, high: Tensor) -> Tensor:
    """A third each of the differences in hue (on the circle), saturation (less near black and white) and lightness.

    The formulas of traiNNer-redux's HSLuvLoss with its `charbonnier`.
    """
    hue_1, saturation_1, lightness_1 = hsluv(output)
    hue_2, saturation_2, lightness_2 = hsluv(high)
    turn = (hue_1 - hue_2).abs()
    hue = 2.0 * torch.minimum(turn, 1.0 - turn)
    grey_1, grey_2 = saturation_1 < GREY, saturation_2 < GREY
    hue = torch.where(grey_1 & grey_2, torch.zeros_like(hue), hue)
    hue = torch.where(grey_1 ^ grey_2, torch.maximum(saturation_1, saturation_2), hue)
    extreme = torch.maximum(lightness_1, lightness_2) < GREY
    extreme = extreme | (torch.minimum(lightness_1, lightness_2) > 1.0 - GREY)
    hue = torch.where(extreme, torch.zeros_like(hue), hue)
    weight = torch.minimum(lightness_1, 1.0 - lightness_1) + torch.minimum(lightness_2, 1.0 - lightness_2)
    saturation = charbonnier(saturation_1, saturation_2) * weight
    return (hue.mean() + saturation.mean() + charbonnier(lightness_1, lightness_2).mean()) / 3.0


def charbonnier(one: Tensor, other: Tensor) -> Tensor:
    """sqrt((x - y)^2 + eps), element by element."""
    return torch.sqrt((one - other) ** 2 + ROUND)


def hsluv(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 3, H, W) sRGB -> hue, saturation, lightness (B, H, W), each in 0..1, by hsluv.org's formulas."""
    rgb = image.clamp(1e-6, 1.0)
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = torch.linalg.inv(torch.tensor(FROM_XYZ, dtype=torch.float64)).to(image)
    x, y, z = torch.einsum("ij,bjhw->ibhw", to_xyz, linear)
    lightness = torch.where(y > EPSILON, 116.0 * y.clamp_min(1e-6) ** (1.0 / 3.0) - 16.0, y * KAPPA)
    divider = (x + 15.0 * y + 3.0 * z).clamp_min(1e-6)
    u, v = 13.0 * lightness * (4.0 * x / divider - WHITE_U), 13.0 * lightness * (9.0 * y / divider - WHITE_V)
    chroma = torch.sqrt(u**2 + v**2 + ROUND)
    angle = torch.atan2(v, torch.where(u == 0.0, torch.full_like(u, 1e-6), u))
    saturation = (chroma / most_chroma(lightness, angle).clamp_min(1e-2)).clamp(0.0, 1.0)
    return angle / (2.0 * torch.pi) % 1.0, saturation, (lightness / 100.0).clamp(0.0, 1.0)


def most_chroma(lightness: Tensor, angle: Tensor) -> Tensor:
    """The largest chroma that sRGB has at this lightness (0..100) and hue (radians).

    Six lines bound the gamut in the plane of u and v, two a channel: where the channel is 0, where it is 1.
    """
    third = (lightness + 16.0) ** 3 / 1560896.0
    third = torch.where(third > EPSILON, third, lightness / KAPPA)
    reaches = []
    for m1, m2, m3 in FROM_XYZ:
        for end in (0.0, 1.0):
            rise = (284517.0 * m1 - 94839.0 * m3) * third
            at_zero = (838422.0 * m3 + 769860.0 * m2 + 731718.0 * m1) * lightness * third - 769860.0 * end * lightness
            run = away_from_zero((632260.0 * m3 - 126452.0 * m2) * third + 126452.0 * end)
            reach = at_zero / run / away_from_zero(torch.sin(angle) - rise / run * torch.cos(angle))
            reaches.append(torch.where(reach >= 0.0, reach, torch.full_like(reach, 1e4)))
    return torch.stack(reaches).amin(0)


def away_from_zero(value: Tensor) -> Tensor:
    return torch.where(value < 0.0, value.clamp_max(-1e-3), value.clamp_min(1e-3))


def fooled(fake: Tensor) -> Tensor:
    """The network's adversarial loss, "vanilla": binary cross-entropy of its images, taken for real ones."""
    return F.softplus(-fake).mean()


def judged(real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's loss, "vanilla"."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def fooled_relatively(real: Tensor, fake: Tensor) -> Tensor:
    """Relativistic average (Jolicoeur-Martineau 2018): real below the mean fake, fake above the mean real."""
    real = real.detach()
    return (F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()) / 2.0


def judged_relatively(real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's relativistic average loss."""
    return (F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()) / 2.0
