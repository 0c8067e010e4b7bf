"""One run of controller_training.py with its method, through the scheduler as a user would call it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from controller_methods import METHODS
from controller_parts import PARTS, without
from controller_training import Outcome, Setting, Training
from small_photographs import Photographs, shrink

from autocal_cli.runtime import DynamicLossScheduler
from autocal_cli.runtime.signals import errors, fidelity_of, separation

# Those of paragonsr2_nano, whose size the generators have, with the max_weight that calibration gives it beside an
# adversarial loss; the budget goes by scale, as calibration places it.
NUMBERS = {
    "momentum": 0.85, "adaptation_rate": 0.015, "adaptation_threshold": 0.04, "min_weight": 1e-6, "max_weight": 30.0,
    "baseline_iterations": 50,
}  # fmt: skip
BUDGETS = {2: 1.0, 4: 3.0}
LATE = 0.8  # of the run: from there on F and S are averaged


def one_run(setting: Setting, photographs: Photographs, folder: Path) -> Outcome:
    """A method "without PART" is the law without that part."""
    part = setting.method.removeprefix("without ")
    if part in PARTS:
        budget = dict(setting.numbers).get("fidelity_budget", BUDGETS[setting.scale])
        with without(part, budget) as budget:
            return _trained(setting, photographs, folder, budget)
    return _trained(setting, photographs, folder, None)


def _trained(setting: Setting, photographs: Photographs, folder: Path, budget: float | None) -> Outcome:
    training = Training(setting, photographs, folder)
    scheduler = scheduler_for(setting, training)
    if budget is not None:
        scheduler.controller.settings = replace(scheduler.settings, fidelity_budget=budget)
    other = METHODS[setting.method](training) if setting.method in METHODS else None
    late: list[tuple[float, float]] = []
    trace: list[list[float]] = []
    started = time.perf_counter()
    for step in range(1, setting.steps + 1):
        high = training.crops.draw()
        low = shrink(high, setting.scale)
        output = training.network(low)
        raw = training.raw_losses(output, high)
        if other is not None:
            other(raw, output)
        else:
            training.optimizer.zero_grad()
            scheduler.total(raw, step, output, high, low).backward()
            training.optimizer.step()
        training.follow(step)
        real, fake = training.train_judge(output, high)
        scheduler.observe_discriminator(real, fake)
        f = fidelity_of(*(error.item() for error in errors(output, high, low, setting.scale)))
        s = separation(real, fake).item()
        if step > LATE * setting.steps:
            late.append((f, s))
        if step % max(setting.steps // 50, 1) == 0:
            trace.append([step, round(f, 3), round(s, 3), round(scheduler.multiplier("gan"), 6)])
    psnr, distance = training.judged()
    mean_f, mean_s = (sum(values) / len(late) for values in zip(*late, strict=True))
    return Outcome(psnr, distance, mean_f, mean_s, scheduler.multiplier("gan"), time.perf_counter() - started, trace)


def scheduler_for(setting: Setting, training: Training) -> DynamicLossScheduler:
    block = {**NUMBERS, "fidelity_budget": BUDGETS[setting.scale], **dict(setting.numbers), "auto_calibrate": False}
    length = int(block.pop("total_iterations", setting.steps))  # of the run, of which only the first steps are made
    if setting.method == "static" or setting.method in METHODS:
        block["enabled"] = False
    described = {
        "msssim": "MSSSIMLoss",
        "hsluv": "HSLuvLoss",
        "feature": "PerceptualLoss",
        "perceptual": "PerceptualLoss",
    }
    types = {"l1": "L1Loss", "gan": "GANLoss", **described}
    losses = {name: {"type": types[name], "loss_weight": weight} for name, weight in training.weights.items()}
    return DynamicLossScheduler.from_config(block, losses, length, optimizer=training.optimizer, scale=setting.scale)
