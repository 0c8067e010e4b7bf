"""Which device computes the metrics."""

from __future__ import annotations

import os

import torch

from autocal_cli.errors import AutocalError


def pick_device(name: str | None = None) -> torch.device:
    """The named device, or the best one here: CUDA, MPS, CPU. Raises AutocalError for one that is not here.

    Of several CUDA devices the processes that torchrun started take one each in turn.
    """
    available = available_devices()
    if name is None:
        alike = [one for one in available if one.startswith(torch.device(available[0]).type)]
        return torch.device(alike[int(os.environ.get("LOCAL_RANK", "0")) % len(alike)])
    if name not in available and f"{name}:0" not in available:
        raise AutocalError(f"device {name!r} is not available here.", fix=f"Available: {', '.join(available)}.")
    return torch.device(name)


def available_devices() -> list[str]:
    """The devices of this machine, best first: `cuda:0`, ..., `mps`, `cpu`."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]
