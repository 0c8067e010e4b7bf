"""Event files as torch's SummaryWriter writes them, which is what the trainers use."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from autocal_cli.diagnose.logs import EventReader, LogReader, read_records
from autocal_cli.errors import AutocalError


def record(message: bytes) -> bytes:
    return struct.pack("<Q", len(message)) + b"\0\0\0\0" + message + b"\0\0\0\0"


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def event(step: int, value: bytes) -> bytes:
    return record(b"\x09" + struct.pack("<d", 1.0) + bytes([0x10, step]) + field(5, field(1, value)))


SIMPLE = field(1, b"losses/l_g_l1") + b"\x15" + struct.pack("<f", 0.5)


@pytest.mark.parametrize(
    ("value", "scalars"),
    [
        (SIMPLE, [(7, "losses/l_g_l1", 0.5)]),
        (field(1, b"a") + field(8, b"\x08\x01" + field(4, struct.pack("<f", 0.25))), [(7, "a", 0.25)]),
        (field(1, b"a") + field(8, b"\x08\x01" + field(5, struct.pack("<f", 0.25))), [(7, "a", 0.25)]),
        (field(1, b"a") + field(8, b"\x08\x02" + field(4, struct.pack("<d", 0.25))), [(7, "a", 0.25)]),
        (field(1, b"a") + field(8, b"\x08\x02" + field(6, struct.pack("<d", 0.25))), [(7, "a", 0.25)]),
        (field(1, b"a") + field(8, b"\x08\x01" + field(4, struct.pack("<ff", 1.0, 2.0))), []),  # no scalar
        (field(1, b"a picture") + field(4, b"png"), []),
    ],
)
def test_every_form_of_a_scalar(value, scalars):
    data = event(7, value)
    assert read_records(data) == (scalars, len(data), False)


ROWS = [
    (100, {"losses/l_g_l1": 0.5, "losses/l_g_total": 0.5, "losses/l_d_real": 0.75, "scales/scale_g": 65536.0}),
    (200, {"losses/l_g_l1": 0.25, "metrics/demo/psnr": 28.0, "metrics/scale_g": 32768.0, "system/vram": 1.0}),
    (300, {"metrics/demo/psnr": 28.5, "metrics/demo/ssim": 0.5}),
    (400, {"loss_multipliers/l_g_l1": 0.5, "metrics/autocal/cost": 0.25}),
]


def write(folder: Path, rows: list[tuple[int, dict[str, float]]]) -> Path:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    before = set(folder.iterdir()) if folder.exists() else set()
    with SummaryWriter(str(folder)) as writer:
        for iteration, scalars in rows:
            for tag, value in scalars.items():
                writer.add_scalar(tag, value, iteration)
    return next(path for path in folder.iterdir() if path not in before)


def test_losses_scales_metrics_and_the_schedulers_own(tmp_path):
    write(tmp_path, ROWS)
    log = LogReader().read(tmp_path)
    assert {label: dict(zip(one.iterations, one.values, strict=True)) for label, one in log.tracks.items()} == {
        "l_g_l1": {100: 0.5, 200: 0.25},
        "l_g_total": {100: 0.5},
        "l_d_real": {100: 0.75},
        "scale_g": {100: 65536.0, 200: 32768.0},
        "loss_multipliers/l_g_l1": {400: 0.5},
        "autocal/cost": {400: 0.25},
    }
    assert [(one.iteration, dict(one.metrics)) for one in log.validations] == [
        (200, {"psnr": 28.0}), (300, {"psnr": 28.5, "ssim": 0.5}),
    ]  # fmt: skip


def test_the_same_scalars_as_tensorboard_reads(tmp_path):
    path = write(tmp_path, ROWS)
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    expected = [
        (event.step, value.tag, value.simple_value)
        for event in LegacyEventFileLoader(str(path)).Load()
        for value in event.summary.value
    ]
    assert read_records(path.read_bytes())[0] == expected


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_record_cut_short_is_left_out_and_said(tmp_path, cut):
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes((event(1, SIMPLE) + event(2, SIMPLE))[:-cut])
    log = LogReader().read(tmp_path)
    assert (list(log.tracks["l_g_l1"].iterations), log.truncated) == ([1], (str(path),))


def test_a_damaged_record_ends_the_reading_and_is_said(tmp_path):
    path = tmp_path / "events.out.tfevents.1.x"
    broken = bytearray(event(2, SIMPLE))
    broken[12 + 12] = 0xFF  # the length of its summary
    path.write_bytes(event(1, SIMPLE) + bytes(broken) + event(3, SIMPLE))
    log = LogReader().read(tmp_path)
    assert (list(log.tracks["l_g_l1"].iterations), log.truncated) == ([1], (str(path),))


def test_an_empty_file_holds_nothing(tmp_path):
    (tmp_path / "events.out.tfevents.1.x").write_bytes(event(1, SIMPLE))
    (tmp_path / "events.out.tfevents.2.x").touch()
    log = LogReader().read(tmp_path)
    assert (len(log.sessions), log.truncated) == (1, ())


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes(b"this is some text, no event file")
    with pytest.raises(AutocalError, match="not a TensorBoard event file"):
        LogReader().read(tmp_path)


def test_event_files_of_a_resumed_run_are_joined_by_their_time(tmp_path):
    (tmp_path / "events.out.tfevents.2.x").write_bytes(event(20, SIMPLE) + event(30, SIMPLE))
    (tmp_path / "events.out.tfevents.1.x").write_bytes(event(10, SIMPLE) + event(20, SIMPLE))
    log = LogReader().read(tmp_path)
    assert (list(log.tracks["l_g_l1"].iterations), log.superseded, len(log.sessions)) == ([10, 20, 30], 1, 2)


def test_of_event_files_that_grow_only_what_is_new_is_read(tmp_path, monkeypatch):
    """Also where the reading ends within a record, and within the scalars of one step."""
    other = SIMPLE.replace(b"losses/l_g_l1", b"losses/l_g_gan").replace(b"\x0a\x0d", b"\x0a\x0e")
    whole = b"".join(event(step, value) for step in (10, 20, 30) for value in (SIMPLE, other))
    taken: list[int] = []
    take = EventReader.take
    monkeypatch.setattr(EventReader, "take", lambda self, data: taken.append(len(data)) or take(self, data))
    path, reader = tmp_path / "events.out.tfevents.1.x", LogReader()
    for end in range(len(event(1, SIMPLE)), len(whole) + 1, 7):
        path.write_bytes(whole[:end])
        log, fresh = reader.read(tmp_path), LogReader().read(tmp_path)
        assert log == fresh
        taken.clear()
    reader.read(tmp_path)
    path.write_bytes(whole)
    log = reader.read(tmp_path)
    assert taken[-1] < len(event(1, SIMPLE)) + 7
    assert {label: list(track.iterations) for label, track in log.tracks.items()} == {
        "l_g_l1": [10, 20, 30], "l_g_gan": [10, 20, 30],
    }  # fmt: skip
    assert log.superseded == 0
