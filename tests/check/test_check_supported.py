"""The law of what is supported: nothing that calibration writes is ever outside of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.presets import load_presets
from autocal_cli.check.block import GUIDE_PARAMETERS, supported
from autocal_cli.config.model import LossTerm, SchedulingBlock, TrainingConfig
from autocal_cli.errors import Place
from autocal_cli.network.model import NetworkFingerprint

PRESETS = load_presets()
HERE = Place("train.yml")
variants = st.sampled_from([preset.variant for preset in PRESETS.presets])
sizes = st.integers(1000, 100_000_000)


@given(
    network=st.one_of(
        st.builds(lambda v: NetworkFingerprint(type=v, family="paragonsr2", variant=v), variants),
        st.builds(lambda n: NetworkFingerprint(type="x", scale=2, parameters=n), sizes),
        st.just(NetworkFingerprint(type=None)),
    ),
    total_iter=st.none() | st.integers(1, 3_000_000),
    batch_size=st.none() | st.integers(1, 4096),
    adversarial=st.booleans(),
    complexity=st.floats(0, 1),
)
def test_whatever_calibration_writes_is_supported(network, total_iter, batch_size, adversarial, complexity) -> None:
    losses = (LossTerm("ganloss", "adversarial", 0.1, HERE),) if adversarial else ()
    block = SchedulingBlock({"training_config": {"dataset_info": {"overall_complexity": complexity}}}, {}, HERE)
    config = TrainingConfig(
        "", "", scale=2, total_iter=total_iter, batch_size=batch_size, losses=losses, block=block, place=HERE
    )
    written = calibrate(config, network, None, PRESETS).parameters
    for name in GUIDE_PARAMETERS:
        limits = supported(name, network, total_iter, PRESETS)
        assert limits.low <= written[name].value <= limits.high, name


def test_the_range_is_pinned_for_nano() -> None:
    nano = NetworkFingerprint(type="paragonsr2_nano", family="paragonsr2", variant="nano", parameters=10_595, scale=2)
    ranges = {name: supported(name, nano, 40_000, PRESETS) for name in GUIDE_PARAMETERS}
    assert {name: (round(r.low, 4), round(r.high, 4)) for name, r in ranges.items()} == {
        "momentum": (0.6652, 0.936),
        "adaptation_rate": (0.0067, 0.0352),
        "max_weight": (4.0, 37.5),
        "baseline_iterations": (14.0, 140.625),
    }
