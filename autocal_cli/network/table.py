"""The packaged table of networks: what trainers register by name, measured by their own constructors.

`presets/networks/*.jsonl`, one file a repository, one line a type, made by benchmarks/network_table.py. A look-up reads
one line and needs neither torch nor the trainer. The rules of a registry hold: traiNNer-redux compares names in lower
case and hands the config's scale to a generator's constructor, BasicSR and neosr take names as they are written, neosr
reads the scale of the config, BasicSR the arguments of `network_g` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import in_words
from autocal_cli.network.model import NAME_ANOTHER, NetworkFingerprint, Passed
from autocal_cli.network.subprocess.client import argument_findings, count_findings
from autocal_cli.packaged import preset_text

Role = Literal["generator", "discriminator"]
Arguments = Mapping[str, Value]

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
BUILT_IN = "built-in"  # no trainer: autocal's own networks, asked by their builder alone
SCALE_ARGUMENTS = ("scale", "upscale")


@dataclass(frozen=True, slots=True)
class Origin:
    """The repository whose constructors were measured; `trainer` is autocal's name of it."""

    trainer: str
    repository: str
    commit: str

    def __str__(self) -> str:
        return f"{self.repository} at {self.commit[:7]}"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a constructor.

    `default` is None where there is none (see `required`) or where it is null. `kinds` are those of
    `signature.describe`, empty where it doesn't say. `inert`: other values were tried, beside the defaults, and changed
    neither the parameters nor the MACs.
    """

    default: Value = None
    has_default: bool = False
    kinds: tuple[Any, ...] = ()
    required: bool = False
    inert: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """What a constructor takes. `ignores`: an argument that it doesn't have goes unnoticed; else it is refused."""

    arguments: Mapping[str, Argument]
    ignores: bool
    origin: Origin


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
class Found:
    """The entry of a type that is nearest to what was asked.

    `differing`: by argument, the value asked and the entry's, of those that may change the size; empty where the entry
    is the network that was asked for. The scale is among them, as `scale`.
    """

    entry: Entry
    signature: Signature
    differing: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)

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


def signature_of(trainer: str | None, type: str, role: Role = "generator") -> Signature | None:
    """What the constructor takes that a trainer registers under `type`, also where it could not be built."""
    line = find_line(trainer, type, role)
    return line.signature if line else None


def all_types(role: Role = "generator") -> tuple[str, ...]:
    """What any of the trainers registers and could be measured, sorted; one of several spellings."""
    named = {type.lower(): type for name in reversed(FILES) for type in _types_in(name, role, measured=True)}
    return tuple(named[name] for name in sorted(named))


@dataclass(frozen=True, slots=True)
class Line:
    """A type of one repository. `scaled`: its entries are by the config's scale."""

    signature: Signature
    sizes: tuple[Entry, ...]
    scaled: bool
    hands_scale: bool


def find_line(trainer: str | None, type: str, role: Role = "generator") -> Line | None:
    """The line of a type, by the trainer's own registry, then by the others'."""
    for name in _files_for(trainer):
        line = _line_in(name, type, role)
        if line is not None:
            return line
    return None


def _files_for(trainer: str | None) -> tuple[str, ...]:
    if trainer == BUILT_IN:
        return (BUILT_IN,)
    own = OWN.get(trainer or "", ())
    return (*own, *(name for name in FILES if name not in own))


def _line_in(name: str, type: str, role: Role) -> Line | None:
    head = _header(name)
    wanted = type if head["case_matters"] else type.lower()
    raw = _raw_line(name, wanted, role)
    if raw is None and wanted in head["same"] and "like" in head:
        raw = _raw_line(head["like"], wanted, role)
    return None if raw is None else _line(raw, head)


