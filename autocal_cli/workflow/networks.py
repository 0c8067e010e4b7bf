"""`autocal networks` as one function: what can be built here, by whom, and what it measures."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources


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
    from autocal_cli.network.fingerprint import ask, builders_for

    with builders_for(sources, scale) as builders:
        types = {type.lower(): type for builder in reversed(builders) for type in builder.types()}
        found = [type for name, type in sorted(types.items()) if matches(name, pattern)]
        troubles = [f"{builder.name} {trouble}." for builder in builders if (trouble := builder.trouble())]
        if not found:
            raise _nothing(pattern, tuple(types.values()), troubles)
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


def _nothing(pattern: str | None, types: tuple[str, ...], troubles: list[str]) -> AutocalError:
    from autocal_cli.network.arguments import nearest

    near = nearest(pattern or "", types)
    told = "".join(f" {trouble}" for trouble in troubles)
    fix = f"Did you mean {near}?" if near else "autocal networks lists all; --trainer DIR adds a trainer's own."
    return AutocalError(f"None of the {len(types)} networks that can be built here matches {pattern}.{told}", fix=fix)
