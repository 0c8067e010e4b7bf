"""Under which label a loss of the config stands in the logs. LossTerms + labels -> LoggedLosses. Pure.

Source: the trainers' models. traiNNer-redux makes the label from the type, `l_g_` and the type in lower case without
"loss", and appends the component's name where a loss returns several. BasicSR has one label for each `*_opt` table,
with `l_` where there is no discriminator and `l_g_` where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from autocal_cli.config.record import LossTerm
from autocal_cli.replay.record import TOTAL_LABEL, LoggedLoss

_SHORT = {"pixel": "pix", "perceptual": "percep"}  # where BasicSR's label is shorter than the table's name
_STYLE = ("l_g_style", "l_style")  # the second value of BasicSR's perceptual loss, with a weight of its own
_GAN_TYPES = frozenset({"r3ganloss", "multiscaleganloss"})  # a fork of traiNNer-redux calls these `l_g_gan` too


def match_losses(terms: Sequence[LossTerm], labels: Sequence[str]) -> tuple[LoggedLoss, ...]:
    """The losses of the config that the log holds, in the config's order; of two with one label the last counts."""
    found: dict[str, LoggedLoss] = {}
    expected = {candidate for term in terms for candidate in expected_labels(term)}
    for term in terms:
        for loss in _matches(term, labels, expected):
            found[loss.logged] = loss
    return tuple(found.values())


def unmatched_labels(losses: Iterable[LoggedLoss], labels: Iterable[str]) -> tuple[str, ...]:
    """Labels of losses in the log that no loss of the config accounts for."""
    known = {loss.logged for loss in losses} | {TOTAL_LABEL}
    return tuple(label for label in labels if label.startswith("l_") and label not in known)


def expected_labels(term: LossTerm) -> tuple[str, ...]:
    """Where to look for a loss, the most likely label first; none where the trainer leaves it out.

    >>> from autocal_cli.errors import Place
    >>> expected_labels(LossTerm("L1Loss", "pixel", 1.0, Place("")))
    ('l_g_l1',)
    >>> expected_labels(LossTerm("L1Loss", "pixel", 1.0, Place(""), table="pixel_opt"))
    ('l_g_pix', 'l_pix', 'l_g_l1')
    """
    style = _STYLE if term.style_weight else ()
    return (*_own_labels(term), *style) if term.active else style


def _own_labels(term: LossTerm) -> tuple[str, ...]:
    type_name = term.type.lower()
    by_type = (f"l_g_{type_name.replace('loss', '')}", *(("l_g_gan",) if type_name in _GAN_TYPES else ()))
    if term.table is None:
        return by_type
    name = term.table.removesuffix("_opt")
    name = _SHORT.get(name, name)
    return tuple(dict.fromkeys((f"l_g_{name}", f"l_{name}", *by_type)))


def _matches(term: LossTerm, labels: Sequence[str], expected: set[str]) -> Iterator[LoggedLoss]:
    if term.active:
        yield from _own_matches(term, labels, expected)
    if term.style_weight:
        for label in (label for label in _STYLE if label in labels):
            yield LoggedLoss(label, None, label, term.type, abs(term.style_weight))


def _own_matches(term: LossTerm, labels: Sequence[str], expected: set[str]) -> list[LoggedLoss]:
    """The loss under the first of its labels that occurs, whole or by components."""
    weight = abs(term.weight)  # a negative one swaps the target, and counts by its size
    for own in _own_labels(term):
        if own in labels:
            return [LoggedLoss(own, None, own, term.type, weight)]
        prefix = f"{own}_"
        parts = [label for label in labels if label.startswith(prefix) and label not in {*expected, TOTAL_LABEL}]
        if parts:
            return [LoggedLoss(own, label.removeprefix(prefix), label, term.type, weight) for label in parts]
    return []
