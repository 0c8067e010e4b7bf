"""Which label in the logs belongs to which loss of the config. Sources of the labels: the trainers' models."""

from __future__ import annotations

import pytest

from autocal_cli.config.document import parse_document
from autocal_cli.config.layout import read_training_config
from autocal_cli.replay.labels import match_losses, unmatched_labels
from autocal_cli.replay.raw_values import raw_value
from autocal_cli.replay.record import LoggedLoss, LoggedPoint

LISTED = """
train:
  losses:
    - {type: L1Loss, loss_weight: 1.0}
    - {type: PerceptualLoss, loss_weight: 0.1}
    - {type: ganloss, loss_weight: -0.05}
    - {type: MSELoss, loss_weight: 0}
"""
TABLES = """
train:
  pixel_opt: {type: L1Loss, loss_weight: !!float 1e-2}
  perceptual_opt: {type: PerceptualLoss, perceptual_weight: 2.0, style_weight: 0.5}
  gan_opt: {type: GANLoss, loss_weight: 0.005}
  ldl_opt: {type: LDLLoss, loss_weight: 3.0}
"""
CASES = [
    ("traiNNer-redux", LISTED, ("l_g_l1", "l_g_perceptual", "l_g_gan", "l_g_total"),
     {"l_g_l1": ("l_g_l1", 1.0), "l_g_perceptual": ("l_g_perceptual", 0.1), "l_g_gan": ("l_g_gan", 0.05)}),
    ("components", LISTED, ("l_g_l1", "l_g_perceptual_conv3_4", "l_g_perceptual_conv4_4"),
     {"l_g_l1": ("l_g_l1", 1.0), "l_g_perceptual/conv3_4": ("l_g_perceptual_conv3_4", 0.1),
      "l_g_perceptual/conv4_4": ("l_g_perceptual_conv4_4", 0.1)}),
    ("a weight of 0 is skipped", LISTED, ("l_g_mse",), {}),
    ("BasicSR without a discriminator", TABLES, ("l_pix", "l_percep", "l_style"),
     {"l_pix": ("l_pix", 0.01), "l_percep": ("l_percep", 2.0), "l_style": ("l_style", 0.5)}),
    ("BasicSR with one", TABLES, ("l_g_pix", "l_g_ldl", "l_g_percep", "l_g_style", "l_g_gan", "l_d_real"),
     {"l_g_pix": ("l_g_pix", 0.01), "l_g_percep": ("l_g_percep", 2.0), "l_g_style": ("l_g_style", 0.5),
      "l_g_gan": ("l_g_gan", 0.005), "l_g_ldl": ("l_g_ldl", 3.0)}),
    ("tables read by traiNNer-redux", TABLES, ("l_g_l1",), {"l_g_l1": ("l_g_l1", 0.01)}),
    ("a fork's name for other adversarial losses", "train: {losses: [{type: R3GANLoss, loss_weight: 0.2}]}",
     ("l_g_gan",), {"l_g_gan": ("l_g_gan", 0.2)}),
    ("of two of a type the last counts",
     "train: {losses: [{type: L1Loss, loss_weight: 1.0}, {type: L1Loss, loss_weight: 0.5}]}",
     ("l_g_l1",), {"l_g_l1": ("l_g_l1", 0.5)}),
    ("a longer name is no component",
     "train: {losses: [{type: GANLoss, loss_weight: 1.0}, {type: gan_featloss, loss_weight: 0.5}]}",
     ("l_g_gan_feat",), {"l_g_gan_feat": ("l_g_gan_feat", 0.5)}),
]  # fmt: skip


def losses_of(text: str, labels: tuple[str, ...]) -> tuple[LoggedLoss, ...]:
    return match_losses(read_training_config(parse_document(text.encode(), "train.yml")).losses, labels)


@pytest.mark.parametrize(("text", "labels", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_losses_are_found_under_their_labels(text, labels, expected):
    found = {loss.name: (loss.logged, loss.weight) for loss in losses_of(text, labels)}
    assert found == expected


def test_labels_without_a_loss_are_named():
    losses = losses_of(LISTED, ("l_g_l1", "l_g_dists", "l_g_total"))
    assert unmatched_labels(losses, ("l_g_l1", "l_g_dists", "l_g_total", "scale_g")) == ("l_g_dists",)


@pytest.mark.parametrize(
    ("values", "raw"),
    [
        ({"l_g_l1": 0.2}, 0.4),
        ({"l_g_l1": 0.2, "dynamic_weight_l_g_l1": 2.0}, 0.2),
        ({"l_g_l1": 0.2, "dynamic_weight_l_g_l1": 0.0}, 0.4),
        ({"l_g_l1": 0.2, "loss_multipliers/l_g_l1": 2.0}, 0.2),
        ({"l_g_gan": 0.2}, None),
    ],
)
def test_weight_and_multiplier_are_divided_out(values, raw):
    loss = LoggedLoss("l_g_l1", None, "l_g_l1", "L1Loss", 0.5)
    assert raw_value(LoggedPoint(100, values), loss) == raw
