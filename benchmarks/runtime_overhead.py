"""What the scheduler costs a step, on the CPU with one thread, and how many operators it asks of an accelerator.

    python benchmarks/runtime_overhead.py

Processor time, which a busy machine does not lengthen as it does the clock, more than a plain weighted sum takes. Two
numbers by number of losses: the bookkeeping alone (values, sum, law, watch; no images), and with the signals of small
images (2, 3, 16, 16) and logits (2, 1, 4, 4). Target: 25 microseconds at 6 losses for the first; the second grows with
the images. The operators are counted on the meta device, as they are dispatched; views and copies of no data are left
out, and the sum itself, which a training without the scheduler adds up too, is counted apart. Target: 15.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from autocal_cli.runtime import DynamicLossScheduler

LOSSES = (3, 6, 12)
ROUNDS, STEPS = 15, 400
KINDS = ("l1", "ssim", "color", "percep", "fft", "gan")
VIEWS = {"detach", "view", "reshape", "alias", "expand", "_unsafe_view", "unsqueeze", "squeeze", "select", "slice"}


def main() -> None:
    torch.set_num_threads(1)
    print("| losses | without images | with images and logits | a plain weighted sum |\n|---|---|---|---|")
    for count in LOSSES:
        numbers = (microseconds(count, images=False), microseconds(count, images=True), plain(count))
        print(f"| {count} | {numbers[0]:.1f} us | {numbers[1]:.1f} us | {numbers[2]:.1f} us |")
    print(
        f"\noperators a step at 6 losses on an accelerator: {operators(6)}, and {operators(6, summed=True)} for the sum"
    )


def raw_losses(count: int, device: str = "cpu") -> dict[str, Tensor]:
    names = [f"{KINDS[k % len(KINDS)]}{k // len(KINDS) or ''}" for k in range(count - 1)] + ["gan"]
    return {
        name: torch.full((), 0.5 + k, device=device, requires_grad=True) for k, name in enumerate(dict.fromkeys(names))
    }


def scheduler_for(raw: dict[str, Tensor]) -> DynamicLossScheduler:
    block = {"auto_calibrate": False, "architecture_type": "paragonsr2_nano"}
    return DynamicLossScheduler.from_config(block, dict.fromkeys(raw, 0.1), 100_000)


def microseconds(count: int, images: bool) -> float:
    """Of processor time a step, more than the plain sum takes: the least of ROUNDS means over STEPS."""
    raw = raw_losses(count)
    scheduler = scheduler_for(raw)
    given: dict[str, Any] = {}
    if images:
        given = {
            "output": torch.rand(2, 3, 16, 16),
            "target": torch.rand(2, 3, 16, 16),
            "input": torch.rand(2, 3, 8, 8),
        }
    logits = torch.randn(2, 1, 4, 4), torch.randn(2, 1, 4, 4)
    step, found = 0, []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(STEPS):
            step += 1
            scheduler.total(raw, step, **given)
            if images:
                scheduler.observe_discriminator(*logits)
        found.append((time.process_time() - started) / STEPS * 1e6)
    return min(found) - plain(count)


def plain(count: int) -> float:
    """Microseconds of sum_i w_i L_i."""
    raw, found = raw_losses(count), []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(STEPS):
            sum(0.1 * loss for loss in raw.values())
        found.append((time.process_time() - started) / STEPS * 1e6)
    return min(found)


class Counted(TorchDispatchMode):
    """Counts operators that an accelerator would have to run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name not in VIEWS:
            self.names.append(name)
        return func(*args, **(kwargs or {}))


def operators(count: int, summed: bool = False) -> int:
    """Of one step after the first ones: `mse_loss` runs two kernels, the copy of the row one."""
    raw = raw_losses(count, "meta")
    scheduler = scheduler_for(raw)
    sent: list[Tensor] = []

    def to_host(row: Tensor) -> tuple[Tensor, None]:
        """In place of the copy to the host, which the meta device has not."""
        sent.append(row)
        return torch.ones(row.shape), None

    scheduler._numbers._to_host = to_host  # type: ignore[method-assign]
    images = [torch.empty(2, 3, side, side, device="meta") for side in (16, 16, 8)]
    logits = [torch.empty(2, 1, 4, 4, device="meta") for _ in range(2)]
    total = 2 * count - 1  # products and sums
    for step in range(1, 8):
        with Counted() as counted:
            scheduler.total(raw, step, *images)
            scheduler.observe_discriminator(*logits)
    assert len(sent) == 6
    found = len(counted.names) + counted.names.count("mse_loss") + 1
    return total if summed else found - total


if __name__ == "__main__":
    main()
