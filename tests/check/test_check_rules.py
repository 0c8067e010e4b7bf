"""What the checks say, beyond the examples of the catalogue; and as much that must stay unsaid."""

from __future__ import annotations

import re

import pytest

from autocal_cli.check.checks import load_catalogue
from autocal_cli.workflow.calibrate import calibrate_file
from autocal_cli.workflow.dataset import DatasetOptions

NANO = """\
scale: 2
network_d: {type: dunet}
network_g: {type: paragonsr2_nano}
train:
  total_iter: 40000
  optim_d: {type: AdamW, lr: 1.0e-04}
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: ganloss, loss_weight: 0.1}
  dynamic_loss_scheduling:
    enabled: true
"""


def with_block(**values: object) -> str:
    return NANO + "".join(f"    {key}: {value}\n" for key, value in values.items())


def codes(findings, *severities: str) -> list[str]:
    """Those of the block, the losses and the network; what the trainer's options say of these excerpts, and that L1
    and MS-SSIM leave the scheduler nothing to move, is no matter here."""
    elsewhere = {code for code, rule in load_catalogue().items() if rule.family in ("options", "training")}
    told = [finding for finding in findings if finding.code not in {*elsewhere, "nothing-to-move", "block-not-native"}]
    return [finding.code for finding in told if not severities or finding.severity in severities]


def test_the_guides_wrong_block_has_its_four_mistakes_and_no_more(checked) -> None:
    block = with_block(momentum=0.95, adaptation_rate=0.005, max_weight=100.0, baseline_iterations=200)
    found = [finding for finding in checked(block) if finding.code not in ("gan-without-pretrain", "block-not-native")]
    assert codes(found) == ["value-unsupported"] * 4
    assert [str(finding.place) for finding in found] == [
        "train.yml:12:15", "train.yml:13:22", "train.yml:14:17", "train.yml:15:26",
    ]  # fmt: skip
    said = [finding.message for finding in found]
    assert said == [
        "momentum 0.95 is above what the preset nano supports: 0.665 to 0.936 (preset: 0.85).",
        "adaptation_rate 0.005 is below what the preset nano supports: 0.00672 to 0.0352 (preset: 0.015).",
        "max_weight 100 is above what the preset nano supports: 4 to 37.5 (preset: 5).",
        "baseline_iterations 200 is above what the preset nano supports: 14 to 141 (preset: 50).",
    ]


def test_no_value_is_proposed_that_calibration_would_not_write(checked) -> None:
    gan, text = "    - {type: ganloss, loss_weight: 0.1}\n", with_block(max_weight=100.0)
    for losses, fix in (("", "Write 5.0, or delete it"), (gan, "Delete it")):
        (found,) = [one for one in checked(text.replace(gan, losses)) if one.code == "value-unsupported"]
        assert found.fix == f"{fix}, and `autocal calibrate` chooses it."


