"""Which networks have the same code, word for word, in two checkouts, so that one measurement holds for both."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Twins:
    """The lines of another source, for the types whose code is the same there."""

    lines: Mapping[tuple[str, str], dict[str, Any]]
    there: Path | None
    here: Path

    def of(self, role: str, type: str, file: str) -> dict[str, Any] | None:
        line = self.lines.get((role, type))
        if line is None or self.there is None or line.get("file") != file or "failed" in line:
            return None
        return line if code_of(self.there, file) == code_of(self.here, file) != "" else None


GATHERING = ("__init__.py", "registry.py")


@cache
def code_of(folder: Path, file: str) -> str:
    """A hash of a module of a trainer's archs and of every definition of the trainer's that it uses.

    Empty where it is nowhere. What only gathers the networks doesn't count.
    """
    paths = [path for path in folder.glob(f"*/archs/{file}") if path.is_file()]
    if not paths:
        return ""
    package = paths[0].parents[1]
    waiting: list[tuple[Path, str]] = [(paths[0], "")]  # a module and a name in it; "" for the whole
    seen: dict[tuple[Path, str], str] = {}
    while waiting:
        path, name = waiting.pop()
        if (path, name) in seen or not path.is_file() or path.name in GATHERING:
            continue
        names = definitions(path)
        wanted = list(names) if name == "" else [name]
        seen[path, name] = "" if name == "" else ast.dump(names[name]) if name in names else "imported"
        for one in wanted:
            node = names.get(one)
            if node is None:
                continue
            if name == "":
                waiting.append((path, one))
                continue
            if isinstance(node, ast.ImportFrom):
                module = package.joinpath(*(node.module or "").split(".")[1:]).with_suffix(".py")
                own = (node.module or "").split(".")[0] == package.name
                waiting += [(module, alias.name) for alias in node.names if own and one == (alias.asname or alias.name)]
            else:
                used = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
                waiting += [(path, other) for other in used if other in names]
    texts = sorted(f"{path.relative_to(package)} {name} {text}" for (path, name), text in seen.items())
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@cache
def definitions(path: Path) -> dict[str, ast.AST]:
    """What a module defines or imports at its top level, by name; other statements by their place among their like."""
    found: dict[str, ast.AST] = {}
    for index, node in enumerate(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({target.id: node for target in targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found.update({alias.asname or alias.name: node for alias in node.names})
        else:
            found[f"statement {index}"] = node
    return found
