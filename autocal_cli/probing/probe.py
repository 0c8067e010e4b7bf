"""A config and its images -> ProbeFingerprint: the story of a probe in one function."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from autocal_cli.config.model import LossTerm, NetworkOptions, TrainingConfig
from autocal_cli.dataset.decode import Cut, read_rgb
from autocal_cli.dataset.files import ImageSource
from autocal_cli.dataset.sampling import drawn
from autocal_cli.errors import AutocalError
from autocal_cli.network.discriminators import argument_findings, build_discriminator
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.paragonsr2 import family
from autocal_cli.network.sources import Checkout
from autocal_cli.probing.losses import ADVERSARIAL, Beside, Built, build_loss, gradient_norms, name_of
from autocal_cli.probing.model import (
    LossProbe,
    ProbeFingerprint,
    Series,
    UnknownLossError,
    Unmeasured,
    labelled,
    six_digits,
    with_shares,
)
from autocal_cli.probing.perceptual import VggSource
from autocal_cli.probing.trainer import trainer_series

MOST_IMAGES = 16  # in a batch; chosen, untested
USUAL_IMAGES, USUAL_CROP = 8, 128  # where the config does not say; chosen, untested
# Multiply-accumulates of a whole probe, beyond which its batches, then its crops become smaller, so that a probe stays
# well below a minute on a CPU. Chosen, untested, as are the least sizes.
MOST_MACS = 5.0e11
FEWEST_IMAGES, LEAST_CROP = 2, 128
RELATIVISTIC = "ESRGANModel"  # BasicSR's model that judges outputs against targets
STAND_IN = "bicubic enlargement"

Batch = tuple[Tensor, Tensor]  # (B, C, h, w) the network's input, (B, C, H, W) the target, both 0..1


@dataclass(frozen=True, slots=True)
class Plan:
    """What a probe was asked for. `weights` is the checkpoint that the config starts from, where it is here;
    `checkout` a trainer whose own losses are measured; in `folders` pretrained features are looked for."""

    batches: int
    seed: int = 0
    weights: Path | None = None
    checkout: Checkout | None = None
    folders: tuple[Path, ...] = ()


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
    stated = max((config.crop or USUAL_CROP) // scale, 1) * scale  # a multiple of the scale
    terms = labelled(config)
    built, instead = start_network(config, scale, plan)
    judge = start_discriminator(config.discriminator, stated, plan.seed)
    losses, refused = _build(terms, config, judge, plan)
    theirs = {label: term for label, term in terms.items() if _serves(term, config, plan.checkout)}
    if not losses and not theirs:
        return Probed(None, _nothing(refused))
    enlarging = (network.macs_per_pixel or 0.0) / scale**2 if built else 0.0
    cost = partial(_cost, judge, losses, enlarging)
    size, crop = _affordable(config, plan.batches, stated, scale, cost)
    outputs: list[Batch] = []

    def on_output(output: Tensor, target: Tensor) -> None:
        outputs.append((output, target))
        if on_progress:
            on_progress(len(outputs), plan.batches)

    enlarge = built or partial(F.interpolate, scale_factor=scale, mode="bicubic", align_corners=False)
    with seeded(plan.seed):
        series = measure(batches(images, plan.batches, size, crop, scale, plan.seed), enlarge, losses, on_output)
    if not outputs:
        return Probed(None, _no_crops(images, crop, scale))
    notes = {label: one.note for label, one in losses.items()}
    if theirs and plan.checkout:
        given = trainer_series(plan.checkout, theirs, config.discriminator, scale, plan.seed, outputs)
        _prefer(given, series, notes, refused)
    found = [summary(label, terms[label], series[label], notes.get(label)) for label in terms if label in series]
    usual = [loss for loss in found if math.isfinite(loss.value) and math.isfinite(loss.gradient)]
    refused |= {loss.label: "its value or its gradient is not finite" for loss in found if loss not in usual}
    if not usual:
        return Probed(None, _nothing(refused))
    fingerprint = ProbeFingerprint(
        batches=len(outputs),
        images=size,
        batch_size=config.batch_size,
        crop=crop,
        training_crop=stated,
        code=plan.checkout.kind.name if plan.checkout and theirs else None,
        lq="the paired folder" if any(pair.low for pair in images) else "bicubic reduction",
        network="initial weights" if built else STAND_IN,
        structure=network.structure,
        seed=plan.seed,
        losses=with_shares(usual),
        unmeasured=tuple(
            Unmeasured(label, term.type, refused[label], term.weight)
            for label, term in terms.items()
            if label in refused
        ),
    )
    return Probed(fingerprint, instead=instead)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights by this seed, and the caller's own random numbers undisturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def start_network(config: TrainingConfig, scale: int, plan: Plan) -> tuple[nn.Module | None, str | None]:
    """The config's network at its initial weights, and what it is not, in words.

    None for a network that autocal has not itself, or not with these arguments, though its trainer may. Bicubic
    enlargement stands in for it, which is about what a network that has learnt to enlarge, and no more, puts out.
    """
    options = config.network
    if options is None or options.type.lower() not in family.VARIANT_OF:
        named = f"autocal has no {options.type}" if options else "the config names no network"
        return None, f"{named}: {STAND_IN} stands in for it"
    try:
        family.check(options)
        with seeded(plan.seed):
            built = family.build(options, scale, device="cpu")
    except AutocalError as error:
        why = error.message.removesuffix(".")
        return None, f"autocal's own {options.type} cannot be built ({why}): {STAND_IN} stands in for it"
    if plan.weights is None:
        return built, None
    return built, f"{plan.weights.name} is of the trainer's network: initial weights of autocal's own stand in for it"


def start_discriminator(network: NetworkOptions | None, crop: int, seed: int) -> nn.Module | str:
    """The config's discriminator with random weights, as a training begins with it, frozen; or why there is none."""
    if network is None:
        return "the config names no discriminator"
    wrong = argument_findings(network)
    if wrong:
        return wrong[0].message.rstrip(".")
    try:
        with seeded(seed):
            built = build_discriminator(network)
    except (TypeError, ValueError, RuntimeError):
        return f"the discriminator {network.type} cannot be built with these arguments"
    if built is None:
        return f"the discriminator {network.type} cannot be built here"
    if macs_of(built, crop) is None:
        return f"the discriminator {network.type} does not take crops of {crop} pixels"
    return built.requires_grad_(False)


