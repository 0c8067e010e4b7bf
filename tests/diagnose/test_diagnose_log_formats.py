"""Lines of text logs in the shapes that the trainers print."""

from __future__ import annotations

import math

import pytest
from run_logs import LINES, basicsr_line, redux_line

from autocal_cli.diagnose.log_formats import RunTable, TextReader
from autocal_cli.diagnose.model import RunLog

VALUES = {
    "l_g_l1": 0.061181,
    "l_g_perceptual_conv3_4": 1.5,
    "l_g_gan": -0.25,
    "l_g_total": 1.3112,
    "scale_g": 65536.0,
    "l_d_real": 0.5,
    "out_d_real": 1.0,
}


def read(text: str | list[str]) -> tuple[RunTable, dict[str, str], TextReader]:
    table, facts = RunTable(), dict[str, str]()
    reader = TextReader(table, facts)
    reader.read([text] if isinstance(text, str) else text)
    return table, facts, reader


def points(text: str | list[str]) -> dict[str, dict[int, float]]:
    table = read(text)[0]
    return {
        label: dict(zip(track.iterations, track.values, strict=True))
        for label, track in table.tracks().items()
        if label not in ("lr", "time", "data_time")
    }


@pytest.mark.parametrize("trainer", LINES)
@pytest.mark.parametrize("iteration", [1, 100, 1_000, 1_234_567, 123_456_789])
def test_reads_iteration_and_numbers_of_every_trainer(trainer, iteration):
    found = points(LINES[trainer](iteration, VALUES))
    assert found == {label: {iteration: pytest.approx(value)} for label, value in VALUES.items()}


@pytest.mark.parametrize(
    ("trainer", "time", "data"),
    [("redux", 1 / 4.729, None), ("basicsr", 0.501, 0.003), ("fork", 1 / 4.729, None), ("neosr", 1 / 4.729, None)],
)
def test_reads_rate_and_times_of_every_trainer(trainer, time, data):
    tracks = read([LINES[trainer](100, VALUES), LINES[trainer](200, VALUES)])[0].tracks()
    assert list(tracks["lr"].values) == [1e-4, 1e-4]
    assert tracks["time"].values[1] == pytest.approx(time)
    assert tracks["data_time"].values[1] == (pytest.approx(data) if data else pytest.approx(math.nan, nan_ok=True))


@pytest.mark.parametrize("trainer", LINES)
def test_a_loss_that_begins_later_or_goes_is_read_where_it_stands(trainer):
    rows = [(100, {"l_g_l1": 1.0}), (200, {"l_g_l1": 2.0, "l_g_gan": 3.0}), (300, {"l_g_gan": 4.0}),
            (400, {"l_g_gan": 4.5, "l_g_l1": 5.0}), (500, {"l_g_l1": 6.0})]  # fmt: skip
    found = points([LINES[trainer](at, values) for at, values in rows])
    assert found == {"l_g_l1": {100: 1.0, 200: 2.0, 400: 5.0, 500: 6.0}, "l_g_gan": {200: 3.0, 300: 4.0, 400: 4.5}}


@pytest.mark.parametrize("end", ["l_g_gan:", "l_g_gan: many", "l_g_gan 3.0", "and more"])
def test_of_a_line_that_goes_wrong_what_was_right_is_read(end):
    whole = redux_line(100, {"l_g_l1": 1.0, "l_g_gan": 2.0})
    broken = redux_line(200, {"l_g_l1": 3.0}).rstrip() + f" {end}\n"
    assert points([whole, broken]) == {"l_g_l1": {100: 1.0, 200: 3.0}, "l_g_gan": {100: 2.0}}


def test_values_that_are_no_numbers_are_kept():
    line = redux_line(100, {"l_g_l1": 1.0}).replace("1.0000e+00", "nan l_g_gan: inf l_g_a: -inf")
    found = points([redux_line(50, {"l_g_l1": 1.0}), line])
    assert (found["l_g_gan"][100], found["l_g_a"][100]) == (math.inf, -math.inf)
    assert math.isnan(found["l_g_l1"][100])


@pytest.mark.parametrize(
    "line",
    [
        "2024-07-02 21:41:17,816 INFO: Start training from epoch: 0, iter: 0.\n",
        "2024-07-02 21:41:17,816 INFO: Validation demo\n",
        "l_g_l1: 1.0e-02 without a head\n",
        "[epoch:   0, iter:     100, lr:(1.000e-04)] [performance: 4.729 it/s] \n",
        "\n",
    ],
)
def test_other_lines_hold_no_point(line):
    assert points(line) == {}


