"""A scanned dataset in the terminal, as JSON and as a table."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from dataset_reports import COSTS, CURATION, FLAT, HEALTH, NASTY, NONE, fingerprint, rendered, report

from autocal_cli.dataset.model import (
    CSV_COLUMNS,
    METRIC_NAMES,
    OVERALL,
    Curation,
    FileIssue,
    Reason,
)
from autocal_cli.dataset.plan import Cost, Curve
from autocal_cli.errors import listed
from autocal_cli.report.console import shows_blocks
from autocal_cli.report.dataset import (
    dataset_csv,
    dataset_view,
    health_lines,
    plan_view,
    share,
    short_name,
    sparkline,
    where,
)
from autocal_cli.report.dataset_html import dataset_page
from autocal_cli.report.json import dataset_json, dump, json_text


def test_the_table_accounts_for_every_file():
    text = rendered(*dataset_view(report(failed=25)))
    assert "texture variance    0.500  0.450 to 0.550  0.10    0.50  0.90   ▁▂▃▄▅▆▇██" in text
    assert "overall complexity  0.500  0.450 to 0.550                       ▁▂▃▄▅▆▇██" in text
    assert "native sharpness    0.125  0.120 to 0.130  0.06    0.12  0.25   ▁▂▃▄▅▆▇██" in text
    assert "native sharpness: share of edges in unscaled crops of 64; bars end at 0.5" in text
    counted = "400 of 1,025 images read, 25 failed; 3 other files skipped (1 hidden file, 2 not an image (.txt))"
    assert counted in text
    assert "failed: hr/0\\n.png: truncated" in text
    assert text.count("failed: hr/") == 20
    assert "... and 5 more failed" in text


def test_verbose_tells_every_name_that_the_short_form_counts():
    short = rendered(*dataset_view(report(failed=25))).splitlines()
    assert short[-1].startswith("Not every name stands here: --verbose, --csv and --json have all")
    lines = rendered(*dataset_view(report(failed=25), verbose=True), width=60).splitlines()
    assert short[-1] not in lines
    at = lines.index("small: 5 to drop (1%)")
    assert lines[at + 1 : at + 7] == [*(f"  {i}.png: 99 x 99, under 128" for i in range(5)), ""]
    assert "  a.png = b.png = c.png = d.png = e.png" in lines
    assert sum(line.startswith("failed: ") for line in lines) == 25


def test_images_to_drop_and_to_look_at_are_named_apart():
    blocks = [Reason("jpeg-blocks", *said) for said in (("drop", "steps of 0.34"), ("look", "steps of 0.20"))]
    told = replace(report(), curation=Curation(100, {f"hr/{i}.png": (blocks[i > 0],) for i in range(5)}, ()))
    lines = [line.rstrip() for line in rendered(*dataset_view(told)).splitlines()]
    at = lines.index("jpeg-blocks  1 to drop (1%): 0.png")
    assert lines[at + 1] == "             4 to look at (4%): 1.png, 2.png, 3.png and 1 more"
    lines = rendered(*dataset_view(told, verbose=True)).splitlines()
    at = lines.index("jpeg-blocks: 1 to drop (1%)")
    assert lines[at + 1 : at + 5] == [
        "  0.png: steps of 0.34", "", "jpeg-blocks: 4 to look at (4%)", "  1.png: steps of 0.20",
    ]  # fmt: skip
    page = dataset_page(told)
    assert ">0.png</textarea>" in page
    assert ">1.png\n2.png\n3.png\n4.png</textarea>" in page


def test_of_equal_images_the_one_that_stays_is_told():
    reasons = {f"hr/{name}.png": (Reason("duplicate", "drop", "of hr/c.png"),) for name in "abde"}
    told = replace(report(), curation=Curation(400, {**reasons, "hr/f.png": (FLAT,)}, ()))
    text = rendered(*dataset_view(told, verbose=True), width=200)
    assert "2 groups, 5 more than one of each: c.png (stays) = a.png = b.png (5 in all), f.png = g.png" in text
    assert "  a.png: of c.png" in text
    assert ">c.png (stays)\na.png\nb.png\nd.png\ne.png\n\nf.png\ng.png<" in dataset_page(told)


def test_a_sample_says_what_it_left_unjudged_in_every_form():
    unjudged = "600 of 1,000, since the sample of 400 tells every mean to +-0.050; --all judges every one"
    text = rendered(*dataset_view(report()), width=200)
    assert f"not judged  {unjudged}" in text
    assert text.rstrip().endswith("--verbose, --csv and --json have all 400 judged.")
    assert f"Not judged: {unjudged}." in dataset_page(report())
    assert dataset_json(report())["curation"]["not_judged"] == {"images": 600, "why": unjudged}
    whole = replace(report(), fingerprint=replace(fingerprint(), found=400))
    assert "not judged" not in rendered(*dataset_view(whole))
    assert "Not judged" not in dataset_page(whole)
    assert dataset_json(whole)["curation"]["not_judged"] == {"images": 0, "why": None}


def test_what_was_left_out_and_lq_images_that_failed_are_counted_apart():
    large = FileIssue("hr/big.png", "too large: 20000 x 16000", code="large")
    lq = Reason("unreadable", "drop", "LQ lq/a.png: truncated")
    told = replace(report(1), curation=Curation(402, {"hr/a.png": (lq,)}, ()))
    told = replace(told, fingerprint=replace(told.fingerprint, failures=(*told.fingerprint.failures, large)))
    text = rendered(*dataset_view(told))
    assert "400 of 1,001 images read, 1 failed, 1 left out for its size, 1 LQ image failed" in text
    assert "left out: hr/big.png: too large" in text
    assert "failed: hr/a.png: LQ lq/a.png: truncated" in text
    every_name = rendered(*dataset_view(told, verbose=True))
    assert every_name.count("a.png: LQ lq/a.png: truncated") == 1
    assert "left out: hr/big.png: too large" in every_name
    images = dataset_json(told)["images"]
    assert (images["failed"], images["lq_failed"]) == (2, 1)


def test_the_page_has_every_copy_of_a_group():
    assert ">a.png\nb.png\nc.png\nd.png\ne.png\n\nf.png\ng.png<" in dataset_page(report())


def test_where_every_name_is_told_nothing_is_said_of_more():
    few = replace(report(), curation=replace(CURATION, reasons={}), health=replace(HEALTH, exact_duplicates=NONE))
    assert "--verbose" not in rendered(*dataset_view(few))


def test_health_and_extremes_are_told_by_name():
    whole = replace(report(), fingerprint=replace(fingerprint(), found=400))
    lines = [line.rstrip() for line in rendered(*dataset_view(whole)).splitlines()]
    assert "size     10 x 20 to 500 x 600, median 30 x 40" in lines
    assert "small    5 to drop (1%): 0.png, 1.png, 2.png and 2 more" in lines
    assert 'flat     1 to drop (under 1%): <b>&"\\n\\x1b[31m.png' in lines
    assert 'grey     1 to look at (under 1%): <b>&"\\n\\x1b[31m.png' in lines
    groups = "a.png = b.png = c.png (5 in all), f.png = g.png"
    assert f"copies   2 groups, 5 more than one of each: {groups}" in lines
    assert "verdict  keep 394, look at 0, drop 6" in lines
    assert any(line.startswith('texture variance    lowest   <b>&"\\n\\x1b[31m.png 0.75, ') for line in lines)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_nothing_is_cut_off_in_a_narrow_terminal(width):
    lines = rendered(*dataset_view(report()), width=width).splitlines()
    assert max(len(line) for line in lines if "skipped" not in line) <= width
    assert not any("…" in line for line in lines)


def test_at_40_columns_every_score_stands_whole_beside_its_name():
    lines = rendered(*dataset_view(report()), width=40).splitlines()
    assert lines[1] == "texture variance   0.500  0.450 to 0.550"
    assert "…" not in "".join(lines[: lines.index("")])


@pytest.mark.parametrize(("width", "drawn"), [(62, False), (72, False), (80, True), (100, True)])
def test_the_histograms_go_before_a_number_is_cut_short(width, drawn):
    head, *rows = rendered(*dataset_view(report()), width=width).splitlines()
    assert ("0 to 1" in head) is drawn
    assert "0.500  0.450 to 0.550  0.10    0.50  0.90" in rows[0]


def test_a_terminal_without_blocks_gets_ascii():
    assert rendered(*dataset_view(report(), blocks=False)).isascii()


@pytest.mark.parametrize(
    ("encoding", "able"),
    [("utf-8", True), ("ascii", False), ("cp1252", False), ("cp437", False), ("gb18030", False), ("UTF8", True)],
)
def test_blocks_are_shown_where_the_terminal_reads_utf8(monkeypatch, encoding, able):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert shows_blocks() is able


@pytest.mark.parametrize(
    ("counts", "width", "blocks", "line"),
    [
        ([0] * 20, 10, True, " " * 10),
        ([1] * 20, 10, True, "█" * 10),
        ([0, 1, 4, 8], 4, True, " ▁▄█"),
        ([1, 0, 0, 999], 4, True, "▁  █"),  # a single image is seen beside many
        ([0, 1, 4, 8], 4, False, " .=%"),
        ([3, 5, 0, 16], 2, True, "▄█"),
    ],
)
def test_sparklines(counts, width, blocks, line):
    assert sparkline(counts, width, blocks) == line


@pytest.mark.parametrize(
    ("path", "roots", "shown"),
    [
        ("hr/a/1.png", ["hr"], "a/1.png"),
        ("hr/1.png", ["hr/"], "1.png"),
        ("hr\\1.png", ["hr"], "1.png"),
        ("hr2/1.png", ["hr"], "hr2/1.png"),
        ("hr/1.png", ["hr", "lr"], "hr/1.png"),
        ("hr.png", ["hr.png"], "hr.png"),
        ("/1.png", ["/"], "/1.png"),
    ],
)
def test_names_are_short_where_one_root_is_known(path, roots, shown):
    assert short_name(path, roots) == shown


@pytest.mark.parametrize(
    ("count", "of", "said"), [(0, 3, "0%"), (3, 3, "100%"), (1, 3, "33%"), (1, 999, "under 1%"), (998, 999, "over 99%")]
)
def test_shares_never_round_to_none_or_all(count, of, said):
    assert share(count, of) == said


def test_names_end_with_how_many_more():
    assert listed(["a", "b"], 3) == "a, b"
    assert listed(range(2_000), 2) == "0, 1 and 1,998 more"
    assert listed("abc", 2, "; ") == "a; b; and 1 more"


def test_one_size_is_told_once():
    same = replace(HEALTH, smallest=HEALTH.median, largest=HEALTH.median)
    assert health_lines(replace(report(), health=same))[0].text == "all 30 x 40"


def test_the_device_is_told_with_the_reason_where_it_was_chosen():
    assert where(fingerprint()) == "cpu"
    assert where(replace(fingerprint(), device_reason="no accelerator here")) == "cpu (no accelerator here)"


def test_a_plan_tells_each_reason_and_that_nothing_was_written():
    lines = [line.rstrip() for line in rendered(*plan_view(report(), COSTS)).splitlines()]
    assert lines[1:3] == ["flat          0     1               1", "grey          1     0               0"]
    assert lines[5:7] == ["deviation  0.01: 0  (0.02: 1)", "entropy    (5.2: 1)  7.8: 3"]
    assert lines[-1] == "keep 394, look at 0, drop 6 of 400; nothing was written"
    without = rendered(*plan_view(report(), [replace(one, curves=()) for one in COSTS]))
    assert "bounds" not in without


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_bound_and_its_count_stay_together(width):
    points = tuple((12.5 * step, 1000 * step) for step in range(1, 9))
    text = rendered(*plan_view(report(), [Cost("noise", 0, 1, 1, (Curve("noise", 50.0, points),))]), width=width)
    told = [f"{bound:g}: {count:,}" for bound, count in points]
    assert all((f"({one})" if one.startswith("50:") else one) in text for one in told)


def test_json_keeps_its_keys():
    text = dump(dataset_json(report(failed=1)))
    told = json.loads(text)
    assert text == json_text(told)
    assert list(told) == [
        "format_version",
        "images", "roots", "skipped", "failures", "metrics", "overall_complexity", "overall_ci95", "identity",
        "metric_version", "device", "seconds", "device_reason", "crops", "model", "sharpness", "histograms",
        "health", "variety", "extremes", "model_scores", "curation", "findings",
    ]  # fmt: skip
    assert list(told["health"]) == [
        "images", "smallest", "median", "largest", "crop", "exact_duplicates", "near_duplicates",
    ]  # fmt: skip
    assert list(told["curation"]) == [
        "images", "not_judged", "drop", "look", "keep", "pairs", "reasons", "verdicts",
    ]  # fmt: skip
    assert told["images"] == {"found": 1001, "read": 400, "skipped": 3, "failed": 1, "lq_failed": 0}
    assert list(told["metrics"]) == list(METRIC_NAMES)
    for metric in told["metrics"].values():
        assert list(metric) == ["score", "ci95", "p5", "median", "p95", "raw_mean"]
    assert told["crops"] is None
    assert told["sharpness"] == {
        "crop": 64, "mean": 0.125, "ci95": [0.12, 0.13], "p5": 0.0625, "median": 0.1234, "p95": 0.25,
        "histogram": [0, 0, *range(1, 19)],
    }  # fmt: skip
    assert told["failures"] == [{"path": "hr/0\n.png", "reason": "truncated", "passing": False, "code": "unreadable"}]
    assert told["health"]["near_duplicates"] == {"groups": []}
    small = {"drop": {"paths": [f"hr/{i}.png" for i in range(5)]}, "look": {"paths": []}}
    assert told["curation"]["reasons"]["small"] == small
    assert told["curation"]["verdicts"][-1] == {
        "path": NASTY, "verdict": "drop",
        "reasons": [
            {"code": "flat", "severity": "drop", "detail": "deviation 0.01"},
            {"code": "grey", "severity": "look", "detail": "most are in colour"},
        ],
    }  # fmt: skip
    assert told["extremes"][OVERALL]["lowest"][0] == {"path": NASTY, "raw": 0.25, "score": 0.75}
    assert len(told["histograms"]["edge_density"]) == 20


def test_the_csv_has_a_row_for_each_image_read_or_not():
    text = "".join(dataset_csv(report(failed=1)))
    assert text.startswith(",".join(CSV_COLUMNS) + "\n")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["path"] for row in rows] == ["hr/0\n.png", NASTY]
    assert rows[0] == {
        **dict.fromkeys(CSV_COLUMNS, ""),
        "path": "hr/0\n.png",
        "status": "failed",
        "reason": "truncated",
        "verdict": "keep",  # a report as a scan makes it drops it; this one was not judged
    }
    assert rows[1] == {
        "path": NASTY, "status": "read", "reason": "", "verdict": "drop", "reasons": "flat grey",
        "drop_reasons": "flat",
        "width": "10", "height": "20",
        "texture_variance_raw": "0.5", "edge_density_raw": "0.25", "color_variation_raw": "99.0",
        "texture_variance": "0.5", "edge_density": "0.4", "color_variation": "0.3", "overall_complexity": "0.38",
        "native_sharpness": "0.0625", "grey": "true", "alpha": "false", "deviation": "0.125",
        "entropy": "7.5", "blocks": "0.5", "detail": "", "repeated": "0.25", "rhythm": "2.0", "noise": "1.5",
        "halos": "0.0", "laplacian": "99.0", "drawn": "true", "jpeg_quality": "",
        "perceptual_hash": "00000000000000ff",
        "sha256": "ab" * 32,
        "model": "", "red": "0.0", "green": "0.0", "blue": "0.0", **dict.fromkeys(CSV_COLUMNS[-10:], ""),
    }  # fmt: skip
