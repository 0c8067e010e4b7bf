"""The keys of a `dynamic_loss_scheduling` block: what each is, and what it may hold.

What a user wrote is checked against this, and `autocal schema` tells it to editors. Ranges are those within which the
scheduler is defined at all, far wider than what is sensible.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from autocal_cli.calibration.model import PRESET_PARAMETERS, Presets, as_letters
from autocal_cli.config.model import BLOCK_KEY, RECORD_KEY, KeyPath, SchedulingBlock, Value
from autocal_cli.config.yaml.scalars import write_scalar
from autocal_cli.errors import AutocalError, Finding, Place, Severity

RECORD_VERSION = 3
MARK = 3  # letters of a digest that stand for its key

# The fork's create_dynamic_loss_scheduler hands these to DynamicLossScheduler's constructor, which raises on any other
# key (the trainer then goes on unscheduled); with `auto_calibrate: true` it reads three more itself
# (traiNNer/losses/dynamic_loss_scheduling.py of delafer/traiNNer-redux at b676e3a).
NATIVE_VALUES = ("enabled", *PRESET_PARAMETERS)
NATIVE_KEYS = frozenset(
    {*NATIVE_VALUES, "auto_calibrate", "enable_monitoring", "architecture_type", "training_config", "dataset_info"}
)


@dataclass(frozen=True, slots=True)
class Field:
    """A boolean, one of `words`, or a number between `low` and `high`; `open_low`, `open_high`: that bound excluded.

    `description` says in a line or two what the key does.
    """

    type: Literal["number", "whole number", "boolean", "word"]
    description: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    words: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What is accepted, in words."""
        if self.type in ("boolean", "word"):
            return " or ".join(self.words or ("true", "false"))
        low = [f"{'above' if self.open_low else 'at least'} {self.low:g}"] if self.low > -math.inf else []
        high = [f"{'below' if self.open_high else 'at most'} {self.high:g}"] if self.high < math.inf else []
        return f"a {self.type}, {' and '.join(low + high)}" if low or high else f"a {self.type}"

    def accepts(self, value: Value) -> bool:
        if self.type in ("boolean", "word"):
            return value in self.words if self.words else isinstance(value, bool)
        if isinstance(value, bool) or not isinstance(value, int if self.type == "whole number" else int | float):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below and abs(value) <= sys.float_info.max  # nor is a larger whole number one to a trainer


def _number(interval: str, description: str) -> Field:
    """A number in an interval: `[0, 1)` from 0 to below 1."""
    low, high = map(float, interval[1:-1].split(","))
    return Field("number", description, low, high, open_low=interval[0] == "(", open_high=interval[-1] == ")")


def _score(what: str) -> Field:
    told = f"{what}, 0 to 1: a percentile among ordinary photographs. Measured where it is not written by hand."
    return _number("[0, 1]", told)


