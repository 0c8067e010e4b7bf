"""The options of trainers as data, whom they judge, the schema that editors get, and what --fix makes of a slip."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_for_editors_is_whole(name: str) -> None:
    options = options_of(name)
    assert options is not None
    schema = config_schema(options, json_schema(load_presets()))
    assert references(schema) <= set(schema["$defs"])
    assert "typed" not in str(schema["$defs"].get("train", {}))
    assert "dynamic_loss_scheduling" in str(schema)


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
        ("neosr.toml", {"patch_size": "patch_sise"}, ""),
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
