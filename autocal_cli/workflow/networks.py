"""Measures the network that a config names, and for `autocal networks` all that can be built here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from autocal_cli.config.model import NetworkOptions, TrainingConfig
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources
from autocal_cli.workflow.named_files import find_root


def measure_network(config: TrainingConfig, sources: NetworkSources | None = None) -> NetworkFingerprint:
    """Builds the config's network, by the builders at hand and those that `sources` name, and its discriminator.

    Raises AutocalError for arguments that no network can take, and for a source that is not what it should be.
    """
    from autocal_cli.network.discriminators import fingerprint_discriminator  # not for what a record tells
    from autocal_cli.network.fingerprint import ask, builders_for

    sources = replace(sources or NetworkSources(), written_for=config.trainer)
    with builders_for(with_config_weights(config, sources), config.scale) as builders:
        network = ask(builders, config.network, config.scale)
        # Trainers hand no scale to a discriminator; who takes any type (a checkpoint) speaks of the generator.
        others = [builder for builder in builders if config.discriminator and builder.types()]
        discriminator = fingerprint_discriminator(config.discriminator, lambda named: ask(others, named, None))
    return replace(network, discriminator=discriminator)


def with_config_weights(config: TrainingConfig, sources: NetworkSources) -> NetworkSources:
    """The sources with the checkpoint that the config starts from, where it is at hand and none was named."""
    if sources.weights is not None or config.weights is None:
        return sources
    path = find_root(config.weights, Path(config.path).parent)
    return replace(sources, weights=path, weights_required=False) if path and path.is_file() else sources


def list_networks(
    pattern: str | None,
    scale: int,
    sources: NetworkSources,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[NetworkFingerprint], list[str]]:
    """Builds and measures every network whose type matches, with the constructors' own arguments.

    `pattern` is a glob, or a part of the name; the case doesn't count. A type that several builders have is the first
    one's, as in a config. Also returned: what keeps a builder from building more, in words.

    Raises AutocalError when nothing matches.
    """
    from autocal_cli.network.arguments import nearest
    from autocal_cli.network.fingerprint import ask, builders_for

    with builders_for(sources, scale) as builders:
        types = {type.lower(): type for builder in reversed(builders) for type in builder.types()}
        found = [type for name, type in sorted(types.items()) if matches(name, pattern)]
        troubles = [f"{builder.name} {trouble}." for builder in builders if (trouble := builder.trouble())]
        if not found:
            told = "".join(f" {trouble}" for trouble in troubles)
            near = nearest(pattern or "", types.values())
            fix = f"Did you mean {near}?" if near else "autocal networks lists all; --trainer DIR adds a trainer's own."
            message = f"None of the {len(types)} networks that can be built here matches {pattern}.{told}"
            raise AutocalError(message, fix=fix)
        measured = []
        for done, type in enumerate(found):
            if on_progress:
                on_progress(done, len(found))
            measured.append(ask(builders, NetworkOptions(type, {}, Place(""), {}), scale))
        return measured, troubles


def matches(name: str, pattern: str | None) -> bool:
    """Whether a type in lower case is meant by a pattern.

    >>> matches("swinir_s", "SwinIR"), matches("swinir_s", "*_s"), matches("swinir_s", "?_s")
    (True, True, False)
    """
    wanted = (pattern or "*").lower()
    return fnmatchcase(name, wanted if any(mark in wanted for mark in "*?[") else f"*{wanted}*")
