"""Mends what can be mended without doubt: one scalar for another, proven to be all that changed.

Adding a remedy is one function and one row of REMEDIES, and `fixable=True` in its rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from autocal_cli.calibration.block import nearest_keys
from autocal_cli.calibration.calibrate import TOTAL_ITERATIONS
from autocal_cli.check.keys import SURE, nearest, text_numbers
from autocal_cli.check.model import Checked
from autocal_cli.check.options import meant, option_problems
from autocal_cli.config.files import parse_edited
from autocal_cli.config.model import Scalar
from autocal_cli.config.yaml.document import ConfigDocument, Node, ScalarNode, lookup, read_scalar
from autocal_cli.config.yaml.edit import Edit, all_comments, splice
from autocal_cli.config.yaml.scalars import write_scalar
from autocal_cli.config.yaml.verify import events
from autocal_cli.errors import Finding, VerificationError


class Remedy(NamedTuple):
    """A scalar (a value or a key) that is to say `value`, written as `text`."""

    node: Node
    value: Scalar
    text: str


def mend(checked: Checked, findings: Iterable[Finding]) -> tuple[str, int]:
    """The text with everything mended that has a remedy, and how many of the findings that were."""
    document, remedies = checked.document, []
    for finding in findings:
        find = REMEDIES.get(finding.code)
        remedy = find(checked, finding) if find else None
        node = remedy.node if remedy else None
        # An anchor or a tag belongs to the span of its scalar, and an anchor carries the change elsewhere.
        if remedy and isinstance(node, ScalarNode) and not (node.anchor or node.tag or node.omitted):
            remedies.append(remedy)
    if not remedies:
        return document.text, 0
    edits = [Edit(remedy.node.start, remedy.node.end, remedy.text) for remedy in remedies]
    text = splice(document.text, edits)
    _verify(document, text, edits, {remedy.node: remedy.value for remedy in remedies})
    return text, len(remedies)


def _number(checked: Checked, finding: Finding) -> Remedy | None:
    """`2e-4` -> `2.0e-04`."""
    text = text_numbers(checked).get(finding.place) if finding.place else None
    return Remedy(text.node, text.number, text.spelling) if text else None


def _key(checked: Checked, finding: Finding) -> Remedy | None:
    """A misspelt key, where one known key alone is meant, is not there yet, and takes the value."""
    for path, value in checked.leaves:
        pair = lookup(checked.document, (*checked.layout.block, *path))
        if path in checked.schema or pair is None or checked.document.place(pair.key.start) != finding.place:
            continue
        near = [tuple(name.split(".")) for name in nearest_keys(".".join(path), checked.schema)]
        if len(near) == 1 and near[0][:-1] == path[:-1] and near[0] not in dict(checked.leaves):
            name = near[0][-1]
            return Remedy(pair.key, name, write_scalar(name)) if checked.schema[near[0]].accepts(value) else None
        return None
    return None


def _option(checked: Checked, finding: Finding) -> Remedy | None:
    """A misspelt key of the trainer's that can mean one alone, or a number or switch in quotes."""
    for problem in option_problems(checked):
        if problem.node and problem.cure is not None and problem.finding == finding:
            return Remedy(problem.node, problem.cure, write_scalar(problem.cure))
    return None


def _argument(checked: Checked, finding: Finding) -> Remedy | None:
    """A misspelt argument of a network, where one that it has comes near enough and is not there yet."""
    told = re.search(r"the argument '(\w+)'.*\nDid you mean '(\w+)'", f"{finding.message}\n{finding.fix}")
    for home in ("network_g", "network_d") if told else ():
        wrong, right = told.groups() if told else ("", "")
        pair = lookup(checked.document, (home, wrong))
        if pair and checked.key_at((home, wrong)) == finding.place and not lookup(checked.document, (home, right)):
            near = nearest(wrong, [right], SURE)
            return Remedy(pair.key, near, write_scalar(near)) if near else None
    return None


def _switch(checked: Checked, finding: Finding) -> Remedy | None:
    """`enabled: "true"` -> `enabled: true`, in the block."""
    for path, value in checked.leaves:
        known, pair = checked.schema.get(path), lookup(checked.document, (*checked.layout.block, *path))
        cure = meant(value, ["boolean"]) if isinstance(value, str) and known and known.type == "boolean" else None
        if pair and cure is not None and checked.at(*path) == finding.place:
            return Remedy(pair.value, cure, write_scalar(cure))
    return None


def _length(checked: Checked, _: Finding) -> Remedy | None:
    """The block's total_iterations becomes what the trainer's total_iter says."""
    pair, total = lookup(checked.document, (*checked.layout.block, *TOTAL_ITERATIONS)), checked.config.total_iter
    return Remedy(pair.value, total, write_scalar(total)) if pair and total is not None else None


REMEDIES: Mapping[str, Callable[[Checked, Finding], Remedy | None]] = {
    "number-as-text": _number,
    "misspelt-key": _key,
    "option-unknown": _option,
    "option-type": _option,
    "network-argument-unknown": _argument,
    "value-invalid": _switch,
    "length-mismatch": _length,
}


def _verify(before: ConfigDocument, text: str, edits: list[Edit], wanted: Mapping[Node, Scalar]) -> None:
    """Node by node the documents are alike but for the mended scalars, which read as wanted under YAML 1.1 and 1.2.

    Raises VerificationError.
    """
    after = parse_edited(before, text, edits)
    old, new = list(events(before.root)), list(events(after.root))
    if len(old) != len(new) or all_comments(before) != all_comments(after):
        raise VerificationError("The output has other nodes or comments than the input.")
    for (node, event), (other, now) in zip(old, new, strict=True):
        if node not in wanted and event != now:
            raise VerificationError("Something besides the mended values reads differently.")
        for version in ("1.1", "1.2") if node in wanted else ():
            found = read_scalar(after, other, version) if isinstance(other, ScalarNode) else None
            if repr(found) != repr(wanted[node]):
                raise VerificationError(f"{wanted[node]!r} does not read back under YAML {version}.")
