"""What happened in a training: a `RunLog` in, a `Diagnosis` out. Pure, standard library only.

`diagnose` reads from top to bottom: reduce what was logged, find what is wrong, judge the checkpoints, say it all in
ten lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePath
from statistics import fmean

from autocal_cli.diagnose.adversarial import health_of
from autocal_cli.diagnose.checkpoints import judge_checkpoints, metric_series
from autocal_cli.diagnose.faults import FAULTS as FAULTS  # all are known where both their files are
from autocal_cli.diagnose.faults import FINDERS
from autocal_cli.diagnose.model import (
    Checkpoint,
    Choice,
    Diagnosis,
    Health,
    RunFinding,
    RunLog,
    VerdictLine,
)
from autocal_cli.diagnose.view import (
    FEWEST_POINTS,
    LEAST_LONG,
    View,
    read_fidelity,
    read_separation,
    reduce_track,
    running,
)
from autocal_cli.errors import Severity, listed

_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}
_GRAVE = ("non-finite", "collapsed", "fidelity-lost", "divergence")  # after these no checkpoint is kept
_TOPICS = {
    "discriminator": ("discriminator-blind", "discriminator-dominates"),
    "fidelity": ("collapsed", "fidelity-lost", "colour-drift"),
    "losses": ("non-finite", "divergence", "spike", "inert-loss"),
    "time": ("slow-loader", "loss-scale-backoff"),
    "progress": ("no-progress", "few-images"),
    "run": ("ended-early", "resumed"),
}


def diagnose(log: RunLog) -> Diagnosis:
    """All that can be said of a run."""
    tracks = {label: reduce_track(track) for label, track in log.tracks.items() if len(track)}
    metrics = metric_series(log.validations)
    view = View(log, tracks, metrics, read_separation(log, tracks), read_fidelity(tracks, metrics))
    findings = sorted((RunFinding(code, *row) for code, find in FINDERS.items() for row in find(view)), key=_order)
    grave = [one.iteration for one in findings if one.code in _GRAVE and one.severity != "info"]
    health = health_of(view, findings)
    sound_until = min((at for at in grave if at is not None), default=None)
    checkpoints, keep = judge_checkpoints(log, metrics, sound_until)
    lines = verdict_lines(view, health, findings, checkpoints, keep)
    return Diagnosis(log, health, tuple(findings), metrics, checkpoints, keep, lines, tuple(_unknown(view, health)))


def _order(finding: RunFinding) -> tuple[bool, int]:
    """What is wrong first, in the order in which it began; then what is good to know."""
    return finding.severity == "info", -1 if finding.iteration is None else finding.iteration


# The ten lines.


def verdict_lines(
    view: View,
    health: Health,
    findings: Sequence[RunFinding],
    checkpoints: Sequence[Checkpoint],
    keep: Choice | None,
) -> tuple[VerdictLine, ...]:
    """Topic by topic, what was found or that nothing was; at most ten."""
    said = {
        "run": _run(view.log),
        "discriminator": _discriminator(view, health),
        "fidelity": _fidelity(view),
        "losses": _losses(view),
        "rate": _rate(view),
        "time": _time(view),
        "progress": _progress(view),
        "checkpoint": _checkpoint(checkpoints, keep),
        "next": _next(view, health, findings),
    }
    lines = []
    for topic, plain in said.items():
        found = [one for one in findings if one.code in _TOPICS.get(topic, ())]
        severity: Severity = min((one.severity for one in found), key=lambda one: _RANK[one], default="info")
        parts = [_told(one) for one in found if one.code != "spike"]
        text = "; ".join([*([plain] if plain else []), *parts])
        if text:
            lines.append(VerdictLine(topic, severity, text))
    return tuple(lines)


def _told(finding: RunFinding) -> str:
    dated = finding.iteration is None or finding.code in _TOPICS["run"]
    since = "" if dated else f" since {finding.iteration:,}"
    return f"{finding.code}{since}: {finding.evidence}"


def _run(log: RunLog) -> str:
    name = log.facts.get("name", "run")
    kind = ", ".join(found for key in ("trainer", "model_type") if (found := log.facts.get(key)))
    of = f" of {log.total_iter:,}" if log.total_iter else ""
    last = log.sessions[-1] if log.sessions else None
    end: str = last.ending if last and last.ending != "unsaid" else "no end logged"
    if last and last.ending == "unsaid" and running(log):
        silent = last.ended and (log.silent_for or 0.0) > 120.0
        end = f"still going, or killed: silent since {last.ended}" if silent else "still going"
    sessions = f", {len(log.sessions)} sessions" if len(log.sessions) > 1 else ""
    return f"{name}{f' ({kind})' if kind else ''}: {log.last:,}{of} iterations, {end}{sessions}"


def _discriminator(view: View, health: Health) -> str:
    if health == "no-gan":
        return ""
    seen, scheduler = view.separation, _scheduler_says(view.log)
    if seen is None:
        own = view.tracks.get("autocal/separation")
        now = f"; separation {own.means[-1]:z.2f} at the end (0: blind, 1: always right)" if own and len(own) else ""
        return f"unknown how well it separates: {_why_unknown(view)}{now}{scheduler}"
    since = next((at for at, value in zip(seen.iterations, seen.values, strict=True) if value > seen.awake), None)
    level = fmean(seen.values[-5:])
    ends = f"{seen.name} {max(level, -9.99):z.2f} at the end (0: blind, 1: always right)"
    if health == "healthy":
        low = "" if level >= seen.awake else ", near blind by now" if level >= -seen.blind else ", fooled by now"
        return f"healthy, awake since {since:,}; {ends}{low}{scheduler}"
    if health != "unknown":
        return scheduler.removeprefix("; ")
    if since is not None:
        return f"awake since {since:,}; {ends}, before the numbers broke{scheduler}"
    return f"not yet awake; {ends}; {_why_unknown(view)}{scheduler}"


def _scheduler_says(log: RunLog) -> str:
    """What the scheduler last said of the discriminator, unless that is healthy."""
    said = [one for one in log.events if one.kind == "scheduler" and one.cause.startswith("discriminator ")]
    if not said or said[-1].cause == "discriminator healthy":
        return ""
    return f"; the scheduler: {said[-1].cause} since {said[-1].iteration:,}"


def _why_unknown(view: View) -> str:
    if view.separation is None:
        real = view.tracks.get("l_d_real")
        few = real is not None and len(real) < FEWEST_POINTS
        return f"fewer than {FEWEST_POINTS} lines" if few else "the log does not hold the losses that tell it"
    if max(view.separation.values) > view.separation.awake:
        return "the numbers broke"
    early = view.log.last < LEAST_LONG
    return f"too early to tell before {LEAST_LONG} iterations" if early else "slow, but its outputs draw apart"


def _fidelity(view: View) -> str:
    parts = []
    for one in view.metrics:
        if one.metric.lower().startswith("psnr"):
            first, best, last = one.means[0], one.means[one.best], one.means[-1]
            told = best - last > max(one.step, 0.005)
            fell = f", {last - best:+.2f} since {one.iterations[one.best]:,}" if told else ""
            parts.append(f"PSNR ({one.dataset}) {first:.2f} -> {last:.2f} dB{fell}")
    for name, iterations, values in view.fidelity if not parts else ():
        top = max(values)
        over, since = f"{values[-1] - values[0]:+.1f}", f"{values[-1] - top:+.1f}"
        parts.append(f"{name}: {over} dB over the run, {since} since {iterations[values.index(top)]:,}")
    return "; ".join(parts)


def _losses(view: View) -> str:
    parts = []
    for one in view.losses():
        if len(one) and not one.label.startswith("l_d_"):
            tenth = max(3, len(one) // 10)
            parts.append(f"{one.label} {fmean(one.means[:tenth]):.2e} -> {fmean(one.means[-tenth:]):.2e}")
    for label, one in view.tracks.items():
        if len(one) and label.startswith(("loss_multipliers/", "dynamic_weight_")):
            parts.append(f"{label} {one.means[0]:.3g} -> {one.means[-1]:.3g}")
    return listed(parts, 6)


def _rate(view: View) -> str:
    """The learning rate as it really was: its start and every lasting change."""
    points = [*zip(rate.iterations, rate.means, strict=True)] if (rate := view.tracks.get("lr")) else []
    if not points:
        return ""
    steps = [points[0], *(point for before, point in pairwise(points) if point[1] != before[1])]
    first, last = f"{steps[0][1]:.2g}", steps[-1][1]
    if len(steps) == 1:
        return f"{first} throughout"
    if len(steps) <= 4:
        return ", ".join([first, *(f"{value:.2g} from {at:,}" for at, value in steps[1:])])
    top_at, top = max(steps, key=lambda step: step[1])
    middle = f", {top:.2g} at {top_at:,}" if top > max(steps[0][1], last) else ""
    return f"{first}{middle}, {last:.2g} at the end ({len(steps) - 1} changes)"


def _time(view: View) -> str:
    spent = view.tracks.get("time")
    return f"{fmean(spent.means):.3f} s a step" if spent and len(spent) else ""


def _progress(view: View) -> str:
    if not view.metrics:
        return "no validation metric was logged; without one progress cannot be told from noise"
    parts = []
    for one in view.metrics[:4]:
        noise = "too few to tell the noise" if one.noise is None else f"noise {one.noise:.2g}"
        if one.metric.lower() == "ssim" and one.means[one.best] > 1.0:
            noise += "; the trainer's own number: a true SSIM is at most 1"
        parts.append(f"{one.name} best {one.shown(one.means[one.best])} at {one.iterations[one.best]:,} ({noise})")
    return "; ".join(parts)


def _checkpoint(checkpoints: Sequence[Checkpoint], keep: Choice | None) -> str:
    if keep is None:
        return "no checkpoint known" if not checkpoints else "none from before the first fault"
    one = keep.checkpoint
    tied = [f"{other.iteration:,}" for other in checkpoints if other.tied]
    alike = f"; not to be told from it: {listed(tied, 5)}" if tied else ""
    gone = "" if one.exists else "; no file of it was seen"
    file = f" ({'/'.join(PurePath(one.path).parts[-2:])})" if one.path else ""
    return f"keep {one.iteration:,}{file}, {keep.reason}{alike}{gone}"


def _next(view: View, health: Health, findings: Sequence[RunFinding]) -> str:
    """The step that the first of the gravest asks for."""
    order = [*_GRAVE, *FAULTS]  # in which they stop a training
    asking = [one for one in findings if one.severity != "info" or one.code == "inert-loss"]
    first = min(asking, key=lambda one: (_RANK[one.severity], order.index(one.code)), default=None)
    if first:
        return first.next
    seen = view.separation if health == "healthy" else None
    weak = _scheduler_says(view.log) or (seen and fmean(seen.values[-5:]) < seen.awake)
    if weak:
        return "Compare the last images with earlier ones: the discriminator tells little by now."
    return "nothing has to be done"


def _unknown(view: View, health: Health) -> Iterator[str]:
    """What these logs cannot tell."""
    if view.log.source != "text logs":
        yield "event files do not hold the learning rate, the end of the run, or its errors"
    if not view.metrics:
        yield "without validation metrics, no checkpoint can be called better"
    elif any(one.noise is None for one in view.metrics):
        yield "fewer than 6 validations: their noise is not known"
    if health == "unknown":
        yield f"the discriminator's health: {_why_unknown(view)}"
    if view.log.adversarial and all(one.fidelity for one in view.metrics):
        yield "perceived quality: log LPIPS, DISTS or TOPIQ"
