"""Sampling: the order, the summary of a sample, how often its interval holds the truth, and when it is enough."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.dataset.model import METRIC_NAMES
from autocal_cli.dataset.sampling import CHECK_EVERY, LEAST_SAMPLE, Tally, sample_order, summarise


def half_widths(scores: np.ndarray, population: int) -> np.ndarray:
    return Tally.empty().add(scores).half_widths(population)


@given(st.integers(0, 200), st.integers(0, 2**40))
def test_order_is_a_shuffle_that_the_seed_decides(count, seed):
    assert sorted(sample_order(count, seed)) == list(range(count))
    assert sample_order(count, seed) == sample_order(count, seed)


def test_order_is_pinned():
    assert list(sample_order(8, 0)) == [4, 1, 5, 2, 0, 3, 7, 6]
    assert sample_order(8, 1) != sample_order(8, 0)


SCORES = np.array([[0.0, 0.2, 0.4], [1.0, 0.4, 0.4], [0.5, 0.6, 0.4], [0.5, 0.8, 0.4]])


def test_summary_by_hand():
    metrics, overall, overall_ci95 = summarise(SCORES, SCORES * 10, population=4)
    assert list(metrics) == list(METRIC_NAMES)
    edges = metrics["edge_density"]
    assert (edges.score, edges.median, edges.raw_mean) == pytest.approx((0.5, 0.5, 5.0))
    assert (edges.p5, edges.p95) == pytest.approx((0.23, 0.77))
    assert edges.ci95 == (edges.score, edges.score)
    assert overall == pytest.approx(0.2 * 0.5 + 0.4 * 0.5 + 0.4 * 0.4)
    assert overall_ci95 == (overall, overall)


def test_interval_by_hand():
    deviation = np.std([0.2, 0.4, 0.6, 0.8], ddof=1)
    expected = 1.96 * deviation / math.sqrt(4) * math.sqrt((100 - 4) / (100 - 1))
    assert half_widths(SCORES, 100)[1] == pytest.approx(expected)
    overall = SCORES @ [0.2, 0.4, 0.4]
    expected = 1.96 * overall.std(ddof=1) / math.sqrt(4) * math.sqrt(96 / 99)
    assert half_widths(SCORES, 100)[3] == pytest.approx(expected)


def test_interval_stays_in_range_and_is_whole_when_nothing_is_known():
    assert summarise(SCORES, SCORES, 100)[0]["texture_variance"].ci95[0] >= 0.0
    assert summarise(SCORES[:1], SCORES[:1], 2)[2] == (0.0, 1.0)
    assert summarise(SCORES[:1], SCORES[:1], 1)[2] == pytest.approx((0.24, 0.24))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_tally_is_the_same_in_any_portions(portions):
    scores = np.random.default_rng(7).random((sum(portions), 3))
    tally = Tally.empty()
    for part in np.split(scores, np.cumsum(portions)[:-1]):
        tally = tally.add(part)
    assert tally.half_widths(1000) == pytest.approx(half_widths(scores, 1000), abs=1e-12)


@pytest.mark.parametrize(("population", "sample"), [(100_000, 200), (1_000, 600)])
def test_interval_holds_the_true_mean_95_times_in_100(population, sample):
    rng = np.random.default_rng(8)
    everything = np.column_stack(
        [rng.beta(2, 2, population), rng.beta(0.6, 2, population), rng.random(population) ** 3]
    )
    truth = everything.mean(axis=0)
    held = []
    for _ in range(1500):
        scores = everything[rng.choice(population, sample, replace=False)]
        held.append(np.abs(scores.mean(axis=0) - truth) <= half_widths(scores, population)[:3])
    assert np.mean(held, axis=0) == pytest.approx(0.95, abs=0.02)


def test_stopping_at_the_tolerance_keeps_its_promise():
    rng = np.random.default_rng(9)
    everything = rng.beta(1, 1.5, (20_000, 3))
    truth, missed, read = everything.mean(axis=0), 0, []
    for _ in range(150):
        order, tally = rng.permutation(len(everything)), Tally.empty()
        while not tally.is_enough(len(everything), 0.02):
            tally = tally.add(everything[order[tally.count : tally.count + CHECK_EVERY]])
        missed += int((np.abs(tally.total[:3] / tally.count - truth) > 0.02).sum())
        read.append(tally.count)
    assert missed / (150 * 3) < 0.08
    assert max(read) < 1_000


def test_small_or_scattered_samples_are_not_enough():
    alike = np.full((LEAST_SAMPLE, 3), 0.5)
    assert Tally.empty().add(alike).is_enough(10_000, 0.02)
    assert not Tally.empty().add(alike[1:]).is_enough(10_000, 0.02)
    scattered = alike.copy()
    scattered[::2, 1] = 0.0
    assert not Tally.empty().add(scattered).is_enough(10_000, 0.02)
