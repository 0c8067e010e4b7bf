"""`--probe N`: what the config's losses do to its network, measured, or taken from the record of an earlier probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.calibration.block import Field
from autocal_cli.config.model import TrainingConfig
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources, find_checkout
from autocal_cli.probing.model import ProbeFingerprint
from autocal_cli.probing.shares import probe_findings, suggested_weights
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
    about = _about(config, options.batches, probed.fingerprint, probed.instead)
    return probed.fingerprint, (*about, *probe_findings(probed.fingerprint, config))


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


# `--suggest-weights l1=0.6,gan=0.1`: shares of the pull, from the command line, and the weights that give them.


SHARE = Field("number", 0.0, 1.0, open_low=True)  # of the pull on the network's output at the probe


def parse_shares(text: str) -> dict[str, float]:
    """Raises AutocalError for what is no such list, or no share above 0 and up to 1.

    >>> parse_shares("l1=0.6, gan=0.1")
    {'l1': 0.6, 'gan': 0.1}
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        label, equals, number = (piece.strip() for piece in part.partition("="))
        share = _number(number)
        if not (label and equals and share is not None and SHARE.accepts(share)) or label in shares:
            message = f"--suggest-weights {text}: expected each loss once with its share, {SHARE.told}."
            raise AutocalError(message, fix="For example: --suggest-weights l1=0.6,gan=0.1")
        shares[label] = share
    return shares


def suggest(probe: ProbeFingerprint | None, shares: Mapping[str, float] | None) -> dict[str, float] | None:
    """Weights by label; None where none are asked for. Raises AutocalError where nothing was probed."""
    if shares is None:
        return None
    if probe is None or not probe.losses:
        raise AutocalError("--suggest-weights needs what a probe measures, and there is none.", fix="Add --probe 20.")
    return suggested_weights(probe.losses, shares)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