def macs_of(judge: nn.Module, crop: int) -> float | None:
    """Multiply-accumulates of a judgement of one crop, nothing computed; None where it does not take such crops."""
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            deepcopy(judge).to("meta")(torch.empty(2, 3, crop, crop, device="meta"))
    except RuntimeError:
        return None
    return float(counter.get_total_flops()) / 2 / 2  # 2 FLOPs a MAC, 2 images


def _build(
    terms: Mapping[str, LossTerm], config: TrainingConfig, judge: nn.Module | str, plan: Plan
) -> tuple[dict[str, Built], dict[str, str]]:
    """The losses that are known here, and why the others are not, by label."""
    beside = Beside(
        trainer=config.trainer,
        discriminator=judge,
        relativistic=config.model_type == RELATIVISTIC,
        vgg=VggSource((*plan.folders, *([plan.checkout.folder] if plan.checkout else []))),
    )
    losses: dict[str, Built] = {}
    refused: dict[str, str] = {}
    for label, term in terms.items():
        try:
            losses[label] = build_loss(term, beside)
        except UnknownLossError as error:
            refused[label] = str(error)
    return losses, refused


def _prefer(
    given: Mapping[str, Series | str],
    series: dict[str, Series],
    notes: dict[str, str | None],
    refused: dict[str, str],
) -> None:
    """Puts what the trainer's own code gave in the place of autocal's formulas, or beside them why it gave nothing."""
    for label, found in given.items():
        if isinstance(found, Series):
            series[label] = found
            refused.pop(label, None)
        elif label in series:
            note = f"by autocal's formula, as the trainer's own code could not be used ({found})"
            notes[label] = "; ".join(filter(None, (notes[label], note)))
        else:
            refused[label] = found


