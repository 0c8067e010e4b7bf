"""Network options -> NetworkFingerprint: the network is built and measured, never guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Self

from autocal_cli.config.model import NetworkOptions, TrainingConfig, Value
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.arguments import nearest
from autocal_cli.network.checkpoint import Checkpoint
from autocal_cli.network.model import NAME_ANOTHER, Builder, NetworkFingerprint, Passed
from autocal_cli.network.paragonsr2.family import BuiltIn
from autocal_cli.network.sources import NetworkSources, find_checkout
from autocal_cli.network.subprocess.client import own_callable, spandrel, trainer
from autocal_cli.network.table import Packaged, find_line

TYPE_RESEMBLANCE = 0.9  # the family's name alone must not make paragonsr2_pro look like paragonsr2_micro (0.87)


def ask(builders: Sequence[Builder], network: NetworkOptions | None, scale: int | None) -> NetworkFingerprint:
    """The fingerprint of the first builder that has one of what `network_g` names at the config's `scale`, with what
    the builders before it said.

    A type that nobody here can build, or no network at all, is a fingerprint without numbers and with a finding.
    Raises AutocalError for an argument or a scale that the network cannot take: where, what was found, what is
    accepted.
    """
    if network is None:
        message = "the config names no network, so its parameters and MACs are not known."
        missing = Finding("network-missing", "warning", message, "Add the network_g section that the trainer needs.")
        return NetworkFingerprint(type=None, scale=scale, findings=(missing,))
    passed: list[Passed] = []
    for builder in builders:
        answer = builder.measure(network, scale)
        if isinstance(answer, NetworkFingerprint):
            known = recognise_family(answer, network, scale)
            return replace(known, passed=tuple(passed), findings=(*known.findings, *_failures(network, passed)))
        passed.append(answer)
    findings = _failures(network, passed) or (_unknown(network, builders, passed),)
    return NetworkFingerprint(type=network.type, scale=scale, passed=tuple(passed), findings=findings)


def recognise_family(found: NetworkFingerprint, network: NetworkOptions, scale: int | None) -> NetworkFingerprint:
    """A network of foreign code with the family and variant that autocal knows it by, if it is the same network.

    A name alone says little: another commit of the trainer may build another network under it.
    """
    if found.family is not None:
        return found
    try:
        own = BuiltIn().measure(network, scale)
    except AutocalError:  # arguments that autocal's own doesn't take: then it is another network
        return found
    if not isinstance(own, NetworkFingerprint) or own.parameters is None or found.parameters is None:
        return found
    if own.parameters == found.parameters:
        return replace(found, family=own.family, variant=own.variant)
    message = (
        f"{network.type} of {found.builder} has {found.parameters:,} parameters, the one that autocal has by that name "
        f"{own.parameters:,}: it is placed by its parameters, not by its name."
    )
    finding = Finding("network-differs-from-name", "info", message, None, network.place)
    return replace(found, findings=(*found.findings, finding))


def _failures(network: NetworkOptions, passed: Sequence[Passed]) -> tuple[Finding, ...]:
    fix = "Its own error tells more when the trainer is started without autocal."
    return tuple(
        Finding("network-not-built", "warning", f"{who.builder} {who.reason}.", who.cure or fix, network.place)
        for who in passed
        if who.failed
    )


def _unknown(network: NetworkOptions, builders: Sequence[Builder], passed: Sequence[Passed]) -> Finding:
    for who in passed:
        if who.cure:  # it has the network: the name is right
            message = (
                f"no builder here can measure the network {network.type}, so its parameters and MACs are not known: "
                f"{who.builder} {who.reason}."
            )
            return Finding("network-unknown", "info", message, who.cure, network.place)
    registered = find_line(None, network.type) is not None  # a trainer has it, and it could not be built for the table
    known = () if registered else [type for builder in builders for type in builder.types()]
    near = nearest(network.type, known, TYPE_RESEMBLANCE)
    asked = ", ".join(builder.name for builder in builders)
    return Finding(
        code="network-unknown",
        severity="warning" if near else "info",  # of a network that is no mistake, network-not-measured says the rest
        message=f"no builder here knows the network {network.type} (asked: {asked}), so its parameters and MACs are "
        "not known.",
        fix=f"Did you mean {near!r}?" if near else NAME_ANOTHER,
        place=network.place,
    )


@contextmanager
def builders_for(sources: NetworkSources, scale: int | None = None) -> Iterator[tuple[Builder, ...]]:
    """The builders at hand, the likeliest to build what is really trained first. Foreign processes end with the block.

    Raises AutocalError where a source that the user named is not what it should be.
    """
    checkout = find_checkout(sources.trainer)
    if sources.weights is not None and sources.weights_required and not sources.weights.is_file():
        raise AutocalError("There is no such checkpoint.", place=Place(str(sources.weights)), fix="Mend --weights.")
    asked: list[Builder] = [own_callable(sources.own)] if sources.own is not None else []
    asked += [trainer(checkout, scale)] if checkout else []
    asked += [BuiltIn(), Packaged(sources.written_for), spandrel()]  # the first knows every argument of what it has
    asked += [Checkpoint(sources.weights, sources.weights_required)] if sources.weights else []
    asked.append(Packaged(sources.written_for, nearest=True))
    try:
        yield tuple(asked)
    finally:
        for builder in asked:
            builder.close()


Outcome = tuple[NetworkFingerprint | None, tuple[Finding, ...]]


class NetworkCache:
    """Fingerprints by network options and scale, within one command: what is measured depends on these alone, and not
    on where they stand. Foreign processes end with the `with` block."""

    def __init__(self, sources: NetworkSources) -> None:
        self._sources = sources
        self._open = ExitStack()
        self._builders: dict[tuple[int | None, str], tuple[Builder, ...]] = {}
        self._known: dict[str, Outcome] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def measure(self, config: TrainingConfig) -> Outcome:
        """The fingerprint of a config's network and what is to be said of it, with the places of this config.

        None where there is no network, or where its options are such that none can be built.
        """
        network = config.network
        if network is None:
            return None, ()
        key = repr((network.type, sorted(network.arguments.items(), key=repr), config.scale, config.trainer))
        if key not in self._known:
            names_for_places = {name: Place(name) for name in network.argument_places}
            nowhere = replace(network, place=Place(""), argument_places=names_for_places)
            self._known[key] = _examined(self._builders_for(config), nowhere, config.scale)
        fingerprint, findings = self._known[key]
        return fingerprint, tuple(_placed(finding, network) for finding in findings)

    def _builders_for(self, config: TrainingConfig) -> tuple[Builder, ...]:
        """By scale, since neosr's architectures read it as they are imported, and by what the config is written for."""
        key = config.scale, config.trainer
        if key not in self._builders:
            sources = replace(self._sources, written_for=config.trainer)
            self._builders[key] = self._open.enter_context(builders_for(sources, config.scale))
        return self._builders[key]


