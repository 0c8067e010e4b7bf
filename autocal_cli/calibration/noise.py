"""What a probe of the losses says for the findings. Pure."""

from __future__ import annotations

from autocal_cli.config.model import TrainingConfig
from autocal_cli.errors import Finding
from autocal_cli.probing.model import ProbeFingerprint, labelled


def probe_findings(probe: ProbeFingerprint | None, config: TrainingConfig) -> tuple[Finding, ...]:
    """`probe-unmeasured`, where a probe could not measure every loss."""
    if probe is None or not probe.unmeasured:
        return ()
    places = {label: term.place for label, term in labelled(config).items()}
    named = "; ".join(f"{loss.label} ({loss.reason})" for loss in probe.unmeasured)
    message = f"Not measured: {named}. The shares are those among the losses measured."
    return (Finding("probe-unmeasured", "info", message, place=places[probe.unmeasured[0].label]),)
