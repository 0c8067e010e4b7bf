"""Curves as coordinates: nothing that was logged lies outside what is drawn."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_logs import run_log

from autocal_cli.diagnose.model import Track
from autocal_cli.diagnose.verdict import diagnose
from autocal_cli.diagnose.view import last_stretch, reduce_track, smooth
from autocal_cli.report.diagnose import (
    HEIGHT,
    WIDTH,
    Chart,
    Curve,
    Scale,
    band_path,
    charts_of,
    diagnosis_page,
    line_path,
    merged,
    scale_of,
    span_of,
)

FINITE = st.floats(-1e6, 1e6)


@given(st.lists(FINITE, min_size=1, max_size=300), st.integers(1, 40))
def test_a_reduced_track_keeps_extremes_mean_and_length(values, buckets):
    found = reduce_track(Track("x", range(1, len(values) + 1), values), buckets)
    assert len(found) <= buckets
    assert (min(found.lows), max(found.highs)) == (min(values), max(values))
    assert found.iterations[-1] == len(values)
    rows = zip(found.lows, found.means, found.highs, strict=True)
    assert all(low - 1e-6 <= mean <= high + 1e-6 for low, mean, high in rows)


def test_what_is_not_finite_is_named_and_left_out():
    found = reduce_track(Track("x", [10, 20, 30, 40], [1.0, math.nan, math.inf, 3.0]), 2)
    assert (found.broken, found.means) == (20, (1.0, 3.0))
    assert len(reduce_track(Track("x", [10, 20], [math.nan, math.nan]))) == 0


@given(st.lists(FINITE, min_size=1, max_size=60), st.integers(1, 15))
def test_smoothing_keeps_the_length_and_stays_within(values, width):
    found = smooth(values, width)
    assert len(found) == len(values)
    assert all(min(values) - 1e-3 <= value <= max(values) + 1e-3 for value in found)


@pytest.mark.parametrize(
    ("values", "start"), [([1, 1, 0], None), ([0, 1, 1], 1), ([1, 0, 1], 2), ([1, 1], 0), ([], None)]
)
def test_the_stretch_at_the_end(values, start):
    assert last_stretch(values, lambda value: value == 1) == start


@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e6), st.booleans())
def test_a_scale_maps_its_ends_to_the_ends_and_has_few_ticks_within(low, factor, logarithmic):
    scale = Scale(low, low * factor, logarithmic)
    assert scale.place(scale.low) == pytest.approx(HEIGHT)
    assert scale.place(scale.high) == pytest.approx(0.0, abs=1e-6)
    ticks = scale.ticks()
    assert len(ticks) <= 8
    assert all(low * 0.999 <= tick <= low * factor * 1.001 for tick in ticks)


@given(st.lists(FINITE, min_size=2, max_size=50))
def test_paths_stay_within_the_plane(values):
    found = reduce_track(Track("x", range(len(values)), values), 20)
    curve = Curve(found)
    chart = Chart("x", (curve,), logarithmic=False)
    for path in (
        line_path(curve, scale_of(chart), span_of([chart])),
        band_path(curve, scale_of(chart), span_of([chart])),
    ):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
        assert all(-0.1 <= x <= WIDTH + 0.1 for x in numbers[0::2])
        assert all(-0.1 <= y <= HEIGHT + 0.1 for y in numbers[1::2])


def test_each_of_the_schedulers_numbers_has_a_scale_of_its_own_and_its_events_are_marks():
    tags = ("loss_multipliers/l_g_gan", "autocal/cost", "autocal/separation", "autocal/events")
    charts = charts_of(run_log({tag: [0.5, 0.25] for tag in tags}), ())
    assert {chart.title: [curve.points.label for curve in chart.curves] for chart in charts} == {
        "separation": ["autocal/separation"],
        "cost, dB": ["autocal/cost"],
        "multipliers": ["loss_multipliers/l_g_gan"],
    }


def test_two_runs_share_charts_of_the_same_title():
    a = charts_of(run_log({"l_g_pix": [0.1, 0.2]}), ())
    b = charts_of(run_log({"l_g_pix": [0.3, 0.4], "l_d_real": [0.5, 0.6]}), (), side=1)
    both = merged(a, b)
    assert [(chart.title, [curve.side for curve in chart.curves]) for chart in both] == [
        ("generator's losses", [0, 1]), ("discriminator's losses", [1]),
    ]  # fmt: skip


LONG = 30_000


@pytest.mark.parametrize("labels", [3, 40])
def test_the_page_of_a_long_run_stays_small_and_loads_nothing(labels):
    track = [0.02 + 0.01 * math.sin(i) for i in range(LONG)]
    page = diagnosis_page(diagnose(run_log({f"l_g_{i}": track for i in range(labels)}, every=5)))
    assert len(page.encode()) < 2_000_000
    assert not re.search(r"""(?:src|href)=|url\(|@import|https?://(?!www\.w3\.org)""", page)


def test_what_a_log_holds_cannot_leave_the_page():
    evil = "<script>alert(1)</script>"
    log = run_log({"l_g_x": [0.1, 0.2], f"l_{evil}": [0.1, 0.2]}, facts={"name": evil})
    assert evil not in diagnosis_page(diagnose(log))
    assert "</script><" not in diagnosis_page(diagnose(log)).replace("</script>\n</body>", "").replace("</script>\n<script>", "")  # fmt: skip  # noqa: E501
