"""The packaged table of networks: what trainers register by name, measured by their own constructors.

`presets/networks/*.jsonl`, one file a repository, one line a type, made by benchmarks/network_table.py. A look-up reads
one line and needs neither torch nor the trainer. The rules of a registry hold: traiNNer-redux compares names in lower
case and hands the config's scale to a generator's constructor, BasicSR and neosr take names as they are written, neosr
reads the scale of the config, BasicSR the arguments of `network_g` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import about_count, argument_findings, in_words
from autocal_cli.network.model import NAME_ANOTHER, Builder, NetworkFingerprint, Passed
from autocal_cli.packaged import preset_text

Role = Literal["generator", "discriminator"]
Arguments = Mapping[str, Value]

NAME = "packaged table"
# The files, in the order in which they are asked for a trainer; then the others.
FILES = (
    "trainner-redux",
    "trainner-redux-fork",
    "trainner-redux-phhofm",
    "paragonsr2",
    "basicsr",
    "real-esrgan",
    "neosr",
)
OWN = {
    "traiNNer-redux": ("trainner-redux",),
    "traiNNer-redux-fork": ("trainner-redux-fork", "trainner-redux-phhofm", "paragonsr2", "trainner-redux"),
    "BasicSR": ("basicsr",),
    "Real-ESRGAN": ("real-esrgan", "basicsr"),
    "neosr": ("neosr",),
}
# No trainers: autocal's own networks, and what ParagonSR2's first commits call the same; for their builder alone.
BUILT_IN, FIRST_COMMITS = "built-in", "paragonsr2-first"
SCALE_ARGUMENTS = ("scale", "upscale")


@dataclass(frozen=True, slots=True)
class Entry:
    """One network that was built and counted.

    `arguments` are those that it was given, `scale` the config's, None where that is not handed over. `macs_per_pixel`
    is None where they could not be counted; it holds for an image of `side` x `side`, or a clip of `frames` of them.
    `enlarges` is the side of the output over that of the input, None where the output is no image.
    """

    arguments: Arguments
    scale: int | None
    parameters: int
    macs_per_pixel: float | None
    structure: str
    side: int = 64
    frames: int | None = None
    enlarges: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What a repository registers under a type: what its constructor takes, and the networks that were measured.

    `arguments` has, by name, what is known of each: `default`; `kinds` (see `worker.describe`); `required`; and
    `effect`, which is "none" where other values, beside the defaults, changed neither parameters nor MACs, and "file"
    where it names one of weights. `ignores`: an argument that it doesn't have goes unnoticed; else it is refused,
    but for those that were let `fall`. `trainer` is autocal's name of the trainer.
    """

    trainer: str
    origin: str
    arguments: Mapping[str, Mapping[str, Any]]
    ignores: bool
    fall: frozenset[str]
    sizes: tuple[Entry, ...]
    hands_scale: bool

    @property
    def scaled(self) -> bool:
        """Whether its entries are by the config's scale."""
        return any(size.scale is not None for size in self.sizes)


@dataclass(frozen=True, slots=True)
class Found:
    """The entry of a type that is nearest to what was asked.

    `differing`: by argument, the value asked and the entry's, of those that may change the size; empty where the entry
    is the network that was asked for. The scale is among them, as `scale`.
    """

    entry: Entry
    line: Line
    differing: Mapping[str, tuple[Value, Value]]

    @property
    def exact(self) -> bool:
        return not self.differing


def look_up(
    trainer: str | None, type: str, arguments: Arguments, scale: int | None, role: Role = "generator"
) -> Found | None:
    """The measured network nearest to a config's; None where no trainer's registry has one of that type.

    `trainer` is the config's, by autocal's name; its own registry comes first, then the others'. `scale` is the
    config's own. Arguments that the constructor doesn't have are left out of the comparison.
    """
    line = find_line(trainer, type, role)
    if line is None or not line.sizes:
        return None
    handed = _scale_handed(line, arguments, scale)
    found = [_compared(line, entry, arguments, handed, probed=not index) for index, entry in enumerate(line.sizes)]
    return min(found, key=lambda one: ("scale" in one.differing, len(one.differing)))


def all_types(role: Role = "generator") -> tuple[str, ...]:
    """What any of the trainers registers and could be measured, sorted; one of several spellings."""
    named = {type.lower(): type for name in reversed(FILES) for type in _measured_types(name, role)}
    return tuple(named[name] for name in sorted(named))


def _measured_types(name: str, role: Role) -> Iterator[str]:
    for raw in _text(name).splitlines()[1:]:
        if f'"role":"{role}"' in raw[:200] and '"sizes":[{' in raw:
            yield json.loads(raw[8 : raw.index(",")])
    head = _header(name)
    if "like" in head:
        yield from (type for type in _measured_types(head["like"], role) if type in head["same"])


def find_line(trainer: str | None, type: str, role: Role = "generator") -> Line | None:
    """The line of a type, by the trainer's own registry, then by the others'; also where it could not be built."""
    own = OWN.get(trainer or "", ())
    for name in (trainer,) if trainer in (BUILT_IN, FIRST_COMMITS) else dict.fromkeys((*own, *FILES)):
        head = _header(name)
        wanted = type if head["case_matters"] else type.lower()
        raw = _raw_line(name, wanted, role)
        if raw is None and wanted in head["same"] and "like" in head:
            raw = _raw_line(head["like"], wanted, role)
        if raw is not None:
            return Line(
                trainer=head["trainer"],
                origin=f"{head['repository']} at {head['commit'][:7]}",
                arguments=raw.get("arguments", {}),
                ignores=bool(raw.get("ignores")),
                fall=frozenset(name for size in raw.get("sizes", ()) for name in size.get("swallowed", ())),
                sizes=tuple(_entry(size) for size in raw.get("sizes", ())),
                hands_scale=head["hands_scale"],
            )
    return None


