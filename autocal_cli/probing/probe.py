"""A config and its images -> ProbeFingerprint: the story of a probe in one function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from autocal_cli.config.record import LossTerm, TrainingConfig
from autocal_cli.network.record import NetworkFingerprint
from autocal_cli.network.sources import Checkout
from autocal_cli.probing.crops import Images, batches
from autocal_cli.probing.known import Measured, UnknownLossError, build_loss
from autocal_cli.probing.measure import Series, probe_losses, summary
from autocal_cli.probing.networks import macs_of_image, seeded, start_discriminator, start_network
from autocal_cli.probing.record import LossProbe, ProbeFingerprint, Unmeasured, labelled, weighed
from autocal_cli.probing.trainer_losses import trainer_series

MOST_IMAGES = 16  # in a batch; chosen, untested
USUAL_IMAGES, USUAL_CROP = 8, 128  # where the config does not say; chosen, untested
# Multiply-accumulates of a whole probe, beyond which its batches become smaller, so that a probe stays about a minute
# on a CPU: `--probe 20` of nano against a U-Net of 64 channels took 27 s of one core.
MOST_MACS = 1.0e12

Output = tuple[Tensor, Tensor]  # of a batch: what the network puts out, and the target


@dataclass(frozen=True, slots=True)
class Plan:
    """What a probe was asked for. `weights` is the checkpoint that the config starts from, where it is here;
    `checkout` a trainer whose own losses serve where none is known."""

    batches: int
    seed: int = 0
    weights: Path | None = None
    checkout: Checkout | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it: None with the reason where nothing could be measured. `instead`: what the network was not."""

    fingerprint: ProbeFingerprint | None
    why_not: str | None = None
    instead: str | None = None


def probe(
    config: TrainingConfig,
    network: NetworkFingerprint,
    images: Sequence[Images],
    plan: Plan,
    on_progress: Callable[[int, int], None] | None = None,
) -> Probed:
    """Measures every loss that can be built on `plan.batches` batches of the user's own crops. Nothing is trained."""
    scale = network.scale or config.scale or 1
    crop = _crop(config, scale)
    terms = labelled(config)
    started = start_network(config.network, scale, plan.weights, plan.seed)
    discriminator = start_discriminator(config.discriminator, crop, plan.seed)
    losses, refused = _build(terms, discriminator)
    theirs = {label: terms[label] for label in refused if _serves(terms[label], plan.checkout)}
    if not losses and not theirs:
        return Probed(None, _nothing(refused))
    size = _images(config.batch_size, plan.batches, _cost(network, crop // scale, discriminator, crop))
    outputs = _Outputs(plan.batches, kept=bool(theirs), on_progress=on_progress)
    with seeded(plan.seed):
        drawn = batches(images, plan.batches, size, crop, scale, plan.seed)
        found = probe_losses(drawn, started.enlarge, losses, terms, on_output=outputs.add)
        measured = {loss.label: loss for loss in found}
    if not outputs.seen:
        return Probed(None, _no_crops(images, crop, scale))
    if theirs and plan.checkout:
        measured |= _of_trainer(plan.checkout, theirs, outputs.pairs, refused)
    usual = _finite(measured, refused)
    if not usual:
        return Probed(None, _nothing(refused))
    fingerprint = ProbeFingerprint(
        batches=outputs.seen,
        images=size,
        batch_size=config.batch_size,
        crop=crop,
        lq="the paired folder" if any(pair.low for pair in images) else "bicubic reduction",
        network=started.told,
        structure=network.structure,
        seed=plan.seed,
        losses=weighed([usual[label] for label in terms if label in usual], {k: terms[k].weight for k in usual}),
        unmeasured=tuple(Unmeasured(label, terms[label].type, refused[label]) for label in terms if label in refused),
    )
    return Probed(fingerprint, instead=started.instead)


class _Outputs:
    """Counts batches as they pass, and keeps what the network made of them where it is needed again."""

    def __init__(self, expected: int, kept: bool, on_progress: Callable[[int, int], None] | None) -> None:
        self.pairs: list[Output] = []
        self.seen = 0
        self._expected, self._kept, self._on_progress = expected, kept, on_progress

    def add(self, output: Tensor, target: Tensor) -> None:
        self.seen += 1
        if self._kept:
            self.pairs.append((output, target))
        if self._on_progress:
            self._on_progress(self.seen, self._expected)


def _no_crops(images: Sequence[Images], crop: int, scale: int) -> str:
    if any(pair.low for pair in images):
        return f"in no pair could both images be read, hold a crop of {crop} pixels, and differ in size by {scale}"
    return f"no images could be read from which crops of {crop} pixels can be taken"


def _build(terms: Mapping[str, LossTerm], discriminator: nn.Module | str) -> tuple[dict[str, Measured], dict[str, str]]:
    """The losses that are known here, and why the others are not, by label."""
    losses: dict[str, Measured] = {}
    refused: dict[str, str] = {}
    for label, term in terms.items():
        try:
            losses[label] = build_loss(term, discriminator)
        except UnknownLossError as error:
            refused[label] = str(error)
    return losses, refused


def _of_trainer(
    checkout: Checkout, theirs: Mapping[str, LossTerm], outputs: Sequence[Output], refused: dict[str, str]
) -> dict[str, LossProbe]:
    """What the trainer's own losses gave; `refused` is brought up to date."""
    found: dict[str, LossProbe] = {}
    for label, series in trainer_series(checkout, theirs, outputs).items():
        if isinstance(series, Series):
            found[label] = summary(label, theirs[label], series)
            del refused[label]
        else:
            refused[label] = series
    return found


def _finite(measured: Mapping[str, LossProbe], refused: dict[str, str]) -> dict[str, LossProbe]:
    """Those with numbers to go by; the others join `refused`."""
    usual = {k: loss for k, loss in measured.items() if math.isfinite(loss.value) and math.isfinite(loss.gradient)}
    refused |= {label: "its value or its gradient is not finite" for label in measured if label not in usual}
    return usual


def _nothing(refused: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{label}: {reason}" for label, reason in refused.items())
    return f"none of the losses can be measured here ({reasons or 'the config names none'})"


def _cost(network: NetworkFingerprint, side: int, discriminator: nn.Module | str, crop: int) -> float:
    """MACs of one image: the network forward, the discriminator forward and back to the image."""
    return (network.macs_per_pixel or 0.0) * side**2 + 2.0 * macs_of_image(discriminator, crop)


def _serves(term: LossTerm, checkout: Checkout | None) -> bool:
    """Whether a trainer's own loss can be measured: one that takes output and target alone, weighed as one."""
    apart = term.kind in ("adversarial", "feature matching") or term.weight < 0.0 or term.style_weight != 0.0
    return checkout is not None and not apart


def _crop(config: TrainingConfig, scale: int) -> int:
    """The side of the target's crop, a multiple of the scale."""
    stated = next((section.gt_size for section in config.datasets if section.name == "train"), None)
    return max((stated or USUAL_CROP) // scale, 1) * scale


def _images(batch_size: int | None, count: int, cost: float) -> int:
    """Images in a batch: those of the training, unless that is more than the probe may cost. At least 1."""
    affordable = math.floor(MOST_MACS / (count * cost)) if cost else MOST_IMAGES
    return max(1, min(batch_size or USUAL_IMAGES, MOST_IMAGES, affordable))
