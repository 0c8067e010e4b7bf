"""Mends what can be mended without doubt: one scalar for another, proven to be all that changed.

Adding a remedy is one function and one row of REMEDIES, and `fixable = true` in the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from autocal_cli.calibration.block import nearest_keys
from autocal_cli.calibration.calibrate import TOTAL_ITERATIONS
from autocal_cli.check.keys import text_numbers
from autocal_cli.check.model import Checked
from autocal_cli.check.options import option_problems
from autocal_cli.config.files import parse_document
from autocal_cli.config.model import Scalar
from autocal_cli.config.yaml.document import (
    ConfigDocument,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    lookup,
    read_scalar,
)
from autocal_cli.config.yaml.edit import Edit, all_comments, inverse, splice
from autocal_cli.config.yaml.scalars import write_scalar
from autocal_cli.errors import AutocalError, Finding, VerificationError


@dataclass(frozen=True, slots=True)
class Remedy:
    """A scalar (a value or a key) that is to say `value`, written as `text`."""

    node: ScalarNode
    value: Scalar
    text: str


def mend(checked: Checked, findings: Iterable[Finding]) -> tuple[str, int]:
    """The text with everything mended that has a remedy, and how many of the findings that were."""
    document = checked.document
    remedies = [found for finding in findings if (found := _remedy(checked, finding))]
    if not remedies:
        return document.text, 0
    edits = [Edit(remedy.node.start, remedy.node.end, remedy.text) for remedy in remedies]
    text = splice(document.text, edits)
    _verify(document, text, edits, {remedy.node: remedy.value for remedy in remedies})
    return text, len(remedies)


def _remedy(checked: Checked, finding: Finding) -> Remedy | None:
    find = REMEDIES.get(finding.code)
    remedy = find(checked, finding) if find else None
    # An anchor or a tag belongs to the span of its scalar, and an anchor carries the change elsewhere.
    return remedy if remedy and not (remedy.node.anchor or remedy.node.tag or remedy.node.omitted) else None


def _number(checked: Checked, finding: Finding) -> Remedy | None:
    """`2e-4` -> `2.0e-04`."""
    text = text_numbers(checked).get(finding.place) if finding.place else None
    return Remedy(text.node, text.number, text.spelling) if text else None


def _key(checked: Checked, finding: Finding) -> Remedy | None:
    """A misspelt key, where one known key alone is meant, is not there yet, and takes the value."""
    for path, value in checked.leaves:
        full = (*checked.layout.block, *path)
        if path in checked.schema or checked.key_at(full) != finding.place:
            continue
        near = [tuple(name.split(".")) for name in nearest_keys(".".join(path), checked.schema)]
        pair = lookup(checked.document, full)
        if len(near) != 1 or near[0][:-1] != path[:-1] or near[0] in dict(checked.leaves):
            return None
        name, right = near[0][-1], checked.schema[near[0]].accepts(value)
        return (
            Remedy(pair.key, name, write_scalar(name)) if right and pair and isinstance(pair.key, ScalarNode) else None
        )
    return None


def _option(checked: Checked, finding: Finding) -> Remedy | None:
    """A misspelt key of the trainer's, where one key alone is meant, is not there yet, and takes the value."""
    for problem in option_problems(checked):
        if problem.node and problem.renamed and problem.finding.place == finding.place:
            return Remedy(problem.node, problem.renamed, write_scalar(problem.renamed))
    return None


def _length(checked: Checked, finding: Finding) -> Remedy | None:  # noqa: ARG001
    """The block's total_iterations becomes what the trainer's total_iter says."""
    pair = lookup(checked.document, (*checked.layout.block, *TOTAL_ITERATIONS))
    if pair is None or not isinstance(pair.value, ScalarNode) or checked.config.total_iter is None:
        return None
    return Remedy(pair.value, checked.config.total_iter, write_scalar(checked.config.total_iter))


REMEDIES: Mapping[str, Callable[[Checked, Finding], Remedy | None]] = {
    "number-as-text": _number,
    "misspelt-key": _key,
    "option-unknown": _option,
    "length-mismatch": _length,
}


def _verify(before: ConfigDocument, text: str, edits: list[Edit], wanted: Mapping[ScalarNode, Scalar]) -> None:
    """Node by node the documents are alike but for the mended scalars, which read as wanted under YAML 1.1 and 1.2.

    Raises VerificationError.
    """
    if splice(text, inverse(before.text, edits)) != before.text:
        raise VerificationError("Undoing the remedies does not give the input.")
    try:
        after = parse_document(before.encode(text), before.path)
    except AutocalError as error:
        raise VerificationError(f"The output cannot be read: {error}") from None
    old, new = list(_nodes(before.root)), list(_nodes(after.root))
    if len(old) != len(new) or all_comments(before) != all_comments(after):
        raise VerificationError("The output has other nodes or comments than the input.")
    for one, other in zip(old, new, strict=True):
        if isinstance(one, ScalarNode) and one in wanted:
            for version in ("1.1", "1.2"):
                found = read_scalar(after, other, version) if isinstance(other, ScalarNode) else None
                if repr(found) != repr(wanted[one]):
                    raise VerificationError(f"{wanted[one]!r} does not read back under YAML {version}.")
        elif _told(one) != _told(other):
            raise VerificationError("Something besides the mended values reads differently.")


def _nodes(node: Node) -> Iterator[Node]:
    """A tree in the order of the text, keys and values alike."""
    yield node
    if isinstance(node, SequenceNode):
        for item in node.items:
            yield from _nodes(item)
    elif isinstance(node, MappingNode):
        for pair in node.pairs:
            yield from _nodes(pair.key)
            yield from _nodes(pair.value)


def _told(node: Node) -> tuple[object, ...]:
    """All of a node but its position and its children."""
    content = (node.value, node.style) if isinstance(node, ScalarNode) else getattr(node, "flow", None)
    return type(node), node.tag, node.anchor, content