_FIXED: Mapping[str, Field] = {
    "enabled": Field("boolean", "Whether the losses are watched at all; when false the configured weights stay."),
    "auto_calibrate": Field(
        "boolean",
        "true: autocal chooses what is not written by hand. false: nothing is chosen; a resolved block says so, and a "
        "block by hand is left alone.",
    ),
    "momentum": _number(
        "[0, 1)",
        "Memory of the averages of fidelity and separation, 1 / (1 - momentum) steps; longer where the noise asks for "
        "it.",
    ),
    "adaptation_rate": _number(
        "(0, 1]",
        "How far a step moves the logarithm of the adversarial losses' multiplier; up to ten times that far outside.",
    ),
    "adaptation_threshold": _number(
        "[0, inf]", "Dead band around the edges of the budget and of the separation, as a part of each."
    ),
    "min_weight": _number("(0, 1]", "The lowest multiplier of the adversarial losses."),
    "max_weight": _number("[1, inf]", "The highest multiplier of the adversarial losses."),
    "baseline_iterations": Field(
        "whole number",
        "Memory of the reference, in steps: the fidelity at the start against which the cost is counted.",
        low=1,
    ),
    "fidelity_budget": _number(
        "(0, 3]", "How many dB of PSNR the adversarial losses may cost before they are lowered."
    ),
    "mode": Field("word", "act: the multiplier moves. observe: it is only reported.", words=("act", "observe")),
    "training_config.total_iterations": Field(
        "whole number", "Steps of the run. It counts only where the trainer's own train.total_iter is missing.", low=1
    ),
    "training_config.dataset_info.texture_variance": _score("Texture of the training images"),
    "training_config.dataset_info.edge_density": _score("Density of edges in the training images"),
    "training_config.dataset_info.color_variation": _score("Variety of colour in the training images"),
    "training_config.dataset_info.overall_complexity": _score("Complexity of the training images, from all three"),
    "stability.spike_z": _number("(0, inf]", "A loss that many standard deviations above its average is a spike."),
    "stability.cusum_k": _number(
        "[0, inf]", "Slack a step of the CUSUM that watches for divergence, in standard deviations."
    ),
    "stability.cusum_h": _number("(0, inf]", "The sum at which the CUSUM calls a loss diverging."),
}

_SECTIONS: Mapping[KeyPath, str] = {
    (): "Keeps the adversarial losses within a budget of fidelity during training; `autocal calibrate` fills it in.",
    ("phases",): "How fast the multiplier moves over the run. Each phase ends later than the one before it.",
    ("stability",): "The watch on every loss: when it speaks.",
    ("training_config",): "What the schedule is calibrated for, where it is written by hand.",
    ("training_config", "dataset_info"): "Scores of the training images: percentiles among ordinary photographs.",
    (RECORD_KEY,): "autocal's record of the calibration, by which it tells its values from yours. Not to be edited.",
}


def block_schema(presets: Presets) -> dict[KeyPath, Field]:
    """Every key path of a block that autocal knows, in the order in which a resolved block holds them."""
    schema = {tuple(name.split(".")): field for name, field in _FIXED.items()}
    for phase in presets.phases:
        path, named = ("phases", phase.name), f"phase {phase.name}"
        schema[(*path, "until")] = _number("(0, 1]", f"The {named} ends at this share of the run.")
        schema[(*path, "rate")] = _number("[0, inf]", f"In the {named}, adaptation_rate times this.")
    return schema


def block_sections(presets: Presets) -> dict[KeyPath, str]:
    """What every mapping within a block is for, the block itself at ()."""
    phases: dict[KeyPath, str] = {
        ("phases", phase.name): f"The {phase.name} phase of the run." for phase in presets.phases
    }
    return {**_SECTIONS, **phases}


def check_value(path: KeyPath, value: Value, field: Field, place: Place | None) -> tuple[Value, Finding | None]:
    """A hand-written value as the number it means.

    A number that YAML reads as text (`1e-6`) is taken as the number, with a finding. Raises AutocalError, with the
    place, for anything that the field does not accept.
    """
    name, number = ".".join(path), value
    if isinstance(value, str) and field.type in ("number", "whole number"):
        with contextlib.suppress(ValueError):
            number = float(value)
    if field.type == "whole number" and isinstance(number, float) and number.is_integer():
        number = int(number)  # 50.0, or 4.0e+4
    if not field.accepts(number):
        raise AutocalError(f"`{name}` should be {field.told}. Found {shown(value)}.", place=place)
    if isinstance(number, str | list | dict) or not isinstance(value, str):
        return number, None
    message = f"`{name}: {value}` is text to the trainer's reader; it is meant as the number {number!r}."
    severity: Severity = "warning" if field.type == "whole number" else "info"  # schedulers call float() on the others
    return number, Finding(
        "number-as-text", severity, message, f"`autocal calibrate` writes {write_scalar(number)}.", place
    )


