"""Finding and reading the logs of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autocal_cli.diagnose import logs as run_logs
from autocal_cli.diagnose.logs import find_logs, read_logs
from autocal_cli.errors import AutocalError

HEAD = "2024-07-02 21:41:17,816 INFO: [epoch:   0, iter:{:8,d}, lr:(1.000e-04)] [performance: 4.7 it/s] "


def text_log(path: Path, iterations: list[int], value: float = 0.5, end: str = " \n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{HEAD.format(iteration)}l_g_l1: {value:.4e} l_g_total: {value:.4e}" for iteration in iterations]
    path.write_text(" \n".join(lines) + end, encoding="utf-8", newline="\n")
    return path


def event_file(folder: Path, iterations: list[int], value: float = 0.25) -> Path:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    before = set(folder.iterdir()) if folder.exists() else set()
    with SummaryWriter(str(folder)) as writer:
        for iteration in iterations:
            writer.add_scalar("losses/l_g_l1", value, iteration)
    return next(path for path in folder.iterdir() if path not in before)


def iterations_of(path: Path) -> list[int]:
    return [point.iteration for point in read_logs(path)[0].points]


@pytest.mark.parametrize(
    "place", ["experiments/demo", "experiments", "experiments/demo/train_demo_20240702_214117.log", "."]
)
def test_text_logs_are_found_from_every_folder_above_and_by_name(tmp_path, place):
    text_log(tmp_path / "experiments" / "demo" / "train_demo_20240702_214117.log", [100, 200])
    (tmp_path / "experiments" / "demo" / "test_demo_20240702_214117.log").write_text("psnr", encoding="utf-8")
    log, findings = read_logs(tmp_path / place)
    assert ([point.iteration for point in log.points], log.source, log.averaged) == ([100, 200], "text logs", True)
    assert findings == ()


def test_event_files_come_first(tmp_path):
    text_log(tmp_path / "experiments" / "demo" / "train_demo_20240702_214117.log", [100])
    event_file(tmp_path / "tb_logger" / "demo", [100, 200])
    log, _ = read_logs(tmp_path)
    assert (log.source, log.points[0].values) == ("TensorBoard event files", {"l_g_l1": 0.25})


def test_text_logs_serve_where_the_event_files_hold_nothing(tmp_path):
    text_log(tmp_path / "train_demo_20240702_214117.log", [100])
    event_file(tmp_path, [])
    assert read_logs(tmp_path)[0].source == "text logs"


def test_text_logs_serve_without_tensorboard_and_that_is_said(tmp_path, monkeypatch):
    text_log(tmp_path / "train_demo_20240702_214117.log", [100])
    (tmp_path / "events.out.tfevents.1.x").touch()
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_file_loader", None)
    log, findings = read_logs(tmp_path)
    assert (log.source, [finding.code for finding in findings]) == ("text logs", ["text-logs-read"])


def test_the_files_of_a_resumed_run_are_joined_by_their_time(tmp_path):
    text_log(tmp_path / "train_demo_20240703_000000.log", [300, 400], 0.25)
    text_log(tmp_path / "train_demo_20240702_214117.log", [100, 200, 300], 0.5)
    log, _ = read_logs(tmp_path)
    assert [(point.iteration, point.values["l_g_l1"]) for point in log.points] == [
        (100, 0.5), (200, 0.5), (300, 0.25), (400, 0.25),
    ]  # fmt: skip
    assert log.superseded == 1


def test_event_files_of_a_resumed_run_are_joined_by_their_time(tmp_path):
    later = event_file(tmp_path, [200, 300], 0.5)
    later.rename(tmp_path / "events.out.tfevents.9999999999.host.1.0")
    event_file(tmp_path, [100, 200])
    log, _ = read_logs(tmp_path)
    assert [point.values["l_g_l1"] for point in log.points] == [0.25, 0.5, 0.5]


def test_a_file_cut_short_is_named(tmp_path):
    path = text_log(tmp_path / "train_demo_20240702_214117.log", [100, 200], end="")
    log, _ = read_logs(tmp_path)
    assert (log.truncated, [point.iteration for point in log.points]) == ((str(path),), [100])


def test_a_text_log_with_bytes_that_are_no_utf_8_is_read(tmp_path):
    path = text_log(tmp_path / "train_demo_20240702_214117.log", [100])
    path.write_bytes(b"2024 INFO: \xff\xfe caf\xe9\n" + path.read_bytes())
    assert iterations_of(tmp_path) == [100]


def test_a_renamed_text_log_is_read_when_it_is_named(tmp_path):
    text_log(tmp_path / "old run.txt", [100])
    assert iterations_of(tmp_path / "old run.txt") == [100]
    assert list(find_logs(tmp_path)) == []


def test_the_home_folder_is_known_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    text_log(tmp_path / "train_demo_20240702_214117.log", [100])
    assert iterations_of(Path("~/train_demo_20240702_214117.log")) == [100]


def refusal(path: Path) -> str:
    with pytest.raises(AutocalError) as refused:
        read_logs(path)
    assert refused.value.place is not None
    assert "\n" not in str(refused.value)
    return refused.value.message


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, monkeypatch):
    assert refusal(tmp_path / "nowhere") == "There is no such folder or file."
    assert refusal(tmp_path) == "There are no event files and no train_*.log here."
    (tmp_path / "train_a.log").write_text("nothing\n", encoding="utf-8")
    assert refusal(tmp_path) == "The logs hold no iteration with a loss."
    text_log(tmp_path / "b" / "train_b_20240702_214117.log", [100])
    assert refusal(tmp_path).startswith("There are logs of 2 runs here")
    monkeypatch.setattr(run_logs, "MAX_ENTRIES", 2)
    assert refusal(tmp_path) == "There are more than 2 files here."


def test_the_search_does_not_go_deeper_than_its_bound(tmp_path):
    text_log(tmp_path.joinpath(*"abcd", "train_demo_20240702_214117.log"), [100])
    text_log(tmp_path.joinpath(*"abcde", "train_demo_20240702_214117.log"), [100])
    assert [file.path.parent.name for file in find_logs(tmp_path)] == ["d"]
