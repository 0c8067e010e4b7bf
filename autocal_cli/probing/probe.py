"""A config and its images -> ProbeFingerprint: the story of a probe in one function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.config.record import TrainingConfig
from autocal_cli.network.record import NetworkFingerprint
from autocal_cli.probing.crops import Images, batches
from autocal_cli.probing.known import Measured, UnknownLossError, build_loss
from autocal_cli.probing.measure import probe_losses
from autocal_cli.probing.networks import macs_of_image, seeded, start_discriminator, start_network
from autocal_cli.probing.record import ProbeFingerprint, Unmeasured, labelled, weighed

MOST_IMAGES = 16  # in a batch; chosen, untested
USUAL_IMAGES, USUAL_CROP = 8, 128  # where the config does not say; chosen, untested
# Multiply-accumulates of a whole probe, beyond which its batches become smaller, so that a probe stays within a minute
# on a CPU: nano against a U-Net on crops of 96 pixels then took 19 seconds of one core of a server.
MOST_MACS = 1.0e12


@dataclass(frozen=True, slots=True)
class Plan:
    """What a probe was asked for. `weights` is the checkpoint that the config starts from, where it is here."""

    batches: int
    seed: int = 0
    weights: Path | None = None


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
    started = start_network(config.network, scale, plan.weights, plan.seed)
    discriminator = start_discriminator(config.discriminator, crop, plan.seed)
    terms = labelled(config)
    losses: dict[str, Measured] = {}
    unmeasured: list[Unmeasured] = []
    for label, term in terms.items():
        try:
            losses[label] = build_loss(term, discriminator)
        except UnknownLossError as error:
            unmeasured.append(Unmeasured(label, term.type, str(error)))
    if not losses:
        reasons = "; ".join(f"{loss.label}: {loss.reason}" for loss in unmeasured)
        return Probed(None, f"none of the losses can be measured here ({reasons or 'the config names none'})")
    judged = macs_of_image(discriminator, crop) if any(term.kind == "adversarial" for term in terms.values()) else 0.0
    cost = (network.macs_per_pixel or 0.0) * (crop // scale) ** 2 + 2.0 * judged  # forward; the gradient's way back
    size = _images(config.batch_size, plan.batches, cost)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if on_progress:
            on_progress(done, plan.batches)

    if on_progress:
        on_progress(0, plan.batches)
    with seeded(plan.seed):
        drawn = batches(images, plan.batches, size, crop, scale, plan.seed)
        measured = probe_losses(drawn, started.enlarge, losses, terms, advance)
    if not done:
        return Probed(None, f"no images could be read from which crops of {crop} pixels can be taken")
    finite = [loss for loss in measured if math.isfinite(loss.value) and math.isfinite(loss.gradient)]
    unmeasured += [
        Unmeasured(loss.label, loss.type, "its value or its gradient is not finite")
        for loss in measured
        if loss not in finite
    ]
    fingerprint = ProbeFingerprint(
        batches=done,
        images=size,
        batch_size=config.batch_size,
        crop=crop,
        lq="the paired folder" if any(pair.low for pair in images) else "bicubic reduction",
        network=started.told,
        structure=network.structure,
        seed=plan.seed,
        losses=weighed(finite, {loss.label: loss.weight for loss in finite}),
        unmeasured=tuple(unmeasured),
    )
    return Probed(fingerprint, instead=started.instead)


def _crop(config: TrainingConfig, scale: int) -> int:
    """The side of the target's crop, a multiple of the scale."""
    stated = next((section.gt_size for section in config.datasets if section.name == "train"), None)
    return max((stated or USUAL_CROP) // scale, 1) * scale


def _images(batch_size: int | None, count: int, cost: float) -> int:
    """Images in a batch: those of the training, unless that is more than the probe may cost. At least 1."""
    affordable = math.floor(MOST_MACS / (count * cost)) if cost else MOST_IMAGES
    return max(1, min(batch_size or USUAL_IMAGES, MOST_IMAGES, affordable))
