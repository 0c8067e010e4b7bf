"""`--probe N`: what the config's losses do to its network, measured, or taken from the record of an earlier probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.config.model import TrainingConfig
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources, find_checkout
from autocal_cli.probing.model import ProbeFingerprint, labelled
from autocal_cli.workflow.images import probe_images
from autocal_cli.workflow.networks import with_config_weights

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
    """A probe, where one is asked for. Where nothing can be measured, a finding says why."""
    if options is None or options.batches is None:
        return None, ()
    from autocal_cli.probing.probe import Plan, probe  # torch takes a second: only here

    try:
        images = probe_images(config, options.folders)
    except AutocalError as error:
        return None, (_failed(config, error.message.rstrip("."), error.fix),)
    if not images:
        return None, (_failed(config, "none of the training images is here", "Name them with --hr DIR."),)
    known = with_config_weights(config, sources or NetworkSources())
    beside = Path(config.path).parent
    plan = Plan(
        options.batches, options.seed, known.weights, find_checkout(known.trainer), (beside, *beside.parents[:3])
    )
    probed = probe(config, network, images, plan, options.on_progress)
    if probed.fingerprint is None:
        return None, (_failed(config, probed.why_not or "", None),)
    return probed.fingerprint, tuple(_about(config, options.batches, probed.fingerprint, probed.instead))


def _about(config: TrainingConfig, asked: int, probe: ProbeFingerprint, instead: str | None) -> Iterator[Finding]:
    if instead:
        place = config.network.place if config.network else config.place
        yield Finding("probe-stand-in", "info", f"In the probe, {instead}.", None, place)
    if probe.batches < asked:
        message = f"{probe.batches} of {asked} batches were probed: too many images in a row gave no crop."
        yield Finding("probe-short", "warning", message, None, config.place)
    if probe.unmeasured:
        named = "; ".join(f"{loss.label} ({loss.reason})" for loss in probe.unmeasured)
        message = f"Not measured: {named}. The shares are those among the losses measured."
        yield Finding("probe-unmeasured", "info", message, place=labelled(config)[probe.unmeasured[0].label].place)


def _failed(config: TrainingConfig, why: str, fix: str | None) -> Finding:
    return Finding("probe-failed", "warning", f"The losses were not probed: {why}.", fix, config.place)
