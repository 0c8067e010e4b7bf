"""Parameters out of a checkpoint's header, and headers that lie."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from measured import fingerprint_network
from torch import nn

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.checkpoint import Checkpoint, checkpoint_parameters
from autocal_cli.network.model import Passed
from autocal_cli.network.paragonsr2.family import VARIANTS
from autocal_cli.network.paragonsr2.first import ParagonSR2
from autocal_cli.network.sources import NetworkSources

NETWORK = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4).half())
PARAMETERS = sum(parameter.numel() for parameter in NETWORK.parameters())
STATE = NETWORK.state_dict()
OPTIONS = NetworkOptions("nobody_knows", {}, Place("train.yml", 3, 1), {})


def saved(path: Path, value: object, **options: Any) -> Path:
    torch.save(value, path, **options)
    return path


def safetensors(path: Path, header: Mapping[str, Any] | bytes, size: int = 0, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + b"\0" * size)
    return path


@pytest.mark.parametrize(
    "value",
    [
        STATE,
        dict(STATE),
        {"params": STATE},
        {"params_ema": STATE, "params": {"other": torch.ones(3)}},
        {"state_dict": STATE, "epoch": 3, "lr": 0.1, "name": "x", "flags": [True, None, (1, 2, 3, 4)]},
        {"iter": 5, **STATE},
        dict(NETWORK.named_parameters()),
    ],
)
def test_what_torch_saves(tmp_path: Path, value: object) -> None:
    assert checkpoint_parameters(saved(tmp_path / "net.pth", value)) == PARAMETERS


def test_the_format_before_torch_1_6(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pth", {"params": STATE}, _use_new_zipfile_serialization=False)
    assert checkpoint_parameters(path) == PARAMETERS


def test_tied_parameters_count_once(tmp_path: Path) -> None:
    shared = torch.ones(4, 5)
    for zipped in (True, False):
        path = saved(
            tmp_path / "net.pth", {"a": shared, "b": shared.detach(), "c": shared[:2]},
            _use_new_zipfile_serialization=zipped,
        )  # fmt: skip
        assert checkpoint_parameters(path) == 20


def test_the_count_is_that_of_the_built_network(tmp_path: Path) -> None:
    network = ParagonSR2(**{**VARIANTS["nano"], "scale": 2})
    assert checkpoint_parameters(saved(tmp_path / "n.pth", network.state_dict())) == 10_595


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("sprung"),))


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_but_tensors_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path / "net.pth", {"params": STATE, "trap": Trap()}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="holds more than tensors"):
        checkpoint_parameters(path)
    assert not Path("sprung").exists()


def test_safetensors(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "conv.weight": {"dtype": "F32", "shape": [8, 3], "data_offsets": [0, 96]},
        "conv.bias": {"dtype": "BF16", "shape": [8], "data_offsets": [96, 112]},
        "norm.running_mean": {"dtype": "F32", "shape": [1], "data_offsets": [112, 116]},
        "steps": {"dtype": "I64", "shape": [], "data_offsets": [116, 124]},
    }
    assert checkpoint_parameters(safetensors(tmp_path / "net.safetensors", header, 124)) == 32


ONE = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    ("header", "length", "said"),
    [
        ({"a": {**ONE, "shape": [4, 10**12]}}, None, "claims 4,000,000,000,000 values that are not there"),
        ({"a": {**ONE, "shape": [-4]}}, None, "no type, shape and place that are known"),
        ({"a": {**ONE, "shape": "4"}}, None, "no type, shape and place that are known"),
        ({"a": {**ONE, "dtype": "F99"}}, None, "no type, shape and place that are known"),
        ({"a": {**ONE, "data_offsets": [8, 24]}}, None, "not there"),
        ({"a": {**ONE, "data_offsets": [-16, 0]}}, None, "not there"),
        ({"a": {**ONE, "data_offsets": None}}, None, "no type, shape and place that are known"),
        ({"a": 1}, None, "no type, shape and place that are known"),
        ({"a": ONE}, 2**62, "its header claims 4,611,686,018,427,387,904 bytes"),
        (b'{"a": ', None, "no JSON"),
        (b'{"a": ' + b"[" * 100_000, None, "no JSON"),
        (b"{" + b"\xff", None, "no JSON"),
    ],
)
def test_hostile_safetensors(tmp_path: Path, header: Any, length: int | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checkpoint_parameters(safetensors(tmp_path / "net.safetensors", header, 16, length))


def rezipped(source: Path, target: Path, **changed: bytes | None) -> Path:
    """A copy of a checkpoint with members changed, or left out where None."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = changed.get(Path(name).name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"data.pkl": b""}, "torch cannot load it"),
        ({"data.pkl": b"\x80\x02}."}, "it holds no state dict"),
        ({"data.pkl": b"\x80\x02K\x01t."}, "torch cannot load it"),
        ({"data.pkl": b"not a pickle"}, "damaged"),
        ({"data.pkl": None}, "torch cannot load it"),
        ({"0": None}, "torch cannot load it"),
    ],
)
def test_damaged_archives(tmp_path: Path, changed: dict[str, bytes | None], said: str) -> None:
    whole = saved(tmp_path / "net.pth", {"a": torch.ones(64)})
    with pytest.raises(ValueError, match=said) as caught:
        checkpoint_parameters(rezipped(whole, tmp_path / "changed.pth", **changed))
    assert "\n" not in str(caught.value)


def test_values_that_are_not_there(tmp_path: Path) -> None:
    whole = saved(tmp_path / "net.pth", {"a": torch.ones(100_000)})
    with pytest.raises(ValueError, match=r"claim 400,000 bytes that are not there|torch cannot load it"):
        checkpoint_parameters(rezipped(whole, tmp_path / "changed.pth", **{"0": b"\0"}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither"),
        (b"hello, I am text", "neither"),
        (b"PK\x03\x04 and no more", "torch cannot load it"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j", "damaged|torch cannot load it"),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        checkpoint_parameters(path)


def test_a_checkpoint_speaks_last(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pth", STATE)
    found = fingerprint_network(OPTIONS, 2, NetworkSources(weights=path))
    assert (found.builder, found.parameters, found.macs_per_pixel) == ("checkpoint", PARAMETERS, None)
    assert [finding.code for finding in found.findings] == ["network-from-checkpoint"]
    known = fingerprint_network(NetworkOptions("paragonsr2_nano", {}, Place(""), {}), 2, NetworkSources(weights=path))
    assert (known.builder, known.parameters) == ("built-in", 10_595)


def test_a_checkpoint_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "gone.pth"
    with pytest.raises(AutocalError, match=r"gone\.pth: no parameters can be read from this checkpoint: No such file"):
        Checkpoint(path, required=True).measure(OPTIONS, 2)
    passed = Checkpoint(path, required=False).measure(OPTIONS, 2)
    assert isinstance(passed, Passed)
    assert passed.failed
