"""The block `dynamic_loss_scheduling`: where it stands, which keys it has, and whether the scheduler takes them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from autocal_cli.calibration.block import (
    NATIVE_KEYS,
    check_value,
    is_section,
    refuse_foreign_record,
    refuse_phases_out_of_order,
    refuse_wrong_shape,
    unknown_key,
)
from autocal_cli.calibration.model import PARAMETERS, WHOLE_NUMBERS, Presets
from autocal_cli.calibration.placement import place
from autocal_cli.calibration.resolved import read_record
from autocal_cli.calibration.rules import factor, significant
from autocal_cli.check.keys import walk
from autocal_cli.check.model import Checked
from autocal_cli.check.rule import nano, rule
from autocal_cli.config.model import BLOCK_KEY
from autocal_cli.config.yaml.document import MappingNode
from autocal_cli.config.yaml.scalars import write_scalar
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.model import NetworkFingerprint


@rule(
    "block/block-misplaced [error]: The block stands where nothing reads it",
    why="The scheduler is configured below `train`. Anywhere else a strict trainer refuses the config, and another "
    "trains unscheduled without a word.",
    source="traiNNer-redux, redux_options.py: `forbid_unknown_fields=True`; its fork declares the block below `train`",
    bad=nano() + "^dynamic_loss_scheduling:\n  auto_calibrate: true\n",
    good=nano("enabled: true", "auto_calibrate: true"),
)
def block_misplaced(checked: Checked) -> Iterator[Finding]:
    """A block anywhere else than where the trainer looks for it."""
    home = checked.layout.block
    for path, node in walk(checked.document.root):
        for pair in node.all_pairs(BLOCK_KEY) if isinstance(node, MappingNode) else ():
            if (*path, BLOCK_KEY) != home and BLOCK_KEY not in path:
                where = f"under `{'.'.join(path)}`" if path else "at the top level"
                message = f"`{BLOCK_KEY}` stands {where}, where nothing reads it."
                place = checked.document.place(pair.key.start)
                yield checked.finding("block-misplaced", message, f"Move it to `{'.'.join(home)}`.", place)


@rule(
    "block/block-rejected [info]: The trainer refuses the block",
    why="An unmodified traiNNer-redux reads its config into structures that take no unknown key, so it ends before "
    "the first step. `autocal run` keeps the block from its parser.",
    source="traiNNer-redux: `Object contains unknown field 'dynamic_loss_scheduling' - at '$.train'`",
    trainer="traiNNer-redux",
    bad=nano("enabled: true", "auto_calibrate: true").replace("dynamic", "^dynamic"),
    good=nano(),
)
@rule(
    "block/block-ignored [info]: The trainer takes no notice of the block",
    why="The block does no harm, and nothing either, until the scheduler is attached.",
    source="autocal itself",
    when="A config of BasicSR, Real-ESRGAN or neosr is calibrated.",
)
@rule(
    "block/block-not-native [info]: The fork's own scheduler cannot take the block",
    why="It knows flat keys alone, and trains unscheduled with any other.",
    source="autocal itself",
    when="A config of the fork is calibrated whose block holds more.",
)
def block_received(checked: Checked) -> Iterator[Finding]:
    """What the unmodified trainer makes of a config with a block in it, and what starts it all the same."""
    if checked.block is None or len(checked.layout.block) == 1:  # a sidecar is autocal's own
        return
    trainer, place = checked.layout.trainer, checked.block.place
    run = f"Start it with `autocal run train.py -opt {checked.config.path}`."
    if trainer == "neosr":  # whose discriminator has no gradient
        run = "Attach the scheduler in neosr's code (docs/runtime.md), which `autocal run` does not know."
    if checked.layout.on_block == "rejects":
        message = f"{trainer} by itself refuses a config with a `{BLOCK_KEY}` block; `autocal run` keeps it from it."
        yield checked.finding("block-rejected", message, run, place)
    elif checked.layout.on_block == "ignores":
        yield checked.finding("block-ignored", f"{trainer} by itself takes no notice of the block.", run, place)
    elif foreign := sorted({path[0] for path, _ in checked.leaves} - NATIVE_KEYS):
        message = f"The fork's own scheduler raises on {', '.join(foreign)}, and the fork then trains unscheduled."
        yield checked.finding("block-not-native", message, run, place)


def about_block(checked: Checked) -> Iterator[Finding]:
    """What `calibrate` tells of the block that it found."""
    yield from block_disabled(checked)
    yield from block_received(checked)


@rule(
    "block/block-disabled [info]: The block is switched off",
    why="With `enabled: false` the block is checked and calibrated like any other, but the losses keep the weights "
    "that you gave them.",
    source="the block's schema",
    bad=nano("enabled: ^false"),
    good=nano("enabled: true", "auto_calibrate: true"),
)
def block_disabled(checked: Checked) -> Iterator[Finding]:
    if checked.block is not None and checked.active is None:
        message = "The block says `enabled: false`: it stays switched off."
        yield checked.finding("block-disabled", message, "Write `enabled: true`.", checked.at("enabled"))


@rule(
    "block/record-unusable [error]: The record of a calibration cannot be used",
    why="`calibration` is where autocal keeps what it wrote and why. A key of one's own there would be overwritten, "
    "and a damaged or newer record would be misread.",
    source="the record's own format",
    bad=nano("auto_calibrate: true", "calibration: ^mine"),
    good=nano("enabled: true", "auto_calibrate: true"),
)
def record_unusable(checked: Checked) -> Iterator[Finding]:
    """A `calibration` that is no record, is of a later version, or was damaged."""
    try:
        refuse_foreign_record(checked.block)
        read_record(checked.block)
    except AutocalError as error:
        yield checked.finding("record-unusable", error.message, error.fix, error.place)


@rule(
    "block/misspelt-key [warning]: A key of the block is misspelt",
    why="A key that nobody knows is kept and ignored, so the value that was meant never takes effect.",
    source="the block's schema; likeness by difflib, 0.75: chosen, untested",
    fixable=True,
    bad=nano("auto_calibrate: true", "^momentun: 0.85"),
    good=nano("auto_calibrate: true", "momentum: 0.85"),
)
@rule(
    "block/unknown-key [info]: A key of the block is not known",
    why="Keys of one's own are allowed and kept; autocal does nothing with them, and some schedulers refuse them.",
    source="guide: `custom_param` beside `auto_calibrate: true`",
    bad=nano("auto_calibrate: true", "^custom_param: 123"),
    good=nano("enabled: true", "auto_calibrate: true"),
)
def unknown_keys(checked: Checked) -> Iterator[Finding]:
    for path, _ in checked.leaves:
        inside = any(path[:length] in checked.schema for length in range(1, len(path)))
        if path not in checked.schema and not inside and not is_section(path, checked.schema):
            place = checked.key_at((*checked.layout.block, *path)) or checked.at(*path)
            yield unknown_key(path, checked.schema, place)


@rule(
    "block/value-invalid [error]: A value that the scheduler cannot take",
    why="The scheduler is not defined for it: a momentum of 1 never forgets, a score beyond 1 is no percentile, a "
    "list is no number.",
    source="the block's schema (autocal_cli/calibration/block.py)",
    fixable=True,
    bad=nano("auto_calibrate: true", "training_config:", "  dataset_info: {texture_variance: ^1.7}"),
    good=nano("auto_calibrate: true", "training_config:", "  dataset_info: {texture_variance: 0.7}"),
)
@rule(
    "block/phases-out-of-order [error]: A phase would never come",
    why="Phases end at rising shares of the run; one that ends no later than the phase before it has no step of its "
    "own.",
    source="presets/phases.toml",
    bad=nano("auto_calibrate: true", "phases:", "  early: {until: ^0.9}"),
    good=nano("auto_calibrate: true", "phases:", "  early: {until: 0.2}"),
)
def invalid_values(checked: Checked) -> Iterator[Finding]:
    """Every value that the scheduler does not accept."""
    for path, value in checked.leaves:
        try:
            if path not in checked.schema:
                refuse_wrong_shape(path, value, checked.schema, checked.at(*path))
            elif value is not None and not (path in (("min_weight",), ("max_weight",)) and crossed(checked)):
                check_value(path, value, checked.schema[path], checked.at(*path))
        except AutocalError as error:
            fix = error.fix or "Write that, or delete it."
            yield checked.finding("value-invalid", error.message, fix, error.place)
    try:
        refuse_phases_out_of_order(checked.values, checked.presets, checked.block)
    except AutocalError as error:
        yield checked.finding("phases-out-of-order", error.message, error.fix, error.place)


@rule(
    "block/nothing-to-calibrate [warning]: Every parameter is set by hand beside `auto_calibrate: true`",
    why="What is written by hand always wins, so calibration has nothing left to choose; most often the values were "
    "meant to go.",
    source="guide: manual overrides",
    bad=nano(
        "auto_calibrate: ^true",
        "momentum: 0.85",
        "adaptation_rate: 0.015",
        "adaptation_threshold: 0.04",
        "min_weight: 1.0e-06",
        "max_weight: 5.0",
        "baseline_iterations: 50",
        "fidelity_budget: 1.0",
    ),
    good=nano("auto_calibrate: true", "momentum: 0.85"),
)
def everything_by_hand(checked: Checked) -> Iterator[Finding]:
    """`auto_calibrate: true` beside a value for everything that it could choose."""
    if checked.values.get(("auto_calibrate",)) is True and all((name,) in checked.by_hand for name in PARAMETERS):
        message = "`auto_calibrate: true`, but every parameter is set by hand: there is nothing left to calibrate."
        fix = "Delete those that should be chosen for you, or write `auto_calibrate: false`."
        yield checked.finding("nothing-to-calibrate", message, fix, checked.at("auto_calibrate"))


@rule(
    "values/value-unsupported [warning]: A value outside of what the network's preset supports",
    why="Small networks learn fast and need a quick, tightly bounded schedule; the values of a large one make them "
    "degrade. Supported is what calibration itself could write, and a quarter beyond.",
    source="guide: its wrong block for nano; the range: presets/rules.toml, margin chosen, untested",
    bad=nano("enabled: true", "momentum: ^0.95"),
    good=nano("enabled: true", "momentum: 0.85"),
)
def unsupported_values(checked: Checked) -> Iterator[Finding]:
    """Hand-written values outside of what the network's preset supports; both numbers are said."""
    for name in GUIDE_PARAMETERS:
        value = checked.by_hand.get((name,))
        if not isinstance(value, int | float) or (name == "max_weight" and value == 1):  # told by `idle_parameters`
            continue
        low, high, usual, told = supported(name, checked.network, checked.config.total_iter, checked.presets)
        if not low <= value <= high:
            preset = "" if usual is None else f" (preset: {usual:g})"
            reach = f"{significant(low, 3):g} to {significant(high, 3):g}{preset}"
            message = f"{name} {value:g} is {'above' if value > high else 'below'} what {told} supports: {reach}."
            fix = "Delete it, and `autocal calibrate` chooses it."
            if usual is not None and not (name == "max_weight" and checked.config.adversarial):  # raised by a rule
                usual = round(usual) if name in WHOLE_NUMBERS else usual
                fix = f"Write {write_scalar(usual)}, or delete it, and `autocal calibrate` chooses it."
            yield checked.finding("value-unsupported", message, fix, checked.at(name))


