"""What a probe says of the configured weights."""

from __future__ import annotations

from collections.abc import Iterator

from autocal_cli.config.record import TrainingConfig
from autocal_cli.errors import Finding, Severity
from autocal_cli.probing.record import LossProbe, ProbeFingerprint, labelled

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
