"""`autocal run` with a small trainer in the shape of traiNNer-redux: once in a process of its own, else in this one."""

from __future__ import annotations

import io
import json
import logging
import math
import os
import re
import shutil
import subprocess
import sys
import types
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from autocal_cli.cli import main
from autocal_cli.errors import AutocalError
from autocal_cli.runtime.trainer import _EventLines as EventLines
from autocal_cli.runtime.trainer import _Forwarding as Forwarding
from autocal_cli.runtime.watch import Event
from autocal_cli.workflow.diagnose import diagnose_run
from autocal_cli.workflow.run import _tell_verdict as tell_verdict
from autocal_cli.workflow.run import config_argument, read_source, run_trainer

once = pytest.mark.xdist_group("whole run")  # one worker, so that it is made once
TRAINER = Path(__file__).parents[1] / "trainer"
BLOCK = {"auto_calibrate": False, "momentum": 0.5, "adaptation_rate": 0.1, "baseline_iterations": 5}
PLAIN = {
    "name": "run",
    "train": {
        "total_iter": 20,
        "losses": [{"type": "l1loss", "loss_weight": 1.0}, {"type": "ganloss", "loss_weight": 50.0}],
    },
}


def config_with(block=None, **changes):
    config = {**PLAIN, **changes}
    if block is not None:
        config["train"] = {**config["train"], "dynamic_loss_scheduling": block}
    return yaml.safe_dump(config, sort_keys=False)


@dataclass(frozen=True)
class Ran:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `autocal run` in an empty folder, in this process; nothing of it stays behind but its files."""

    def start(text, *arguments, options=(), script=TRAINER / "train.py"):
        (tmp_path / "train.yml").write_text(text, "utf-8")
        return started(tmp_path, monkeypatch, "run", *options, script, "-opt", "train.yml", *arguments)

    return start


def started(folder, monkeypatch, *arguments):
    out, err = io.StringIO(), io.StringIO()
    modules = set(sys.modules)
    with monkeypatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["autocal", *map(str, arguments)])
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        try:
            with pytest.raises(SystemExit) as stopped:
                main()
        finally:
            for handler in logging.getLogger("traiNNer").handlers:
                handler.close()
            for name in set(sys.modules) - modules:
                if name.partition(".")[0] == "traiNNer":
                    del sys.modules[name]
    code = stopped.value.code
    return Ran(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    """What a whole run of the resolved block leaves behind; made once, read by several."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "train.yml").write_text("# mine\n" + config_with(BLOCK), "utf-8")
    command = [sys.executable, "-m", "autocal_cli", "run", str(TRAINER / "train.py"), "-opt", "train.yml"]
    environment = {**os.environ, "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", env=environment)
    return folder, ran


@pytest.fixture
def trained(trained_once, tmp_path):
    """The same, to be changed."""
    folder, ran = trained_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return ran


def logged(folder, name):
    text = (folder / "experiments" / "run" / "train.log").read_text("utf-8")
    return [float(value) for value in re.findall(rf" {name}: (\S+)", text)]


def state(folder, iteration):
    return torch.load(folder / "experiments" / "run" / "training_states" / f"{iteration}.autocal", weights_only=True)


@once
def test_a_strict_trainer_is_scheduled_and_its_config_stays_as_it_is(trained, tmp_path):
    text = "# mine\n" + config_with(BLOCK)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert (tmp_path / "train.yml").read_text("utf-8") == text
    root = tmp_path / "experiments" / "run"
    assert (root / "train.autocal.yml").read_text("utf-8") == text
    assert (root / "train.yml").read_text("utf-8") == "# mine\n" + config_with()
    assert "autocal: watching l_g_l1 (pixel), l_g_gan (adversarial)." in (root / "train.log").read_text("utf-8")
    assert logged(tmp_path, "loss_multipliers/l_g_gan")[0] == 1.0
    assert logged(tmp_path, "loss_multipliers/l_g_gan")[-1] < 0.9
    assert logged(tmp_path, "autocal/cost")[-1] > 0.0
    assert len(logged(tmp_path, "autocal/separation")) > 10
    assert state(tmp_path, 20)["iteration"] == 20


