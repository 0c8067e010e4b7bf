"""Several files of one run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.diagnose.logs import LoggedPoint, join_points


def points(iterations: list[int], mark: float = 0.0) -> list[LoggedPoint]:
    return [LoggedPoint(iteration, {"l_g_l1": mark}) for iteration in iterations]


@pytest.mark.parametrize(
    ("files", "joined", "left_out"),
    [
        ([[100, 200, 300]], [100, 200, 300], 0),
        ([[100, 200], [300, 400]], [100, 200, 300, 400], 0),
        ([[100, 200, 300, 400], [300, 400, 500]], [100, 200, 300, 400, 500], 2),
        ([[100, 200, 300, 400], [250]], [100, 200, 250], 2),  # print_freq was changed
        ([[100, 200], [100]], [100], 2),  # begun anew
        ([[], [100]], [100], 0),
    ],
)
def test_a_resumed_run_replaces_what_it_trains_again(files, joined, left_out):
    found, superseded = join_points([points(file) for file in files])
    assert ([point.iteration for point in found], superseded) == (joined, left_out)


def test_the_later_file_wins():
    found, _ = join_points([points([100, 200], mark=1.0), points([200], mark=2.0)])
    assert [point.values["l_g_l1"] for point in found] == [1.0, 2.0]


@given(st.lists(st.lists(st.integers(1, 50), max_size=20), max_size=4))
def test_iterations_rise_and_no_point_is_lost_unsaid(files):
    found, superseded = join_points([points(file) for file in files])
    iterations = [point.iteration for point in found]
    assert iterations == sorted(set(iterations))
    assert len(found) + superseded == sum(map(len, files))
    if any(files):
        assert iterations[-1] == next(file[-1] for file in reversed(files) if file)
