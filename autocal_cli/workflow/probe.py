"""`--probe N`: what the config's losses do to its network, measured, or taken from the record of an earlier probe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.resolved import recorded_probe
from autocal_cli.config.model import TrainingConfig
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources, find_checkout
from autocal_cli.probing.model import ProbeFingerprint, labelled, names_of, weighed
from autocal_cli.workflow.dataset import with_config_weights
from autocal_cli.workflow.images import probe_images

CountCallback = Callable[[int, int], None]
Findings = tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """`batches` to probe, None for none; `folders` of targets stand in for the config's own."""

    batches: int | None = None
    folders: tuple[Path, ...] = ()
    seed: int = 0
    on_progress: CountCallback | None = None


def measure_losses(
    config: TrainingConfig,
    network: NetworkFingerprint,
    options: ProbeOptions | None = None,
    sources: NetworkSources | None = None,
) -> tuple[ProbeFingerprint | None, Findings]:
    """A new probe where one is asked for, else the recorded one while it is of the same losses and network.

    Gradients and noise do not depend on the weights, so a recorded probe tells the shares of those that the config has
    now. Where nothing can be measured, a finding says why.
    """
    if options is None or options.batches is None:
        return _recorded(config, network)
    from autocal_cli.probing.probe import Plan, probe  # torch takes a second: only here

    try:
        images = probe_images(config, options.folders)
    except AutocalError as error:
        return None, (_failed(config, error.message.rstrip("."), error.fix),)
    if not images:
        return None, (_failed(config, "none of the training images is here", "Name them with --hr DIR."),)
    known = with_config_weights(config, sources or NetworkSources())
    plan = Plan(options.batches, options.seed, known.weights, find_checkout(known.trainer))
    probed = probe(config, network, images, plan, options.on_progress)
    if probed.fingerprint is None:
        return None, (_failed(config, probed.why_not or "", None),)
    return probed.fingerprint, tuple(_about(config, options.batches, probed.fingerprint, probed.instead))


def _recorded(config: TrainingConfig, network: NetworkFingerprint) -> tuple[ProbeFingerprint | None, Findings]:
    recorded = recorded_probe(config.block)
    if recorded is None:
        return None, ()
    if recorded.names != names_of(config) or recorded.structure != network.structure:
        message = "The probe in the record is of other losses or of another network, and is dropped."
        return None, (Finding("probe-outdated", "info", message, "Measure anew with --probe N.", config.place),)
    weights = {label: term.weight for label, term in labelled(config).items()}
    return replace(recorded, losses=weighed(recorded.losses, weights)), ()


def _about(config: TrainingConfig, asked: int, probe: ProbeFingerprint, instead: str | None) -> list[Finding]:
    findings = []
    if instead:
        place = config.network.place if config.network else config.place
        findings.append(Finding("probe-stand-in", "info", f"In the probe, {instead}.", None, place))
    if probe.batches < asked:
        message = f"{probe.batches} of {asked} batches were probed: too many images in a row gave no crop."
        findings.append(Finding("probe-short", "warning", message, None, config.place))
    return findings


def _failed(config: TrainingConfig, why: str, fix: str | None) -> Finding:
    return Finding("probe-failed", "warning", f"The losses were not probed: {why}.", fix, config.place)