def crossed(checked: Checked) -> bool:
    low, high = (dict(checked.leaves).get((name,)) for name in ("min_weight", "max_weight"))
    return isinstance(low, int | float) and isinstance(high, int | float) and low > high


@rule(
    "values/weights-crossed [error]: min_weight is above max_weight",
    why="A multiplier would have to be above the one and below the other at once.",
    source="the scheduler's own rule",
    bad=nano("auto_calibrate: true", "min_weight: ^50.0", "max_weight: 5.0"),
    good=nano("auto_calibrate: true", "min_weight: 1.0e-06", "max_weight: 5.0"),
)
def weights_crossed(checked: Checked) -> Iterator[Finding]:
    if crossed(checked):
        low, high = (dict(checked.leaves)[(name,)] for name in ("min_weight", "max_weight"))
        message = f"min_weight {low} is above max_weight {high}: no multiplier lies between them."
        fix = "min_weight is at most 1 and max_weight at least 1."
        yield checked.finding("weights-crossed", message, fix, checked.at("min_weight"))


@rule(
    "values/baseline-past-run [error]: The baseline is as long as the run",
    why="The reference of fidelity averages over the baseline, so here it never settles.",
    source="the scheduler's own rule",
    bad=nano("auto_calibrate: true", "baseline_iterations: ^100", total_iter=100),
    good=nano("auto_calibrate: true", "baseline_iterations: 5", total_iter=100),
)
@rule(
    "values/baseline-past-early [warning]: The baseline is longer than the early phase",
    why="The reference of fidelity averages over the baseline. One longer than the early phase still moves when the "
    "law should have settled.",
    source="guide: early phase of 10%; calibrated baselines take at most 5% of the run: chosen, untested",
    bad=nano("auto_calibrate: true", "baseline_iterations: ^100", total_iter=900),
    good=nano("auto_calibrate: true", "baseline_iterations: 45", total_iter=900),
)
def baseline_too_long(checked: Checked) -> Iterator[Finding]:
    """A baseline that ends after the early phase, or never."""
    baseline, run = checked.number("baseline_iterations"), checked.config.total_iter
    if baseline is None or run is None or ("baseline_iterations",) not in checked.by_hand:
        return
    first = checked.presets.phases[0]
    early = math.floor(run * (checked.number("phases", first.name, "until") or first.until))
    said, place = f"baseline_iterations {baseline:,} is", checked.at("baseline_iterations")
    share = f"{max(1, run // 20):,}"
    if baseline >= run:
        message = f"{said} as long as the run of {run:,} iterations: the reference never ends."
        yield checked.finding("baseline-past-run", message, f"Write at most {share}.", place)
    elif baseline > early:
        message = f"{said} longer than the {first.name} phase, which ends at {early:,}."
        fix = f"Write at most {max(1, early):,}; calibrated ones take at most {share}."
        yield checked.finding("baseline-past-early", message, fix, place)