def _raw_line(name: str, type: str, role: Role) -> Mapping[str, Any] | None:
    text = _text(name)
    start = text.find('\n{"type":' + json.dumps(type) + f',"role":"{role}"')
    if start < 0:
        return None
    end = text.find("\n", start + 1)
    return dict(json.loads(text[start + 1 : end if end > 0 else len(text)]))


def _line(raw: Mapping[str, Any], head: Mapping[str, Any]) -> Line:
    origin = Origin(head["trainer"], head["repository"], head["commit"])
    arguments = {name: _argument(facts) for name, facts in raw.get("arguments", {}).items()}
    signature = Signature(arguments, bool(raw.get("ignores")), origin)
    sizes = tuple(_entry(size) for size in raw.get("sizes", ()))
    return Line(signature, sizes, any(size.scale is not None for size in sizes), head["hands_scale"])


def _argument(facts: Mapping[str, Any]) -> Argument:
    return Argument(
        default=facts.get("default"),
        has_default="default" in facts,
        kinds=tuple(facts.get("kinds", ())),
        required=bool(facts.get("required")),
        inert=facts.get("effect") == "none",
    )


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


def _scale_handed(line: Line, arguments: Arguments, scale: int | None) -> int | None:
    """The scale that the entries are compared by: the config's, or what the constructor takes where it has none."""
    if not line.scaled:
        return None
    known = [name for name in SCALE_ARGUMENTS if name in line.signature.arguments]
    own = [value for name in known if isinstance(value := arguments.get(name), int)]
    defaults = [value for name in known if isinstance(value := line.signature.arguments[name].default, int)]
    said = [scale, *own] if line.hands_scale else [*own, scale]
    return next((value for value in (*said, *defaults) if value is not None), None)


def _compared(line: Line, entry: Entry, arguments: Arguments, scale: int | None, probed: bool) -> Found:
    """What sets a network apart from an entry. Inert arguments were seen to be so beside those of the `probed`."""
    known = line.signature.arguments
    given = {name: value for name, value in arguments.items() if name in known or name in entry.arguments}
    if line.scaled:
        given = {name: value for name, value in given.items() if name not in SCALE_ARGUMENTS}
    differing: dict[str, tuple[Value, Value]] = {}
    if scale != entry.scale:
        differing["scale"] = (scale, entry.scale)
    for name in dict.fromkeys([*given, *entry.arguments]):
        argument = known.get(name, Argument())
        asked = given.get(name, argument.default)
        measured = entry.arguments.get(name, argument.default)
        unsaid = not argument.has_default and name not in entry.arguments
        if (unsaid or not alike(asked, measured)) and not (argument.inert and (probed or not entry.arguments)):
            differing[name] = (asked, measured)
    return Found(entry, line.signature, differing)


def alike(one: Value, other: Value) -> bool:
    """Whether two values are the same to a constructor: 4 and 4.0 are, 1 and true are not."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


def _types_in(name: str, role: Role, measured: bool = False) -> Iterator[str]:
    for raw in _text(name).splitlines()[1:]:
        if f'"role":"{role}"' in raw[:200] and not (measured and '"sizes":[{' not in raw):
            yield json.loads(raw[8 : raw.index(",")])
    if "like" in _header(name):
        same = set(_header(name)["same"])
        yield from (type for type in _types_in(_header(name)["like"], role, measured) if type in same)


@cache
def _header(name: str) -> dict[str, Any]:
    return dict(json.loads(_text(name).partition("\n")[0]))


@cache
def _text(name: str) -> str:
    return preset_text(f"networks/{name}.jsonl")


# Builders that answer from the table: `Packaged` with what was measured, `Nearest` with what is near.


NAME = "packaged table"


class Packaged:
    """What the trainers register by name, with the arguments that were measured. `trainer` is the config's."""

    name = NAME

    def __init__(self, trainer: str | None = None) -> None:
        self._trainer = trainer

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        """See `Builder.measure`."""
        found = find(self._trainer, network, scale)
        if found is None:
            return Passed(self.name, f"has no {network.type}")
        if not found.exact:
            return Passed(self.name, f"has {network.type}, but {_in_words(found)}")
        return _fingerprint(found, network, scale, tuple(_about(self._trainer, found, network, scale)))

    def types(self) -> tuple[str, ...]:
        return (*all_types("generator"), *all_types("discriminator"))

    def trouble(self) -> None:
        return None


