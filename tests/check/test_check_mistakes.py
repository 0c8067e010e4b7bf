"""Mistakes that people make, put one at a time into a config that is right: each must be found, at its line.

The tables of `mistakes/` were written before the rules that find them.
"""

from __future__ import annotations

import json
import math
import re
import string
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from autocal_cli.errors import Finding
from autocal_cli.workflow.check import Candidate, CheckOptions, check_files

PRESETS = Path(__file__).parents[2] / "presets"
FOLDER = Path(__file__).parent / "mistakes"
MISTAKES: list[dict[str, Any]] = [
    mistake
    for name in ("mistakes.toml", "second_tester.toml", "third_tester.toml")
    for mistake in tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))["mistake"]
]
CONFLICTS: list[dict[str, Any]] = tomllib.loads((PRESETS / "trainers.toml").read_text(encoding="utf-8"))["conflict"]
SHARE_FOUND = 0.995  # the one that is missed needs the network to be built


class Text(Candidate):
    """A candidate whose bytes are at hand."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(path, named=True)
        object.__setattr__(self, "text", text)

    def read(self) -> bytes:
        return self.text.encode()  # type: ignore[attr-defined,no-any-return]


def _images(folder: Path, side: int, count: int = 3, first: int = 0) -> None:
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        image = Image.effect_noise((side, side), 40 + number).convert("RGB")
        image.save(folder / f"{number:03}.png")


def tensors(architecture: str, scale: int = 4) -> dict[str, list[int]]:
    """The names of an architecture's tensors, one for each kind, with the sizes that tell its scale."""
    data = json.loads((PRESETS / "checkpoints.json").read_text(encoding="utf-8"))
    number, telling = data["types"][architecture]
    found = {name.replace("#", "0"): [1] for name in data["patterns"][number].split(" ")}
    found.update({key: sizes[str(scale)] for key, sizes in telling if sizes[str(scale)]})
    return {key: shape for key, shape in found.items() if key not in dict(telling) or dict(telling)[key][str(scale)]}


def checkpoint(path: Path, architecture: str, scale: int) -> None:
    """A safetensors file with the names and sizes of an architecture."""
    path.parent.mkdir(exist_ok=True)
    header, offset = {}, 0
    for name, shape in tensors(architecture, scale).items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(offset))


