"""A scan's report as a scan makes it, with a name that would break a page, a table or a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from autocal_cli.dataset.curation import load_policy
from autocal_cli.dataset.model import (
    METRIC_NAMES,
    OVERALL,
    Curation,
    DatasetFingerprint,
    DatasetReport,
    Duplicates,
    Example,
    Extreme,
    Extremes,
    FileIssue,
    Health,
    ImageFacts,
    ImageRow,
    MetricSummary,
    Named,
    NativeSharpness,
    Reason,
    SizedImage,
    Traces,
    Variety,
)
from autocal_cli.dataset.plan import Cost, Curve

NASTY = 'hr/<b>&"\n\x1b[31m.png'


def fingerprint(failed: int = 0) -> DatasetFingerprint:
    return DatasetFingerprint(
        roots=("hr",),
        found=1_000 + failed,
        read=400,
        skipped={"hidden file": 1, "not an image (.txt)": 2},
        failures=tuple(FileIssue(f"hr/{index}\n.png", "truncated") for index in range(failed)),
        metrics=dict.fromkeys(METRIC_NAMES, MetricSummary(0.5, (0.45, 0.55), 0.1, 0.5, 0.9, 0.123456)),
        overall_complexity=0.5,
        overall_ci95=(0.45, 0.55),
        identity="0" * 64,
        metric_version=1,
        device="cpu",
        seconds=1.25,
    )


HEALTH = Health(
    images=400,
    smallest=SizedImage("hr/s.png", 10, 20),
    median=SizedImage("hr/m.png", 30, 40),
    largest=SizedImage("hr/l.png", 500, 600),
    crop=128,
    exact_duplicates=Duplicates((Named(tuple(f"hr/{i}.png" for i in "abcde")), Named(("hr/f.png", "hr/g.png")))),
    near_duplicates=Duplicates(()),
)
FLAT, SMALL, GREY = (
    Reason(*said)
    for said in (
        ("flat", "drop", "deviation 0.01"),
        ("small", "drop", "99 x 99, under 128"),
        ("grey", "look", "most are in colour"),
    )
)
NONE = Duplicates(())
DEVIATION = Curve("deviation", 0.02, ((0.01, 0), (0.02, 1)))
COSTS = [Cost("flat", 0, 1, 1, (DEVIATION, Curve("entropy", 5.2, ((5.2, 1), (7.8, 3))))), Cost("grey", 1, 0, 0)]
CURATION = Curation(400, {NASTY: (FLAT, GREY), **{f"hr/{i}.png": (SMALL,) for i in range(5)}}, load_policy().rules)
SHARPNESS = NativeSharpness(64, 0.125, (0.12, 0.13), 0.0625, 0.1234, 0.25, (0, 0, *range(1, 19)))
ONE = Extreme(NASTY, 0.25, 0.75, b"\xff\xd8jpeg")
TRACES = Traces(0.5, None, 0.25, 2.0, 1.5, 0.0, 99.0, True)
ROW = ImageRow(
    ImageFacts(NASTY, "ab" * 32, True, False, 0.125, 7.5, 255, 0.0625, TRACES),
    *(10, 20, (0.5, 0.25, 99.0), (0.5, 0.4, 0.3), 0.38),
)


def report(failed: int = 0) -> DatasetReport:
    names = (*METRIC_NAMES, OVERALL)
    return DatasetReport(
        fingerprint=fingerprint(failed),
        health=HEALTH,
        curation=CURATION,
        variety=Variety(140, 61.2, 0.41),
        sharpness=SHARPNESS,
        histograms=dict.fromkeys(names, (0, 0, *range(1, 19))),
        extremes=dict.fromkeys(names, Extremes((ONE,) * 5, (ONE,) * 5)),
        rows=(ROW,),
        examples={"flat": (Example(NASTY, "deviation 0.01", b"\xff\xd8jpeg"),)},
    )


def rendered(*views, width=100):
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        for view in views:
            console.print(view, markup=False, soft_wrap=isinstance(view, Text))
    return capture.get()
