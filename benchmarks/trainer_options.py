"""presets/options/<trainer>.json: every option of a trainer, its type, choices and default, as facts with their origin.

    PYTHON benchmarks/trainer_options.py traiNNer-redux CHECKOUT

PYTHON is one that can import the trainer. traiNNer-redux and its fork declare their options as strict structs of
msgspec, from which the schema is taken. BasicSR, Real-ESRGAN and neosr read a dictionary: what they read is written
down by hand in `trainer_options_*.py`, and this script compares that with every `opt[...]` and `opt.get(...)` in
the code, so that a new option is seen. Signatures of losses, optimisers, schedulers, data sets, metrics and networks
come from the registries. No sentence of a trainer is taken over, only names, numbers and choices.

The file is JSON Schema, with two words of its own: `typed: REGISTRY` is a mapping whose `type` names an entry of that
registry and whose other keys are the arguments of that entry; `named: REGISTRY` is such a name alone.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import inspect
import json
import re
import subprocess
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from trainer_options_basicsr import BASICSR, REAL_ESRGAN
from trainer_options_neosr import NEOSR
from trainer_options_redux import FORK, REDUX
from trainer_options_schema import Schema, section

TRAINERS: dict[str, Schema] = {
    "BasicSR": BASICSR,
    "Real-ESRGAN": REAL_ESRGAN,
    "neosr": NEOSR,
    "traiNNer-redux": REDUX,
    "traiNNer-redux-fork": FORK,
}
OUTPUT = Path(__file__).resolve().parents[1] / "presets" / "options"
PLAIN = {int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null"}
# Arguments that a trainer hands over itself.
GIVEN = {
    "optimizers": {"self", "params", "named_parameters"},
    "schedulers": {"self", "optimizer", "last_epoch", "verbose", "total_steps_given"},
    "losses": {"self"},
    "metrics": {"self", "img", "img2", "device", "data"},
    "networks": {"self"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trainer", choices=[*TRAINERS])
    parser.add_argument("checkout", type=Path)
    given = parser.parse_args()
    facts = TRAINERS[given.trainer]
    root = given.checkout.resolve()
    sys.path.insert(0, str(root))
    sys.argv = ["train.py", *facts.get("arguments", ())]
    made = {
        "trainer": given.trainer,
        "origin": {"repository": facts["repository"], "commit": _commit(root)},
        "unknown": facts["unknown"],
        "case": facts["case"],
        "ignored": facts.get("ignored", {}),
        "earlier": facts.get("earlier", {}),
        "schema": msgspec_schema(facts) if facts["unknown"] == "refused" else read_schema(given.trainer, root),
        "registries": registries(facts),
    }
    adjust(made["schema"], facts.get("adjust", {}))
    path = OUTPUT / f"{given.trainer.lower()}.json"
    path.write_text(compact(made), encoding="utf-8", newline="\n")
    print(f"{path.name}: {path.stat().st_size:,} bytes, {len(made['schema']['$defs'])} sections")
    for name, entries in made["registries"].items():
        print(f"  {name}: {len(entries)}")


def _commit(root: Path) -> str:
    asked = ["git", "-C", str(root), "rev-parse", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def compact(made: Any, depth: int = 0) -> str:
    """What fits into a line stands in one, so that a change shows in a diff."""
    line = json.dumps(made, ensure_ascii=False)
    if depth and (len(line) + depth <= 200 or not isinstance(made, dict | list)):
        return line
    space = " " * (depth + 1)
    if isinstance(made, dict):
        items = [f"{json.dumps(key)}: {compact(value, depth + 1)}" for key, value in made.items()]
    else:
        items = [compact(value, depth + 1) for value in made]
    opening, closing = ("{", "}") if isinstance(made, dict) else ("[", "]")
    inside = ",\n".join(space + item for item in items)
    return f"{opening}\n{inside}\n{' ' * depth}{closing}" + ("" if depth else "\n")


# --- traiNNer-redux: structs ------------------------------------------------------------------------------------------


def msgspec_schema(facts: Schema) -> Schema:
    msgspec = importlib.import_module("msgspec")
    options = importlib.import_module(facts["structs"]).ReduxOptions
    schema = msgspec.json.schema(options)
    return {
        "$ref": schema["$ref"],
        "$defs": {name: _stripped(definition) for name, definition in schema["$defs"].items()},
    }


def _stripped(schema: Any) -> Any:
    """Without titles and sentences; alternatives of plain types as a list of types."""
    if isinstance(schema, list):
        return [_stripped(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _stripped(value) for key, value in schema.items() if key not in ("title", "description")}
    if "properties" in schema:
        kept["properties"] = {name: _stripped(value) for name, value in schema["properties"].items()}
    options = kept.get("anyOf")
    if options and all(set(one) == {"type"} for one in options):
        kept.pop("anyOf")
        kept = {"type": [one["type"] for one in options], **kept}
    if "prefixItems" in kept:
        items = kept.pop("prefixItems")
        kept["items"] = items[0]
    return kept


# --- the others: what the code reads ----------------------------------------------------------------------------------


def read_schema(trainer: str, root: Path) -> Schema:
    sections = {name: section(text) for name, text in TRAINERS[trainer]["sections"].items()}
    known = {key for made in sections.values() for key in made.get("properties", {})}
    found = {key for folder in TRAINERS[trainer]["code"] for key in keys_read((root / folder).resolve())}
    inside = TRAINERS[trainer].get("set_by_the_trainer", set())
    unseen, unread = (
        sorted(found - known - inside),
        sorted(known - found - TRAINERS[trainer].get("passed_on", set())),
    )
    print(f"read by the code and not in the table: {', '.join(unseen) or 'none'}")
    print(f"in the table and not seen in the code: {', '.join(unread) or 'none'}")
    return {"$ref": "#/$defs/root", "$defs": sections}


def keys_read(folder: Path) -> set[str]:
    """The keys of every `...opt["key"]`, `...opt.get("key")`, `"key" in ...opt` and of what is nested in them."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found |= set(_keys_of(node))
    return found


