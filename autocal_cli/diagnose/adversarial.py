"""What can be wrong between generator and discriminator: one function a code, its meaning beside it; and the health."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from autocal_cli.diagnose.faults import fault, restart
from autocal_cli.diagnose.model import Health, RunFinding
from autocal_cli.diagnose.view import (
    FEWEST_POINTS,
    MOST_COST,
    View,
    blind_since,
    dominated_since,
    fidelity_lost,
    frozen,
    no_picture_since,
    share_of_sum,
)

STATES = "autocal run TRAIN.py -opt CONFIG (weighs the adversarial loss by what it costs and what it still says)"


@fault(
    "collapsed",
    "error",
    "The generator collapsed",
    "The discriminator no longer tells anything and fidelity is gone: what is trained from then on is noise. "
    "No later checkpoint is worth keeping.",
    "Real-ESRGAN #793; BasicSR #333",
)
def find_collapse(view: View) -> Iterator[RunFinding]:
    if not view.log.adversarial:
        return
    gone = no_picture_since(view)
    if gone:
        yield RunFinding("collapsed", "error", gone[0], None, gone[1], restart(view, gone[0]))
        return
    lost = fidelity_lost(view)
    if lost is None:
        return
    name, since, depth = lost
    blind = blind_since(view)
    if blind is None and depth < 2.0 * MOST_COST:
        return
    also = f", and the discriminator is blind since {blind:,}" if blind is not None else ""
    yield RunFinding(
        "collapsed", "error", since, "l_g_gan", f"{name} lies {depth:.1f} dB under its best{also}",
        f"Go back to a checkpoint before {since:,} and lower the adversarial weight tenfold, or {STATES}.",
    )  # fmt: skip


@fault(
    "fidelity-lost",
    "error",
    "More fidelity was lost than perception can be worth",
    "Perfect perceptual quality costs at most 3 dB of the PSNR of the network that was trained for PSNR. "
    "What fell by more since the adversarial phase began buys nothing.",
    "Blau and Michaeli 2018, The perception-distortion tradeoff",
)
def find_fidelity_lost(view: View) -> Iterator[RunFinding]:
    if not view.log.adversarial or any(True for _ in find_collapse(view)):
        return
    lost = fidelity_lost(view)
    if lost:
        name, since, depth = lost
        yield RunFinding(
            "fidelity-lost", "error", since, "l_g_gan",
            f"{name} lies {depth:.1f} dB under its best; at most {MOST_COST:g} can buy anything",
            f"Keep a checkpoint from before {since:,}; lower the adversarial weight, or {STATES}.",
        )  # fmt: skip


@fault(
    "discriminator-blind",
    "warning",
    "The discriminator cannot tell real from generated",
    "The adversarial loss then says nothing: its gradient is noise, however large its weight. Either the loss is so "
    "heavy that the generator only fools the discriminator, or the discriminator does not learn.",
    "DESIGN, the scheduler; BasicSR #117",
)
def find_blind(view: View) -> Iterator[RunFinding]:
    since = blind_since(view)
    seen = view.separation
    if since is None or seen is None:
        return
    tail = [value for at, value in zip(seen.iterations, seen.values, strict=True) if at >= since]
    evidence = f"{seen.name} {fmean(tail):z.2f} (0: cannot tell)"
    ratio = _rates(view)
    if frozen(view) or ratio == 0.0:
        still = "optim_d's rate is 0" if ratio == 0.0 else "its losses do not move at all"
        yield RunFinding(
            "discriminator-blind", "warning", since, "l_d_real",
            f"{evidence}; {still}: it is not trained",
            "See that optim_d has a rate above 0, that network_d is not frozen, and that net_d_init_iters is 0.",
        )  # fmt: skip
        return
    if ratio is not None and ratio >= FAST:
        yield RunFinding(
            "discriminator-blind", "warning", since, "l_g_gan",
            f"{evidence}; optim_d's rate is {ratio:.0f} times the generator's: likely too fast to learn anything",
            f"Set optim_d's rate to optim_g's, {view.log.facts['rate:optim_g']} (as the trainers' templates have it).",
        )  # fmt: skip
        return
    share = share_of_sum(view, "l_g_gan")
    heavy = f"; l_g_gan is {share:.0%} of the sum" if share is not None else ""
    awake = any(value > seen.awake for at, value in zip(seen.iterations, seen.values, strict=True) if at < since)
    never = "" if awake else "; it never told them apart"
    yield RunFinding(
        "discriminator-blind",
        "warning",
        since,
        "l_g_gan",
        f"{evidence}{never}{heavy}",
        _lighter(view) if share is None or share > 0.2 else f"Raise optim_d's rate, or enlarge network_d; or {STATES}.",
    )


FAST = 8.0  # times the generator's rate; templates have both alike; chosen, untested


def _ratio_told(view: View) -> str:
    ratio = _rates(view)
    return f" ({ratio:.0f} times as high now)" if ratio is not None and ratio >= 2.0 else ""


def _rates(view: View) -> float | None:
    """The discriminator's rate over the generator's, as the trainer printed them."""
    g, d = (view.log.value(f"rate:optim_{letter}") for letter in "gd")
    return d / g if g and d is not None else None


def _lighter(view: View) -> str:
    weight = view.log.facts.get("weight:ganloss") or view.log.facts.get("weight:gan_loss")
    now = f", {weight} now" if weight else ""
    return f"Divide the GAN loss's `loss_weight` by ten{now} (templates have 0.005 to 0.1); or {STATES}."


@fault(
    "discriminator-dominates",
    "warning",
    "The discriminator always wins",
    "It knows every generated image, so that it no longer says which is the better one. Strong discriminators win "
    "often in published recipes too (advantages of .4 to .99): it is a fault when nothing is gained any more.",
    "BasicSR #160, #190, #144",
)
def find_domination(view: View) -> Iterator[RunFinding]:
    since = dominated_since(view)
    seen = view.separation
    if since is None or seen is None:
        return
    gan = view.tracks.get("l_g_gan")
    risen = ""
    if gan and len(gan) > FEWEST_POINTS:
        first, last = fmean(gan.means[:5]), fmean(gan.means[-5:])
        risen = f"; l_g_gan went from {first:.2e} to {last:.2e}"
    yield RunFinding(
        "discriminator-dominates", "warning", since, "l_g_gan",
        f"{seen.name} {fmean(seen.values[-5:]):.2f} (1: always right){risen}",
f"Lower optim_d's rate to optim_g's{_ratio_told(view)}, or take a weaker discriminator; or {STATES}.",
    )  # fmt: skip


def health_of(view: View, findings: Sequence[RunFinding]) -> Health:
    """The health of the adversarial training, of the findings and of what can be known."""
    if not view.log.adversarial:
        return "no-gan"
    codes = {finding.code for finding in findings}
    if codes & {"collapsed", "fidelity-lost"}:
        return "collapsed"
    if "discriminator-blind" in codes:
        return "discriminator-blind"
    if "discriminator-dominates" in codes:
        return "discriminator-dominates"
    seen = view.separation
    if seen is None or max(seen.values) < seen.awake or "non-finite" in codes:
        return "unknown"
    return "healthy"
