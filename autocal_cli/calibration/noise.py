"""Steps from measured noise: how far a loss's pull scatters from batch to batch says what a change of it means.

The drift of the scheduler follows r = log(G_base / G), G the gradient of a loss at the network's output: G smoothed
over probes with weight 0.3, G_base its mean over the probes within the baseline. With s the standard deviation of
log G between batches of the training's size, independent from probe to probe,

    s_smooth = s sqrt(0.3 / (2 - 0.3))            adaptation_threshold = 2 s_smooth, of the loss that scatters most
    s_base   = s / sqrt(probes in the baseline)   baseline_iterations: the fewest with s_base <= 0.1, never fewer than
                                                  without the measurement

An error of the baseline stays in the multiplier for the whole run. That a tenth of a weight does no harm there is
assumed: what was measured is that weights wrong by 100 hardly matter where no loss is adversarial
(benchmarks/RESULTS.md), and adversarial losses never drift. Little noise is no reason for a short baseline: it is
measured on the untrained network, and says nothing of how fast the gradients change in the first steps.

The noise of a batch of n crops is 1 / sqrt(n) of that of one. The noise of the value, which is shown beside, does not
enter: only where the scheduler cannot probe do values move a loss, and then those of the squared losses alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from autocal_cli.calibration.model import Number, Step
from autocal_cli.config.model import TrainingConfig
from autocal_cli.errors import AutocalError, Finding, Severity
from autocal_cli.probing.model import LossProbe, ProbeFingerprint, labelled

PROBE_MEMORY = 0.3  # the runtime's weight of a new probe (runtime/track.py; a test holds both to each other)
DEVIATIONS = 2.0  # of the smoothed noise, that make a threshold; chosen, untested
BASE_ERROR = 0.1  # of the logarithm, to which the baseline is known; chosen, untested
LEAST_BATCHES = 8  # below, a deviation is known to worse than a quarter; chosen, untested
LONGEST = 10_000  # steps of a baseline that are looked at; the bounds of baseline_iterations lie far below

# (up to this step, every so many steps): the runtime's probes, without and with an adversarial loss
# (runtime/schedule.py; a test holds both to each other).
PROBES = ((10, 1), (100, 5), (1000, 25), (LONGEST, 100))
PROBES_ADVERSARIAL = ((10, 1), (100, 5), (1000, 10), (LONGEST, 25))


def noise_steps(name: str, before: Number, probe: ProbeFingerprint | None, config: TrainingConfig) -> list[Step]:
    """What the measured noise says of a parameter: one step, or none."""
    noisiest = _noisiest(probe.losses) if probe and probe.batches >= LEAST_BATCHES else None
    if probe is None or noisiest is None:
        return []
    noise = step_noise(noisiest, probe)
    source = f"measured: --probe {probe.batches}"
    told = f"The gradient of {noisiest.label} scatters by {noise:.2g} (log) between steps"
    if name == "adaptation_threshold":
        after = _short(DEVIATIONS * smoothed(noise))
        margin = _short(after / math.sqrt(2 * (probe.batches - 1)), 2)  # standard error of a deviation
        return [Step("probe-threshold", source, before, after, f"{told}: {DEVIATIONS:g} deviations, smoothed.", margin)]
    if name == "baseline_iterations":
        steps = baseline_for(noise, BASE_ERROR, config.adversarial)
        kept = "" if steps > before else ": the baseline is long enough"
        reason = f"{told}; the probes of {steps:,} steps know its mean to {BASE_ERROR:.0%}{kept}."
        return [Step("probe-baseline", source, before, max(before, steps), reason)]
    return []


def _noisiest(losses: Sequence[LossProbe]) -> LossProbe | None:
    """The loss whose gradient scatters most, of those that drift: an adversarial one never does."""
    drifting = [loss for loss in losses if loss.kind != "adversarial" and loss.gradient_noise]
    return max(drifting, key=lambda loss: loss.gradient_noise or 0.0, default=None)


def step_noise(loss: LossProbe, probe: ProbeFingerprint) -> float:
    """Standard deviation of log G between steps of the training, which may see more crops than a batch of the probe."""
    return (loss.gradient_noise or 0.0) * math.sqrt(probe.images / (probe.batch_size or probe.images))


def smoothed(noise: float, weight: float = PROBE_MEMORY) -> float:
    """The deviation of an exponential mean of independent values: s sqrt(w / (2 - w)).

    With w = 1 - momentum that is s sqrt((1 - momentum) / (1 + momentum)).
    """
    return noise * math.sqrt(weight / (2.0 - weight))


def baseline_for(noise: float, within: float, adversarial: bool) -> int:
    """The fewest steps whose probes have a mean known to `within` (one deviation): noise / sqrt(probes) <= within."""
    wanted = (noise / within) ** 2
    probes = 0
    timetable = PROBES_ADVERSARIAL if adversarial else PROBES
    for step in range(1, LONGEST + 1):
        probes += step % next(every for until, every in timetable if step <= until) == 0
        if probes >= wanted:
            return step
    return LONGEST


def _short(value: float, digits: int = 5) -> float:
    return float(f"{value:.{digits}g}")


# What a probe says of the configured weights.


HIGH, LOW = 0.95, 0.005  # of the pull: little else counts, or it might as well not be there; asked for, untested

_FIX = "Other weights follow from the shares that you want: --suggest-weights"


def probe_findings(probe: ProbeFingerprint | None, config: TrainingConfig) -> tuple[Finding, ...]:
    """`probe-share-high` and `probe-share-low` where there is more than one loss to share, and `probe-unmeasured`.

    An adversarial loss is never called low: its discriminator has learnt nothing yet, and its pull grows as it learns.
    """
    return tuple(_findings(probe, config)) if probe else ()


def _findings(probe: ProbeFingerprint, config: TrainingConfig) -> Iterator[Finding]:
    places = {label: term.place for label, term in labelled(config).items()}
    among = " among the losses measured" if probe.unmeasured else ""
    # Real-ESRGAN's perceptual loss has 99.9% of the pull, its L1 0.06% (benchmarks/RESULTS.md): no mistake by itself.
    usual = max(probe.losses, key=lambda loss: loss.share).kind == "perceptual" if probe.losses else False
    severity: Severity = "info" if usual else "warning"
    so_do = " Published recipes with a perceptual loss have such shares." if usual else ""
    for loss in probe.losses if len(probe.losses) > 1 else ():
        if loss.share > HIGH:
            message = f"{_share(loss, among)}; the others hardly count.{so_do}"
            yield Finding("probe-share-high", severity, message, f"{_FIX} {loss.label}=0.6.", places[loss.label])
        elif loss.share < LOW and loss.kind != "adversarial":
            message = f"{_share(loss, among)}; it might as well not be there.{so_do}"
            yield Finding("probe-share-low", severity, message, f"{_FIX} {loss.label}=0.1.", places[loss.label])
    if probe.unmeasured:
        named = "; ".join(f"{loss.label} ({loss.reason})" for loss in probe.unmeasured)
        message = f"Not measured: {named}. The shares are those among the losses measured."
        yield Finding("probe-unmeasured", "info", message, place=places[probe.unmeasured[0].label])


def _share(loss: LossProbe, among: str) -> str:
    return f"At weight {loss.weight:g}, {loss.label} has {loss.share:.2%} of the pull on the network's output{among}"


# The weights that would give wanted shares of the pull. Pure; nothing is ever written into a config's losses.
#
# q_i = w_i G_i / sum_j w_j G_j        so        w_i = (q_i / q_r) (G_r / G_i) w_r
#
# with r the loss whose weight stays: the first pixel loss, else the first that was measured.


DIGITS = 4  # significant ones of a suggested weight: shares are then right to a thousandth of themselves


def kept_loss(losses: Sequence[LossProbe]) -> LossProbe:
    """The loss whose weight stays as it is."""
    return next((loss for loss in losses if loss.kind == "pixel"), losses[0])


def suggested_weights(losses: Sequence[LossProbe], shares: Mapping[str, float]) -> dict[str, float]:
    """Weights by label with which the losses have these shares; those not named keep their proportions in the rest.

    Raises AutocalError for shares that no weights can give.
    """
    wanted = _all_shares(losses, shares)
    kept = kept_loss(losses)
    pull = kept.weight * kept.gradient / wanted[kept.label]
    weights = {loss.label: float(f"{pull * wanted[loss.label] / loss.gradient:.{DIGITS}g}") for loss in losses}
    return {**weights, kept.label: kept.weight}


def _all_shares(losses: Sequence[LossProbe], named: Mapping[str, float]) -> dict[str, float]:
    known = [loss.label for loss in losses]
    for loss in losses:
        if not loss.gradient > 0.0:
            raise AutocalError(f"{loss.label} does not pull at the output, so no weight gives it a share.")
    for label in named:
        if label not in known:
            raise AutocalError(f"No loss {label} was measured.", fix=f"Measured: {', '.join(known)}.")
    rest = 1.0 - sum(named.values())
    others = sum(loss.share for loss in losses if loss.label not in named)
    if len(named) == len(losses):
        if abs(rest) > 1e-6:
            message = f"The shares of all losses should add up to 1. Found {1.0 - rest:.4g}."
            raise AutocalError(message, fix="Leave one of them out, and it has the rest.")
        return dict(named)
    if rest <= 0.0:
        message = f"Shares should leave something to the losses not named: below 1 in all. Found {1.0 - rest:.4g}."
        raise AutocalError(message, fix="Name all losses, or smaller shares.")
    if others <= 0.0:
        raise AutocalError("The losses not named have no share to divide.", fix="Name all losses.")
    return {loss.label: named.get(loss.label, rest * loss.share / others) for loss in losses}
