"""Scores: percentiles among the reference photographs, and the table that they come from."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.dataset.model import METRIC_NAMES
from autocal_cli.dataset.sampling import load_reference, parse_reference, percentile, scored
from autocal_cli.errors import AutocalError
from autocal_cli.packaged import preset_text

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-1.0, 0.0),
        (0.0, 0.0),
        (0.5, 0.125),
        (1.0, 0.25),
        (2.0, 0.5),
        (4.0, 0.75),
        (6.0, 1.0),
        (99.0, 1.0),
    ],
)
def test_percentile_is_linear_between_quantiles(value, expected):
    assert percentile(np.array([value]), np.array([0.0, 1.0, 2.0, 4.0, 6.0]))[0] == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.9, 0.0), (1.0, 0.25), (1.5, 0.625), (2.0, 0.75), (3.0, 1.0), (3.1, 1.0)]
)
def test_percentile_of_a_plateau_is_its_middle(value, expected):
    assert percentile(np.array([value]), np.array([1.0, 1.0, 1.0, 2.0, 3.0]))[0] == expected


@pytest.mark.parametrize(("value", "expected"), [(4.9, 0.0), (5.0, 0.5), (5.25, 1.0), (9.0, 1.0)])
def test_percentile_above_a_plateau_at_the_top_is_one(value, expected):
    assert percentile(np.array([value]), np.array([5.0, 5.0]))[0] == expected


ascending = st.lists(st.integers(0, 5), min_size=2, max_size=12).map(sorted)


@given(ascending, st.lists(st.floats(-1, 6), min_size=2, max_size=12))
def test_percentile_never_falls_and_stays_in_range(quantiles, values):
    ranks = percentile(np.array(sorted(values)), np.array(quantiles, dtype=float))
    assert (np.diff(ranks) >= 0).all()
    assert ranks.min() >= 0
    assert ranks.max() <= 1


def test_median_of_the_reference_scores_one_half():
    reference = load_reference()
    assert reference.shape == (3, 101)
    assert scored(reference[:, [50]].T, reference) == pytest.approx(np.full((1, 3), 0.5), abs=0.006)
    assert scored(np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 4096.0]]), reference).tolist() == [[0.0] * 3, [1.0] * 3]


def test_reference_spans_what_photographs_show():
    texture, edges, colours = load_reference()
    assert 0.5 < texture[50] < 0.65
    assert 0.1 < edges[50] < 0.3
    assert 80 < colours[50] < 150
    assert (np.diff(texture) > 0).all()
    assert (np.diff(edges) > 0).all()


def table(**changes: object) -> str:
    row = [float(i) for i in range(101)]
    values = {"metric_version": 2, **dict.fromkeys(METRIC_NAMES, row), **changes}
    lines = [f"metric_version = {values['metric_version']}", "[quantiles]"]
    return "\n".join([*lines, *(f"{name} = {values[name]}" for name in METRIC_NAMES if values[name] is not None)])


def test_table_is_read():
    assert parse_reference(table())[2, 100] == 100.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (table(metric_version=1), "metric_version should be 2"),
        (table(edge_density=None), "edge_density"),
        (table(edge_density=[1.0, 2.0]), "edge_density should have 101"),
        (table(color_variation=[float(-i) for i in range(101)]), "color_variation should have 101 ascending quantiles"),
        (table(texture_variance="[nan" + ", 1.0" * 100 + "]"), "texture_variance should have 101 ascending quantiles"),
        ("quantiles =", "not a table of reference quantiles"),
    ],
)
def test_table_that_does_not_fit_is_refused(text, message):
    with pytest.raises(AutocalError, match=message) as caught:
        parse_reference(text)
    assert str(caught.value).startswith("reference_quantiles.toml: ")


def test_script_writes_what_is_read():
    script = runpy.run_path(str(CHECKOUT / "benchmarks" / "reference_quantiles.py"))
    raw = np.random.default_rng(6).random((300, 3))
    text = script["as_toml"](raw, names=['a "b"'], date="2026-01-31")
    assert parse_reference(text) == pytest.approx(np.quantile(raw, np.linspace(0, 1, 101), axis=0).T, abs=1e-6)
    assert 'source = ["a \\"b\\""]\ndate = 2026-01-31\n' in text


def test_missing_preset_is_an_error():
    with pytest.raises(AutocalError, match=r"presets/nothing\.toml is missing"):
        preset_text("nothing.toml")
