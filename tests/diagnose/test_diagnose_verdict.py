"""Courses made of numbers, and what is said of them: as many that are in order as that are not."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from run_logs import run_log

from autocal_cli.diagnose.model import ImageMean, LogEvent, RunLog, Session
from autocal_cli.diagnose.verdict import FAULTS, diagnose

POINTS = 120
BLIND = math.log(2)


def noisy(values: Sequence[float], seed: int = 0, spread: float = 0.1) -> list[float]:
    draw = random.Random(seed)
    return [value * math.exp(draw.gauss(0.0, spread)) for value in values]


def falling(start: float = 0.05, end: float = 0.02, count: int = POINTS) -> list[float]:
    return [end + (start - end) * math.exp(-4.0 * i / count) for i in range(count)]


def flat(value: float, count: int = POINTS) -> list[float]:
    return [value] * count


def stepping(before: float, after: float, at: int = 60, count: int = POINTS) -> list[float]:
    return [before if i < at else after for i in range(count)]


def gan(
    advantage: Sequence[float],
    pixel: Sequence[float] | None = None,
    counts: tuple[int, int] = (800, 4),
    **fields: object,
) -> RunLog:
    """A vanilla GAN run whose discriminator's losses have the advantage given, with 3% noise."""
    parts = [BLIND * (1.0 - value) for value in advantage]
    tracks = {
        "l_g_pix": noisy(pixel or falling(count=len(advantage)), 1),
        "l_g_gan": noisy([0.005 * (BLIND + value) for value in advantage], 2, 0.05),
        "l_d_real": noisy(parts, 3, 0.03),
        "l_d_fake": noisy(parts, 4, 0.03),
    }
    facts = {"gan_type": "vanilla", "images": str(counts[0]), "batch": str(counts[1])}
    return run_log(tracks, facts=facts, **fields)  # type: ignore[arg-type]


def plain(pixel: Sequence[float] | None = None, **fields: object) -> RunLog:
    return run_log({"l_pix": noisy(pixel or falling(), 1)}, **fields)  # type: ignore[arg-type]


def found(log: RunLog) -> dict[str, int | None]:
    """Codes above info, and since when."""
    return {one.code: one.iteration for one in diagnose(log).findings if one.severity != "info"}


def said(log: RunLog) -> set[str]:
    return {one.code for one in diagnose(log).findings}


WAKING = [0.0] * 10 + [0.3] * 110