def _raw_line(name: str, type: str, role: Role) -> dict[str, Any] | None:
    text = _text(name)
    start = text.find('\n{"type":' + json.dumps(type) + f',"role":"{role}"')
    return None if start < 0 else dict(json.loads(text[start + 1 :].partition("\n")[0]))


def _entry(size: Mapping[str, Any]) -> Entry:
    scale = size.get("scale")
    return Entry(
        arguments=size.get("with", {}),
        scale=scale,
        parameters=size["parameters"],
        macs_per_pixel=size.get("macs"),
        structure=size["structure"],
        side=size.get("side", 64),
        frames=size.get("frames"),
        enlarges=size.get("enlarges", scale if "macs" in size else None),
    )


@cache
def _header(name: str) -> dict[str, Any]:
    return dict(json.loads(_text(name).partition("\n")[0]))


@cache
def _text(name: str) -> str:
    return preset_text(f"networks/{name}.jsonl")


def _scale_handed(line: Line, arguments: Arguments, scale: int | None) -> int | None:
    """The scale that the entries are compared by: the config's, or what the constructor takes where it has none."""
    if not line.scaled:
        return None
    known = [name for name in SCALE_ARGUMENTS if name in line.arguments]
    own = [arguments.get(name) for name in known]
    defaults = [line.arguments[name].get("default") for name in known]
    said = [scale, *own] if line.hands_scale else [*own, scale]
    return next((value for value in (*said, *defaults) if isinstance(value, int)), None)


def _compared(line: Line, entry: Entry, arguments: Arguments, scale: int | None, probed: bool) -> Found:
    """What sets a network apart from an entry. Inert arguments were seen to be so beside those of the `probed`."""
    known = line.arguments
    given = {name: value for name, value in arguments.items() if name in known or name in entry.arguments}
    if line.scaled:
        given = {name: value for name, value in given.items() if name not in SCALE_ARGUMENTS}
    differing: dict[str, tuple[Value, Value]] = {}
    if scale != entry.scale:
        differing["scale"] = (scale, entry.scale)
    for name in dict.fromkeys([*given, *entry.arguments]):
        facts = known.get(name, {})
        asked = given.get(name, facts.get("default"))
        measured = entry.arguments.get(name, facts.get("default"))
        unsaid = "default" not in facts and name not in entry.arguments
        tried = facts.get("effect") == "none" and (probed or not entry.arguments)
        inert = tried or facts.get("effect") == "file"
        if (unsaid or not alike(asked, measured)) and not inert:
            differing[name] = (asked, measured)
    return Found(entry, line, differing)


def alike(one: Value, other: Value) -> bool:
    """Whether two values are the same to a constructor: 4 and 4.0 are, 1 and true are not."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


class Packaged(Builder):
    """The builder that answers from the table: what the trainers register by name, with
    the arguments that were measured.

    `trainer` is the config's. `nearest`: asked last, of networks that nobody at hand could build, with the entry of the
    same type that is nearest; said as such.
    """

    def __init__(self, trainer: str | None = None, nearest: bool = False) -> None:
        self.name = f"nearest of the {NAME}" if nearest else NAME
        self._trainer = trainer
        self._nearest = nearest

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        found = look_up(self._trainer, network.type, network.arguments, scale)
        found = found or look_up(self._trainer, network.type, network.arguments, None, "discriminator")
        if found is None:
            return Passed(self.name, f"has no {network.type}")
        entry, line = found.entry, found.line
        differing = " and ".join(
            f"{name} {in_words(has)} instead of {in_words(asked)}" for name, (asked, has) in found.differing.items()
        )
        findings: list[Finding] = []
        if self._nearest:
            message = (
                f"nobody here could build {network.type} with these arguments; the nearest one that is known stands "
                f"in, with {differing} ({entry.parameters:,} parameters)."
            )
            findings.append(Finding("network-nearest", "info", message, NAME_ANOTHER, network.place))
        elif not found.exact:
            return Passed(self.name, f"has {network.type}, but {differing}")
        if line.trainer == self._trainer:
            findings += check_arguments(network, line)
        uncounted = "its forward pass did not run where the table was made" if entry.macs_per_pixel is None else None
        config_scale = entry.scale if self._nearest else scale
        size = (entry.side, entry.frames, entry.enlarges)
        findings += about_count(network, config_scale, entry.scale, uncounted, *size, accepted=line.arguments)
        return NetworkFingerprint(
            type=network.type,
            scale=entry.scale or scale,
            parameters=entry.parameters,
            macs_per_pixel=entry.macs_per_pixel,
            builder=f"{NAME} ({line.origin})",
            structure=entry.structure if found.exact else None,
            findings=tuple(findings),
        )

    def types(self) -> tuple[str, ...]:
        return () if self._nearest else (*all_types("generator"), *all_types("discriminator"))


def check_arguments(network: NetworkOptions, line: Line) -> Iterator[Finding]:
    """Arguments that a constructor refuses, ignores, misses, or takes as another kind of value."""
    odd = [name for name in network.arguments if name not in line.arguments]
    kinds = {name: facts.get("kinds") for name, facts in line.arguments.items()}
    rejected = [name for name in odd if not line.ignores and name not in line.fall]
    yield from argument_findings(network, line.origin, kinds, rejected, [name for name in odd if name not in rejected])
    for name, facts in line.arguments.items():
        if facts.get("required") and name not in network.arguments and name != "scale":
            message = f"the network {network.type} needs the argument {name!r}, and the trainer ends without it."
            yield Finding("network-argument-missing", "error", message, f"Write {name} in its section.", network.place)
