"""The options of trainers as data, whom they judge, the schema that editors get, and what --fix makes of a slip."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from autocal_cli.calibration.json_schema import json_schema
from autocal_cli.calibration.presets import load_presets
from autocal_cli.check.schedules import rate_left
from autocal_cli.check.trainer_options import config_schema, options_of
from autocal_cli.config.trainers import TRAINERS
from autocal_cli.workflow.check import CheckOptions, check_files, find_configs, mend_file

NAMES = [layout.trainer for layout in TRAINERS]
FOLDER = Path(__file__).parent / "mistakes"


def references(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for one in schema for name in references(one)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].removeprefix("#/$defs/")} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*(references(value) for value in schema.values())) if schema else own


@pytest.mark.parametrize("name", NAMES)
def test_every_trainer_has_options_that_refer_to_what_is_there(name: str) -> None:
    options = options_of(name)
    assert options is not None
    assert re.fullmatch("[0-9a-f]{40}", options.commit)
    assert references(options.definitions) <= set(options.definitions)
    assert options.root["required"]


@cache
def schema_of(name: str) -> dict[str, Any]:
    options = options_of(name)
    assert options is not None
    return config_schema(options, json_schema(load_presets()))


def complaints(text: str, name: str) -> list[str]:
    """What the schema of a trainer says of a config, as its reader reads it."""
    config = tomllib.loads(text) if name == "neosr" else yaml.safe_load(text)
    return [error.message for error in Draft202012Validator(schema_of(name)).iter_errors(config)]


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_for_editors_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schema_of(name))
    assert references(schema_of(name)) <= set(schema_of(name)["$defs"])
    assert "dynamic_loss_scheduling" in str(schema_of(name))


BASES = {
    "redux.yml": "traiNNer-redux",
    "redux_gan.yml": "traiNNer-redux",
    "redux_otf.yml": "traiNNer-redux",
    "fork.yml": "traiNNer-redux-fork",
    "basicsr.yml": "BasicSR",
    "basicsr_gan.yml": "BasicSR",
    "realesrgan.yml": "Real-ESRGAN",
    "neosr.toml": "neosr",
    "neosr_otf.toml": "neosr",
}


@pytest.mark.parametrize("base", BASES)
def test_the_schema_takes_what_is_right(base: str) -> None:
    assert complaints((FOLDER / base).read_text("utf-8"), BASES[base]) == []


@pytest.mark.parametrize(
    ("base", "right", "wrong"),
    [
        ("redux.yml", "use_amp: true", "use_amb: true"),
        ("redux.yml", "scale: 4", "scale: 4x"),
        ("redux.yml", "    lq_size: 16", "    lq_size: []"),
        ("redux.yml", "type: MultiStepLR", "type: MultiStepLR\n    step: 3"),
        ("redux_gan.yml", "gan_type: vanilla", "gan_type: relativistic"),
        ("redux_otf.yml", "kernel_list: [iso, aniso]", "kernel_list: [iso, anisotropic]"),
        ("redux_otf.yml", "jpeg_range: [60, 95]", "jpeg_range: [60, 195]"),
        ("fork.yml", "    enabled: true\n    auto_calibrate: true", "    enabled: true\n    momentum: 2.0"),
        ("basicsr.yml", "    use_hflip: true\n", ""),
        ("basicsr.yml", "type: L1Loss", "type: L3Loss"),
        ("realesrgan.yml", "jpeg_range: [40, 95]\n", ""),
        ("neosr.toml", "patch_size = 16", "gt_size = 64"),
    ],
)
def test_the_schema_refuses_mistakes(base: str, right: str, wrong: str) -> None:
    text = (FOLDER / base).read_text("utf-8")
    assert right in text
    assert complaints(text.replace(right, wrong, 1), BASES[base])


def test_degradations_are_asked_for_where_they_are_made_alone() -> None:
    text = (FOLDER / "realesrgan.yml").read_text("utf-8").replace("jpeg_range: [40, 95]\n", "")
    assert complaints(text, "Real-ESRGAN")
    assert complaints(f"high_order_degradation: false\n{text}", "Real-ESRGAN") == []


WRONG_TEMPLATES = {  # by the trainers' own code; the others of the corpus are right
    "train_EDVR_L_x4_SR_REDS_woTSA.yml",  # ema_decay below network_g
    "train_hifacegan.yml",  # a loss that BasicSR does not have
    "2xParagonSR2_Nano_AUTO_CALIBRATED.yml",  # a fork's, written for no trainer's options
    "2xParagonSR2_Nano_Minimal_0_Config.yml",
    "2xParagonSR2_Nano_PSISR_D.yml",  # min_weight: 1e-6 is text
    "2xParagonSR2_Nano_Perceptual_DynamicGAN.yml",
}
FOLDERS = {
    "trainner-redux": "traiNNer-redux",
    "trainner-redux-fork": "traiNNer-redux-fork",
    "basicsr": "BasicSR",
    "real-esrgan": "Real-ESRGAN",
}


@pytest.mark.corpus
def test_the_schema_takes_the_trainers_own_templates(corpus: Path) -> None:
    configs = {
        path: name for folder, name in FOLDERS.items() for path in sorted((corpus / "configs" / folder).glob("*.yml"))
    }
    texts = {path: path.read_text("utf-8") for path in configs}
    training = [path for path, text in texts.items() if "\ntrain:" in text]
    assert len(training) >= 65
    assert {path.name for path in training if complaints(texts[path], configs[path])} == WRONG_TEMPLATES


@pytest.mark.parametrize(
    "loss", ["{type: contrastiveloss, loss_weight: 0.1}", "{type: laplacianpyramidloss, loss_weight: 1.0}"]
)
def test_a_loss_of_the_fork_marks_its_config(loss: str, checked) -> None:
    text = (
        (FOLDER / "redux.yml")
        .read_text("utf-8")
        .replace("    - type: mssimloss\n      loss_weight: 0.5", f"    - {loss}")
    )
    assert loss in text
    assert [one for one in checked(text, network=False) if one.code == "type-unknown"] == []
    assert [one.severity for one in checked(text, "traiNNer-redux", network=False) if one.code == "type-unknown"]


def test_a_trainer_without_options_is_not_judged(checked) -> None:
    text = "network_G: {type: RRDBNet}\nscale: 4\ntrain:\n  niter: 4000\n  lr_G: 0.0001\n  nonsense: 1\n"
    found = [finding.code for finding in checked(text, network=False)]
    assert "trainer-unknown" in found
    assert not [code for code in found if code.startswith("option-")]


def test_a_model_of_ones_own_made_out_of_basicsr_is_not_judged(checked) -> None:
    found = checked("model_type: HATModel\nscale: 4\ntrain: {total_iter: 1000, window: 7}\n", network=False)
    assert {"trainer-unknown"} <= {finding.code for finding in found}
    assert not [finding for finding in found if finding.code.startswith("option-")]


@pytest.mark.parametrize(
    ("base", "slips", "kept"),
    [
        ("redux.yml", {"use_amp:": "use_amb:", "  ema_decay:": "  ema_decya:", "milestones:": "milestone:"}, ""),
        ("basicsr.yml", {"    use_hflip:": "    use_hflp:"}, ""),
        ("basicsr.yml", {"    use_hflip:": "    use_flip:"}, ""),  # an older name of the same
        ("neosr.toml", {"ema =": "ema_decay ="}, ""),
        ("neosr.toml", {"patch_size": "patch_sise"}, ""),
        ("neosr.toml", {"use_amp = true": 'use_amp = "true"'}, ""),
        ("redux.yml", {"use_amp: true": "use_amp: 'Yes'", "use_compile: false": "use_compile: 0"}, ""),
        ("redux_otf.yml", {"queue_size: 120": "queue_size: '120'"}, ""),
        ("redux.yml", {"use_amp: true": "use_amp: 'auto'"}, "use_amp: 'auto'"),  # neither
        ("redux.yml", {"    lq_size: 16": "    patch_size: 16"}, "patch_size: 16"),  # another trainer's word: a guess
        (
            "redux.yml",
            {"  ema_decay: 0.999": "  ema_decya: often"},
            "ema_decya: often",
        ),  # the right key would refuse it
    ],
)
def test_slips_are_mended_where_one_key_alone_is_meant(
    base: str, slips: dict[str, str], kept: str, tmp_path: Path
) -> None:
    right = (FOLDER / base).read_text(encoding="utf-8")
    wrong = right
    for good, bad in slips.items():
        wrong = wrong.replace(good, bad, 1)
    path = tmp_path / base
    path.write_text(wrong, encoding="utf-8", newline="\n")
    options = CheckOptions(network=False, dataset=False)
    mended = mend_file(check_files(find_configs([path]), options).files[0], options)
    if kept:
        assert mended is None or kept in mended.after.decode()
    else:
        assert mended is not None
        assert mended.after.decode() == right


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        ("num_block: 4, num_feat: 8", "num_blocks: 4, num_feat: 8"),
        ("num_block: 4, num_blocks: 6", "num_block: 4, num_blocks: 6"),  # the right one is there
        ("num_widgets: 4", "num_widgets: 4"),
    ],
)
def test_a_misspelt_argument_of_a_network_is_mended(line: str, mended: str, tmp_path: Path) -> None:
    path, options = tmp_path / "train.yml", CheckOptions(dataset=False)
    path.write_text(f"scale: 2\nnetwork_g: {{type: ParagonSR2, {line}}}\ntrain: {{total_iter: 9}}\n", encoding="utf-8")
    found = mend_file(check_files(find_configs([path]), options).files[0], options)
    assert (found.after.decode() if found else path.read_text("utf-8")).split("ParagonSR2, ")[1].split("}")[0] == mended


@pytest.mark.parametrize(
    ("base", "was", "now", "quoted"),
    [
        ("redux.yml", "use_amp: true", "use_amb: true", "Object contains unknown field `use_amb`"),
        ("redux.yml", "use_amp: true", "use_amp: often", "Expected `bool`"),
        ("redux.yml", "compile_mode: default", "compile_mode: fast", "Invalid enum value"),
        ("redux.yml", "lq_size: 16", "lq_size: often", "got `str` - at `$.datasets[...].lq_size`"),
        ("redux.yml", "  val_freq: 1000\n", "", None),  # an assertion of its code
        ("redux.yml", "    batch_size_per_gpu: 8\n", "", None),
        ("redux.yml", "  val:\n    name", "  validation:\n    name", None),
        ("redux.yml", "betas: [0.9, 0.99]", "betas: [0.9]", None),  # torch
        ("redux_gan.yml", "gan_type: vanilla", "gan_type: relativistic", None),
        ("redux_otf.yml", "kernel_list: [iso, aniso]", "kernel_list: [iso, anisotropic]", None),
    ],
)
def test_the_trainers_reader_is_quoted_for_what_it_says_alone(
    base: str, was: str, now: str, quoted: str | None, checked
) -> None:
    text = (FOLDER / base).read_text("utf-8")
    assert was in text
    told = [
        one.message
        for one in checked(text.replace(was, now, 1), network=False)
        if one.code.startswith("option-") and "ends" in one.message
    ]
    assert len(told) == 1
    assert (quoted or "traiNNer-redux ends.") in told[0]
    assert (" - at `$" in told[0] or "unknown field" in told[0] or "Expected" in told[0]) == bool(quoted)


@pytest.mark.parametrize(
    ("line", "severity", "told"),
    [
        ("  warmup_iter_g: 100", "warning", "since 2025-07-13"),  # earlier versions had it
        ("  polarity: 3", "warning", "(as of commit "),  # later ones may
        ("  grad_clipp: true", "error", "Object contains unknown field `grad_clipp`"),
        ("  use_amp: true", "error", "unknown field"),  # known elsewhere
        ("  scheduler: {type: CosineAnnealingLR, T_max: 9, milestones: [3]}", "error", "unexpected keyword"),
        ("  scheduler: {type: CosineAnnealingLR, T_max: 9, polarity: 3}", "warning", "(as of commit "),
    ],
)
def test_what_another_version_may_take_is_no_certain_error(line: str, severity: str, told: str, checked) -> None:
    text = (FOLDER / "redux.yml").read_text("utf-8")
    head, _, rest = text.partition("  scheduler:\n")
    text = head + line + "\n" + ("" if "scheduler" in line else "  scheduler:\n") + rest
    if "scheduler" in line:
        text = re.sub(r"    type: MultiStepLR\n(    .*\n)*", "", text, count=1)
    found = [one for one in checked(text, network=False) if one.code == "option-unknown"]
    assert [one.severity for one in found] == [severity]
    assert told in found[0].message


@pytest.mark.parametrize(("weight", "told"), [("0.5", ["info"]), ("1.0", []), ("1", [])])
def test_a_scheduled_loss_of_the_fork_is_weighed_twice(weight: str, told: list[str], checked) -> None:
    was = "loss_weight: 0.5"
    text = (FOLDER / "fork.yml").read_text("utf-8").replace(was, f"loss_weight: {weight}\n      start_iter: 10")
    assert [one.severity for one in checked(text, network=False) if one.code == "option-conflict"] == told


RIGHT = {  # what is right in the fork, and what told of it was a false alarm
    "    - type: mssimloss\n      loss_weight: 0.5": [
        "    - {type: ganloss, gan_type: r3gan, loss_weight: 0.1, r1_weight: 3.0, r2_weight: 3.0}",
        "    - {type: featurematchingloss, loss_weight: 0.1, start_iter: 100}",
    ],
    "    auto_calibrate: true": ["    auto_calibrate: true\n    min_weight: 1e-6"],
    "  type: paragonsr2_realtime": ["  type: paragonsr2_nano\n  hr_blocks: 1"],
}


@pytest.mark.parametrize(("was", "now"), [(was, now) for was, some in RIGHT.items() for now in some])
def test_what_is_right_in_the_fork_is_no_mistake(was: str, now: str, checked) -> None:
    text = (FOLDER / "fork.yml").read_text("utf-8")
    assert was in text
    found = checked(text.replace(was, now, 1))
    others = {"dataset-missing", "discriminator-missing", "gan-without-pretrain"}
    assert [one for one in found if one.severity != "info" and one.code not in others] == []


@pytest.mark.parametrize(
    ("options", "kind", "step", "left"),
    [
        ({"milestones": [10, 20], "gamma": 0.5}, "multisteplr", 9, 1.0),
        ({"milestones": [10, 20], "gamma": 0.5}, "multisteplr", 20, 0.25),
        ({"milestones": [10]}, "multisteplr", 11, 0.1),  # torch's default
        ({"step_size": 10, "gamma": 0.5}, "steplr", 35, 0.125),
        ({"gamma": 0.5}, "exponentiallr", 3, 0.125),
        ({"T_max": 10}, "cosineannealinglr", 3, None),
    ],
)
def test_what_a_scheduler_leaves_of_the_rate(
    options: dict[str, Any], kind: str, step: float, left: float | None
) -> None:
    assert rate_left(options, kind, step) == pytest.approx(left)
