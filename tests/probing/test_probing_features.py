"""Where pretrained features are found, and what is said where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autocal_cli.config.model import LossTerm
from autocal_cli.errors import Place
from autocal_cli.probing.losses import Beside, build_loss
from autocal_cli.probing.model import UnknownLossError
from autocal_cli.probing.perceptual import CHANNELS, FILES, VARIABLE, VggSource, layer_names

TERM = LossTerm("perceptualloss", "perceptual", 1.0, Place(""), arguments={"type": "perceptualloss"})


def shapes(kind: str) -> dict[str, tuple[int, ...]]:
    found, inputs = {}, 3
    for index, name in enumerate(layer_names(kind)):
        if name.startswith("conv"):
            outputs = CHANNELS[int(name[4]) - 1]
            found[f"features.{index}.weight"], found[f"features.{index}.bias"] = (outputs, inputs, 3, 3), (outputs,)
            inputs = outputs
    return found


def save(path: Path, kind: str) -> Path:
    """Weights of the right shapes that take no room: each tensor one number, spread."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.zeros(1).expand(shape) for name, shape in shapes(kind).items()}, path)
    return path


@pytest.fixture(autouse=True)
def bare_machine(tmp_path, monkeypatch) -> Path:
    """Nothing of this machine's own: an empty cache of torch, no variable."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_weights_it_is_said_where_they_were_looked_for():
    with pytest.raises(UnknownLossError, match=r"VGG19 are not on this machine.*vgg19-dcbb9e9d.pth.*downloads nothing"):
        build_loss(TERM, Beside("traiNNer-redux"))


@pytest.mark.parametrize(
    "place",
    ["torch/hub/checkpoints/{}", "trainer/experiments/pretrained_models/{}", "experiments/pretrained_models/{}"],
)
def test_weights_are_found_where_torch_and_trainers_keep_them(bare_machine, place):
    path = save(bare_machine / place.format(FILES["vgg19"]), "vgg19")
    assert VggSource((bare_machine / "trainer",)).find("vgg19") == path
    built = build_loss(TERM, Beside("traiNNer-redux", vgg=VggSource((bare_machine / "trainer",))))
    assert built.note is None
    assert built.macs_per_pixel > 1e5


@pytest.mark.parametrize("named", ["", "own.pth"])
def test_a_variable_names_a_file_or_a_folder(bare_machine, monkeypatch, named):
    path = save(bare_machine / "here" / (named or FILES["vgg19"]), "vgg19")
    monkeypatch.setenv(VARIABLE, str(path if named else path.parent))
    assert VggSource().find("vgg19") == path


def test_a_file_of_the_other_network_is_passed_over(bare_machine, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(save(bare_machine / FILES["vgg16"], "vgg16")))
    assert VggSource().find("vgg19") is None
    assert VggSource().find("vgg16") is not None


@pytest.mark.parametrize(
    ("content", "why"), [(b"no weights", "cannot be read"), (None, "not those of VGG19")], ids=["damaged", "another"]
)
def test_what_cannot_be_used_is_said(bare_machine, content, why):
    path = save(bare_machine / "experiments" / "pretrained_models" / FILES["vgg19"], "vgg16")
    if content:
        path.write_bytes(content)
    with pytest.raises(UnknownLossError, match=why):
        build_loss(TERM, Beside("traiNNer-redux"))
