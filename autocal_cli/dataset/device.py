"""Which device computes the metrics. torch is imported only where that pays, or where somebody asks for it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.dataset.workers import started_by_torchrun
from autocal_cli.errors import AutocalError

CPU = "cpu"

# What the driver of an accelerator leaves in the file system.
DRIVER_FILES = (
    "/dev/nvidia0",
    "/dev/nvidiactl",
    "/proc/driver/nvidia/version",
    "/dev/dxg",  # CUDA in WSL
    "/dev/kfd",  # ROCm
)
WINDOWS_DRIVER = "System32/nvcuda.dll"

# Decoding is the CPU's work on every device, so an accelerator saves the metrics alone.
METRICS_SECONDS = 0.0009  # of one core for an image, benchmarks/RESULTS.md, "Speed of the scan"
TORCH_SECONDS = 4.0  # import of torch (2.7 s measured) and a first call of CUDA; chosen, untested


@dataclass(frozen=True, slots=True)
class Device:
    """A device by torch's name for it (`cpu`, `cuda:0`, `mps`), and why it was chosen, where nobody named it."""

    name: str = CPU
    reason: str = ""

    @property
    def is_cpu(self) -> bool:
        return self.name == CPU


def choose_device(name: str | None, images: int, workers: int) -> Device:
    """The named device, or the one on which so many `images` are measured first by so many `workers`.

    Of several CUDA devices the processes that torchrun started take one each in turn. Raises AutocalError for a named
    device that is not here.
    """
    if name == CPU:
        return Device()
    if name is not None:
        return Device(_named(name))
    if not started_by_torchrun():
        if not accelerator_present():
            return Device(CPU, "no accelerator here")
        if images * METRICS_SECONDS / workers < TORCH_SECONDS:
            return Device(CPU, f"it measures {images:,} images before torch has started")
    return _best()


def check_device(name: str | None) -> None:
    """Raises AutocalError for a named device that is not here."""
    if name not in (None, CPU):
        _named(str(name))


def accelerator_present() -> bool:
    """Whether the driver of an accelerator is installed here, by its files; torch is not asked."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"  # Metal
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", "C:/Windows"), WINDOWS_DRIVER).exists()
    return any(Path(file).exists() for file in DRIVER_FILES)


def _named(name: str) -> str:
    available = available_devices()
    if name not in available and f"{name}:0" not in available:
        raise AutocalError(f"device {name!r} is not available here.", fix=f"Available: {', '.join(available)}.")
    return name


def _best() -> Device:
    available = available_devices()
    if available[0] == CPU:
        return Device(CPU, "torch finds no accelerator")
    kind = available[0].partition(":")[0]
    alike = [one for one in available if one.partition(":")[0] == kind]
    return Device(alike[int(os.environ.get("LOCAL_RANK", "0")) % len(alike)])


def available_devices() -> list[str]:
    """The devices that torch finds, best first: `cuda:0`, ..., `mps`, `cpu`."""
    import torch

    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, CPU]