@pytest.mark.parametrize(
    "values",
    [
        {"auto_calibrate": "true"},
        {"momentum": 0.85, "adaptation_rate": 0.015, "max_weight": 5.0, "baseline_iterations": 50},
        {"momentum": 0.8},
        {"momentum": 0.9, "adaptation_rate": 0.01},
        {"training_config": "{total_iterations: 40000, dataset_info: {texture_variance: 0.7, edge_density: 1}}"},
        {"phases": "{early: {until: 0.2}}", "stability": "{spike_z: 5.0}"},
        {"momentum": "~", "training_config": "{}"},
    ],
)  # fmt: skip
def test_blocks_without_a_mistake(values: dict[str, object], checked) -> None:
    assert codes(checked(with_block(**values))) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"momentum": 1.0}, ["value-invalid"]),
        ({"adaptation_rate": 0}, ["value-invalid"]),
        ({"momentum": "fast", "max_weight": "[5]"}, ["value-invalid"] * 2),
        ({"phases": "fast"}, ["value-invalid"]),
        ({"momentum": "{a: 1}"}, ["value-invalid"]),
        ({"stability": "{spike_z: 0}"}, ["value-invalid"]),
        ({"min_weight": "1e-6"}, ["number-as-text"]),
        ({"min_weight": '"1.0e-06"'}, ["number-as-text"]),
        ({"baseline_iterations": "5e1"}, ["number-as-text"]),
        ({"min_weight": 6.0, "max_weight": 5.0}, ["weights-crossed"]),
        ({"min_weight": 1.0, "max_weight": 1.0}, ["parameter-idle"] * 2),
        ({"max_weight": 5.0, "min_weight": 1.0}, ["parameter-idle"]),
        ({"max_weight": 5.0, "adaptation_threshold": 1.7}, []),
        ({"phases": "{early: {rate: 0}, middle: {rate: 0}, late: {rate: 0}}"}, ["parameter-idle"]),
        ({"training_config": "{total_iteration: 40000}"}, ["misspelt-key"]),
    ],
)  # fmt: skip
def test_blocks_with_one_kind_of_mistake(values: dict[str, object], expected: list[str], checked) -> None:
    assert codes(checked(with_block(**values))) == expected


def test_all_mistakes_are_told_at_once(checked) -> None:
    text = """\
scale: two
network_g: {type: ParagonSR2, num_block: 6, num_feat: -1}
network_d: {type: dunet}
train:
  total_iter: 4e4
  optim_g: {lr: 1e-4}
  losses:
    - {loss_weight: 1.0}
    - {type: l1loss, loss_weight: -1.0}
    - {type: l1loss, loss_weight: 1.0}
  dynamic_loss_scheduling:
    momentum: 2
    momentun: 0.9
    momentum: 3
    max_weight: 1000.0
"""
    assert set(codes(checked(text))) == {
        "count-invalid", "network-argument-unknown", "network-rejected", "discriminator-unused", "number-as-text",
        "losses-malformed", "loss-negative", "loss-twice", "value-invalid", "misspelt-key", "key-twice",
        "value-unsupported",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("optim_g: {lr: 1e-4}", 1),
        ("optim_g: {lr: 1.e-4}", 0),  # a float to both readers
        ("optim_g: {lr: !!float 1e-4}", 0),
        ("optim_g: {lr: 1.0e-4, betas: [0.9, 99e-2]}", 1),
        ("optim_g: {lr: 0.0001}", 0),
        ("optim_g: {lr: '0.0001'}", 1),
        ("scheduler: {type: MultiStepLR, milestones: [1e5, 2e5], gamma: 5e-1}", 3),
        ("note: 1e-4 as in the paper", 0),
        ("optim_g: {type: 1e4}", 0),
        ("extra: '1e-4'", 0),  # quoted, and no key that is known to want a number
        ("extra: 0x1e4", 0),
        ("extra: 12e", 0),
        ("extra: 1e999", 0),
    ],
)
def test_numbers_that_are_text(line: str, found: int, checked) -> None:
    text = NANO.replace("  losses:\n", f"  {line}\n  losses:\n")
    assert codes(checked(text)) == ["number-as-text"] * found


@pytest.mark.parametrize("line", ["name: 1e4", "path: {resume_state: 2e5}", "datasets: {train: {meta_info: 1e3}}"])
def test_names_that_look_like_numbers(line: str, checked) -> None:
    assert codes(checked(f"{line}\n{NANO}")) == []


