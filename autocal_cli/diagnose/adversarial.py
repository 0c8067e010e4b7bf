"""What can be wrong between generator and discriminator: the findings, and the health that follows from them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from autocal_cli.diagnose.faults import Row, fault, is_neosr, restart
from autocal_cli.diagnose.model import Health, RunFinding, number_of
from autocal_cli.diagnose.view import (
    FEWEST_POINTS,
    MOST_COST,
    STRETCH,
    View,
    blind_since,
    fidelity_lost,
    frozen,
    last_stretch,
    no_picture_since,
)

FAST = 8.0  # times the generator's rate; templates have both alike; chosen, untested


@fault(
    "collapsed",
    "error",
    "The generator collapsed",
    "The discriminator no longer tells anything and fidelity is gone: what is trained from then on is noise. "
    "No later checkpoint is worth keeping.",
    "Real-ESRGAN #793; BasicSR #333",
)
def find_collapse(view: View) -> Iterator[Row]:
    if not view.log.adversarial:
        return
    gone, lost, blind = no_picture_since(view), fidelity_lost(view), blind_since(view)
    if gone:
        yield "error", gone[0], None, gone[1], restart(view, gone[0])
    elif lost and (blind is not None or lost[2] >= 2.0 * MOST_COST):
        since, name, depth = lost
        also = f", and the discriminator is blind since {blind:,}" if blind is not None else ""
        step = f"Go back to a checkpoint before {since:,} and lower the adversarial weight tenfold{_scheduler(view)}."
        yield "error", since, "l_g_gan", f"{name} lies {depth:.1f} dB under its best{also}", step


@fault(
    "fidelity-lost",
    "error",
    "More fidelity was lost than perception can be worth",
    "Perfect perceptual quality costs at most 3 dB of the PSNR of the network that was trained for PSNR. "
    "What fell by more since the adversarial phase began buys nothing.",
    "Blau and Michaeli 2018, The perception-distortion tradeoff",
)
def find_fidelity_lost(view: View) -> Iterator[Row]:
    lost = fidelity_lost(view)
    if lost and view.log.adversarial and not any(find_collapse(view)):
        since, name, depth = lost
        evidence = f"{name} lies {depth:.1f} dB under its best; at most {MOST_COST:g} can buy anything"
        step = f"Keep a checkpoint from before {since:,}; lower the adversarial weight{_scheduler(view)}."
        yield "error", since, "l_g_gan", evidence, step


@fault(
    "discriminator-blind",
    "warning",
    "The discriminator cannot tell real from generated",
    "The adversarial loss then says nothing: its gradient is noise, however large its weight. Either the loss is so "
    "heavy that the generator only fools the discriminator, or the discriminator does not learn.",
    "BasicSR #117; the scheduler's own bound (docs/runtime.md)",
)
def find_blind(view: View) -> Iterator[Row]:
    since, seen, ratio = blind_since(view), view.separation, _rate_ratio(view)
    if since is None or seen is None:
        return
    tail = [value for at, value in zip(seen.iterations, seen.values, strict=True) if at >= since]
    evidence = f"{seen.name} {fmean(tail):z.2f} (0: cannot tell)"
    if ratio == 0.0 or frozen(view):
        still = "optim_d's rate is 0" if ratio == 0.0 else "its losses do not move at all"
        step = "See that optim_d has a rate above 0, that network_d is not frozen, and that net_d_init_iters is 0."
        yield "warning", since, "l_d_real", f"{evidence}; {still}: it is not trained", step
        return
    if ratio is not None and ratio >= FAST:
        fast = f"optim_d's rate is {ratio:.0f} times the generator's: likely too fast to learn anything"
        usual = f"{view.log.facts['rate:optim_g']} (as the trainers' templates have it)"
        yield "warning", since, "l_g_gan", f"{evidence}; {fast}", f"Set optim_d's rate to optim_g's, {usual}."
        return
    awake = any(value > seen.awake for at, value in zip(seen.iterations, seen.values, strict=True) if at < since)
    evidence += "" if awake else "; it never told them apart"
    step = f"Raise optim_d's rate, or enlarge network_d{_scheduler(view)}."
    share = _share_of_sum(view, "l_g_gan")
    if share is not None:
        evidence += f"; l_g_gan is {share:.0%} of the sum"
    if share is None or share > 0.2:
        weight = view.log.facts.get("weight:ganloss") or view.log.facts.get("weight:gan_loss")
        now = f", {weight} now" if weight else ""
        step = f"Divide the GAN loss's `loss_weight` by ten{now} (templates have 0.005 to 0.1){_scheduler(view)}."
    yield "warning", since, "l_g_gan", evidence, step


def _scheduler(view: View) -> str:
    """The other way to mend an adversarial weight, for trainers that `autocal run` knows."""
    command = "autocal run TRAIN.py -opt CONFIG (weighs the adversarial loss by what it costs and what it still says)"
    return "" if is_neosr(view) else f"; or {command}"


def _rate_ratio(view: View) -> float | None:
    """The discriminator's rate over the generator's, as the trainer printed them."""
    g, d = (number_of(view.log.facts.get(f"rate:optim_{letter}", "")) for letter in "gd")
    return d / g if g and d is not None else None


def _share_of_sum(view: View, label: str) -> float | None:
    """A loss's part of the generator's sum over the last third, by value."""
    losses = [one for one in view.losses() if not one.label.startswith("l_d_") and len(one)]
    parts = {one.label: abs(fmean(one.means[-max(1, len(one) // 3) :])) for one in losses}
    total = sum(parts.values())
    return parts[label] / total if label in parts and total > 0.0 else None


@fault(
    "discriminator-dominates",
    "warning",
    "The discriminator always wins",
    "It knows every generated image, so that it no longer says which is the better one. Strong discriminators win "
    "often in published recipes too (advantages of .4 to .99): it is a fault when nothing is gained any more.",
    "BasicSR #160, #190, #144",
)
def find_domination(view: View) -> Iterator[Row]:
    seen, log = view.separation, view.log
    start = last_stretch(seen.values, lambda value: value > seen.dominates) if seen else None
    if seen is None or start is None or len(seen.values) - start < FEWEST_POINTS:
        return
    since = seen.iterations[start]
    if log.last - since < STRETCH * (log.last - log.first):
        return
    evidence = f"{seen.name} {fmean(seen.values[-5:]):.2f} (1: always right)"
    gan, ratio = view.tracks.get("l_g_gan"), _rate_ratio(view)
    if gan and len(gan) > FEWEST_POINTS:
        evidence += f"; l_g_gan went from {fmean(gan.means[:5]):.2e} to {fmean(gan.means[-5:]):.2e}"
    times = f" ({ratio:.0f} times as high now)" if ratio is not None and ratio >= 2.0 else ""
    step = f"Lower optim_d's rate to optim_g's{times}, or take a weaker discriminator{_scheduler(view)}."
    yield "warning", since, "l_g_gan", evidence, step


def health_of(view: View, findings: Sequence[RunFinding]) -> Health:
    """The health of the adversarial training, of the findings and of what can be known."""
    if not view.log.adversarial:
        return "no-gan"
    codes, seen = {finding.code for finding in findings}, view.separation
    if codes & {"collapsed", "fidelity-lost"}:
        return "collapsed"
    if "discriminator-blind" in codes:
        return "discriminator-blind"
    if "discriminator-dominates" in codes:
        return "discriminator-dominates"
    unknown = seen is None or max(seen.values) < seen.awake or "non-finite" in codes
    return "unknown" if unknown else "healthy"