@once
@pytest.mark.usefixtures("trained")
def test_a_resumed_run_ends_as_the_uninterrupted_one(run, tmp_path):
    whole, losses = state(tmp_path, 20), logged(tmp_path, "l_g_gan")
    for iteration in (15, 20):
        for path in (tmp_path / "experiments" / "run" / "training_states").glob(f"{iteration}.*"):
            path.unlink()
    (tmp_path / "experiments" / "run" / "train.log").unlink()
    assert run(config_with(BLOCK), "--auto_resume").returncode == 0
    resumed = state(tmp_path, 20)
    assert logged(tmp_path, "l_g_gan") == losses[10:]
    assert resumed == whole


@once
@pytest.mark.usefixtures("trained")
def test_a_scheduler_state_that_was_cut_off_is_one_line_and_starts_anew(run, tmp_path):
    folder = tmp_path / "experiments" / "run" / "training_states"
    for iteration in (15, 20):
        for path in folder.glob(f"{iteration}.*"):
            path.unlink()
    whole = (folder / "10.autocal").read_bytes()
    (folder / "10.autocal").write_bytes(whole[: len(whole) // 2])
    assert run(config_with(BLOCK), "--auto_resume").returncode == 0
    told = [
        line for line in (tmp_path / "experiments/run/train.log").read_text("utf-8").splitlines() if "cannot be" in line
    ]
    assert len(told) == 1


@once
@pytest.mark.usefixtures("trained")
def test_every_state_of_the_trainer_has_the_schedulers_beside_it_which_was_written_first(tmp_path):
    folder = tmp_path / "experiments" / "run" / "training_states"
    states = list(folder.glob("*.state"))
    assert states
    for path in states:
        assert path.with_suffix(".autocal").stat().st_mtime_ns <= path.stat().st_mtime_ns
    assert not list(folder.glob("*.part"))


@once
@pytest.mark.usefixtures("trained")
def test_a_resumed_run_without_a_scheduler_state_says_so(run, tmp_path):
    for path in (tmp_path / "experiments" / "run" / "training_states").glob("*.autocal"):
        path.unlink()
    assert run(config_with(BLOCK), "--auto_resume").returncode == 0
    assert "the scheduler starts anew" in (tmp_path / "experiments" / "run" / "train.log").read_text("utf-8")


@once
@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("content", [b"hello text file\n", b"", b"PK\x03\x04"])
def test_a_damaged_scheduler_state_ends_no_resume(run, tmp_path, content):
    for path in (tmp_path / "experiments" / "run" / "training_states").glob("*.autocal"):
        path.write_bytes(content)
    assert run(config_with(BLOCK), "--auto_resume").returncode == 0
    log = (tmp_path / "experiments" / "run" / "train.log").read_text("utf-8")
    assert "the scheduler starts anew" in log
    assert "cannot be read (" in log


def test_an_event_begins_a_line_after_one_that_was_cut_off(tmp_path):
    path = tmp_path / "events.autocal.jsonl"
    path.write_text('{"iteration": 1950, "lo', "utf-8")
    log = logging.getLogger("of events after a kill")
    log.propagate = False
    log.addHandler(EventLines(path))
    for iteration in (1000, 1800):
        log.warning("autocal: %s", Event(iteration, "*", "resumed", "the scheduler goes on"))
    assert [json.loads(line)["iteration"] for line in path.read_text("utf-8").splitlines()[1:]] == [1000, 1800]


def test_the_config_may_be_named_with_an_equals_sign(tmp_path, monkeypatch):
    (tmp_path / "train.yml").write_text(config_with(BLOCK), "utf-8")
    assert started(tmp_path, monkeypatch, "run", TRAINER / "train.py", "-opt=./train.yml").returncode == 0
    assert state(tmp_path, 20)["iteration"] == 20


def test_accumulated_passes_are_one_step(run, tmp_path):
    assert run(config_with(BLOCK, accum_iter=2)).returncode == 0
    assert state(tmp_path, 20)["scheduler"]["steps"] == 20


def test_the_block_may_stand_in_a_sidecar(run, tmp_path):
    (tmp_path / "train.autocal.yml").write_text(yaml.safe_dump({"dynamic_loss_scheduling": BLOCK}), "utf-8")
    assert run(config_with()).returncode == 0
    assert logged(tmp_path, "loss_multipliers/l_g_gan")[-1] < 0.9
    archived = tmp_path / "experiments" / "run" / "train.autocal.yml"
    assert archived.read_bytes() == (tmp_path / "train.autocal.yml").read_bytes()
    ran = run(config_with(BLOCK))
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "train.yml:9:3: Both" in ran.stderr


def test_a_block_that_is_not_resolved_is_calibrated_here_and_that_is_said_once(run, tmp_path):
    ran = run(config_with({"enabled": True, "auto_calibrate": True}))
    assert (ran.returncode, ran.stderr.count("\n")) == (0, 1)
    assert ran.stderr.startswith("autocal: train.yml: the block is not resolved")
    assert logged(tmp_path, "loss_multipliers/l_g_gan")[-1] < 0.9


def test_a_mistake_in_a_sidecar_is_told_with_its_place_there(run, tmp_path):
    (tmp_path / "train.autocal.yml").write_text("dynamic_loss_scheduling:\n  momentum: 7\n", "utf-8")
    ran = run(config_with())
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert ran.stderr.startswith("autocal: train.autocal.yml:2:13: `momentum` should be")


def test_a_block_that_is_not_enabled_trains_without(run, tmp_path):
    ran = run(config_with({"enabled": False}))
    assert ran.returncode == 0
    assert "training without the scheduler" in ran.stderr
    assert not logged(tmp_path, "loss_multipliers/l_g_gan")


def test_a_trainer_of_another_shape_is_started_only_if_that_is_allowed(run):
    text = config_with(BLOCK, model_type="odd")
    ran = run(text)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "OddModel has no get_current_log" in ran.stderr
    ran = run(text, options=["--allow-unscheduled"])
    assert (ran.returncode, ran.stderr.count("\n")) == (0, 1)
    assert "Training without the scheduler" in ran.stderr


def test_a_script_that_is_no_known_trainer(run, tmp_path):
    script = tmp_path / "other.py"
    script.write_text("import sys; print(sys.argv[1:], __name__)", "utf-8")
    ran = run(config_with(BLOCK), script=script)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert "no trainer of a shape known here" in ran.stderr
    ran = run(config_with(BLOCK), "--more", options=["--allow-unscheduled"], script=script)
    assert ran.returncode == 0
    assert ran.stdout.startswith("['-opt', ")
    assert ran.stdout.rstrip().endswith("train.yml', '--more'] __main__")


def test_a_trainer_that_builds_no_model_is_told_of(run, tmp_path):
    (tmp_path / "traiNNer").mkdir()
    for folder in ("traiNNer", "traiNNer/models"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "__init__.py").write_text("def build_model(opt): ...", "utf-8")
    (tmp_path / "train.py").write_text("print('bye')", "utf-8")
    ran = run(config_with(BLOCK), script=tmp_path / "train.py")
    assert (ran.returncode, ran.stdout) == (0, "bye\n")
    assert ran.stderr == "autocal: The script ended without building a model; nothing was scheduled.\n"


def test_a_training_without_the_scheduler_says_no_more_on_stderr_than_alone(run, monkeypatch):
    for name in ("autocal", None):  # as in a fresh process: what no handler takes goes to stderr
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    ran = run(config_with({"enabled": False}, fails_at=3))
    assert ran.returncode == 1
    assert "broke off" not in ran.stderr
    assert ran.stderr.count("trainer's own trouble") == 2  # the line of the traceback, and its last


def test_a_trainer_whose_package_binds_build_model_when_it_is_imported_is_scheduled_too(run, tmp_path):
    """As `basicsr/__init__.py` imports its own `train`, which Real-ESRGAN starts."""
    shutil.copytree(TRAINER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "train.py").rename(tmp_path / "traiNNer" / "train.py")
    (tmp_path / "traiNNer" / "__init__.py").write_text("from traiNNer.train import main\n", "utf-8")
    (tmp_path / "start.py").write_text("from traiNNer.train import main\n\nmain()\n", "utf-8")
    assert run(config_with(BLOCK), script=tmp_path / "start.py").returncode == 0
    assert logged(tmp_path, "loss_multipliers/l_g_gan")[-1] < 0.9


def test_the_trainer_exits_as_it_would_alone(run, tmp_path):
    assert run(config_with(BLOCK, name="seven")).returncode == 7
    ran = run(config_with(BLOCK, fails_at=3))
    assert ran.returncode == 1
    assert "Traceback" in ran.stderr
    assert ran.stderr.rstrip().endswith("RuntimeError: the trainer's own trouble")
    text = (tmp_path / "experiments" / "run" / "train.log").read_text("utf-8")
    assert "autocal: the training broke off: RuntimeError: the trainer's own trouble" in text


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (None, "train.yml: There is no `dynamic_loss_scheduling` block"),
        ({"auto_calibrate": False, "momentum": 7}, "train.yml:11:15: `momentum` should be"),
        ({"mode": "off"}, "train.yml:10:11: `mode` should be act or observe"),
    ],
)
def test_an_unusable_block_stops_before_the_trainer_starts(tmp_path, monkeypatch, block, said):
    """In this process; a mistake in a sidecar (above) shows what the command makes of it."""
    (tmp_path / "train.yml").write_text(config_with(block), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with warnings.catch_warnings(), pytest.raises(AutocalError) as raised:
        run_trainer(TRAINER / "train.py", ["-opt", "train.yml"], False, say=print)
    assert str(raised.value).startswith(said)
    assert not (tmp_path / "experiments").exists()


def event_lines(folder):
    path = folder / "experiments" / "run" / "events.autocal.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_schedulers_events_stand_in_a_file_beside_the_log_and_go_on_over_a_resume(run, tmp_path):
    assert run(config_with(BLOCK, breaks_at=7)).returncode == 0
    before = event_lines(tmp_path)
    assert [(one["iteration"], one["cause"]) for one in before] == [(7, "not finite")]
    assert all(set(line) == {"iteration", "loss", "cause", "done"} for line in before)
    text = (tmp_path / "experiments/run/train.log").read_text("utf-8")
    for one in before:
        assert f"iteration {one['iteration']}: {one['loss']}: {one['cause']}; {one['done']}" in text
    for iteration in (15, 20):
        for path in (tmp_path / "experiments" / "run" / "training_states").glob(f"{iteration}.*"):
            path.unlink()
    assert run(config_with(BLOCK), "--auto_resume").returncode == 0
    after = event_lines(tmp_path)
    assert after[: len(before)] == before
    resumed = after[len(before)]
    assert (resumed["iteration"], resumed["cause"]) == (10, "resumed")
    assert "10.autocal" in resumed["done"]


def test_events_wait_for_a_folder_that_is_not_there_yet(tmp_path):
    folder = tmp_path / "experiments" / "later"
    events, log = EventLines(folder / "events.autocal.jsonl"), logging.getLogger("of events alone")
    log.propagate = False
    log.addHandler(events)
    log.warning("autocal: %s", Event(3, "l_g_gan", "spike", "nothing was changed"))
    log.warning("autocal: %s", "no event")
    assert not folder.exists()
    folder.mkdir(parents=True)
    log.warning("autocal: %s", Event(7, "*", "not finite", "the step was skipped"))
    folder.rename(folder.with_name("moved"))
    log.warning("autocal: %s", Event(8, "*", "not finite", "the step was skipped"))
    lines = (tmp_path / "experiments" / "moved" / "events.autocal.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [3, 7]
    folder.mkdir()
    log.warning("autocal: %s", Event(9, "*", "not finite", "the step was skipped"))
    lines = (folder / "events.autocal.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [8, 9]


CASES = Path(__file__).parents[1] / "cases_diagnose"


def model_of(folder):
    return types.SimpleNamespace(opt={"path": {"experiments_root": str(folder)}})


@pytest.fixture
def trainers_log():
    """What reaches the trainer's own logger of the lines that autocal logs."""
    lines = []
    trainer, own = logging.getLogger("basicsr"), logging.getLogger("autocal")
    keeping, forwarding = logging.Handler(), Forwarding(trainer)
    keeping.emit = lambda record: lines.append(record.getMessage())
    before = own.handlers[:]
    own.handlers = [forwarding]
    trainer.addHandler(keeping)
    yield lines
    own.handlers = before
    trainer.removeHandler(keeping)


@pytest.mark.parametrize("case", ["b_gan_right", "b_gan_x100"])
def test_the_trainers_log_ends_with_the_verdict(trainers_log, tmp_path, case):
    folder = shutil.copytree(CASES / case, tmp_path / case)
    tell_verdict([None, model_of(folder)])
    expected = diagnose_run(folder, math.inf)
    assert trainers_log == [f"autocal: {line.topic}: {line.text}" for line in expected.lines]


def broken_log(_folder):
    raise RecursionError("too deep\nfor this")


@pytest.mark.parametrize(
    ("model", "closing"),
    [(types.SimpleNamespace(), None), (model_of(CASES / "b_gan_right"), broken_log)],
    ids=["no options", "an error of our own"],
)
def test_what_goes_wrong_with_the_verdict_is_one_line_and_no_exit_code(trainers_log, monkeypatch, model, closing):
    if closing:
        monkeypatch.setattr("autocal_cli.workflow.run.closing", closing)
    tell_verdict([model])
    assert len(trainers_log) == 1
    assert trainers_log[0].startswith("autocal: no verdict could be told: ")
    assert "\n" not in trainers_log[0]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["-opt", "a.yml"], (1, Path("a.yml"))),
        (["--auto_resume", "--opt", "b/a.yml", "--debug"], (2, Path("b/a.yml"))),
        (["-opt=a.yml"], (0, Path("a.yml"))),
    ],
)
def test_config_argument(arguments, found):
    assert config_argument(arguments) == found


@pytest.mark.parametrize("arguments", [[], ["-opt"], ["train.yml"]])
def test_no_config_argument(arguments):
    with pytest.raises(AutocalError, match="no config"):
        config_argument(arguments)


@pytest.mark.corpus
def test_real_configs_lose_the_block_and_nothing_else(corpus, tmp_path):
    """Every third config of the corpus, calibrated first."""
    from autocal_cli.workflow.calibrate import calibrate_file
    from autocal_cli.workflow.dataset import DatasetOptions

    seen = 0
    for path in sorted((corpus / "configs").rglob("*.yml"))[::3]:
        original = yaml.safe_load(path.read_text("utf-8"))
        if not isinstance(original.get("train"), dict):
            continue
        try:
            resolved = calibrate_file(path, {}, DatasetOptions(skip=True), form="block").after
        except AutocalError:
            continue
        copy = tmp_path / path.name
        copy.write_bytes(resolved)
        source = read_source(copy)
        original["train"].pop("dynamic_loss_scheduling", None)
        assert source.block
        assert yaml.safe_load(source.text_for_trainer) == original
        seen += 1
    assert seen > 15
