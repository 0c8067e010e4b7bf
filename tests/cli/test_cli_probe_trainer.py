"""A trainer's own losses, measured in a process of their own out of a small checkout in the shape of traiNNer-redux."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAINER = ROOT / "tests" / "trainer"
CONFIG = """\
scale: 2
network_g: {type: paragonsr2_nano}
datasets: {train: {dataroot_gt: demo_images/hr, lq_size: 8, batch_size_per_gpu: 2}}
train:
  total_iter: 1000
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: insideloss, loss_weight: 0.25}
    - {type: pairloss, loss_weight: 1.0}
    - {type: partsloss, loss_weight: 1.0}
    - {type: threeloss, loss_weight: 1.0}
    - {type: fetchloss, loss_weight: 1.0}
    - {type: quitloss, loss_weight: 1.0}
    - {type: wonderloss, loss_weight: 1.0}
"""


@pytest.fixture
def train(tmp_path, monkeypatch) -> str:
    shutil.copytree(ROOT / "sample_configs" / "demo_images", tmp_path / "demo_images")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.yml").write_text(CONFIG, encoding="utf-8")
    return "train.yml"


def probed(autocal, train: str, *arguments: str | Path) -> dict:
    ran = autocal("calibrate", train, "--no-dataset", "--probe", 2, "--json", *arguments)
    assert ran.code == 0
    return json.loads(ran.out)["probe"]


def test_the_trainers_losses_are_measured_by_their_own_code(autocal, train):
    found = probed(autocal, train, "--trainer", TRAINER)
    l1, inside, pair, parts = found["losses"]
    assert [loss["label"] for loss in found["losses"]] == ["l1", "inside", "pair", "parts"]
    assert inside["value"] == pytest.approx(3 * l1["value"], rel=1e-4)  # the weight of 0.25 is taken out
    assert inside["share"] == pytest.approx(0.75 * l1["share"], rel=1e-4)
    for same in (pair, parts):
        assert same["value"] == pytest.approx(l1["value"], rel=1e-4)
        assert same["gradient"] == pytest.approx(l1["gradient"], rel=1e-4)


def test_a_loss_that_fails_costs_itself_alone_and_says_why(autocal, train):
    reasons = {loss["label"]: loss["reason"] for loss in probed(autocal, train, "--trainer", TRAINER)["unmeasured"]}
    assert set(reasons) == {"three", "fetch", "quit", "wonder"}
    assert "missing 1 required positional argument" in reasons["three"]
    assert reasons["fetch"] == "it needs weights that are not on this machine, and autocal downloads nothing"
    assert "SystemExit" in reasons["quit"]
    assert "the trainer has no wonderloss" in reasons["wonder"]


def test_a_loss_that_ends_its_process_costs_itself_alone(autocal, train):
    text = CONFIG[: CONFIG.index("    - {type: insideloss")]
    named = ("goneloss", "pairloss")
    losses = "".join(f"    - {{type: {name}, loss_weight: 1.0}}\n" for name in named)
    Path(train).write_text(text + losses, encoding="utf-8")
    found = probed(autocal, train, "--trainer", TRAINER)
    assert [loss["label"] for loss in found["losses"]] == ["l1", "pair"]
    (gone,) = found["unmeasured"]
    assert (gone["label"], gone["reason"]) == ("gone", "it ended its process (exit code 3)")


def test_what_a_loss_draws_at_random_is_the_same_beside_any_others(autocal, train):
    text = CONFIG[: CONFIG.index("    - {type: insideloss")] + 2 * "    - {type: drawnloss, loss_weight: 1.0}\n"
    Path(train).write_text(text, encoding="utf-8")
    _, drawn, again = probed(autocal, train, "--trainer", TRAINER)["losses"]
    assert drawn["value"] == again["value"]


JUDGED = """\
scale: 2
network_g: {type: paragonsr2_nano}
network_d: {type: DISCRIMINATOR}
datasets: {train: {dataroot_gt: demo_images/hr, lq_size: 8, batch_size_per_gpu: 2}}
train:
  total_iter: 1000
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: ldlloss, loss_weight: 1.0}
    - {type: ganloss, gan_type: hinge, loss_weight: 0.1}
"""


@pytest.mark.parametrize(
    ("discriminator", "value", "note"),
    [
        ("plain", pytest.approx(7.0, abs=1.0), None),  # the trainer's own, which returns 7 - mean
        ("unetdiscriminatorsn", pytest.approx(0.0, abs=1.0), "has no discriminator unetdiscriminatorsn"),
    ],
)
def test_the_trainers_discriminator_judges_where_it_has_it_and_autocals_where_not(
    autocal, train, discriminator, value, note
):
    Path(train).write_text(JUDGED.replace("DISCRIMINATOR", discriminator), encoding="utf-8")
    found = probed(autocal, train, "--trainer", TRAINER)
    l1, ldl, gan = found["losses"]
    assert ldl["value"] == pytest.approx(l1["value"], rel=1e-4)
    assert gan["value"] == value
    assert gan["gradient"] > 0.0
    assert (gan["note"] or "").count(note or "nothing") == (1 if note else 0)
    assert found["code"] == "traiNNer-redux"


def test_without_the_trainer_its_losses_are_not_known(autocal, train):
    found = probed(autocal, train)
    assert [loss["label"] for loss in found["losses"]] == ["l1"]
    assert {loss["reason"] for loss in found["unmeasured"]} == {"not known here"}
