"""Judges every image of a dataset: keep, look or drop, with reasons, by the bounds in presets/curation.toml."""

from __future__ import annotations

import math
import re
import tomllib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.duplicates import Groups, likenesses
from autocal_cli.dataset.facts import GRID_BLOCKS
from autocal_cli.dataset.model import (
    OF,
    Curation,
    FileIssue,
    ImageFacts,
    ImageRow,
    PairsSummary,
    PairTraces,
    Reason,
    Rule,
    Severity,
)
from autocal_cli.errors import AutocalError
from autocal_cli.packaged import preset_text

TILE = 256 * 256  # pixels of an image that shows one thing: a smooth sky alone shows the grid of a JPEG of quality 95,
FAINT = 0.7  # so that of its grid only so much counts, where no coarser steps are found (as RHYTHM)
SMALL_TILE = 160 * 160  # pixels of an image whose steep edges may all be those of slats or of paving, which have rims,
RIMMED = 0.82  # so that of their share only so much counts: dropped from 0.11 in place of 0.09
CRISP = 0.37  # native sharpness that no blurred photograph reached: fine stripes do, coarse as they are to `detail`
RHYTHM = 3.2  # `Traces.rhythm` of interpolation: photographs, blurred ones too, stay below (benchmarks/curation.py)
MOSTLY = 0.5  # share of images in colour, from which a grey one stands out; chosen, untested
LOSSY_WORTH = 0.3  # pixels of a JPEG beside lossless ones: no PNG of half its size stands in for it; chosen
SHARP = 0.5  # `Traces.detail` of sharp photographs, beyond which there may be noise in it (benchmarks/curation.py)
FAULTY_WORTH = 0.5  # pixels of an image to be looked at for halos or blocks; chosen
NOISY_WORTH = 2.5  # levels of noise at which pixels are worth half; chosen, with the table of what stays in RESULTS
EQUAL_WORTH = 2**0.5  # times: what differs by less is worth the same; chosen

