"""Real option files: read as PyYAML reads them, patched without changing one other line."""

from __future__ import annotations

import re

import pytest
import yaml

from autocal_cli.config.files import parse_document, plan_patch, text_without, verify_patch
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.yaml.document import MappingNode, lookup, read_value
from autocal_cli.config.yaml.edit import splice

pytestmark = pytest.mark.corpus

BLOCK = ("train", "dynamic_loss_scheduling")
SAMPLE = {
    "momentum": 0.9,
    "adaptation_rate": 1e-06,
    "max_weight": 5.0,
    "enabled": True,
    "mode": "off",
    "phases": {"early": {"until": 0.1, "rate": 0.5}, "late": {"until": 1.0, "rate": 0.25}},
    "calibration": {"tool": "autocal 1.0", "written": {"momentum": 0.9}},
}
FASTEST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@pytest.fixture(scope="module")
def files(corpus):
    found = sorted(path for path in (corpus / "configs").rglob("*.y*ml") if path.is_file())
    if not found:
        pytest.skip("the corpus has no configs")
    return found


@pytest.fixture(scope="module")
def training_texts(files):
    """Path and text of every config with a `train` mapping."""
    found = {}
    for path in files:
        document = parse_document(path.read_bytes(), str(path))
        train = lookup(document, ("train",))
        if train and isinstance(train.value, MappingNode):
            found[path] = document.text
    return found


def loaded(text):
    return yaml.load(text, FASTEST)


def with_text_keys(data):
    """PyYAML keeps `1: x` under a number; we keep it under text."""
    if isinstance(data, dict):
        return {str(key): with_text_keys(value) for key, value in data.items()}
    return [with_text_keys(item) for item in data] if isinstance(data, list) else data


def test_every_file_reads_as_pyyaml_reads_it(files):
    for path in files:
        document = parse_document(path.read_bytes(), str(path))
        assert repr(read_value(document, document.root)) == repr(with_text_keys(loaded(path.read_bytes()))), path
        assert document.encode(document.text) == path.read_bytes(), path


def test_facts_of_every_training_config(training_texts):
    for path, text in training_texts.items():
        config = read_training_config(parse_document(text.encode(), str(path)))
        train = loaded(text)["train"]
        assert config.total_iter == (train.get("total_iter") or train.get("niter")), path
        stated = train.get("losses") or [train[key] for key in train if key.endswith("_opt")]
        assert len(config.losses) == sum(isinstance(loss, dict) and "type" in loss for loss in stated), path


def backwards(text):
    """The top-level sections in the opposite order; as it is where an anchor would come behind its alias."""
    if re.search(r"(?m)^(---|\.\.\.|%)|[*&]\w|[|>][+-]?\s*$", text):
        return text
    sections = re.split(r"(?m)^(?=[A-Za-z_]+:)", text if text.endswith("\n") else text + "\n")
    return sections[0] + "".join(reversed(sections[1:]))


def with_train_in_braces(text):
    """`train` written as PyYAML writes its data in flow style, on one long line."""
    section = re.search(r"(?ms)^train:.*?(?=^[A-Za-z_#.]|\Z)", text)
    if not section or "&" in text or "*" in section.group():
        return text
    data = loaded(section.group())["train"]
    flow = yaml.safe_dump(data, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True).strip()
    return f"{text[: section.start()]}train: {flow}\n{text[section.end() :]}"


MUTATIONS = {
    "as it is": lambda text: text,
    "other line endings": lambda text: text.replace("\r\n", "\n") if "\r\n" in text else text.replace("\n", "\r\n"),
    "no final line break": lambda text: text.rstrip("\r\n"),
    "blank lines and a document end": lambda text: f"{text}\n\n...\n# end\n",
    "byte order mark": lambda text: f"\ufeff{text}",
    "indented as a whole": lambda text: re.sub(r"(?m)^(?=[^\r\n])(?!---|\.\.\.|%)", "  ", text),
    "a comment below every line": lambda text: "".join(
        line + "# between\n" if line.endswith("\n") else line for line in text.splitlines(keepends=True)
    ),
    "twice the indentation": lambda text: re.sub(
        r"(?m)^( *)((?:- )*)", lambda head: 2 * head[1] + head[2].replace("- ", "-   "), text
    ),
    "a commented-out block at the end": lambda text: (
        f"{text.rstrip()}\n  # dynamic_loss_scheduling:\n  #   enabled: true\n"
    ),
    "sections backwards": lambda text: backwards(text),
    "train in braces": lambda text: with_train_in_braces(text),
    "emoji and a start mark": lambda text: f"# 😀\n--- # 😀\n{text}",
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_sample_block_changes_no_other_line(training_texts, mutation):
    for path, original in training_texts.items():
        text = MUTATIONS[mutation](original)
        document = parse_document(text.encode(), str(path))
        patch = plan_patch(document, BLOCK, SAMPLE)
        after = verify_patch(document, splice(document.text, patch.edits), patch)
        before_data, after_data = loaded(document.text), loaded(after.text)
        assert {key: after_data["train"][BLOCK[1]][key] for key in SAMPLE} == SAMPLE, path
        if BLOCK[1] not in before_data["train"]:
            assert all(edit.start == edit.end for edit in patch.edits), path
            if mutation != "train in braces":
                assert_lines_inserted(document.text, after.text)
            assert text_without(after, BLOCK) == text_without(document, BLOCK), path
            del after_data["train"][BLOCK[1]]
            assert after_data == before_data, path
        assert not plan_patch(after, BLOCK, SAMPLE).edits, path


def assert_lines_inserted(before, after):
    """`after` is `before` with one run of whole lines more."""
    old, new = before.splitlines(), after.splitlines()
    first = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
    added = len(new) - len(old)
    assert added > 0
    assert old == new[:first] + new[first + added :]