VALIDATION = {
    "redux": "2024-07-02 21:41:18,000 INFO: Validation a set\n\t # psnr : 28.1000\tBest: 28.1000 @       300 iter\n"
    "\t # ssim :  0.8000\tBest:  0.8100 @       100 iter\n\n",
    "basicsr": "2024-07-02 21:41:18,000 INFO: Validation a set\n\t # psnr: 28.1000\tBest: 28.1000 @ 300 iter\n"
    "\t # ssim: 0.8000\tBest: 0.8100 @ 100 iter\n\n",
    "neosr": "2024-07-02 21:41:18,000 INFO: Validation a set\n\n\t # psnr: 28.1000\x1b[32m........ Best: 28.1000 @ 300 "
    "iter\x1b[0m\n\t # ssim: 0.8000\x1b[32m........ Best: 0.8100 @ 100 iter\x1b[0m\n",
}


@pytest.mark.parametrize("trainer", VALIDATION)
def test_validations_are_read_with_the_iteration_that_their_best_value_gives(trainer):
    lines = [redux_line(300, VALUES), *VALIDATION[trainer].splitlines(keepends=True), redux_line(400, VALUES)]
    found = read(lines)[0].validations
    assert [(one.iteration, one.dataset, dict(one.metrics)) for one in found] == [
        (300, "a set", {"psnr": 28.1, "ssim": 0.8})
    ]


@pytest.mark.parametrize(
    ("options", "last", "iteration"),
    [
        (["  val_freq: 250\n"], 400, 500),
        (["  val_freq: !!float 5e2\n"], 500, 500),
        ([], 400, 400),  # no option, not the best: at or after the line before
    ],
)
def test_the_iteration_of_a_validation_is_told_by_val_freq(options, last, iteration):
    lines = ["2024-07-02 21:41:18,000 INFO: Validation a\n", "\t # psnr: 28.1000\tBest: 29.0000 @ 100 iter\n"]
    found = read([*options, redux_line(last, VALUES), *lines])[0].validations
    assert [one.iteration for one in found] == [iteration]


def test_what_the_trainer_printed_before_it_started_is_known():
    text = """\
  model_type: SRGANModel
  train:[
    total_iter: 400000
    pixel_opt:[
      type: L1Loss
      loss_weight: 1.0
    gan_opt:[
      type: GANLoss
      gan_type: vanilla
      loss_weight: 0.005
  losses:
  - type: mssimloss
    loss_weight: !!float 5e-1  # a comment
"""
    facts = read([*text.splitlines(keepends=True), basicsr_line(100, VALUES)])[1]
    assert facts == {
        "model_type": "SRGANModel",
        "total_iter": "400000",
        "weight:l1loss": "1.0",
        "gan_type": "vanilla",
        "weight:ganloss": "0.005",
        "weight:mssimloss": "5e-1",
        "trainer": "BasicSR",
    }


COUNTS = {
    "BasicSR": "\tNumber of train images: 150\n\tDataset enlarge ratio: 50\n\tBatch size per gpu: 4\n"
    "\tWorld size (gpu number): 2\n\tRequire iter number per epoch: 938\n\tTotal epochs: 2; iters: 300.\n",
    "traiNNer-redux": "\tNumber of train image pairs:          150\tDataset enlarge ratio:                 20\n"
    "\tBatch size per gpu:                     2\tAccumulate iterations:                  2\n"
    "\tWorld size (gpu number):                2\tRequire iter per epoch:               375\n",
    "neosr": "-------- GPUs detected: 2\n-------- Patch size: 48\n-------- Dataset size: 150\n"
    "-------- Batch size per gpu: 2\n-------- Accumulated batches: 4\n-------- Required iters per epoch: 10\n",
}


@pytest.mark.parametrize("trainer", COUNTS)
def test_how_many_images_there_are_and_how_often_each_was_taken_is_known(trainer):
    table, facts, _ = read([*COUNTS[trainer].splitlines(keepends=True), basicsr_line(300, VALUES)])
    assert RunLog("text logs", (), table.tracks(), facts=facts).trained_on == (150, 16)
    del facts["images"]
    assert RunLog("text logs", (), table.tracks(), facts=facts).trained_on is None


