"""Fidelity and separation, by hand and by an independent formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from autocal_cli.runtime.signals import errors, fidelity_of, separation, separation_of_calls


def psnr(one, other):
    return -10.0 * math.log10(F.mse_loss(one.double(), other.double()).item())


def high_and_low(seed=0):
    high = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return high, F.avg_pool2d(high, 2)


def test_fidelity_is_the_gain_over_bilinear_in_decibels():
    high, low = high_and_low()
    output = high + 0.05
    found = fidelity_of(*map(float, errors(output, high, low, 4)))
    trivial = F.interpolate(low, size=(16, 16), mode="bilinear")
    assert found == pytest.approx(psnr(output, high) - psnr(trivial, high), abs=0.01)


def test_without_the_input_the_target_is_brought_down_and_up():
    high, low = high_and_low()
    assert [float(x) for x in errors(high, high, None, 2)] == pytest.approx(
        [float(x) for x in errors(high, high, low, 2)]
    )


def test_the_trivial_upscaling_has_none_and_the_target_itself_is_bounded():
    high, low = high_and_low()
    trivial = F.interpolate(low, size=(16, 16), mode="bilinear")
    assert fidelity_of(*map(float, errors(trivial, high, low, 2))) == pytest.approx(0.0, abs=1e-5)
    assert 30.0 < fidelity_of(*map(float, errors(high, high, low, 2))) < 60.0


def test_pictures_of_other_shapes_say_nothing():
    high, low = high_and_low()
    assert errors(high, low, low, 2) is None
    assert errors(high.flatten(), high.flatten(), None, 2) is None


def test_half_precision_is_measured_in_float32():
    high, low = high_and_low()
    found = errors((high * 1e-4).half(), (high * 2e-4).half(), (low * 2e-4).half(), 2)
    assert all(x.dtype == torch.float32 and float(x) > 0.0 for x in found)


MAPS = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 2, 2)

SEPARATIONS = [
    ("always", MAPS, MAPS - 0.5, 1.0),
    ("never", MAPS, MAPS + 0.5, -1.0),
    ("blind", MAPS, MAPS, 0.0),
    ("three of four", MAPS, torch.tensor([0.0, 0.0, 0.0, 9.0]).reshape(1, 1, 2, 2), 0.5),
    ("a list of scales", [MAPS, MAPS], [MAPS - 1, MAPS], 0.5),
    ("lists of features, the last counts", [[MAPS, MAPS]], [[MAPS + 9, MAPS - 9]], 1.0),
    ("half precision", MAPS.half(), MAPS.half() - 1, 1.0),
]


@pytest.mark.parametrize(("what", "real", "generated", "expected"), SEPARATIONS, ids=[row[0] for row in SEPARATIONS])
def test_separation(what, real, generated, expected):
    assert float(separation(real, generated)) == expected, what


@pytest.mark.parametrize("shift", [0.0, 3.0, -5.0])
def test_calls_of_a_relativistic_loss_are_as_those_of_a_plain_one(shift):
    seeded = torch.Generator().manual_seed(1)
    real, fake = torch.randn(8, 1, 6, 6, generator=seeded) + shift, torch.randn(8, 1, 6, 6, generator=seeded)
    plain = separation(real, fake)
    assert float(separation_of_calls(real, fake)) == pytest.approx(float(plain))
    relative = separation_of_calls(real - fake.mean(), fake - real.mean())
    assert float(relative) == pytest.approx(float(plain), abs=0.01)


def test_calls_whose_logits_do_not_belong_together():
    assert separation_of_calls(MAPS, MAPS[..., :1]) is None