SCALES = [2.0 ** (10 + min(i // 10, 6) - (i // 10) % 2) for i in range(POINTS)]

HEALTHY = {
    "pixel loss alone": plain(),
    "a pixel loss that stays where a pretrained network began": plain(flat(0.02)),
    "a GAN whose discriminator wakes": gan(WAKING),
    "a strong discriminator, as in published recipes": gan([0.0] * 5 + [0.9] * 115),
    "a GAN that costs 2 dB": gan(WAKING, stepping(0.02, 0.025)),
    "a GAN whose PSNR falls by 2 dB": gan(WAKING, metrics={"psnr": [29.0] * 6 + [27.0] * 14}),
    "the same with few images, which may be large": gan(
        WAKING, metrics={"psnr": [29.0] * 6 + [27.0] * 14}, counts=(60, 4)
    ),
    "one spike that comes back": plain([0.5 if i == 60 else 0.02 for i in range(POINTS)]),
    "a GAN too short for its discriminator to wake": gan(flat(0.0, 20), falling(count=20), every=10),
    "a loss scale that grows and is halved now and then": run_log({"l_pix": noisy(falling()), "scale_g": SCALES}),
    "a loss that begins later": run_log({"l_g_pix": noisy(falling()), "l_g_x": [0.0] * 60 + noisy(flat(0.1, 60))}),
    "PSNR that rises and then stands still": plain(
        metrics={"psnr": noisy([27.0 + min(i, 10) / 5 for i in range(30)], 5, 0.0005)}
    ),
    "validations that scatter": plain(metrics={"psnr": noisy(flat(28.0, 30), 6, 0.005)}),
    "a relativistic GAN of BasicSR, whose losses are halved": run_log(
        {"l_g_pix": noisy(falling()), "l_g_gan": noisy(flat(0.003)),
         "l_d_real": noisy([BLIND / 2 * (1 - a) for a in WAKING], 3, 0.03),
         "l_d_fake": noisy([BLIND / 2 * (1 - a) for a in WAKING], 4, 0.03)},
        facts={"model_type": "ESRGANModel", "gan_type": "vanilla"},
    ),
    "a run that was resumed": plain(
        sessions=(Session(0, 100, 6_000, "unsaid"), Session(5_000, 5_100, 12_000, "finished"))
    ),
    "a run that is going on": plain(
        facts={"total_iter": "50000"}, sessions=(Session(0, 100, 12_000, "unsaid"),), silent_for=20.0
    ),
    "a run stopped by hand": plain(facts={"total_iter": "50000"}, sessions=(Session(0, 100, 12_000, "stopped"),)),
    "images whose colours stay": plain(
        images=tuple(ImageMean(at, name, (100.0 + at % 3, 90.0, 80.0)) for at in range(1, 9) for name in "abc")
    ),
    "a loader that costs a third": run_log({"l_pix": noisy(falling()), "time": flat(0.3), "data_time": flat(0.1)}),
}  # fmt: skip


@pytest.mark.parametrize("log", HEALTHY.values(), ids=HEALTHY)
def test_nothing_above_info_is_said_of_what_is_in_order(log):
    assert found(log) == {}


LPIPS = [0.2 - min(i, 10) / 100 + max(i - 10, 0) / 200 for i in range(30)]
ENDS = (Session(0, 100, 12_000, "unsaid"),)

WRONG: dict[str, tuple[RunLog, dict[str, tuple[int, int]]]] = {
    "a discriminator that never wakes": (gan(flat(0.0)), {"discriminator-blind": (100, 100)}),
    "one that goes blind": (gan([0.0] * 10 + [0.3] * 50 + [0.0] * 60), {"discriminator-blind": (5_500, 6_700)}),
    "one that is fooled": (gan([0.0] * 10 + [0.3] * 50 + [-0.2] * 60), {"discriminator-blind": (5_500, 6_700)}),
    "a discriminator that always wins": (gan([0.3] * 60 + [0.99] * 60), {"discriminator-dominates": (5_700, 7_000)}),
    "4 dB lost": (gan(WAKING, stepping(0.02, 0.032)), {"fidelity-lost": (5_500, 6_800), "divergence": (5_500, 6_800)}),
    "PSNR fell by 5 dB": (gan(WAKING, metrics={"psnr": [29.0] * 10 + [24.0] * 10}), {"fidelity-lost": (6_600, 6_600)}),
    "PSNR fell by 5 dB while blind": (
        gan([0.3] * 60 + [0.0] * 60, metrics={"psnr": [29.0] * 10 + [24.0] * 10}),
        {"collapsed": (6_600, 6_600), "discriminator-blind": (5_500, 6_700)},
    ),
    "no picture": (gan(WAKING, metrics={"psnr": [29.0] * 10 + [8.0] * 10}), {"collapsed": (6_600, 6_600)}),
    "a cost of 4 dB by the scheduler": (
        run_log({"l_g_gan": noisy(flat(0.003)), "l_g_x": noisy(falling()), "autocal/cost": stepping(0.5, 4.0)}),
        {"fidelity-lost": (6_100, 6_100)},
    ),
    "blind by the scheduler's separation": (
        run_log({"l_g_gan": noisy(flat(0.003)), "autocal/separation": stepping(0.7, 0.1)}),
        {"discriminator-blind": (6_100, 6_100)},
    ),
    "a pixel loss that doubles": (plain(stepping(0.02, 0.04)), {"divergence": (5_500, 6_500)}),
    "NaN": (
        run_log({"l_g_a": falling(), "l_g_b": [*noisy(flat(0.1, 70)), *flat(math.nan, 50)]}),
        {"non-finite": (7_100, 7_100)},
    ),
    "infinity, once": (
        run_log({"l_g_a": [*noisy(flat(0.1, 70)), math.inf, *noisy(flat(0.1, 49))]}), {"non-finite": (7_100, 7_100)},
    ),
    "NaN that only the trainer's words tell": (
        plain(events=(LogEvent("non-finite", 8_000, "*", "NaN"),)), {"non-finite": (8_000, 8_000)},
    ),
    "NaN that the scheduler names": (
        plain(events=(LogEvent("scheduler", 8_000, "l_g_b", "not finite"),)),
        {"non-finite": (8_000, 8_000)},
    ),
    "a loss that is nil": (run_log({"l_g_a": noisy(falling()), "l_g_b": flat(0.0)}), {"inert-loss": (8_100, 8_100)}),
    "a loss without a gradient": (
        plain(events=(LogEvent("scheduler", 1, "l_g_gan", "has no gradient path"),)), {"inert-loss": (1, 1)},
    ),
    "PSNR that falls in a training without GAN": (
        plain(metrics={"psnr": noisy([27 + i / 10 if i < 10 else 28 - (i - 10) / 10 for i in range(30)], 5, 0.0005)}),
        {"no-progress": (4_000, 4_800)},
    ),
    "a few images that are learnt by heart": (
        gan(WAKING, metrics={"psnr": noisy([29.0 - 0.05 * i for i in range(20)], 5, 1e-4)}, counts=(2, 4)),
        {"few-images": (600, 1_200)},
    ),
    "LPIPS that rises in a GAN": (
        gan(WAKING, metrics={"lpips": noisy(LPIPS, 5, 0.01)}),
        {"no-progress": (4_000, 4_800)},
    ),
    "from scratch, nothing learnt": (
        plain(flat(0.3), facts={"pretrain_network_g": "None", "trainer": "BasicSR"}, metrics={"psnr": flat(9.0, 10)}),
        {"divergence": (1_200, 1_200), "no-progress": (100, 100)},
    ),
    "a loss scale that falls and falls": (
        run_log({"l_pix": falling(), "scale_g": [2.0**16] * 50 + [2.0 ** (16 - i) for i in range(10)] + [64.0] * 60}),
        {"loss-scale-backoff": (5_000, 5_600)},
    ),
    "a loader that costs more than half": (
        run_log({"l_pix": noisy(falling()), "time": flat(0.3), "data_time": flat(0.2)}), {"slow-loader": (0, 0)},
    ),
    "killed": (plain(facts={"total_iter": "50000"}, sessions=ENDS, silent_for=1e6), {"ended-early": (12_000, 12_000)}),
    "an error": (
        plain(sessions=(Session(0, 100, 12_000, "crashed"),), events=(LogEvent("error", 12_000, "*", "OOM"),)),
        {"ended-early": (12_000, 12_000)},
    ),
    "images that turn red": (
        plain(images=tuple(ImageMean(at, name, (100.0 + 2 * at, 90.0, 80.0)) for at in range(1, 9) for name in "abc")),
        {"colour-drift": (4, 4)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("log", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_the_iteration_at_which_it_began(log, expected):
    codes = found(log)
    assert set(codes) == set(expected)
    for code, (low, high) in expected.items():
        assert low <= (codes[code] or 0) <= high, code


@pytest.mark.parametrize(
    ("log", "health"),
    [
        (plain(), "no-gan"),
        (gan(WAKING), "healthy"),
        (gan(flat(0.0)), "discriminator-blind"),
        (gan([0.3] * 60 + [0.99] * 60), "discriminator-dominates"),
        (gan(WAKING, metrics={"psnr": [29.0] * 10 + [8.0] * 10}), "collapsed"),
        (gan(flat(0.0, 20), falling(count=20), every=10), "unknown"),
        (run_log({"l_g_pix": falling(), "l_g_gan": flat(0.1)}), "unknown"),
    ],
)
def test_the_health(log, health):
    assert diagnose(log).health == health


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        ("vanilla", lambda r, f: (math.log1p(math.exp(-r)), math.log1p(math.exp(f)))),
        ("hinge", lambda r, f: (max(0.0, 1 - r), max(0.0, 1 + f))),
        ("lsgan", lambda r, f: ((1 - r) ** 2, f**2)),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_the_discriminators_state_is_told_for_each_kind_of_loss_also_where_it_is_not_named(kind, formula, named):
    middle = 0.5 if kind == "lsgan" else 0.0
    for gap, blind in ((0.0, True), (0.8, False)):
        real, fake = noisy(flat(middle + gap + 0.001), 1, 0.01), [middle - gap / 2] * POINTS
        parts = [formula(r, f) for r, f in zip(real, fake, strict=True)]
        tracks = {"l_g_pix": noisy(falling()), "l_d_real": [p[0] for p in parts], "l_d_fake": [p[1] for p in parts],
                  "out_d_real": real, "out_d_fake": fake}  # fmt: skip
        log = run_log(tracks, facts={"gan_type": kind} if named else {})
        assert ("discriminator-blind" in found(log)) == blind


def test_the_loss_that_was_not_finite_first_is_named():
    broken = {"l_g_a": [*falling(count=70), *flat(math.nan, 50)], "l_g_b": [*falling(count=60), *flat(math.nan, 60)]}
    both = run_log(broken)
    finding = diagnose(both).findings[0]
    assert (finding.code, finding.loss, finding.iteration) == ("non-finite", "l_g_b", 6_100)


def test_what_stood_still_is_told_from_what_is_outweighed():
    still = diagnose(gan(flat(0.0))).findings[0]
    frozen = run_log(
        {"l_g_gan": noisy(flat(0.003)), "l_d_real": noisy(flat(0.74), 1, 1e-4), "l_d_fake": noisy(flat(0.64), 2, 1e-4)},
        facts={"gan_type": "vanilla"},
    )
    assert still.loss == "l_g_gan"
    assert diagnose(frozen).findings[0].loss == "l_d_real"


@pytest.mark.parametrize(("trainer", "advised"), [("BasicSR", True), ("neosr", False)])
def test_the_scheduler_is_advised_where_it_can_be_started(trainer, advised):
    blind = gan(stepping(0.3, 0.0))
    blind.facts["trainer"] = trainer
    steps = [one.next for one in diagnose(blind).findings if one.code == "discriminator-blind"]
    assert len(steps) == 1
    assert ("autocal run" in steps[0]) == advised


@pytest.mark.parametrize(
    ("pixel", "by_heart"),
    [(falling(0.05, 0.01), True), (stepping(0.02, 0.03), False), ([*flat(0.02, 60), *falling(2.0, 0.03, 60)], False)],
)
def test_a_training_loss_that_falls_on_while_the_validation_gets_worse_is_told(pixel, by_heart):
    log = plain(pixel, metrics={"psnr": noisy([28 + 0.2 * i - 0.012 * i * i for i in range(20)], 5, 1e-4)})
    (one,) = [one for one in diagnose(log).findings if one.code == "no-progress"]
    assert ("by heart" in one.evidence) is ("more images" in one.next) is by_heart


@pytest.mark.parametrize(("lpips", "stop"), [(falling(0.3, 0.1, 20), False), (flat(0.2, 20), True)])
def test_one_is_told_to_stop_where_no_metric_gains(lpips, stop):
    psnr = noisy([28 + 0.2 * i - 0.012 * i * i for i in range(20)], 5, 1e-4)
    log = plain(flat(0.02), metrics={"psnr": psnr, "lpips": noisy(lpips, 6, 1e-3)})
    (one,) = [one for one in diagnose(log).findings if one.code == "no-progress"]
    assert ("Stop" in one.next, "val/lpips" in one.next) == (stop, not stop)


@pytest.mark.parametrize(("images", "severity"), [(12, "info"), (100, None), (800, None)])
def test_few_images_alone_are_no_fault(images, severity):
    found = {one.code: one for one in diagnose(gan(WAKING, counts=(images, 4))).findings}
    assert (found["few-images"].severity if "few-images" in found else None) == severity
    if severity:
        assert found["few-images"].evidence == "12 training images, each seen 4,000 times"


@pytest.mark.parametrize("log", [*HEALTHY.values(), *(log for log, _ in WRONG.values())])
def test_ten_lines_at_most_one_of_them_what_next(log):
    lines = diagnose(log).lines
    assert len(lines) <= 10
    assert [line.topic for line in lines][-1] == "next"
    assert not any("\n" in line.text for line in lines)


def line(log: RunLog, topic: str) -> str:
    return next(one.text for one in diagnose(log).lines if one.topic == topic)


@pytest.mark.parametrize(
    ("advantage", "words", "quiet"),
    [
        ([*flat(0.4, 110), *flat(0.3, 10)], "always right)", True),
        ([*flat(0.4, 110), *flat(0.01, 10)], "near blind by now", False),
        ([*flat(0.4, 110), *flat(-0.2, 10)], "fooled by now", False),
    ],
)
def test_a_discriminator_that_weakens_at_the_end_is_said_to_and_there_is_something_to_do(advantage, words, quiet):
    log = gan(advantage)
    assert line(log, "discriminator").startswith("healthy")
    assert line(log, "discriminator").endswith(words)
    assert (line(log, "next") == "nothing has to be done") is quiet


@pytest.mark.parametrize(("now", "said"), [("blind", True), ("healthy", False)])
def test_of_a_short_run_the_scheduler_tells_what_the_losses_cannot_yet(now, said):
    tracks = {"l_d_real": flat(0.7, 6), "l_d_fake": flat(0.69, 6), "autocal/separation": flat(0.12, 6)}
    events = (
        LogEvent("scheduler", 41, "*", "discriminator blind"),
        LogEvent("scheduler", 300, "*", f"discriminator {now}"),
    )
    log = run_log(tracks, events=events)
    assert "fewer than 12 lines; separation 0.12" in line(log, "discriminator")
    assert ("the scheduler: discriminator blind since 300" in line(log, "discriminator")) is said
    assert (line(log, "next") == "nothing has to be done") is not said
    assert "the discriminator's health: fewer than 12 lines" in diagnose(log).unknown


def test_the_events_of_a_run_that_stays_broken_are_not_compared_one_by_one(monkeypatch):
    """A run of which each tenth step is named has tens of thousands of them."""
    events = tuple(LogEvent("scheduler", at, "l_g_b", "not finite") for at in range(10, 500, 10))
    monkeypatch.setattr(LogEvent, "__eq__", lambda *_: pytest.fail("compared"))
    (found,) = [one for one in diagnose(plain(events=events)).findings if one.code == "non-finite"]
    assert "the log says so 49 times, first after 10" in found.evidence


def test_a_discriminator_that_errs_on_single_batches_is_not_blind():
    """Single lines of a relativistic discriminator, as in BasicSR #269: nearly always right, once -14."""
    assert diagnose(gan([0.99, 0.92, 0.99, 0.71, -13.7] * 30)).health == "healthy"


@pytest.mark.parametrize(("last", "severity"), [(20_000, None), (4_000, "warning")])
def test_a_trainer_that_runs_out_of_epochs_before_total_iter_is_told(last, severity):
    """A fork of traiNNer-redux ended at 44,360 of 200,000 after its batch had grown; Real-ESRGAN #745 has another."""
    log = run_log({"l_g_l1": [0.02] * (last // 100)}, facts={"total_iter": "20000"})
    assert [one.severity for one in diagnose(log).findings if one.code == "ended-early"] == [severity] * bool(severity)


def test_a_run_gone_wrong_twice_says_first_what_began_first():
    log = gan([0.3] * 60 + [0.0] * 60, events=(LogEvent("non-finite", 9_000, "*", "NaN"),))
    assert [one.code for one in diagnose(log).findings][:2] == ["discriminator-blind", "non-finite"]


def test_every_code_is_found_above():
    above = {one.code for log, _ in WRONG.values() for one in diagnose(log).findings}
    above |= {one.code for log in HEALTHY.values() for one in diagnose(log).findings}
    assert above == set(FAULTS)
