"""ProbeFingerprint: what each loss of a config was measured to do to the network's output before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count

from autocal_cli.config.model import LossTerm, TrainingConfig


class UnknownLossError(Exception):
    """A loss that cannot be built here: why, in words."""


@dataclass(frozen=True, slots=True)
class LossProbe:
    """One loss over the batches of a probe. `label` tells it within its config.

    `value` is the mean of L, in the loss's own unit and without its weight. `noise` is the standard deviation of log L
    between batches, None where a value was not above 0. `gradient` is the mean of G, the norm of dL/d(output) of an
    image averaged over the batch; `gradient_noise` the standard deviation of log G between batches, None where a
    gradient was 0. `weight` is the config's; `share` = w G / (sum of w G over the losses measured), 0..1. `note` is
    what must be said of these numbers: whose features stand in, what a training will see otherwise.
    """

    label: str
    type: str
    kind: str
    weight: float
    value: float
    noise: float | None
    gradient: float
    gradient_noise: float | None
    share: float
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A loss of the config that could not be measured, with its weight, and why."""

    label: str
    type: str
    reason: str
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class ProbeFingerprint:
    """What was measured, over `batches` batches of `images` crops of `crop` pixels a side (of the target).

    `training_crop` is the side of the training's crops; `code` names the trainer whose own losses were measured.

    `batch_size` is the images that one step of the training sees, None where the config does not say; noise is of
    batches of `images`. `lq` says where the network's input came from, `network` which weights it had; `structure` is
    the network's (see `NetworkFingerprint`). `seed` chose crops and random weights.
    """

    batches: int
    images: int
    batch_size: int | None
    crop: int
    lq: str
    network: str
    structure: str | None
    seed: int
    losses: tuple[LossProbe, ...]
    unmeasured: tuple[Unmeasured, ...] = ()
    training_crop: int | None = None
    code: str | None = None

    @property
    def adversarial(self) -> bool:
        """Whether a discriminator with random weights judged: its loss then has the share of the first steps alone."""
        return any(loss.kind == "adversarial" for loss in self.losses)


def labelled(config: TrainingConfig) -> dict[str, LossTerm]:
    """The losses that take part, by label: the name of their table, else their type; a second one of a name gets `_2`.

    >>> from autocal_cli.errors import Place
    >>> losses = tuple(LossTerm(type, "pixel", 1.0, Place("")) for type in ("L1Loss", "mssimloss", "l1loss"))
    >>> list(labelled(TrainingConfig("", "", losses=losses)))
    ['l1', 'mssim', 'l1_2']
    """
    found: dict[str, LossTerm] = {}
    for term in config.losses:
        if not term.active:
            continue
        own = term.table.removesuffix("_opt") if term.table else term.type.lower().removesuffix("loss")
        numbered = (f"{own}_{number}" for number in count(2))
        found[next(label for label in chain([own], numbered) if label not in found)] = term
    return found


def with_shares(losses: Sequence[LossProbe]) -> tuple[LossProbe, ...]:
    """The losses with their shares, of their weights w and gradients G: w_i G_i / sum_j w_j G_j."""
    pulls = [abs(loss.weight) * loss.gradient for loss in losses]
    whole = sum(pulls) or 1.0
    return tuple(replace(loss, share=six_digits(pull / whole)) for loss, pull in zip(losses, pulls, strict=True))


def six_digits(value: float) -> float:
    """All that is told of a measured number."""
    return float(f"{value:.6g}")


@dataclass
class Series:
    """Of one loss: its values and its gradient norms, a batch each."""

    values: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
