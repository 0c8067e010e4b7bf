"""A block with every knob set, and runs over lists of loss values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from autocal_cli.runtime.scheduler import DynamicLossScheduler

BLOCK = {
    "auto_calibrate": False,
    "momentum": 0.9,
    "adaptation_rate": 0.02,
    "adaptation_threshold": 0.05,
    "min_weight": 1e-3,
    "max_weight": 3.0,
    "baseline_iterations": 20,
}
LOSSES = {"pixel": 1.0, "mse": 0.5, "gan": 0.1}
Row = Mapping[str, float]


def new(engine: str = "host", losses: Mapping[str, Any] = LOSSES, total_iter: int | None = None, **block: Any) -> Any:
    given = {name: {"type": name, "loss_weight": weight} for name, weight in losses.items()}
    return DynamicLossScheduler.from_config({**BLOCK, **block}, given, total_iter, engine=engine)


def feed(scheduler: Any, rows: Sequence[Row], first: int = 1) -> list[dict[str, float]]:
    """The multipliers of every step; a row may hold gradients as `name!`, for a probe at an output of two pixels."""
    steps = []
    for iteration, row in enumerate(rows, first):
        output = torch.ones(1, 2, requires_grad=True)
        raw = {name: value_of(value, row.get(name + "!"), output) for name, value in row.items() if name[-1] != "!"}
        probed = output if any(name[-1] == "!" for name in row) else None
        steps.append({name: float(m) for name, m in scheduler(raw, iteration, probed).items()})
    return steps


def value_of(value: float, gradient: float | None, output: torch.Tensor) -> torch.Tensor:
    """A loss of a value whose gradient at the output has a norm."""
    if gradient is None:
        return torch.tensor(value)
    slope = (output - output.detach()).sum() * gradient / 2**0.5
    return slope + value


def noisy(steps: int, seed: int = 0, probed: bool = False, trend: float = 0.0) -> list[dict[str, float]]:
    """Losses with noise of 5%; the MSE falls, and gradients drift apart."""
    noise = torch.Generator().manual_seed(seed)
    rows = []
    for step in range(steps):
        a, b, c, d = (1.0 + 0.05 * torch.randn(4, generator=noise)).tolist()
        fall = 2.0 ** (-trend * step / 100)
        row = {"pixel": 0.1 * a, "mse": 0.02 * b * fall, "gan": 0.7 * c}
        rows.append({**row, "pixel!": 1.0 * d, "mse!": 0.7 * fall * b, "gan!": 0.5 * a} if probed else row)
    return rows
