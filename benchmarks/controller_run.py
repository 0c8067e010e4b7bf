"""One run of controller_training.py with its method, and the file in which finished runs are kept."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

from controller_training import Outcome, Setting, Training, shrink
from small_photographs import Photographs

from autocal_cli.runtime import controller
from autocal_cli.runtime.signals import errors, fidelity_of, separation

NUMBERS = {
    "momentum": 0.85, "adaptation_rate": 0.015, "adaptation_threshold": 0.04, "min_weight": 1e-6, "max_weight": 5.0,
    "baseline_iterations": 50, "fidelity_budget": 1.0,
}
PHASES = [SimpleNamespace(until=0.1, rate=0.5), SimpleNamespace(until=0.8, rate=1.0), SimpleNamespace(until=1.0, rate=0.25)]


def one_run(setting: Setting, photographs: Photographs, folder: Path) -> Outcome:
    training = Training(setting, photographs, folder)
    numbers = {**NUMBERS, "fidelity_budget": {2: 1.0, 4: 3.0}[setting.scale], **dict(setting.numbers)}
    kept = {}
    for name in [n for n in numbers if n.isupper()]:
        kept[name] = getattr(controller, name)
        setattr(controller, name, numbers.pop(name))
    law = controller.Controller(SimpleNamespace(**numbers, phases=PHASES), setting.steps)
    multiplier, trace, sums = 1.0, [], [0.0, 0.0, 0]
    started = time.perf_counter()
    for step in range(1, setting.steps + 1):
        high = training.crops.draw()
        low = shrink(high, setting.scale)
        output = training.network(low)
        raw = training.raw_losses(output, high)
        f = fidelity_of(*(e.item() for e in errors(output, high, low, setting.scale)))
        weights = {**training.weights, "gan": training.weights["gan"] * multiplier}
        total = sum(weights[name] * loss for name, loss in raw.items())
        training.optimizer.zero_grad()
        total.backward()
        training.optimizer.step()
        s = separation(*training.train_judge(output, high)).item()
        if setting.method != "static":
            law.advance(f, s, step)
            multiplier = law.multiplier
        if step > 0.8 * setting.steps:
            sums[0], sums[1], sums[2] = sums[0] + f, sums[1] + s, sums[2] + 1
        every = max(setting.steps // 50, 1)
        if step % every == 0:
            trace.append((step, round(f, 3), round(s, 3), round(multiplier, 5), round(law.cost or 0.0, 3), law.state[:3]))
    for name, value in kept.items():
        setattr(controller, name, value)
    psnr, distance = training.judged()
    return Outcome(psnr, distance, sums[0] / sums[2], sums[1] / sums[2], multiplier, time.perf_counter() - started, trace)
