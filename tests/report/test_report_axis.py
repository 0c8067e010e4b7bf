"""The drawing of the axis: exactly what is printed, wherever the network stands."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, Group
from rich.text import Text

from autocal_cli.calibration.model import Placement
from autocal_cli.report.calibration import axis_drawing
from autocal_cli.report.console import FirstThatFits

NAMES = ("nano", "micro", "tiny", "xs", "s", "m", "l", "xl")
POSITION = st.floats(0, 7)


def placed(position: float | None, macs: tuple[float, float] | None = None) -> Placement:
    return Placement("s", "interpolated", "", NAMES, position, macs)


def test_with_blocks() -> None:
    assert axis_drawing(placed(4.06, (3.4, 3.4)), blocks=True) == [
        "├───────┼───────┼───────┼───────●───────┼───────┼───────┤  parameters",
        "nano  micro   tiny     xs       s       m       l      xl",
        "                           ▲                               MACs",
    ]


def test_in_ascii_with_a_span() -> None:
    assert axis_drawing(placed(5.0, (5.0, 6.19)), blocks=False) == [
        "+-------+-------+-------+-------+-------#-------+-------+  parameters",
        "nano  micro   tiny     xs       s       m       l      xl",
        "                                        [---------]        MACs",
    ]


@pytest.mark.parametrize("placement", [placed(None), Placement("m", "fallback", "")])
def test_no_place_no_drawing(placement: Placement) -> None:
    assert axis_drawing(placement, blocks=True) == []


def test_without_macs_there_is_no_line_for_them() -> None:
    assert len(axis_drawing(placed(2.5), blocks=True)) == 2


@given(position=POSITION, ends=st.tuples(POSITION, POSITION).map(sorted), blocks=st.booleans())
def test_it_fits_into_80_columns_with_one_mark_and_ascii_stays_ascii(
    position: float, ends: list[float], blocks: bool
) -> None:
    lines = axis_drawing(placed(position, (ends[0], ends[1])), blocks)
    assert all(len(line) + 9 <= 80 for line in lines)
    assert sum(line.count("●" if blocks else "#") for line in lines) == 1
    assert blocks or all(line.isascii() for line in lines)


@pytest.mark.parametrize(("width", "drawn"), [(69, True), (68, False), (30, False)])
def test_the_drawing_stands_whole_or_not_at_all(width, drawn):
    lines = axis_drawing(placed(2.5, (2.0, 3.0)), blocks=True)
    console = Console(file=io.StringIO(), width=width)
    console.print(FirstThatFits(Group(*map(Text, lines)), Group()))
    shown = console.file.getvalue().splitlines()
    assert max(map(len, lines)) == 69
    assert [line.rstrip() for line in shown] == ([line.rstrip() for line in lines] if drawn else [])
