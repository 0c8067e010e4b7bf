"""What is made of batches: values, noise, gradients and shares; crops; and the whole probe of a config."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest
import torch
from PIL import Image

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.model import LossTerm
from autocal_cli.dataset.files import ImageSource
from autocal_cli.errors import Place
from autocal_cli.probing import formulas
from autocal_cli.probing.losses import Built
from autocal_cli.probing.model import LossProbe, labelled, with_shares
from autocal_cli.probing.probe import (
    MOST_IMAGES,
    Images,
    Plan,
    _affordable,
    _cost,
    batches,
    log_deviation,
    measure,
    probe,
    start_discriminator,
    start_network,
    summary,
)
from autocal_cli.workflow.networks import measure_network

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images"


def loss(label: str, weight: float, gradient: float, kind: str = "pixel") -> LossProbe:
    return LossProbe(label, f"{label}loss", kind, weight, 1.0, 0.1, gradient, 0.1, 0.0)


@pytest.mark.parametrize(
    ("weights", "gradients", "shares"),
    [
        ((1.0, 0.1), (2.0, 20.0), (0.5, 0.5)),
        ((1.0, 1.0, 2.0), (1.0, 1.0, 1.0), (0.25, 0.25, 0.5)),
        ((3.0,), (7.0,), (1.0,)),
        ((1.0, 1.0), (0.0, 0.0), (0.0, 0.0)),
        ((-1.0, 1.0), (1.0, 3.0), (0.25, 0.75)),
    ],
)
def test_a_share_is_weight_times_gradient_over_their_sum(weights, gradients, shares):
    losses = [loss(f"l{i}", *pair) for i, pair in enumerate(zip(weights, gradients, strict=True))]
    assert [one.share for one in with_shares(losses)] == pytest.approx(shares)


@pytest.mark.parametrize(
    ("values", "noise"),
    [([1.0, math.e], math.sqrt(0.5)), ([2.0, 2.0, 2.0], 0.0), ([1.0], None), ([1.0, 0.0], None), ([1.0, -1.0], None)],
)
def test_noise_is_the_deviation_of_the_logarithm(values, noise):
    assert log_deviation(values) == (None if noise is None else pytest.approx(noise, rel=1e-5))


def test_values_gradients_and_noise_come_from_the_batches():
    levels = (0.1, 0.2, 0.4)
    given = [(torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), level)) for level in levels]
    terms = {name: LossTerm(name, "pixel", 1.0, Place("")) for name in ("l1", "mse")}
    losses = {"l1": Built(formulas.l1), "mse": Built(formulas.mse)}
    series = measure(given, lambda low: low.clone(), losses, lambda *_: None)
    l1, mse = with_shares([summary(label, terms[label], found) for label, found in series.items()])
    assert l1.value == pytest.approx(statistics.fmean(levels), rel=1e-5)
    assert mse.value == pytest.approx(statistics.fmean(level**2 for level in levels), rel=1e-5)
    assert l1.noise == pytest.approx(math.log(2), rel=1e-5)  # of log 0.1, log 0.2, log 0.4
    assert mse.noise == pytest.approx(2 * math.log(2), rel=1e-5)
    assert l1.gradient == pytest.approx(1 / (2 * 4) * 2, rel=1e-5)  # 1/8 a pixel, 4 pixels an image
    assert l1.gradient_noise == pytest.approx(0.0, abs=1e-6)
    assert mse.gradient_noise == pytest.approx(math.log(2), rel=1e-5)
    assert l1.share + mse.share == pytest.approx(1.0)


def config_of(text: str, path: str = "train.yml"):
    return read_training_config(parse_document(text.encode(), path))


CONFIG = """\
scale: 2
network_g: {type: paragonsr2_nano}
datasets: {train: {gt_size: 32, batch_size_per_gpu: 4}}
train:
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: mssimloss, loss_weight: 0.1}
"""


def test_losses_are_labelled_by_table_or_type():
    tables = "train: {pixel_opt: {type: L1Loss}, gan_opt: {type: GANLoss, loss_weight: 0}, l1_2_opt: {type: L1Loss}}"
    assert list(labelled(config_of(tables))) == ["pixel", "l1_2"]  # a loss of weight 0 takes no part
    twins = "train: {losses: [{type: l1loss}, {type: L1Loss}, {type: l1loss}]}"
    assert list(labelled(config_of(twins))) == ["l1", "l1_2", "l1_3"]


def demo(low: bool = True) -> list[Images]:
    return [Images(path, DEMO / "lr_x2" / path.name if low else None) for path in sorted((DEMO / "hr").glob("*.png"))]


def probed(text: str = CONFIG, seed: int = 0, count: int = 3, images: list[Images] | None = None, **plan: object):
    config = config_of(text)
    return probe(config, measure_network(config), images or demo(), Plan(count, seed, **plan))  # type: ignore[arg-type]


def test_a_probe_is_the_same_for_a_seed_and_another_for_another():
    before = torch.random.get_rng_state()
    first, again, other = probed().fingerprint, probed().fingerprint, probed(seed=1).fingerprint
    assert first == again
    assert [one.value for one in first.losses] != [one.value for one in other.losses]
    assert torch.equal(torch.random.get_rng_state(), before)  # the caller's random numbers go on as they were


def test_a_probe_says_what_it_measured():
    found = probed().fingerprint
    assert (found.batches, found.images, found.batch_size, found.crop) == (3, 4, 4, 32)
    assert (found.lq, found.network) == ("the paired folder", "initial weights")
    assert [(one.label, one.type) for one in found.losses] == [("l1", "l1loss"), ("mssim", "mssimloss")]
    assert sum(one.share for one in found.losses) == pytest.approx(1.0)


def test_without_paired_images_the_input_is_made_by_reduction():
    found = probed(images=demo(low=False)).fingerprint
    assert found.lq == "bicubic reduction"
    assert found.losses[0].value < 0.2


def test_a_network_that_cannot_be_built_is_stood_in_for_and_said():
    found = probed(CONFIG.replace("paragonsr2_nano", "wondernet"))
    assert found.fingerprint.network == "bicubic enlargement"
    assert "autocal has no wondernet" in found.instead


def test_what_is_not_known_is_named_and_the_rest_is_measured():
    found = probed(CONFIG + "    - {type: distsloss, loss_weight: 0.3}\n").fingerprint
    assert [one.label for one in found.losses] == ["l1", "mssim"]
    assert [(one.label, one.type, one.weight) for one in found.unmeasured] == [("dists", "distsloss", 0.3)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"gt_size: 32": "gt_size: 512"}, "a crop of 512 pixels"),
        ({"l1loss": "wonderloss", "mssimloss": "otherloss"}, "none of the losses"),
    ],
)
def test_nothing_to_measure_is_a_reason_and_no_error(changes, why):
    text = CONFIG
    for old, new in changes.items():
        text = text.replace(old, new)
    found = probed(text)
    assert found.fingerprint is None
    assert why in found.why_not


def test_the_discriminator_judges_and_its_cost_makes_batches_smaller():
    gan = CONFIG.replace("gt_size: 32, batch_size_per_gpu: 4", "gt_size: 64, batch_size_per_gpu: 64")
    gan += "    - {type: ganloss, gan_type: hinge, loss_weight: 0.1}\nnetwork_d: {type: unetdiscriminatorsn}\n"
    one = probed(gan, count=1).fingerprint
    assert one.images == MOST_IMAGES
    assert one.adversarial
    assert one.losses[-1].gradient > 0.0


def test_what_costs_too_much_is_measured_on_smaller_crops_and_says_so():
    gan = CONFIG.replace("gt_size: 32, batch_size_per_gpu: 4", "gt_size: 512, batch_size_per_gpu: 8")
    gan += "    - {type: ganloss, loss_weight: 0.1}\nnetwork_d: {type: dunet}\n"
    config = config_of(gan)
    judge = start_discriminator(config.discriminator, 512, 0)
    costly, cheap = (_affordable(config, count, 512, 2, lambda side: _cost(judge, {}, 0.0, side)) for count in (20, 1))
    assert costly == (2, 128)
    assert cheap == (2, 512)


def test_basicsrs_esrgan_judges_outputs_against_targets():
    text = """\
