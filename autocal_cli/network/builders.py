"""Who can measure a network, in the order in which they are asked.

Another builder is one file and one row of `builders_for`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Protocol

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.built_in import BuiltIn
from autocal_cli.network.checkpoint_builder import Checkpoint
from autocal_cli.network.foreign import own_callable, spandrel, trainer
from autocal_cli.network.record import NetworkFingerprint, Passed
from autocal_cli.network.sources import NetworkSources, find_checkout
from autocal_cli.network.table_builder import Nearest, Packaged


class Builder(Protocol):
    """One who may know a network. `name` is reported."""

    name: str

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        """What was measured of a network, or why this builder cannot say.

        `scale` is the config's own, None where it doesn't say. Raises AutocalError where the network is known and its
        arguments cannot stand.
        """

    def types(self) -> tuple[str, ...]:
        """What it can build by name; empty where it cannot tell."""

    def trouble(self) -> str | None:
        """Why it can build less than it should, or None."""


@contextmanager
def builders_for(sources: NetworkSources, scale: int | None = None) -> Iterator[tuple[Builder, ...]]:
    """The builders at hand, the likeliest to build what is really trained first. Foreign processes end with the block.

    Raises AutocalError where a source that the user named is not what it should be.
    """
    checkout = find_checkout(sources.trainer)
    if sources.weights is not None and sources.weights_required and not sources.weights.is_file():
        raise AutocalError("There is no such checkpoint.", place=Place(str(sources.weights)), fix="Mend --weights.")
    asked: list[Builder] = []
    with ExitStack() as stack:
        if sources.own is not None:
            asked.append(stack.enter_context(closing(own_callable(sources.own))))
        if checkout is not None:
            asked.append(stack.enter_context(closing(trainer(checkout, scale))))
        asked.append(BuiltIn())  # before spandrel, which has none of its networks and takes seconds to start
        asked.append(Packaged(sources.written_for))
        asked.append(stack.enter_context(closing(spandrel())))
        if sources.weights is not None:
            asked.append(Checkpoint(sources.weights, sources.weights_required))
        asked.append(Nearest(sources.written_for))
        yield tuple(asked)
