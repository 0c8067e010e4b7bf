"""The verdicts: each reason by a row that has it and one that has not, thresholds, and what a plan costs."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from autocal_cli.dataset.curation import FIXED, MEASURES, PAIR_MEASURES, RHYTHM, judge, load_policy
from autocal_cli.dataset.duplicates import near_groups
from autocal_cli.dataset.model import (
    Curation,
    FileIssue,
    ImageFacts,
    ImageRow,
    PairsSummary,
    PairTraces,
    Traces,
)
from autocal_cli.dataset.plan import plan
from autocal_cli.errors import AutocalError

GOOD = Traces(blocks=0.02, detail=0.5, noise=0.5, laplacian=1000.0)


def row(path: str, traces: Traces = GOOD, size=(400, 300), **facts) -> ImageRow:
    known = {"grey": False, "alpha": False, "deviation": 0.2, "entropy": 7.0}
    known |= {"perceptual_hash": 0, "native_sharpness": 0.1, **facts}
    return ImageRow(
        ImageFacts(path, "ab", **known, traces=traces),
        *size,
        (0.0,) * 3,
        (0.5,) * 3,
        0.5,
    )


def judged(*rows: ImageRow, crop=None, same=None, like=None, thresholds=(), failures=(), roots=("",)) -> Curation:
    return judge(rows, failures, same or {}, crop, load_policy(like, thresholds), roots)


def reasons(curation: Curation, path: str = "a") -> dict[str, str]:
    return {reason.code: reason.severity for reason in curation.reasons.get(path, ())}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, {}),
        ({"blocks": 0.2}, {"jpeg-blocks": "look"}),
        ({"blocks": 0.5}, {"jpeg-blocks": "drop"}),
        ({"detail": 0.15}, {"blurred": "drop"}),
        ({"detail": 0.25}, {"blurred": "look"}),
        ({"detail": 0.25, "rhythm": RHYTHM}, {"enlarged": "drop"}),
        ({"detail": 0.39, "rhythm": RHYTHM}, {"enlarged": "look"}),
        ({"jpeg_quality": 83.0}, {}),
        ({"jpeg_quality": 79.0}, {"jpeg-blocks": "look"}),
        ({"jpeg_quality": 50.0, "detail": 0.25}, {"jpeg-blocks": "drop", "blurred": "look"}),
        ({"repeated": 0.5, "blocks": 0.5}, {"jpeg-blocks": "drop"}),
        ({"detail": None}, {}),
        ({"repeated": 0.5}, {"enlarged": "drop"}),
        ({"repeated": 0.5, "detail": 0.1, "rhythm": 9.0}, {"enlarged": "drop"}),
        ({"noise": 5.0}, {"noise": "look"}),
        ({"noise": 9.0}, {"noise": "drop"}),
        ({"halos": 0.06}, {"halos": "look"}),
        ({"halos": 0.1}, {"halos": "drop"}),
        ({"halos": 0.1, "noise": 9.0, "blocks": 1.0, "repeated": 0.9, "detail": 0.1, "drawn": True}, {}),
    ],
)
def test_reasons_in_the_pixels(changed, found):
    assert reasons(judged(row("a", replace(GOOD, **changed)))) == found


@pytest.mark.parametrize(
    ("facts", "crop", "found"),
    [
        ({"deviation": 0.01}, None, {"flat": "drop"}),
        ({"alpha": True}, None, {"alpha": "look"}),
        ({"grey": True}, None, {"grey": "look"}),
        ({"size": (400, 127)}, 128, {"small": "drop"}),
        ({"size": (400, 128)}, 128, {}),
        ({"size": (8, 8)}, None, {}),
    ],
)
def test_reasons_of_the_whole(facts, crop, found):
    assert reasons(judged(row("a", **facts), row("b"), row("c"), crop=crop)) == found


@pytest.mark.parametrize(
    ("changed", "size", "found"),
    [
        ({"blocks": 0.34}, (256, 256), "look"),
        ({"blocks": 0.34}, (400, 300), "drop"),
        ({"blocks": 0.45}, (128, 128), "drop"),
        ({"blocks": 0.34, "jpeg_quality": 83.0}, (256, 256), "drop"),
    ],
)
def test_a_faint_grid_in_a_tile_is_looked_at(changed, size, found):
    assert reasons(judged(row("a", replace(GOOD, **changed), size=size))) == {"jpeg-blocks": found}


@pytest.mark.parametrize(
    ("halos", "size", "found"),
    [(0.1, (400, 300), "drop"), (0.1, (256, 256), "drop"), (0.1, (128, 128), "look"), (0.12, (128, 128), "drop")],
)
def test_a_few_rims_in_a_small_tile_are_looked_at(halos, size, found):
    assert reasons(judged(row("a", replace(GOOD, halos=halos), size=size))) == {"halos": found}


@pytest.mark.parametrize(
    ("detail", "sharpness", "found"),
    [(0.18, 0.36, {"blurred": "drop"}), (0.18, 0.38, {}), (0.26, 0.38, {}), (None, 0.1, {})],
)
def test_fine_stripes_are_not_blurred(detail, sharpness, found):
    assert reasons(judged(row("a", replace(GOOD, detail=detail), native_sharpness=sharpness))) == found


def test_grey_among_grey_is_no_reason():
    assert reasons(judged(row("a", grey=True), row("b", grey=True), row("c"))) == {}


def test_what_failed_is_dropped():
    curation = judged(row("a"), failures=[FileIssue("x", "truncated")])
    assert (curation.images, curation.named("drop")) == (2, ("x",))
    assert curation.reasons["x"][0].detail == "truncated"


FITS = PairTraces("lq", 2.0, across=0.01, agreement=0.98, colour=1.0, kernel="bicubic")


def paired(fault: PairTraces, *, most: PairTraces = FITS, jitter: float = 0.01) -> dict[str, str]:
    """The reasons of one pair among forty others, whose numbers differ a little."""
    others = [
        row(
            f"o{number}",
            pair=replace(most, across=most.across + jitter * (number % 5), colour=most.colour + number % 2 / 10),
        )
        for number in range(40)
    ]
    return reasons(judged(row("a", pair=fault), *others))


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, {}),
        ({"across": 0.3}, {"pair-shift": "look"}),
        ({"down": -0.5}, {"pair-shift": "drop"}),
        ({"drift": 1.2}, {"pair-stretch": "look"}),
        ({"drift": 2.0, "scale": 1.98}, {"pair-stretch": "drop"}),
        ({"colour": 9.0}, {"pair-colour": "look"}),
        ({"colour": 14.0}, {"pair-colour": "drop"}),
        ({"agreement": 0.7}, {"pair-content": "look"}),
        ({"agreement": 0.3, "across": 5.0, "drift": 9.0, "colour": 50.0}, {"pair-content": "drop"}),  # means nothing
        ({"agreement": None, "kernel": ""}, {}),
        ({"fits": False}, {"pair-size": "drop"}),
        ({"scale": 4.0}, {"pair-size": "drop"}),
        ({"kernel": "nearest"}, {"pair-kernel": "look"}),
        ({"kernel": ""}, {}),
    ],
)
def test_a_pair_that_differs_from_the_others(changed, found):
    assert paired(replace(FITS, **changed)) == found


def test_what_all_pairs_have_is_no_reason():
    most = replace(FITS, across=0.375, down=0.375, colour=12.0, kernel="nearest, upper left")
    assert paired(most, most=most) == {}
    assert set(paired(FITS, most=most)) == {"pair-shift", "pair-kernel"}


def test_among_pairs_that_scatter_a_shift_has_to_be_larger():
    assert paired(replace(FITS, across=0.6), jitter=0.01) == {"pair-shift": "drop"}
    assert paired(replace(FITS, across=0.6), jitter=0.2) == {}


def test_an_lq_image_that_cannot_be_read_drops_its_pair():
    curation = judged(row("a", pair=PairTraces("lq/a.png", problem="truncated")), row("b", pair=FITS))
    assert curation.reasons["a"][0].detail == "LQ lq/a.png: truncated"
    assert reasons(curation) == {"unreadable": "drop"}


def test_what_says_nothing_about_an_image_drops_none():
    pair = PairTraces("lq/a.png", problem="permission denied", passing=True)
    curation = judged(row("a", pair=pair), row("b"), failures=[FileIssue("x", "permission denied", passing=True)])
    assert reasons(curation) == reasons(curation, "x") == {"unreadable": "look"}


@pytest.mark.parametrize("others", [(), (row("b", pair=PairTraces("lq/b.png", 2.0, agreement=0.98)),)])
def test_an_image_without_its_lq_image_is_dropped(others):
    assert reasons(judged(row("a", pair=PairTraces("")), *others)) == {"pair-missing": "drop"}
    assert reasons(judged(row("a"), *others)) == {}  # of a folder that has none


def test_pairs_are_held_against_those_of_their_root():
    """Two roots of other scales, kernels and shifts, one below the other; in each one pair is of the other's kind."""
    four = replace(FITS, scale=4.0, across=0.375, down=0.375, kernel="box", width=100, height=75)
    kinds = [("hr", FITS), ("hr", FITS), ("hr/x4", four), ("hr/x4", four), ("hr2", four), ("hr2", four)]
    rows = [row(f"{root}/{number}.png", pair=pair) for number, (root, pair) in enumerate(kinds)]
    odd = row("hr/odd.png", pair=four), row("hr/x4/odd.png", pair=FITS)
    found = judged(*rows, *odd, roots=("hr", "hr/x4", "hr2"))
    assert [(most.root, most.count, most.scale) for most in found.pairs] == [
        ("hr", 2, 2.0), ("hr/x4", 2, 4.0), ("hr2", 2, 4.0)
    ]  # fmt: skip
    assert sorted(found.reasons) == ["hr/odd.png", "hr/x4/odd.png"]
    assert found.reasons["hr/odd.png"][0].detail == "GT 400 x 300, LQ 100 x 75, most x2"