def _keys_of(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Subscript) and _is_options(node.value) and isinstance(node.slice, ast.Constant):
        yield str(node.slice.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
        if _is_options(node.func.value) and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        left, right = node.left, node.comparators[0]
        yield from [str(left.value)] if isinstance(left, ast.Constant) and _is_options(right) else []


def _is_options(node: ast.AST) -> bool:
    while isinstance(node, ast.Subscript):
        node = node.value
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.endswith("opt")


# --- registries -------------------------------------------------------------------------------------------------------


def registries(facts: Schema) -> dict[str, dict[str, Schema]]:
    for module in facts["imports"]:
        _import(module)
    made: dict[str, dict[str, Schema]] = {}
    for kind, places in facts["registries"].items():
        entries: dict[str, Any] = {}
        for place in places:
            entries.update(dict(_resolve(place)))
        made[kind] = {name: entry(kind, target) for name, target in sorted(entries.items())}
    for kind, change in facts.get("every", {}).items():
        for one in made[kind].values():
            _merge(one, change)
    for kind, more in facts.get("curated", {}).items():
        for name, change in more.items():
            if change.get("$replace"):
                made[kind][name] = {key: value for key, value in change.items() if key != "$replace"}
            else:
                _merge(made[kind].setdefault(name, {"properties": {}}), change)
    return made


def _import(name: str) -> None:
    """A module; with `.*`, every architecture file beside it, which registers what it holds."""
    module = importlib.import_module(name.removesuffix(".*"))
    if name.endswith(".*"):
        for path in sorted(Path(module.__path__[0]).glob("*_arch.py")):
            importlib.import_module(f"{name.removesuffix('.*')}.{path.stem}")


def _resolve(place: str) -> Iterable[tuple[str, Any]]:
    """`module:NAME` is a registry there; `torch:A,B` are classes; `module:call()` is a mapping."""
    module, _, name = place.partition(":")
    loaded = importlib.import_module(module)
    if "," in name or name.startswith("="):
        for pair in name.lstrip("=").split(","):
            written, _, attribute = pair.partition("=")
            if hasattr(loaded, attribute or written):  # the fork has fewer schedulers
                yield written, getattr(loaded, attribute or written)
        return
    registry = getattr(loaded, name)
    mapping = getattr(registry, "_obj_map", registry)
    for written, target in dict(mapping).items():
        yield re.sub("_(neosr|traiNNer|basicsr)$", "", str(written)), target  # a suffix that the lookup adds itself


def entry(kind: str, target: Callable[..., Any]) -> Schema:
    """The arguments of a class or function as the properties of an object."""
    if kind in ("datasets", "models"):  # they take the options as a whole
        return {}
    function = target.__init__ if inspect.isclass(target) else target
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return {"additionalProperties": True}
    hints = _hints(function)
    properties, required, opened = {}, [], False
    choices = choices_in(function)
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            opened = True
        elif name not in GIVEN[kind] and parameter.kind is not parameter.VAR_POSITIONAL:
            properties[name] = _property(hints.get(name, parameter.annotation), parameter.default)
            if name in choices:
                properties[name] = {**properties[name], "enum": choices[name]}
            if parameter.default is parameter.empty:
                required.append(name)
    made: Schema = {"properties": properties}
    if required:
        made["required"] = required
    if opened:
        made["additionalProperties"] = True
    return made


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:
        return {}


def _property(hint: Any, default: Any) -> Schema:
    made: Schema = dict(_of_hint(hint))
    if not made and isinstance(default, bool | int | float | str):
        kind = PLAIN[type(default)]
        made = {"type": "number" if kind in ("integer", "number") else kind}
    if isinstance(default, bool | int | float | str) or default is None:
        if default != float("inf"):
            made["default"] = default
        kinds = made.get("type")
        if default is None and kinds and "null" not in ([kinds] if isinstance(kinds, str) else kinds):
            made["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
    elif isinstance(default, list | tuple) and _plain(default):
        made["default"] = list(default)
    return made


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_plain(one) for one in value)
    return value is None or isinstance(value, bool | int | float | str)


def _of_hint(hint: Any) -> Schema:
    """What is sure of a hint; a whole number is taken for a float, and a list for a tuple."""
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin in (list, tuple, typing.Sequence) or getattr(origin, "__name__", "") == "Sequence":
        return {"type": "array"}
    if origin is dict:
        return {"type": "object"}
    if origin in (typing.Union, types.UnionType):
        parts = [_of_hint(one) for one in inner]
        if all(set(one) == {"type"} for one in parts):
            return {"type": list(dict.fromkeys(one["type"] for one in parts))}
    return {}


def choices_in(function: Callable[..., Any]) -> dict[str, list[Any]]:
    """Arguments whose other values a function refuses: `if x == "a" ... else: raise`, `if x not in [...]: raise`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return {}
    named: dict[str, str] = {}  # self.criterion_type -> criterion
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            named[ast.unparse(node.targets[0])] = node.value.id
    arguments = {one.arg for one in [*tree.body[0].args.args, *tree.body[0].args.kwonlyargs]}  # type: ignore[attr-defined]

    def argument(node: ast.AST) -> str | None:
        text = ast.unparse(node)
        found = named.get(text, text)
        return found if found in arguments else None

    found: dict[str, list[Any]] = {}
    nested = {id(one) for node in ast.walk(tree) if isinstance(node, ast.If) for one in node.orelse}
    for node in ast.walk(tree):
        if not isinstance(node, ast.If) or id(node) in nested:
            continue
        if isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.NotIn) and _raises(node.body):
            name, values = argument(node.test.left), _constants(node.test.comparators[0])
            if name and values:
                found[name] = values
            continue
        name, values, link = None, [], node
        while True:
            which, some = _equals(link.test, argument)
            if which is None or (name and which != name):
                values = []
                break
            name, values = which, [*values, *some]
            if len(link.orelse) == 1 and isinstance(link.orelse[0], ast.If):
                link = link.orelse[0]
                continue
            if not _raises(link.orelse):
                values = []
            break
        if name and values and name not in found:
            found[name] = values
    return found


def _equals(test: ast.AST, argument: Callable[[ast.AST], str | None]) -> tuple[str | None, list[Any]]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        parts = [_equals(one, argument) for one in test.values]
        same = {name for name, _ in parts}
        return (parts[0][0], [value for _, some in parts for value in some]) if len(same) == 1 else (None, [])
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        name = argument(test.left)
        if isinstance(test.ops[0], ast.Eq) and isinstance(test.comparators[0], ast.Constant):
            return name, [test.comparators[0].value]
        if isinstance(test.ops[0], ast.In):
            values = _constants(test.comparators[0])
            return (name, values) if values else (None, [])
    return None, []


def _constants(node: ast.AST) -> list[Any]:
    items = getattr(node, "elts", [])
    return [one.value for one in items if isinstance(one, ast.Constant)] if items else []


def _raises(body: list[ast.stmt]) -> bool:
    return any(isinstance(one, ast.Raise) for one in body)


# --- by hand ----------------------------------------------------------------------------------------------------------


def adjust(schema: Schema, changes: Schema) -> None:
    """Merges what the code demands beyond its own schema (`trainer_options_*.py`).

    `asserted` are the keys that the trainer's structs leave out and its code ends without.
    """
    declared = {name: definition.get("required", ()) for name, definition in schema["$defs"].items()}
    for name, change in changes.items():
        _merge(schema["$defs"].setdefault(name, {"type": "object"}), change)
    for name, definition in list(schema["$defs"].items()):
        like = definition.pop("like", None)
        if like:
            _merge(definition, {**copy.deepcopy(schema["$defs"][like]), "required": definition.get("required", [])})
        asserted = set(definition.get("required", ())) - set(declared.get(like or name, ()))
        if asserted and name in changes:
            definition["asserted"] = sorted(asserted)


def _merge(target: Schema, change: Schema) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict) and value.get("$replace") is None:
            _merge(target[key], value)
        elif isinstance(value, list) and key == "required":
            target[key] = sorted({*target.get(key, []), *value})
        else:
            target[key] = {k: v for k, v in value.items() if k != "$replace"} if isinstance(value, dict) else value


if __name__ == "__main__":
    main()
