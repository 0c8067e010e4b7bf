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
from autocal_cli.calibration.model import PARAMETERS, Calibration, Presets, Step
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
    config, calibration, block = side.config, side.calibration, side.config.block
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
    for name in PARAMETERS:
        facts["parameters", name] = calibration.parameters[name].value if name in calibration.parameters else None
    for phase in calibration.phases:
        facts |= {("phases", f"{phase.name}.until"): phase.until, ("phases", f"{phase.name}.rate"): phase.rate}
    facts |= {("stability", name): value for name, value in calibration.stability.items()}
    # What the block holds beside that: the scheduler's own keys, and keys that autocal does not know.
    values = block.values if block else {}
    enabled = values.get("enabled")
    facts |= {
        ("block", "enabled"): True if enabled is None else enabled,
        ("block", "mode"): values.get("mode") or "act",
    }
    own = [(path, one) for path, one in leaves(values) if path not in known and path[0] != RECORD_KEY]
    return facts | {("block", ".".join(path)): value for path, value in own}


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


def _steps(section: Section, name: str, a: Schedule, b: Schedule) -> tuple[StepPair, ...]:
    """The steps that are not alike; all that move a value, where one side alone is by hand. Where two values differ
    there is at least one."""
    if section != "parameters":
        return ()
    one, other = (side.calibration.parameters.get(name) for side in (a, b))
    pairs = _aligned(one.trail if one else (), other.trail if other else ())
    one_by_hand = sum(side is not None and side.manual for side in (one, other)) == 1  # what is alike ends there
    telling = tuple(pair for pair in pairs if not _alike(name, pair) or (one_by_hand and _moves(pair)))
    if telling or same_value(one.value if one else None, other.value if other else None):
        return telling
    return tuple(pair for pair in pairs if pair.a is None or pair.b is None or pair.a.after != pair.b.after)


def _aligned(ours: tuple[Step, ...], theirs: tuple[Step, ...]) -> list[StepPair]:
    """The steps of both trails in order, those of one code side by side; a trail starts with whichever preset."""
    one, other = (["preset" if s.code.startswith("preset.") else s.code for s in trail] for trail in (ours, theirs))
    match = difflib.SequenceMatcher(None, one, other, autojunk=False)
    pairs: list[StepPair] = []
    for tag, start, end, other_start, other_end in match.get_opcodes():
        if tag == "equal":
            pairs += map(StepPair, ours[start:end], theirs[other_start:other_end])
        else:
            pairs += [StepPair(step, None) for step in ours[start:end]]
            pairs += [StepPair(None, step) for step in theirs[other_start:other_end]]
    return pairs


def _moves(pair: StepPair) -> bool:
    steps = [step for step in (pair.a, pair.b) if step]
    return any(step.code != "rounding" and step.before not in (None, step.after) for step in steps)


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
    # Equal factors after / before, crosswise: a record may hold a 0. Of momentum a rule multiplies its distance from 1.
    before, after, other_before, other_after = (
        1 - value if name == "momentum" else value for value in (one.before, one.after, other.before, other.after)
    )
    return math.isclose(after * other_before, other_after * before, rel_tol=SAME_EFFECT)
