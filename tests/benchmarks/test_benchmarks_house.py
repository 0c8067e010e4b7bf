"""benchmarks/house.py, and the promises that the package keeps: no circle of imports."""

from __future__ import annotations

from house import ROOT, report, strongly_connected


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert {frozenset(group) for group in strongly_connected(graph)} == {frozenset("abc"), frozenset("d")}


def test_the_package_has_no_circle_of_imports():
    assert "circles of imports: 0" in report(ROOT)
