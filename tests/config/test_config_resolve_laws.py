"""Laws of the whole edit over generated configs: only the block changes, and calibrating twice is calibrating once."""

from __future__ import annotations

from functools import cache

import yaml
from config_texts import configs
from hypothesis import HealthCheck, assume, given, settings

from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.files import ConfigFile, parse_document
from autocal_cli.config.model import BLOCK_KEY
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.errors import AutocalError
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.workflow.calibrate import resolve
from autocal_cli.workflow.config_file import BlockFile

NANO = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10_595, 26_822.0, "built-in")


class Loader(yaml.SafeLoader):
    """PyYAML's own readings; local tags are left out of account, as they would stop it."""


Loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


@cache
def presets():
    return load_presets()


def resolved(text):
    document = parse_document(text.encode(), "train.yml")
    file = ConfigFile(document, recognise_trainer(document))
    return resolve(BlockFile(file, file, "block"), file.training, NANO, None, presets(), {})[0]


def outside(text):
    """All data but the block."""
    data = yaml.load(text, Loader)
    train = dict(data.pop("train", None) or {})
    train.pop(BLOCK_KEY, None)
    return repr((data, train))


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(configs())
def test_only_the_block_changes_and_a_second_time_nothing_does(case):
    text = case[0].replace("sched", BLOCK_KEY).replace("total_iter", "x")
    assume("train:" in text)
    try:
        once = resolved(text)
    except AutocalError:
        assume(False)
    assert outside(once.text) == outside(text)
    assert yaml.load(once.text, Loader)["train"][BLOCK_KEY]["momentum"] is not None
    assert resolved(once.encode(once.text).decode()).text == once.text