model_type: MODEL
scale: 2
network_g: {type: paragonsr2_nano}
network_d: {type: UNetDiscriminatorSN, num_in_ch: 3, num_feat: 8}
datasets: {train: {gt_size: 32, batch_size_per_gpu: 2, io_backend: {type: disk}}}
train:
  pixel_opt: {type: L1Loss, loss_weight: 1.0}
  gan_opt: {type: GANLoss, gan_type: wgan, loss_weight: 0.1}
"""
    values = [
        probed(text.replace("MODEL", model)).fingerprint.losses[-1].value for model in ("SRGANModel", "ESRGANModel")
    ]
    assert values[0] != pytest.approx(values[1], rel=1e-3)


def test_a_discriminator_that_does_not_fit_is_a_reason():
    config = config_of(CONFIG + "network_d: {type: vggstylediscriminator}\n")
    assert "does not take crops of 32" in start_discriminator(config.discriminator, 32, 0)
    config = config_of(CONFIG + "network_d: {type: wonderdisc}\n")
    assert "cannot be built" in start_discriminator(config.discriminator, 32, 0)


def test_of_a_checkpoint_it_is_said_that_initial_weights_stand_in_for_it():
    config = config_of(CONFIG)
    built, instead = start_network(config, 2, Plan(1, weights=Path("net_g.pth")))
    assert built is not None
    assert "net_g.pth" in instead
    assert "initial weights" in instead
    assert start_network(config, 2, Plan(1))[1] is None


@pytest.mark.parametrize("arguments", ["num_feat: 2", "detail_gain: ten", "num_feat: 24"])
def test_a_network_that_its_trainer_alone_can_build_with_these_arguments_is_stood_in_for(arguments):
    config = config_of(CONFIG.replace("paragonsr2_nano", f"paragonsr2_nano, {arguments}"))
    built, instead = start_network(config, 2, Plan(1))
    assert built is None
    assert arguments.partition(":")[0] in instead
    assert start_network(config_of(CONFIG), 5, Plan(1))[0] is None


def drawn(images: list[Images], count: int, size: int, crop: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(batches(images, count, size, crop, 2, seed=0))


def test_both_crops_are_of_the_same_place(tmp_path):
    """Every pixel of the input tells its place; the target is the same, enlarged without filter."""
    low = Image.new("RGB", (40, 30))
    low.putdata([(x, y, 7) for y in range(30) for x in range(40)])
    low.save(tmp_path / "low.png")
    low.resize((80, 60), Image.Resampling.NEAREST).save(tmp_path / "high.png")
    for given, target in drawn([Images(tmp_path / "high.png", tmp_path / "low.png")], 3, 2, 16):
        assert given.shape == (2, 3, 8, 8)
        assert target.shape == (2, 3, 16, 16)
        assert torch.equal(target[..., ::2, ::2], given)


def test_images_that_give_no_crop_are_passed_over(tmp_path):
    small, broken = tmp_path / "small.png", tmp_path / "broken.png"
    Image.new("RGB", (10, 10)).save(small)
    broken.write_bytes(b"no image")
    bad: list[ImageSource] = [small, broken]
    assert drawn([Images(path) for path in bad], 2, 2, 16) == []
    assert len(drawn([*(Images(path) for path in bad), demo()[0]], 2, 2, 16)) == 2
