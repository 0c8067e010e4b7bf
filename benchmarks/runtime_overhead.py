"""What the scheduler costs, beside no scheduler and beside other ways to balance losses. On the CPU, one thread.

    python benchmarks/runtime_overhead.py [--peers FOLDER]... [--losses 3 6 12] [--rounds 40] [--steps 40]

Three measurements, all in this process:

1. A call of the scheduler outside probe steps, in microseconds. Target: 25 at 6 losses.
2. A whole step of a tiny training (one convolution; what is left is mostly the balancing) with each method, in turns,
   as microseconds more than plain weights and as a ratio. Target: below audiocraft's Balancer at every number of
   losses.
3. A real training of the smallest sample network (sample_configs/automatic.yml: batch 16, crop 32, L1 and MS-SSIM, here
   L1 and SSIM; and with an adversarial loss besides, which is probed more often): the scheduler's share of the time of
   10,000 iterations, probes included. Target: 1%.

Peers are taken from the installed packages and from FOLDERs that hold them: audiocraft (losses/balancer.py; needs
flashy), torchjd, LibMTL (DWA, GradNorm), softadapt. One that is missing is left out, and said.
"""

# ruff: noqa: ARG001 (every method is made with the same arguments)

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from autocal_cli.runtime.schedule import probe_due
from torch import Tensor, nn

from autocal_cli.network.paragonsr2.first import build_variant
from autocal_cli.runtime import DynamicLossScheduler

BLOCK = {"auto_calibrate": False}
RUN = 10_000
WARM = 1_000  # the scheduler's first steps are others: baseline, frequent probes

Method = Callable[[dict[str, Tensor], Tensor, int], None]  # raw losses, output, iteration -> backward


