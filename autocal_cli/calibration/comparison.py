"""Two configs' schedules side by side: every value, and of each parameter the steps that made it differ.

Pure: what is read and measured of the two configs comes in as two `Schedule` records.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from autocal_cli.calibration.block import block_schema, leaves, same_value
from autocal_cli.calibration.model import PARAMETERS, Calibration, Number, Parameter, Presets, Step
from autocal_cli.config.model import RECORD_KEY, KeyPath, LossTerm, TrainingConfig, Value

SAME_EFFECT = 1e-3  # relative; trails hold five significant digits, also of a momentum close to 1

Origin = Literal["record", "calibrated", "by hand"]
Section = Literal["network", "run", "losses", "dataset", "parameters", "phases", "stability", "block"]
SECTIONS: tuple[Section, ...] = get_args(Section)
Facts = dict[tuple[Section, str], Value]


@dataclass(frozen=True, slots=True)
class Schedule:
    """One side: a config and its schedule, which its record tells, or which was calibrated for the comparison.

    By hand, `calibration.parameters` holds only those that stand in the block.
    """

    path: str
    origin: Origin
    config: TrainingConfig
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class StepPair:
    """What one step did on either side; None where it was not taken."""

    a: Step | None
    b: Step | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One value on both sides, None where there is none; `steps` are those of its trails that are not alike."""

    section: Section
    name: str
    a: Value
    b: Value
    steps: tuple[StepPair, ...] = ()

    @property
    def differs(self) -> bool:
        return not (same_value(self.a, self.b) or repr(self.a) == repr(self.b))  # the latter for .nan


def compare(a: Schedule, b: Schedule, presets: Presets) -> tuple[Difference, ...]:
    """Every value of either schedule, section by section, whether it differs or not."""
    known = block_schema(presets).keys()
    ours, theirs = _facts(a, known), _facts(b, known)
    keys = [key for key in {**ours, **theirs} if (ours.get(key), theirs.get(key)) != (None, None)]
    return tuple(
        Difference(section, name, ours.get((section, name)), theirs.get((section, name)), _steps(section, name, a, b))
        for section, name in sorted(keys, key=lambda key: SECTIONS.index(key[0]))
    )


def _facts(side: Schedule, known: Collection[KeyPath]) -> Facts:
    config, calibration = side.config, side.calibration
    network, dataset = calibration.network, calibration.dataset
    facts: Facts = {
        ("network", "type"): network.type,
        ("network", "parameters"): network.parameters,
        ("network", "MACs per pixel"): None if network.macs_per_pixel is None else round(network.macs_per_pixel),
        ("network", "scale"): network.scale,
        ("network", "nearest preset"): calibration.placement.variant,
        ("network", "placement"): calibration.placement.match,
        ("network", "version of the presets"): calibration.presets_version,
        ("run", "total_iter"): config.total_iter,
        ("run", "calibrated for"): calibration.total_iter if calibration.total_iter != config.total_iter else None,
        ("run", "batch_size"): config.batch_size,
    }
    facts |= {("losses", name): weight for name, weight in _weights(config.losses)}
    facts |= {("dataset", name): score for name, score in calibration.dataset_info.items()}
    facts |= {("dataset", "images read"): dataset.read if dataset else None}
    facts |= {("dataset", "identity"): dataset.identity if dataset else None}
    facts |= {("parameters", name): _value(calibration.parameters.get(name)) for name in PARAMETERS}
    for phase in calibration.phases:
        facts[("phases", f"{phase.name}.until")] = phase.until
        facts[("phases", f"{phase.name}.rate")] = phase.rate
    facts |= {("stability", name): value for name, value in calibration.stability.items()}
    return facts | {("block", name): value for name, value in _rest(side, known)}


def _weights(losses: tuple[LossTerm, ...]) -> Iterator[tuple[str, float]]:
    """The weight of every loss by its type in lower case; a second one of a type is `l1loss 2`."""
    seen: dict[str, int] = {}
    for loss in losses:
        name = loss.type.lower()
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name} {seen[name]}"
        yield label, loss.weight
        if loss.style_weight:
            yield f"{label} (style)", loss.style_weight


def _rest(side: Schedule, known: Collection[KeyPath]) -> Iterator[tuple[str, Value]]:
    """What the block holds beside what is calibrated: the scheduler's own keys, and keys that autocal does not know."""
    block = side.config.block
    values = block.values if block else {}
    enabled = values.get("enabled")
    yield "enabled", True if enabled is None else enabled
    yield "mode", values.get("mode") or "act"
    for path, value in leaves(values):
        if path not in known and path[0] != RECORD_KEY:
            yield ".".join(path), value


def _value(parameter: Parameter | None) -> Value:
    return None if parameter is None else parameter.value


def _steps(section: Section, name: str, a: Schedule, b: Schedule) -> tuple[StepPair, ...]:
    """The steps that are not alike. Where two values differ there is at least one."""
    if section != "parameters":
        return ()
    trails = [side.calibration.parameters.get(name) for side in (a, b)]
    ours, theirs = (parameter.trail if parameter else () for parameter in trails)
    pairs = _aligned(ours, theirs)
    telling = tuple(pair for pair in pairs if not _alike(name, pair))
    if telling or same_value(*(_value(parameter) for parameter in trails)):
        return telling
    return tuple(pair for pair in pairs if pair.a is None or pair.b is None or pair.a.after != pair.b.after)


def _aligned(ours: tuple[Step, ...], theirs: tuple[Step, ...]) -> list[StepPair]:
    """The steps of both trails in order, those of one code side by side."""
    match = difflib.SequenceMatcher(None, [*map(_role, ours)], [*map(_role, theirs)], autojunk=False)
    pairs = []
    for tag, start, end, other_start, other_end in match.get_opcodes():
        if tag == "equal":
            matched = zip(ours[start:end], theirs[other_start:other_end], strict=True)
            pairs += [StepPair(one, other) for one, other in matched]
        else:
            pairs += [StepPair(step, None) for step in ours[start:end]]
            pairs += [StepPair(None, step) for step in theirs[other_start:other_end]]
    return pairs


def _role(step: Step) -> str:
    """Whichever preset it is, it is where a trail starts."""
    return "preset" if step.code.startswith("preset.") else step.code


def _alike(name: str, pair: StepPair) -> bool:
    """Whether a step does the same on both sides, wherever it starts from. Rounding only follows the other steps."""
    one, other = pair.a, pair.b
    known = one or other
    if known is None or known.code == "rounding":
        return True
    if one is None or other is None:
        return known.before == known.after
    if one.before is None or other.before is None or one.code == "manual" or one.code.startswith("bound-"):
        return (one.code, one.after) == (other.code, other.after)
    # equal factors after / before, crosswise: a record may hold a 0
    crosswise = (
        _reach(name, one.after) * _reach(name, other.before),
        _reach(name, other.after) * _reach(name, one.before),
    )
    return math.isclose(*crosswise, rel_tol=SAME_EFFECT)


def _reach(name: str, value: Number) -> float:
    """What a rule multiplies: of momentum its distance from 1, which is 1 / time constant."""
    return 1 - value if name == "momentum" else value
