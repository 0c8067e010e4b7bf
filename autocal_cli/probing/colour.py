"""Losses of colour: x the network's output, y the target, both (B, 3, H, W), sRGB in 0..1.

Each function takes the trainer's own arguments; the tests hold each to the trainer's own class. Whose it is, the
docstring says. The limits that keep divisions finite are the trainers', since they decide the gradient there.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autocal_cli.probing.formulas import CRITERIA, Criterion, clipped, gaussian_mean

# BT.601 chroma of values 0..1, Cb and Cr in 0..1 about 128 / 255
CHROMA = ((-37.797 / 255, -74.203 / 255, 112.0 / 255), (112.0 / 255, -93.786 / 255, -18.214 / 255))
Y_OF_XYZ = (0.2126, 0.7152, 0.0722)


def chroma(x: Tensor, y: Tensor, /, criterion: Criterion = "l1", scale: int = 4) -> Tensor:
    """ColorLoss of traiNNer-redux: the criterion between BT.601 Cb and Cr, averaged over scale x scale pixels."""
    return CRITERIA[criterion](F.avg_pool2d(_mixed(x, CHROMA), scale), F.avg_pool2d(_mixed(y, CHROMA), scale))


def average(x: Tensor, y: Tensor, /, criterion: Criterion = "l1", scale: int = 4) -> Tensor:
    """AverageLoss of traiNNer-redux: the criterion between means of scale x scale pixels."""
    return CRITERIA[criterion](F.avg_pool2d(x, scale), F.avg_pool2d(y, scale))


def bicubic(x: Tensor, y: Tensor, /, criterion: Criterion = "l1", scale: int = 4) -> Tensor:
    """BicubicLoss of traiNNer-redux: the criterion between antialiased bicubic reductions by `scale`."""
    return CRITERIA[criterion](_reduced(x, scale), _reduced(y, scale))


def luma(x: Tensor, y: Tensor, /, criterion: Criterion = "l1") -> Tensor:
    """LumaLoss of traiNNer-redux: the criterion between CIE L* / 100."""
    return CRITERIA[criterion](_lightness(x.clamp(1e-12, 1.0)), _lightness(y.clamp(1e-12, 1.0)))


def cosine(x: Tensor, y: Tensor, /, cosim_lambda: float = 5.0) -> Tensor:
    """CosimLoss of traiNNer-redux: lambda (1 - mean cos), cos between the two colours of a pixel, clamped to 0..1."""
    return cosim_lambda * _angle(x.clamp(1e-12, 1.0), y.clamp(1e-12, 1.0), 1e-20)


def fork_cosine(x: Tensor, y: Tensor, /, cosim_lambda: float = 5.0) -> Tensor:
    """CosimLoss of the fork: as `cosine`, with the cosines rounded to 20 digits, through which no gradient comes."""
    return cosine(x, y, cosim_lambda).detach() + 0.0 * x.sum()


def _angle(x: Tensor, y: Tensor, eps: float) -> Tensor:
    return 1.0 - F.cosine_similarity(x, y, dim=1, eps=eps).mean()


def _mixed(image: Tensor, rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """(B, 3, H, W) -> (B, len(rows), H, W): weighted sums of the colours."""
    return torch.einsum("oc,bchw->bohw", image.new_tensor(rows), image)


def _reduced(image: Tensor, factor: int) -> Tensor:
    return F.interpolate(image, scale_factor=1 / factor, mode="bicubic", antialias=True)


def _linear(image: Tensor) -> Tensor:
    """sRGB -> linear light (IEC 61966-2-1)"""
    return torch.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)


def _lightness(image: Tensor, squared: bool = True, least: float = 1e-12) -> Tensor:
    """CIE L* / 100, (B, H, W) in 0..1. `squared`: below 216 / 24389 Y is squared, where CIE has it plain."""
    y = _mixed(_linear(image), (Y_OF_XYZ,))[:, 0]
    dark = (y * y if squared else y) * (24389 / 27)
    return (torch.where(y <= 216 / 24389, dark, y.clamp(min=least) ** (1 / 3) * 116 - 16) / 100).clamp(0.0, 1.0)


# HSLuv (Boronine, hsluv.org): CIE LUV in polar form, its saturation the chroma over the largest that sRGB holds at that
# lightness and hue. That is where the ray of the hue leaves the six lines at which a channel is 0 or 1.

KAPPA, EPSILON = 903.2962962, 0.0088564516  # CIE: slope and end of the linear part of L*
WHITE_U, WHITE_V = 0.19783000664283, 0.46831999493879
TO_XYZ = (
    (0.41239079926595, 0.35758433938387, 0.18048078840183),
    (0.21263900587151, 0.71516867876775, 0.072192315360733),
    (0.019330818715591, 0.11919477979462, 0.95053215224966),
)
TO_RGB = (
    (3.240969941904521, -1.537383177570093, -0.498610760293),
    (-0.96924363628087, 1.87596750150772, 0.041555057407175),
    (0.055630079696993, -0.20397695888897, 1.056971514242878),
)
LEAST_CHROMA = 0.028972067  # below it a colour is grey and its hue 0 (traiNNer-redux, for single precision)
GREY = 0.1  # saturation or lightness, of 1, below which a pixel counts as grey, black or (from 1) white


def hsluv(
    x: Tensor,
    y: Tensor,
    /,
    hue_weight: float = 1 / 3,
    saturation_weight: float = 1 / 3,
    lightness_weight: float = 1 / 3,
    criterion: Criterion = "l1",
    downscale_factor: int = 1,
    blur_strength: int = 0,
    *,
    white_either: bool = False,
) -> Tensor:
    """HSLuvLoss of traiNNer-redux: sum of three terms, each a mean over pixels times its weight.

    hue: the distance on the circle, 1 for opposite ones; the larger saturation where one of the two is grey; 0 where
    both are grey, black or white. saturation: the criterion, times min(L, 1 - L) of both. lightness: the criterion.
    `white_either`, as the fork has it: hue counts nothing wherever the output is white.
    """

    def distance(a: Tensor, b: Tensor) -> Tensor:
        d = (a - b).abs()
        return d if criterion == "l1" else d**2 if criterion == "l2" else torch.sqrt(d**2 + 1e-12)

    def read(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        image = _blurred(image, 4 * blur_strength + 1, blur_strength) if blur_strength else image
        image = _reduced(image, downscale_factor).clamp(0.0, 1.0) if downscale_factor > 1 else image
        return hue_saturation_lightness(image)

    (xh, xs, xl), (yh, ys, yl) = read(x), read(y)
    turn = (xh - yh).abs()
    hue = torch.minimum(turn, 1 - turn) * 2
    hue = torch.where((xs < GREY) & (ys < GREY), 0.0, hue)
    one_grey = ((xs < GREY) & (ys > GREY)) | ((xs > GREY) & (ys < GREY))
    hue = torch.where(one_grey, torch.maximum(xs, ys), hue)
    white = xl > 1 - GREY if white_either else (xl > 1 - GREY) & (yl > 1 - GREY)
    hue = torch.where(((xl < GREY) & (yl < GREY)) | white, 0.0, hue)
    counts = torch.minimum(xl, 1 - xl).clamp(0.0, 0.5) + torch.minimum(yl, 1 - yl).clamp(0.0, 0.5)
    saturation = (distance(xs, ys) * counts).mean()
    lightness = distance(xl, yl).mean()
    return hue.mean() * hue_weight + saturation * saturation_weight + lightness * lightness_weight


def hue_saturation_lightness(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """HSLuv of (B, 3, H, W): three of (B, H, W), each 0..1."""
    xyz = _mixed(_linear(image.clamp(1e-12, 1.0)), TO_XYZ)
    x, y, z = xyz.unbind(1)
    lightness = torch.where(y > EPSILON, 116 * y ** (1 / 3) - 16, y * KAPPA)
    sum_of_three = (x + 15 * y + 3 * z).clamp(min=1e-6)
    black = lightness < 1e-4
    u = _off_zero(torch.where(black, 0.0, 13 * lightness * (4 * x / sum_of_three - WHITE_U)))
    v = _off_zero(torch.where(black, 0.0, 13 * lightness * (9 * y / sum_of_three - WHITE_V)))
    chroma_ = torch.sqrt(u**2 + v**2)
    hue = torch.rad2deg(torch.atan2(v, u))
    hue = torch.where(hue < 0, hue + 360, hue)
    hue = torch.where(chroma_ < LEAST_CHROMA, 0.0, hue)
    saturation = chroma_ / _largest_chroma(lightness, hue).clamp(min=1e-2) * 100
    saturation = torch.where((lightness > 99.99) | (lightness < 0.01), 0.0, saturation)
    return hue / 360, saturation.clamp(0.0, 100.0) / 100, lightness.clamp(0.0, 100.0) / 100


def _off_zero(value: Tensor) -> Tensor:
    """At least 1e-12 from 0, where an angle has no gradient."""
    return torch.where(value == 0, 1e-12, value)


def _largest_chroma(lightness: Tensor, hue: Tensor) -> Tensor:
    """The shortest way, in the direction of the hue, to a line at which a channel is 0 or 1."""
    cube = (lightness + 16) ** 3 / 1560896
    cube = torch.where(cube > EPSILON, cube, lightness / KAPPA)
    angle = torch.deg2rad(hue)
    ways = []
    for m1, m2, m3 in TO_RGB:
        for end in (0.0, 1.0):
            bottom = _off_thousandth((632260 * m3 - 126452 * m2) * cube + 126452 * end)
            slope = (284517 * m1 - 94839 * m3) * cube / bottom
            rise = ((838422 * m3 + 769860 * m2 + 731718 * m1) * cube - 769860 * end) * lightness / bottom
            ways.append(rise / _off_thousandth(torch.sin(angle) - slope * torch.cos(angle)))
    found = torch.stack(ways)
    ahead = torch.where(found >= 0, found, found.max())  # a line behind is no bound
    return ahead.amin(0)


def _off_thousandth(value: Tensor) -> Tensor:
    """At least 1e-3 from 0, with its sign."""
    return torch.where(value == 0, 1e-3, torch.sign(value) * value.abs().clamp(min=1e-3))


# Consistency: CIE L* of the blurred images, and the two colour axes of Oklab (Ottosson 2020) shifted to about 0.5.

TO_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_AB = ((1.9779984951, -2.4285922050, 0.4505937099), (0.0259040371, 0.7827717662, -0.8086757660))


def neosr_consistency(
    x: Tensor,
    y: Tensor,
    /,
    criterion: Literal["l1", "l2", "charbonnier", "chc"] = "chc",
    blur: bool = True,
    cosim: bool = True,
    saturation: float = 1.0,
    brightness: float = 1.0,
) -> Tensor:
    """consistency_loss of neosr. Its cosine term counts only below 0.001, and compares columns of L*."""
    lights, chromas = _light_and_chroma(x, y, (21, 3.0) if blur else None, saturation, brightness)
    value = CRITERIA[criterion](*lights) + CRITERIA[criterion](*chromas)
    apart = 0.5 * _angle(*chromas, 1e-20) + 0.5 * _angle(*lights, 1e-20)
    return value + apart if cosim and apart < 1e-3 else value


def fork_consistency(
    x: Tensor,
    y: Tensor,
    /,
    criterion: Literal["l1", "l2", "charbonnier", "huber", "chc"] = "chc",
    blur: bool = True,
    blur_kernel_size: int = 21,
    blur_sigma: float = 3.0,
    saturation: float = 1.0,
    brightness: float = 0.9,
    cosim: bool = True,
    cosim_weight: float = 0.5,
    chc_lambda: float = 0.012,
) -> Tensor:
    """ConsistencyLoss of the traiNNer-redux fork."""
    compare = partial(clipped, loss_lambda=chc_lambda) if criterion == "chc" else CRITERIA[criterion]
    window = (blur_kernel_size, blur_sigma) if blur else None
    lights, chromas = _light_and_chroma(x, y, window, saturation, brightness, squared=False, least=1e-8)
    value = compare(*lights) + compare(*chromas)
    if cosim:
        apart = _angle(lights[0][:, None], lights[1][:, None], 1e-12) + _angle(*chromas, 1e-12)
        value = value + cosim_weight * apart
    return value


Pair = tuple[Tensor, Tensor]


def _light_and_chroma(
    x: Tensor, y: Tensor, window: tuple[int, float] | None, saturation: float, brightness: float, **limits: Any
) -> tuple[Pair, Pair]:
    """L* of both images, blurred in a window, and their chroma; the target's changed by the two factors."""
    x, y = x.clamp(1 / 255, 1.0), y.clamp(1 / 255, 1.0)
    mine, theirs = (_lightness(_blurred(one, *window).clamp(0.0, 1.0) if window else one, **limits) for one in (x, y))
    return (mine, theirs * brightness), (_oklab_chroma(x, 1.0), _oklab_chroma(y, saturation))


def _oklab_chroma(image: Tensor, factor: float) -> Tensor:
    """(B, 2, H, W)"""
    roots = _mixed(_linear(image), TO_LMS) ** (1 / 3)
    return (_mixed(roots, TO_AB) * factor + 0.5).clamp(0.0, 1.0)


def _blurred(image: Tensor, side: int, deviation: float) -> Tensor:
    """The Gaussian mean in a window of `side` pixels, the image mirrored at its edges."""
    return gaussian_mean(F.pad(image, [side // 2] * 4, mode="reflect"), side, deviation)