def test_the_copy_that_stays_stands_among_those_that_look_alike():
    """Not the first by name, which has no LQ image."""
    rows = row("a", pair=PairTraces("")), row("b", pair=FITS), row("c", size=(300, 225), pair=FITS)
    found = judged(*rows, same={"duplicate": [[0, 1]], "near-duplicate": [[0, 2]]})
    assert reasons(found) == {"pair-missing": "drop", "duplicate": "drop"}
    assert (found.verdict("b"), reasons(found, "c")) == ("keep", {"near-duplicate": "drop"})


def test_pairs_of_the_folder_that_one_stands_in_are_its_own():
    four = replace(FITS, scale=4.0)
    rows = [row(path, pair=pair) for path, pair in (("../b/1.png", FITS), ("1.png", four), ("x4/2.png", four))]
    found = judged(*rows, roots=("../b", "."))
    assert [(most.root, most.count, most.scale) for most in found.pairs] == [(".", 2, 4.0), ("../b", 1, 2.0)]
    assert found.reasons == {}


def test_the_pairs_are_summed_up():
    several = [FITS, replace(FITS, across=0.03), replace(FITS, kernel=""), replace(FITS, agreement=0.1, across=9.0)]
    found = judged(*(row(str(number), pair=pair) for number, pair in enumerate(several))).pairs
    assert found == (PairsSummary("", 3, 2.0, 0.01, 0.0, 1.0, "bicubic", 2 / 3),)
    assert judged(row("a")).pairs == ()


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([row("b"), row("a")], "a"),
        ([row("a", size=(200, 150)), row("b")], "b"),  # the larger one
        ([row("a", replace(GOOD, blocks=1.0)), row("b", size=(200, 150))], "b"),  # the one without a fault
        ([row("a", replace(GOOD, blocks=0.1)), row("b")], "b"),
        ([row("a", loss=2.0), row("b", replace(GOOD, blocks=0.1), size=(230, 170))], "b"),  # the lossless one
        ([row("a", loss=2.0), row("b", size=(200, 150))], "a"),  # which is no thumbnail of the other
        ([row("a", loss=2.0, size=(481, 321)), row("b", size=(241, 161))], "a"),  # its halves rounded up
        ([row("a", loss=2.0), row("b", replace(GOOD, noise=9.0))], "a"),  # unless it is to be dropped
        ([row("a", loss=2.0, size=(200, 150)), row("b", loss=4.0)], "b"),  # of lossy ones the larger one
        ([row("a", loss=4.0), row("b", replace(GOOD, blocks=0.1), loss=2.0)], "b"),  # then the least compressed
        ([row("a", replace(GOOD, detail=0.3), size=(500, 375)), row("b")], "b"),  # of which the other is an enlargement
        ([row("a", replace(GOOD, detail=0.4)), row("b", replace(GOOD, detail=0.5), size=(200, 150))], "a"),
        ([row("a", replace(GOOD, noise=5.0)), row("b", replace(GOOD, noise=2.5), size=(200, 150))], "a"),
        ([row("a", grey=True), row("b", loss=4.0)], "b"),  # colours cannot be had from it
        ([row("a", entropy=1.0), row("b")], "b"),  # black and white dots
    ],
)
@pytest.mark.parametrize("code", ["duplicate", "near-duplicate"])
def test_of_several_that_are_the_same_the_best_is_kept(rows, kept, code):
    curation = judged(*rows, same={code: [[0, 1]]})
    (other,) = {"a", "b"} - {kept}
    assert curation.verdict(kept) != "drop"
    assert reasons(curation, other)[code] == "drop"
    assert any(reason.detail == f"of {kept}" for reason in curation.reasons[other])


