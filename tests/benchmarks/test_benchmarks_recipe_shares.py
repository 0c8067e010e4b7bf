"""Shares in published recipes: rows are well-formed, losses know the answers, weights are arrays only."""

from __future__ import annotations

import math
import pickle
from pathlib import PurePosixPath

import pytest
import torch
from recipe_losses import fooled_relatively, hsluv, hsluv_loss, perceptual
from recipe_rows import KINDS, RECIPES
from recipe_shares import SIDE, RecipeTraining, Row, quantile, table
from recipe_vgg import NAMES, STAND_IN, Vgg, load_vgg
from small_networks import seeded
from torch import Tensor


@pytest.fixture(scope="module")
def vgg() -> Vgg:
    return seeded(Vgg, 0)


def images(seed: int, side: int = 64, batch: int = 2) -> Tensor:
    return torch.rand((batch, 3, side, side), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_name_known_losses_layers_and_discriminators(name):
    recipe = RECIPES[name]
    assert recipe.source.count("/") >= 2
    assert "gan" in recipe.weights
    assert set(recipe.weights) <= set(KINDS)
    assert all(weight > 0.0 for weight in recipe.weights.values())
    assert {STAND_IN.get(layer, layer) for layer in recipe.layers} <= set(NAMES)
    assert recipe.discriminator in SIDE


def test_features_have_the_shapes_of_their_blocks(vgg):
    found = vgg(images(0), ["conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4"])
    assert {name: tuple(feature.shape[1:]) for name, feature in found.items()} == {
        "conv1_2": (64, 64, 64),
        "conv2_2": (128, 32, 32),
        "conv3_3": (256, 16, 16),
        "conv4_3": (512, 8, 8),
        "conv5_3": (512, 4, 4),
    }
    assert min(feature.min().item() for feature in found.values()) < 0.0  # before the ReLU


def test_the_file_of_weights_is_read_as_height_width_in_out(vgg, tmp_path):
    layers = {
        f"Conv_{index}": {"kernel": layer.weight.permute(2, 3, 1, 0).numpy(), "bias": layer.bias.numpy()}
        for index, layer in enumerate(vgg.convolutions)
    }
    path = tmp_path / "vgg16.ckpt"
    path.write_bytes(pickle.dumps({"VGG16_0": layers}))
    read, image = load_vgg(path), images(1, 32, 1)
    assert torch.equal(read(image, ["conv5_4"])["conv5_3"], vgg(image, ["conv5_4"])["conv5_3"])


def test_hsluv_loss_is_0_for_equal_images_and_grows_with_the_difference():
    image, noise = images(0), images(1)
    values = [hsluv_loss(image + part * (noise - image), image).item() for part in (0.0, 0.2, 0.5)]
    assert values[0] == pytest.approx(0.0, abs=1e-5)
    assert values[0] < values[1] < values[2]


def test_a_perceptual_loss_is_0_for_equal_images_and_weighs_its_layers(vgg):
    image, other = images(0, 32), images(1, 32)
    assert perceptual(vgg, image, image, {"conv2_2": 1.0}).item() == 0.0
    one, tenth = (perceptual(vgg, image, other, {"conv5_4": weight}).item() for weight in (1.0, 0.1))
    assert one == pytest.approx(10.0 * tenth)


def test_a_file_that_holds_anything_but_arrays_is_refused(tmp_path):
    path = tmp_path / "vgg16.ckpt"
    path.write_bytes(pickle.dumps({"VGG16_0": PurePosixPath("/")}))
    with pytest.raises(pickle.UnpicklingError):
        load_vgg(path)


# by hsluv.org: its corners of the gamut, which have saturation 100
@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((1.0, 0.0, 0.0), (12.177, 100.0, 53.237)),
        ((0.0, 1.0, 0.0), (127.715, 100.0, 87.736)),
        ((0.0, 0.0, 1.0), (265.874, 100.0, 32.301)),
    ],
)
def test_hsluv_of_the_primaries(rgb, expected):
    hue, saturation, lightness = hsluv(torch.tensor(rgb)[None, :, None, None])
    assert (hue.item() * 360, saturation.item() * 100, lightness.item() * 100) == pytest.approx(expected, abs=0.05)


def test_hsluv_has_finite_gradients_at_black_white_and_grey():
    image = torch.tensor([0.0, 0.5, 1.0]).expand(1, 3, 3, 3).clone().requires_grad_()
    hsluv_loss(image, images(0, 3, 1)).backward()
    assert torch.isfinite(image.grad).all()


def test_relativistic_losses_look_at_the_difference_alone():
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0])
    assert fooled_relatively(real, fake).item() == pytest.approx(fooled_relatively(real + 3.0, fake + 3.0).item())
    assert fooled_relatively(fake, real) < fooled_relatively(real, fake)


@pytest.mark.parametrize("name", ["Real-ESRGAN", "traiNNer-redux"])
def test_a_step_gives_shares_that_sum_to_1_and_moves_both_networks(name, vgg):
    pixels = [(image * 255).byte() for image in images(3, 72, 3)]
    training = RecipeTraining(RECIPES[name], pixels, vgg, seed=0)
    networks = (training.network, training.discriminator)
    before = [torch.cat([p.detach().flatten().clone() for p in network.parameters()]) for network in networks]
    found = training.step(probe=True)
    assert list(found) == list(RECIPES[name].weights)
    assert math.isclose(sum(found.values()), 1.0, rel_tol=1e-5)
    assert training.step(probe=False) == {}
    for old, network in zip(before, networks, strict=True):
        assert not torch.equal(old, torch.cat([p.detach().flatten() for p in network.parameters()]))


def test_the_table_leaves_the_first_steps_out():
    shares = {1: 0.9, 10: 0.8, 60: 0.1, 70: 0.2, 80: 0.3}
    rows = [Row("ESRGAN", 0, step, "gan", share) for step, share in shares.items()]
    (line,) = table(rows).splitlines()[2:]
    shown = "20.000% | 11.000% | 29.000% | 30.000% | 85.000% | 25.000%"
    assert line == f"| ESRGAN | gan (adversarial) | 0.005 | {shown} | 80, 1 |"


def test_quantiles_lie_between_neighbours():
    assert [quantile([0.0, 1.0, 4.0], part) for part in (0.0, 0.25, 0.75, 1.0)] == [0.0, 0.5, 2.5, 4.0]
