"""What autocal says of its networks without building them is what torch counts in the built ones."""

from __future__ import annotations

import inspect
import subprocess
import sys
import time

import pytest
from built import built_sizes, on_meta
from hypothesis import given, settings
from hypothesis import strategies as st

from autocal_cli.config.record import NetworkOptions, Value
from autocal_cli.errors import Place
from autocal_cli.network import paragonsr2_arguments as first
from autocal_cli.network import paragonsr2_second_arguments as second
from autocal_cli.network.fingerprint import fingerprint_network
from autocal_cli.network.layers import sizes_of
from autocal_cli.network.paragonsr2 import VARIANTS, ParagonSR2, build_variant
from autocal_cli.network.paragonsr2_layers import first_layers
from autocal_cli.network.paragonsr2_second import SecondParagonSR2, build_second_variant
from autocal_cli.network.paragonsr2_second_layers import second_layers

Arguments = dict[str, Value]


# Each variant at one scale, the small ones at all: building and counting a large one takes torch a second.
@pytest.mark.parametrize(
    ("variant", "scale"), [*((variant, 4) for variant in VARIANTS), *(("nano", scale) for scale in (2, 3, 8))]
)
def test_registered_variants_of_the_first_generation(variant: str, scale: int) -> None:
    described = sizes_of(first_layers(**{**VARIANTS[variant].arguments(), "scale": scale}))
    assert described == built_sizes(on_meta(build_variant, variant, scale))


@pytest.mark.parametrize(
    ("variant", "scale"), [*((variant, 2) for variant in second.VARIANTS), *(("realtime", s) for s in (3, 4, 8))]
)
def test_registered_variants_of_the_second_generation(variant: str, scale: int) -> None:
    described = sizes_of(second_layers(**{**second.VARIANTS[variant], "scale": scale}))
    assert described == built_sizes(on_meta(build_second_variant, variant, scale))


# One argument at a time away from a small network; the empty row is the class with its own defaults.
SMALL: Arguments = {"num_feat": 16, "num_groups": 1, "num_blocks": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 3},
        {"in_chans": 1},
        {"num_feat": 5},
        {"num_groups": 3},
        {"num_blocks": 1},
        {"ffn_expansion": 0.25},
        {"block_kwargs": {"square_kernel_size": 5, "band_kernel_size": 3, "branch_ratio": 0.3}},
        {"block_kwargs": None},
        {"upsampler_alpha": 0},
        {"detail_gain": 3},
        {"use_channels_last": False},
        {"fast_body_mode": True},
        {"use_norm": True},
        {"use_channel_mod": False},
        {"use_content_aware": False},
        {"use_attention": True},
        {"use_attention": True, "use_channel_mod": False},
    ],
)
def test_every_switch_of_the_first_generation(change: Arguments) -> None:
    arguments = SMALL | change
    built = on_meta(ParagonSR2, **arguments)
    in_chans = change.get("in_chans", 3)
    assert isinstance(in_chans, int)
    assert sizes_of(first_layers(**arguments)) == built_sizes(built, in_chans)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        *({"variant": variant} for variant in second.BLOCKS),
        *({"variant": variant, "attention_mode": None} for variant in second.BLOCKS),
        *({"variant": variant, "window_size": 24} for variant in second.BLOCKS),
        {"scale": 3},
        {"in_chans": 1},
        {"num_feat": 24},
        {"num_groups": 2},
        {"upsampler_alpha": 0},
        {"detail_gain": 3},
        {"export_safe": True},
        {"use_checkpointing": True},
        {"attention_mode": "flex"},
        {"window_size": 100},
    ],
)
def test_every_switch_of_the_second_generation(change: Arguments) -> None:
    arguments = SMALL | change
    in_chans = change.get("in_chans", 3)
    assert isinstance(in_chans, int)
    assert sizes_of(second_layers(**arguments)) == built_sizes(on_meta(SecondParagonSR2, **arguments), in_chans)  # type: ignore[arg-type]


def test_the_classes_own_defaults() -> None:
    for layers, network in ((first_layers, ParagonSR2), (second_layers, SecondParagonSR2)):
        defaults = {name: parameter.default for name, parameter in inspect.signature(layers).parameters.items()}
        of_the_class = {name: parameter.default for name, parameter in inspect.signature(network).parameters.items()}
        del defaults["_without_layers"]
        assert defaults == {name: of_the_class[name] for name in defaults}


BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "square_kernel_size": st.sampled_from([1, 3, 7]),
        "band_kernel_size": st.sampled_from([1, 9, 15]),
        "branch_ratio": st.floats(0, 1 / 3),
    },
)
FIRST = {
    "scale": st.sampled_from(first.SCALES),
    "in_chans": st.integers(1, 4),
    "num_feat": st.integers(4, 40),
    "num_groups": st.integers(1, 2),
    "num_blocks": st.integers(1, 2),
    "ffn_expansion": st.floats(0.25, 3),
    "block_kwargs": BLOCKS,
    "upsampler_alpha": st.sampled_from([0, 0.5]),
    **dict.fromkeys(
        ("fast_body_mode", "use_norm", "use_channel_mod", "use_content_aware", "use_attention"), st.booleans()
    ),
}


@settings(max_examples=12, deadline=None)
@given(st.fixed_dictionaries(FIRST))
def test_any_arguments_together(arguments: dict[str, object]) -> None:
    in_chans = arguments["in_chans"]
    assert isinstance(in_chans, int)
    assert sizes_of(first_layers(**arguments)) == built_sizes(on_meta(ParagonSR2, **arguments), in_chans)  # type: ignore[arg-type]


@pytest.mark.parametrize("type", ["paragonsr2_nano", "ParagonSR2", "paragonsr2_m", "paragonsr2_pro", "paragonsr2_xl"])
def test_a_fingerprint_takes_milliseconds(type: str) -> None:
    network = NetworkOptions(type, {}, Place("train.yml"), {})
    taken = []
    for _ in range(3):
        start = time.process_time()
        assert fingerprint_network(network, 4).parameters
        taken.append(time.process_time() - start)
    assert min(taken) < 0.05


def test_fingerprints_need_no_torch() -> None:
    code = (
        "import sys; from autocal_cli.network.fingerprint import fingerprint_network;"
        "from autocal_cli.config.record import NetworkOptions; from autocal_cli.errors import Place;"
        "found = fingerprint_network(NetworkOptions('paragonsr2_pro', {}, Place(''), {}), 2);"
        "sys.exit(found.parameters != 1_993_420 or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
