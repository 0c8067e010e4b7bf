"""The proof, before anything is written, that a patch changed what it meant to change and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from autocal_cli.config.comments import all_comments
from autocal_cli.config.document import (
    AliasNode,
    ConfigDocument,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    parse_document,
)
from autocal_cli.config.edits import Patch, inverse, splice
from autocal_cli.config.reading import lookup, read_value, same_data
from autocal_cli.config.record import KeyPath, Value
from autocal_cli.config.second_reader import other_readings
from autocal_cli.config.toml_verify import verify_toml
from autocal_cli.errors import AutocalError, VerificationError

_Event = tuple[object, ...]


def verify_patch(
    before: ConfigDocument, after_text: str, patch: Patch, dropped: Collection[str] = ()
) -> ConfigDocument:
    """Checks the patched text and returns it parsed.

    (a) undoing the edits gives the input back; (b) without the pairs that were set, both files have the same events:
    values, tags, anchors, styles, order; (c) each value set reads back with its exact type under YAML 1.1 and 1.2, by
    autocal's own reading and by PyYAML and ruamel.yaml; (d) no comment is lost but those `dropped`. That a second
    calibration changes nothing is checked by whoever calibrates. Raises VerificationError.
    """
    if splice(after_text, inverse(before.text, patch.edits)) != before.text:
        raise VerificationError("Undoing the edits does not give the input.")
    try:
        after = parse_document(before.encode(after_text), before.path)
    except AutocalError as error:
        raise VerificationError(f"The output cannot be read: {error}") from None
    set_paths = frozenset(patch.values)
    if after.language == "toml":
        verify_toml(before, after, patch.values)
        return after
    if _events(before, set_paths) != _events(after, set_paths):
        raise VerificationError("Something outside the edited keys reads differently.")
    for path, value in patch.values.items():
        _require_readback(after, path, value)
    lost = all_comments(before) - all_comments(after) - Counter(dropped)
    if lost:
        raise VerificationError(f"A comment would be lost: {next(iter(lost))!r}.")
    return after


def _require_readback(after: ConfigDocument, path: KeyPath, value: Value) -> None:
    pair, name = lookup(after, path), ".".join(path)
    for version in ("1.1", "1.2"):
        if pair is None or not same_data(read_value(after, pair.value, version), value):
            raise VerificationError(f"`{name}` does not read back as {value!r} under YAML {version}.")
    assert pair is not None
    owner = lookup(after, path[:-1])
    flow = owner is not None and isinstance(owner.value, MappingNode) and owner.value.flow
    for reader, found in other_readings(after, pair, flow or after.root.flow).items():
        if not same_data(found, value):
            raise VerificationError(f"`{name}` should read back as {value!r}, and {reader} reads {found!r}.")


def _events(document: ConfigDocument, without: frozenset[KeyPath]) -> list[_Event]:
    """The document as a flat list of events, without the pairs at the paths `without`."""
    events: list[_Event] = []
    _walk(document.root, (), without, events)
    return events


def _walk(node: Node, path: KeyPath | None, without: frozenset[KeyPath], events: list[_Event]) -> None:
    """Appends the events of a node. `path` is None where no path of keys leads: in lists, below unusual keys."""
    match node:
        case ScalarNode():
            events.append(("scalar", node.tag, node.anchor, node.style, node.value))
        case AliasNode():
            events.append(("alias", node.anchor))
        case SequenceNode():
            events.append(("sequence", node.tag, node.anchor, node.flow))
            for item in node.items:
                _walk(item, None, without, events)
            events.append(("end",))
        case MappingNode():
            events.append(("mapping", node.tag, node.anchor, node.flow))
            for pair in node.pairs:
                here = (*path, pair.key.value) if path is not None and isinstance(pair.key, ScalarNode) else None
                if here not in without:
                    _walk(pair.key, None, without, events)
                    _walk(pair.value, here, without, events)
            events.append(("end",))
