"""The structure of the package in numbers: modules, lines, readers, circles. `--at REVISION` measures an earlier one.

python benchmarks/house.py
python benchmarks/house.py --at v0.1.0
python benchmarks/house.py --lone
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tarfile
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

PACKAGE = "autocal_cli"
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--at", metavar="REVISION", help="a revision of this repository instead of the working tree")
    parser.add_argument("--lone", action="store_true", help="list the modules with exactly one reader, and that reader")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = ROOT if args.at is None else unpacked(args.at, Path(folder))
        print(report(root, args.lone))


def unpacked(revision: str, folder: Path) -> Path:
    command = ["git", "-C", str(ROOT), "archive", revision, PACKAGE]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def report(root: Path, named: bool = False) -> str:
    """One line a figure; where they are to be `named`, the modules with one reader with their lines and that reader."""
    files = {name_of(path, root): path for path in sorted((root / PACKAGE).rglob("*.py"))}
    imports = {name: imported(path, files.keys()) - {name} for name, path in files.items()}
    modules = [name for name, path in files.items() if path.name not in ("__init__.py", "__main__.py")]
    readers = defaultdict(set)
    for name, found in imports.items():
        for read in found:
            readers[read].add(name)
    lone = [name for name in modules if len(readers[name]) == 1]
    lines = sum(length(path) for path in files.values())
    names = [f"\n  {name} ({length(files[name])}) <- {readers[name].copy().pop()}" for name in lone if named]
    circles = [group for group in strongly_connected(imports) if len(group) > 1]
    return "\n".join(
        [
            f"modules (without __init__ and __main__): {len(modules)}",
            f"lines: {lines:,}",
            f"modules with exactly one reader: {len(lone)} ({len(lone) / len(modules):.0%})" + "".join(names),
            f"circles of imports: {len(circles)}" + "".join(f"\n  {', '.join(sorted(group))}" for group in circles),
            f"longest: {', '.join(longest(files))}",
            f"lines a folder: {', '.join(folders(files, root))}",
        ]
    )


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def name_of(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, known: object) -> set[str]:
    """The modules of the package that a file imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in names if name in known}  # type: ignore[operator]


def strongly_connected(graph: dict[str, set[str]]) -> list[set[str]]:
    """Tarjan's algorithm (1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            groups.append(set(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in index:
            visit(node)
    return groups


def longest(files: dict[str, Path], most: int = 5) -> list[str]:
    sizes = {name: length(path) for name, path in files.items()}
    return [f"{name} {sizes[name]}" for name in sorted(sizes, key=lambda name: -sizes[name])[:most]]


def folders(files: dict[str, Path], root: Path) -> list[str]:
    sizes: Counter[str] = Counter()
    for path in files.values():
        inside = path.relative_to(root / PACKAGE).parts
        sizes[inside[0] if len(inside) > 1 else "."] += length(path)
    return [f"{name} {size:,}" for name, size in sorted(sizes.items())]


if __name__ == "__main__":
    main()
