"""What the law listens to: the fidelity of the output, in dB, and the separation of the discriminator's logits.

Both come from tensors that the training computes anyway, taken detached, in float32 whatever autocast says. On the CPU
a step's numbers are floats and there at once. From an accelerator each step's row is copied asynchronously and taken up
exactly two steps later, so that nothing waits, and every rank and every resumed run sees the same.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

QUANTISATION = 1.0 / (12.0 * 255.0**2)  # mean square of the rounding to 8 bits: no image is closer than this
OPPOSITE = 1e-5  # of their size: means of logits that are opposite but for rounding
DELAY = 2  # steps after which numbers of an accelerator are taken up


@torch.no_grad()
def errors(output: Tensor, target: Tensor, low: Tensor | None, scale: int) -> tuple[Tensor, Tensor] | None:
    """Mean squared errors of the trivial upscaling and of the output, 0-dim float32; None where the shapes differ.

    The trivial one is the bilinear upscaling of `low` (B, C, h, w), where that is a smaller or equal picture of the
    target, else of the target brought down by `scale` and up again.

    Args:
        output: (B, C, H, W), any range; `target` of the same shape.
    """
    if output.dim() != 4 or output.shape != target.shape:
        return None
    output, target = output.detach().float(), target.detach().float()
    if low is None or low.dim() != 4 or low.shape[:2] != target.shape[:2] or low.shape[-1] > target.shape[-1]:
        size = [max(side // max(scale, 1), 1) for side in target.shape[-2:]]
        low = F.interpolate(target, size=size, mode="area")
    trivial = low.detach().float()
    if trivial.shape != target.shape:
        trivial = F.interpolate(trivial, size=target.shape[-2:], mode="bilinear", align_corners=False)
    return F.mse_loss(trivial, target), F.mse_loss(output, target)


def fidelity_of(trivial: float, output: float) -> float:
    """PSNR(output, target) - PSNR(trivial, target) in dB, from their mean squared errors over a batch.

        F = 10 log10((mse(trivial, target) + q) / (mse(output, target) + q))

    The same batch's difficulty is taken out, so that an average over tens of steps is sharp to a tenth of a dB. Not
    finite where an error is not.
    """
    ratio = (trivial + QUANTISATION) / (output + QUANTISATION)
    return 10.0 * math.log10(ratio) if ratio > 0.0 else -math.inf


@torch.no_grad()
def separation(real: Any, generated: Any) -> Tensor:
    """mean sign(D(real) - D(generated)) over logits of the same place, 0-dim float32 in -1..1.

    1: the discriminator always wins, 0: it is blind. Logits may be maps, lists of maps (multi-scale; of a list of
    features the last counts), of any loss: vanilla, hinge, least squares, Wasserstein or relativistic.
    """
    return _mean([torch.sign(a.float() - b.float()) for a, b in zip(maps(real), maps(generated), strict=False)])


def _mean(signs: list[Tensor]) -> Tensor:
    """Of the means of each scale."""
    means = [sign.mean() for sign in signs]
    return means[0] if len(means) == 1 else torch.stack(means).mean()


def maps(logits: Any) -> list[Tensor]:
    """The logits of each scale, detached."""
    if isinstance(logits, Tensor):
        return [logits.detach()]
    if isinstance(logits, Sequence):
        return [maps(part)[-1] for part in logits if isinstance(part, Tensor | Sequence)]
    return []


@torch.no_grad()
def separation_of_calls(real: Any, generated: Any) -> Tensor | None:
    """As `separation`, from what a loss was called with for the discriminator; None where the shapes differ.

    A relativistic loss is called with D(real) - mean D(generated) and D(generated) - mean D(real), whose means are
    opposite; there the offset that they share is taken out again.
    """
    pairs = list(zip(maps(real), maps(generated), strict=False))
    if not pairs or any(a.shape != b.shape for a, b in pairs):
        return None
    signs = []
    for a, b in ((a.float(), b.float()) for a, b in pairs):
        mean_a, mean_b = a.mean(), b.mean()
        opposite = (mean_a + mean_b).abs() <= OPPOSITE * (a.abs().mean() + b.abs().mean())
        signs.append(torch.sign(a - b - torch.where(opposite, (mean_a - mean_b) / 2.0, 0.0)))
    return _mean(signs)


def several_ranks() -> bool:
    """Whether this process is one of several in torch.distributed."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class StepNumbers:
    """Sums and counts by name: of the open step, and of those on their way to the host."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.sums: dict[str, Any] = {}  # floats on the CPU, else 0-dim float32 tensors
        self.counts: dict[str, int] = {}
        self.device = torch.device("cpu")  # an accelerator once a number lay there
        self._waiting: deque[tuple[Tensor, Any, int, list[int]]] = deque()  # row, its event, iteration, counts

    def add(self, name: str, value: Tensor) -> None:
        """One more value, 0-dim. It is taken detached, and nothing is read from an accelerator."""
        if value.is_cpu:
            number: Any = value.item()
        else:
            self.device, number = value.device, value.detach().float()
        self.sums[name] = self.sums[name] + number if name in self.sums else number
        self.counts[name] = self.counts.get(name, 0) + 1

    def close(self, iteration: int) -> list[tuple[int, dict[str, float]]]:
        """Ends the open step. What is due now, oldest first: iterations and their means over passes and ranks.

        One all_reduce with several ranks, which all have to call it.
        """
        sums = [self.sums.get(name, 0.0) for name in self.names]
        counts: list[Any] = [self.counts.get(name, 0) for name in self.names]
        self.sums, self.counts = {}, {}
        several = several_ranks()
        if self.device.type == "cpu":
            if several:
                message = torch.tensor([*sums, *counts], dtype=torch.float64)
                dist.all_reduce(message)
                sums, counts = message.reshape(2, -1).tolist()
            return [(iteration, self._means(sums, counts))]
        numbers = (*sums, *(counts if several else ()))
        row = torch.stack([x if isinstance(x, Tensor) else _constant(float(x), self.device) for x in numbers])
        if several:
            dist.all_reduce(row)
        self._waiting.append((*self._to_host(row), iteration, counts))
        due = []
        while len(self._waiting) >= DELAY:
            host, event, of, known = self._waiting.popleft()
            if event is not None:
                event.synchronize()  # two steps old: it has arrived
            values = host.tolist()
            due.append((of, self._means(values, values[len(self.names) :] or known)))
        return due

    def _means(self, sums: Sequence[float], counts: Sequence[float]) -> dict[str, float]:
        return {name: sum_ / count for name, sum_, count in zip(self.names, sums, counts, strict=False) if count}

    def _to_host(self, row: Tensor) -> tuple[Tensor, Any]:
        """A copy that is on its way, and the event that says when it is there."""
        cuda = row.device.type == "cuda"
        host = torch.empty(row.shape, dtype=row.dtype, pin_memory=cuda).copy_(row, non_blocking=True)
        event = torch.cuda.Event() if cuda else None  # type: ignore[no-untyped-call]
        if event is not None:
            event.record()
        return host, event

    def state_dict(self) -> dict[str, Any]:
        """As plain numbers. Waits for what is on its way."""
        waiting = []
        for host, event, iteration, counts in self._waiting:
            if event is not None:
                event.synchronize()
            waiting.append([host.tolist(), iteration, counts])
        sums = {name: float(value) for name, value in self.sums.items()}
        return {"sums": sums, "counts": dict(self.counts), "waiting": waiting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.sums, self.counts = dict(state["sums"]), dict(state["counts"])
        self._waiting = deque((torch.tensor(row), None, int(at), list(counts)) for row, at, counts in state["waiting"])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.state_dict(), "names": self.names, "device": self.device}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.names, self.device = state["names"], state["device"]
        self.load_state_dict(state)


@lru_cache(maxsize=64)
def _constant(value: float, device: torch.device) -> Tensor:
    """A number on the device, kept: 0 for what was not seen, and counts. A loss's own value differs every step."""
    return torch.full((), value, dtype=torch.float32, device=device)
