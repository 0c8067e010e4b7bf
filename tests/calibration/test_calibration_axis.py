"""The axis of the presets: where parameters and MACs place a network, and when they disagree."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autocal_cli.calibration.model import Presets
from autocal_cli.calibration.placement import Axis, axis_at, gap, in_words, place, span_in_words
from autocal_cli.network.model import NetworkFingerprint

SCALES = (2, 3, 4, 8)
AXIS_SCALES = st.sampled_from(SCALES)
MACS = st.floats(1.0, 1e9)


def network(parameters: int | None, macs: float | None, variant: str | None = None) -> NetworkFingerprint:
    return NetworkFingerprint("SomeNet", "paragonsr2" if variant else None, variant, 2, parameters, macs)


@pytest.mark.parametrize("scale", SCALES)
def test_every_preset_stands_at_its_own_place(scale: int, presets: Presets) -> None:
    axis = axis_at(presets, scale)
    assert [axis.place_of(parameters) for parameters in axis.parameters] == list(range(8))
    for index, macs in enumerate(axis.macs):
        low, high = axis.span_of(macs)
        assert low <= index <= high
        assert gap(index, (low, high)) == 0


@given(sizes=st.lists(st.integers(1, 10**9), min_size=2, max_size=2).map(sorted), scale=AXIS_SCALES)
def test_more_parameters_never_stand_lower(sizes: list[int], scale: int, presets: Presets) -> None:
    small, large = (axis_at(presets, scale).place_of(size) for size in sizes)
    assert 0 <= small <= large <= 7


@given(costs=st.lists(MACS, min_size=2, max_size=2).map(sorted), scale=AXIS_SCALES)
def test_more_macs_never_stand_lower_at_either_end(costs: list[float], scale: int, presets: Presets) -> None:
    (low, high), (later_low, later_high) = (axis_at(presets, scale).span_of(macs) for macs in costs)
    assert 0 <= low <= high <= 7
    assert low <= later_low <= 7
    assert high <= later_high <= 7


@given(parameters=st.integers(10_596, 14_481_547), scale=st.just(2))
def test_between_two_sizes_a_network_stands_between_their_presets(
    parameters: int, scale: int, presets: Presets
) -> None:
    axis = axis_at(presets, scale)
    assume(parameters not in axis.parameters)
    index = int(axis.place_of(parameters))
    assert axis.parameters[index] < parameters < axis.parameters[index + 1]


@given(macs=MACS)
def test_where_macs_grow_from_preset_to_preset_the_span_is_one_place(macs: float, presets: Presets) -> None:
    low, high = axis_at(presets, 8).span_of(macs)  # at x8 m costs less than l
    assert low == pytest.approx(high)


def test_m_costs_more_than_l_so_both_may_be_what_a_network_of_their_cost_is(presets: Presets) -> None:
    axis = axis_at(presets, 2)
    m, l, xl = axis.macs[5:]  # noqa: E741
    assert l < m < xl
    low, high = axis.span_of(m)
    assert low == 5
    assert 6 < high < 7
    low, high = axis.span_of(l)
    assert 4 < low < 5
    assert high == 6


@pytest.mark.parametrize(
    ("parameters", "macs", "position", "span"),
    [(1, 0.5, 0.0, (0.0, 0.0)), (10**9, 1e9, 7.0, (7.0, 7.0))],
)
def test_beyond_the_ends_both_are_clamped_and_do_not_disagree(
    parameters: int, macs: float, position: float, span: tuple[float, float], presets: Presets
) -> None:
    placement, _, findings = place(network(parameters, macs), presets)
    assert (placement.position, placement.macs_span) == (position, span)
    assert [finding.code for finding in findings] == ["network-out-of-range"]


@pytest.mark.parametrize(
    ("parameters", "macs", "apart"),
    [
        (1_785_092, 5_107_074.0, None),  # m's own
        (77_755, 84_313.2, None),  # xs by size, tiny by cost: one preset, no more
        (77_755, 84_000.0, "its parameters stand at xs, its MACs between micro and tiny, 1.0 presets apart"),
        (100_000, 5_107_074.0, "between xs and s, its MACs anywhere from m to between l and xl, 1.8 presets apart"),
        (745_292, 1_260_130.0, None),  # paragonsr2_photo
        (12_000_000, 150_000.0, "between l and xl, its MACs between xs and s, 3.8 presets apart"),
    ],
)
def test_a_disagreement_of_more_than_a_preset_is_said(
    parameters: int, macs: float, apart: str | None, presets: Presets
) -> None:
    _, _, findings = place(network(parameters, macs), presets)
    assert [finding.code for finding in findings] == ["network-macs-apart"] * (apart is not None)
    assert apart is None or apart in findings[0].message


def test_a_variant_is_its_preset_whatever_it_costs(presets: Presets) -> None:
    placement, _, findings = place(network(10_595, 5e6, "nano"), presets)
    assert (placement.position, findings) == (0.0, ())


def test_what_was_not_measured_has_no_place(presets: Presets) -> None:
    placement, _, _ = place(network(None, None), presets)
    assert (placement.position, placement.macs_span) == (None, None)
    assert place(network(10_595, None), presets)[0].macs_span is None


@pytest.mark.parametrize(("place", "words"), [(0.0, "at a"), (0.25, "between a and b"), (1.0, "at b"), (2.0, "at c")])
def test_a_place_in_words(place: float, words: str) -> None:
    assert in_words(("a", "b", "c"), place) == words


def test_a_span_in_words() -> None:
    assert span_in_words(("a", "b", "c"), (0.2, 0.7)) == "between a and b"
    assert span_in_words(("a", "b", "c"), (0.2, 2.0)) == "anywhere from between a and b to c"


def test_the_nearest_preset_is_told_with_its_distance(presets: Presets) -> None:
    assert "the nearest, nano, is 1.13 times smaller" in place(network(12_000, None), presets)[0].reason
    assert "the nearest, micro, is 7.9% larger" in place(network(18_000, None), presets)[0].reason
    assert "the nearest, micro, is 1.21 times larger" in place(network(16_000, None), presets)[0].reason
    assert "micro has as many" in place(network(19_429, None), presets)[0].reason


def test_an_axis_is_sorted_by_parameters(presets: Presets) -> None:
    axis = axis_at(presets, 4)
    assert isinstance(axis, Axis)
    assert list(axis.parameters) == sorted(axis.parameters)
    assert axis.names[0] == "nano"