def torch_checkpoint(path: Path, architecture: str, keys: tuple[str, ...]) -> None:
    """A file of torch.save with the same state dict under each of some keys."""
    torch = pytest.importorskip("torch")
    state = {name: torch.zeros(shape) for name, shape in tensors(architecture).items()}
    torch.save(dict.fromkeys(keys, state), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the base configs are at home: their images and checkpoints."""
    home = tmp_path_factory.mktemp("mistakes")
    for name, first in (("train", 0), ("val", 10)):
        _images(home / "data" / name / "hr", 192, first=first)
        _images(home / "data" / name / "lr", 48, first=first)
    for name, first in (("x2", 0), ("x2val", 10)):
        _images(home / "data" / name / "hr", 192, first=first)
        _images(home / "data" / name / "lr", 96, first=first)
    _images(home / "data" / "big", 400)
    checkpoint(home / "models" / "x4_span.safetensors", "span", 4)
    checkpoint(home / "models" / "x2_span.safetensors", "span", 2)
    checkpoint(home / "models" / "x4_compact.safetensors", "compact", 4)
    torch_checkpoint(home / "models" / "rrdb_psnr_x4.pth", "rrdbnet", ("params", "params_ema"))
    torch_checkpoint(home / "models" / "x4_span.pth", "span", ("params",))
    (home / "data" / "big.txt").write_text("000.png\n001.png\n002.png\n", encoding="utf-8")
    return home


@cache
def base(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def edited(mistake: dict[str, Any]) -> str:
    text = base(mistake["base"])
    for was, now in mistake.get("edits") or [(mistake["was"], mistake["now"])]:
        assert was in text, (mistake["base"], was)
        text = text.replace(was, now, 1)
    return text


def findings(text: str, name: str, folder: Path, network: bool = False) -> list[Finding]:
    path = folder / name
    run = check_files([Text(path, text)], CheckOptions(network=network))
    assert run.files[0].error is None
    return [finding for finding in run.findings if finding.severity != "info"]


def is_found(mistake: dict[str, Any], folder: Path) -> bool:
    """A finding of an expected code, or an error, at the line of the mistake, which the base config does not have."""
    name, text = mistake["base"], edited(mistake)
    known = {(finding.code, finding.message) for finding in findings(base(name), name, folder)}
    lines = text.split("\n")
    if mistake.get("at") == "*":
        wanted = set(range(len(lines) + 1))
    elif "at" in mistake:
        wanted = {number for number, line in enumerate(lines, 1) if mistake["at"].split("\n")[0] in line}
    else:
        wanted = {
            1
            + next(
                number
                for number, (one, other) in enumerate(zip(lines, base(name).split("\n"), strict=False))
                if one != other
            )
        }
    for finding in findings(text, name, folder, mistake.get("network", False)):
        line = finding.place.line if finding.place else None
        new = (finding.code, finding.message) not in known and (line in wanted or mistake.get("at") == "*")
        error = finding.severity == "error" and "edits" not in mistake
        if new and (finding.code in mistake["codes"] or error):
            return True
    return False


@pytest.mark.parametrize("name", sorted({mistake["base"] for mistake in MISTAKES}))
def test_the_base_configs_have_nothing_above_info(name: str, folder: Path) -> None:
    assert findings(base(name), name, folder) == []


def test_mistakes_are_found(folder: Path) -> None:
    missed = [mistake for mistake in MISTAKES if not is_found(mistake, folder)]
    told = "\n".join(f"{one['base']}: {one.get('edits', one.get('now'))} {one['codes']}" for one in missed)
    assert len(missed) <= (1 - SHARE_FOUND) * len(MISTAKES), told


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("neosr.toml", "total_iter = 500000\n", ""),  # neosr's own is 1,000,000
        ("basicsr.yml", "name: ", "name: Debug_"),  # which the trainer asks for in small letters
        ("realesrgan.yml", "resize_range: [0.2, 1.5]", "resize_range: [0.2, 0.9]"),  # numpy's older uniform draws
        ("redux_otf.yml", "resize_prob: [0.3, 0.4, 0.3]", "resize_prob: [0, 0.7, 0.3]\nresize_range2: [0.5, 1.2]"),
        ("fork.yml", "- type: l1loss\n", "- type: l1loss\n      start_iter: 10\n      target_iter: 90\n"),
        ("redux.yml", "scale: 4", "scale: 4\nresize_range: [0.9, 0.2]\nresize_range2: [0.2, 0.9]"),  # never drawn
        ("redux_otf.yml", "    lq_size: ", "    meta_info: data/big.txt\n    lq_size: "),  # of GT alone
    ],
)
def test_what_looks_like_a_mistake_and_is_none(name: str, was: str, now: str, folder: Path) -> None:
    assert was in base(name)
    assert findings(base(name).replace(was, now, 1), name, folder) == []


def test_text_for_a_switch_has_no_other_consequence_than_it_has(folder: Path) -> None:
    text = base("neosr.toml").replace("use_amp = true", 'use_amp = "true"')
    assert [one.code for one in findings(text, "neosr.toml", folder)] == ["option-type"]


def test_a_missing_discriminator_is_told_once(folder: Path) -> None:
    text = base("basicsr_gan.yml")
    part = text[text.index("network_d:") : text.index("\npath:")]
    found = findings(text.replace(part, ""), "basicsr_gan.yml", folder)
    assert [one.code for one in found] == ["discriminator-missing"]


def test_every_conflict_is_one_of_the_mistakes(folder: Path) -> None:
    some = [mistake for mistake in MISTAKES if "option-conflict" in mistake["codes"]]
    told = {finding.message for one in some for finding in findings(edited(one), one["base"], folder)}
    rows = [row["message"] for row in CONFLICTS if row.get("severity") != "info"]
    texts = {message: "".join(_pattern(message)) for message in rows}
    assert [text for text, pattern in texts.items() if not any(re.fullmatch(pattern, one) for one in told)] == []


def _pattern(message: str) -> Iterator[str]:
    for text, field, _, _ in string.Formatter().parse(message):
        yield re.escape(text) + (".+" if field else "")
