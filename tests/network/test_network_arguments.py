"""Arguments that a network doesn't have, and values that it doesn't take."""

from __future__ import annotations

import pytest

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.arguments import check_arguments, check_values, in_words, nearest
from autocal_cli.network.paragonsr2.family import ARGUMENTS


def options(type: str = "ParagonSR2", **arguments: Value) -> NetworkOptions:
    """`network_g` on line 10 of train.yml, its arguments on the lines below."""
    places = {name: Place("train.yml", 11 + line, 3) for line, name in enumerate(arguments)}
    return NetworkOptions(type, arguments, Place("train.yml", 10, 1), places)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("num_block", "num_blocks"),
        ("numgroups", "num_groups"),
        ("Num_Feat", "num_feat"),
        ("num_features", "num_feat"),
        ("upscale", "scale"),
        ("in_channels", "in_chans"),
        ("use_atention", "use_attention"),
        ("num_grow_ch", None),
        ("use_checkpointing", None),
        ("nf", None),
        ("", None),
    ],
)
def test_did_you_mean(misspelt: str, meant: str | None) -> None:
    assert nearest(misspelt, tuple(ARGUMENTS)) == meant


def test_a_class_reports_every_argument_that_it_ignores() -> None:
    findings = check_arguments(options(num_feat=64, num_block=6, num_grow_ch=32), tuple(ARGUMENTS), swallows=True)
    assert [(f.code, f.severity, f.place) for f in findings] == [
        ("network-argument-unknown", "warning", Place("train.yml", 12, 3)),
        ("network-argument-unknown", "warning", Place("train.yml", 13, 3)),
    ]
    block, grow = findings
    assert block.message == (
        "the network ParagonSR2 doesn't have the argument 'num_block', and the trainer ignores it: "
        "the network is built as if it were not there."
    )
    assert block.fix == "Did you mean 'num_blocks'?"
    assert grow.fix is not None
    assert grow.fix.startswith("Remove it. ParagonSR2 takes scale, in_chans, num_feat, ")


@pytest.mark.parametrize("arguments", [{}, {"scale": 2}, {"num_feat": 64, "num_blocks": 6, "block_kwargs": None}])
def test_known_arguments_are_silent(arguments: dict[str, Value]) -> None:
    for swallows in (True, False):
        assert check_arguments(options(**arguments), tuple(ARGUMENTS), swallows) == ()


def test_scale_is_always_an_argument() -> None:
    assert check_arguments(options(scale=2), ("num_feat",), swallows=False) == ()


def test_an_argument_already_given_is_not_suggested() -> None:
    (finding,) = check_arguments(options(num_blocks=6, num_block=6), tuple(ARGUMENTS), swallows=True)
    assert finding.fix is not None
    assert finding.fix.startswith("Remove it. ")


def test_a_fixed_variant_stops_the_command_in_one_line() -> None:
    network = options("paragonsr2_nano", scale=2, num_feat=24, use_atention=True)
    with pytest.raises(AutocalError) as caught:
        check_arguments(network, ("scale", "use_attention"), swallows=False)
    assert str(caught.value) == (
        "train.yml:12:3: the network paragonsr2_nano doesn't have the arguments 'num_feat', 'use_atention': "
        "the variant would be trained as it is registered, whatever is written here. "
        "Remove 'num_feat'. Did you mean 'use_attention' instead of 'use_atention'? It takes scale, use_attention."
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("num_feat", "twelve", "should be a whole number from 4 to 4096. Found the text 'twelve'."),
        ("num_feat", "12", "Found the text '12'. It reads as text; write 12."),
        ("num_feat", 0, "should be a whole number from 4 to 4096. Found 0."),
        ("num_feat", 12.0, "Found 12.0. Write 12."),
        ("num_feat", True, "Found true."),
        ("num_feat", None, "Found nothing."),
        ("num_feat", [64], "Found [64]."),
        ("scale", 5, "should be 2, 3, 4 or 8. Found 5."),
        ("upsampler_alpha", 3, "should be a number from 0 to 1. Found 3."),
        ("upsampler_alpha", float("inf"), "Found inf."),
        ("upsampler_alpha", "1e-1", "Found the text '1e-1'. It reads as text; write 1.0e-01."),
        ("upsampler_alpha", "1.25E-1", "Found the text '1.25E-1'. It reads as text; write 1.25e-01."),
        ("upsampler_alpha", "0.5", "Found the text '0.5'. It reads as text; write 0.5."),
        ("upsampler_alpha", "5e0", "Found the text '5e0'."),
        ("upsampler_alpha", False, "Found false."),
        ("use_norm", "no", "should be true or false. Found the text 'no'. It reads as text; write false."),
        ("use_norm", 1, "Found 1. Write true."),
        ("use_norm", 2, "should be true or false. Found 2."),
        ("block_kwargs", {"band": 7}, "(a number from 0 to 0.333333). Found {'band': 7}."),
    ],
)
def test_rejected_values(name: str, value: Value, said: str) -> None:
    with pytest.raises(AutocalError) as caught:
        check_values(options(**{name: value}), ARGUMENTS)
    line = str(caught.value)
    assert line.startswith(f"train.yml:11:3: the network argument {name!r} should be ")
    assert line.endswith(said)
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_feat", 64),
        ("scale", 8),
        ("upsampler_alpha", 1),
        ("upsampler_alpha", 0.0),
        ("use_norm", False),
        ("block_kwargs", {"band_kernel_size": 7, "branch_ratio": 0.25}),
        ("anything_else", "1e-1"),
    ],
)
def test_accepted_values(name: str, value: Value) -> None:
    check_values(options(**{name: value}), ARGUMENTS)


def test_a_long_value_is_cut() -> None:
    assert len(in_words(list(range(1000)))) == 60


def test_an_argument_without_a_place_is_reported_at_the_network() -> None:
    network = NetworkOptions("ParagonSR2", {"num_feat": 0}, Place("train.yml", 10, 1), {})
    with pytest.raises(AutocalError, match=r"^train\.yml:10:1: "):
        check_values(network, ARGUMENTS)
