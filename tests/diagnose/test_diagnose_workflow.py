"""What stands beside a log: validation images, the scheduler's events, the clock; and a run that is followed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from run_logs import write_text_log

from autocal_cli.diagnose.logs import LogReader
from autocal_cli.diagnose.model import Diagnosis
from autocal_cli.errors import AutocalError
from autocal_cli.workflow.diagnose import closing, diagnose_run, ended, follow, read_run

LOG = "train_demo_20240702_214117.log"


WRITTEN, NOW = 1e9, 1e9 + 5.0  # of a run that is going on


def run(folder: Path, last: int = 2_000, end: bool = False) -> Path:
    rows = {at: {"l_g_l1": 0.02 + at * 1e-8} for at in range(100, last + 1, 100)}
    path = write_text_log(folder / LOG, rows, end=end)
    os.utime(path, (WRITTEN, WRITTEN))
    return path


def codes(found: Diagnosis) -> set[str]:
    return {one.code for one in found.findings if one.severity != "info"}


@pytest.mark.parametrize(("step", "drifts"), [(0, False), (4, True)])
def test_the_colours_of_saved_validation_images_are_looked_at(tmp_path, step, drifts):
    run(tmp_path, end=True)
    for name in ("a_1", "b_1", "c"):
        for index, at in enumerate(range(250, 2_001, 250)):
            path = tmp_path / "visualization" / name / f"{name}_{at}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (100 + step * index, 90, 80)).save(path)
    (tmp_path / "visualization" / "c" / "c_3000.png").write_bytes(b"half written")
    assert len(read_run(tmp_path).images) == 24
    assert ("colour-drift" in codes(diagnose_run(tmp_path))) == drifts


def test_the_schedulers_events_beside_the_log_are_read_once(tmp_path):
    path = run(tmp_path, end=True)
    event = {"iteration": 1_200, "loss": "l_g_gan", "cause": "not finite", "done": "the step was skipped"}
    lines = [json.dumps(event), json.dumps(event), '{"iteration": 1']
    (tmp_path / "demo.autocal.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with path.open("a", encoding="utf-8") as log:
        log.write(
            "2024-07-02 21:41:18,000 WARNING: autocal: iteration 1200: l_g_gan: not finite; the step was skipped\n"
        )
    found = diagnose_run(tmp_path)
    assert len(found.log.events) == 1
    first = found.findings[0]
    assert (first.code, first.iteration, first.loss) == ("non-finite", 1_200, "l_g_gan")


def test_events_that_were_trained_again_after_a_resume_count_once(tmp_path):
    run(tmp_path, end=True)
    rows = [(900, "spike (value 1)"), (1_500, "spike (value 2)"), (1_000, "resumed"), (1_400, "spike (value 3)")]
    lines = [json.dumps({"iteration": at, "loss": "l_g_l1", "cause": cause, "done": ""}) for at, cause in rows]
    (tmp_path / "events.autocal.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert [event.iteration for event in read_run(tmp_path).events] == [900, 1_400]


@pytest.mark.parametrize(("age", "going"), [(5.0, True), (1e6, False)])
def test_the_clock_tells_a_run_that_is_going_on_from_one_that_was_killed(tmp_path, age, going):
    run(tmp_path)
    found = diagnose_run(tmp_path, WRITTEN + age)
    assert [one.severity for one in found.findings if one.code == "ended-early"] == ([] if going else ["warning"])
    assert ("still going" in found.lines[0].text) is going


@pytest.mark.parametrize(("copied", "going"), [("2024-07-02T22:00:00", True), ("2024-07-09T22:00:00", False)])
def test_a_log_that_was_copied_a_moment_ago_is_not_of_a_run_that_is_going_on(tmp_path, copied, going):
    """Unless it was written that day: a clock of another time zone is no copy."""
    at = datetime.fromisoformat(copied).timestamp()
    os.utime(run(tmp_path), (at, at))
    assert ("still going" in diagnose_run(tmp_path, at + 5.0).lines[0].text) is going


@pytest.mark.parametrize(("last", "due"), [(2_000, True), (2_100, False), (2_400, True)])
def test_a_run_is_not_called_killed_while_a_validation_may_be_going_on(tmp_path, last, due):
    path = run(tmp_path, last)
    path.write_text("  val_freq: 500\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    os.utime(path, (1e9, 1e9))
    found = diagnose_run(tmp_path, 1e9 + 1_800)
    assert (codes(found), ended(found)) == ((set(), False) if due else ({"ended-early"}, True))
    assert ("still going, or killed: silent since 2024-07-02 21:41:17" in found.lines[0].text) is due
    assert codes(diagnose_run(tmp_path, 1e9 + 3_700)) == {"ended-early"}


@pytest.mark.parametrize(("age", "read"), [(5.0, [1_900, 1_900]), (1e6, [2_000])])
def test_a_last_line_without_its_break_is_waited_for_and_read_once_the_log_is_silent(tmp_path, age, read):
    path, reader = run(tmp_path), LogReader()
    path.write_bytes(path.read_bytes()[:-2])
    os.utime(path, (1e9, 1e9))
    assert [diagnose_run(tmp_path, 1e9 + age, reader).log.last for _ in read] == read
    assert diagnose_run(tmp_path, 1e9 + age).log.last == 2_000


def test_a_run_that_is_followed_is_read_until_it_ends(tmp_path):
    waited: list[int] = []

    def wait() -> None:
        waited.append(1)
        run(tmp_path, last=2_000 + 1_000 * len(waited), end=len(waited) == 3)

    run(tmp_path)
    found = list(follow(lambda: diagnose_run(tmp_path, NOW), wait, print))
    assert [one.log.last for one in found] == [2_000, 3_000, 4_000, 5_000]
    assert len(waited) == 3


@pytest.mark.parametrize("before", [None, "Loss [L1Loss] is created.\n"])
@pytest.mark.parametrize(("looks", "lines"), [(3, 1), (12, 2)])
def test_a_run_that_has_just_started_is_waited_for_and_that_is_said_ever_more_rarely(tmp_path, before, looks, lines):
    if before:
        (tmp_path / LOG).write_text(before, encoding="utf-8")
    waited: list[int] = []
    said: list[str] = []

    def wait() -> None:
        waited.append(1)
        if len(waited) == looks:
            run(tmp_path, end=True)

    assert [one.log.last for one in follow(lambda: diagnose_run(tmp_path), wait, said.append)] == [2_000]
    assert (len(waited), len(said)) == (looks, lines)


def test_a_run_that_has_ended_without_a_loss_is_not_waited_for(tmp_path):
    write_text_log(tmp_path / LOG, {}, end=True)
    with pytest.raises(AutocalError, match="no iteration"):
        list(follow(lambda: diagnose_run(tmp_path), lambda: pytest.fail("waited"), print))


@pytest.mark.parametrize("place", ["nowhere", "notes.md", "a/notes.md"])
def test_what_will_be_no_run_is_not_waited_for(tmp_path, place):
    (tmp_path / "notes.md").write_text("x", encoding="utf-8")
    with pytest.raises(AutocalError):
        list(follow(lambda: diagnose_run(tmp_path / place), lambda: pytest.fail("waited"), print))


def test_a_log_that_is_replaced_while_it_is_followed_is_read_again(tmp_path):
    def wait() -> None:
        waited.append(1)
        if len(waited) == 2:
            run(tmp_path, end=True)
        else:
            path.write_text("", "utf-8")

    waited: list[int] = []
    path = run(tmp_path)
    found = list(follow(lambda: diagnose_run(tmp_path, NOW), wait, print))
    assert (len(waited), len(found), found[-1].log.sessions[-1].ending) == (2, 2, "finished")


def test_a_longer_log_of_the_same_name_is_read_from_its_beginning(tmp_path):
    reader = LogReader()
    path = run(tmp_path)
    reader.read(tmp_path)
    write_text_log(path, {at: {"l_g_l1": 0.9} for at in range(100, 3_001, 100)})
    assert list(reader.read(tmp_path).tracks["l_g_l1"].values) == [0.9] * 30


@pytest.mark.parametrize("source", ["text logs", "TensorBoard event files"])
@pytest.mark.parametrize(("silent_for", "over"), [(5.0, False), (1e6, True)])
def test_a_run_that_fell_silent_has_ended_whatever_its_log_is(tmp_path, source, silent_for, over):
    run(tmp_path)
    found = diagnose_run(tmp_path)
    assert ended(replace(found, log=replace(found.log, source=source, silent_for=silent_for))) is over


def test_a_folder_named_like_a_config_beside_the_log_is_passed_over(tmp_path):
    run(tmp_path)
    (tmp_path / "options.yml").mkdir()
    assert read_run(tmp_path).rows > 0


def test_a_run_ends_with_its_verdict_and_one_without_a_log_in_silence(tmp_path):
    assert closing(tmp_path) == ()
    run(tmp_path, end=True)
    lines = closing(tmp_path)
    assert lines[0].startswith("run: demo")
    assert lines[-1].startswith("next: ")
