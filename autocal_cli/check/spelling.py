"""Keys of the config itself that are missing and stand there misspelt: `total_itr` for `total_iter`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from autocal_cli.check.record import Checked
from autocal_cli.config.document import MappingNode, Pair
from autocal_cli.config.reading import lookup, pairs_of
from autocal_cli.config.record import KeyPath
from autocal_cli.config.trainers import TrainerLayout
from autocal_cli.errors import Finding

RESEMBLANCE = 0.8  # of difflib; chosen: over some 1,400 option files of trainers no right key comes so near to another
NUMBERED = ("network_", "optim_")  # one a network: what follows is a name of its own, as in `network_ae`, no slip
OLDER = frozenset({"network_G", "network_D"})  # right in older trainers


def misspelt_keys(checked: Checked) -> Iterator[Finding]:
    """Keys that nobody reads and that resemble one which is looked for in vain."""
    for path in expected(checked.layout):
        pair = written_as(checked, path)
        if pair is not None:
            message = f"`{_key(pair)}` is no key that {checked.layout.trainer} knows, and there is no `{path[-1]}`."
            place = checked.document.place(pair.key.start)
            yield Finding("config-key-misspelt", "warning", message, did_you_mean(checked, path), place)


def did_you_mean(checked: Checked, path: KeyPath) -> str | None:
    """The cure where the missing key at `path` stands there misspelt."""
    pair = written_as(checked, path)
    if pair is None:
        return None
    line = checked.document.place(pair.key.start).line
    return f"Did you mean `{path[-1]}`? It is written `{_key(pair)}` at line {line}."


def expected(layout: TrainerLayout) -> tuple[KeyPath, ...]:
    """The keys that are looked for, whether the trainer requires them or not."""
    train = layout.losses[:-1]
    return (
        layout.scale,
        layout.network,
        layout.discriminator,
        layout.datasets,
        layout.total_iter[0],
        layout.losses,
        (*train, "optim_g"),
        (*train, "optim_d"),
        layout.block,
    )


def written_as(checked: Checked, path: KeyPath) -> Pair | None:
    """The pair beside a missing key that resembles it more than any other key that is missing there."""
    layout, document = checked.layout, checked.document
    others = [one for one in expected(layout) if one[:-1] == path[:-1] and lookup(document, one) is None]
    same = layout.total_iter if path in layout.total_iter else (path,)
    if path not in others or any(lookup(document, one) for one in same):
        return None
    wanted = [one[-1] for one in others]
    known = {one[-1] for one in expected(layout)} | OLDER
    for name, pair in _siblings(checked, path).items():
        if name not in known and _resembled(name, wanted) == path[-1]:
            return pair
    return None


def _resembled(name: str, wanted: list[str]) -> str | None:
    """The one key that a name resembles most; None where it resembles none, or two alike."""
    lower = name.lower()
    if lower.startswith(NUMBERED):
        return lower if lower in wanted else None
    near = difflib.get_close_matches(lower, wanted, n=2, cutoff=RESEMBLANCE)
    ratios = [difflib.SequenceMatcher(None, key, lower).ratio() for key in near]
    return near[0] if near and (len(near) == 1 or ratios[0] > ratios[1]) else None


def _siblings(checked: Checked, path: KeyPath) -> dict[str, Pair]:
    parent = lookup(checked.document, path[:-1]) if len(path) > 1 else None
    node = checked.document.follow(parent.value if parent else checked.document.root)
    if not isinstance(node, MappingNode) or (len(path) > 1 and parent is None):
        return {}
    return dict(pairs_of(checked.document, node))


def _key(pair: Pair) -> str:
    return str(getattr(pair.key, "value", ""))
