"""The built-in ParagonSR2 networks: their sizes, and that they work and train."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from measured import fingerprint_network

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import Place
from autocal_cli.network.measure import count_parameters, structure_hash
from autocal_cli.network.paragonsr2.family import ARGUMENTS, VARIANTS, accepted_by
from autocal_cli.network.paragonsr2.first import (
    ClassicalUpsampler,
    ParagonSR2,
    WindowAttention,
    into_windows,
    out_of_windows,
)

FIXED = 72  # the base's kernels: 3 channels, 7 and 5 taps, across and down

# Measured on the trainer's first generation: all parameters, and GMAC of a 64x64 input.
SIZES = [
    ("nano", 2, 10_595, "0.110"),
    ("nano", 4, 26_291, "0.191"),
    ("micro", 2, 19_429, "0.196"),
    ("micro", 4, 47_269, "0.332"),
    ("tiny", 2, 42_484, "0.345"),
    ("tiny", 4, 104_980, "0.633"),
    ("xs", 2, 77_755, "0.588"),
    ("xs", 4, 188_731, "1.085"),
    ("s", 2, 215_262, "1.758"),
    ("s", 4, 464_670, "2.843"),
    ("m", 2, 1_785_092, "20.919"),
    ("m", 4, 2_228_228, "22.817"),
    ("l", 2, 5_153_788, "17.254"),
    ("l", 4, 6_150_268, "21.460"),
    ("xl", 2, 14_481_548, "48.038"),
    ("xl", 4, 16_252_556, "55.458"),
]


def build_variant(variant: str, scale: int, **switches: Any) -> ParagonSR2:
    return ParagonSR2(**{**VARIANTS[variant], "scale": scale, **switches})


@pytest.mark.parametrize(("variant", "scale", "parameters", "gmac"), SIZES)
def test_sizes_are_those_of_the_trainers_networks(variant: str, scale: int, parameters: int, gmac: str) -> None:
    found = fingerprint_network(NetworkOptions(f"paragonsr2_{variant}", {}, Place("train.yml"), {}), scale)
    assert found.macs_per_pixel is not None
    assert (found.parameters, f"{found.macs_per_pixel * 64 * 64 / 1e9:.3f}") == (parameters, gmac)


@pytest.mark.parametrize("variant", ["nano", "micro", "tiny", "xs", "s"])
def test_meta_and_real_networks_are_the_same(variant: str) -> None:
    real = build_variant(variant, 2)
    with torch.device("meta"):
        meta = build_variant(variant, 2)
    assert count_parameters(real) == count_parameters(meta)
    assert structure_hash(real) == structure_hash(meta)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (7, 10), (33, 5)])
def test_any_image_is_enlarged_by_the_scale(scale: int, size: tuple[int, int]) -> None:
    height, width = size
    with torch.no_grad():
        assert build_variant("nano", scale)(torch.rand(2, 3, *size)).shape == (2, 3, scale * height, scale * width)


@pytest.mark.parametrize("chans", [1, 4])
def test_other_channel_counts(chans: int) -> None:
    assert ParagonSR2(2, in_chans=chans, num_feat=8, num_groups=1)(torch.rand(1, chans, 9, 9)).shape == (
        1,
        chans,
        18,
        18,
    )


def test_every_argument_of_the_constructor_has_a_kind() -> None:
    assert tuple(inspect.signature(ParagonSR2).parameters) == tuple(ARGUMENTS)
    assert all(set(accepted_by(variant)) <= set(ARGUMENTS) for variant in VARIANTS)


def test_the_base_is_frozen_and_all_else_learns() -> None:
    network = build_variant("tiny", 2)
    network(torch.rand(2, 3, 12, 12)).square().mean().backward()
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert {name.split(".")[0] for name in frozen} == {"base"}
    assert sum(network.get_parameter(name).numel() for name in frozen) == FIXED
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == (name in frozen), name


def test_a_seed_decides_the_network() -> None:
    def output(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = build_variant("micro", 3)
        result: torch.Tensor = network(torch.linspace(0, 1, 3 * 8 * 8).reshape(1, 3, 8, 8))
        return result

    assert torch.equal(output(1), output(1))
    assert not torch.equal(output(1), output(2))


def test_training_starts_near_the_base_without_checkerboard() -> None:
    network = build_variant("nano", 4)
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert (network(image) - network.base(image)).abs().max() < 0.05
        wide = network.shuffle(network.conv_wide(torch.rand(1, 12, 6, 6)))
    cells = wide.reshape(1, 12, 6, 4, 6, 4)  # the 4x4 pixels out of one input pixel start equal
    assert torch.allclose(cells, cells[:, :, :, :1, :, :1].expand_as(cells), atol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_a_flat_image_stays_flat(alpha: float) -> None:
    enlarged = ClassicalUpsampler(3, 3, alpha)(torch.full((1, 3, 5, 4), 0.7))
    assert torch.allclose(enlarged, torch.full((1, 3, 15, 12), 0.7))


def test_windows_reach_every_pixel_and_carry_gradients() -> None:
    torch.manual_seed(0)
    attention = WindowAttention(8)
    torch.nn.init.ones_(attention.gain)
    x = torch.rand(1, 8, 40, 70, requires_grad=True)
    change = attention(x) - x
    assert (change.abs().amax(dim=1) > 0).all()
    (gradient,) = torch.autograd.grad(change.square().sum(), x)
    assert (gradient.abs().amax(dim=1) > 0).all()


@pytest.mark.parametrize("size", [(6, 4), (7, 9)])
def test_windows_are_put_together_as_they_were_taken_apart(size: tuple[int, int]) -> None:
    x = torch.arange(2 * 3 * size[0] * size[1], dtype=torch.float32).reshape(2, 3, *size)
    windows = into_windows(x, 2)
    assert torch.equal(windows[0], x[0, :, :2, :2].flatten(1).T)  # the first window, pixel by pixel
    assert torch.equal(out_of_windows(windows, x, 2), x)


def test_it_runs_in_mixed_precision() -> None:
    image = torch.rand(1, 3, 40, 34)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        enlarged = build_variant("tiny", 2)(image)
    assert enlarged.isfinite().all()