class Nearest:
    """The entry of the same type that is nearest, for networks that nobody at hand could build; said as such."""

    name = f"nearest of the {NAME}"

    def __init__(self, trainer: str | None = None) -> None:
        self._trainer = trainer

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        """See `Builder.measure`."""
        found = find(self._trainer, network, scale)
        if found is None:
            return Passed(self.name, f"has no {network.type}")
        message = (
            f"nobody here could build {network.type} with these arguments; the nearest one that is known stands in, "
            f"with {_in_words(found)} ({found.entry.parameters:,} parameters)."
        )
        stands_in = Finding("network-nearest", "info", message, NAME_ANOTHER, network.place)
        findings = (stands_in, *_about(self._trainer, found, network, found.entry.scale))
        return _fingerprint(found, network, scale, findings)

    def types(self) -> tuple[str, ...]:
        """None of its own: what it has, `Packaged` names."""
        return ()

    def trouble(self) -> None:
        return None


def find(trainer: str | None, network: NetworkOptions, scale: int | None) -> Found | None:
    generator = look_up(trainer, network.type, network.arguments, scale)
    return generator or look_up(trainer, network.type, network.arguments, None, "discriminator")


def _fingerprint(
    found: Found, network: NetworkOptions, scale: int | None, findings: tuple[Finding, ...]
) -> NetworkFingerprint:
    entry = found.entry
    return NetworkFingerprint(
        type=network.type,
        scale=entry.scale or scale,
        parameters=entry.parameters,
        macs_per_pixel=entry.macs_per_pixel,
        builder=f"{NAME} ({found.signature.origin})",
        structure=entry.structure if found.exact else None,
        findings=findings,
    )


def _in_words(found: Found) -> str:
    """What the entry has instead: `dim 64 instead of 96 and scale 4 instead of 6`."""
    clauses = [f"{name} {in_words(has)} instead of {in_words(asked)}" for name, (asked, has) in found.differing.items()]
    return " and ".join(clauses)


def _about(trainer: str | None, found: Found, network: NetworkOptions, scale: int | None) -> Iterator[Finding]:
    """What is to be said of the arguments, where the constructor is the trainer's own, and of the count."""
    entry, signature = found.entry, found.signature
    if signature.origin.trainer == trainer:
        yield from check_arguments(network, signature)
    if entry.macs_per_pixel is None:
        counted: Mapping[str, Any] = {"uncounted": {"reason": "its forward pass did not run where the table was made"}}
    else:
        size = {"frames": entry.frames, "side": entry.side, "enlargement": entry.enlarges}
        counted = {"counted": size}
    yield from count_findings(network, scale, {"signature": {"scale": entry.scale}, **counted})


def check_arguments(network: NetworkOptions, signature: Signature) -> Iterator[Finding]:
    """Arguments that a constructor refuses, ignores, misses, or takes as another kind of value."""
    known = signature.arguments
    odd = [name for name in network.arguments if name not in known]
    accepted = {name: list(argument.kinds) or None for name, argument in known.items()}
    described = {"accepted": accepted, "swallows": signature.ignores}
    reached = {"rejected": [] if signature.ignores else odd, "swallowed": odd if signature.ignores else [], "inner": []}
    yield from argument_findings(network, str(signature.origin), described, reached)
    for name, argument in known.items():
        if argument.required and name not in network.arguments and name != "scale":
            message = f"the network {network.type} needs the argument {name!r}, and the trainer ends without it."
            yield Finding("network-argument-missing", "error", message, f"Write {name} in its section.", network.place)
