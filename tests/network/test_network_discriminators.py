"""The sizes of discriminators: those of the trainers' classes, and what is said where they cannot be told."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from torch import nn

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import Finding, Place
from autocal_cli.network.discriminators import COUNTS, KINDS, arguments_of, conv, fingerprint_discriminator, patch_gan
from autocal_cli.network.fingerprint import fingerprint_network
from autocal_cli.network.model import NetworkFingerprint


def fingerprint(
    type: str, ask: Callable[[NetworkOptions], NetworkFingerprint] | None = None, /, **arguments: Value
) -> NetworkFingerprint:
    options = NetworkOptions(type, arguments, Place("train.yml", 7, 9), dict.fromkeys(arguments, Place("train.yml", 8)))
    found = fingerprint_discriminator(options, ask or (lambda network: fingerprint_network(network, 2)))
    assert found is not None
    return found


def codes(found: NetworkFingerprint) -> list[str]:
    return [finding.code for finding in found.findings]


# Measured on the classes of traiNNer-redux and its fork (munet), and of BasicSR where it has them.
@pytest.mark.parametrize(
    ("type", "arguments", "parameters"),
    [
        ("UNetDiscriminatorSN", {"num_in_ch": 3}, 4_376_897),
        ("unetdiscriminatorsn", {"num_feat": 64, "skip_connection": False}, 4_376_897),
        ("VGGStyleDiscriminator", {}, 14_499_401),
        ("VGGStyleDiscriminator", {"num_in_ch": 3, "num_feat": 64, "input_size": 256}, 21_055_049),
        ("PatchGANDiscriminatorSN", {}, 2_764_737),
        ("MultiscalePatchGANDiscriminatorSN", {"num_d": 3}, 8_294_211),
        ("dunet", {}, 3_231_457),
        ("munet", {}, 11_295_462),
        ("munet", {"num_feat": 32, "ch_mult": [1, 2, 2]}, 417_414),
    ],
)
def test_sizes_are_those_of_the_trainers_classes(type: str, arguments: dict[str, Value], parameters: int) -> None:
    found = fingerprint(type, **arguments)
    assert (found.parameters, found.builder, found.findings) == (parameters, "built-in count", ())


@pytest.mark.parametrize(("inputs", "outputs", "side", "bias"), [(3, 64, 3, True), (5, 7, 4, False), (1, 1, 1, True)])
def test_a_convolution_is_counted_as_torch_builds_it(inputs: int, outputs: int, side: int, bias: bool) -> None:
    built = nn.Conv2d(inputs, outputs, side, bias=bias)
    assert conv(inputs, outputs, side, bias=bias) == sum(parameter.numel() for parameter in built.parameters())


def test_widths_of_a_patch_discriminator_end_at_512() -> None:
    assert patch_gan(n_layers=5) - patch_gan(n_layers=4) == conv(512, 512, 4)


@pytest.mark.parametrize("type", COUNTS)
def test_every_argument_has_a_kind_and_a_default_that_it_accepts(type: str) -> None:
    for name, parameter in inspect.signature(COUNTS[type]).parameters.items():
        assert KINDS[name].accepts(parameter.default), name


def test_no_discriminator_is_none() -> None:
    assert fingerprint_discriminator(None, lambda network: fingerprint_network(network, 2)) is None


@pytest.mark.parametrize(
    ("arguments", "message", "fix"),
    [
        ({"num_feats": 64}, "doesn't have the argument 'num_feats'", "Did you mean 'num_feat'?"),
        ({"depth": 64}, "doesn't have the argument 'depth'", "It takes num_in_ch, num_feat, skip_connection."),
        ({"num_feat": "64"}, "a whole number from 2 to 4096. Found the text '64'", "Correct it"),
    ],
)
def test_what_the_trainer_would_stop_at_is_said_and_nothing_counted(
    arguments: dict[str, Value], message: str, fix: str
) -> None:
    found = fingerprint("UNetDiscriminatorSN", **arguments)
    (finding,) = found.findings
    assert (finding.code, finding.severity, finding.place) == (
        "discriminator-argument",
        "warning",
        Place("train.yml", 8),
    )
    assert message in finding.message
    assert fix in (finding.fix or "")
    assert found.parameters is None


def test_an_unknown_type_is_said_once_and_never_guessed() -> None:
    found = fingerprint("UNetDiscriminatorSN2")
    assert (codes(found), found.parameters, found.builder) == (["discriminator-unknown"], None, None)


def test_a_builder_that_knows_it_is_believed_over_the_count() -> None:
    about = (Finding("network-argument-unknown", "warning", "x"), Finding("network-scale-default", "info", "y"))

    def trainer(network: NetworkOptions) -> NetworkFingerprint:
        return NetworkFingerprint(network.type, parameters=123, builder="trainer", findings=about)

    found = fingerprint("dunet", trainer, num_feat=64)
    assert (found.parameters, found.builder, codes(found)) == (123, "trainer", ["network-argument-unknown"])


@pytest.mark.parametrize("type", COUNTS)
def test_arguments_come_from_the_signature(type: str) -> None:
    assert {"num_in_ch", "input_nc"} & {*arguments_of(type)}
