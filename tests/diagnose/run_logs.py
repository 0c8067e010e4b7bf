"""Run logs made of lists of numbers, in the three shapes in which trainers print them."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autocal_cli.diagnose.logs import LoggedPoint, RunLog
from autocal_cli.runtime.settings import SchedulerSettings

BLOCK: dict[str, Any] = {
    "auto_calibrate": False,
    "momentum": 0.9,
    "adaptation_rate": 0.02,
    "adaptation_threshold": 0.05,
    "min_weight": 1e-3,
    "max_weight": 3.0,
    "baseline_iterations": 20,
}


def settings(total_iter: int | None = None, **block: Any) -> SchedulerSettings:
    return SchedulerSettings.from_block({**BLOCK, **block}, total_iter)


def run_log(rows: Sequence[Mapping[str, float]], every: int = 1, averaged: bool = True) -> RunLog:
    """A log with one point every so many steps; with the sum that traiNNer-redux logs when `averaged`."""
    total = {"l_g_total": 1.0} if averaged else {}
    points = tuple(LoggedPoint(every * (i + 1), {**row, **total}) for i, row in enumerate(rows))
    return RunLog("text logs", ("train_x.log",), points)


def course(points: int, seed: int = 0) -> list[dict[str, float]]:
    """Weighted losses with noise of 3%: the MSE (weight 1) falls, the GAN loss (weight 0.1) stays."""
    noise = random.Random(seed)
    return [
        {
            "l_g_mse": (0.002 + 0.03 * math.exp(-i / (points / 4))) * math.exp(noise.gauss(0.0, 0.03)),
            "l_g_l1": 0.05 * math.exp(noise.gauss(0.0, 0.03)),
            "l_g_gan": 0.1 * 0.7 * math.exp(noise.gauss(0.0, 0.03)),
        }
        for i in range(points)
    ]


def redux_line(iteration: int, values: Mapping[str, float]) -> str:
    head = f"[epoch:{3:4,d}, iter:{iteration:8,d}, lr:(1.000e-04)] [performance: 4.729 it/s] [eta: 1 day, 0:10:00] "
    return _line(f"{head}[peak VRAM: 3.11 GB] " + "".join(f"{label}: {value:.4e} " for label, value in values.items()))


def basicsr_line(iteration: int, values: Mapping[str, float]) -> str:
    head = f"[001_M..][epoch:{3:3d}, iter:{iteration:8,d}, lr:(2.000e-04,1.000e-04,)] "
    head += "[eta: 1 day, 0:10:00, time (data): 0.501 (0.003)] "
    return _line(head + "".join(f"{label}: {value:.4e} " for label, value in values.items()))


def fork_line(iteration: int, values: Mapping[str, float]) -> str:
    """The fork prints the losses in one bracket and everything else after it."""
    losses = ", ".join(f"{label}: {value:.4e}" for label, value in values.items() if label.startswith("l_"))
    others = "".join(f"{label}: {value:.4e} " for label, value in values.items() if not label.startswith("l_"))
    head = f"[epoch:{3:4,d}, iter:{iteration:8,d}, lr:(1.000e-04)] [net: span, patch: 64, batch: 8, scale: 2x] "
    head += "[VRAM: 1.00 GB, peak: 2.00 GB, cached: 3.00 GB] [loss_ratio: 0.25, total: 7.000e-02] "
    return _line(f"{head}[{losses}] {others}")


def write_text_log(path: Path, points: Sequence[LoggedPoint]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    opening = _line("Start training from epoch: 0, iter: 0.")
    lines = [redux_line(point.iteration, point.values) for point in points]
    path.write_text(opening + "".join(lines), encoding="utf-8", newline="\n")
    return path


def _line(message: str) -> str:
    return f"2024-07-02 21:41:17,816 INFO: {message}\n"
