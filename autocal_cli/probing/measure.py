"""Batches -> LossProbes: each loss's value and gradient at the network's output, batch by batch, nothing trained."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from autocal_cli.config.record import LossTerm
from autocal_cli.probing.known import Measured
from autocal_cli.probing.record import LossProbe, weighed
from autocal_cli.runtime.probe import gradient_norms

DIGITS = 6  # significant ones kept, so that a record read back gives the values that it was written from

Batch = tuple[Tensor, Tensor]  # (B, C, h, w) the network's input, (B, C, H, W) the target, both 0..1
Enlarge = Callable[[Tensor], Tensor]


@dataclass
class Series:
    """Of one loss: its values and its gradient norms, a batch each."""

    values: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)


def probe_losses(
    batches: Iterable[Batch],
    network: Enlarge,
    losses: Mapping[str, Measured],
    terms: Mapping[str, LossTerm],
    on_output: Callable[[Tensor, Tensor], None] | None = None,
) -> tuple[LossProbe, ...]:
    """What each of `losses` (by label) does to the network's output. `terms` are the config's losses by label.

    `on_output` is given every batch's output and target.

    A loss whose value or gradient is not finite anywhere has a mean that is not; no batches give no probes.
    """
    seen = {label: Series() for label in losses}
    count = 0
    for low, high in batches:
        with torch.no_grad():
            output = network(low)
        output.requires_grad_()  # what pulls at the output is asked for, not what moves the network
        count += 1
        values = [loss(output, high) for loss in losses.values()]
        norms = gradient_norms(values, output).tolist() if values else []
        for found, value, norm in zip(seen.values(), values, norms, strict=True):
            found.values.append(value.item())
            found.gradients.append(norm)
        if on_output:
            on_output(output.detach(), high)
    measured = [summary(label, terms[label], found) for label, found in seen.items()] if count else []
    return weighed(measured, {loss.label: loss.weight for loss in measured})


def summary(label: str, term: LossTerm, found: Series) -> LossProbe:
    """What a series amounts to; its share is not known yet."""
    return LossProbe(
        label=label,
        type=term.type,
        kind=term.kind,
        weight=term.weight,
        value=_short(statistics.fmean(found.values)),
        noise=log_deviation(found.values),
        gradient=_short(statistics.fmean(found.gradients)),
        gradient_noise=log_deviation(found.gradients),
        share=0.0,
    )


def log_deviation(values: list[float]) -> float | None:
    """Standard deviation (n - 1) of the logarithm; None where a value is not above 0, or there are fewer than two.

    >>> log_deviation([1.0, math.e, math.e**2])
    1.0
    """
    if len(values) < 2 or not all(0.0 < value < math.inf for value in values):
        return None
    return _short(statistics.stdev(map(math.log, values)))


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
