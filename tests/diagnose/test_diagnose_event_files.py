"""Event files as torch's SummaryWriter writes them, which is what the trainers use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autocal_cli.diagnose.logs import read_event_file
from autocal_cli.errors import AutocalError

pytest.importorskip("tensorboard")


def write(folder: Path, rows: list[tuple[int, dict[str, float]]]) -> Path:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for iteration, scalars in rows:
            for tag, value in scalars.items():
                writer.add_scalar(tag, value, iteration)
    return next(folder.iterdir())


ROWS = [
    (100, {"losses/l_g_l1": 0.5, "losses/l_g_total": 0.5, "losses/l_d_real": 0.7, "scales/scale_g": 65536.0}),
    (200, {"losses/l_g_l1": 0.25, "metrics/demo/psnr": 28.0, "lr": 1e-4, "metrics/scale_g": 32768.0}),
    (300, {"metrics/demo/psnr": 28.5}),
    (400, {"loss_multipliers/l_g_l1": 0.5, "losses/loss_multipliers/l_g_a/b": 2.0, "loss_shares/l_g_l1": 1.0}),
]
POINTS = [
    (100, {"l_g_l1": 0.5, "l_g_total": 0.5, "scale_g": 65536.0}),
    (200, {"l_g_l1": 0.25, "scale_g": 32768.0}),
    (400, {"loss_multipliers/l_g_l1": 0.5, "loss_multipliers/l_g_a/b": 2.0}),
]


def read(path: Path) -> list:
    return [point and (point.iteration, dict(point.values)) for point in read_event_file(path)]


def test_reads_the_losses_and_the_loss_scale(tmp_path):
    assert read(write(tmp_path, ROWS)) == POINTS


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_record_cut_short_is_left_out_and_said(tmp_path, cut):
    path = write(tmp_path, ROWS)
    path.write_bytes(path.read_bytes()[:-cut])
    assert read(path) == [*POINTS, None]  # the last record is that of step 300


def test_a_damaged_record_ends_the_reading_and_is_said(tmp_path):
    path = write(tmp_path, ROWS)
    data = path.read_bytes()
    at = data.rindex(b"losses/l_g_l1")  # of step 200
    path.write_bytes(data[:at] + b"X" + data[at + 1 :])
    assert read(path) == [POINTS[0], None]


def test_an_empty_file_holds_nothing(tmp_path):
    path = tmp_path / "events.out.tfevents.1.x"
    path.touch()
    assert read(path) == []


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes(b"this is some text, no event file")
    with pytest.raises(AutocalError, match="not a TensorBoard event file"):
        read(path)


def test_without_tensorboard_one_line_says_what_to_install(tmp_path, monkeypatch):
    path = write(tmp_path, ROWS)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_file_loader", None)
    with pytest.raises(AutocalError, match=r"pip install 'autocal-cli\[events\]'"):
        read(path)
