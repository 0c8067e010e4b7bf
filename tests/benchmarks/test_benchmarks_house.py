"""benchmarks/house.py, and the promises that the package keeps: no circle of imports."""

from __future__ import annotations

from house import ROOT, folders, report, strongly_connected


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert {frozenset(group) for group in strongly_connected(graph)} == {frozenset("abc"), frozenset("d")}


def test_the_package_has_no_circle_of_imports():
    assert "circles of imports: 0" in report(ROOT)


def test_lines_are_counted_by_folder(tmp_path):
    files = {name: tmp_path / "autocal_cli" / name for name in ("cli.py", "check/keys.py", "config/yaml/edit.py")}
    for lines, path in enumerate(files.values(), start=1):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n" * lines, encoding="utf-8")
    assert folders(files, tmp_path) == [". 1", "check 2", "config 3"]