# Reasons that need no measure, by their severity.
FIXED: Mapping[str, Severity] = {
    "unreadable": "drop",
    "large": "look",
    "small": "drop",
    "duplicate": "drop",
    "near-duplicate": "drop",
    "grey": "look",
    "alpha": "look",
    "pair-missing": "drop",
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


def load_policy(like: str | None = None, thresholds: Iterable[str] = (), with_model: bool = True) -> Policy:
    """The policy of presets/curation.toml, changed by `thresholds`: REASON=NUMBER, =look, =drop or =off,
    or the same of one MEASURE of those that a reason has.

    The rules of `like` (bhi, lucid) stand in place of all others of their reasons. Raises AutocalError, also where all
    of them judge by the network of --model and there is none.
    """
    table = tomllib.loads(preset_text("curation.toml"))
    rules, unmeasured = _rules(table, table), ()
    if like is not None:
        if like not in table["like"]:
            raise AutocalError(f"--like {like} is not known.", fix=f"Known: {', '.join(table['like'])}.")
        theirs = _rules(table, table["like"][like])
        if not with_model and all(rule.measure == "model" for rule in theirs):
            bounds = "; ".join(table["like"][like]["unmeasured"])
            fix = "Give its network with --model FILE, or leave out --like."
            raise AutocalError(
                f"--like {like} changes nothing, for none of its numbers is measured here: {bounds}.", fix=fix
            )
        replaced = {rule.reason for rule in theirs}
        rules = [rule for rule in rules if rule.reason not in replaced] + theirs
        unmeasured = tuple(table["like"][like]["unmeasured"])
    policy = Policy(tuple(rules), dict(FIXED), unmeasured=unmeasured)
    for text in thresholds:
        policy = _changed(policy, text, table["like"])
    return policy


def _rules(table: Mapping[str, Any], of: Mapping[str, Any]) -> list[Rule]:
    return [
        Rule(told=table["told"][measure], range=tuple(table["range"][measure]), **entry)
        for entry in of["rule"]
        for measure in (entry["measure"],)
    ]


def _changed(policy: Policy, text: str, likes: Mapping[str, Any]) -> Policy:
    """The policy after one threshold. A bound of dropping that passes the bound of looking takes its place."""
    reason, _, value = text.partition("=")
    measured = {rule.reason for rule in policy.rules}
    meant = [rule for rule in policy.rules if reason == (rule.reason if reason in measured else rule.measure)]
    if reason not in FIXED and not meant:
        known = sorted({*FIXED, *measured})
        several = [rule.measure for rule in policy.rules if rule.measure != rule.reason]
        fix = f"Reasons: {', '.join(known)}; measures: {', '.join(several)}."
        if near := get_close_matches(reason.lower(), (*known, *several), n=1):
            fix = f"Did you mean {near[0]}?"
        for like in likes:
            if any(reason == rule["measure"] for rule in likes[like]["rule"]):
                fix = f"It is a measure of --like {like}."
        raise AutocalError(f"--threshold {text}: there is no reason {reason!r}.", fix=fix)
    levels: dict[str, Severity | None] = {"look": "look", "drop": "drop", "off": None}
    try:
        number = math.nan if value in levels else float(value)
    except ValueError:
        number = math.nan
    if reason == "small" and 1 <= number < math.inf:
        return replace(policy, least_side=int(number))
    if value not in levels and (not meant or math.isnan(number)):
        of_number = f"{reason}=NUMBER, or " if meant or reason == "small" else ""
        why = "cannot be used" if of_number or math.isnan(number) else f"sets a number, and {reason} has none"
        raise AutocalError(f"--threshold {text} {why}.", fix=f"Give {of_number}{reason}=look, drop or off.")
    if value not in levels and len(meant) > 1:
        ways = (f"{rule.measure if reason in measured else rule.reason}={value}" for rule in meant)
        raise AutocalError(f"--threshold {text} would set several bounds.", fix=f"Give {' or '.join(ways)}.")
    for least, most in (rule.range for rule in meant):
        if not (value in levels or least <= number <= most):
            lies = f"in {least:g}..{most:g}" if most < math.inf else f"at {least:g} or above"
            raise AutocalError(f"--threshold {text} lies outside of what is measured.", fix=f"{reason} lies {lies}.")

    def changed(rule: Rule) -> Rule:
        if value in levels:
            first = rule.drop if rule.look is None else rule.look
            return replace(rule, look=first if value == "look" else None, drop=first if value == "drop" else None)
        passed = rule.look is not None and (number <= rule.look if rule.when == "above" else number >= rule.look)
        return replace(rule, drop=number, look=None if passed else rule.look)

    rules = tuple(changed(rule) if rule in meant else rule for rule in policy.rules)
    level = {reason: levels[value]} if reason in policy.fixed else {}
    return replace(policy, rules=rules, fixed={**policy.fixed, **level})


MEASURES: Mapping[str, Callable[[ImageRow], float | None]] = {
    "deviation": lambda row: row.facts.deviation,
    "entropy": lambda row: row.facts.entropy,
    "blocks": lambda row: row.facts.traces.blocks * (FAINT if _is_faint(row) else 1),
    "jpeg_quality": lambda row: row.facts.traces.jpeg_quality,
    "repeated": lambda row: row.facts.traces.repeated if row.facts.traces.blocks < GRID_BLOCKS else None,
    "interpolated": lambda row: row.facts.traces.detail if row.facts.traces.rhythm >= RHYTHM else None,
    "blurred": lambda row: _softness(row.facts),
    "noise": lambda row: row.facts.traces.noise,
    "halos": lambda row: row.facts.traces.halos * (RIMMED if row.width * row.height <= SMALL_TILE else 1),
    "laplacian": lambda row: row.facts.traces.laplacian,
    "model": lambda row: row.facts.model,
}


def _is_faint(row: ImageRow) -> bool:
    return row.facts.traces.jpeg_quality is None and row.width * row.height <= TILE


def _softness(facts: ImageFacts) -> float | None:
    crisp = facts.traces.rhythm >= RHYTHM or facts.native_sharpness > CRISP
    return None if crisp else facts.traces.detail


def judge(
    rows: Sequence[ImageRow],
    failures: Sequence[FileIssue],
    same: Mapping[str, Groups],
    crop: int | None,
    policy: Policy,
    roots: Sequence[str] = ("",),
) -> Curation:
    """The verdict on each image: by its own measures first, then among those that are the `same`, for the reason by
    which these stand there: the best stays, and of those that look alike what looks like none that stays. `crop` is the
    side of the training's crop, under which an image is small.
    """
    found: dict[str, tuple[Reason, ...]] = {}
    known: dict[tuple[Reason, ...], tuple[Reason, ...]] = {}  # so that a million small images take one reason's memory

    def add(path: str, reasons: Iterable[Reason]) -> None:
        if several := (*found.get(path, ()), *reasons):
            found[path] = known.setdefault(several, several)

    def note(path: str, code: str, detail: str, passing: bool = False) -> None:
        if level := policy.fixed.get(code):
            add(path, [Reason(code, "look" if passing else level, detail)])

    for issue in failures:
        note(issue.path, issue.code, issue.reason, issue.passing)
    least = policy.least_side or crop
    grey_stands_out, pairs = _most(rows, roots)
    rules = _for_this_set(policy.rules, pairs, rows)
    for row in rows:
        facts = row.facts
        if least is not None and min(row.width, row.height) < least:
            note(facts.path, "small", f"{row.width} x {row.height}, under {least}")
        if facts.grey and grey_stands_out:
            note(facts.path, "grey", "most others are in colour")
        if facts.alpha:
            note(facts.path, "alpha", "it has transparent pixels")
        most = most_of(pairs, row)
        for code, detail in _faults(row, most):
            note(facts.path, code, detail, bool(facts.pair and facts.pair.passing))
        add(facts.path, measured_reasons(row, rules, most))

    alike: dict[str, Groups] = {}
    stays: dict[int, int] = {}  # by the first of several copies, which stands for all among those that look alike
    for code, groups in same.items():
        alike[code] = []
        for group in groups:
            places = map(stays.get, group, group)
            ranked = sorted((_rank(row := rows[place], found.get(row.facts.path, ())), place) for place in places)
            stays[group[0]] = ranked[0][1]
            hashes = np.array([rows[place].facts.perceptual_hash for _, place in ranked], dtype=np.uint64)
            kept = likenesses(hashes) if code == "near-duplicate" else [0] * len(ranked)
            stars: dict[int, list[int]] = {}
            for (rank, place), best in zip(ranked, kept, strict=True):
                if stars.setdefault(best, []):
                    note(rank[-1], code, f"{OF}{ranked[best][0][-1]}")
                stars[best].append(place)
            alike[code] += (several for several in stars.values() if len(several) > 1)
    return Curation(len(rows) + len(failures), found, rules, pairs, alike)


def _rank(row: ImageRow, reasons: Sequence[Reason]) -> tuple[int, bool, int, bool, int, float, float, str]:
    """By what an image is better than others that are the same, the best first: fewest reasons to drop, colour, what
    its pixels are worth, no lossy compression, fewest reasons, least compressed, by name.

    The finest detail of enlarged photographs falls by more than the side grows, that of reduced ones rises by less than
    it shrinks: so pixels count times its square, and the original stays beside both. They count times the entropy of
    their levels, so that a copy of few colours does not stay, and less where there is noise, which is detail too.
    """
    facts, lossy = row.facts, row.facts.loss > 0
    drops = sum(reason.severity == "drop" for reason in reasons)
    faults = sum(reason.code in ("halos", "jpeg-blocks") for reason in reasons)
    detail = SHARP if facts.traces.detail is None else min(facts.traces.detail, SHARP)
    worth = row.width * row.height * detail**2 * facts.entropy / (1 + (facts.traces.noise / NOISY_WORTH) ** 2)
    worth *= FAULTY_WORTH**faults * (LOSSY_WORTH if lossy else 1)
    steps = round(math.log(max(worth, 1e-9), EQUAL_WORTH))
    return drops, facts.grey, -steps, lossy, len(reasons), facts.loss, facts.traces.blocks, facts.path


def measured_reasons(row: ImageRow, rules: Iterable[Rule], most: PairsSummary | None = None) -> list[Reason]:
    """The reasons among the rules that hold of an image, the most severe of each code."""
    found: dict[str, Reason] = {}
    for rule in rules:
        value = value_of(rule, row, most)
        if value is None:
            continue
        bounds: dict[Severity, float | None] = {"drop": rule.drop, "look": rule.look}
        for severity, bound in bounds.items():
            if bound is not None and rule.is_beyond(value, bound):
                if rule.reason not in found or severity == "drop":
                    found[rule.reason] = Reason(rule.reason, severity, beside_bound(rule, value, bound))
                break
    return list(found.values())


def beside_bound(rule: Rule, value: float, bound: float) -> str:
    """A value in words, then the bound that it lies beyond, with as many digits as tell the two apart.

    >>> beside_bound(Rule("blurred", "blurred", "detail {:.2f}", "below", ""), 0.187, 0.19)
    'detail 0.187, under 0.19'
    """
    before, places, kind, after = _form(rule.told)
    limit, usual = _limit(bound, places, kind), places
    while (told := f"{value:.{places}{kind}}") == f"{bound:.{places}{kind}}" and places < usual + 9:
        places += 1
        limit = _limit(bound, places, kind)
    return f"{before}{told}{after}, {'over' if rule.when == 'above' else 'under'} {limit}"


@cache
def _form(told: str) -> tuple[str, int, str, str]:
    """What stands before a number, its usual digits, their kind (f, g or %), and what stands after."""
    before, digits, kind, after = re.split(r"\{:\.(\d+)(.)\}", told)
    return before, int(digits), kind, after


@cache
def _limit(bound: float, places: int, kind: str) -> str:
    limit = f"{bound:.{places + 1}{kind}}"
    return re.sub(r"\.?0+(?=%?$)", "", limit) if "." in limit else limit


def value_of(rule: Rule, row: ImageRow, most: PairsSummary | None) -> float | None:
    """A rule's measure of an image, None where it cannot judge it."""
    if rule.measure in PAIR_MEASURES:
        pair = row.facts.pair
        if pair is None or most is None or pair.agreement is None:
            return None
        return PAIR_MEASURES[rule.measure](pair, most) if _is_sure(pair) or rule.measure == "agreement" else None
    return None if rule.photographs and row.facts.traces.drawn else MEASURES[rule.measure](row)


# GT and LQ images: each pair beside the other pairs of its root, which may all be shifted or coloured alike.

SURE = 0.5  # agreement of pairs whose shift and colour mean something: other images' mostly agree less
ONE_SCALE = 0.2  # share by which a pair's scale may differ from the set's; chosen, untested
MOST_KERNELS = 0.8  # share of one kernel among the plain ones, from which another stands out; chosen, untested

PAIR_MEASURES: Mapping[str, Callable[[PairTraces, PairsSummary], float | None]] = {
    "shift": lambda pair, most: math.hypot(pair.across - most.across, pair.down - most.down),
    "drift": lambda pair, _: pair.drift,
    "colour": lambda pair, most: pair.colour - most.colour,
    "agreement": lambda pair, _: pair.agreement,
}


def _is_sure(pair: PairTraces) -> bool:
    return pair.agreement is not None and pair.agreement >= SURE


def _most(rows: Iterable[ImageRow], roots: Sequence[str]) -> tuple[bool, tuple[PairsSummary, ...]]:
    """Whether most images are in colour, and what most pairs of each root are like that has any; where no LQ image lies
    on its GT image nothing but their number is told.
    """
    images = coloured = 0
    numbers: dict[str, array[float]] = {}
    kernels: dict[str, int] = {}
    for row in rows:
        images += 1
        coloured += not row.facts.grey
        if pair := row.facts.pair:
            known = numbers.setdefault(_root_of(row.facts.path, roots), array("d"))
            if _is_sure(pair):
                kernel = kernels.setdefault(pair.kernel, len(kernels))
                known.extend((pair.scale, pair.across, pair.down, pair.colour, kernel))
    of_root = (_summary(root, np.reshape(numbers[root], (-1, 5)), list(kernels)) for root in sorted(numbers))
    return coloured > MOSTLY * images, tuple(of_root)


def _summary(root: str, pairs: npt.NDArray[np.float64], kernels: Sequence[str]) -> PairsSummary:
    """What most pairs of a root are like: those of the median's scale, by the numbers of each."""
    if not len(pairs):
        return PairsSummary(root, 0, 0.0, 0.0, 0.0, 0.0, "", 0.0)
    pairs = pairs[np.abs(pairs[:, 0] / np.median(pairs[:, 0]) - 1) <= ONE_SCALE]
    scale, across, down, colour, _ = np.median(pairs, axis=0).tolist()
    counts = Counter(kernels[int(number)] for number in pairs[:, 4])
    del counts[""]  # nothing plain
    kernel, count = counts.most_common(1)[0] if counts else ("", 0)
    if count < MOST_KERNELS * counts.total():
        kernel, count = "", 0
    return PairsSummary(root, len(pairs), scale, across, down, colour, kernel, count / max(1, len(pairs)))


def _root_of(path: str, roots: Sequence[str]) -> str:
    """The root that a path lies below, the innermost of several; no path is named after `.`."""
    below = (root for root in roots if path.startswith(root) and path[len(root) :][:1] in ("", "/", "\\"))
    return max(below, key=len, default="." if "." in roots else roots[0])


def most_of(pairs: Sequence[PairsSummary], row: ImageRow) -> PairsSummary | None:
    """What most pairs are like beside which a row's pair stands, None where it has none."""
    root = _root_of(row.facts.path, [most.root for most in pairs]) if row.facts.pair and pairs else None
    return next((most for most in pairs if most.root == root), None)


def _faults(row: ImageRow, most: PairsSummary | None) -> Iterator[tuple[str, str]]:
    """What is wrong with a pair that needs no measure."""
    pair = row.facts.pair
    if pair is None or most is None:
        return
    if not pair.lq:
        yield "pair-missing", "no LQ image has its name"
    elif pair.problem:
        yield "unreadable", f"LQ {pair.lq}: {pair.problem}"
    elif not pair.fits or (most.scale and abs(pair.scale / most.scale - 1) > ONE_SCALE):
        others = f", most x{most.scale:.3g}" if most.scale else ""
        yield "pair-size", f"GT {row.width} x {row.height}, LQ {pair.width} x {pair.height}{others}"
    if most.kernel and pair.kernel not in ("", most.kernel):
        yield "pair-kernel", f"{pair.kernel}, most {most.kernel}"


def _for_this_set(rules: Iterable[Rule], pairs: Sequence[PairsSummary], rows: Sequence[ImageRow]) -> tuple[Rule, ...]:
    """The rules, those with `deviations` no tighter than so many robust standard deviations (1.4826 times the median
    of the differences from the median) around the median of this set.
    """
    fitted = []
    for rule in rules:
        if rule.deviations is not None and any(most.count for most in pairs):
            found = (value_of(rule, row, most_of(pairs, row)) for row in rows)
            values = np.array(array("d", (value for value in found if value is not None)))
            middle = float(np.median(values))
            width = rule.deviations * 1.4826 * float(np.median(np.abs(values - middle)))
            edge = max if rule.when == "above" else min
            reach = middle + width if rule.when == "above" else middle - width
            look, drop = (None if bound is None else edge(bound, reach) for bound in (rule.look, rule.drop))
            rule = replace(rule, look=look, drop=drop)
        fitted.append(rule)
    return tuple(fitted)