def _examined(builders: tuple[Builder, ...], network: NetworkOptions, scale: int | None) -> Outcome:
    """Where the arguments cannot stand, what is to be said of each by itself; and what a fixed variant is whatever its
    arguments say, so that one of them hides no other mistake in the config."""

    def asked(arguments: Mapping[str, Value]) -> NetworkFingerprint | AutocalError:
        try:
            return ask(builders, replace(network, arguments=arguments), scale)
        except AutocalError as error:
            return error

    whole = asked(network.arguments)
    if isinstance(whole, NetworkFingerprint):
        return whole, whole.findings
    findings: list[Finding] = []
    for name, value in network.arguments.items():
        alone = asked({name: value})
        if isinstance(alone, NetworkFingerprint):
            findings += (finding for finding in alone.findings if finding.code == "network-argument-unknown")
        else:
            findings.append(_rejection(alone))
    if not any(finding.code == "network-rejected" for finding in findings):
        findings.insert(0, _rejection(whole))
    bare = asked({})
    registered = bare if isinstance(bare, NetworkFingerprint) and bare.variant else None
    return registered, tuple(dict.fromkeys(findings))


def _rejection(error: AutocalError) -> Finding:
    return Finding("network-rejected", "error", error.message, error.fix, error.place)


def _placed(finding: Finding, network: NetworkOptions) -> Finding:
    name = finding.place.path if finding.place else ""
    return replace(finding, place=network.argument_places.get(name, network.place))
