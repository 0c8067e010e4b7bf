"""What is missing and stands there misspelt, and names that are near to another and right."""

from __future__ import annotations

import pytest

from autocal_cli.calibration.presets import load_presets
from autocal_cli.check.checks import check
from autocal_cli.check.model import read_checked
from autocal_cli.config.files import ConfigFile, parse_document
from autocal_cli.config.trainers import recognise_trainer

CONFIG = """\
scale: 2
network_g: {type: paragonsr2_nano}
network_d: {type: dunet}
datasets: {}
train:
  total_iter: 40000
  optim_g: {type: AdamW, lr: 0.0001}
  optim_d: {type: AdamW, lr: 0.0001}
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: ganloss, loss_weight: 0.1}
  dynamic_loss_scheduling:
    momentum: 0.85
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("total_iter", "total_itr", 6),
        ("total_iter", "total_iters", 6),
        ("losses", "loses", 9),
        ("losses", "Losses", 9),
        ("network_d", "netwrk_d", 3),
        ("optim_d", "optimd", 8),
        ("scale", "scal", 1),
        ("network_g", "networkg", 2),
        ("datasets", "dataset", 4),
        ("optim_g", "optim_G", 7),
        ("dynamic_loss_scheduling", "dynamic_loss_sheduling", 12),
    ],
)
def test_a_key_is_found_under_its_wrong_name(right: str, wrong: str, line: int, checked) -> None:
    found = checked(CONFIG.replace(f"{right}:", f"{wrong}:"), "traiNNer-redux-fork", network=False)
    unknown = [finding for finding in found if finding.code == "option-unknown"]
    assert [(one.place.line, one.fix, one.severity) for one in unknown] == [(line, f"Did you mean `{right}`?", "error")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("network_d:", "network_ae:"),
        ("optim_d:", "optim_ae:"),
        ("network_g:", "network_G:"),  # as older trainers write it
        ("  total_iter:", "  tsa_iter: 5000\n  total_iter:"),
        ("  total_iter:", "  total_itr: 5000\n  total_iter:"),  # the right one is there
        ("  total_iter:", "  niter:"),
        ("scale: 2", "scale: 2\nscal: 2"),
    ],
)
def test_names_that_are_right_or_not_missed(old: str, new: str, checked) -> None:
    found = checked(CONFIG.replace(old, new, 1), "traiNNer-redux-fork", network=False)
    assert [finding.fix for finding in found if "Did you mean" in (finding.fix or "")] == []


def test_of_two_keys_that_are_equally_near_none_is_guessed(checked) -> None:
    text = CONFIG.replace("  optim_g: {type: AdamW, lr: 0.0001}\n", "").replace("optim_d:", "optm_:")
    assert [one.fix for one in checked(text, network=False) if "Did you mean" in (one.fix or "")] == []


@pytest.mark.parametrize(
    ("scale", "trainer", "expected"),
    [
        ("", "traiNNer-redux", ["option-missing"]),
        ("", "traiNNer-redux-fork", ["option-missing"]),
        ("scale: ~\n", "traiNNer-redux", ["option-missing"]),
        ("scale: 2\n", "traiNNer-redux", []),
        ("scale: two\n", "traiNNer-redux", []),  # told as a count
        ("scale: [2]\n", "traiNNer-redux", []),
        ("", "BasicSR", []),
        ("", "Real-ESRGAN", []),
    ],
)
@pytest.mark.parametrize("own", ["", ", scale: 2"])
def test_who_needs_a_scale(scale: str, trainer: str, expected: list[str], own: str, checked) -> None:
    text = CONFIG.replace("scale: 2\n", scale).replace("paragonsr2_nano", f"paragonsr2_nano{own}")
    found = [one.code for one in checked(text, trainer) if one.code == "option-missing" and "`scale`" in one.message]
    assert found == expected


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mssimlos", "mssimloss"), ("percptualloss", "perceptualloss"), ("PerceptaulLoss", "perceptualloss"),
        ("l1los", "l1loss"), ("charbonierloss", "charbonnierloss"), ("Contextual_Los", "contextualloss"),
    ],
)  # fmt: skip
def test_a_misspelt_loss_is_told_with_or_without_a_block(written: str, meant: str, checked) -> None:
    for text in CONFIG, CONFIG[: CONFIG.index("  dynamic_loss")]:
        found = checked(text.replace("l1loss", written), network=False)
        assert [(one.fix, one.place.line) for one in found if one.code == "type-unknown"] == [
            (f"Did you mean `{meant}`?", 10)
        ]


@pytest.mark.parametrize(("text", "expected"), [("", ["option-missing"]), ("scale = 4\n", [])])
def test_neosr_needs_a_scale(text: str, expected: list[str]) -> None:
    document = parse_document(f'{text}[train]\npixel_opt = {{type = "L1Loss"}}\n'.encode(), "train.toml")
    found = check(read_checked(ConfigFile(document, recognise_trainer(document)), load_presets()))
    assert [one.code for one in found if one.code == "option-missing" and "`scale`" in one.message] == expected
