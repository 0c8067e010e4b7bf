"""Discriminators: sizes and judgements of the trainers' classes, and what is said where a size cannot be told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from measured import fingerprint_network
from torch import nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.spectral_norm import SpectralNorm

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import Finding, Place
from autocal_cli.network.discriminators import (
    BUILDER,
    TYPES,
    build_discriminator,
    fingerprint_discriminator,
)
from autocal_cli.network.measure import count_parameters
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.table import OWN, look_up

sys.path.insert(0, str(Path(__file__).parents[1] / "probing"))
from probe_images import fill, pair


def options(type: str, /, **arguments: Value) -> NetworkOptions:
    return NetworkOptions(type, arguments, Place("train.yml", 7, 9), dict.fromkeys(arguments, Place("train.yml", 8)))


def fingerprint(
    type: str, ask: Callable[[NetworkOptions], NetworkFingerprint] | None = None, /, **arguments: Value
) -> NetworkFingerprint:
    asked = ask or (lambda network: fingerprint_network(network, 2))
    found = fingerprint_discriminator(options(type, **arguments), asked)
    assert found is not None
    return found


def nobody(network: NetworkOptions) -> NetworkFingerprint:
    return NetworkFingerprint(network.type)


def codes(found: NetworkFingerprint) -> list[str]:
    return [finding.code for finding in found.findings]


# Measured on the classes of traiNNer-redux, of BasicSR where it has them, and of neosr.
@pytest.mark.parametrize(
    ("type", "arguments", "parameters"),
    [
        ("UNetDiscriminatorSN", {"num_in_ch": 3}, 4_376_897),
        ("unetdiscriminatorsn", {"num_feat": 64, "skip_connection": False}, 4_376_897),
        ("VGGStyleDiscriminator", {}, 14_499_401),
        ("VGGStyleDiscriminator", {"num_in_ch": 3, "num_feat": 64, "input_size": 256}, 21_055_049),
        ("PatchGANDiscriminatorSN", {}, 2_764_737),
        ("PatchGANDiscriminatorSN", {"ndf": 256, "n_layers": 2, "use_sigmoid": True}, 6_313_217),
        ("MultiscalePatchGANDiscriminatorSN", {"num_d": 3}, 8_294_211),
        ("patchgan", {}, 2_764_737),
        ("patchgan", {"num_feat": 8, "num_layers": 4, "max_nf_mult": 4}, 44_025),
        ("unet", {}, 4_376_897),
        ("dunet", {}, 3_231_457),
        ("dunet", {"num_feat": 8}, 57_265),
    ],
)
@pytest.mark.parametrize("ask", [None, nobody], ids=["by the table", "by the layers"])
def test_sizes_are_those_of_the_trainers_classes(
    type: str, arguments: dict[str, Value], parameters: int, ask: Any
) -> None:
    found = fingerprint(type, ask, **arguments)
    assert (found.parameters, found.findings) == (parameters, ())
    assert ask is None or found.builder == BUILDER


def test_neosrs_names_of_the_arguments_are_known() -> None:
    assert fingerprint("dunet", nobody, dim=8, in_ch=1).parameters == 57_265 - 2 * 9 * 8


# From any start the patch discriminator's value then agrees to seven digits; after 300 it still scatters by 0.4%.
ITERATIONS = 2000


def converge(network: nn.Module) -> None:
    """Power iterations of every spectral normalisation alone: the older kind takes one as its hook runs, the newer one
    as the weight is read.
    """
    older = [(m, hook) for m in network.modules() for hook in m._forward_pre_hooks.values() if _is_spectral(hook)]
    newer = [module for module in network.modules() if is_parametrized(module)]
    with torch.no_grad():
        for _ in range(ITERATIONS):
            for module, hook in older:
                hook(module, None)
            for module in newer:
                assert isinstance(module.weight, torch.Tensor)


def _is_spectral(hook: object) -> bool:
    return isinstance(hook, SpectralNorm)


# (D + D ramp).mean() with a ramp of -1..1 over the judgements, and the gradient's norm at an image, by the trainers'
# own classes at the commits of tests/probing/test_probing_formulas.py, weights by formula, after 300 power iterations.
@pytest.mark.parametrize(
    ("type", "arguments", "shape", "value", "gradient"),
    [
        ("UNetDiscriminatorSN", {"num_feat": 8}, (2, 1, 48, 48), 0.219258, 0.000476294),
        ("UNetDiscriminatorSN", {"num_feat": 8, "skip_connection": False}, (2, 1, 48, 48), 0.218496, 3.82565e-08),
        ("VGGStyleDiscriminator", {"num_feat": 8}, (2, 1), -2.05561, 3.09846),
        ("PatchGANDiscriminatorSN", {"ndf": 8}, (2, 1, 4, 4), 0.11364, 0.00229026),
        ("MultiscalePatchGANDiscriminatorSN", {"ndf": 8, "n_layers": 2, "num_d": 2}, (), 0.391282, 0.000967892),
        ("patchgan", {"num_feat": 8, "num_layers": 4, "max_nf_mult": 4}, (2, 1, 1, 1), -0.291604, 0.00367673),
        ("DUnet", {"num_feat": 8}, (2, 1, 48, 48), 0.697362, 0.000195267),
    ],
)
def test_judgements_are_those_of_the_trainers_classes(
    type: str, arguments: dict[str, Value], shape: tuple[int, ...], value: float, gradient: float
) -> None:
    torch.manual_seed(0)  # before the network is built: spectral normalisation draws where its power iteration starts
    network = build_discriminator(options(type, **arguments))
    assert network is not None
    fill(network)
    image = pair()[0]
    if type.startswith("VGG"):
        image = F.interpolate(image, size=128, mode="bilinear", align_corners=False)
    converge(network)
    image.requires_grad_()
    judged = network(image)
    assert judged.shape == shape
    found = (judged * torch.linspace(-1, 1, judged.numel()).reshape(shape) + judged).mean() if shape else judged
    (slope,) = torch.autograd.grad(found, image)
    assert found.item() == pytest.approx(value, rel=1e-3)
    assert slope.flatten(1).norm(dim=1).mean().item() == pytest.approx(gradient, rel=5e-3)


@pytest.mark.parametrize("trainer", OWN)
@pytest.mark.parametrize("type", sorted(TYPES))
def test_the_layers_have_the_parameters_of_the_table(trainer: str, type: str) -> None:
    spelled = {"unetdiscriminatorsn": "UNetDiscriminatorSN", "vggstylediscriminator": "VGGStyleDiscriminator"}
    for name in (type, spelled.get(type, type)):
        found = look_up(trainer, name, {}, None, "discriminator")
        if found is not None:
            with torch.device("meta"):
                built = build_discriminator(options(name, **found.entry.arguments))
            assert built is not None
            assert count_parameters(built) == found.entry.parameters


def test_no_discriminator_is_none() -> None:
    assert fingerprint_discriminator(None, nobody) is None


@pytest.mark.parametrize(
    ("arguments", "message", "fix"),
    [
        ({"num_feats": 64}, "doesn't have the argument 'num_feats'", "Did you mean 'num_feat'?"),
        ({"depth": 64}, "doesn't have the argument 'depth'", "It takes num_in_ch, num_feat, skip_connection."),
        ({"num_feat": "64"}, "a whole number from 2 to 4096. Found the text '64'", "Correct it"),
    ],
)
@pytest.mark.parametrize("ask", [None, nobody], ids=["table", "layers"])
def test_what_the_trainer_would_stop_at_is_said_and_nothing_counted(
    arguments: dict[str, Value], message: str, fix: str, ask: Any
) -> None:
    found = fingerprint("UNetDiscriminatorSN", ask, **arguments)
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


def test_a_builder_that_knows_it_is_believed_over_the_layers() -> None:
    about = (Finding("network-argument-unknown", "warning", "x"), Finding("network-scale-default", "info", "y"))

    def trainer(network: NetworkOptions) -> NetworkFingerprint:
        return NetworkFingerprint(network.type, parameters=123, builder="trainer", findings=about)

    found = fingerprint("dunet", trainer, num_feat=64)
    assert (found.parameters, found.builder, codes(found)) == (123, "trainer", ["network-argument-unknown"])


def test_a_size_of_the_table_answers_without_torch() -> None:
    import subprocess

    code = (
        "import sys; from autocal_cli.config.model import NetworkOptions; from autocal_cli.errors import Place;"
        "from autocal_cli.network.discriminators import fingerprint_discriminator as f;"
        "from autocal_cli.network.fingerprint import ask; from autocal_cli.network.table import Packaged;"
        "n = NetworkOptions('UNetDiscriminatorSN', {'num_in_ch': 3, 'num_feat': 64}, Place(''), {});"
        "assert f(n, lambda one: ask((Packaged('BasicSR'),), one, None)).parameters == 4376897;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
