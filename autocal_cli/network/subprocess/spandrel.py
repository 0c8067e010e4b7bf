"""What spandrel can construct by name: presets/spandrel.toml, as records."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from autocal_cli.packaged import preset_text


@dataclass(frozen=True, slots=True)
class SpandrelType:
    """A class of `spandrel.architectures.<package>`; `scale_argument` is None where the network doesn't enlarge."""

    package: str
    class_name: str
    scale_argument: str | None
    arguments: Mapping[str, Any]
    names: TrainerNames


@cache
def spandrel_types() -> Mapping[str, SpandrelType]:
    """By type in lower case."""
    table = tomllib.loads(preset_text("spandrel.toml"))
    names = {of: _names(entry) for of, entry in table["names"].items()}
    return {name: _type(entry, names.get(entry["class"], TrainerNames())) for name, entry in table["types"].items()}


def _type(entry: Mapping[str, Any], names: TrainerNames) -> SpandrelType:
    package, class_name = entry["class"].split(".")
    return SpandrelType(package, class_name, entry.get("scale"), entry.get("with", {}), names)


def _names(entry: Mapping[str, Any]) -> TrainerNames:
    unshuffled = entry.get("unshuffled")
    return TrainerNames(**{**entry, "unshuffled": Unshuffled(**unshuffled) if unshuffled else None})


def spandrel_installed() -> bool:
    return importlib.util.find_spec("spandrel") is not None


# A trainer's arguments -> spandrel's: the same network has other argument names there, or takes fewer arguments.
#
# spandrel loads what was trained, it doesn't train: what it doesn't have is no mistake in the config.


Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unshuffled:
    """The trainers' networks that enlarge less than `to` do it by as much, on pixels unshuffled before."""

    to: int
    factor: str
    channels: str
    channels_default: int

    def applied(self, arguments: Arguments, scale_argument: str) -> Arguments:
        """`arguments` with the scale `to`, the factor of the unshuffling, and factor^2 times the channels."""
        scale = arguments.get(scale_argument)
        if not isinstance(scale, int) or not 0 < scale < self.to or self.to % scale:
            return arguments
        factor = self.to // scale
        channels = arguments.get(self.channels, self.channels_default) * factor**2
        return {**arguments, scale_argument: self.to, self.factor: factor, self.channels: channels}


@dataclass(frozen=True, slots=True)
class TrainerNames:
    """How trainers call the arguments of a class of spandrel's.

    `renamed`: the trainer's name -> spandrel's. `defaults` come with those names: the trainer's, where spandrel has
    others. `fixed`: what spandrel has as a constant. `means`: what a value there is here. `inert`: neither parameters
    nor MACs depend on it.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    defaults: Arguments = field(default_factory=dict)
    fixed: Arguments = field(default_factory=dict)
    means: Mapping[str, Mapping[str, Arguments]] = field(default_factory=dict)
    inert: Collection[str] = ()
    unshuffled: Unshuffled | None = None

    def takes(self, accepted: Collection[str]) -> list[str]:
        """The trainer's names of all that can be said here; `accepted` are spandrel's."""
        theirs = [name for name in accepted if name not in self.renamed.values()]
        return [*self.renamed, *self.fixed, *self.means, *self.inert, *theirs]

    def lacking(self, given: Arguments, accepted: Collection[str]) -> Iterator[tuple[str, list[Any]]]:
        """The arguments that spandrel cannot follow, each with the values that it could; none: with no value."""
        for name, value in given.items():
            if name in self.fixed:
                if value != self.fixed[name]:
                    yield name, [self.fixed[name]]
            elif name in self.means:
                if not isinstance(value, str) or value not in self.means[name]:
                    yield name, [*self.means[name]]
            elif name not in (*accepted, *self.inert, *self.renamed) or self.renamed.get(name) in given:
                yield name, []

    def translated(self, given: Arguments) -> dict[str, Any]:
        """What spandrel's class is called with, where nothing is lacking."""
        arguments = dict(self.defaults) if any(name in self.renamed for name in given) else {}
        for name, value in given.items():
            if name in self.means:
                arguments.update(self.means[name][value])
            elif name not in self.fixed and name not in self.inert:
                arguments[self.renamed.get(name, name)] = value
        return arguments
