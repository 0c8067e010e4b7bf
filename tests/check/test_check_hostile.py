"""Whatever stands in a config, check tells it in findings, each with a place in the file, and never falls over."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from autocal_cli.calibration.block import block_schema
from autocal_cli.calibration.presets import load_presets
from autocal_cli.check.checks import check
from autocal_cli.check.fix import mend
from autocal_cli.check.model import read_checked
from autocal_cli.config.files import ConfigFile, parse_document
from autocal_cli.config.trainers import TRAINERS, recognise_trainer
from autocal_cli.errors import AutocalError, Finding

PRESETS = load_presets()
LAYOUTS = [layout for layout in TRAINERS if getattr(layout, "language", "yaml") == "yaml"]

single = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1e-4", "auto", 0, 1, 0.5, 40000, "~", "l1loss", "ganloss"])
)
anything = st.recursive(
    single,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted({key for path in block_schema(PRESETS) for key in path} | {"calibration"})
blocks = anything | st.dictionaries(
    st.sampled_from(KEYS), anything | st.dictionaries(st.sampled_from(KEYS), anything, max_size=3), max_size=6
)
losses = anything | st.lists(
    st.fixed_dictionaries({}, optional={"type": anything, "loss_weight": anything, "style_weight": anything}),
    max_size=4,
)
configs = st.fixed_dictionaries(
    {
        "train": st.fixed_dictionaries(
            {},
            optional={
                "total_iter": anything, "losses": losses, "dynamic_loss_scheduling": blocks, "optim_d": anything,
                "pixel_opt": anything, "gan_opt": anything, "grad_clip_max_norm": anything,
            },
        )
    },
    optional={
        "scale": anything, "network_g": anything, "network_d": anything, "use_amp": anything, "amp_bf16": anything,
        "datasets": anything | st.fixed_dictionaries({"train": anything}), "num_gpu": anything,
        "dynamic_loss_scheduling": anything,
    },
)  # fmt: skip


def findings_on(text: str, layout=None) -> tuple[Finding, ...]:
    document = parse_document(text.encode("utf-8"), "train.yml")
    checked = read_checked(ConfigFile(document, layout or recognise_trainer(document)), PRESETS)
    found = check(checked)
    mend(checked, found)
    return found


@given(configs, st.sampled_from(LAYOUTS))
@example({"train": {"dynamic_loss_scheduling": {"adaptation_rate": {"": "TRUE"}}}}, LAYOUTS[0])
def test_no_config_makes_check_fall_over(config, layout) -> None:
    text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False)
    try:
        found = findings_on(text, layout)
    except AutocalError:  # characters that YAML has no place for
        return
    assert all(finding.place and finding.place.line for finding in found)
    assert all(finding.message and finding.code for finding in found)
    assert len(set(found)) == len(found)


HEAD = "scale: 2\ntrain:\n  total_iter: 40000\n  losses: [{type: l1loss, loss_weight: 1.0}]\n"


@pytest.mark.parametrize(
    "rest",
    [
        "  dynamic_loss_scheduling: &a {momentum: 2, phases: *a}\n",
        "  base: &b {momentum: 2}\n  dynamic_loss_scheduling: {<<: *b}\n",
        "  dynamic_loss_scheduling: !!python/object/apply:os.system [true]\n",
        "  dynamic_loss_scheduling: {? [1, 2] : 3}\n",
        "  dynamic_loss_scheduling: {kinds: {x: []}}\n",
        "  dynamic_loss_scheduling: {momentum: !!float fast}\n",
        "  dynamic_loss_scheduling: {1: 2, true: 3, ~: 4}\n",
        "  dynamic_loss_scheduling: {own: 0x%s}\n" % ("f" * 4000),
        "  warmup_iter: %s\n" % ("9" * 400),
        "  optim_g: {type: AdamW, lr: %s}\n" % ("9" * 400),
        "  scheduler: {type: MultiStepLR, milestones: [1, 2], gamma: 1.0e+300}\n",
        "  scheduler: {type: ExponentialLR, gamma: -1.0}\n",
        "network_d: {type: dunet}\nmodel_type: [SRModel]\n",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{b}: &{b} [{', '.join(f'*{a}' for _ in range(9))}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
    ],
)
def test_hostile_documents_are_told_or_refused(rest: str) -> None:
    """Nothing is constructed, and no alias is followed more than once: the last one names 9 ** 9 values."""
    try:
        found = findings_on(HEAD + rest)
    except AutocalError:
        return
    assert all(finding.place for finding in found)


@pytest.mark.parametrize("count", [10, 1000])
def test_every_mistake_is_told_once_however_many_there_are(count: int) -> None:
    text = HEAD + "  extra:\n" + "".join(f"    key_{number}: {{lr: 1e-4}}\n" for number in range(count))
    assert len(findings_on(text)) == count + 1  # and `extra` itself
