"""What a probe says of the configured weights: shares of the pull that are out of hand, and weights that give others.

q_i = w_i G_i / sum_j w_j G_j        so        w_i = (q_i / q_r) (G_r / G_i) w_r

with G the gradient of a loss at the network's output and r the loss whose weight stays: the first pixel loss, else the
first that was measured. Nothing is ever written into a config's losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autocal_cli.config.model import TrainingConfig
from autocal_cli.errors import AutocalError, Finding, Severity
from autocal_cli.probing.model import LossProbe, ProbeFingerprint, labelled

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
    severity: Severity = "info" if usual or probe.unmeasured else "warning"
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
