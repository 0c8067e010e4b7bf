"""What can be wrong in a run: one function a code, its meaning beside it. A `View` in, findings out; pure.

Thresholds stand in one place each, with their source. A healthy run has nothing above `info`. What can be wrong between
generator and discriminator stands in `adversarial.py`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import fmean, median, pstdev

from autocal_cli.diagnose.model import DATA_TIME, LEARNING_RATE, STEP_TIME, TOTAL_LABEL, Fault, MetricSeries, RunFinding
from autocal_cli.diagnose.series import last_stretch, noise_of, running_median, smooth
from autocal_cli.diagnose.view import (
    FEWEST_POINTS,
    LEAST_LONG,
    MOST_COST,
    PIXEL,
    View,
    above_blind,
    no_picture_since,
    running,
)
from autocal_cli.errors import Severity

Finder = Callable[[View], Iterator[RunFinding]]
FAULTS: dict[str, Fault] = {}
FINDERS: list[Finder] = []


def fault(code: str, severity: Severity, title: str, rationale: str, source: str) -> Callable[[Finder], Finder]:
    """Registers a finder under its code."""

    def register(find: Finder) -> Finder:
        FAULTS[code] = Fault(code, severity, title, rationale, source)
        FINDERS.append(find)
        return find

    return register


# The findings, the ones that stop a training first.


@fault(
    "non-finite",
    "error",
    "A loss is NaN or infinite",
    "Every step that follows from it is lost: the weights that it reaches are NaN too, unless the trainer skips the "
    "step, and then nothing is trained. The loss that is named first is where to look.",
    "traiNNer-redux #292, neosr #87",
)
def find_non_finite(view: View) -> Iterator[RunFinding]:
    broken = {label: one.broken for label, one in view.tracks.items() if one.broken is not None and label[:2] == "l_"}
    said = [event for event in view.log.events if event.kind == "non-finite"
            or (event.kind == "scheduler" and event.cause.startswith("not finite"))]  # fmt: skip
    if not broken and not said:
        return
    firsts = [iteration for iteration in broken.values() if iteration is not None]
    first = min([*firsts, *(event.iteration for event in said)])
    named = [label for label, iteration in broken.items() if iteration == min(firsts) and label != TOTAL_LABEL]
    own = next((event.loss for event in said if event.kind == "scheduler"), None)
    loss = own if own and own != "*" else named[0] if len(named) == 1 else None
    parts = []
    if named:
        together = " at once: the network's output itself was not finite" if len(named) > 1 else ""
        parts.append(f"{', '.join(named)} logged as NaN or infinity at iteration {min(firsts):,}{together}")
    if said:
        parts.append(
            f"the log says so {len(said)} time{'s' if len(said) > 1 else ''}, first after {said[0].iteration:,}"
        )
    parts += [found for found in [_before(view, first)] if found]
    crashed = any(event.kind == "error" for event in view.log.events)
    step = f"{restart(view, first).rstrip('.')}{_clip(view, ', with')}, and with bf16 or no AMP"
    where = "" if loss else "; `autocal run` names the loss at the step itself and skips it"
    yield RunFinding(
        "non-finite", "error", first, loss, "; ".join(parts) + ("; the training ended of it" if crashed else ""),
        f"{step}{where} (neosr #83: no pretrained start, EMA off, GAN weight or rate too high).",
    )  # fmt: skip


def _before(view: View, iteration: int) -> str:
    """Which number had risen most over the points before an iteration: where the trouble came from."""
    risen: list[tuple[float, str]] = []
    for label, one in view.tracks.items():
        if not label.startswith(("l_", "grad_norm_")):
            continue
        seen = [abs(value) for at, value in zip(one.iterations, one.highs, strict=True) if at < iteration]
        usual = median(seen[:-3] or [0.0]) if len(seen) > 3 else 0.0
        if usual > 0.0:
            risen.append((max(seen[-3:]) / usual, label))
    if not risen or max(risen)[0] < 10.0:
        return ""
    factor, label = max(risen)
    return f"{label} had risen {factor:.3g}-fold just before"


def restart(view: View, since: int) -> str:
    rate = view.tracks.get(LEARNING_RATE)
    lower = f"a learning rate below {max(rate.means):.1g}" if rate and len(rate) else "a lower learning rate"
    if since <= view.log.first + 2 * view.log.interval:
        return f"Start anew with {lower} (templates have 1e-4 to 5e-4)."
    return f"Go back to a checkpoint before {since:,} with {lower}."


RISE = math.log(10 ** (MOST_COST / 20))  # 41%: what 3 dB are of a pixel loss


@fault(
    "divergence",
    "error",
    "A loss rose and stayed up",
    "A loss that is minimised and lies far above what it had been is not minimised any more: the rate is too high for "
    "it, or another loss pulls against it.",
    "chosen: 41%, which 3 dB are of a pixel loss, and five standard errors",
)
def find_divergence(view: View) -> Iterator[RunFinding]:
    gone = None if view.log.adversarial else no_picture_since(view)
    if gone:
        yield RunFinding("divergence", "error", gone[0], None, gone[1], restart(view, gone[0]))
        return
    found = []
    for one in view.losses():
        if one.label.startswith("l_g_gan") or len(one) < FEWEST_POINTS or min(one.means) <= 0.0:
            continue
        logs = [math.log(value) for value in one.means]
        width = max(5, len(logs) // 12)
        course, noise = smooth(logs, width), noise_of(logs) or 0.0
        needed = max(RISE if not one.label.startswith("l_d_") else math.log(3.0), 5.0 * noise * math.sqrt(2.0 / width))
        best, depths = math.inf, []
        for value in course:
            best = min(best, value)
            depths.append(value - best)
        if one.label.startswith("l_d_") and not above_blind(view, one):
            continue
        if depths[-1] > needed:
            start = last_stretch(depths, lambda depth, half=needed / 2: depth > half)  # type: ignore[misc]
            top = max(range(start or 0, len(one)), key=lambda i, highs=one.highs: highs[i])  # type: ignore[misc]
            highest = f", and had risen to {one.highs[top]:.3g} at {one.iterations[top]:,}"
            found.append((one.iterations[start or 0], one.label, math.exp(depths[-1]), highest))
    for since, label, factor, highest in sorted(found):
        yield RunFinding(
            "divergence", "warning", since, label,
            f"{label} ends at {factor:.2f} times the least that it had been{highest}",
            f"Go back to a checkpoint before {since:,} and halve the learning rate{_clip(view, ', or set')}.",
        )  # fmt: skip


def _clip(view: View, words: str) -> str:
    """`grad_clip: true` with words before it, where the trainer has that option."""
    has = view.log.facts.get("trainer", "").startswith(("traiNNer-redux", "neosr"))
    return f"{words} grad_clip: true" if has else ""


SPIKE = 6.0  # deviations, as the scheduler's watch has it


@fault(
    "spike",
    "info",
    "A loss jumped for a moment",
    "Single spikes are ordinary and mean nothing if the loss comes back; many of them say that the rate is near its "
    "limit, or that single images are damaged.",
    "the scheduler's watch: z above 6",
)
def find_spikes(view: View) -> Iterator[RunFinding]:
    found = []
    for one in view.losses():
        if len(one) < 30 or min(one.lows) <= 0.0:
            continue
        logs = [math.log(value) for value in one.highs]
        course = running_median(logs, 9)
        rests = [value - middle for value, middle in zip(logs, course, strict=True)]
        spread = 1.4826 * median(abs(rest) for rest in rests)
        jumps = [i for i, rest in enumerate(rests) if i > 2 and rest > max(SPIKE * spread, math.log(2.0)) > 0.0]
        if jumps:
            worst = max(jumps, key=lambda i: rests[i])
            found.append(
                (one.iterations[jumps[0]], one.label, len(jumps), math.exp(rests[worst]), one.iterations[worst])
            )
    for first, label, count, factor, at in sorted(found):
        times = "once" if count == 1 else f"{count} times"
        yield RunFinding(
            "spike", "info", first, label, f"{times}; the highest {factor:.1f}-fold at {at:,}; it came back",
            f"Nothing, unless there are more: then look for damaged images{_clip(view, ', and set')}.",
        )  # fmt: skip


_DEAD = ("no gradient", "trains nothing", "does not train")  # as the scheduler's watch says it


@fault(
    "inert-loss",
    "warning",
    "A loss does nothing",
    "It is in the sum and trains nothing: it is zero, does not change, or has no gradient.",
    "neosr since commit 75bed7f, whose discriminator call stands in inference mode",
)
def find_inert(view: View) -> Iterator[RunFinding]:
    for event in view.log.events:
        if event.kind == "scheduler" and any(words in event.cause for words in _DEAD):
            yield RunFinding("inert-loss", "warning", event.iteration, event.loss, event.cause,
                             "Take it out, or mend what cuts its gradient.")  # fmt: skip
    for one in view.losses():
        tail = list(zip(one.iterations, one.lows, one.highs, strict=True))[-max(FEWEST_POINTS, len(one) // 3) :]
        if len(tail) < FEWEST_POINTS or one.label.startswith("l_d_"):
            continue
        low, high = min(row[1] for row in tail), max(row[2] for row in tail)
        if low == high:
            yield RunFinding(
                "inert-loss", "warning", tail[0][0], one.label, f"{one.label} is {low:g} at every point logged",
                "See its weight, and whether it is meant to have begun (start_iter); take it out otherwise.",
            )  # fmt: skip
    if view.log.facts.get("trainer") == "neosr" and "l_g_gan" in view.tracks:
        yield RunFinding(
            "inert-loss", "info", None, "l_g_gan",
            "neosr since commit 75bed7f calls the discriminator for this loss in inference mode, where nothing has a "
            "gradient; a log cannot show that",
            "Compare models/image.py of your checkout, or take another trainer for GANs.",
        )  # fmt: skip


DRIFT = 3.0  # levels of 255 that a channel's mean moves against the others; chosen, untested


@fault(
    "colour-drift",
    "warning",
    "Colours or brightness drift",
    "Perceptual and adversarial losses see colour badly; what no pixel or colour loss holds drifts over tens of "
    "thousands of iterations.",
    "Real-ESRGAN #745 (colours drift from 10k to 260k)",
)
def find_colour_drift(view: View) -> Iterator[RunFinding]:
    by_name: dict[str, list[tuple[int, tuple[float, float, float]]]] = {}
    for image in view.log.images:
        by_name.setdefault(image.name, []).append((image.iteration, image.rgb))
    courses = [sorted(course) for course in by_name.values() if len(course) >= 4]
    if len(courses) < 2:
        return
    steps = sorted({iteration for course in courses for iteration, _ in course})
    moved = []
    for step in steps:
        shifts = []
        for course in courses:
            known = dict(course)
            start = [median(rgb[c] for _, rgb in course[: max(2, len(course) // 4)]) for c in range(3)]
            if step in known:
                shifts.append([known[step][c] - start[c] for c in range(3)])
        moved.append(max((abs(median(shift[c] for shift in shifts)), c) for c in range(3)))
    since = last_stretch([size for size, _ in moved], lambda size: size > DRIFT)
    if since is not None and len(steps) - since >= 2:
        size, channel = moved[-1]
        yield RunFinding(
            "colour-drift", "warning", steps[since], None,
            f"mean {('red', 'green', 'blue')[channel]} of {len(courses)} validation images moved by {size:.1f} of 255",
            "Add or raise a pixel or colour loss (hsluvloss, L1 of the blurred images), and go back to a checkpoint "
            f"before {steps[since]:,}.",
        )  # fmt: skip


BACKOFFS = 4  # halvings within four times the 2,000 steps after which a scale grows; chosen, untested
WITHIN, SEARCHING = 8_000, 1_000  # iterations; the first ones are spent in search of a scale


@fault(
    "loss-scale-backoff",
    "warning",
    "The AMP loss scale keeps falling",
    "The scale grows until it overflows and is halved then: one halving in 2,000 steps is ordinary. Repeated ones mean "
    "that gradients overflow at any scale, and each of them is a step that was skipped.",
    "torch.amp.GradScaler: growth 2 after 2,000 steps, back-off 0.5",
)
def find_backoffs(view: View) -> Iterator[RunFinding]:
    for label in ("scale_g", "scale_d"):
        one = view.tracks.get(label)
        recent: deque[tuple[int, float]] = deque()
        for at, low, high in zip(one.iterations, one.lows, one.highs, strict=True) if one else ():
            while recent and recent[0][0] < at - WITHIN:
                recent.popleft()
            top = max((value for _, value in recent), default=0.0)
            if at > SEARCHING and 0.0 < low <= top / 2**BACKOFFS:
                yield RunFinding(
                    "loss-scale-backoff", "warning", at, label, f"{label} fell from {top:g} to {low:g}",
                    "Use bf16 (amp_bf16: true), or train without AMP.",
                )  # fmt: skip
                break
            recent.append((at, high))


WAITING, WAITING_MUCH = 0.2, 0.5  # of a step's time; chosen: half is a loader that costs a second machine


@fault(
    "slow-loader",
    "warning",
    "The training waits for its data",
    "Time spent waiting for the loader is time in which the accelerator does nothing.",
    "BasicSR logs `time (data)`; traiNNer-redux and neosr do not",
)
def find_slow_loader(view: View) -> Iterator[RunFinding]:
    spent, waited = view.tracks.get(STEP_TIME), view.tracks.get(DATA_TIME)
    if spent is None or waited is None or len(waited) < FEWEST_POINTS or len(waited) != len(spent):
        return
    rows = list(zip(spent.iterations, spent.means, waited.means, strict=True))[3:]  # workers start
    share = sum(row[2] for row in rows) / max(sum(row[1] for row in rows), 1e-9)
    if share > WAITING:
        yield RunFinding(
            "slow-loader", "warning" if share > WAITING_MUCH else "info", None, None,
            f"{share:.0%} of {fmean(row[1] for row in rows):.3f} s a step is spent waiting for data",
            "Raise num_worker_per_gpu, cut the images into tiles (subimages) or an LMDB, set prefetch_mode: cuda.",
        )  # fmt: skip


@fault(
    "no-progress",
    "warning",
    "Nothing is gained any more",
    "The validation metrics are flat within their noise, or worse since an iteration; or nothing was learnt at all.",
    "Real-ESRGAN #205, #384; BasicSR #139, #80",
)
def find_no_progress(view: View) -> Iterator[RunFinding]:
    if view.log.facts.get("pretrain_network_g", "").lower() in ("none", "null", "~", "") and view.log.facts.get(
        "trainer"
    ):
        yield from _nothing_learnt(view)
    worse: list[tuple[int, MetricSeries]] = []
    flat: list[tuple[int, MetricSeries]] = []
    judged = [one for one in view.metrics if not (view.log.adversarial and one.fidelity)]
    for one in judged:
        since = one.worse_since(LEAST_LOSS.get(one.metric.lower(), 0.0))
        if since is not None:
            worse.append((since, one))
        elif (since := one.flat_since()) is not None:
            flat.append((since, one))
    if worse:
        since, one = min(worse, key=lambda pair: pair[0])
        names = ", ".join(f"{found.name} {found.means[found.best]:.4g} -> {found.means[-1]:.4g}" for _, found in worse)
        yield RunFinding(
            "no-progress", "warning", since, None, f"worse since: {names} (noise {one.noise:.2g})",
            f"Keep the checkpoint at {since:,}. If the training loss still falls, the data set is too small for it.",
        )  # fmt: skip
    elif flat and len(flat) == len(judged):
        since = max(pair[0] for pair in flat)
        names = ", ".join(f"{one.name} (noise {one.noise:.2g})" for _, one in flat)
        yield RunFinding(
            "no-progress", "info", since, None, f"nothing gained beyond the noise: {names}",
            "Lower the learning rate, begin the next phase, or stop.",
        )  # fmt: skip


LEAST_LOSS = {"psnr": 0.1, "ssim": 0.002, "lpips": 0.003, "dists": 0.003}  # below it nobody sees a difference; chosen


def _nothing_learnt(view: View) -> Iterator[RunFinding]:
    """A training from scratch whose pixel loss has not fallen by a tenth is none."""
    for label in PIXEL:
        one = view.tracks.get(label)
        if one is None or len(one) < 2 * FEWEST_POINTS or view.log.last < LEAST_LONG:
            continue
        third = len(one) // 3
        first, last = fmean(one.means[:third]), fmean(one.means[-third:])
        error = pstdev(one.means[:third]) / math.sqrt(third)
        poor = [found for found in view.metrics if found.metric.lower() == "psnr" and max(found.values) < 20.0]
        if last > 0.95 * first - 2.0 * error and poor:
            yield RunFinding(
                "no-progress", "warning", view.log.first, label,
                f"{label} went from {first:.3g} to {last:.3g} in {view.log.last:,} iterations from scratch, "
                f"and PSNR never rose above {max(poor[0].values):.1f} dB",
                "Divide the learning rate by ten, and see that GT and LQ are pairs.",
            )  # fmt: skip


@fault(
    "ended-early",
    "error",
    "The run ended before its end",
    "The log stops before total_iter: an error, a kill (out of memory, time limit, power), or somebody's hand.",
    "the trainers' own last lines",
)
def find_early_end(view: View) -> Iterator[RunFinding]:
    log = view.log
    last = log.sessions[-1] if log.sessions else None
    errors = [event for event in log.events if event.kind == "error"]
    total = log.total_iter
    of = f" of {total:,}" if total else ""
    if last is None or log.source != "text logs":
        return
    if last.ending == "finished":
        if total and log.last < total - 2 * log.interval:
            yield RunFinding(
                "ended-early", "warning", log.last, None,
                f"the trainer ended at {log.last:,}{of} as if that were the end: it counts epochs, and those are fewer "
                "iterations where the batch or the data set grew since they were counted",
                "Resume it with auto_resume if the metrics still rise; the epochs are counted anew then.",
            )  # fmt: skip
        return
    if errors or last.ending == "crashed":
        said = errors[-1].cause if errors else "a traceback stands in the log"
        yield RunFinding("ended-early", "error", log.last, None, f"ended at {log.last:,}{of}: {said}",
                         "Mend what it names, and resume (auto_resume).")  # fmt: skip
    elif last.ending == "stopped":
        by = log.facts.get("stopped by", "")
        who = "the trainer itself" if by else "hand"
        evidence = f"stopped by {who} at {log.last:,}{of}{by and f': {by}'}"
        yield RunFinding("ended-early", "info", log.last, None, evidence, "Resume it with auto_resume.")
    elif running(log):
        yield RunFinding("ended-early", "info", log.last, None, f"still going, at {log.last:,}{of}", "Wait.")
    elif total is None or log.last < total:
        yield RunFinding(
            "ended-early", "warning", log.last, None,
            f"the log stops at {log.last:,}{of} without a last word: killed, or out of memory",
            "See the system's log for the kill, then resume with --auto_resume (auto_resume: true).",
        )  # fmt: skip


@fault(
    "resumed",
    "info",
    "The run was taken up again",
    "A resumed run goes on from its last checkpoint: what was logged after that was trained again.",
    "the trainers' own first lines",
)
def find_resumes(view: View) -> Iterator[RunFinding]:
    later = [one for one in view.log.sessions[1:] if one.first is not None]
    if not later:
        return
    starts = ", ".join(f"{one.start:,}" for one in later)
    gaps = [
        f"{one.began} after {before.ended}" for before, one in pairwise(view.log.sessions) if before.ended and one.began
    ]
    again = f"; {view.log.superseded} logged points were trained again" if view.log.superseded else ""
    yield RunFinding("resumed", "info", later[0].start, None,
                     f"{len(later)} time{'s' if len(later) > 1 else ''}, from {starts}{again}"
                     + (f" ({'; '.join(gaps[:3])})" if gaps else ""), "Nothing.")  # fmt: skip