GAN = """\
scale: 2
network_g: {type: paragonsr2_nano}
train:
  total_iter: 40000
  optim_d: {type: AdamW, lr: 0.0001}
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: ganloss, loss_weight: 0.1}
"""
TABLES = """\
scale: 4
network_g: {type: RRDBNet, num_in_ch: 3, num_out_ch: 3}
network_d: {type: UNetDiscriminatorSN}
datasets: {train: {io_backend: {type: disk}}}
train:
  total_iter: 400000
  optim_d: {type: Adam, lr: 0.0001}
  pixel_opt: {type: L1Loss, loss_weight: 1.0}
  perceptual_opt: {type: PerceptualLoss, perceptual_weight: 1.0, style_weight: 0}
  gan_opt: {type: GANLoss, loss_weight: !!float 1e-1}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GAN, ["discriminator-missing"]),
        ("network_d: {type: dunet}\n" + GAN, []),
        ("network_d: ~\n" + GAN, ["discriminator-missing"]),
        (GAN.replace("0.1", "0"), []),
        ("network_d: {type: dunet}\n" + GAN.replace("loss_weight: 0.1", "loss_weight: 0"), ["discriminator-unused"]),
        ("network_d: {type: dunet}\n" + GAN.replace("ganloss", "featurematchingloss"), []),
        ("network_d: {type: dunet}\n" + GAN.replace("  optim_d:", "  optim_x:"), ["discriminator-missing"]),
        (TABLES, []),
        (TABLES.replace("network_d: {type: UNetDiscriminatorSN}\n", ""), ["discriminator-missing"]),
        (TABLES.replace("L1Loss, loss_weight: 1.0", "L1Loss, loss_weight: -1.0"), ["loss-negative"]),
    ],
)  # fmt: skip
def test_losses_and_discriminators(text: str, expected: list[str], checked) -> None:
    assert codes(checked(text), "warning", "error") == expected


def test_values_kept_by_a_calibration_are_not_told_again_and_edits_of_its_own_are(checked, tmp_path) -> None:
    config = tmp_path / "train.yml"
    config.write_text(with_block(auto_calibrate="true", momentum=0.95), encoding="utf-8")
    assert codes(checked(config.read_text("utf-8"))) == ["value-unsupported"]
    resolved = calibrate_file(config, {}, DatasetOptions(skip=True)).after.decode()
    assert codes(checked(resolved)) == []
    assert codes(checked(re.sub("max_weight: [0-9.]+", "max_weight: 50.0", resolved, count=1))) == ["value-unsupported"]


@pytest.mark.parametrize("total_iter", [100, 1000, 40_000, 1_000_000])
def test_what_a_short_run_is_calibrated_to_is_supported(total_iter: int, checked) -> None:
    text = with_block(baseline_iterations=max(1, total_iter // 20)).replace("40000", str(total_iter))
    low = [finding.code for finding in checked(text) if "below" in finding.message]
    assert low == []


def test_where_the_network_is_not_looked_at_any_preset_will_do(checked) -> None:
    text = with_block(momentum=0.95, adaptation_rate=0.005, max_weight=100.0, baseline_iterations=200)
    assert codes(checked(text, network=False)) == []
    found = checked(text.replace("0.005", "0.5"), network=False)
    (finding,) = [one for one in found if one.code == "value-unsupported"]
    assert "any preset, nano to xl," in finding.message


BEFORE = """\
scale: 2
network_g:
  type: {type}
  num_fea: 12
train:
  total_iter: 40000
  losses:
    - {{type: l1loss, loss_weight: 1.0}}
    - {{type: mssimloss, loss_weight: 0.5}}
  dynamic_loss_scheduling: {{momentum: 0.95, adaptation_rate: 0.005, max_weight: 100.0, baseline_iterations: 200}}
"""


def test_an_argument_that_a_fixed_variant_refuses_hides_no_other_mistake(checked) -> None:
    found = codes(checked(BEFORE.format(type="paragonsr2_nano")))
    assert found == ["network-rejected", *4 * ["value-unsupported"]]


def test_a_class_with_a_wrong_argument_is_not_taken_for_its_default(checked) -> None:
    text = BEFORE.format(type="ParagonSR2").replace("num_fea: 12", "num_feat: many")
    assert codes(checked(text)) == ["network-rejected"]
