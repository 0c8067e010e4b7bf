"""Finding and reading the logs of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_logs import write_text_log
from test_diagnose_event_files import SIMPLE, event

from autocal_cli.diagnose import logs as run_logs
from autocal_cli.diagnose.log_formats import TextReader
from autocal_cli.diagnose.logs import LogReader, find_logs
from autocal_cli.diagnose.model import RunLog
from autocal_cli.errors import AutocalError
from autocal_cli.workflow.diagnose import find_run


def text_log(path: Path, iterations: list[int], value: float = 0.5, start: int = 0) -> Path:
    return write_text_log(path, {at: {"l_g_l1": value, "l_g_total": value} for at in iterations}, start)


def points(log: RunLog) -> dict[int, float]:
    track = log.tracks["l_g_l1"]
    return dict(zip(track.iterations, track.values, strict=True))


@pytest.mark.parametrize(
    "place", ["experiments/demo", "experiments", "experiments/demo/train_demo_20240702_214117.log", "."]
)
def test_text_logs_are_found_from_every_folder_above_and_by_name(tmp_path, place):
    text_log(tmp_path / "experiments" / "demo" / "train_demo_20240702_214117.log", [100, 200])
    (tmp_path / "experiments" / "demo" / "test_demo_20240702_214117.log").write_text("psnr", encoding="utf-8")
    log = LogReader().read(tmp_path / place)
    assert (list(points(log)), log.source, log.facts["name"]) == ([100, 200], "text logs", "demo")


def test_a_published_log_is_often_called_train_log(tmp_path):
    text_log(tmp_path / "demo" / "train.log", [100, 200])
    log = LogReader().read(tmp_path / "demo")
    assert (list(points(log)), log.facts["name"]) == ([100, 200], "demo")


def test_a_last_line_that_is_not_whole_is_said_and_read_when_it_is(tmp_path):
    path = tmp_path / "train_demo_20240702_214117.log"
    text_log(path, [100, 200])
    whole = path.read_bytes()
    reader = LogReader()
    for end in (len(whole) - 9, len(whole) - 9, len(whole)):
        path.write_bytes(whole[:end])
        log = reader.read(path)
        assert (list(points(log)), bool(log.truncated)) == (([100, 200], False) if end == len(whole) else ([100], True))


@pytest.mark.parametrize(
    ("cut", "taken"),
    [
        ("\n", True),
        (" \n", True),
        ("1 \n", False),
        ("-01 \n", False),
        ("e-01 \n", False),
        (".0000e-01 \n", False),
        (" l_g_total: 5.0000e-01 \n", False),
    ],
)
def test_to_the_end_a_last_line_without_its_break_is_read_unless_a_number_breaks_off(tmp_path, cut, taken):
    path = text_log(tmp_path / "train_demo_20240702_214117.log", [100, 200])
    path.write_text(path.read_text("utf-8").removesuffix(cut), "utf-8", newline="\n")
    log = LogReader().read(path, to_the_end=True)
    assert (list(points(log)), bool(log.truncated)) == (([100, 200], False) if taken else ([100], True))


@pytest.mark.parametrize(("line", "psnr"), [("# psnr: 28.3812", 28.3812), ("# psnr: 28.38", None)])
def test_a_metric_that_breaks_off_is_left_out(tmp_path, line, psnr):
    path = text_log(tmp_path / "train_demo_20240702_214117.log", [100])
    with path.open("a", encoding="utf-8") as log:
        log.write(f"2024-07-02 21:41:18,000 INFO: Validation val\n\t {line}")
    found = LogReader().read(path, to_the_end=True).validations
    assert [one.metrics["psnr"] for one in found] == ([] if psnr is None else [psnr])


def test_of_many_runs_the_newest_are_named(tmp_path):
    for day in range(10, 17):
        text_log(tmp_path / "experiments" / f"run{day}" / f"train_run{day}_202407{day}_000000.log", [100])
    names = ", ".join(str(Path("experiments", f"run{day}")) for day in range(16, 11, -1))
    assert refusal(tmp_path) == f"There are logs of 7 runs here, the newest first: {names} and 2 more."


def test_of_a_log_that_grows_only_what_is_new_is_read(tmp_path, monkeypatch):
    taken: list[str] = []
    read = TextReader.read
    monkeypatch.setattr(
        TextReader, "read", lambda self, lines: read(self, (taken.append(line) or line for line in lines))
    )
    path, reader = tmp_path / "train_demo_20240702_214117.log", LogReader()
    for last in (300, 500, 500):
        taken.clear()
        text_log(path, list(range(100, last + 1, 100)))
        assert list(points(reader.read(tmp_path))) == list(range(100, last + 1, 100))
    assert taken == []
    text_log(tmp_path / "train_demo_20240703_000000.log", [500, 600], 0.5, start=400)
    log = reader.read(tmp_path)
    assert len([line for line in taken if "epoch:" in line]) == 3
    assert (list(points(log)), points(log)[500], log.superseded, len(log.sessions)) == (
        [100, 200, 300, 400, 500, 600],
        0.5,
        1,
        2,
    )
    assert points(log) == points(LogReader().read(tmp_path))
    text_log(path, [100])
    assert list(points(reader.read(tmp_path))) == [100, 500, 600]


def test_text_logs_come_first_and_event_files_serve_where_they_hold_nothing(tmp_path):
    folder = tmp_path / "tb_logger" / "demo"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1.x").write_bytes(event(100, SIMPLE))
    text = tmp_path / "experiments" / "demo" / "train_demo_20240702_214117.log"
    text_log(text, [])
    assert LogReader().read(tmp_path).source == "TensorBoard event files"
    text_log(text, [100, 200], 0.25)
    log = LogReader().read(tmp_path)
    assert (log.source, points(log)) == ("text logs", {100: 0.25, 200: 0.25})


def test_the_files_of_a_resumed_run_are_joined_by_their_time(tmp_path):
    text_log(tmp_path / "train_demo_20240703_000000.log", [300, 400], 0.25, start=200)
    text_log(tmp_path / "train_demo_20240702_214117.log", [100, 200, 300], 0.5)
    log = LogReader().read(tmp_path)
    assert points(log) == {100: 0.5, 200: 0.5, 300: 0.25, 400: 0.25}
    assert (log.superseded, [(one.start, one.first, one.last) for one in log.sessions]) == (
        1, [(0, 100, 300), (200, 300, 400)],
    )  # fmt: skip


def test_a_session_that_dies_before_its_first_point_takes_nothing_away(tmp_path):
    text_log(tmp_path / "train_demo_20240702_214117.log", [100, 200, 300])
    text_log(tmp_path / "train_demo_20240703_000000.log", [], start=200)
    assert list(points(LogReader().read(tmp_path))) == [100, 200, 300]


def test_a_file_cut_short_is_named(tmp_path):
    path = text_log(tmp_path / "train_demo_20240702_214117.log", [100, 200])
    path.write_bytes(path.read_bytes()[:-3])
    log = LogReader().read(tmp_path)
    assert (log.truncated, list(points(log))) == ((str(path),), [100])


def test_a_text_log_with_bytes_that_are_no_utf_8_is_read(tmp_path):
    path = text_log(tmp_path / "train_demo_20240702_214117.log", [100])
    path.write_bytes(b"2024 INFO: \xff\xfe caf\xe9\n" + path.read_bytes())
    assert list(points(LogReader().read(tmp_path))) == [100]


def test_a_renamed_text_log_is_read_when_it_is_named(tmp_path):
    text_log(tmp_path / "old run.txt", [100])
    assert list(points(LogReader().read(tmp_path / "old run.txt"))) == [100]
    assert list(find_logs(tmp_path)) == []


def test_checkpoints_are_those_in_the_models_folder_an_emas_before_the_others(tmp_path):
    text_log(tmp_path / "train_demo_20240702_214117.log", [100])
    for name in ("net_g_100.pth", "net_g_20.pth", "net_g_ema_20.safetensors", "net_d_100.pth", "net_g_latest.pth"):
        (tmp_path / "models" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "models" / name).touch()
    found = [(one.iteration, Path(one.path).name) for one in LogReader().read(tmp_path).checkpoints]
    assert found == [(20, "net_g_ema_20.safetensors"), (100, "net_g_100.pth")]  # the latest is that of 100, too


def test_what_was_saved_and_has_no_file_any_more_is_known(tmp_path):
    path = text_log(tmp_path / "train_demo_20240702_214117.log", list(range(100, 701, 100)))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    saved = "2024-07-02 21:41:17,816 INFO: Saving models and training states.\n"
    log = [*lines[:3], saved, *lines[3:5], saved, *lines[5:], saved]
    path.write_text("".join(log), encoding="utf-8", newline="\n")
    known = [(one.iteration, one.exists) for one in LogReader().read(tmp_path).checkpoints]
    assert known == [(200, False), (400, False), (700, False)]
    for name in ("net_g_250.pth", "net_g_latest.pth"):  # the log is no more exact than print_freq
        (tmp_path / "models" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "models" / name).touch()
    files = [
        (one.iteration, Path(one.path).name if one.path else None) for one in LogReader().read(tmp_path).checkpoints
    ]
    assert files == [(250, "net_g_250.pth"), (400, None), (700, "net_g_latest.pth")]


def test_the_home_folder_is_known_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    text_log(tmp_path / "train_demo_20240702_214117.log", [100])
    assert list(points(LogReader().read(Path("~/train_demo_20240702_214117.log")))) == [100]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("options/train/x.yml", "name: demo\nscale: 2\n"),
        ("options/x.toml", 'name = "demo"\nscale = 2\n'),
        ("experiments/demo/demo.yml", "name: other\n"),
    ],
)
def test_a_config_leads_to_its_experiment(tmp_path, config, text):
    folder = tmp_path / "experiments" / "demo"
    text_log(folder / "train_demo_20240702_214117.log", [100])
    path = tmp_path / config
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert find_run(path) == folder


def test_the_folder_of_tensorboard_leads_to_the_text_log_beside_it(tmp_path):
    (tmp_path / "tb_logger" / "demo").mkdir(parents=True)
    assert find_run(tmp_path / "tb_logger" / "demo") == tmp_path / "tb_logger" / "demo"
    text_log(tmp_path / "experiments" / "demo" / "train_demo_20240702_214117.log", [100])
    assert find_run(tmp_path / "tb_logger" / "demo") == tmp_path / "experiments" / "demo"


def refusal(path: Path) -> str:
    with pytest.raises(AutocalError) as refused:
        LogReader().read(find_run(path))
    assert refused.value.place is not None
    assert "\n" not in str(refused.value)
    return refused.value.message


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, monkeypatch):
    assert refusal(tmp_path / "nowhere") == "There is no such folder or file."
    assert refusal(tmp_path) == "There are no event files and no train_*.log here."
    config = tmp_path / "x.yml"
    config.write_text("name: gone\n", encoding="utf-8")
    assert refusal(config).startswith("There is no experiments/gone")
    config.write_text("scale: 2\n", encoding="utf-8")
    assert refusal(config).startswith("The config has no `name`")
    (tmp_path / "train_a.log").write_text("nothing\n", encoding="utf-8")
    assert refusal(tmp_path) == "The logs hold no iteration with a loss."
    text_log(tmp_path / "b" / "train_b_20240702_214117.log", [100])
    assert refusal(tmp_path) == "There are logs of 2 runs here, the newest first: b, train_a.log."
    monkeypatch.setattr(run_logs, "MAX_ENTRIES", 2)
    assert refusal(tmp_path) == "There are more than 2 files here."


def test_the_search_does_not_go_deeper_than_its_bound(tmp_path):
    text_log(tmp_path.joinpath(*"abcd", "train_demo_20240702_214117.log"), [100])
    text_log(tmp_path.joinpath(*"abcde", "train_demo_20240702_214117.log"), [100])
    assert [file.path.parent.name for file in find_logs(tmp_path)] == ["d"]
