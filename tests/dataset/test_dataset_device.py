"""The choice of device."""

from __future__ import annotations

import pytest
import torch

from autocal_cli.dataset.scan import pick_device
from autocal_cli.errors import AutocalError


@pytest.mark.parametrize(
    ("cuda", "mps", "name", "expected"),
    [
        (0, False, None, "cpu"),
        (0, True, None, "mps"),
        (2, True, None, "cuda:0"),
        (2, True, "cpu", "cpu"),
        (2, False, "cuda", "cuda"),
        (2, False, "cuda:1", "cuda:1"),
        (0, True, "mps", "mps"),
    ],
)
def test_best_or_named_device(monkeypatch, cuda, mps, name, expected):
    pretend(monkeypatch, cuda, mps)
    assert pick_device(name) == torch.device(expected)


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
    for rank, device in enumerate(expected):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        assert pick_device() == torch.device(device)
        assert pick_device("cpu") == torch.device("cpu")


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
    with pytest.raises(AutocalError) as caught:
        pick_device(name)
    assert str(caught.value) == f"device {name!r} is not available here. Available: {available}."


def pretend(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