def test_what_looks_like_none_that_stays_stays_too():
    """A slow pan: each frame looks like the next, the first not like the last."""
    hashes = [sum(1 << 2 * bit for bit in range(4 * frame)) for frame in range(5)]
    frames = [row(f"{i}", perceptual_hash=value, size=(400 + i, 300)) for i, value in enumerate(hashes)]
    curation = judged(*frames, same={"near-duplicate": near_groups(np.array(hashes, dtype=np.uint64))})
    assert curation.same == {"near-duplicate": [[0, 1], [2, 3]]}
    assert {path: reason.detail for path, (reason,) in curation.reasons.items()} == {"1": "of 0", "3": "of 2"}


@pytest.mark.parametrize(
    ("threshold", "found"),
    [
        ("noise=3", {"noise": "drop"}),
        ("noise=20", {"noise": "look"}),
        ("noise=look", {"noise": "look"}),
        ("noise=drop", {"noise": "drop"}),
        ("noise=off", {}),
        ("small=500", {"noise": "look", "small": "drop"}),
        ("small=off", {"noise": "look"}),
    ],
)
def test_thresholds_can_be_set(threshold, found):
    assert reasons(judged(row("a", replace(GOOD, noise=5.0)), crop=None, thresholds=[threshold])) == found


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        *(
            (text, "Give noise=NUMBER, or noise=look, drop or off")
            for text in ("noise", "noise=", "noise=l", "noise=nan")
        ),
        *((text, "Give small=NUMBER, or small=look") for text in ("small=inf", "small=-5")),
        *((text, "no reason") for text in ("glare=1", "=3")),
        ("enlarged=0.3", "Give repeated=0.3 or interpolated=0.3"),
        ("near-duplicate=0.9", "near-duplicate has none. Give near-duplicate=look, drop or off"),
        ("blured=0.1", "Did you mean blurred?"),
        ("Blurred=0.1", "Did you mean blurred?"),
        ("jpeg_qualiti=70", "Did you mean jpeg_quality?"),
        ("entropy=5", "It is a measure of --like lucid"),
        ("blurred=-1", "blurred lies in 0..1"),
        ("blurred=1e9", "blurred lies in 0..1"),
        ("jpeg_quality=400", "jpeg_quality lies in 0..100"),
        ("pair-shift=-1", "pair-shift lies at 0 or above"),
    ],
)
def test_thresholds_that_are_none_are_refused(threshold, said):
    with pytest.raises(AutocalError) as raised:
        load_policy(None, [threshold])
    assert threshold in raised.value.message
    assert said in str(raised.value)


