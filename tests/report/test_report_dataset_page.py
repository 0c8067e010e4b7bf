"""The page of a scanned dataset: whole, below its size, and nothing in a name gets into it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from dataset_reports import COSTS, HEALTH, NASTY, fingerprint, rendered, report

from autocal_cli.dataset.curation import FIXED, load_policy
from autocal_cli.dataset.model import (
    Curation,
    DatasetReport,
    Duplicates,
    Example,
    Extreme,
    Extremes,
    Named,
    Reason,
    TrainingCrops,
)
from autocal_cli.dataset.plan import Cost, Curve
from autocal_cli.errors import Finding
from autocal_cli.report.dataset import (
    dataset_view,
    plan_view,
)
from autocal_cli.report.dataset_html import dataset_page
from autocal_cli.report.json import dataset_json


class Page(HTMLParser):
    """Checks that every element that is opened is closed in turn, and gathers what is loaded."""

    VOID = ("meta", "img", "br", "rect", "line", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag, _attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page_of(told: DatasetReport) -> str:
    return dataset_page(told, COSTS, [Finding("trainer-alpha", "warning", NASTY, "Mend <it>.")], "2026-11-27 10:00")


@pytest.mark.parametrize(
    ("bound", "told"), [(0.0475, "0.0475"), (0.1425, "0.1425"), (120.0, "120"), (12500.0, "12500")]
)
def test_bounds_are_told_without_powers_of_ten(bound, told):
    costs = [Cost("flat", 0, 1, 1, (Curve("deviation", 0.03, ((0.03, 0), (bound, 1))),))]
    assert f'">{told}</text>' in dataset_page(report(), costs, [], "2026-11-27 10:00")
    assert f"  {told}: 1" in rendered(*plan_view(report(), costs))


def test_the_page_is_whole_and_loads_nothing():
    text = page_of(report(failed=2))
    page = Page(text)
    assert page.tags.count("svg") == 5 + 2  # histograms, and the curves of the one measured reason
    assert page.tags.count("img") == 40 + 1
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert not re.search(r"url\(|@import|https?:|\bsrc=(?!\"data:)", text)
    assert "prefers-color-scheme: dark" in text
    assert "&lt;b&gt;&amp;&#34;\\n\\x1b[31m.png" in text
    assert "<b>&" not in text
    assert "<it>" not in text
    for said in (
        "400 of 1,002 images read, 2 failed",
        "0.450 to 0.550",
        "2026-11-27 10:00",
        "1 to drop, 1 for this alone",
    ):
        assert said in text


def test_a_name_under_a_picture_breaks_between_folders():
    told = replace(report(), examples={"flat": (Example("hr/a/<b>.png", "deviation 0.01", b"jpeg"),)})
    assert "<a>a/<wbr>&lt;b&gt;.png</a>" in page_of(told)


def test_the_page_begins_with_what_to_do():
    text = page_of(report())
    first = [text.index(f"<h2>{title}</h2>") for title in ("What to do", "Images", "Complexity", "Sizes and copies")]
    assert first == sorted(first)
    assert text.index('id="reason-small"') < text.index('id="reason-flat"') < text.index('id="reason-grey"')
    assert "0.png\n1.png\n2.png\n3.png\n4.png</textarea>" in text


def test_crops_are_counted_beside_their_images():
    crops = replace(fingerprint(), crops=TrainingCrops(640, 64))
    told = replace(report(), fingerprint=crops)
    assert "640 crops of 64 x 64 from 400 of 1,000 images read, 0 failed" in rendered(*dataset_view(told))
    assert "that of the mean over all crops that could be drawn" in page_of(told)
    assert dataset_json(told)["crops"] == {"count": 640, "side": 64}


def test_the_histogram_of_sharpness_ends_at_half():
    page = page_of(report())
    assert '<text x="300" y="98" text-anchor="end">0.5</text>' in page
    assert "<title>0.475 to 0.500: 18</title>" in page
    assert '<line class="mean" x1="75.0"' in page  # 0.125 of 0.5


def test_pictures_of_one_reason_take_the_room_that_others_leave():
    reasons = {f"{i}.png": (Reason("noise", "drop", ""), Reason("flat", "drop", "")) for i in range(6)}
    large, small = (tuple(Example(f"{i}.png", "", bytes(size)) for i in range(6)) for size in (40_000, 10))
    told = replace(report(), curation=Curation(9, reasons, ()), examples={"noise": large, "flat": small})
    assert Page(page_of(told)).tags.count("img") == 40 + 12


def test_a_long_account_of_the_files_is_cut_at_its_end():
    dataset = replace(fingerprint(), skipped={f"not an image (.{number})": 1 for number in range(999)})
    page = page_of(replace(report(), fingerprint=dataset))
    assert "<p>400 of 1,000 images read, 0 failed; 999 other files skipped" in page


@pytest.mark.parametrize("name", ["&" * 3_000, "ü" * 200, "short"])
def test_the_page_stays_below_two_megabytes_at_the_worst(name):
    many, long = report(failed=3_000), f"hr/{name}"
    codes = [*FIXED, *{rule.reason for rule in load_policy().rules}]
    reasons = {f"{long}{i}": tuple(Reason(code, "drop", "x" * 300) for code in codes) for i in range(9_000)}
    loud = Extreme(long, 0.0, 0.0, bytes(12_000))  # noise at 128 pixels
    cut = Example(long, long, bytes(10_000))  # noise at 176 x 132
    groups = Duplicates(tuple(Named((long,) * 100) for _ in range(1_000)))
    worst = replace(
        many,
        health=replace(HEALTH, exact_duplicates=groups, near_duplicates=groups),
        curation=Curation(9_999, reasons, load_policy().rules),
        extremes=dict.fromkeys(many.extremes, Extremes((loud,) * 5, (loud,) * 5)),
        examples=dict.fromkeys(codes[:8], (cut,) * 6),
    )
    text = page_of(worst)
    assert len(text.encode()) < 2_000_000
    assert "--csv has all" in text
    assert "--csv lists all" in text
