"""Where foreign networks come from, seen from inside their own process: a trainer, spandrel, a callable of the user's.

Imports foreign code: only ever in a process of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from autocal_cli.network.spandrel_arguments import TrainerNames
from autocal_cli.network.spandrel_types import spandrel_types
from autocal_cli.network.trainer_import import bare_package, import_architectures, look_up, registries_of


@dataclass(frozen=True, slots=True)
class Target:
    """A constructor. The config's scale is handed over as `scale_argument`, if `hands_scale`; `fixed` are defaults.

    `names` is set where the constructor is not the trainer's own: what the trainer calls its arguments.
    """

    call: Callable[..., Any]
    scale_argument: str = "scale"
    hands_scale: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    names: TrainerNames | None = None

    def lacking(self, given: Mapping[str, Any], accepted: Collection[str]) -> list[tuple[str, list[Any]]]:
        """The arguments that make it another network than the trainer's: see `TrainerNames.lacking`."""
        return [] if self.names is None else list(self.names.lacking(given, (*accepted, "scale")))

    def arguments(self, given: Mapping[str, Any], scale: int | None) -> dict[str, Any]:
        arguments = {**self.fixed, **(given if self.names is None else self.names.translated(given))}
        if self.scale_argument != "scale" and "scale" in arguments:
            arguments[self.scale_argument] = arguments.pop("scale")
        if self.hands_scale and scale is not None:
            arguments[self.scale_argument] = scale
        return arguments

    def unshuffled(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """`arguments` as the constructor wants them where the trainer unshuffles pixels first."""
        if self.names is None or self.names.unshuffled is None:
            return arguments
        return self.names.unshuffled.applied(arguments, self.scale_argument)


class Source(Protocol):
    """`types` can be built; `unimported` are the parts that could not be imported, each with the reason, and `missing`
    the packages that they ask for.
    """

    types: list[str]
    unimported: list[tuple[str, str]]
    missing: list[str]

    def find(self, type: str) -> Target | None: ...


def open_source(spec: Mapping[str, Any], tell: Callable[[str], None]) -> Source:
    """Imports what the spec names, `tell` being called with each part before. Raises whatever that raises."""
    if spec["source"] == "trainer":
        return TrainerSource(spec, tell)
    if spec["source"] == "spandrel":
        return SpandrelSource()
    return OwnSource(spec["callable"])


class TrainerSource:
    """A trainer's registries."""

    def __init__(self, spec: Mapping[str, Any], tell: Callable[[str], None]) -> None:
        if spec["scale_at_import"]:  # neosr reads it from its command line; --input spares it the options file
            sys.argv = ["autocal", "--input", "none", "--scale", str(spec["scale"] or 4)]
        self._hands_scale = spec["gives_scale"]
        folder, package = Path(spec["folder"]), spec["package"]
        imported = import_architectures(folder, package, spec["alone"], spec["skip"], tell)
        self.unimported, self.missing = imported.failed, sorted(imported.missing)
        self._registries = registries_of(spec["package"], spec["registries"])
        self.types = sorted({name for registry in self._registries for name in registry.keys()})  # noqa: SIM118

    def find(self, type: str) -> Target | None:
        call = look_up(self._registries, type)
        return None if call is None else Target(call, hands_scale=self._hands_scale)


class OwnSource:
    """A callable of the user's, `module:name`, whatever the type in the config says."""

    def __init__(self, named: str) -> None:
        from autocal_cli.network.signature import describe

        sys.path.insert(0, str(Path.cwd()))  # as `python -m` would
        module, _, name = named.partition(":")
        call: Any = importlib.import_module(module)
        for part in name.split("."):
            call = getattr(call, part)
        described = describe(call)
        takes = "scale" in described["accepted"] or described["swallows"]
        self._target = Target(call, "scale" if takes or "upscale" not in described["accepted"] else "upscale")
        self.types: list[str] = []
        self.unimported: list[tuple[str, str]] = []
        self.missing: list[str] = []

    def find(self, type: str) -> Target | None:  # noqa: ARG002
        return self._target


class SpandrelSource:
    """spandrel's classes. Its packages are imported one by one, so that one that needs torchvision stops no other."""

    def __init__(self) -> None:
        found = importlib.util.find_spec("spandrel")
        if found is None or not found.submodule_search_locations:
            raise ImportError("spandrel is not installed")
        bare_package("spandrel", Path(found.submodule_search_locations[0]))
        self.types = sorted(spandrel_types())
        self.unimported: list[tuple[str, str]] = []
        self.missing: list[str] = []

    def find(self, type: str) -> Target | None:
        known = spandrel_types().get(type.lower())
        if known is None:
            return None
        package = importlib.import_module(f"spandrel.architectures.{known.package}")
        call = getattr(package, known.class_name)
        enlarges = known.scale_argument is not None
        return Target(call, known.scale_argument or "scale", enlarges, known.arguments, known.names)
