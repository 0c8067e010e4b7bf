"""The choice of device, and that torch is not imported for it where it does not pay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from autocal_cli.dataset import workers as devices
from autocal_cli.dataset.workers import Device, accelerator_present, check_device, choose_device
from autocal_cli.errors import AutocalError

MANY = 10_000_000  # images, enough for torch to pay
DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"


def pretend(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool) -> None:
    monkeypatch.setattr(devices, "accelerator_present", lambda: bool(cuda or mps))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "images", "name", "expected"),
    [
        (0, False, MANY, None, "cpu"),
        (0, True, MANY, None, "mps"),
        (2, True, MANY, None, "cuda:0"),
        (2, True, 8, None, "cpu"),
        (2, True, 8, "mps", "mps"),
        (2, True, MANY, "cpu", "cpu"),
        (2, False, 8, "cuda", "cuda"),
        (2, False, 8, "cuda:1", "cuda:1"),
    ],
)
def test_best_or_named_device(monkeypatch, cuda, mps, images, name, expected):
    pretend(monkeypatch, cuda, mps)
    assert choose_device(name, images, workers=2).name == expected


def test_what_was_not_asked_for_is_given_its_reason(monkeypatch):
    pretend(monkeypatch, 0, False)
    assert choose_device(None, 8, 2) == Device("cpu", "no accelerator here")
    pretend(monkeypatch, 1, False)
    assert "8 images before torch" in choose_device(None, 8, 2).reason
    assert choose_device("cpu", 8, 2).reason == ""
    pretend(monkeypatch, 0, False)
    monkeypatch.setattr(devices, "accelerator_present", lambda: True)  # a driver that torch was not built for
    assert choose_device(None, MANY, 2) == Device("cpu", "torch finds no accelerator")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [
        (2, False, ["cuda:0", "cuda:1", "cuda:0"]),
        (1, True, ["cuda:0", "cuda:0", "cuda:0"]),
        (0, True, ["mps", "mps", "mps"]),
        (0, False, ["cpu", "cpu", "cpu"]),
    ],
)
def test_ranks_take_the_devices_in_turn(monkeypatch, cuda, mps, expected):
    pretend(monkeypatch, cuda, mps)
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank, device in enumerate(expected):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        assert choose_device(None, 8, 2).name == device
        assert choose_device("cpu", 8, 2).name == "cpu"


@pytest.mark.parametrize(
    ("cuda", "mps", "name", "available"),
    [
        (0, False, "cuda", "cpu"),
        (2, True, "cuda:2", "cuda:0, cuda:1, mps, cpu"),
        (0, False, "mps", "cpu"),
        (0, False, "gpu", "cpu"),
        (0, False, "", "cpu"),
    ],
)
def test_device_that_is_not_here(monkeypatch, cuda, mps, name, available):
    pretend(monkeypatch, cuda, mps)
    for ask in (check_device, lambda name: choose_device(name, MANY, 2)):
        with pytest.raises(AutocalError) as caught:
            ask(name)
        assert str(caught.value) == f"device {name!r} is not available here. Available: {available}."


@pytest.mark.parametrize(
    ("platform", "machine", "files", "present"),
    [
        ("linux", "x86_64", (), False),
        ("linux", "x86_64", ("nvidia0",), True),
        ("linux", "x86_64", ("kfd",), True),
        ("darwin", "arm64", (), True),
        ("darwin", "x86_64", ("nvidia0",), False),
        ("win32", "AMD64", (), False),
        ("win32", "AMD64", ("System32/nvcuda.dll",), True),
    ],
)
def test_drivers_are_known_by_their_files(monkeypatch, tmp_path, platform, machine, files, present):
    (tmp_path / "System32").mkdir()
    for file in files:
        (tmp_path / file).touch()
    monkeypatch.setattr(devices, "DRIVER_FILES", (str(tmp_path / "nvidia0"), str(tmp_path / "kfd")))
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert accelerator_present() is present


SCAN_WITHOUT_TORCH = """
import sys
from autocal_cli.cli import main
sys.argv = ["autocal", "analyze-dataset", sys.argv[1], "--no-cache", "--quiet", "--json", "--device", "cpu"]
try:
    main()
finally:
    assert not {"torch", "scipy"} & sys.modules.keys()
"""


def test_a_scan_on_the_cpu_does_not_import_torch():
    command = [sys.executable, "-c", SCAN_WITHOUT_TORCH, str(DEMO)]
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert ran.returncode == 0, ran.stderr
