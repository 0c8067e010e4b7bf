"""What a person and a program read."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from autocal_cli.calibration.model import Parameter, Step
from autocal_cli.calibration.presets import load_presets
from autocal_cli.commands.options import complain
from autocal_cli.config.files import ConfigFile, parse_document
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.errors import Finding, Place
from autocal_cli.network.model import NetworkFingerprint, Passed
from autocal_cli.probing.model import LossProbe, ProbeFingerprint, Unmeasured
from autocal_cli.report.calibration import (
    calibration_view,
    explanation_view,
    findings_view,
    number,
    outcome_view,
    probe_view,
    trail,
    trail_view,
    unknown_view,
)
from autocal_cli.report.comparison import unified_diff
from autocal_cli.report.console import between_words, one_line, show
from autocal_cli.report.json import calibration_json, dump, plain
from autocal_cli.workflow.calibrate import resolve
from autocal_cli.workflow.config_file import BlockFile

NANO = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10_595, 26_822.0, "built-in")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(5.0, "5"), (50, "50"), (1e-6, "1e-06"), (0.015, "0.015"), (0.87387, "0.87387"), (100000.0, "100000")],
)
def test_numbers_are_short(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("a\nb\r", "a\\nb\\r"), ("\x1b[31mred", "\\x1b[31mred"), ("naïve 🧠", "naïve 🧠"), ("", "")],
)
def test_a_message_stays_on_its_line_and_drives_no_terminal(text, shown):
    assert one_line(text) == shown


def rendered(*views, width=100):
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        for view in views:
            console.print(view, markup=False, soft_wrap=isinstance(view, Text))
    return capture.get()


def calibration(block="", network=NANO):
    text = f"scale: 2\nnetwork_g: {{type: paragonsr2_nano}}\ntrain:\n  total_iter: 40000\n{block}"
    document = parse_document(text.encode(), "train.yml")
    config = ConfigFile(document, recognise_trainer(document))
    return resolve(BlockFile(config, config, "block"), config.training, network, None, load_presets(), {})[1]


def test_a_builder_that_merely_lacks_the_type_is_not_named():
    passed = (Passed("built-in", "has no span"), Passed("neosr", "could not build span: no CUDA", failed=True))
    network = NetworkFingerprint("span", parameters=2_236_728, builder="spandrel", passed=passed)
    told = " ".join(rendered(calibration_view(calibration(network=network))).split())
    assert "measured by spandrel; neosr could not build span: no CUDA" in told


BY_HAND = "  dynamic_loss_scheduling: {momentum: 0.8, max_weight: 5.0}\n"


def test_the_summary_shows_what_was_chosen_and_by_what():
    table = rendered(calibration_view(calibration(BY_HAND))).split("\n\n")[1]
    rows = {line.split()[0]: line.split() for line in table.splitlines()}
    assert rows["parameter"] == ["parameter", "value", "because"]
    assert rows["momentum"] == ["momentum", "0.8", "by", "hand;", "calibrated", "0.85"]
    assert rows["max_weight"] == ["max_weight", "5", "by", "hand"]
    assert rows["adaptation_rate"] == ["adaptation_rate", "0.015", "nano"]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_nothing_is_cut_off_in_a_narrow_terminal(width):
    made = calibration()
    views = [explanation_view(made), *(trail_view(made, name) for name in made.parameters)]
    lines = rendered(*views, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    heading = list(itertools.takewhile(str.strip, lines))
    assert {line[:9].strip() for line in heading} == {"network", "", "dataset"}  # what wraps stays beside its word
    words = " ".join(" ".join(lines).split())
    assert "not measured: neutral, as ordinary photographs have it" in words
    steps = [step for parameter in made.parameters.values() for step in parameter.trail]
    assert [step for step in steps if " ".join(one_line(step.reason).split()) not in words] == []
    assert [step for step in steps if " ".join(one_line(step.source).split()) not in words] == []


@pytest.mark.parametrize("forced", [False, True])
def test_numbers_that_rest_on_nothing_are_said_to(forced):
    made = calibration(network=NetworkFingerprint("nobody_knows", scale=2))
    told = rendered(unknown_view(made, forced))
    assert told.startswith("Nothing is known of the network and nothing of the images: these are the numbers of the")
    assert ("--force" in told) is not forced


def test_one_parameter_can_be_explained_alone():
    text = rendered(trail_view(calibration(), "max_weight"))
    assert text.startswith("max_weight = 5\n")
    assert "momentum" not in text


def test_a_trail_shows_each_step_with_its_source_and_margin():
    steps = (
        Step("preset.nano", "guide", None, 0.85, "The preset itself."),
        Step("complexity-momentum", "chosen", 0.85, 0.87, "Complex. [not markup]", 0.00123),
    )
    text = rendered(*trail(Parameter(0.87, steps)))
    lines = [line.strip() for line in text.splitlines()]
    assert lines[-2:] == ["0.85 -> 0.87 +-0.0012  complexity-momentum", "Complex. [not markup] [chosen]"]


def test_a_finding_is_one_line_however_long():
    finding = Finding("a-code", "warning", "What\nis wrong. " * 30, "Do [this].", Place("a\nb.yml", 3, 7))
    (line,) = rendered(*findings_view([finding])).splitlines()
    assert line.startswith("a\\nb.yml:3:7: warning a-code: What\\nis wrong.")
    assert line.endswith("Do [this].")


@pytest.mark.parametrize(
    ("written", "changed", "said"),
    [
        ([], True, "train.yml: resolved; no file was written."),
        ([], False, "train.yml: nothing to change; no file was written."),
        ([], None, "train.yml: not resolved, since nothing is known of it; --force writes these numbers."),
        (["out.yml"], True, "resolved: out.yml\nstart    python train.py -opt out.yml"),
        (["a.yml", "b.yml"], True, "resolved: a.yml and b.yml\nstart    python train.py -opt out.yml"),
        (["train.yml"], False, "nothing to change: train.yml\nstart    python train.py -opt out.yml"),
    ],
)  # fmt: skip
def test_the_last_lines_say_what_was_written_and_how_to_start(written, changed, said):
    start = "python train.py -opt out.yml"
    assert outcome_view(Path("train.yml"), changed, [Path(name) for name in written], start).plain == said


def test_no_line_ends_in_blanks(capsys):
    show(calibration_view(calibration()), stderr=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line == line.rstrip() for line in lines)


# --- JSON ------------------------------------------------------------------------------------------------------------

STEP = ["code", "source", "before", "after", "reason", "margin", "short"]
FINDING = ["code", "severity", "message", "fix", "path", "line", "column"]


def test_the_json_of_a_calibration_is_the_contract():
    finding = Finding("a-code", "info", "What.", None, Place("train.yml", 3))
    told = json.loads(dump(calibration_json(calibration(BY_HAND), [finding])))
    assert list(told) == [
        "format_version", "network", "placement", "dataset", "dataset_info", "parameters", "phases", "stability",
        "total_iter", "manual", "presets_version", "findings",
    ]  # fmt: skip
    assert (told["format_version"], told["dataset"]) == (2, None)
    assert told["manual"] == {"momentum": 0.8, "max_weight": 5.0}
    assert (told["network"]["type"], told["network"]["parameters"]) == ("paragonsr2_nano", 10_595)
    assert (told["placement"]["variant"], told["placement"]["match"]) == ("nano", "exact")
    assert len(told["parameters"]) == 7
    for parameter in told["parameters"].values():
        assert list(parameter) == ["value", "trail"]
        assert all(list(step) == STEP for step in parameter["trail"])
        assert parameter["trail"][-1]["after"] == parameter["value"]
    (found,) = told["findings"]
    assert list(found) == FINDING
    assert (found["path"], found["line"], found["column"], found["message"]) == ("train.yml", 3, None, "What.")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("inf"), "inf"),
        ({("phases", "early"): (1, 2.5)}, {"phases.early": [1, 2.5]}),
        (Path("a") / "b", str(Path("a") / "b")),
        ([None, True, "x"], [None, True, "x"]),
    ],
)
def test_any_record_is_plain_data(value, told):
    assert plain(value) == told


def test_json_that_no_reader_takes_is_not_written():
    with pytest.raises(ValueError, match="JSON"):
        dump({"value": float("nan")})


# --- differences ------------------------------------------------------------------------------------------------------


def test_equal_texts_have_no_difference():
    assert unified_diff(b"a: 1\n", b"a: 1\n", "a", "b") == ""


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("a: 1\nb: 2\n", "a: 1\nb: 3\n", ["-b: 2\n", "+b: 3\n"]),
        ("a: 1\r\nb: 2\r\n", "a: 1\r\nb: 3\r\n", ["-b: 2\r\n", "+b: 3\r\n"]),
        ("a: 'x\u2028y\x0cz'\nb: 2\n", "a: 'x\u2028y\x0cz'\nb: 3\n", ["-b: 2\n", "+b: 3\n"]),
        ("b: 2", "b: 2\nc: 3", ["-b: 2\n", "\\ No newline at end of file\n", "+b: 2\n", "+c: 3\n", "\\ No newline"]),
    ],
)
def test_differences_are_told_line_by_line(before, after, changed):
    text = unified_diff(before.encode(), after.encode(), "old.yml", "new.yml")
    assert text.startswith("--- old.yml\n+++ new.yml\n@@")
    assert "".join(changed) in text
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("train.yml:3:1: warning here", ["train.yml:3:1:", "warning here"]),
        ("a/path/longer/than/the/width.yml:3:1: why", ["a/path/longer/than/the/width.yml:3:1:", "why"]),
        ("  why: so", ["  why: so"]),
        ("  12 | key: 1\n     |      ^", ["  12 | key: 1", "     |      ^"]),
        ("", [""]),
        ("画像が小さい 画像が", ["画像が小さい", "画像が"]),
    ],
)
def test_a_terminal_gets_lines_broken_between_words(text, lines):
    assert [line.plain.rstrip() for line in between_words(Text(text), 16)] == lines


@pytest.mark.parametrize(
    ("terminal", "lines"), [(True, ["train.yml:3:1:", "warning here"]), (False, ["train.yml:3:1: warning here"])]
)
def test_what_is_said_is_broken_in_a_terminal_and_a_line_in_a_pipe(terminal, lines, monkeypatch, capsys):
    narrow = Console(force_terminal=terminal, color_system=None, width=16)
    monkeypatch.setattr("autocal_cli.report.console.console", lambda _: narrow)
    show(Text("train.yml:3:1: warning here"), stderr=True)
    assert capsys.readouterr().err.splitlines() == lines
    complain("train.yml: no such file", 2)
    assert capsys.readouterr().err.count("\n") == (3 if terminal else 1)


@pytest.mark.parametrize(("width", "row"), [(40, ["charbonnier", "51.2%"]), (80, ["charbonnier", "1", "0.03508"])])
def test_the_losses_of_a_probe_keep_their_names_in_a_narrow_terminal(width, row):
    loss = LossProbe("charbonnier", "charbonnierloss", "pixel", 1.0, 0.0350789, 0.72, 0.00225518, 0.000023, 0.5118)
    missing = (Unmeasured("perceptual", "perceptualloss", "no weights", 0.1),)
    probe = ProbeFingerprint(2, 2, None, 128, "bicubic reduction", "span", None, 0, (loss,), missing)
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(probe_view(probe))
    table = capture.get()
    assert next(line for line in table.splitlines() if "charbonnier" in line).split()[: len(row)] == row
    assert "…" not in table