@rule(
    "values/parameter-idle [warning]: A parameter that cannot take effect",
    why="With max_weight 1 no loss is ever raised, with min_weight 1 none is ever lowered, and a rate of 0 in all "
    "phases stands still.",
    source="the law, autocal_cli/runtime/controller.py",
    bad=nano("auto_calibrate: false", "max_weight: ^1.0"),
    good=nano("auto_calibrate: false", "max_weight: 5.0"),
)
def idle_parameters(checked: Checked) -> Iterator[Finding]:
    """Values that keep others, or themselves, from ever taking effect."""
    if checked.number("max_weight") == 1:
        message = "max_weight 1: an adversarial loss that is too weak is never raised."
        fix = "Write more than 1, or leave it to `autocal calibrate`."
        yield checked.finding("parameter-idle", message, fix, checked.at("max_weight"))
    if checked.number("min_weight") == 1:
        message = "min_weight 1: an adversarial loss that costs too much is never lowered."
        yield checked.finding("parameter-idle", message, "Write less than 1, e.g. 1.0e-06.", checked.at("min_weight"))
    names = [phase.name for phase in checked.presets.phases]
    if all(checked.number("phases", name, "rate") == 0 for name in names):
        message = "The rate is 0 in every phase: the multiplier never moves."
        fix = "Write a value above 0 for one of them."
        yield checked.finding("parameter-idle", message, fix, checked.at("phases", names[0], "rate"))


