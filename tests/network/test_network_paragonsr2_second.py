"""The built-in second-generation ParagonSR2 networks: their sizes, how a config tells them, and that they work."""

from __future__ import annotations

import inspect

import pytest
import torch
from measured import fingerprint_network

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.measure import Count, count_macs, count_parameters
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.paragonsr2.family import SECOND_ARGUMENTS, SECOND_VARIANTS, accepted_by
from autocal_cli.network.paragonsr2.second import (
    GatedMixer,
    InvertedBottleneck,
    SecondParagonSR2,
    ShiftedWindows,
    SlimChannelGate,
)

# Measured on the trainer's second generation: all parameters, and GMAC of a 64x64 input.
SIZES = [
    ("realtime", 2, 16_780, "0.073"),
    ("realtime", 4, 44_620, "0.209"),
    ("stream", 2, 110_092, "0.451"),
    ("stream", 4, 221_068, "0.948"),
    ("photo", 2, 745_292, "5.161"),
    ("photo", 4, 1_188_428, "7.060"),
    ("pro", 2, 1_993_420, "12.146"),
    ("pro", 4, 2_436_556, "14.045"),
]


def fingerprint(type: str, scale: int = 2, **arguments: Value) -> NetworkFingerprint:
    place = Place("train.yml", 3, 9)
    places = {name: Place("train.yml", 4 + row, 5) for row, name in enumerate(arguments)}
    return fingerprint_network(NetworkOptions(type, arguments, place, places), scale)


def codes(found: NetworkFingerprint) -> list[str]:
    return [finding.code for finding in found.findings]


@pytest.mark.parametrize(("variant", "scale", "parameters", "gmac"), SIZES)
def test_sizes_are_those_of_the_trainers_networks(variant: str, scale: int, parameters: int, gmac: str) -> None:
    found = fingerprint(f"paragonsr2_{variant}", scale)
    assert found.macs_per_pixel is not None
    assert (found.parameters, f"{found.macs_per_pixel * 64 * 64 / 1e9:.3f}") == (parameters, gmac)
    assert (found.family, found.variant, found.builder, found.findings) == ("paragonsr2", variant, "built-in", ())


# Measured on the trainer's class, x2: all parameters, and MACs of a 64x64 input.
@pytest.mark.parametrize(
    ("arguments", "parameters", "macs"),
    [
        ({}, 745_292, 3_550_879_744),  # 16 photo blocks, windows of 8
        ({"attention_mode": None}, 477_004, 1_940_267_008),
        ({"export_safe": True}, 477_004, 1_940_267_008),
        ({"variant": "pro", "num_groups": 1, "num_blocks": 2}, 288_524, 1_220_551_680),
    ],
)
def test_structural_switches(arguments: dict[str, Value], parameters: int, macs: int) -> None:
    with torch.device("meta"):
        network = SecondParagonSR2(2, **arguments)  # type: ignore[arg-type]
    count = count_macs(network, lambda: network, [3], seconds=60)
    assert isinstance(count, Count)
    assert (count_parameters(network), count.macs_per_pixel * 64 * 64) == (parameters, macs)


@pytest.mark.parametrize("variant", SECOND_VARIANTS)
@pytest.mark.parametrize("size", [(1, 1), (9, 21)])
def test_any_image_is_enlarged_by_the_scale_and_everything_but_the_base_learns(
    variant: str, size: tuple[int, int]
) -> None:
    network = SecondParagonSR2(**{**SECOND_VARIANTS[variant], "scale": 2, "window_size": 8})
    enlarged = network(torch.rand(2, 3, *size))
    assert enlarged.shape == (2, 3, 2 * size[0], 2 * size[1])
    enlarged.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == (not name.startswith("base.")), name


@pytest.mark.parametrize("shift", [0, 2])
def test_a_pixel_attends_to_its_own_window_and_to_nothing_else(shift: int) -> None:
    attention = ShiftedWindows(8, window=4, shift=shift)
    x = torch.rand(1, 8, 12, 12, requires_grad=True)
    attention(x)[0, :, 6, 6].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(dim=0).nonzero()
    first = 4 + shift
    assert seen.amin(dim=0).tolist() == [first, first]
    assert seen.amax(dim=0).tolist() == [first + 3, first + 3]


@pytest.mark.parametrize(
    "part", [InvertedBottleneck(16), GatedMixer(16), SlimChannelGate(16), ShiftedWindows(16, 8, 4)]
)
def test_parts_keep_the_shape(part: torch.nn.Module) -> None:
    assert part(torch.rand(2, 16, 5, 11)).shape == (2, 16, 5, 11)


