"""Which trainer a config is for, told by its shape; and where each trainer keeps what calibration needs."""

from __future__ import annotations

from collections import Counter
from textwrap import dedent

import pytest

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.trainers import TRAINERS, recognise_trainer
from autocal_cli.config.yaml.document import lookup
from autocal_cli.errors import AutocalError

LOSS_LIST = "losses: [{type: l1loss}]"
LOSS_TABLE = "pixel_opt: {type: L1Loss}"


def recorded(trainer: str) -> str:
    """A block in which a calibration says for which trainer it was."""
    return f"{{calibration: {{made: {{trainer: {trainer}}}}}}}"


IO_BACKEND = "datasets: {train: {io_backend: {type: disk}}}"


@pytest.mark.parametrize(
    ("text", "trainer"),
    [
        (f"train: {{{LOSS_LIST}}}", "traiNNer-redux"),
        (f"train: {{{LOSS_TABLE}}}", "traiNNer-redux"),
        (f"train: {{{LOSS_LIST}, grad_clip_max_norm: 1.0}}", "traiNNer-redux"),
        (f"high_order_degradation: true\ntrain: {{{LOSS_LIST}}}", "traiNNer-redux"),
        (f"{IO_BACKEND}\ntrain: {{{LOSS_LIST}}}", "traiNNer-redux"),
        (f"model_type: sr\ntrain: {{{LOSS_LIST}}}", "traiNNer-redux"),
        (f"model_type: [SRModel]\ntrain: {{{LOSS_LIST}}}", "traiNNer-redux"),
        (f"train: {{{LOSS_LIST}, dynamic_loss_scheduling: {{}}}}", "traiNNer-redux-fork"),
        (f"train: {{{LOSS_LIST}, dynamic_loss_scheduling: ~}}", "traiNNer-redux-fork"),
        (f"train: {{{LOSS_LIST}, training_automations: {{}}}}", "traiNNer-redux-fork"),
        (f"auto_vram_management: {{enabled: true}}\ntrain: {{{LOSS_LIST}}}", "traiNNer-redux-fork"),
        (f"webp_prob: 0.5\ntrain: {{{LOSS_LIST}}}", "traiNNer-redux-fork"),
        (f"model_type: SRModel\ntrain: {{{LOSS_TABLE}}}", "BasicSR"),
        (f"model_type: SRModel\ntrain: {{{LOSS_TABLE}, dynamic_loss_scheduling: {{}}}}", "BasicSR"),
        (f"{IO_BACKEND}\ntrain: {{{LOSS_TABLE}}}", "BasicSR"),
        (f"model_type: RealESRGANModel\ntrain: {{{LOSS_TABLE}}}", "Real-ESRGAN"),
        (f"model_type: RealESRNetModel\nl1_gt_usm: true\ntrain: {{{LOSS_TABLE}}}", "Real-ESRGAN"),
        (f"model_type: RealESRGANModel\ntrain: {{{LOSS_TABLE}, dynamic_loss_scheduling: {{}}}}", "Real-ESRGAN"),
        (f"train: {{{LOSS_LIST}, dynamic_loss_scheduling: {recorded('traiNNer-redux')}}}", "traiNNer-redux"),
        (f"train: {{{LOSS_TABLE}, dynamic_loss_scheduling: {recorded('BasicSR')}}}", "BasicSR"),
        (f"train: {{{LOSS_LIST}, dynamic_loss_scheduling: {recorded('traiNNer-redux-fork')}}}", "traiNNer-redux-fork"),
        (f"train: {{{LOSS_LIST}, dynamic_loss_scheduling: {recorded('nobody')}}}", "traiNNer-redux-fork"),
        (f"train: {{{LOSS_LIST}, dynamic_loss_scheduling: {recorded('neosr')}}}", "traiNNer-redux-fork"),  # not TOML
        (f"train: {{{LOSS_LIST}, dynamic_loss_scheduling: {recorded('[BasicSR]')}}}", "traiNNer-redux-fork"),
        (f"webp_prob: 1\ntrain: {{dynamic_loss_scheduling: {recorded('traiNNer-redux')}}}", "traiNNer-redux-fork"),
    ],
)
def test_a_config_tells_its_trainer(text, trainer):
    document = parse_document(text.encode(), "train.yml")
    assert recognise_trainer(document).trainer == trainer
    assert read_training_config(document).trainer == trainer


@pytest.mark.parametrize("layout", [layout for layout in TRAINERS if layout.language == "yaml"])
def test_a_kind_overrides_the_shape(layout):
    document = parse_document(b"model_type: SRModel\ntrain: {}\n", "train.yml")
    assert recognise_trainer(document, layout.trainer) is layout
    assert recognise_trainer(document, layout.trainer.upper()) is layout


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("basicssr", "There is no trainer kind basicssr. Known: traiNNer-redux, traiNNer-redux-fork, BasicSR, "),
        ("neosr", "train.yml: neosr reads TOML; this is YAML."),
    ],
)
def test_a_kind_that_cannot_be(kind, message):
    with pytest.raises(AutocalError) as caught:
        recognise_trainer(parse_document(b"train: {}\n", "train.yml"), kind)
    assert str(caught.value).startswith(message)


def test_toml_is_neosrs():
    document = parse_document(b"model_type = 'SRModel'\n[train]\n", "train.toml")
    assert recognise_trainer(document).trainer == "neosr"
    assert recognise_trainer(document, "neosr").trainer == "neosr"
    with pytest.raises(AutocalError, match="BasicSR reads YAML; this is TOML"):
        recognise_trainer(document, "BasicSR")


CROPS = """
    scale: 4
    model_type: {model_type}
    gt_size: 256
    datasets:
      train: {{gt_size: 400}}
      train_2: {{lq_size: 32}}
      val: {{gt_size: 128}}
    train: {{}}
"""


@pytest.mark.parametrize(("model_type", "crops"), [("SRModel", [400, 128, 128]), ("RealESRGANModel", [256, 256, 128])])
def test_real_esrgan_crops_after_its_degradations(model_type, crops):
    document = parse_document(dedent(CROPS).format(model_type=model_type).encode(), "train.yml")
    assert [section.gt_size for section in read_training_config(document).datasets] == crops


@pytest.mark.corpus
def test_every_real_config_tells_its_trainer(corpus):
    """The folders name the trainer; where a fork's file uses nothing of the fork's own, nothing can tell them apart."""
    told: Counter[tuple[str, str]] = Counter()
    for path in sorted((corpus / "configs").glob("*/*.y*ml")):
        document = parse_document(path.read_bytes(), str(path))
        if lookup(document, ("train",)) is not None:
            told[path.parent.name, recognise_trainer(document).trainer.lower()] += 1
    wrong = {pair: count for pair, count in told.items() if pair[0].lower() != pair[1]}
    assert sum(told.values()) > sum(wrong.values()) * 2
    assert set(wrong) <= {
        ("trainner-redux-fork", "trainner-redux"),  # templates taken over from traiNNer-redux as they were
        ("basicsr", "real-esrgan"),  # BasicSR's copy of a Real-ESRGAN config
    }