def test_a_threshold_of_nothing_is_told_what_there_is():
    with pytest.raises(AutocalError) as raised:
        load_policy(None, ["jpeg=70"])
    assert {"jpeg-blocks", "blocks", "jpeg_quality"} <= set(re.findall(r"[\w-]+", raised.value.fix or ""))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"jpeg_quality": 50.0}, "JPEG quality about 50, under 60"),
        ({"halos": 0.107}, "rims along 11% of steep edges, over 9%"),
        ({"halos": 0.0901}, "rims along 9.01% of steep edges, over 9%"),
        ({"detail": 0.187}, "detail 0.187, under 0.19"),
        ({"detail": 0.1}, "detail 0.10, under 0.19"),
        ({"blocks": 0.2804}, "steps of 0.2804 levels at the grid, over 0.28"),
        ({"noise": 4.0}, "noise of 4.0 levels, over 3"),
    ],
)
def test_the_number_behind_a_reason_is_told_with_its_unit_beside_its_bound(changed, told):
    (reason,) = judged(row("a", replace(GOOD, **changed))).reasons["a"]
    assert reason.detail == told


def test_of_several_measures_of_a_reason_one_is_named():
    strict = judged(row("a", replace(GOOD, jpeg_quality=83.0)), thresholds=["jpeg_quality=90", "interpolated=off"])
    assert reasons(strict) == {"jpeg-blocks": "drop"}
    with pytest.raises(AutocalError, match="several bounds") as refused:
        load_policy(None, ["jpeg-blocks=3"])
    assert refused.value.fix == "Give blocks=3 or jpeg_quality=3."
    with pytest.raises(AutocalError, match="several bounds") as refused:
        load_policy("lucid", ["laplacian=90"])
    assert refused.value.fix == "Give blurred=90 or noise=90."


