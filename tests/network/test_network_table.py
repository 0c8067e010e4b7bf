"""The packaged table of networks: what it says, whom it asks first, and what is said where it has nothing exact."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.fingerprint import ask
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.paragonsr2.family import SECOND_VARIANTS, BuiltIn
from autocal_cli.network.table import FILES, OWN, Packaged, alike, all_types, find_line, look_up
from autocal_cli.packaged import preset_text

REDUX, FORK, BASICSR, NEOSR = "traiNNer-redux", "traiNNer-redux-fork", "BasicSR", "neosr"


def network(type: str, /, **arguments: Value) -> NetworkOptions:
    places = dict.fromkeys(arguments, Place("train.yml", 4, 3))
    return NetworkOptions(type, arguments, Place("train.yml", 3, 1), places)


def measured(trainer: str | None, type: str, scale: int | None = 4, /, **arguments: Value) -> NetworkFingerprint:
    """By the table alone."""
    return ask((Packaged(trainer), Packaged(trainer, nearest=True)), network(type, **arguments), scale)


def codes(found: NetworkFingerprint) -> list[str]:
    return [finding.code for finding in found.findings]


def test_an_argument_that_a_measured_network_let_fall_is_ignored():
    found = measured(FORK, "paragondiffusion_nano", use_checkpoint=True).findings
    (one,) = [one for one in found if one.code == "network-argument-unknown"]
    assert (one.severity, "ignores it" in one.message) == ("warning", True)


# Parameters and MACs per pixel that were measured apart from the table: by benchmarks/network_coverage.py, by hand in
# the trainer's own environment, or published with the network.
@pytest.mark.parametrize(
    ("trainer", "type", "arguments", "scale", "parameters", "macs"),
    [
        (REDUX, "swinir_m", {}, 4, 11_900_199, 13_075_308.0),  # 11.9 M: Liang et al. 2021
        (REDUX, "SwinIR_M", {}, 4, 11_900_199, 13_075_308.0),  # the registry lowers names
        (REDUX, "esrgan", {}, 4, 16_697_987, 17_926_848.0),  # 16.7 M: Wang et al. 2018
        (REDUX, "compact", {}, 4, 621_424, 619_200.0),
        (FORK, "compact", {}, 4, 621_424, 619_200.0),
        (None, "compact", {}, 4, 621_424, 619_200.0),
        (
            *(BASICSR, "RRDBNet"),
            {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 64, "num_block": 23, "num_grow_ch": 32},
            *(4, 16_697_987, 17_926_848.0),
        ),
        (
            *("Real-ESRGAN", "RRDBNet"),
            {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 64, "num_block": 23},
            *(4, 16_697_987, 17_926_848.0),
        ),
        (NEOSR, "compact", {}, 4, 621_424, 619_200.0),
        (REDUX, "escrealm_xl", {}, 4, 13_029_763, 30_328_804.0),  # its compiled attention, counted in its plain form
    ],
)
def test_a_network_is_answered_with_what_its_constructor_makes(
    trainer: str | None, type: str, arguments: dict[str, Value], scale: int, parameters: int, macs: float
) -> None:
    found = measured(trainer, type, scale, **arguments)
    assert (found.parameters, found.macs_per_pixel, found.findings) == (parameters, macs, ())


# The first generation's names stand for other networks in another commit of the trainer (facts of the trainers): there
# autocal's own count comes first, and the table of that commit is no witness.
@pytest.mark.parametrize("type", [f"paragonsr2_{variant}" for variant in SECOND_VARIANTS])
def test_it_agrees_with_the_layers_that_autocal_counts_itself(type: str) -> None:
    """The table's ParagonSR2 networks of the second generation, beside autocal's own count."""
    own = BuiltIn()
    for scale in (2, 4):
        counted, found = own.measure(network(type), scale), look_up(FORK, type, {}, scale)
        assert found is not None
        assert isinstance(counted, NetworkFingerprint)
        assert found.exact
        assert found.entry.parameters == counted.parameters
        assert found.entry.macs_per_pixel == pytest.approx(counted.macs_per_pixel, rel=0.01)


# Millions of parameters as published: BasicVSR, IconVSR: Chan et al. 2021; BasicVSR++: 2022; EDVR: Wang et al. 2019.
@pytest.mark.parametrize(
    ("type", "arguments", "millions"),
    [
        ("BasicVSR", {"num_feat": 64, "num_block": 30, "spynet_path": "spynet.pth"}, 6.3),
        ("IconVSR", {"num_feat": 64, "num_block": 30, "spynet_path": "spynet.pth", "edvr_path": "edvr.pth"}, 8.7),
        ("BasicVSRPlusPlus", {"mid_channels": 64, "num_blocks": 7, "spynet_path": "spynet.pth"}, 7.3),
        ("EDVR", {"num_feat": 128, "num_reconstruct_block": 40}, 20.6),
    ],
)
def test_a_video_network_is_whole_whatever_file_its_weights_come_from(
    type: str, arguments: dict[str, Value], millions: float
) -> None:
    found = measured(BASICSR, type, None, **arguments)
    assert (round((found.parameters or 0) / 1e6, 1), codes(found)) == (millions, ["network-takes-clips"])
    assert found.macs_per_pixel


def test_arguments_that_are_the_defaults_are_no_others() -> None:
    assert measured(REDUX, "swinir_m", 4, embed_dim=180, mlp_ratio=2).findings == ()


def test_the_scale_of_the_config_counts_over_the_networks_own_as_the_trainer_has_it() -> None:
    assert measured(REDUX, "compact", 2, scale=4).parameters == measured(REDUX, "compact", 2).parameters
    own = measured(BASICSR, "MSRResNet", 4, num_in_ch=3, num_out_ch=3, num_feat=64, num_block=16, upscale=2)
    assert own.parameters != measured(BASICSR, "MSRResNet", 4, num_in_ch=3, num_out_ch=3, num_block=16).parameters


def test_another_size_is_told_as_the_nearest() -> None:
    found = measured(REDUX, "compact", 4, num_feat=48)
    assert codes(found) == ["network-nearest"]
    assert found.parameters == measured(REDUX, "compact").parameters
    assert "num_feat 64 instead of 48" in found.findings[0].message
    assert found.structure is None


def test_a_scale_that_nobody_measured_is_told_as_the_nearest() -> None:
    assert codes(measured(REDUX, "compact", 16))[0] == "network-nearest"


def test_names_are_compared_as_the_trainer_compares_them() -> None:
    assert look_up(REDUX, "COMPACT", {}, 4) is not None
    assert look_up(NEOSR, "no_such_network", {}, 4) is None
    signature = find_line(BASICSR, "RRDBNet")
    assert signature is not None
    assert signature.trainer == BASICSR
    other = find_line(BASICSR, "rrdbnet")
    assert other is None or other.trainer != BASICSR


def test_one_name_in_two_trainers_is_the_configs_own() -> None:
    origins = {trainer: look_up(trainer, "atd_light", {}, 4) for trainer in (REDUX, NEOSR)}
    assert {trainer: found.line.trainer for trainer, found in origins.items() if found} == {
        REDUX: REDUX,
        NEOSR: NEOSR,
    }


def test_a_name_of_another_trainer_is_found_there() -> None:
    found = look_up(BASICSR, "swinir_m", {}, 4)
    assert found is not None
    assert found.line.trainer == REDUX


@pytest.mark.parametrize(
    ("trainer", "type", "arguments", "code", "severity"),
    [
        (REDUX, "compact", {"num_feet": 64}, "network-argument-unknown", "error"),
        (REDUX, "compact", {"num_feat": "many"}, "network-argument-type", "warning"),
        (NEOSR, "compact", {"num_feet": 64}, "network-argument-unknown", None),
    ],
)
def test_arguments_are_held_against_the_signature(
    trainer: str, type: str, arguments: dict[str, Value], code: str, severity: str | None
) -> None:
    (finding,) = (finding for finding in measured(trainer, type, 4, **arguments).findings if finding.code == code)
    assert severity is None or finding.severity == severity
    assert finding.place == Place("train.yml", 4, 3)


def test_another_trainers_constructor_says_nothing_against_a_config() -> None:
    assert measured(BASICSR, "compact", 4, num_feet=64).findings == ()


def test_every_file_says_where_it_comes_from() -> None:
    for name in FILES:
        head = json.loads(preset_text(f"networks/{name}.jsonl").partition("\n")[0])
        assert head["trainer"] in OWN
        assert len(head["commit"]) == 40
        if "like" in head:
            liked = preset_text(f"networks/{head['like']}.jsonl").splitlines()[1:]
            assert set(head["same"]) <= {json.loads(raw)["type"] for raw in liked}


def test_every_entry_is_a_network() -> None:
    for name in FILES:
        for raw in preset_text(f"networks/{name}.jsonl").splitlines()[1:]:
            line = json.loads(raw)
            assert ("failed" in line) != bool(line.get("sizes")), line["type"]
            for size in line.get("sizes", ()):
                assert size["parameters"] > 0
                assert len(size["structure"]) == 64
                assert ("macs" in size) != ("uncounted" in size), line["type"]


def test_the_entry_of_every_type_is_found_by_its_own_arguments() -> None:
    for trainer in OWN:
        for type in all_types():
            found = look_up(trainer, type, {}, 4)
            if found is None:
                continue
            again = look_up(trainer, type, found.entry.arguments, found.entry.scale)
            assert again is not None
            assert again.exact, (trainer, type, again.differing)


def test_the_trainers_own_names_come_to_some_hundreds() -> None:
    assert len(all_types()) > 200
    assert len(all_types("discriminator")) > 8


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (4, 4.0, True),
        (1, True, False),
        ([1, 2], (1, 2), True),
        ([1, 2], [1, 2, 3], False),
        ("a", "A", False),
        (None, None, True),
    ],
)
def test_values_are_alike_as_a_constructor_has_them(one: Value, other: Value, same: bool) -> None:
    assert alike(one, other) is same


def test_it_needs_no_torch() -> None:
    code = (
        "import sys; from autocal_cli.network.table import look_up; look_up('neosr', 'compact', {}, 4);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'yaml', 'spandrel')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.corpus
def test_nearly_every_real_config_has_a_measured_network_on_a_plain_install(corpus: Path) -> None:
    own = BuiltIn()
    exact = total = 0
    for path in sorted((corpus / "configs").rglob("*.y*ml")):
        try:
            config = read_training_config(parse_document(path.read_bytes(), str(path)))
        except AutocalError:
            continue
        if config.network is None:
            continue
        total += 1
        try:
            found = ask((own, Packaged(config.trainer)), config.network, config.scale)
        except AutocalError:
            continue
        exact += found.parameters is not None
    assert total > 60
    assert exact >= 0.95 * total
