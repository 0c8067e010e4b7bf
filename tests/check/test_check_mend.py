"""--fix: what is mended, what is left, and that nothing else changes."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.calibration.presets import load_presets
from autocal_cli.check.checks import check
from autocal_cli.check.fix import mend
from autocal_cli.check.keys import spelling
from autocal_cli.check.model import read_checked
from autocal_cli.config.files import ConfigFile, parse_document
from autocal_cli.config.trainers import recognise_trainer

PRESETS = load_presets()
HEAD = "scale: 2  # größer\r\ntrain:\r\n  total_iter: 40000\r\n  losses: [{type: l1loss, loss_weight: 1.0}]\r\n"


def mended(text: str, path: str = "train.yml") -> tuple[str, int]:
    document = parse_document(text.encode(), path)
    checked = read_checked(ConfigFile(document, recognise_trainer(document)), PRESETS)
    return mend(checked, check(checked))


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("  optim_g: {lr: 2e-4}  # two", "  optim_g: {lr: 2.0e-04}  # two"),
        ("  optim_g: {lr: 1.5E4}", "  optim_g: {lr: 1.5e+04}"),
        ("  optim_g: {lr: .5e3}", "  optim_g: {lr: 0.5e+03}"),
        ("  optim_g: {lr: +1e4, betas: ['0.9', 99e-2]}", "  optim_g: {lr: +1.0e+04, betas: [0.9, 99.0e-02]}"),
        ("  warmup_iter: -1e3", "  warmup_iter: -1000"),
        ("  dynamic_loss_scheduling: {momentun: 0.9}", "  dynamic_loss_scheduling: {momentum: 0.9}"),
        (
            "  dynamic_loss_scheduling: {enabled: 'off', momentum: 0.9}",
            "  dynamic_loss_scheduling: {enabled: false, momentum: 0.9}",
        ),
        (
            "  dynamic_loss_scheduling: {training_config: {total_iterations: 4_000}}",
            "  dynamic_loss_scheduling: {training_config: {total_iterations: 40000}}",
        ),
    ],
)
def test_one_thing_is_mended_and_nothing_else_touched(line: str, after: str) -> None:
    assert mended(f"{HEAD}{line}\r\n# end")[0] == f"{HEAD}{after}\r\n# end"


@pytest.mark.parametrize(
    "line",
    [
        "  dynamic_loss_scheduling: {momentun: 0.9, momentum: 0.8}",  # the right key is there
        "  dynamic_loss_scheduling: {momentun: fast}",  # and would not take this
        "  dynamic_loss_scheduling: {momentum: 5}",
        "  dynamic_loss_scheduling: {enabled: maybe}",
        "  dynamic_loss_scheduling: {custom_param: 1}",
        "  optim_g: {lr: &rate 2e-4}\r\n  optim_d: {lr: *rate}",  # would change another place too
        "  optim_g: {lr: !!str 2e-4}",
        "  optim_g: {lr: !!float 2e-4}",
        "  name: 1e4",
    ],
)
def test_what_is_in_doubt_is_left(line: str) -> None:
    assert mended(f"{HEAD}{line}\r\n") == (f"{HEAD}{line}\r\n", 0)


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("[train.optim_g]\nlr = '2e-4' # two", "[train.optim_g]\nlr = 2.0e-04 # two"),
        ("optim_g = {lr = '2e-4'}", "optim_g = {lr = '2e-4'}"),  # inside an inline table: told, and left
    ],
)
def test_what_stands_in_an_inline_table_is_left(line: str, after: str) -> None:
    head = "scale = 2\n[logger]\ntotal_iter = 9\n[train]\n"
    assert mended(f"{head}{line}\n", "train.toml")[0] == f"{head}{after}\n"


def test_a_clean_text_keeps_its_bytes() -> None:
    assert mended(HEAD) == (HEAD, 0)


@given(
    st.from_regex(r"[-+]?(?:[0-9]{1,6}\.?[0-9]{0,6}|\.[0-9]{1,6})[eE][-+]?[0-9]{1,2}", fullmatch=True),
)
def test_a_spelling_reads_back_as_the_number(text: str) -> None:
    assert yaml.safe_load(spelling(float(text), text)) == float(text)
    assert isinstance(yaml.safe_load(spelling(float(text), text)), float)


def test_mending_twice_is_mending_once() -> None:
    once, count = mended(f"{HEAD}  optim_g: {{lr: 2e-4, betas: [9e-1, 0.99]}}\r\n")
    assert count == 2
    assert mended(once) == (once, 0)
