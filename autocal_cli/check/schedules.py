"""The learning rate and what comes at intervals, against the length of the run."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache

from autocal_cli.check.model import Checked
from autocal_cli.check.rule import basicsr, redux, rule
from autocal_cli.config.model import Value
from autocal_cli.errors import Finding
from autocal_cli.packaged import preset_text

SCHEDULER = ("train", "scheduler")
OPTIMISERS = ("optim_g", "optim_d")
TOO_HIGH = 10  # times what an optimiser bears (presets/trainers.toml); chosen, untested
FIFTH, THIRD = 1 / 5, 1 / 3  # of the run: by then a rate should not have gone to a quarter, or to an eighth; chosen
SCHEDULE_FREE = ("sf", "schedulefree")  # how optimisers that need no schedule end


@cache
def rates_borne() -> dict[str, float]:
    """The largest usual learning rate of each optimiser, by its type in lower case."""
    return dict(tomllib.loads(preset_text("trainers.toml"))["rates_borne"])


@rule(
    "training/rate-invalid [error]: A learning rate of nothing, or below",
    why="At 0 nothing is learnt, and torch refuses a rate below.",
    source="torch.optim: `Invalid learning rate`",
    bad=redux("optim_g: {type: AdamW, lr: ^0}"),
    good=redux("optim_g: {type: AdamW, lr: 0.0002}"),
)
@rule(
    "training/rate-too-high [warning]: A learning rate far beyond the usual",
    why="A super-resolution network diverges within minutes at ten times the rate that its optimiser bears, and a "
    "pretrained one loses what it has learnt before.",
    source="presets/trainers.toml, `rates_borne`: the largest of the trainers' templates; the factor of 10 is chosen. "
    "neosr #83: a maintainer names a wrong rate as a cause of NaN",
    bad=redux("optim_g: {type: AdamW, lr: ^0.01}"),
    good=redux("optim_g: {type: AdamW, lr: 0.0002}"),
)
def rates(checked: Checked) -> Iterator[Finding]:
    """The learning rate of each optimiser."""
    for name in OPTIMISERS:
        path = ("train", name)
        rate = checked.amount(*path, "lr")
        kind = str(checked.option(*path, "type") or "")
        if rate is None:
            continue
        place = checked.value_at((*path, "lr"))
        if rate <= 0:
            message = f"`train.{name}.lr` is {rate:g}: " + ("nothing is learnt." if rate == 0 else "torch refuses it.")
            yield Finding("rate-invalid", "error", message, "Write a rate above 0, e.g. 1.0e-04.", place)
        borne = rates_borne().get(kind.lower())
        if borne and rate >= TOO_HIGH * borne:
            message = f"`train.{name}.lr` is {rate:g}, {rate / borne:.0f} times what {kind} bears in super-resolution."
            fix = f"Write at most {borne:g}" + (", or less from a pretrained start." if _pretrained(checked) else ".")
            yield Finding("rate-too-high", "warning", message, fix, place)


@rule(
    "training/milestones-beyond-run [warning]: A milestone that never comes",
    why="The rate was to fall there; the run ends before it.",
    source="torch.optim.lr_scheduler.MultiStepLR",
    bad=redux("scheduler: {type: MultiStepLR, milestones: ^[20000, 60000]}"),
    good=redux("scheduler: {type: MultiStepLR, milestones: [20000, 30000]}"),
)
@rule(
    "training/rate-decays-early [warning]: A rate that has decayed while the run has hardly begun",
    why="Milestones left from a shorter run: the rate is at a small part of itself for most of the time, and little "
    "is learnt in it.",
    source="published configs of this family: milestones of 40,000 to 60,000 in a run of 400,000, an eighth of the "
    "rate for 86% of it. The bounds, a quarter by a fifth of the run or an eighth by a third, are chosen",
    bad=redux("scheduler: {type: MultiStepLR, milestones: ^[2000, 3000, 4000], gamma: 0.5}"),
    good=redux("scheduler: {type: MultiStepLR, milestones: [20000, 30000, 36000], gamma: 0.5}"),
)
@rule(
    "training/rate-cycle-differs [warning]: A cycle of the rate that is not as long as the run",
    why="The rate of CosineAnnealingLR rises again after T_max; with a T_max far beyond the run it hardly falls.",
    source="torch.optim.lr_scheduler.CosineAnnealingLR",
    bad=redux("scheduler: {type: CosineAnnealingLR, T_max: ^4000}"),
    good=redux("scheduler: {type: CosineAnnealingLR, T_max: 40000}"),
)
@rule(
    "training/schedule-length [error]: A schedule that ends before the run",
    why="Beyond the last period CosineAnnealingRestartLR has no rate to give, and OneCycleLR raises: the run ends "
    "with an error, days in.",
    source="BasicSR, models/lr_scheduler.py: no index is found and None is reckoned with; "
    "torch.optim.lr_scheduler.OneCycleLR",
    trainer="BasicSR",
    bad=basicsr("scheduler: {type: CosineAnnealingRestartLR, periods: ^[10000, 10000], restart_weights: [1, 1]}"),
    good=basicsr("scheduler: {type: CosineAnnealingRestartLR, periods: [20000, 20000], restart_weights: [1, 1]}"),
)
@rule(
    "training/periods-differ [error]: Periods and restart weights that are not as many",
    why="The scheduler asserts that they are.",
    source="BasicSR and traiNNer-redux: CosineAnnealingRestartLR",
    trainer="BasicSR",
    bad=basicsr("scheduler: {type: CosineAnnealingRestartLR, periods: [20000, 20000], restart_weights: ^[1]}"),
    good=basicsr("scheduler: {type: CosineAnnealingRestartLR, periods: [20000, 20000], restart_weights: [1, 1]}"),
)
@rule(
    "training/schedule-with-schedule-free [warning]: A schedule on an optimiser that needs none",
    why="Schedule-free optimisers average what a schedule would reach; a schedule on top takes the rate away from "
    "them.",
    source="Defazio et al. 2024, The Road Less Scheduled (arXiv 2405.15682)",
    bad=redux("optim_g: {type: AdamWScheduleFree, lr: 0.001}", "^scheduler: {type: MultiStepLR, milestones: [20000]}"),
    good=redux("optim_g: {type: AdamWScheduleFree, lr: 0.001}"),
)
def schedule(checked: Checked) -> Iterator[Finding]:
    """The scheduler of the rate, against the length of the run."""
    total = checked.config.total_iter
    options = checked.table(*SCHEDULER)
    kind = str(options.get("type", "")).lower()
    if not options or not kind:
        return
    optimiser = str(checked.option("train", "optim_g", "type") or "").lower().replace("_", "")
    if optimiser.endswith(SCHEDULE_FREE) and kind not in ("constantlr", "kneelr"):
        message = f"{checked.option('train', 'optim_g', 'type')} makes its own schedule, and {options['type']} another."
        place = checked.key_at(SCHEDULER)
        yield Finding("schedule-with-schedule-free", "warning", message, "Remove `train.scheduler`.", place)
    yield from _periods(checked, options, kind, total)
    if total is None:
        return
    if kind.startswith("multistep"):
        yield from _milestones(checked, options, total)
    elif kind in ("cosineannealinglr", "cosineannealing"):
        cycle = checked.amount(*SCHEDULER, "T_max")
        if cycle and (cycle < 0.9 * total or cycle > 2 * total):
            deed = (
                f"the rate falls and rises again {total / cycle:.0f} times"
                if cycle < total
                else "the rate hardly falls before the run ends"
            )
            message = f"T_max is {cycle:,}, the run {total:,} iterations: {deed}."
            place = checked.value_at((*SCHEDULER, "T_max"))
            yield Finding("rate-cycle-differs", "warning", message, f"Write {total}.", place)
    elif kind == "onecyclelr":
        steps = checked.amount(*SCHEDULER, "total_steps")
        if steps and steps < total:
            message = f"OneCycleLR ends after {steps:,} steps, the run after {total:,}: it raises there."
            place = checked.value_at((*SCHEDULER, "total_steps"))
            yield Finding("schedule-length", "error", message, f"Write {total}.", place)
    elif kind in ("steplr", "exponentiallr"):
        yield from _early(checked, options, kind, total, checked.value_at((*SCHEDULER, "gamma")))


def _milestones(checked: Checked, options: Mapping[str, Value], total: int) -> Iterator[Finding]:
    milestones = _numbers(options.get("milestones"))
    place = checked.value_at((*SCHEDULER, "milestones"))
    late = [one for one in milestones if one > total]
    if late:
        shown = ", ".join(f"{one:,.0f}" for one in late)
        message = f"The run ends at {total:,}: the milestone{'s' if len(late) > 1 else ''} {shown} never comes."
        yield Finding("milestones-beyond-run", "warning", message, "Remove it, or set it before the end.", place)
    yield from _early(checked, options, "multisteplr", total, place)


def _early(checked: Checked, options: Mapping[str, Value], kind: str, total: int, place: object) -> Iterator[Finding]:
    by_fifth, by_third = (rate_left(options, kind, share * total) for share in (FIFTH, THIRD))
    if by_fifth is None or by_third is None or (by_fifth > 1 / 4 and by_third > 1 / 8):
        return
    share, left = (FIFTH, by_fifth) if by_fifth <= 1 / 4 else (THIRD, by_third)
    message = f"By {share:.0%} of the run the rate is at {left:.2g} of itself, and stays there or falls further."
    fix = f"Spread the steps over the {total:,} iterations, e.g. from half of the run on."
    yield Finding("rate-decays-early", "warning", message, fix, checked.value_at((*SCHEDULER, "milestones")) or place)  # type: ignore[arg-type]


def rate_left(options: Mapping[str, Value], kind: str, step: float) -> float | None:
    """What part of its learning rate a scheduler leaves after `step` iterations; None where it is not known."""
    gamma = options.get("gamma", 0.1)  # torch's default
    if not isinstance(gamma, int | float):
        return None
    if kind.startswith("multistep"):
        return float(gamma) ** sum(one <= step for one in _numbers(options.get("milestones")))
    if kind == "exponentiallr":
        return float(gamma**step)
    size = options.get("step_size")
    return float(gamma) ** (step // size) if kind == "steplr" and isinstance(size, int) and size > 0 else None


def _periods(checked: Checked, options: Mapping[str, Value], kind: str, total: int | None) -> Iterator[Finding]:
    if kind != "cosineannealingrestartlr":
        return
    periods, weights = _numbers(options.get("periods")), options.get("restart_weights", [1])
    if isinstance(weights, list) and periods and len(weights) != len(periods):
        message = (
            f"{len(periods)} periods and {len(weights)} restart_weights: the trainer asserts that they are as many."
        )
        place = checked.value_at((*SCHEDULER, "restart_weights")) or checked.value_at((*SCHEDULER, "periods"))
        yield Finding("periods-differ", "error", message, "Write one weight for each period.", place)
    if total and periods and sum(periods) < total:
        message = (
            f"The periods end after {sum(periods):,.0f} iterations, the run after {total:,}: it ends with "
            "an error there."
        )
        place = checked.value_at((*SCHEDULER, "periods"))
        yield Finding("schedule-length", "error", message, f"Let them add up to {total}.", place)


@rule(
    "training/warmup-beyond-run [warning]: A warm-up that outlasts the run",
    why="The rate never reaches what was written for it.",
    source="a published config: a warm-up of 500,000 in a run of 400,000",
    bad=redux("warmup_iter: ^50000"),
    good=redux("warmup_iter: 1000"),
)
@rule(
    "training/validation-beyond-run [warning]: A validation that never comes",
    why="There is no metric and no image to judge the run by.",
    source="the trainers' loops: validation at multiples of val_freq",
    bad=redux(top="val: {val_enabled: true, save_img: true, val_freq: ^50000}"),
    good=redux(top="val: {val_enabled: true, save_img: true, val_freq: 1000}"),
)
@rule(
    "training/saving-beyond-run [warning]: No checkpoint before the end",
    why="Whatever ends the run early, a crash, a power cut or full memory, takes all of it.",
    source="the trainers' loops: saved at multiples of save_checkpoint_freq",
    bad=redux(top="logger: {print_freq: 100, save_checkpoint_freq: ^50000, use_tb_logger: true}"),
    good=redux(top="logger: {print_freq: 100, save_checkpoint_freq: 1000, use_tb_logger: true}"),
)
def intervals(checked: Checked) -> Iterator[Finding]:
    """Warm-up, validation and saving, against the length of the run."""
    total = checked.config.total_iter
    if total is None:
        return
    for path in (("train", "warmup_iter"), ("train", "optim_g", "warmup_steps")):
        warmup = checked.amount(*path)
        if warmup is not None and warmup >= total:
            message = f"`{'.'.join(path)}` is {warmup:,} and the run {total:,}: the rate never reaches its value."
            yield Finding(
                "warmup-beyond-run", "warning", message, "Write a few thousand at most.", checked.value_at(path)
            )
    every = checked.amount("val", "val_freq")
    if every is not None and every > total and checked.option("val", "val_enabled") is not False:
        message = f"`val.val_freq` is {every:,.0f} and the run {total:,}: no validation ever runs."
        place = checked.value_at(("val", "val_freq"))
        yield Finding("validation-beyond-run", "warning", message, "Write e.g. 1000 or 5000.", place)
    every = checked.amount("logger", "save_checkpoint_freq")
    if every is not None and every > total:
        message = (
            f"`logger.save_checkpoint_freq` is {every:,.0f} and the run {total:,}: whatever ends it early takes all."
        )
        place = checked.value_at(("logger", "save_checkpoint_freq"))
        yield Finding("saving-beyond-run", "warning", message, "Write e.g. 1000 or 5000.", place)


def _numbers(value: Value) -> list[float]:
    items = value if isinstance(value, list) else []
    return [float(one) for one in items if isinstance(one, int | float) and not isinstance(one, bool)]


def _pretrained(checked: Checked) -> bool:
    return checked.config.weights is not None