def unknown_key(path: KeyPath, schema: Mapping[KeyPath, Field], place: Place | None) -> Finding:
    """A key that autocal does not know is kept and passed on, but said; one that is nearly a known one is misspelt."""
    name = ".".join(path)
    near = nearest_keys(name, schema)
    if near:
        message = f"`{BLOCK_KEY}.{name}` is no key that autocal knows, so that it does nothing."
        return Finding("misspelt-key", "warning", message, f"Did you mean `{near[0]}`?", place)
    return Finding(
        "unknown-key", "info", f"`{BLOCK_KEY}.{name}` is no key that autocal knows; it is kept.", None, place
    )


def nearest_keys(name: str, schema: Mapping[KeyPath, Field]) -> list[str]:
    """The known keys that a misspelt one resembles, nearest first."""
    return difflib.get_close_matches(name, [".".join(known) for known in schema], cutoff=0.75)


def shown(value: object) -> str:
    """A value as a message shows it, at most 60 characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


# What in a block is the user's own: hand-written values, told from those that autocal wrote by the block's record.
#
# Without a record every known key is the user's. With one, a key whose digest still fits is autocal's and is resolved
# anew; one that differs, or that the record lacks, is the user's.


MODE_KEY: KeyPath = ("auto_calibrate",)  # says who chooses, so that it is never an override itself


@dataclass(frozen=True, slots=True)
class Overrides:
    """The user's own values by key path, with what is to be said about them."""

    values: Mapping[KeyPath, Value]
    findings: tuple[Finding, ...]


def read_overrides(block: SchedulingBlock | None, settings: Mapping[KeyPath, Value], presets: Presets) -> Overrides:
    """The user's values: those in the block, and over them `settings` (from the command line, checked there).

    Raises AutocalError where a value in the block is not what its key accepts.
    """
    schema = block_schema(presets)
    values: dict[KeyPath, Value] = {}
    findings: list[Finding] = []
    refuse_foreign_record(block)
    own = written_by_autocal(block) if block else frozenset()
    for path, value in leaves(block.values) if block else ():
        place = block.place_of(path) if block else None
        if path[0] == RECORD_KEY:
            continue
        if path not in schema:
            refuse_wrong_shape(path, value, schema, place)
            findings += [] if is_section(path, schema) else [unknown_key(path, schema, place)]
        elif value is not None and path not in settings and path not in own:
            checked, finding = check_value(path, value, schema[path], place)
            findings += [finding] if finding else []
            values |= {path: checked} if path != MODE_KEY else {}
    merged = {**values, **settings}
    refuse_phases_out_of_order(merged, presets, block)
    return Overrides(merged, tuple(findings))


def wholly_manual(block: SchedulingBlock | None) -> bool:
    """`auto_calibrate: false` without a record: the user wants to be left alone."""
    return block is not None and block.values.get("auto_calibrate") is False and block.record is None


def written_by_autocal(block: SchedulingBlock) -> frozenset[KeyPath]:
    """The keys whose values are still those that autocal wrote, by the digests of its record. A phase is one key."""
    words, written = _words(block), set()
    for path, _ in leaves(block.values):
        unit, value = _unit(path), block.values.get(path[0])
        value = value.get(path[1]) if len(unit) > 1 and isinstance(value, dict) else value
        if value_digest(unit, value) == words.get(key_mark(unit)):
            written.add(path)
    return frozenset(written)


def kept_by_hand(block: SchedulingBlock) -> dict[KeyPath, Value]:
    """The values that the last calibration found set by hand and kept: whoever ran it was told of them."""
    words, keys = _words(block), leaves(block.values) if block.record else ()
    return {path: value for path, value in keys if path[0] != RECORD_KEY and key_mark(_unit(path)) not in words}


def _words(block: SchedulingBlock) -> dict[str, str]:
    """The words of the record, by the letters that stand for their key."""
    wrote = (block.record or {}).get("wrote")
    return {word[:MARK]: word for word in wrote.split()} if isinstance(wrote, str) else {}