def _nothing(refused: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{label}: {reason}" for label, reason in refused.items())
    return f"none of the losses can be measured here ({reasons or 'the config names none'})"


def _no_crops(images: Sequence[Images], crop: int, scale: int) -> str:
    if any(pair.low for pair in images):
        return f"in no pair could both images be read, hold a crop of {crop} pixels, and differ in size by {scale}"
    return f"no images could be read from which crops of {crop} pixels can be taken"


def _cost(judge: nn.Module | str, losses: Mapping[str, Built], enlarging: float, side: int) -> float | None:
    """MACs of one crop of `side` pixels: the network forward (`enlarging` a pixel), the discriminator and pretrained
    features forward and back to the image. None where the discriminator does not take such crops."""
    features = 3.0 * sum(built.macs_per_pixel for built in losses.values())  # of output, of target, and back
    judged = 0.0 if isinstance(judge, str) else macs_of(judge, side)
    return None if judged is None else (enlarging + features) * side**2 + 2.0 * judged


def _serves(term: LossTerm, config: TrainingConfig, checkout: Checkout | None) -> bool:
    """Whether the trainer's own loss is asked: one that takes output and target, or judgements of the output alone."""
    if checkout is None or term.kind == "feature matching" or term.weight < 0.0 or term.style_weight != 0.0:
        return False
    if name_of(term) in ADVERSARIAL:
        alone = term.arguments.get("gan_type") != "r3gan" and config.model_type != RELATIVISTIC
        return alone and config.discriminator is not None
    return term.kind != "adversarial"


def _affordable(
    config: TrainingConfig, count: int, crop: int, scale: int, cost: Callable[[int], float | None]
) -> tuple[int, int]:
    """Images in a batch and the side of their crops: those of the training, unless that is more than a probe may cost.

    Then fewer images, and where not even `FEWEST_IMAGES` can be had, crops of half the side, down to `LEAST_CROP`.
    """
    wanted = min(config.batch_size or USUAL_IMAGES, MOST_IMAGES)
    while True:
        each = cost(crop)
        affordable = math.floor(MOST_MACS / (count * each)) if each else wanted
        half = crop // 2 // scale * scale
        if affordable >= min(wanted, FEWEST_IMAGES) or half < LEAST_CROP or cost(half) is None:
            return max(1, min(wanted, affordable)), crop
        crop = half


def measure(
    batches: Iterable[Batch],
    network: Callable[[Tensor], Tensor],
    losses: Mapping[str, Built],
    on_output: Callable[[Tensor, Tensor], None],
) -> dict[str, Series]:
    """Each loss's value and gradient at the network's output, batch by batch, nothing trained.

    `on_output` is given every batch's output and target. A value or a gradient may be not finite.
    """
    found = {label: Series() for label in losses}
    for low, high in batches:
        with torch.no_grad():
            output = network(low)
        output.requires_grad_()  # what pulls at the output is asked for, not what moves the network
        values = [built.loss(output, high) for built in losses.values()]
        norms = gradient_norms(values, output).tolist() if values else []
        for series, value, norm in zip(found.values(), values, norms, strict=True):
            series.values.append(value.item())
            series.gradients.append(norm)
        on_output(output.detach(), high)
    return found


def summary(label: str, term: LossTerm, found: Series, note: str | None = None) -> LossProbe:
    """What a series amounts to; its share is not known yet."""
    return LossProbe(
        label=label,
        type=term.type,
        kind=term.kind,
        weight=term.weight,
        value=six_digits(statistics.fmean(found.values)),
        noise=log_deviation(found.values),
        gradient=six_digits(statistics.fmean(found.gradients)),
        gradient_noise=log_deviation(found.gradients),
        share=0.0,
        note=note,
    )


def log_deviation(values: list[float]) -> float | None:
    """Standard deviation (n - 1) of the logarithm; None where a value is not above 0, or there are fewer than two.

    >>> log_deviation([1.0, math.e, math.e**2])
    1.0
    """
    if len(values) < 2 or not all(0.0 < value < math.inf for value in values):
        return None
    return six_digits(statistics.stdev(map(math.log, values)))


# Pairs of crops from the user's own images: the target, and the network's input that belongs to it.


MOST_MISSES = 20  # images in a row that are too small or cannot be read, before the search ends; chosen, untested


@dataclass(frozen=True, slots=True)
class Images:
    """One target, and the network's input where there is one (else it is made of the target by bicubic reduction)."""

    high: ImageSource
    low: ImageSource | None = None


def batches(images: Sequence[Images], count: int, size: int, crop: int, scale: int, seed: int) -> Iterator[Batch]:
    """`count` batches of `size` pairs of crops, in an order and at places that the seed decides.

    `crop` is the side of the target's crop in pixels, a multiple of `scale`. Images that cannot be read or are smaller
    than the crop are passed over; fewer batches come where `MOST_MISSES` of them follow one another.
    """
    found: list[tuple[Tensor, Tensor]] = []
    misses = 0
    for draw, index in enumerate(drawn(len(images), sys.maxsize, seed)):
        if count == 0 or misses == MOST_MISSES:
            return
        pair = _pair(images[index], Cut(crop // scale, seed, draw), scale)
        misses = 0 if pair else misses + 1
        found += [pair] if pair else []
        if len(found) == size:
            yield torch.stack([low for low, _ in found]), torch.stack([high for _, high in found])
            count, found = count - 1, []


def _pair(images: Images, cut: Cut, scale: int) -> tuple[Tensor, Tensor] | None:
    """The crop at the same place of both images; `cut` counts pixels of the input. None where that cannot be had."""
    try:
        high = read_rgb(images.high)
        low = read_rgb(images.low) if images.low else None
    except Exception:  # of many kinds; the scan of the dataset names each file and its fault
        return None
    size = low.size if low else (high.width // scale, high.height // scale)
    if min(size) < cut.side or high.width < size[0] * scale or high.height < size[1] * scale:
        return None
    box = cut.box(size)
    left, top, right, bottom = (scale * at for at in box)
    target = high.crop((left, top, right, bottom))
    given = low.crop(box) if low else target.resize((cut.side, cut.side), Image.Resampling.BICUBIC)
    return _tensor(given), _tensor(target)


def _tensor(image: Image.Image) -> Tensor:
    """(3, H, W) float32, 0..1"""
    pixels = torch.from_numpy(np.array(image, dtype=np.float32))
    return pixels.permute(2, 0, 1).contiguous() / 255.0
