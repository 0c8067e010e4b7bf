"""What can be wrong in a run: one function a code, its meaning beside it. A `View` in, findings out; pure.

Thresholds stand in one place each, with their source. A healthy run has nothing above `info`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, pairwise
from statistics import fmean, median, pstdev

from autocal_cli.diagnose.model import TELLING, TOTAL_LABEL, MetricSeries
from autocal_cli.diagnose.view import (
    BLIND_LEVELS,
    FEWEST_POINTS,
    LEAST_LONG,
    MOST_COST,
    PIXEL,
    TWO_LOGS,
    View,
    last_stretch,
    no_picture_since,
    noise_of,
    running,
    running_median,
    smooth,
)
from autocal_cli.errors import Rule, Severity

Row = tuple[Severity, int | None, str | None, str, str]  # a finding without its code, see RunFinding
Finder = Callable[[View], Iterator[Row]]
FAULTS: dict[str, Rule] = {}
FINDERS: dict[str, Finder] = {}


def fault(code: str, severity: Severity, title: str, why: str, source: str) -> Callable[[Finder], Finder]:
    """Registers a finder under its code, with which its rows become findings; `severity` is the highest of them."""

    def register(find: Finder) -> Finder:
        FAULTS[code] = Rule(code, "training", title, severity, why, source, when="A run's log shows it.")
        FINDERS[code] = find
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
def find_non_finite(view: View) -> Iterator[Row]:
    broken = {label: one.broken for label, one in view.tracks.items() if one.broken is not None and label[:2] == "l_"}
    said = [
        event
        for event in view.log.events
        if event.kind == "non-finite" or (event.kind == "scheduler" and event.cause.startswith("not finite"))
    ]
    own = [event for event in said if event.kind == "scheduler"]
    if not broken and not said:
        return
    first = min([*broken.values(), *(event.iteration for event in said)])
    loss = own[0].loss if own and own[0].loss not in ("", "*") else None
    parts = []
    logged = min(broken.values(), default=0)
    named = [label for label, iteration in broken.items() if iteration == logged and label != TOTAL_LABEL]
    if named:
        loss = loss or (named[0] if len(named) == 1 else None)
        together = " at once: the network's output itself was not finite" if len(named) > 1 else ""
        parts.append(f"{', '.join(named)} logged as NaN or infinity at iteration {logged:,}{together}")
    if said:
        times = f"{len(said)} time{'s' if len(said) > 1 else ''}"
        parts.append(f"the log says so {times}, first after {said[0].iteration:,}")
    parts += _risen_before(view, first)
    ended = "; that ended the training" if any(event.kind == "error" for event in view.log.events) else ""
    step = f"{restart(view, first).rstrip('.')}{_clip(view, ', with')}, and with bf16 or no AMP"
    where = "" if loss or is_neosr(view) else "; `autocal run` names the loss at the step itself and skips it"
    why = "(neosr #83: no pretrained start, EMA off, GAN weight or rate too high)"
    yield "error", first, loss, "; ".join(parts) + ended, f"{step}{where} {why}."


def _risen_before(view: View, iteration: int) -> list[str]:
    """The number that had risen most over the points before an iteration: where the trouble came from."""
    risen: list[tuple[float, str]] = []
    for label, one in view.tracks.items():
        seen = [abs(value) for at, value in zip(one.iterations, one.highs, strict=True) if at < iteration]
        usual = median(seen[:-3]) if len(seen) > 3 else 0.0
        if usual > 0.0 and label.startswith(("l_", "grad_norm_")):
            risen.append((max(seen[-3:]) / usual, label))
    factor, label = max(risen, default=(0.0, ""))
    return [f"{label} had risen {factor:.3g}-fold just before"] if factor >= 10.0 else []


def restart(view: View, since: int) -> str:
    rate = view.tracks.get("lr")
    top = max(rate.means) if rate else math.inf
    lower = f"a learning rate below {top:.1g}" if top <= 1.0 else "a lower learning rate"
    if since <= view.log.first + 2 * view.log.interval:
        return f"Start anew with {lower} (templates have 1e-4 to 5e-4)."
    return f"Go back to a checkpoint before {since:,} with {lower}."


def is_neosr(view: View) -> bool:
    return view.log.facts.get("trainer") == "neosr"


def _clip(view: View, words: str) -> str:
    """`grad_clip: true` with words before it, where the trainer has that option."""
    has = view.log.facts.get("trainer", "").startswith(("traiNNer-redux", "neosr"))
    return f"{words} grad_clip: true" if has else ""


RISE = math.log(10 ** (MOST_COST / 20))  # 41%: what 3 dB are of a pixel loss


@fault(
    "divergence",
    "error",
    "A loss rose and stayed up",
    "A loss that is minimised and lies far above what it had been is not minimised any more: the rate is too high for "
    "it, or another loss pulls against it.",
    "chosen: 41%, which 3 dB are of a pixel loss, and five standard errors",
)
def find_divergence(view: View) -> Iterator[Row]:
    gone = None if view.log.adversarial else no_picture_since(view)
    if gone:
        yield "error", gone[0], None, gone[1], restart(view, gone[0])
        return
    found, blind = [], BLIND_LEVELS.get(view.log.facts.get("gan_type", "vanilla").lower(), TWO_LOGS)
    for one in view.losses():
        discriminators = one.label.startswith("l_d_")
        if one.label.startswith("l_g_gan") or len(one) < FEWEST_POINTS or min(one.means) <= 0.0:
            continue
        if discriminators and fmean(one.means[-5:]) <= blind:  # twice what a blind one has for its part
            continue
        logs = [math.log(value) for value in one.means]
        width = max(5, len(logs) // 12)
        course, noise = smooth(logs, width), noise_of(logs) or 0.0
        needed = max(math.log(3.0) if discriminators else RISE, 5.0 * noise * math.sqrt(2.0 / width))
        depths = [value - best for value, best in zip(course, accumulate(course, min), strict=True)]
        if depths[-1] > needed:
            start = last_stretch(depths, lambda depth, half=needed / 2: depth > half) or 0  # type: ignore[misc]
            top = max(range(start, len(one)), key=one.highs.__getitem__)
            highest = f"and had risen to {one.highs[top]:.3g} at {one.iterations[top]:,}"
            found.append((one.iterations[start], one.label, math.exp(depths[-1]), highest))
    for since, label, factor, highest in sorted(found):
        evidence = f"{label} ends at {factor:.2f} times the least that it had been, {highest}"
        step = f"Go back to a checkpoint before {since:,} and halve the learning rate{_clip(view, ', or set')}."
        yield "warning", since, label, evidence, step


SPIKE = 6.0  # deviations, as the scheduler's watch has it


@fault(
    "spike",
    "info",
    "A loss jumped for a moment",
    "Single spikes are ordinary and mean nothing if the loss comes back; many of them say that the rate is near its "
    "limit, or that single images are damaged.",
    "the scheduler's watch: z above 6",
)
def find_spikes(view: View) -> Iterator[Row]:
    found = []
    for one in view.losses():
        if len(one) < 30 or min(one.lows) <= 0.0:
            continue
        logs = [math.log(value) for value in one.highs]
        rests = [value - middle for value, middle in zip(logs, running_median(logs, 9), strict=True)]
        spread = 1.4826 * median(abs(rest) for rest in rests)
        jumps = [i for i, rest in enumerate(rests) if i > 2 and rest > max(SPIKE * spread, math.log(2.0))]
        if jumps:
            worst = max(jumps, key=rests.__getitem__)
            height = f"the highest {math.exp(rests[worst]):.1f}-fold at {one.iterations[worst]:,}"
            found.append((one.iterations[jumps[0]], one.label, len(jumps), height))
    for first, label, count, height in sorted(found):
        times = "once" if count == 1 else f"{count} times"
        step = f"Nothing, unless there are more: then look for damaged images{_clip(view, ', and set')}."
        yield "info", first, label, f"{times}; {height}; it came back", step


_DEAD = ("no gradient", "trains nothing", "does not train")  # as the scheduler's watch says it


@fault(
    "inert-loss",
    "warning",
    "A loss does nothing",
    "It is in the sum and trains nothing: it is zero, does not change, or has no gradient.",
    "neosr since commit 75bed7f, whose discriminator call stands in inference mode",
)
def find_inert(view: View) -> Iterator[Row]:
    for event in view.log.events:
        if event.kind == "scheduler" and any(words in event.cause for words in _DEAD):
            yield "warning", event.iteration, event.loss, event.cause, "Take it out, or mend what cuts its gradient."
    for one in view.losses():
        count = max(FEWEST_POINTS, len(one) // 3)
        low, high = min(one.lows[-count:], default=0.0), max(one.highs[-count:], default=0.0)
        if len(one) >= FEWEST_POINTS and low == high and not one.label.startswith("l_d_"):
            evidence = f"{one.label} is {low:g} at every point logged"
            step = "See its weight, and whether it is meant to have begun (start_iter); take it out otherwise."
            yield "warning", one.iterations[-count:][0], one.label, evidence, step
    if is_neosr(view) and "l_g_gan" in view.tracks:
        evidence = (
            "neosr since commit 75bed7f calls the discriminator for this loss in inference mode, where nothing has a "
            "gradient; a log cannot show that"
        )
        step = "Take `torch.inference_mode()` off that call in models/image.py, or do without the loss."
        yield "info", None, "l_g_gan", evidence, step


DRIFT = 3.0  # levels of 255 that a channel's mean moves against the others; chosen, untested


@fault(
    "colour-drift",
    "warning",
    "Colours or brightness drift",
    "Perceptual and adversarial losses see colour badly; what no pixel or colour loss holds drifts over tens of "
    "thousands of iterations.",
    "Real-ESRGAN #745 (colours drift from 10k to 260k)",
)
def find_colour_drift(view: View) -> Iterator[Row]:
    by_name: dict[str, list[tuple[int, tuple[float, float, float]]]] = {}
    for image in view.log.images:
        by_name.setdefault(image.name, []).append((image.iteration, image.rgb))
    courses = [sorted(course) for course in by_name.values() if len(course) >= 4]
    if len(courses) < 2:
        return
    shifts: dict[int, list[list[float]]] = {}  # by iteration, of each image, from where it began
    for course in courses:
        start = [median(rgb[c] for _, rgb in course[: max(2, len(course) // 4)]) for c in range(3)]
        for step, rgb in dict(course).items():
            shifts.setdefault(step, []).append([rgb[c] - start[c] for c in range(3)])
    steps = sorted(shifts)
    moved = [max((abs(median(shift[c] for shift in shifts[step])), c) for c in range(3)) for step in steps]
    since = last_stretch([size for size, _ in moved], lambda size: size > DRIFT)
    if since is not None and len(steps) - since >= 2:
        size, channel = moved[-1]
        colour = ("red", "green", "blue")[channel]
        evidence = f"mean {colour} of {len(courses)} validation images moved by {size:.1f} of 255"
        mend = "Add or raise a pixel or colour loss (hsluvloss, L1 of the blurred images)"
        yield "warning", steps[since], None, evidence, f"{mend}, and go back to a checkpoint before {steps[since]:,}."


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
def find_backoffs(view: View) -> Iterator[Row]:
    for label in ("scale_g", "scale_d"):
        one = view.tracks.get(label)
        recent: deque[tuple[int, float]] = deque()
        for at, low, high in zip(one.iterations, one.lows, one.highs, strict=True) if one else ():
            while recent and recent[0][0] < at - WITHIN:
                recent.popleft()
            top = max((value for _, value in recent), default=0.0)
            if at > SEARCHING and 0.0 < low <= top / 2**BACKOFFS:
                step = "Use bf16 (amp_bf16: true), or train without AMP."
                yield "warning", at, label, f"{label} fell from {top:g} to {low:g}", step
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
def find_slow_loader(view: View) -> Iterator[Row]:
    spent, waited = view.tracks.get("time"), view.tracks.get("data_time")
    if spent is None or waited is None or len(waited) < FEWEST_POINTS or len(waited) != len(spent):
        return
    seconds, waiting = spent.means[3:], waited.means[3:]  # workers start
    share = sum(waiting) / max(sum(seconds), 1e-9)
    if share > WAITING:
        evidence = f"{share:.0%} of a step's time is spent waiting for data"
        step = "Raise num_worker_per_gpu, cut the images into tiles (subimages) or an LMDB, set prefetch_mode: cuda."
        yield "warning" if share > WAITING_MUCH else "info", None, None, evidence, step


LEAST_LOSS = {"psnr": 0.1, "ssim": 0.002, "lpips": 0.003, "dists": 0.003}  # below it nobody sees a difference; chosen


@fault(
    "no-progress",
    "warning",
    "Nothing is gained any more",
    "The validation metrics are flat within their noise, or worse since an iteration; or nothing was learnt at all.",
    "Real-ESRGAN #205, #384; BasicSR #139, #80",
)
def find_no_progress(view: View) -> Iterator[Row]:
    facts = view.log.facts
    if facts.get("pretrain_network_g", "").lower() in ("none", "null", "~", "") and facts.get("trainer"):
        yield from _nothing_learnt(view)
    judged = _telling(view)
    flat = [(since, one) for one in judged if (since := one.flat_since()) is not None]
    if worse := _worse(judged):
        since, one = worse[0]
        names = ", ".join(f"{found.name} {found.means[found.best]:.4g} -> {found.means[-1]:.4g}" for _, found in worse)
        evidence, step = f"worse since: {names} (noise {one.noise:.2g})", f"Stop: nothing was gained after {since:,}."
        if rising := [found.name for found in judged if all(found is not other for _, other in [*worse, *flat])]:
            step = f"Weigh it against {', '.join(rising)}, where more may be gained."
        if all(found.fidelity for _, found in worse) and (falling := _still_falls(view, since)):
            evidence += f"; {falling}: the training images are learnt by heart, or those validated are of another kind"
            step += " Train on more images, of the kind that is validated."
        yield "warning", since, None, evidence, step
    elif flat and len(flat) == len(judged):
        names = ", ".join(f"{one.name} (noise {one.noise:.2g})" for _, one in flat)
        step = "Lower the learning rate, begin the next phase, or stop."
        yield "info", max(pair[0] for pair in flat), None, f"nothing gained beyond the noise: {names}", step


def _telling(view: View) -> list[MetricSeries]:
    """The metrics that tell of progress; an adversarial loss costs PSNR and SSIM."""
    return [one for one in view.metrics if not (view.log.adversarial and one.fidelity)]


def _worse(metrics: Iterable[MetricSeries]) -> list[tuple[int, MetricSeries]]:
    """Those that end worse than they were, the first to begin first, and since when."""
    found = ((one.worse_since(LEAST_LOSS.get(one.metric.lower(), 0.0)), one) for one in metrics)
    return sorted(((since, one) for since, one in found if since is not None), key=lambda pair: pair[0])


def _still_falls(view: View, since: int) -> str:
    """The pixel loss, where its mean fell by more than two standard errors from the first third since to the last, and
    lies below what it was before."""
    for one in (view.tracks[label] for label in PIXEL if label in view.tracks):
        start = bisect_right(one.iterations, since)
        third = (len(one) - start) // 3
        before, first, last = one.means[:start], one.means[start : start + third], one.means[-third:]
        if min(third, start) >= FEWEST_POINTS:
            error = math.hypot(pstdev(first), pstdev(last)) / math.sqrt(third)
            if fmean(last) < min(fmean(first) - TELLING * error, fmean(before[-third:])):
                return f"{one.label} went on falling from {fmean(first):.2e} to {fmean(last):.2e}"
    return ""


def _nothing_learnt(view: View) -> Iterator[Row]:
    """A training from scratch whose pixel loss has not fallen by a tenth is none."""
    poor = [max(one.values) for one in view.metrics if one.metric.lower() == "psnr" and max(one.values) < 20.0]
    for one in (view.tracks[label] for label in PIXEL if poor and label in view.tracks):
        third = len(one) // 3
        first, last = one.means[:third], fmean(one.means[-third:])
        if len(one) < 2 * FEWEST_POINTS or view.log.last < LEAST_LONG:
            continue
        if last > 0.95 * fmean(first) - TELLING * pstdev(first) / math.sqrt(third):
            course = f"{one.label} went from {fmean(first):.3g} to {last:.3g} in {view.log.last:,} iterations"
            step = "Divide the learning rate by ten, and see that GT and LQ are pairs."
            evidence = f"{course} from scratch, and PSNR never rose above {poor[0]:.1f} dB"
            yield "warning", view.log.first, one.label, evidence, step


FEW = 100  # images, below which traiNNer-redux itself warns when it starts (train.py)
SO_FEW = 10  # below it what PSNR lost is not put down to the adversarial loss alone; chosen


@fault(
    "few-images",
    "warning",
    "The training set is tiny",
    "A network learns few images by heart, and a discriminator cannot tell what it generates from them any more. How "
    "large the images are no log says: a few huge ones may hold enough.",
    "traiNNer-redux's train.py warns below 100; the runs on two images in tests/cases_diagnose",
)
def find_few_images(view: View) -> Iterator[Row]:
    count, times = view.log.trained_on or (FEW, 0)
    if count >= FEW:
        return
    since, one = next(iter(_worse(view.metrics if count < SO_FEW else _telling(view))), (None, None))
    fell = f"; {one.name} went from {one.shown(one.means[one.best])} to {one.shown(one.means[-1])}" if one else ""
    step = "Train on more images; `autocal analyze-dataset FOLDER` tells what a folder holds."
    seen = "once" if times == 1 else f"{times:,} times"
    yield "warning" if one else "info", since, None, f"{count} training images, each seen {seen}{fell}", step


@fault(
    "ended-early",
    "error",
    "The run ended before its end",
    "The log stops before total_iter: an error, a kill (out of memory, time limit, power), or somebody's hand.",
    "the trainers' own last lines",
)
def find_early_end(view: View) -> Iterator[Row]:
    log = view.log
    total, ending = log.total_iter, log.sessions[-1].ending if log.sessions else None
    if ending is None or log.source != "text logs":
        return
    at = f"{log.last:,}{f' of {total:,}' if total else ''}"
    errors = [event.cause for event in log.events if event.kind == "error"]
    if ending == "finished":
        if total and log.last < total - 2 * log.interval:
            evidence = (
                f"the trainer ended at {at} as if that were the end: it counts epochs, and those are fewer "
                "iterations where the batch or the data set grew since they were counted"
            )
            step = "Resume it with auto_resume if the metrics still rise; the epochs are counted anew then."
            yield "warning", log.last, None, evidence, step
    elif errors or ending == "crashed":
        said = errors[-1] if errors else "a traceback stands in the log"
        yield "error", log.last, None, f"ended at {at}: {said}", "Mend what it names, and resume (auto_resume)."
    elif ending == "stopped":
        by = log.facts.get("stopped by", "")
        who = f"the trainer itself at {at}: {by}" if by else f"hand at {at}"
        yield "info", log.last, None, f"stopped by {who}", "Resume it with auto_resume."
    elif not running(log) and (total is None or log.last < total):
        evidence = f"the log stops at {at} without a last word: killed, or out of memory"
        step = "See the system's log for the kill, then resume with --auto_resume (auto_resume: true)."
        yield "warning", log.last, None, evidence, step


@fault(
    "resumed",
    "info",
    "The run was taken up again",
    "A resumed run goes on from its last checkpoint: what was logged after that was trained again.",
    "the trainers' own first lines",
)
def find_resumes(view: View) -> Iterator[Row]:
    sessions = view.log.sessions
    later = [one for one in sessions[1:] if one.first is not None]
    if not later:
        return
    pairs = [(before.ended, one.began) for before, one in pairwise(sessions) if before.ended and one.began]
    gaps = ", ".join(f"stopped at {ended} and went on at {began}" for ended, began in pairs[:3])
    times = "once" if len(later) == 1 else f"{len(later)} times"
    known = view.log.source == "text logs"
    starts = ", ".join(f"{one.start:,}" if known else f"before {one.first:,}" for one in later)
    again = f"; {view.log.superseded} logged points were trained again" if view.log.superseded else ""
    when = f"; the log {gaps}" if gaps else ""
    yield "info", later[0].start, None, f"{times}, from {starts}{again}{when}", "Nothing."
