"""The losses of a run: what is known of each by name, and what share of the pull each may have."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from autocal_cli.config.losses import UNKNOWN
from autocal_cli.runtime.components import label_of
from autocal_cli.runtime.guard import Guard
from autocal_cli.runtime.losses import LossDescription, describe_loss
from autocal_cli.runtime.settings import SchedulerSettings

_logger = logging.getLogger("autocal")


class Roster:
    """What was configured, by label. A name is a label, or `label/key` for a component of a loss."""

    def __init__(self, configured: Mapping[str, LossDescription], settings: SchedulerSettings) -> None:
        self.configured = configured
        self._settings = settings
        self._said: set[str] = set()

    def describe(self, name: str) -> LossDescription:
        """What is known of a loss, or of the loss of which it is a component; its label may have to tell its kind."""
        known = self.configured.get(name) or self.configured.get(label_of(name))
        if known is None:
            known = describe_loss(label_of(name), kind=self._settings.kinds.get(name))
        if known.kind == UNKNOWN:
            self.say(
                known.label, f"the kind of the loss {known.label} is unknown: it has no ceiling (set it by `kinds`)"
            )
        return replace(known, label=name)

    def guard(self, losses: Sequence[LossDescription], floor: float) -> Guard:
        """The ceilings of the kinds of loss (1: none), or the wanted shares where there are `gradient_shares`."""
        if self._settings.gradient_shares:
            names = [loss.label for loss in losses]
            return Guard(torch.tensor([self._wanted_share(name, names) for name in names]), None, floor)
        kinds = [loss.kind for loss in losses]
        return Guard.of_ceilings(kinds, [self._settings.ceilings.get(kind, 1.0) for kind in kinds], floor)

    def _wanted_share(self, name: str, names: Iterable[str]) -> float:
        """The components of one loss have equal parts of its share."""
        wanted, label = self._settings.gradient_shares, label_of(name)
        siblings = sum(label_of(other) == label for other in names)
        return wanted.get(name, wanted.get(label, 0.0) / siblings)

    def is_gone(self, name: str, state: Mapping[str, Any]) -> bool:
        """Whether a saved loss, or the one of which it is a component, was configured then and is no longer."""
        label = label_of(name)
        return label in state["configured"] and label not in self.configured

    def compare(self, state: Mapping[str, Any]) -> None:
        """Says which losses came and went since a state was saved."""
        for name in state["losses"]:
            if self.is_gone(name, state):
                self.say(name, f"the loss {name} of the saved state is no longer configured: it is dropped")
        for label in self.configured.keys() - {label_of(name) for name in state["losses"]}:
            self.say(label, f"the loss {label} is not in the saved state: it starts anew")

    def say(self, topic: str, message: str) -> None:
        """Says a thing once in a run."""
        if topic not in self._said:
            self._said.add(topic)
            _logger.warning("autocal: %s.", message)
