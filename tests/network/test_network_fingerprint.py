"""Network options in, fingerprint out."""

from __future__ import annotations

import subprocess
import sys

import pytest
from measured import fingerprint_network

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.paragonsr2.family import VARIANTS

PLACE = Place("train.yml", 10, 1)


def fingerprint(type: str, scale: int | None = 2, /, **arguments: Value) -> NetworkFingerprint:
    """Of a network on line 10, every argument of it on line 11."""
    places = dict.fromkeys(arguments, Place("train.yml", 11, 3))
    return fingerprint_network(NetworkOptions(type, arguments, PLACE, places), scale)


def codes(found: NetworkFingerprint) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in found.findings]


def test_the_guides_example_builds_the_default_network() -> None:
    found = fingerprint("ParagonSR2", num_block=6, num_grow_ch=32)
    assert found.parameters == 1_804_076
    assert found.macs_per_pixel is not None
    assert f"{found.macs_per_pixel * 64 * 64 / 1e9:.2f}" == "6.09"
    assert (found.family, found.variant, found.scale, found.builder) == ("paragonsr2", None, 2, "built-in")
    assert codes(found) == [("network-argument-unknown", "warning")] * 2 + [("network-generation-assumed", "info")]


@pytest.mark.parametrize("type", ["paragonsr2_nano", "ParagonSR2_Nano", "PARAGONSR2_NANO"])
def test_types_are_compared_as_the_trainer_compares_them(type: str) -> None:
    found = fingerprint(type)
    assert (found.type, found.variant, found.parameters, found.findings) == (type, "nano", 10_595, ())
    assert found.macs_per_pixel == pytest.approx(26_822.0, abs=0.01)


@pytest.mark.parametrize("variant", ["nano", "micro", "tiny", "xs", "s", "m", "l"])
def test_a_class_with_a_variants_arguments_is_that_variant(variant: str) -> None:
    arguments = {**VARIANTS[variant]} | {"detail_gain": 0.3}  # not a matter of structure
    by_class, by_name = fingerprint("paragonsr2", **arguments), fingerprint(f"paragonsr2_{variant}")
    assert by_class.variant == by_name.variant == variant
    assert by_class.structure == by_name.structure


@pytest.mark.parametrize("change", [{"use_norm": True}, {"num_feat": 13}, {"block_kwargs": {"band_kernel_size": 9}}])
def test_one_argument_off_is_not_the_variant(change: dict[str, Value]) -> None:
    assert fingerprint("ParagonSR2", **{**VARIANTS["nano"], **change}).variant is None


@pytest.mark.parametrize(
    ("config", "own", "built", "expected"),
    [
        (2, {}, 2, []),
        (None, {"scale": 2}, 2, []),
        (2, {"scale": 2}, 2, []),
        (2, {"scale": 4}, 2, [("network-scale-mismatch", "warning")]),  # the trainer hands its own scale over
        (None, {}, 4, [("network-scale-default", "info")]),
    ],
)
def test_which_scale(config: int | None, own: dict[str, Value], built: int, expected: list[tuple[str, str]]) -> None:
    found = fingerprint("paragonsr2_nano", config, **own)
    assert found.scale == built
    assert found.parameters == {2: 10_595, 4: 26_291}[built]
    assert codes(found) == expected


@pytest.mark.parametrize(
    ("scale", "own", "said"),
    [
        (5, {}, "train.yml:10:1: the network paragonsr2_nano is made for scale 2, 3, 4 or 8. Found scale 5."),
        (2, {"scale": 5}, "train.yml:11:3: the network argument 'scale' should be 2, 3, 4 or 8. Found 5."),
    ],
)
def test_a_scale_that_the_network_cannot_take(scale: int, own: dict[str, Value], said: str) -> None:
    with pytest.raises(AutocalError) as caught:
        fingerprint("paragonsr2_nano", scale, **own)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("type", "arguments", "modified"),
    [
        ("paragonsr2_s", {"fast_body_mode": False}, True),
        ("paragonsr2_s", {"use_content_aware": False}, True),
        ("paragonsr2_s", {"use_norm": False}, False),
        ("paragonsr2_nano", {"use_norm": True, "detail_gain": 0.2}, False),
    ],
)
def test_switches_that_make_another_network_of_a_variant(
    type: str, arguments: dict[str, Value], modified: bool
) -> None:
    found = fingerprint(type, **arguments)
    assert codes(found) == [("network-variant-modified", "warning")] * modified
    assert found.variant == type.split("_")[1]


def test_a_modified_variant_is_told_both_numbers() -> None:
    (finding,) = fingerprint("paragonsr2_s", 4, fast_body_mode=False).findings
    assert "828,640" in finding.message
    assert "464,670" in finding.message


@pytest.mark.parametrize(
    ("type", "arguments"),
    [
        ("paragonsr2_nano", {"num_feat": 24}),
        ("paragonsr2_m", {"in_chans": 1}),
        ("paragonsr2_l", {"use_attention": True}),
        ("paragonsr2_xl", {"use_content_aware": False}),
    ],
)
def test_arguments_that_a_fixed_variant_drops(type: str, arguments: dict[str, Value]) -> None:
    with pytest.raises(AutocalError, match=f"the network {type} doesn't have the argument "):
        fingerprint(type, **arguments)


@pytest.mark.parametrize(
    ("type", "fix"),
    [
        ("ParagonSR", "Did you mean 'paragonsr2'?"),
        ("paragonsr2nano", "Did you mean 'paragonsr2_nano'?"),
        ("paragonsr2_ultimate", "Name the trainer with --trainer DIR or "),
        ("paragonsr2_movie", "Name the trainer with --trainer DIR or "),
        ("MadeUpNet", "Name the trainer with --trainer DIR or "),
    ],
)
def test_an_unknown_type_is_said_and_never_guessed(type: str, fix: str) -> None:
    found = fingerprint(type, 2, num_feat=64)
    assert (found.type, found.scale) == (type, 2)
    assert (found.family, found.variant, found.parameters, found.macs_per_pixel, found.builder) == (None,) * 5
    (finding,) = found.findings
    severity = "warning" if fix.startswith("Did you mean") else "info"
    assert (finding.code, finding.severity, finding.place) == ("network-unknown", severity, PLACE)
    assert type in finding.message
    assert finding.fix is not None
    assert finding.fix.startswith(fix)


def test_no_network() -> None:
    found = fingerprint_network(None, 2)
    assert (found.type, found.parameters) == (None, None)
    assert codes(found) == [("network-missing", "warning")]


def test_other_channel_counts_are_measured_on_images_with_as_many() -> None:
    one, three = fingerprint("ParagonSR2", in_chans=1), fingerprint("ParagonSR2", in_chans=3)
    assert one.macs_per_pixel is not None
    assert three.macs_per_pixel is not None
    assert one.macs_per_pixel < three.macs_per_pixel


def test_the_record_does_not_need_torch() -> None:
    code = "import sys, autocal_cli.network.model, autocal_cli.network.arguments; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