def test_every_argument_of_the_constructor_has_a_kind() -> None:
    assert tuple(inspect.signature(SecondParagonSR2).parameters) == tuple(SECOND_ARGUMENTS)
    assert all(set(accepted_by(variant)) < set(SECOND_ARGUMENTS) for variant in SECOND_VARIANTS)


# The class of both generations has one name: arguments tell them apart.
@pytest.mark.parametrize(
    ("arguments", "parameters", "assumed"),
    [
        ({}, 1_804_076, True),
        ({"num_feat": 32, "num_groups": 2, "num_blocks": 2}, None, True),
        ({"use_norm": False}, 1_804_076, False),
        ({"window_size": 8}, 745_292, False),
        ({"variant": "photo", "num_block": 6}, 745_292, False),
        ({"use_norm": False, "window_size": 8}, 1_804_076, True),
        ({"use_norm": False, "window_size": 8, "variant": "photo"}, 745_292, True),
    ],
)
def test_the_generation_is_told_by_arguments_that_only_one_has(
    arguments: dict[str, Value], parameters: int | None, assumed: bool
) -> None:
    found = fingerprint("ParagonSR2", **arguments)
    assert parameters in (None, found.parameters)
    assert ("network-generation-assumed" in codes(found)) == assumed
    assert ("network-argument-unknown" in codes(found)) == (
        len(arguments) > 1 and bool({"num_block", "use_norm"} & {*arguments})
    )


@pytest.mark.parametrize(
    ("type", "arguments", "parameters"),
    [
        ("paragonsr2_photo", {"use_content_aware": True, "use_checkpointing": True}, 1_947_037),
        ("paragonsr2_pro", {"ffn_expansion": 2.0}, 9_225_317),
        ("paragonsr2_stream", {"use_content_aware": False, "detail_gain": 0.08, "use_checkpointing": True}, 95_500),
        ("paragonsr2_photo", {"use_checkpointing": True}, 745_292),
    ],
)
def test_an_argument_of_the_first_commits_names_their_network(
    type: str, arguments: dict[str, Value], parameters: int
) -> None:
    found = fingerprint(type, **arguments)
    assert found.parameters == parameters
    assert codes(found) == ([] if parameters == 745_292 else ["network-generation-assumed"])
    misspelt = fingerprint(type, **arguments, detial_gain=0.1)
    assert (misspelt.parameters, "network-argument-unknown" in codes(misspelt)) == (parameters, True)


def test_a_class_with_a_variants_sizes_is_that_variant() -> None:
    sizes: dict[str, Value] = {"num_feat": 32, "num_groups": 2, "num_blocks": 3, "variant": "stream"}
    assert fingerprint("paragonSR2", 4, **sizes).variant == "stream"
    assert fingerprint("ParagonSR2", 4, **{**sizes, "num_blocks": 4}).variant is None


@pytest.mark.parametrize(
    ("type", "arguments", "told"),
    [
        ("paragonsr2_photo", {"num_feat": 32}, "paragonsr2_photo sets 'num_feat' itself"),
        ("paragonsr2_photo", {"attention_mode": "none"}, "sdpa, flex or nothing"),
        ("paragonsr2_photo", {"window_size": "16"}, "a whole number from 1 to 256. Found the text '16'"),
        ("ParagonSR2", {"variant": "huge"}, "realtime, stream, photo or pro"),
        ("ParagonSR2", {"variant": "photo", "num_feat": 30}, "multiple of 4"),
        ("ParagonSR2", {"variant": "pro", "num_feat": 12}, "16 or more"),
    ],
)
def test_what_the_trainer_would_stop_at_is_said_with_its_place(
    type: str, arguments: dict[str, Value], told: str
) -> None:
    with pytest.raises(AutocalError, match=told) as raised:
        fingerprint(type, **arguments)
    assert raised.value.place is not None
    assert raised.value.place.line == 3 + len(arguments)


def test_an_argument_that_is_swallowed_is_said_with_what_was_meant() -> None:
    found = fingerprint("paragonsr2_photo", windows_size=8)
    assert codes(found) == ["network-argument-unknown"]
    assert "window_size" in (found.findings[0].fix or "")


def test_switched_off_attention_is_a_modified_variant() -> None:
    assert codes(fingerprint("paragonsr2_pro", export_safe=True)) == ["network-variant-modified"]
    assert codes(fingerprint("paragonsr2_pro", window_size=8)) == []
