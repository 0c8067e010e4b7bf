"""The learning rate and what comes at intervals, against the length of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autocal_cli.calibration.rules import significant
from autocal_cli.check.keys import trainer_facts
from autocal_cli.check.model import Checked, numbers_in
from autocal_cli.check.rule import basicsr, redux, rule
from autocal_cli.config.model import Value
from autocal_cli.errors import Finding

SCHEDULER = ("train", "scheduler")
TOO_HIGH = 10  # times what an optimiser bears (presets/trainers.toml); chosen, untested
FIFTH, THIRD = 1 / 5, 1 / 3  # of the run: by then a rate should not have gone to a quarter, or to an eighth; chosen
SCHEDULE_FREE = ("sf", "schedulefree")  # how optimisers that need no schedule end


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
    for name in ("optim_g", "optim_d"):
        path = ("train", name, "lr")
        rate, kind = checked.amount(*path), str(checked.option("train", name, "type") or "")
        if rate is None:
            continue
        if rate <= 0:
            message = f"`train.{name}.lr` is {rate:g}: " + ("nothing is learnt." if rate == 0 else "torch refuses it.")
            yield checked.finding("rate-invalid", message, "Write a rate above 0, e.g. 1.0e-04.", path)
        borne = trainer_facts()["rates_borne"].get(kind.lower())
        if borne and rate >= TOO_HIGH * borne:
            message = f"`train.{name}.lr` is {rate:g}, {rate / borne:.0f} times what {kind} bears in super-resolution."
            fix = f"Write at most {borne:g}" + (", or less from a pretrained start." if checked.config.weights else ".")
            yield checked.finding("rate-too-high", message, fix, path)


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
    source="BasicSR and traiNNer-redux: CosineAnnealingRestartLR; BasicSR: MultiStepRestartLR, of restarts",
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
    total, options = checked.config.total_iter, checked.table(*SCHEDULER)
    kind = str(options.get("type", "")).lower()
    if not kind:
        return
    optimiser = str(checked.option("train", "optim_g", "type") or "")
    if optimiser.lower().replace("_", "").endswith(SCHEDULE_FREE) and kind not in ("constantlr", "kneelr"):
        message = f"{optimiser} makes its own schedule, and {options['type']} another."
        fix, place = "Remove `train.scheduler`.", checked.key_at(SCHEDULER)
        yield checked.finding("schedule-with-schedule-free", message, fix, place)
    periods, weights = numbers_in(options.get("periods")), options.get("restart_weights", [1])
    restarts = kind == "cosineannealingrestartlr" and bool(periods)
    key = "periods" if restarts else "restarts"
    begun = periods if restarts else numbers_in(options.get(key, [0]))
    stepped = kind.startswith("multistep") and bool({"restarts", "restart_weights"} & set(options))
    if (restarts or stepped) and isinstance(weights, list) and len(weights) != len(begun):
        counted = f"{len(begun)} {key} and {len(weights)} restart_weights"
        message = f"{counted}: the trainer asserts that they are as many."
        place = checked.value_at((*SCHEDULER, "restart_weights")) or checked.value_at((*SCHEDULER, key))
        yield checked.finding("periods-differ", message, f"Write one weight for each of the {key}.", place)
    if total is None:
        return
    if restarts and sum(periods) < total:
        ends = f"The periods end after {sum(periods):,.0f} iterations, the run after {total:,}"
        message, path = f"{ends}: it ends with an error there.", (*SCHEDULER, "periods")
        yield checked.finding("schedule-length", message, f"Let them add up to {total}.", path)
    steps = checked.amount(*SCHEDULER, "total_steps")
    if kind == "onecyclelr" and steps and steps < total:
        message = f"OneCycleLR ends after {steps:,} steps, the run after {total:,}: it raises there."
        yield checked.finding("schedule-length", message, f"Write {total}.", (*SCHEDULER, "total_steps"))
    cycle = checked.amount(*SCHEDULER, "T_max")
    if kind in ("cosineannealinglr", "cosineannealing") and cycle and not 0.9 * total <= cycle <= 2 * total:
        again = f"the rate falls in T_max and rises again in as many, {total / cycle / 2:.3g} times"
        deed = again if cycle < total else "the rate hardly falls before the run ends"
        message = f"T_max is {cycle:,}, the run {total:,} iterations: {deed}."
        yield checked.finding("rate-cycle-differs", message, f"Write {total}.", (*SCHEDULER, "T_max"))
    yield from _steps_down(checked, options, kind, total)


def _steps_down(checked: Checked, options: Mapping[str, Value], kind: str, total: int) -> Iterator[Finding]:
    """Milestones that never come, and a rate that is gone before the run is."""
    path = (*SCHEDULER, "milestones")
    late = [one for one in numbers_in(options.get("milestones")) if one > total or one % 1]
    if kind.startswith("multistep") and late:
        shown = ", ".join(f"{one:g}" if one % 1 else f"{one:,.0f}" for one in late)
        one, several = ("it", "milestone {} never comes"), ("them", "milestones {} never come")
        it, names = several if len(late) > 1 else one
        why = "Iterations are counted" if late[0] % 1 else f"The run ends at {total:,}"
        message, fix = f"{why}: the {names.format(shown)}.", f"Remove {it}, or set {it} before the end."
        yield checked.finding("milestones-beyond-run", message, fix, path)
    for share, most in ((FIFTH, 1 / 4), (THIRD, 1 / 8)):
        left = rate_left(options, kind, share * total)
        if left is not None and left <= most:
            early = f"By {share:.0%} of the run the rate is at {left:.2g} of itself"
            fix = f"Spread the steps over the {total:,} iterations, e.g. from half of the run on."
            place = checked.value_at(path) or checked.value_at((*SCHEDULER, "gamma"))
            yield checked.finding("rate-decays-early", f"{early}, and stays there or falls further.", fix, place)
            return


# What comes once, or at intervals: its key, the rule, what happens where the run is shorter, what to write.
BEYOND_RUN = (
    ("train.warmup_iter", "warmup-beyond-run", "the rate never reaches its value", "at most"),
    ("train.optim_g.warmup_steps", "warmup-beyond-run", "the rate never reaches its value", "at most"),
    ("val.val_freq", "validation-beyond-run", "the only validation is the one at its end", "e.g."),
    ("logger.save_checkpoint_freq", "saving-beyond-run", "whatever ends it early takes all", "e.g."),
)


def rate_left(options: Mapping[str, Value], kind: str, step: float) -> float | None:
    """What part of its learning rate a scheduler leaves after `step` iterations; None where it is not known."""
    gamma = options.get("gamma", 0.1)  # torch's default
    if not isinstance(gamma, int | float) or not 0 <= gamma <= 1:
        return None
    if kind.startswith("multistep"):
        return float(gamma) ** sum(one <= step and not one % 1 for one in numbers_in(options.get("milestones")))
    if kind == "exponentiallr":
        return float(gamma**step)
    size = options.get("step_size")
    return float(gamma) ** (step // size) if kind == "steplr" and isinstance(size, int) and size > 0 else None


@rule(
    "training/warmup-beyond-run [warning]: A warm-up that outlasts the run",
    why="The rate never reaches what was written for it.",
    source="a published config: a warm-up of 500,000 in a run of 400,000",
    bad=redux("warmup_iter: ^50000"),
    good=redux("warmup_iter: 1000"),
)
@rule(
    "training/validation-beyond-run [warning]: No validation before the end",
    why="While the run goes there is no metric and no image to judge it by.",
    source="the trainers' loops: validation at multiples of val_freq, and once after the last step",
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
    for key, code, so, write in BEYOND_RUN:
        path = tuple(key.split("."))
        every = checked.amount(*path)
        off = code == "validation-beyond-run" and checked.option("val", "val_enabled") is False
        if total is None or every is None or off:
            continue
        if every > total or (every == total and code == "warmup-beyond-run"):
            message = f"`{key}` is {every:,.0f} and the run {total:,}: {so}."
            some = max(1, round(significant(min(total / 20, 5000), 1)))
            yield checked.finding(code, message, f"Write {write} {some}.", path)