class Toy(nn.Module):
    """One convolution and n losses of its output."""

    def __init__(self, count: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Conv2d(3, 3, 1)
        self.targets = torch.rand(count, 2, 3, 16, 16)

    def losses(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        output = self.net(x)
        functions = (nn.functional.l1_loss, nn.functional.mse_loss)
        named = zip(names(len(self.targets)), self.targets, strict=True)
        return output, {name: functions[n % 2](output, target) for n, (name, target) in enumerate(named)}


def names(count: int) -> list[str]:
    return [f"{('l1', 'mse')[n % 2]}{n}" for n in range(count)]


def new_scheduler(count: int) -> DynamicLossScheduler:
    given = {name: {"type": ("L1Loss", "MSELoss")[n % 2], "loss_weight": 1.0} for n, name in enumerate(names(count))}
    return DynamicLossScheduler.from_config(BLOCK, given, RUN)


# -- the methods ------------------------------------------------------------------------------------------------------


def plain(toy: Toy, count: int) -> Method:
    return lambda raw, _output, _iteration: sum(raw.values(), torch.zeros(())).backward()


def scheduled(toy: Toy, count: int) -> Method:
    scheduler = new_scheduler(count)
    for iteration in range(1, WARM + 1):
        output, raw = toy.losses(torch.rand(2, 3, 16, 16))
        scheduler(raw, iteration, output)
    return lambda raw, output, iteration: scheduler.total(raw, WARM + iteration, output).backward()


def balancer(toy: Toy, count: int) -> Method:
    balance = load("audiocraft.losses.balancer").Balancer(dict.fromkeys(names(count), 1.0))

    def method(raw: dict[str, Tensor], output: Tensor, _iteration: int) -> None:
        balance.backward(raw, output)

    return method


def torchjd_upgrad(toy: Toy, count: int) -> Method:
    from torchjd.aggregation import UPGrad
    from torchjd.autojac import backward, jac_to_grad

    aggregator, parameters = UPGrad(), list(toy.net.parameters())

    def method(raw: dict[str, Tensor], _output: Tensor, _iteration: int) -> None:
        backward(list(raw.values()))
        jac_to_grad(parameters, aggregator)

    return method


def libmtl(name: str, **options: float) -> Callable[[Toy, int], Method]:
    def new(toy: Toy, count: int) -> Method:
        weighting = getattr(load(f"LibMTL.weighting.{name}"), name)()
        weighting.task_num, weighting.device, weighting.rep_grad, weighting.epoch = count, torch.device("cpu"), False, 2
        weighting.train_loss_buffer = torch.rand(count, 3).numpy() + 0.5
        weighting.get_share_params = toy.net.parameters
        weighting.zero_grad_share_params = partial(toy.net.zero_grad, set_to_none=False)
        weighting.init_param()

        def method(raw: dict[str, Tensor], _output: Tensor, _iteration: int) -> None:
            weighting.backward(torch.stack(list(raw.values())), **options)

        return method

    return new


def softadapt(toy: Toy, count: int) -> Method:
    """Weights anew at every step from the last five values of each loss, as its README has it for epochs."""
    weigh, past = load("softadapt.algorithms.original_variant").SoftAdapt(beta=0.1), [[0.5] * 5 for _ in range(count)]

    def method(raw: dict[str, Tensor], _output: Tensor, _iteration: int) -> None:
        for values, loss in zip(past, raw.values(), strict=True):
            values.append(loss.item())
            del values[0]
        weights = weigh.get_component_weights(*(torch.tensor(values) for values in past), verbose=False)
        (torch.stack(list(raw.values())) * weights).sum().backward()

    return method


METHODS: dict[str, Callable[[Toy, int], Method]] = {
    "plain weights": plain,
    "autocal": scheduled,
    "audiocraft Balancer": balancer,
    "torchjd UPGrad": torchjd_upgrad,
    "LibMTL DWA": libmtl("DWA", T=2.0),
    "LibMTL GradNorm": libmtl("GradNorm", alpha=1.5),
    "SoftAdapt": softadapt,
}


def load(name: str) -> Any:
    """A module of a peer, without the `__init__` of the packages above it, which ask for much that is not used."""
    for depth in range(1, name.count(".") + 1):
        package = ".".join(name.split(".")[:depth])
        if package not in sys.modules:
            parent = sys.modules.get(package.rpartition(".")[0])
            spec = PathFinder.find_spec(package, parent.__path__ if parent else None)
            if spec is None or spec.submodule_search_locations is None:
                raise ImportError(f"No package {package}")
            bare = ModuleType(package)
            bare.__path__ = list(spec.submodule_search_locations)
            sys.modules[package] = bare
    return __import__(name, fromlist=["x"])


# -- the measurements -------------------------------------------------------------------------------------------------


def call_alone(count: int) -> float:
    """Median seconds of a call outside probe steps, losses with noise of 5%."""
    scheduler, noise, seconds = new_scheduler(count), torch.Generator().manual_seed(0), []
    rows = [{name: 0.1 * (1.0 + 0.05 * torch.randn((), generator=noise)) for name in names(count)} for _ in range(64)]
    for iteration in range(1, 4 * WARM):
        started = time.perf_counter()
        scheduler(rows[iteration % 64], iteration)
        if iteration > WARM and not probe_due(iteration):
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def steps_of_each(count: int, rounds: int, steps: int) -> dict[str, list[float]]:
    """Seconds a step of every method at hand, one figure a round; the methods take turns."""
    toy, methods = Toy(count), {}
    for name, new in METHODS.items():
        try:
            methods[name] = new(toy, count)
        except (ImportError, AttributeError) as error:
            print(f"left out: {name} ({error})", file=sys.stderr)
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    x, iteration = torch.rand(2, 3, 16, 16), 0
    for turn in range(rounds + 2):
        for name, method in methods.items():
            started = time.perf_counter()
            for step in range(steps):
                output, raw = toy.losses(x)
                method(raw, output, iteration + step + 1)
                toy.net.zero_grad()
            if turn > 1:
                seconds[name].append((time.perf_counter() - started) / steps)
        iteration += steps
    return seconds


def real_training(rounds: int, adversarial: bool) -> tuple[float, float, float]:
    """Median seconds of a training step, of the scheduler's plain call, and of what a probe adds."""
    torch.manual_seed(0)
    net, critic = build_variant("nano", scale=2), new_critic()
    optimizer = torch.optim.AdamW(net.parameters(), 2e-4)
    types = {"l1": "L1Loss", "ssim": "SSIMLoss", **({"gan": "GANLoss"} if adversarial else {})}
    losses = {name: {"type": kind, "loss_weight": 0.1} for name, kind in types.items()}
    scheduler = DynamicLossScheduler.from_config(BLOCK, losses, RUN)
    step_seconds, calls, probes = [], [], []
    for iteration in range(1, rounds + 1):
        started = time.perf_counter()
        low, high = torch.rand(16, 3, 32, 32), torch.rand(16, 3, 64, 64)
        output = net(low)
        raw = {"l1": nn.functional.l1_loss(output, high), "ssim": ssim_loss(output, high)}
        if adversarial:
            raw["gan"] = nn.functional.softplus(-critic.requires_grad_(False)(output)).mean()
        before = time.perf_counter()
        multipliers = scheduler(raw, iteration, output)
        after = time.perf_counter()
        optimizer.zero_grad()
        sum((0.1 * loss * multipliers[name] for name, loss in raw.items()), torch.zeros(())).backward()
        optimizer.step()
        if adversarial:
            judged = critic.requires_grad_(True)(torch.cat([output.detach(), high]))
            nn.functional.softplus(judged).mean().backward()
        if iteration > 3:
            (probes if probe_due(iteration, adversarial) else calls).append(after - before)
            step_seconds.append(time.perf_counter() - started - (after - before))
    plain_call = statistics.median(calls)
    return statistics.median(step_seconds), plain_call, statistics.median(probes) - plain_call


def new_critic() -> nn.Sequential:
    """A small patch discriminator."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 1, 3)
    )


def ssim_loss(one: Tensor, other: Tensor) -> Tensor:
    """1 - SSIM in windows of 7x7, uniform."""
    pool = nn.functional.avg_pool2d
    a, b = pool(one, 7, 1), pool(other, 7, 1)
    var_a, var_b = pool(one * one, 7, 1) - a * a, pool(other * other, 7, 1) - b * b
    cov = pool(one * other, 7, 1) - a * b
    return 1.0 - (((2 * a * b + 1e-4) * (2 * cov + 9e-4)) / ((a * a + b * b + 1e-4) * (var_a + var_b + 9e-4))).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--losses", type=int, nargs="+", default=[3, 6, 12])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    sys.path[:0] = [str(folder) for folder in given.peers]
    torch.set_num_threads(1)

    print("| losses | a call outside probe steps |\n|---|---|")
    for count in given.losses:
        print(f"| {count} | {call_alone(count) * 1e6:.1f} us |")
    for count in given.losses:
        seconds = steps_of_each(count, given.rounds, given.steps)
        base = statistics.median(seconds["plain weights"])
        print(f"\n| {count} losses | a step | more than plain weights | ratio |\n|---|---|---|---|")
        for name, values in seconds.items():
            median = statistics.median(values)
            print(f"| {name} | {median * 1e6:.0f} us | {(median - base) * 1e6:.0f} us | {median / base:.2f} |")
    print(f"\n| {RUN:,} iterations of the smallest network | a step | a call | a probe more | probes | of the time |")
    print("|---|---|---|---|---|---|")
    for adversarial in (False, True):
        step, call, probe = real_training(120, adversarial)
        probed = sum(probe_due(number, adversarial) for number in range(1, RUN + 1))
        share = (RUN * call + probed * probe) / (RUN * step)
        named = "L1, SSIM, adversarial" if adversarial else "L1, SSIM"
        cells = f"{step * 1e3:.0f} ms | {call * 1e6:.0f} us | {probe * 1e3:.1f} ms | {probed} | {share:.2%}"
        print(f"| {named} | {cells} |")


if __name__ == "__main__":
    main()