def _unit(path: KeyPath) -> KeyPath:
    """The key that has a digest: a phase as a whole."""
    return path[:2] if path[0] == "phases" else path[:1]


def key_mark(path: KeyPath) -> str:
    """The letters that stand for a key in the words of a record."""
    return as_letters(hashlib.sha256(".".join(path).encode()).hexdigest()[:MARK])


def value_digest(path: KeyPath, value: Value) -> str:
    """A word of eight letters for a key and its value, by SHA-256: three tell the key; 5 and 5.0 have the same."""

    def plain(part: Value) -> str:
        if isinstance(part, dict):
            return "{" + ", ".join(f"{key}: {plain(inner)}" for key, inner in sorted(part.items())) + "}"
        number = isinstance(part, int | float) and not isinstance(part, bool) and abs(part) <= sys.float_info.max
        return repr(float(part)) if number else repr(part)  # type: ignore[arg-type]

    digest = hashlib.sha256(f"{'.'.join(path)}={plain(value)}".encode()).hexdigest()
    return key_mark(path) + as_letters(digest[: 8 - MARK])


def leaves(values: Mapping[str, Value], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Value]]:
    """The single values (and lists) of a nested mapping with their key paths, in order."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def same_value(one: Value, other: Value) -> bool:
    """Equal as a person would say: 5 is 5.0, but true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def is_section(path: KeyPath, schema: Mapping[KeyPath, object]) -> bool:
    """Whether known keys stand below `path`, as they do below `phases`."""
    return any(known[: len(path)] == path for known in schema)


def refuse_foreign_record(block: SchedulingBlock | None) -> None:
    """A `calibration` that is no record would be overwritten; a record of a later version would be misread."""
    found = block.values.get(RECORD_KEY) if block else None
    if block is None or found in (None, {}):
        return
    place, record = block.place_of((RECORD_KEY,)), block.record
    if record is None:
        message = f"`{RECORD_KEY}` is where autocal keeps its record. This is none."
        raise AutocalError(message, place=place, fix="Give your own key another name.")
    version = record["made"].get("record")
    if isinstance(version, int) and version != RECORD_VERSION:
        message = (
            f"The `{RECORD_KEY}` record has version {shown(version)}; this autocal reads version {RECORD_VERSION}."
        )
        older = "Take out the block, or the record, after which what stands in the block counts as set by hand."
        raise AutocalError(message, place=place, fix="Update autocal-cli." if version > RECORD_VERSION else older)


def refuse_phases_out_of_order(
    values: Mapping[KeyPath, Value], presets: Presets, block: SchedulingBlock | None
) -> None:
    """A phase that ends no later than the one before it would never come."""
    before, end = "", 0.0
    last: KeyPath = ("phases",)
    for phase in presets.phases:
        path: KeyPath = ("phases", phase.name, "until")
        until = values.get(path, phase.until)
        assert isinstance(until, int | float)
        if until <= end:
            message = (
                f"The phase {phase.name} ends at {until:g}, no later than {before} at {end:g}: it would never come."
            )
            place = block.place_of(path if path in values else last) if block else None
            raise AutocalError(message, place=place, fix="Let `until` rise.")
        before, end, last = phase.name, until, path


def refuse_wrong_shape(path: KeyPath, value: Value, schema: Mapping[KeyPath, object], place: Place | None) -> None:
    """`momentum: {a: 1}` and `phases: fast` put the wrong shape where autocal writes."""
    for length in range(1, len(path)):
        if path[:length] in schema:
            raise AutocalError(f"`{'.'.join(path[:length])}` should be a single value. Found a mapping.", place=place)
    if value not in (None, {}) and is_section(path, schema):
        raise AutocalError(f"`{'.'.join(path)}` should be a mapping. Found {shown(value)}.", place=place)
