"""The proof that a patched TOML config says what was meant and nothing else otherwise."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import tomlkit

from autocal_cli.config.document import ConfigDocument, MappingNode, Node, SequenceNode, TypedScalarNode
from autocal_cli.config.reading import same_data
from autocal_cli.config.record import KeyPath, Value
from autocal_cli.config.toml_document import TomlDocument
from autocal_cli.errors import VerificationError


def verify_toml(before: ConfigDocument, after: ConfigDocument, values: Mapping[KeyPath, Value]) -> None:
    """Without the keys set, both files have the same keys and values, as written and in their order; each key set
    reads back with its exact type, by tomllib and by tomlkit; no comment is lost. Raises VerificationError.
    """
    assert isinstance(before, TomlDocument)
    assert isinstance(after, TomlDocument)
    set_paths = frozenset(values)
    if list(_walk(before.root, (), set_paths)) != list(_walk(after.root, (), set_paths)):
        raise VerificationError("Something outside the edited keys reads differently.")
    for reader, data in (
        ("tomllib", tomllib.loads(after.text)),
        ("tomlkit", tomlkit.parse(after.text).unwrap()),
    ):
        for path, value in values.items():
            if not same_data(_at(data, path), value):
                raise VerificationError(f"`{'.'.join(path)}` does not read back as {value!r} with {reader}.")
    lost = _comments(before) - _comments(after)
    if lost:
        raise VerificationError(f"A comment would be lost: {next(iter(lost))!r}.")


def _at(data: Any, path: KeyPath) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _comments(document: TomlDocument) -> Counter[str]:
    return Counter(document.text[start:end].rstrip() for start, end in document.comments)


def _walk(node: Node, path: KeyPath | None, without: frozenset[KeyPath]) -> Iterator[tuple[object, ...]]:
    """The tree as a flat list, without what stands at the paths `without`; scalars as they are written."""
    match node:
        case TypedScalarNode():
            yield ("scalar", node.text, repr(node.content))
        case SequenceNode():
            yield ("array", node.flow)
            for item in node.items:
                yield from _walk(item, None, without)
            yield ("end",)
        case MappingNode():
            yield ("table", node.flow)
            for pair in node.pairs:
                name = pair.key.value  # type: ignore[attr-defined]
                here = (*path, name) if path is not None else None
                if here not in without:
                    yield ("key", name)
                    yield from _walk(pair.value, here, without)
            yield ("end",)