@pytest.mark.parametrize(
    ("changed", "entropy", "found"),
    [
        ({}, 7.0, {}),
        ({}, 5.0, {"flat": "drop"}),
        ({"laplacian": 79.0}, 7.0, {"blurred": "drop"}),
        ({"laplacian": 10_001.0}, 7.0, {"noise": "drop"}),
        ({"detail": 0.1}, 7.0, {}),  # their bound stands in place of ours
        ({"blocks": 0.5}, 7.0, {"jpeg-blocks": "drop"}),  # where they have none that is measured here, ours stays
    ],
)
def test_like_lucid_takes_its_numbers(changed, entropy, found):
    assert reasons(judged(row("a", replace(GOOD, **changed), entropy=entropy), like="lucid")) == found


@pytest.mark.parametrize("like", ["bhi", "lucid"])
def test_what_is_not_measured_is_said(like):
    assert any("IC9600" in bound for bound in load_policy(like).unmeasured)


def test_an_unknown_community_is_refused():
    with pytest.raises(AutocalError, match="bhi, lucid"):
        load_policy("theirs")


def test_every_rule_has_a_measure_a_source_and_bounds_in_order():
    rules = [*load_policy().rules, *load_policy("lucid").rules]
    for rule in rules:
        assert rule.measure in {*MEASURES, *PAIR_MEASURES}
        assert rule.source
        assert rule.reason not in FIXED
        if rule.look is not None and rule.drop is not None:
            assert (rule.look < rule.drop) == (rule.when == "above")


def test_a_plan_counts_what_each_reason_costs():
    rows = [
        row("a", replace(GOOD, noise=9.0)),
        row("b", replace(GOOD, noise=9.0, blocks=0.5)),
        row("c"),
        row("d", replace(GOOD, noise=5.0)),
    ]
    curation = judged(*rows)
    noise, blocks = plan(curation, rows)
    assert (noise.reason, noise.drop, noise.look, noise.alone) == ("noise", 2, 1, 1)
    assert (blocks.reason, blocks.drop, blocks.look, blocks.alone) == ("jpeg-blocks", 1, 0, 0)
    (curve,) = noise.curves
    assert dict(curve.points)[curve.bound] == 2
    assert dict(curve.points)[curve.bound / 2] == 3
    assert all(looser >= tighter for (_, looser), (_, tighter) in pairwise(curve.points))


def test_a_plan_counts_a_reason_with_two_measures_as_a_whole_at_the_bounds_of_each():
    rows = [
        row("a", replace(GOOD, repeated=0.5)),
        row("b", replace(GOOD, detail=0.25, rhythm=RHYTHM)),
        row("c", replace(GOOD, detail=0.15, rhythm=RHYTHM)),
        row("d"),
    ]
    (enlarged,) = plan(judged(*rows), rows)
    found = {curve.measure: (curve.bound, dict(curve.points)) for curve in enlarged.curves}
    assert list(found) == ["repeated", "interpolated"]  # as --threshold takes them
    bound, counts = found["repeated"]
    assert (enlarged.drop, counts[bound], counts[2 * bound]) == (3, 3, 2)
    bound, counts = found["interpolated"]
    assert (counts[bound], counts[bound / 2], counts[bound / 4]) == (3, 2, 1)


def test_a_plan_shows_the_bound_that_was_given():
    rows = [row("a", replace(GOOD, blocks=0.2, jpeg_quality=50.0)), row("b", replace(GOOD, blocks=0.15))]
    (blocky,) = plan(judged(*rows, thresholds=["blocks=0.1"]), rows)
    assert [(curve.measure, curve.bound) for curve in blocky.curves] == [("blocks", 0.1), ("jpeg_quality", 60.0)]
    assert dict(blocky.curves[0].points)[0.1] == 2


def test_a_plan_ends_where_a_measure_does():
    rows = [row("a", replace(GOOD, jpeg_quality=50.0)), row("b", replace(GOOD, jpeg_quality=70.0))]
    for thresholds, ends in (((), (90, 2)), (["jpeg_quality=100"], (100, 2))):
        (blocks,) = plan(judged(*rows, thresholds=thresholds), rows)
        assert blocks.curves[-1].points[-1] == ends


def test_reasons_are_in_order_of_what_they_drop():
    rows = [row("a", alpha=True), row("b", alpha=True), row("c", replace(GOOD, noise=9.0)), row("d")]
    assert list(judged(*rows).by_reason()) == ["noise", "alpha"]