# What a preset supports: the values that calibration itself could write from it, and a margin around them.
#
# lowest and highest = preset value x the smallest and largest factor of each rule on it, within the bounds
# supported          = lowest / MARGIN  to  highest x MARGIN
#
# For momentum the factors act on its time constant 1 / (1 - momentum), as the rules do. Where the network's capacity is
# unknown, what any preset supports counts.

MARGIN = 1.25  # chosen, untested
GUIDE_PARAMETERS = ("momentum", "adaptation_rate", "max_weight", "baseline_iterations")  # those of the guide's table


class Supported(NamedTuple):
    """`low` to `high` are supported; `usual` is the preset's own value; `told` names the preset or presets."""

    low: float
    high: float
    usual: float | None
    told: str


def supported(
    parameter: str, network: NetworkFingerprint | None, total_iter: int | None, presets: Presets
) -> Supported:
    """What the preset of a network supports for one of GUIDE_PARAMETERS."""
    placement, steps, _ = place(network or NetworkFingerprint(type=None), presets)
    if placement.match == "fallback":
        ranges = [_reach(parameter, preset.values[parameter], total_iter, presets) for preset in presets.presets]
        told = f"any preset, {presets.presets[0].variant} to {presets.presets[-1].variant},"
        return Supported(min(low for low, _ in ranges), max(high for _, high in ranges), None, told)
    usual = steps[parameter].after
    told = f"the preset {placement.variant}"
    if placement.match == "interpolated":
        told = f"a network of {network.parameters if network else 0:,} parameters (nearest preset: {placement.variant})"
    return Supported(*_reach(parameter, usual, total_iter, presets), significant(usual, 3), told)


def _reach(parameter: str, value: float, total_iter: int | None, presets: Presets) -> tuple[float, float]:
    bound = presets.bounds[parameter]
    low = high = _to_space(parameter, value)
    for one in presets.rules:
        if one.parameter == parameter:
            bounded = one.form == "power"
            ends = (one.numbers["low"], one.numbers["high"]) if bounded else (factor(one, 0.0), factor(one, 1.0))
            low, high = low * min(ends), max(high * max(ends), one.numbers.get("value", 0.0))
    least, most = _to_space(parameter, bound.low), _to_space(parameter, bound.high)
    low, high = (min(max(end, least), most) for end in (low, high))
    if bound.share_of_run is not None and total_iter is not None:  # short runs are calibrated to less
        low = min(low, max(bound.low, math.floor(total_iter * bound.share_of_run)))
    return _from_space(parameter, low / MARGIN), _from_space(parameter, high * MARGIN)


def _to_space(parameter: str, value: float) -> float:
    return 1 / (1 - value) if parameter == "momentum" else value


def _from_space(parameter: str, value: float) -> float:
    return 1 - 1 / value if parameter == "momentum" else value