@pytest.mark.parametrize(
    ("lines", "ending", "causes"),
    [
        (["2024-07-02 21:41:18,000 INFO: End of training. Time consumed: 0:00:10\n"], "finished", []),
        (["2024-07-02 21:41:18,000 INFO: User interrupted. Preparing to save state...\n"], "stopped", []),
        (["2024-07-02 21:41:18,000 INFO: \x1b[92mInterrupted, saving latest models.\x1b[0m\n"], "stopped", []),
        ([], "unsaid", []),
        (
            ["2024-07-02 21:41:18,000 ERROR: out\n", "Traceback (most recent call last):\n",
             '  File "x.py", line 1, in f\n', "RuntimeError: Ran out of VRAM\n"],
            "crashed", ["RuntimeError: Ran out of VRAM"],
        ),
        (
            ["2024-07-02 21:41:18,000 WARNING: NaN/Inf in loss (count: 1), skipping update\n"],
            "unsaid", ["NaN or infinity in the sum, 1 in a row"],
        ),
        (
            ["2024-07-02 21:41:18,000 WARNING: autocal: iteration 90: l_g_gan: spike (value 3); nothing was changed\n"],
            "unsaid", ["spike (value 3)"],
        ),
        (
            ["2024-07-02 21:41:18,000 WARNING: autocal: iteration 10: *: no adversarial loss; no weight is moved; "
             "the watch is kept\n"],
            "unsaid", ["no adversarial loss"],
        ),
        (
            ["2024-07-02 21:41:18,000 WARNING: autocal: iteration 41: discriminator blind; was healthy\n"],
            "unsaid", ["discriminator blind"],
        ),
    ],
)  # fmt: skip
def test_the_end_and_what_is_said_in_words(lines, ending, causes):
    table, _, reader = read([redux_line(100, VALUES), *lines])
    assert (reader.session().ending, [event.cause for event in table.events]) == (ending, causes)


@pytest.mark.parametrize(
    ("said", "ending", "causes"),
    [
        ("RuntimeError: the trainer's own trouble", "crashed", ["RuntimeError: the trainer's own trouble"]),
        ("KeyboardInterrupt: by hand", "stopped", []),
    ],
)
def test_what_autocal_run_says_of_the_end_is_read(said, ending, causes):
    line = f"2024-07-02 21:41:17,816 ERROR: autocal: the training broke off: {said}\n"
    table, _, reader = read([redux_line(100, {"l_g_l1": 1.0}), line])
    assert (reader.ending, [event.cause for event in table.events]) == (ending, causes)


def test_the_verdict_at_the_end_of_a_log_is_no_line_of_the_trainer():
    said = "autocal: progress: Validation val: End of training, NaN/Inf in loss (count: 3) User interrupted\n"
    table, _, reader = read([redux_line(100, {"l_g_l1": 1.0}), f"2024-07-02 21:41:17,816 INFO: {said}"])
    assert (reader.ending, table.events) == ("unsaid", [])


@pytest.mark.parametrize(
    ("said", "facts", "at"),
    [
        ("Saving models and training states to experiments folder for epoch: 3, iter: 1,234.", [], 1_234),
        ("Saving models and training states.", ["  save_checkpoint_freq: !!float 5e3\n"], 5_000),
        ("Saving models and training states.", [], 4_900),
    ],
)
def test_checkpoints_are_known_from_what_the_trainer_says(said, facts, at):
    lines = [*facts, basicsr_line(4_900, {"l_pix": 1.0}), f"2024-07-02 21:41:17,816 INFO: {said}\n"]
    assert read(lines)[0].saved == [at]


def test_checkpoints_of_a_session_that_was_trained_again_are_forgotten():
    saved = "2024-07-02 21:41:17,816 INFO: Saving models and training states to x for epoch: 0, iter: {}.\n"
    again = "2024-07-02 21:41:17,816 INFO: Start training from epoch: 0, iter: 100\n"
    lines = [redux_line(100, {"l_g_l1": 1.0}), saved.format(100), redux_line(300, {"l_g_l1": 1.0}), saved.format(300)]
    assert read([*lines, again, redux_line(200, {"l_g_l1": 1.0})])[0].saved == [100]


def test_a_trainer_that_stops_by_itself_says_why():
    said = "Training stopped by automation: val/psnr genuinely plateauing (flat trend, no recent gains)"
    _, facts, reader = read([redux_line(100, {"l_g_l1": 1.0}), f"2025-12-18 02:03:28,661 INFO: {said}\n"])
    assert (reader.ending, facts["stopped by"]) == (
        "stopped", "val/psnr genuinely plateauing (flat trend, no recent gains)",
    )  # fmt: skip
