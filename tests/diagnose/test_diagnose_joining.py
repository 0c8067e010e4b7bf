"""Several starts of one run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.diagnose.log_formats import RunTable
from autocal_cli.diagnose.model import Validation


def joined(files: list[list[int]]) -> tuple[RunTable, list[int]]:
    """The table of files with a point at each iteration, marked with the file's number."""
    table = RunTable()
    for mark, iterations in enumerate(files):
        for iteration in iterations:
            table.add(iteration, ("l_g_l1",), (float(mark),))
    track = table.tracks().get("l_g_l1")
    return table, list(track.iterations) if track else []


@pytest.mark.parametrize(
    ("files", "expected", "left_out"),
    [
        ([[100, 200, 300]], [100, 200, 300], 0),
        ([[100, 200], [300, 400]], [100, 200, 300, 400], 0),
        ([[100, 200, 300, 400], [300, 400, 500]], [100, 200, 300, 400, 500], 2),
        ([[100, 200, 300, 400], [250]], [100, 200, 250], 2),  # print_freq was changed
        ([[100, 200], [100]], [100], 2),  # begun anew
        ([[], [100]], [100], 0),
    ],
)
def test_a_resumed_run_replaces_what_it_trains_again(files, expected, left_out):
    table, iterations = joined(files)
    assert (iterations, table.superseded) == (expected, left_out)


def test_the_later_file_wins():
    assert list(joined([[100, 200], [200]])[0].tracks()["l_g_l1"].values) == [0.0, 1.0]


def test_a_resume_that_is_logged_drops_what_came_after_its_checkpoint():
    table, _ = joined([[100, 200, 300, 400]])
    table.validations = [Validation(at, "a", {"psnr": 1.0}) for at in (200, 250, 300)]
    table.resumed_from = 250
    table.add(300, ("l_g_l1",), (9.0,))
    assert list(table.tracks()["l_g_l1"].iterations) == [100, 200, 300]
    assert [one.iteration for one in table.validations] == [200, 250]


@given(st.lists(st.lists(st.integers(1, 50), max_size=20), max_size=4))
def test_iterations_rise_and_no_point_is_lost_unsaid(files):
    table, iterations = joined(files)
    assert iterations == sorted(set(iterations))
    assert len(iterations) + table.superseded == sum(map(len, files))
    if any(files):
        assert iterations[-1] == next(file[-1] for file in reversed(files) if file)
