"""The proof, before anything is written, that a patch changed what it meant to change and nothing else."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from autocal_cli.config.model import KeyPath, Value
from autocal_cli.config.yaml.document import (
    AliasNode,
    ConfigDocument,
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    lookup,
    node_at,
    read_value,
    same_data,
)
from autocal_cli.config.yaml.edit import all_comments, last_token_end
from autocal_cli.errors import VerificationError


def verify(
    before: ConfigDocument, after: ConfigDocument, values: Mapping[KeyPath, Value], dropped: Collection[str] = ()
) -> None:
    """Without the pairs that were set, both files have the same events: values, tags, anchors, styles, order; each
    value set reads back with its exact type, in YAML under 1.1, by PyYAML, and under 1.2, by its core schema and by
    ruamel.yaml, which is laxer; no comment is lost but those `dropped`. Raises VerificationError.
    """
    one, other = ([event for _, event in events(document.root, (), values)] for document in (before, after))
    if one != other:
        raise VerificationError("Something outside the edited keys reads differently.")
    for path, value in values.items():
        pair, owner, name = lookup(after, path), node_at(after, path[:-1]), ".".join(path)
        for version in ("1.1", "1.2"):
            if pair is None or not same_data(read_value(after, pair.value, version), value):
                under = f" under YAML {version}" if after.language == "yaml" else ""
                raise VerificationError(f"`{name}` does not read back as {value!r}{under}.")
        flow = after.root.flow or (isinstance(owner, MappingNode) and owner.flow)
        found = read_1_2(after, pair, flow) if pair and after.language == "yaml" else value
        if not same_data(found, value):
            raise VerificationError(f"`{name}` should read back as {value!r}, and ruamel.yaml reads {found!r}.")
    lost = all_comments(before) - all_comments(after) - Counter(dropped)
    if lost:
        raise VerificationError(f"A comment would be lost: {next(iter(lost))!r}.")


def events(
    node: Node, path: KeyPath | None = (), without: Collection[KeyPath] = ()
) -> Iterator[tuple[Node, tuple[object, ...]]]:
    """A tree as a flat list of its nodes, and of all that is to be said of each but its position and its children.

    Left out are the pairs at the paths `without`; `path` is None where no path of keys leads: in lists, below unusual
    keys.
    """
    match node:
        case ScalarNode():
            yield node, ("scalar", node.tag, node.anchor, node.style, node.value)
        case AliasNode():
            yield node, ("alias", node.anchor)
        case SequenceNode():
            yield node, ("sequence", node.tag, node.anchor, node.flow, len(node.items))
            for item in node.items:
                yield from events(item, None, without)
        case MappingNode():
            yield node, ("mapping", node.tag, node.anchor, node.flow)
            for pair in node.pairs:
                here = (*path, pair.key.value) if path is not None and isinstance(pair.key, ScalarNode) else None
                if here not in without:
                    yield from events(pair.key, None, without)
                    yield from events(pair.value, here, without)
            yield node, ("end",)


def read_1_2(document: ConfigDocument, pair: Pair, flow: bool) -> Any:
    """The value of a pair as ruamel.yaml reads YAML 1.2; `flow` is whether it stands between braces.

    The pair has to stand by itself: no alias, no anchor from elsewhere. What is refused has the error as its value,
    which is the same as nothing.
    """
    from ruamel.yaml import YAML  # slow to import, and only wanted where something is written
    from ruamel.yaml.error import YAMLError

    column = pair.key.start - document.line_start(pair.key.start)
    text = document.text[pair.key.start : last_token_end(document, pair)]
    text = f"{{{text}\n}}" if flow else " " * column + text + "\n"
    reader = YAML(typ="safe", pure=True)
    reader.version = "1.2"
    try:
        mapping = reader.load(io.StringIO(text))
    except (YAMLError, ValueError) as error:
        return error
    return _with_text_keys(next(iter(mapping.values()))) if isinstance(mapping, dict) and len(mapping) == 1 else mapping


def _with_text_keys(value: Any) -> Value:
    """As autocal reads data: `8: x` is under "8"."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value
