"""The catalogue: every code that the source prints is in it, and every example does what it says."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import autocal_cli
from autocal_cli.check.checks import expand, find_rule, load_catalogue
from autocal_cli.check.fix import REMEDIES
from autocal_cli.check.rule import basicsr
from autocal_cli.dataset.trainer_view import TRAINER_VIEW
from autocal_cli.errors import AutocalError, Rule

RULES = load_catalogue()
EXAMPLES = [rule for rule in RULES.values() if rule.bad is not None]
SOURCE = Path(autocal_cli.__file__).parent


@cache
def nodes_in_source() -> list[ast.AST]:
    return [node for path in SOURCE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]


def calls_in_source() -> list[ast.Call]:
    return [node for node in nodes_in_source() if isinstance(node, ast.Call)]


def codes_in_source() -> set[str]:
    """The first argument (or `code`) of every `Finding(...)` and `.finding(...)`, the codes under which parts are
    tolerated, and those that stand in a row of a table."""
    codes = {f"trainer-{trait}" for trait in TRAINER_VIEW}
    cells = [cell for node in nodes_in_source() if isinstance(node, ast.Tuple) for cell in node.elts]
    codes |= {str(cell.value) for cell in cells if isinstance(cell, ast.Constant) and cell.value in RULES}
    return codes.union(*(codes_of_call(node) for node in calls_in_source()))


def codes_of_call(node: ast.Call) -> list[str]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
    name = name or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
    position = {"Finding": 0, "finding": 0, "part": 0, "tolerate": 0, "note": 0}.get(name)
    if position is None:
        return []
    given = [*named, *node.args[position : position + 1]]
    return [value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def test_every_code_of_the_source_is_in_the_catalogue_and_the_other_way_round() -> None:
    assert codes_in_source() == set(RULES)


def test_what_the_source_can_mend_the_catalogue_calls_fixable() -> None:
    assert set(REMEDIES) == {rule.code for rule in RULES.values() if rule.fixable}


def test_the_source_says_a_code_with_the_severity_of_the_catalogue_wherever_it_is_said() -> None:
    told = {
        (code.value, severity.value)
        for node in calls_in_source()
        if isinstance(node.func, ast.Name) and node.func.id == "Finding"
        for named in [{keyword.arg: keyword.value for keyword in node.keywords}]
        for code, severity in [[*node.args, named.get("code"), named.get("severity")][:2]]
        if isinstance(code, ast.Constant) and isinstance(severity, ast.Constant)
    }
    assert len(told) > 50
    assert {(code, severity) for code, severity in told if RULES[code].severity != severity} == set()


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: rule.code)
def test_the_bad_example_has_the_finding_where_it_says(rule: Rule, checked) -> None:
    found = [finding for finding in checked(rule.bad, rule.trainer) if finding.code == rule.code]
    assert len(found) == 1
    place = found[0].place
    assert f"{place.line}:{place.column}" == rule.at
    assert found[0].severity == rule.severity


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: rule.code)
def test_the_good_example_is_clean(rule: Rule, checked) -> None:
    assert [finding for finding in checked(rule.good, rule.trainer) if finding.severity != "info"] == []
    assert rule.code not in {finding.code for finding in checked(rule.good, rule.trainer)}


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: rule.code)
def test_the_bad_example_has_no_mistake_but_its_own(rule: Rule, checked) -> None:
    found = checked(rule.bad, rule.trainer)
    assert {finding.code for finding in found if finding.severity != "info"} <= {rule.code}


# Sanity rules whose example is more than a text: another language, an unknown trainer, images beside it.
NEOSR = (
    'scale = 2\n[network_g]\ntype = "span"\n[network_d]\ntype = "unet"\n[train.{}]\ntype = "{}"\nloss_weight = 0.1\n'
)
CROPS = basicsr(
    "gan_opt: {type: GANLoss, gan_type: vanilla, loss_weight: 0.1}",
    "optim_d: {type: Adam, lr: 0.0001}",
    model="ESRGANModel",
    top="datasets:\n  train: {name: Train, type: PairedImageDataset, dataroot_gt: images, gt_size: %d}\n"
    "network_d: {type: VGGStyleDiscriminator, num_in_ch: 3, num_feat: 64}",
)
ELSEWHERE = "scale: 2\nnetwork_G: {type: mine}\ntrain:\n%s  dynamic_loss_scheduling: {momentum: 0.9}\n"


@pytest.mark.parametrize(
    ("code", "name", "trainer", "bad", "good"),
    [
        (
            "adversarial-inert",
            "a.toml",
            None,
            NEOSR.format("gan_opt", "gan_loss"),
            NEOSR.format("pixel_opt", "l1_loss"),
        ),
        ("discriminator-input", "a.yml", "BasicSR", CROPS % 192, CROPS % 128),
        ("length-unknown", "a.yml", None, ELSEWHERE % "", ELSEWHERE % "  total_iter: 1000\n"),
    ],
)
def test_bad_and_good_of_rules_that_say_when(checked, code, name, trainer, bad, good) -> None:
    assert [code in {finding.code for finding in checked(text, trainer, name=name)} for text in (bad, good)] == [
        True,
        False,
    ]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_every_rule_says_why_and_where_from_and_has_an_example_or_says_when(rule: Rule) -> None:
    assert rule.title
    assert rule.why.endswith(".")
    assert rule.source
    assert (rule.bad is None) == (rule.good is None) == (rule.at is None) == (rule.when is not None)


@pytest.mark.parametrize(
    ("pattern", "some"),
    [
        ("value-unsupported", {"value-unsupported"}),
        ("values", {"value-unsupported", "weights-crossed", "parameter-idle"}),
        ("pairs", {"pairs-size", "pairs-template"}),
        ("loss-*", {"loss-negative", "loss-twice"}),
        ("loss-negative,loss-twice", {"loss-negative", "loss-twice"}),
    ],
)
def test_patterns_stand_for_codes_families_beginnings_and_globs(pattern: str, some: set[str]) -> None:
    assert some <= expand([pattern])


def test_a_code_stands_for_itself_alone() -> None:
    assert expand(["loss-twice"]) == {"loss-twice"}
    assert expand([]) == frozenset()


@pytest.mark.parametrize(
    ("wrong", "near"), [("value-unsuported", "value-unsupported"), ("value", "values"), ("zzz", "explain codes")]
)
def test_an_unknown_code_is_refused_with_the_nearest(wrong: str, near: str) -> None:
    if wrong == "value":  # the beginning of `value-...`
        assert "value-invalid" in expand([wrong])
        return
    with pytest.raises(AutocalError, match=near):
        expand([wrong])
    with pytest.raises(AutocalError, match=near):
        find_rule(wrong)
