"""Judges every image of a dataset: keep, look or drop, with reasons, by the bounds in presets/curation.toml."""

from __future__ import annotations

import math
import tomllib
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.model import (
    OF,
    Curation,
    FileIssue,
    ImageRow,
    PairsSummary,
    PairTraces,
    Reason,
    Rule,
    Severity,
    Traces,
)
from autocal_cli.errors import AutocalError
from autocal_cli.packaged import preset_text

TABLE = "curation.toml"
RHYTHM = 3.6  # `Traces.rhythm` of interpolation: photographs, blurred ones too, stay below (benchmarks/curation.py)
GRID_RHYTHM = 0.18  # `Traces.blocks` of JPEGs, whose grid is a rhythm and repeats lines too
MOSTLY = 0.5  # share of images in colour, from which a grey one stands out; chosen, untested

# Reasons that need no measure, by their severity.
FIXED: Mapping[str, Severity] = {
    "unreadable": "drop",
    "small": "drop",
    "duplicate": "drop",
    "near-duplicate": "drop",
    "grey": "look",
    "alpha": "look",
    "pair-size": "drop",
    "pair-kernel": "look",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """By what images are judged: the measured rules, the severity of the fixed reasons, and what was left out of a
    community's numbers because it is not measured here.
    """

    rules: tuple[Rule, ...]
    fixed: Mapping[str, Severity | None]
    least_side: int | None = None
    unmeasured: tuple[str, ...] = ()


def load_policy(like: str | None = None, thresholds: Iterable[str] = ()) -> Policy:
    """The policy of presets/curation.toml, changed by `thresholds`: REASON=NUMBER, =look, =drop or =off.

    The rules of `like` (bhi, lucid) stand in place of all others of their reasons. Raises AutocalError.
    """
    table = tomllib.loads(preset_text(TABLE))
    rules, unmeasured = [_rule(entry) for entry in table["rule"]], ()
    if like is not None:
        if like not in table["like"]:
            raise AutocalError(f"--like {like} is not known.", fix=f"Known: {', '.join(table['like'])}.")
        theirs = [_rule(entry) for entry in table["like"][like]["rule"]]
        replaced = {rule.reason for rule in theirs}
        rules = [rule for rule in rules if rule.reason not in replaced] + theirs
        unmeasured = tuple(table["like"][like]["unmeasured"])
    policy = Policy(tuple(rules), dict(FIXED), unmeasured=unmeasured)
    for text in thresholds:
        policy = _changed(policy, text)
    return policy


def _rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(
        reason=entry["reason"],
        measure=entry["measure"],
        when=entry["when"],
        look=entry.get("look"),
        drop=entry.get("drop"),
        photographs=entry.get("photographs", False),
        source=entry["source"],
        deviations=entry.get("deviations"),
    )


def _changed(policy: Policy, text: str) -> Policy:
    reason, _, value = text.partition("=")
    known = sorted({*FIXED, *(rule.reason for rule in policy.rules)})
    if reason not in known:
        raise AutocalError(f"--threshold {text}: there is no reason {reason!r}.", fix=f"Reasons: {', '.join(known)}.")
    if value in ("look", "drop", "off"):
        level: Severity | None = None if value == "off" else "look" if value == "look" else "drop"
        rules = tuple(_at(rule, level) if rule.reason == reason else rule for rule in policy.rules)
        fixed = {**policy.fixed, reason: level} if reason in policy.fixed else policy.fixed
        return replace(policy, rules=rules, fixed=fixed)
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    measured = [rule for rule in policy.rules if rule.reason == reason]
    if number != number or not (measured or reason == "small"):
        fix = "Give REASON=NUMBER for what is measured, or REASON=look, drop or off."
        raise AutocalError(f"--threshold {text} cannot be used.", fix=fix)
    if reason == "small":
        return replace(policy, least_side=int(number))
    return replace(
        policy, rules=tuple(_bounded(rule, number) if rule.reason == reason else rule for rule in policy.rules)
    )


def _at(rule: Rule, level: Severity | None) -> Rule:
    if level is None:
        return replace(rule, look=None, drop=None)
    first = rule.look if rule.look is not None else rule.drop
    return replace(rule, look=first, drop=None) if level == "look" else replace(rule, drop=first, look=None)


def _bounded(rule: Rule, drop: float) -> Rule:
    """The rule with another bound of dropping; where that passes the bound of looking, this one goes."""
    beyond = rule.look is not None and (drop <= rule.look if rule.when == "above" else drop >= rule.look)
    return replace(rule, drop=drop, look=None if beyond else rule.look)


def _is_interpolated(traces: Traces) -> bool:
    return traces.rhythm >= RHYTHM and traces.blocks < GRID_RHYTHM


Measure = Callable[[ImageRow], float | None]

MEASURES: Mapping[str, Measure] = {
    "deviation": lambda row: row.facts.deviation,
    "entropy": lambda row: row.facts.entropy,
    "blocks": lambda row: row.facts.traces.blocks,
    "repeated": lambda row: row.facts.traces.repeated if row.facts.traces.blocks < GRID_RHYTHM else None,
    "interpolated": lambda row: row.facts.traces.detail if _is_interpolated(row.facts.traces) else None,
    "blurred": lambda row: None if _is_interpolated(row.facts.traces) else row.facts.traces.detail,
    "noise": lambda row: row.facts.traces.noise,
    "halos": lambda row: row.facts.traces.halos,
    "laplacian": lambda row: row.facts.traces.laplacian,
    "model": lambda row: row.facts.model,
}


@dataclass(frozen=True, slots=True)
class Groups:
    """Images that are the same, by their places in the rows: to the byte, and by their looks."""

    exact: Sequence[Sequence[int]] = ()
    near: Sequence[Sequence[int]] = ()


def judge(
    rows: Sequence[ImageRow], failures: Sequence[FileIssue], groups: Groups, crop: int | None, policy: Policy
) -> Curation:
    """The verdict on each image: by its own measures first, then among those that are the same the best stays.

    `crop` is the side of the training's crop, under which an image is small.
    """
    found: defaultdict[str, list[Reason]] = defaultdict(list)

    def note(path: str, code: str, detail: str, severity: Severity | None = None) -> None:
        level = severity or policy.fixed.get(code)
        if level is not None:
            found[path].append(Reason(code, level, detail))

    for issue in failures:
        note(issue.path, "unreadable", issue.reason)
    least = policy.least_side or crop
    grey_stands_out = sum(not row.facts.grey for row in rows) > MOSTLY * len(rows)
    pairs = _summarised([row.facts.pair for row in rows if row.facts.pair])
    rules = _for_this_set(policy.rules, pairs, rows)
    for row in rows:
        path = row.facts.path
        if least is not None and min(row.width, row.height) < least:
            note(path, "small", f"{row.width} x {row.height}, under {least}")
        if row.facts.grey and grey_stands_out:
            note(path, "grey", "most others are in colour")
        if row.facts.alpha:
            note(path, "alpha", "it has transparent pixels")
        if row.facts.pair and pairs:
            for code, detail in _faults(row.facts.pair, pairs):
                note(path, code, detail)
        for reason in measured_reasons(row, rules, pairs):
            found[path].append(reason)
    for code, several in (("duplicate", groups.exact), ("near-duplicate", groups.near)):
        for group in several:
            several_rows = sorted((rows[place] for place in group), key=lambda row: _rank(row, found))
            for row in several_rows[1:]:
                note(row.facts.path, code, f"{OF}{several_rows[0].facts.path}")
    reasons = {path: tuple(several) for path, several in found.items()}
    return Curation(len(rows) + len(failures), reasons, rules, least, pairs)


_TOLD = {"blurred": "detail", "interpolated": "detail"}  # measures by the column of the table that holds them


def measured_reasons(row: ImageRow, rules: Iterable[Rule], pairs: PairsSummary | None = None) -> list[Reason]:
    """The reasons among the rules that hold of an image, the most severe of each code."""
    found: dict[str, Reason] = {}
    for rule in rules:
        value = _value(rule, row, pairs)
        severity = severity_of(rule, value)
        if severity and (rule.reason not in found or severity == "drop"):
            found[rule.reason] = Reason(rule.reason, severity, f"{_TOLD.get(rule.measure, rule.measure)} {value:.3g}")
    return list(found.values())


def _value(rule: Rule, row: ImageRow, pairs: PairsSummary | None) -> float | None:
    """A rule's measure of an image, None where it cannot judge it."""
    if rule.measure in PAIR_MEASURES:
        pair = row.facts.pair
        return PAIR_MEASURES[rule.measure](pair, pairs) if pair and pairs and pair.agreement is not None else None
    return None if rule.photographs and row.facts.traces.drawn else MEASURES[rule.measure](row)


def severity_of(rule: Rule, value: float | None) -> Severity | None:
    if value is None:
        return None
    sign = 1 if rule.when == "above" else -1
    if rule.drop is not None and sign * (value - rule.drop) > 0:
        return "drop"
    return "look" if rule.look is not None and sign * (value - rule.look) > 0 else None


def _rank(row: ImageRow, found: Mapping[str, Sequence[Reason]]) -> tuple[int, int, int, float, str]:
    """The best of several images that are the same comes first: fewest reasons, most pixels, least blocks, by name."""
    reasons = found.get(row.facts.path, ())
    drops = sum(reason.severity == "drop" for reason in reasons)
    return drops, -row.width * row.height, len(reasons), row.facts.traces.blocks, row.facts.path


# GT and LQ images: each pair beside the other pairs of the set, which may all be shifted or coloured alike.

SURE = 0.5  # agreement of pairs whose shift and colour mean something: other images' mostly agree less
ONE_SCALE = 0.2  # share by which a pair's scale may differ from the set's; chosen, untested
MOST_KERNELS = 0.8  # share of one kernel among the plain ones, from which another stands out; chosen, untested

PAIR_MEASURES: Mapping[str, Callable[[PairTraces, PairsSummary], float | None]] = {
    "shift": lambda pair, most: _if_sure(pair, math.hypot(pair.across - most.across, pair.down - most.down)),
    "drift": lambda pair, _: _if_sure(pair, pair.drift),
    "colour": lambda pair, most: _if_sure(pair, pair.colour - most.colour),
    "agreement": lambda pair, _: pair.agreement,
}


def _if_sure(pair: PairTraces, value: float) -> float | None:
    return value if pair.agreement is not None and pair.agreement >= SURE else None


def _summarised(pairs: Sequence[PairTraces]) -> PairsSummary | None:
    """What most are like; where none lies on its GT image nothing but their number is told."""
    if not pairs:
        return None
    placed = [pair for pair in pairs if pair.agreement is not None and pair.agreement >= SURE]
    numbers = [(pair.scale, pair.across, pair.down, pair.colour) for pair in placed]
    scale, across, down, colour = np.median(numbers, axis=0).tolist() if placed else (0.0, 0.0, 0.0, 0.0)
    kernels = Counter(pair.kernel for pair in placed if pair.kernel)
    kernel, count = kernels.most_common(1)[0] if kernels else ("", 0)
    if count < MOST_KERNELS * kernels.total():
        kernel, count = "", 0
    return PairsSummary(len(placed), scale, across, down, colour, kernel, count / max(1, len(placed)))


def _faults(pair: PairTraces, most: PairsSummary) -> Iterator[tuple[str, str]]:
    """What is wrong with a pair that needs no measure."""
    if pair.problem:
        yield "unreadable", f"LQ: {pair.problem}"
    elif not pair.fits or (most.scale and abs(pair.scale / most.scale - 1) > ONE_SCALE):
        yield "pair-size", f"GT is {pair.scale:.3g} times LQ"
    if most.kernel and pair.kernel not in ("", most.kernel):
        yield "pair-kernel", f"{pair.kernel}, most {most.kernel}"


def _for_this_set(rules: Iterable[Rule], pairs: PairsSummary | None, rows: Sequence[ImageRow]) -> tuple[Rule, ...]:
    """The rules, those with `deviations` no tighter than so many robust standard deviations (1.4826 times the median
    of the differences from the median) around the median of this set.
    """
    fitted = []
    for rule in rules:
        if rule.deviations is not None and pairs and pairs.count:
            values = np.array([value for row in rows if (value := _value(rule, row, pairs)) is not None])
            middle = float(np.median(values))
            width = rule.deviations * 1.4826 * float(np.median(np.abs(values - middle)))
            edge = max if rule.when == "above" else min
            reach = middle + width if rule.when == "above" else middle - width
            look, drop = (None if bound is None else edge(bound, reach) for bound in (rule.look, rule.drop))
            rule = replace(rule, look=look, drop=drop)
        fitted.append(rule)
    return tuple(fitted)


# What each bound would cost, before anything is written.


@dataclass(frozen=True, slots=True)
class Cost:
    """How many images a reason drops and has looked at; `alone`: dropped for this reason only. `curve`: how many
    images its `measure` would drop at other bounds than `bound`.
    """

    reason: str
    look: int
    drop: int
    alone: int
    measure: str = ""
    bound: float = 0.0
    curve: tuple[tuple[float, int], ...] = ()


CURVE = tuple(0.25 * step for step in range(1, 9))  # times the bound


def plan(curation: Curation, rows: Sequence[ImageRow]) -> list[Cost]:
    """The cost of every reason that is met, in order of what it drops."""
    alone: defaultdict[str, int] = defaultdict(int)
    for reasons in curation.reasons.values():
        drops = {reason.code for reason in reasons if reason.severity == "drop"}
        if len(drops) == 1:
            alone[drops.pop()] += 1
    costs, by_reason = [], curation.by_reason()
    rules = {rule.reason: rule for rule in curation.rules if rule.drop is not None and rule.reason in by_reason}
    values = _values(rules.values(), rows, curation.pairs)
    for code, named in by_reason.items():
        cost = Cost(code, named["look"].count, named["drop"].count, alone[code])
        if rule := rules.get(code):
            bound = rule.drop or 0.0
            curve = tuple((bound * times, _beyond(values[code], rule, bound * times)) for times in CURVE)
            cost = replace(cost, measure=_TOLD.get(rule.measure, rule.measure), bound=bound, curve=curve)
        costs.append(cost)
    return costs


def _values(
    rules: Iterable[Rule], rows: Iterable[ImageRow], pairs: PairsSummary | None
) -> dict[str, npt.NDArray[np.float64]]:
    """What each rule's measure is of every image that it can judge, by reason."""
    found: dict[str, array[float]] = {rule.reason: array("d") for rule in rules}
    for row in rows:
        for rule in rules:
            value = _value(rule, row, pairs)
            if value is not None:
                found[rule.reason].append(value)
    return {reason: np.asarray(values, dtype=np.float64) for reason, values in found.items()}


def _beyond(values: npt.NDArray[np.float64], rule: Rule, bound: float) -> int:
    return int(np.count_nonzero(values > bound if rule.when == "above" else values < bound))
