"""Real configs and images, where the folder with them is at hand: what is promised of a file that comes out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from autocal_cli.calibration.block import key_mark
from autocal_cli.calibration.json_schema import json_schema
from autocal_cli.calibration.presets import load_presets
from autocal_cli.check.checks import check
from autocal_cli.check.model import read_checked
from autocal_cli.config.files import ConfigFile, parse_document
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.config.yaml.scalars import write_scalar
from autocal_cli.errors import AutocalError
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.workflow.calibrate import resolve
from autocal_cli.workflow.config_file import BlockFile, Form, block_to_write
from autocal_cli.workflow.dataset import DatasetOptions
from autocal_cli.workflow.explain import compare_files
from autocal_cli.workflow.networks import measure_network

pytestmark = pytest.mark.corpus

KEY = "dynamic_loss_scheduling"
IN_EVERY_FORM = [  # each on one worker, which writes every config once
    pytest.param(form, marks=pytest.mark.xdist_group(f"corpus {form}")) for form in ("block", "sidecar", "native")
]
NATIVE_KEYS = {
    "enabled", "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight", "baseline_iterations",
}  # fmt: skip


@cache
def training_configs(corpus: Path) -> tuple[tuple[Path, bytes], ...]:
    found = [(path, path.read_bytes()) for path in sorted((corpus / "configs").rglob("*.y*ml"))]
    return tuple((path, raw) for path, raw in found if isinstance(yaml.safe_load(raw).get("train"), dict))


@cache
def network_of(path: Path, raw: bytes) -> NetworkFingerprint:
    return measure_network(opened(raw, path).training)


@dataclass(frozen=True)
class Written:
    """A config before and after: `text` is that of the file that holds the block, `before` that of the same file."""

    name: str
    config: ConfigFile
    target: BlockFile
    before: str
    text: str

    @property
    def block(self) -> dict[str, Any]:
        found = yaml.safe_load(self.text)
        block = found[KEY] if self.target.form == "sidecar" else found["train"][KEY]
        assert isinstance(block, dict)
        return block


def opened(raw: bytes, path: Path) -> ConfigFile:
    document = parse_document(raw, path.name)
    return ConfigFile(document, recognise_trainer(document))


@cache
def written(path: Path, raw: bytes, form: Form) -> Written | None:
    """The config resolved in one form; None where it cannot have it."""
    try:
        target = block_to_write(opened(raw, path), form)
    except AutocalError:  # another trainer, a block that holds more, a block already
        return None
    text = resolved_text(target, network_of(path, raw))
    return Written(path.name, target.config, target, target.file.text if target.exists else "", text)


def resolved_text(target: BlockFile, network: NetworkFingerprint) -> str:
    training = replace(target.config.training, block=target.block)
    document, _ = resolve(target, training, network, None, load_presets(), {})
    return document.encode(document.text).decode()


def again(one: Written, text: str, network: NetworkFingerprint) -> str:
    """The same file calibrated again after it became `text`."""
    file = ConfigFile(parse_document(text.encode(), one.target.file.document.path), one.target.file.layout)
    config = one.config if one.target.form == "sidecar" else file
    return resolved_text(replace(one.target, file=file, config=config, exists=True), network)


def every(corpus: Path, form: Form, step: int = 1) -> Iterator[tuple[Written, NetworkFingerprint]]:
    for path, raw in training_configs(corpus)[::step]:
        found = written(path, raw, form)
        if found is not None:
            yield found, network_of(path, raw)


AT_LEAST = {"block": 60, "sidecar": 50, "native": 40}
# All of them are calibrated a second time, and edited, by `make test-all`; by `make test` some.
SOME_OR_ALL = pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])


@pytest.mark.parametrize("form", IN_EVERY_FORM)
def test_what_comes_out_is_short_and_leaves_every_other_line_alone(corpus: Path, form: Form) -> None:
    """At most 24 lines more, a record of at most six, and no number of the block a second time."""
    seen = 0
    for one, _ in every(corpus, form):
        before, after = one.before.splitlines(), one.text.splitlines()
        assert len(after) - len(before) <= 24, one.name
        assert lost_lines(before, after, KEY) == [], one.name
        assert repr(without_block(yaml.safe_load(one.text))) == repr(without_block(yaml.safe_load(one.before) or {}))
        assert len(record_lines(one)) <= 6, one.name
        record = " ".join(record_lines(one))
        for name, value in one.block.items():
            if isinstance(value, float) and len(write_scalar(value)) > 4:
                assert write_scalar(value) not in record, (one.name, name)
        seen += 1
    assert seen >= AT_LEAST[form]


def record_lines(one: Written) -> list[str]:
    lines = one.text.splitlines()
    if one.target.form == "native":
        return [line for line in lines if re.match(r"\s*#: (made|network|discriminator|dataset|wrote): ", line)]
    at = next(number for number, line in enumerate(lines) if line.strip() == "calibration:")
    indent = len(lines[at]) - len(lines[at].lstrip())
    end = next(
        (n for n in range(at + 1, len(lines)) if len(lines[n]) - len(lines[n].lstrip()) <= indent or not lines[n]),
        len(lines),
    )
    return lines[at:end]


def lost_lines(before: list[str], after: list[str], block: str) -> list[str]:
    """Lines of a config that are not there any more, but for values of the block that were completed."""
    left = list(after)
    lost = []
    for line in before:
        kept = next((n for n, other in enumerate(left) if other == line or other.startswith(f"{line} ")), None)
        if kept is None:
            lost.append(line)
        else:
            del left[: kept + 1]
    return [line for line in lost if not re.match(rf"\s+({'|'.join(NATIVE_KEYS)}|{block}):", line)]


def without_block(data: dict[str, Any]) -> dict[str, Any]:
    train = {key: value for key, value in data.get("train", {}).items() if key != KEY}
    return {key: value for key, value in {**data, "train": train}.items() if key != KEY}


@SOME_OR_ALL
@pytest.mark.parametrize("form", IN_EVERY_FORM)
def test_a_second_time_nothing_changes(corpus: Path, form: Form, step: int) -> None:
    for one, network in every(corpus, form, step):
        assert again(one, one.text, network) == one.text, one.name


NEWLINES = {"CRLF": ("\r\n", "", ""), "byte order mark": ("\n", "\ufeff", ""), "no final newline": ("\n", "", "strip")}


@pytest.mark.parametrize("kind", NEWLINES)
@pytest.mark.parametrize("form", ["block", "native"])
def test_so_it_is_with_other_line_ends(corpus: Path, form: Form, kind: str) -> None:
    newline, head, final = NEWLINES[kind]
    seen = 0
    for path, raw in training_configs(corpus)[::9]:
        text = raw.decode().replace("\r\n", "\n").lstrip("\ufeff")
        text = head + (text.rstrip("\n") if final else text).replace("\n", newline)
        one = written(path, text.encode(), form)
        if one is None:
            continue
        assert one.text.count("\n") == one.text.count(newline), one.name
        assert one.text.startswith(head)
        assert one.text.endswith("\n") is text.endswith("\n")
        network = network_of(path, text.encode())
        assert again(one, one.text, network) == one.text, one.name
        seen += 1
    assert seen >= 4


@SOME_OR_ALL
@pytest.mark.parametrize("form", IN_EVERY_FORM)
def test_a_hand_edit_and_a_search_and_replace_survive(corpus: Path, form: Form, step: int) -> None:
    """The value of momentum, once in its line and once wherever it stands in the file."""
    for one, network in every(corpus, form, step):
        own = str(one.block["momentum"])
        in_line = re.sub(r"(?m)^(\s*momentum: *)\S+", r"\g<1>0.777", one.text)
        everywhere = re.sub(rf"(?<![\w.]){re.escape(own)}(?![\w.])", "0.777", one.text)
        for edited in (in_line, everywhere):
            if edited == one.text:  # a flow mapping has no line of its own
                continue
            after = again(one, edited, network)
            found = yaml.safe_load(after)
            block = found[KEY] if form == "sidecar" else found["train"][KEY]
            assert block["momentum"] == 0.777, one.name
            assert f" {key_mark(('momentum',))}" not in record_of(after), one.name
            assert after.count("0.777") == edited.count("0.777"), one.name
            assert again(one, after, network) == after, one.name


def record_of(text: str) -> str:
    (line,) = re.findall(r"(?m)^\s*(?:#: )?wrote: .*$", text)
    return str(line)


@pytest.mark.parametrize("form", [one for one in IN_EVERY_FORM if one.values != ("sidecar",)])
def test_check_has_nothing_above_info_to_say_that_it_had_not_before(corpus: Path, form: Form) -> None:
    for one, _ in every(corpus, form):
        assert serious(one.text, one.config) - serious(one.before, one.config) == set(), one.name


def serious(text: str, config: ConfigFile) -> set[tuple[str, str]]:
    file = ConfigFile(parse_document(text.encode(), config.document.path), config.layout)
    found = check(read_checked(file, load_presets()))
    return {(finding.code, finding.message) for finding in found if finding.severity != "info"}


def test_nor_has_it_of_a_sidecar(autocal, corpus: Path, tmp_path: Path) -> None:
    for number, (one, _) in enumerate(every(corpus, "sidecar", 5)):
        (tmp_path / f"{number}.yml").write_bytes(one.config.raw)
        (tmp_path / f"{number}.autocal.yml").write_text(one.text, encoding="utf-8")
    files = json.loads(autocal("check", tmp_path, "--no-dataset", "--json").out)["files"]
    beside = [file for file in files if file["path"].endswith(".autocal.yml")]
    assert len(beside) >= 10
    assert [one for file in beside for one in file["findings"] if one["severity"] != "info"] == []
    assert not any(file["error"] for file in files)


def test_a_fork_config_with_kodak_gets_sensible_values(autocal, corpus: Path, tmp_path: Path) -> None:
    config = corpus / "configs" / "trainner-redux-fork" / "2xParagonSR2_Nano_AUTO_CALIBRATED.yml"
    out = tmp_path / "resolved.yml"
    ran = autocal("calibrate", config, "--hr", corpus / "data" / "kodak", "-o", out, "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert told["dataset"]["read"] == 8
    assert 0.3 < told["dataset_info"]["overall_complexity"] < 0.7
    block = yaml.safe_load(out.read_text("utf-8"))["train"][KEY]
    assert 0.94 < block["momentum"] < 0.98  # 1.8 million parameters, four images a step
    assert 0.004 < block["adaptation_rate"] < 0.006
    assert 25 < block["max_weight"] < 35
    assert 200 < block["baseline_iterations"] <= 400
    before, after = (path.read_text("utf-8").splitlines() for path in (config, out))
    assert lost_lines(before, after, "none") == []


def test_a_copy_of_an_upstream_config_is_the_same_to_the_byte(autocal, corpus: Path, tmp_path: Path) -> None:
    """`-o` for a trainer that rejects the block: the config as it is, and the block beside it."""
    for number, (path, raw) in enumerate(training_configs(corpus)[::6]):
        if KEY.encode() in raw or "fork" in path.parent.name:
            continue
        out, sidecar = tmp_path / f"{number}.yml", tmp_path / f"{number}.autocal.yml"
        found = []
        for _ in range(2):
            ran = autocal("calibrate", path, "-o", out, "--no-dataset", "-q", "--force")
            assert (ran.code, out.read_bytes()) == (0, raw), path
            found.append(sidecar.read_bytes())
        assert found[0] == found[1]
        assert yaml.safe_load(found[0])[KEY]["calibration"]["network"]["type"]


def test_every_real_block_is_valid_by_the_schema(corpus: Path) -> None:
    schema = Draft202012Validator(json_schema(load_presets(), whole_config=True))
    blocks = 0
    for path in sorted((corpus / "configs").rglob("*.y*ml")):
        raw = path.read_bytes()
        if b"dynamic_loss_scheduling:" in raw:
            # a number that PyYAML reads as text, the schema refuses; ruamel.yaml reads as editors do
            found = [error.message for error in schema.iter_errors(YAML(typ="safe").load(raw))]
            assert found == [], path
            blocks += 1
    assert blocks >= 5


def test_every_real_block_is_compared(corpus: Path) -> None:
    paths = sorted((corpus / "configs").rglob("*.y*ml"))
    real = [path for path in paths if b"dynamic_loss_scheduling:" in path.read_bytes()]
    for one, other in pairwise(real):
        _, _, differences, _ = compare_files(one, other, DatasetOptions(skip=True))
        assert all(bool(row.steps) for row in differences if row.differs and row.section == "parameters")
        _, _, alike, _ = compare_files(one, one, DatasetOptions(skip=True))
        assert not any(row.differs for row in alike)
