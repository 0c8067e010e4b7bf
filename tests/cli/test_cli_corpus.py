"""Real configs and images, where the folder with them is at hand."""

from __future__ import annotations

import difflib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from autocal_cli.calibration.json_schema import json_schema
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.trainers import FORK
from autocal_cli.workflow.calibrate import resolve
from autocal_cli.workflow.dataset import DatasetOptions, measure_network
from autocal_cli.workflow.explain import compare_files

pytestmark = pytest.mark.corpus


def without_block(data: dict[str, Any]) -> dict[str, Any]:
    train = {key: value for key, value in data["train"].items() if key != "dynamic_loss_scheduling"}
    return {**data, "train": train}


def test_every_training_config_keeps_all_but_its_block(corpus: Path) -> None:
    presets, resolved_files = load_presets(), 0
    for path in sorted((corpus / "configs").rglob("*.y*ml")):
        raw = path.read_bytes()
        before = yaml.safe_load(raw)
        if not isinstance(before.get("train"), dict):
            continue
        document = parse_document(raw, path.name)
        config = read_training_config(document)
        network = measure_network(config)
        resolved, _ = resolve(document, config, network, None, presets, {})
        out = resolved.encode(resolved.text)
        after = yaml.safe_load(out)
        assert repr(without_block(after)) == repr(without_block(before)), path
        again, _ = resolve(resolved, read_training_config(resolved), network, None, presets, {})
        assert again.text == resolved.text, path
        assert not lines_outside(document, resolved), path
        resolved_files += 1
    assert resolved_files >= 60


def lines_outside(document: Any, resolved: Any) -> list[str]:
    """The lines that a resolution changed outside of the block: none may be."""
    old, new = document.text.splitlines(keepends=True), resolved.text.splitlines(keepends=True)
    block = read_training_config(resolved).block
    assert block is not None
    assert block.place.line is not None
    first = block.place.line - 1
    indent = len(new[first]) - len(new[first].lstrip())
    last = first + 1
    while last < len(new) and (not new[last].strip() or len(new[last]) - len(new[last].lstrip()) > indent):
        last += 1
    changed = []
    for tag, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag != "equal" and not (first <= c and d <= last):
            changed += old[a:b] + new[c:d]
    return [line for line in changed if line.rstrip("\r\n") not in {other.rstrip("\r\n") for other in old}]


def test_a_fork_config_with_kodak_gets_sensible_values(autocal, corpus: Path, tmp_path: Path) -> None:
    config = corpus / "configs" / "trainner-redux-fork" / "2xParagonSR2_Nano_AUTO_CALIBRATED.yml"
    out = tmp_path / "resolved.yml"
    assert autocal("calibrate", config, "--hr", corpus / "data" / "kodak", "-o", out).code == 0
    block = yaml.safe_load(out.read_text("utf-8"))["train"]["dynamic_loss_scheduling"]
    assert block["calibration"]["dataset"]["images"]["read"] == 8
    assert 0.3 < block["training_config"]["dataset_info"]["overall_complexity"] < 0.7
    assert 0.94 < block["momentum"] < 0.98  # 1.8 million parameters, four images a step
    assert 0.004 < block["adaptation_rate"] < 0.006
    assert 20 < block["max_weight"] < 30
    assert 200 < block["baseline_iterations"] <= 400
    removed = [
        line
        for line in difflib.ndiff(config.read_text("utf-8").splitlines(), out.read_text("utf-8").splitlines())
        if line.startswith("- ")
    ]
    assert removed == ["-     auto_calibrate: true"]


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
        compared = compare_files(one, other, DatasetOptions(skip=True))
        assert all(bool(row.steps) for row in compared.differences if row.differs and row.section == "parameters")
        alike = compare_files(one, one, DatasetOptions(skip=True))
        assert not any(row.differs for row in alike.differences)


NATIVE_KEYS = {
    "enabled", "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight", "baseline_iterations",
}  # fmt: skip


def test_every_config_of_the_fork_takes_a_native_block(corpus: Path) -> None:
    presets, written = load_presets(), 0
    for path in sorted((corpus / "configs" / "trainner-redux-fork").glob("*.yml")):
        raw = path.read_bytes()
        before = yaml.safe_load(raw)
        block = before.get("train", {}).get("dynamic_loss_scheduling") or {}
        if "train" not in before or not set(block) <= {*NATIVE_KEYS, "auto_calibrate", "enable_monitoring"}:
            continue
        document = parse_document(raw, path.name)
        config = read_training_config(document)
        native, _ = resolve(document, config, measure_network(config), None, presets, {}, FORK, "native")
        after = yaml.safe_load(native.encode(native.text))
        assert repr(without_block(after)) == repr(without_block(before)), path
        assert set(after["train"]["dynamic_loss_scheduling"]) - {"enable_monitoring"} == NATIVE_KEYS, path
        if not block:
            kept = [line for line in native.text.splitlines() if line in set(document.text.splitlines())]
            assert kept == document.text.splitlines(), path
        written += 1
    assert written >= 20


def test_a_sidecar_is_written_for_every_training_config_without_a_block(autocal, corpus: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted((corpus / "configs" / "basicsr").glob("train*.yml"))):
        copy = tmp_path / f"{number}.yml"
        copy.write_bytes(path.read_bytes())
        sidecar = tmp_path / f"{number}.autocal.yml"
        written = []
        for _ in range(2):
            ran = autocal("calibrate", copy, "--sidecar", "--no-dataset", "-q")
            assert ran.code == 0, ran.err
            written.append(sidecar.read_bytes())
        assert copy.read_bytes() == path.read_bytes()
        assert written[0] == written[1]
        run = yaml.safe_load(written[0])["dynamic_loss_scheduling"]["training_config"]
        assert run["total_iterations"] == read_training_config(parse_document(path.read_bytes(), path.name)).total_iter
