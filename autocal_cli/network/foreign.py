"""Builders whose networks are built in a process of their own, since the code is not autocal's."""

from __future__ import annotations

import shlex
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.foreign_findings import argument_findings, count_findings, lacking_in_words
from autocal_cli.network.foreign_process import ForeignProcess
from autocal_cli.network.record import NAME_ANOTHER, NetworkFingerprint, Passed
from autocal_cli.network.sources import Checkout
from autocal_cli.network.spandrel_types import spandrel_installed, spandrel_types


ENVIRONMENTS = (".venv", "venv", "env")  # in a checkout, as the trainers' own instructions name them


class Foreign:
    """One foreign source of networks. `strict`: it is what trains, so that what it refuses is an error.

    What is not what trains says nothing against a config: a network that it cannot follow it doesn't measure.

    `known` are its types, in lower case, where they are known without asking it. `cure` is what to do when it fails,
    `where_imported` what to do when packages that it imports are missing here.
    """

    def __init__(
        self,
        name: str,
        process: ForeignProcess,
        strict: bool = True,
        known: tuple[str, ...] | None = None,
        cure: str | None = None,
        where_imported: str | None = None,
    ) -> None:
        self.name = name
        self._cure = cure
        self._where_imported = where_imported
        self._known = known
        self._process = process
        self._strict = strict

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        if self._known is not None and network.type.lower() not in self._known:  # no process for what it hasn't
            return Passed(self.name, f"has no {network.type}")
        unusable = self._process.open()
        if unusable is not None:
            return Passed(self.name, self.trouble() or f"cannot be used: {unusable}", failed=True, cure=self._remedy())
        replies = {
            reply["event"]: reply for reply in self._process.measure(network.type, dict(network.arguments), scale)
        }
        if "unknown" in replies:
            trouble = self.trouble()
            reason = f"has no {network.type} that could be imported: it {trouble}" if trouble else f"has no {network.type}"
            return Passed(self.name, reason, bool(trouble), self._remedy() if trouble else None)
        if "lacking" in replies:
            return Passed(self.name, lacking_in_words(network, replies["lacking"]), cure=NAME_ANOTHER)
        if "built" not in replies:
            reason = f"could not build {network.type}: {replies['failed']['reason']}"
            return Passed(self.name, reason, failed=self._strict, cure=self._remedy())
        return self._fingerprint(network, scale, replies)

    def _remedy(self) -> str | None:
        return self._where_imported if self._process.missing and self._where_imported else self._cure

    def types(self) -> tuple[str, ...]:
        if self._known is not None:
            return self._known
        return () if self._process.open() else tuple(self._process.types)

    def close(self) -> None:
        self._process.close()

    def trouble(self) -> str | None:
        if self._known is not None:
            return None
        unusable = self._process.open()
        if self._process.missing:
            return f"cannot be imported whole, as {_missing_in_words(self._process.missing)} not installed beside autocal"
        if unusable is not None:
            return f"cannot be used: {unusable}"
        failed = self._process.unimported
        if not failed:
            return None
        name, reason = failed[0]
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        return f"lacks some: of its architectures {name} could not be imported ({reason}){more}"

    def _fingerprint(
        self, network: NetworkOptions, scale: int | None, replies: dict[str, dict[str, Any]]
    ) -> NetworkFingerprint:
        built, counted = replies["built"], replies.get("counted")
        findings: tuple[Finding, ...] = (
            *(argument_findings(network, self.name, replies["signature"], built) if self._strict else ()),
            *count_findings(network, scale, replies),
        )
        own = replies["signature"]["scale"]
        return NetworkFingerprint(
            type=network.type,
            scale=own if isinstance(own, int) else scale,
            parameters=built["parameters"],
            macs_per_pixel=round(counted["macs_per_pixel"], 1) if counted else None,
            builder=self.name,
            structure=built["structure"],
            findings=findings,
        )


@dataclass(slots=True)
class Absent:
    """A source that is not at hand, with the reason; and what it could build, were it at hand as `cure` says."""

    name: str
    reason: str
    cure: str
    would_know: Container[str]

    def measure(self, network: NetworkOptions, scale: int | None) -> Passed:  # noqa: ARG002
        if network.type.lower() not in self.would_know:
            return Passed(self.name, f"has no {network.type}")
        return Passed(self.name, self.reason, cure=f"{self.cure} ({self.name} has {network.type}).")

    def types(self) -> tuple[str, ...]:
        return ()

    def trouble(self) -> str:
        return self.reason

    def close(self) -> None:
        return


def trainer(checkout: Checkout, scale: int | None) -> Foreign:
    """The registry of a trainer's checkout."""
    kind = checkout.kind
    spec = {
        "source": "trainer",
        "folder": str(checkout.folder),
        "package": kind.package,
        "registries": kind.registries,
        "gives_scale": kind.gives_scale,
        "scale_at_import": kind.scale_at_import,
        "scale": scale,
    }
    name, elsewhere = f"{kind.name} ({checkout.named_by})", _in_its_environment(checkout.folder)
    return Foreign(name, ForeignProcess(spec), where_imported=elsewhere)


def _missing_in_words(packages: Sequence[str]) -> str:
    if len(packages) == 1:
        return f"the package {packages[0]} is"
    return f"the packages {', '.join(packages[:-1])} and {packages[-1]} are"


def _in_its_environment(folder: Path) -> str:
    """How autocal is run where the trainer's own packages are."""
    places = [folder / name / "bin" / "python" for name in ENVIRONMENTS]
    places += [folder / name / "Scripts" / "python.exe" for name in ENVIRONMENTS]
    python = next((str(place) for place in places if place.is_file()), None)
    where = "" if python else ", after activating the environment in which it trains"
    command = shlex.join([python or "python", "-m", "autocal_cli", "calibrate", "CONFIG", "--trainer", str(folder)])
    install = shlex.join([python or "python", "-m", "pip", "install", "autocal-cli"])
    return f"Run autocal in the trainer's own environment{where}: {install}, then {command}"


def spandrel() -> Foreign | Absent:
    """spandrel, if it is installed."""
    if not spandrel_installed():
        return Absent("spandrel", "is not installed", "pip install 'autocal-cli[spandrel]'", spandrel_types())
    process, known = ForeignProcess({"source": "spandrel"}), tuple(spandrel_types())
    return Foreign("spandrel", process, strict=False, known=known, cure=NAME_ANOTHER)


def own_callable(named: str) -> Foreign:
    """A callable of the user's, `module:name`. Raises AutocalError where it is not written so."""
    module, colon, name = named.partition(":")
    if not (module and colon and name):
        raise AutocalError(f"--network should be module:callable. Found {named}.", fix="For example my_archs:MyNet.")
    cure = "Mend what --network names, or leave it out: so long as it fails, another builder speaks."
    return Foreign(named, ForeignProcess({"source": "own", "callable": named}), cure=cure)
