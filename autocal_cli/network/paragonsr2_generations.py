"""Two generations of networks share the name ParagonSR2: which one a config's network is, and what each takes."""

from __future__ import annotations

from collections.abc import Collection

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.arguments import check_arguments, check_values, place_of
from autocal_cli.network.paragonsr2_arguments import ARGUMENTS as FIRST
from autocal_cli.network.paragonsr2_second_arguments import ACCEPTED, FIXED, VARIANTS
from autocal_cli.network.paragonsr2_second_arguments import ARGUMENTS as SECOND

CLASS = "paragonsr2"  # registered by both generations, each in its own commits of the trainer
SECOND_TYPES = {f"{CLASS}_{variant}": variant for variant in VARIANTS}


def is_second(network: NetworkOptions) -> bool:
    """Whether a network is of the second generation: by its registered name, else by arguments that only one has.

    The first generation where neither tells, or both do as loudly.
    """
    if network.type.lower() != CLASS:
        return network.type.lower() in SECOND_TYPES
    return len(_only(network, SECOND, FIRST)) > len(_only(network, FIRST, SECOND))


def about_generation(network: NetworkOptions) -> tuple[Finding, ...]:
    """What to say where the class is named and its arguments don't tell the generation, or tell of both."""
    if network.type.lower() != CLASS:
        return ()
    first, second = _only(network, FIRST, SECOND), _only(network, SECOND, FIRST)
    if bool(first) != bool(second):
        return ()
    taken = "second" if is_second(network) else "first"
    why = (
        f"{', '.join(first)} of the first and {', '.join(second)} of the second are given"
        if first
        else "no argument here tells which is meant"
    )
    return (
        Finding(
            "network-generation-assumed",
            "info",
            f"two generations of networks are called {network.type}, and {why}: it is taken for the {taken}. "
            "By default the first has 6 x 6 blocks, the second 4 x 4 with attention in windows.",
            "Name a registered variant (paragonsr2_s, paragonsr2_photo), or an argument that only one of them has.",
            network.place,
        ),
    )


def check_second(network: NetworkOptions) -> tuple[Finding, ...]:
    """Findings about the arguments of a second-generation network.

    Raises AutocalError for a value that no network takes, and for one that a registered variant fixes itself.
    """
    registered = network.type.lower() in SECOND_TYPES
    if registered and (fixed := [name for name in FIXED if name in network.arguments]):
        raise AutocalError(
            f"the network {network.type} sets {fixed[0]!r} itself: the trainer stops where a config gives it too.",
            place=place_of(network, fixed[0]),
            fix=f"Remove it, or write `type: ParagonSR2` with all of {', '.join(FIXED)}.",
        )
    findings = check_arguments(network, ACCEPTED if registered else tuple(SECOND), swallows=True)
    check_values(network, SECOND)
    return findings


def _only(network: NetworkOptions, of: Collection[str], other: Collection[str]) -> list[str]:
    """The given arguments that one generation has and the other hasn't."""
    return [name for name in network.arguments if name in of and name not in other]
