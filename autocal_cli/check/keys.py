"""Numbers that the trainer's YAML reader takes for text: `1e-4` without a dot, `4e4`, and numbers in quotes.

YAML 1.1, by which trainers read, wants a dot in the mantissa and a sign in the exponent: only `1.0e-04` is a number.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from autocal_cli.calibration.calibrate import TOTAL_ITERATIONS
from autocal_cli.check.model import Checked
from autocal_cli.check.rule import nano, rule
from autocal_cli.config.model import KeyPath
from autocal_cli.config.yaml.document import (
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    lookup,
    read_scalar,
)
from autocal_cli.config.yaml.scalars import with_exponent, write_scalar
from autocal_cli.errors import Finding, Place, Severity
from autocal_cli.packaged import preset_text

_SCIENTIFIC = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)[eE][-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
# Values of these are words, however much they look like a number.
_NAMES = frozenset({"name", "type", "suffix", "project", "resume_id", "filename_tmpl", "meta_info", "meta_info_file"})
_FOLDERS = ("path", "dataroot", "pretrain", "resume")
WHOLE = frozenset(
    {
        "total_iter", "niter", "warmup_iter", "milestones", "periods", "restarts", "total_iterations",
        "baseline_iterations", "val_freq", "print_freq", "save_checkpoint_freq",
        "scale", "batch_size_per_gpu", "batch_size", "accum_iter", "num_worker_per_gpu", "lq_size", "gt_size",
        "manual_seed", "num_gpu", "T_max", "step_size",
    }
)  # fmt: skip
NUMERIC = WHOLE | {
    "lr", "weight_decay", "betas", "eps", "eta_min", "eta_mins", "gamma", "loss_weight", "perceptual_weight",
    "style_weight", "ema_decay", "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight",
    "restart_weights", "grad_clip_max_norm",
}  # fmt: skip


@rule(
    "numbers/number-as-text [warning]: A number that the trainer reads as text",
    why="By YAML 1.1, as trainers read it, a float has a dot in its mantissa and a sign in its exponent: 1e-4, 2e-4 "
    "and 4e4 are text, and the optimiser or the option parser ends on it. Text in quotes is text to every reader.",
    source="PyYAML's resolver of floats; traiNNer-redux decodes with it, and optimisers refuse text",
    fixable=True,
    bad=nano("auto_calibrate: true", "baseline_iterations: ^5e1"),
    good=nano("auto_calibrate: true", "baseline_iterations: 50"),
)
def numbers_as_text(checked: Checked) -> Iterator[Finding]:
    """Every scalar, wherever it stands, that is a number to its writer and text to the trainer; an error where the
    trainer wants a number there (checks.py), a notice where it makes one of it."""
    harmless = {checked.at(*path) for path, value in checked.leaves if isinstance(value, str) and path[-1] not in WHOLE}
    for place, text in text_numbers(checked).items():
        said = f"`{text.key}: {text.node.value}` is text to the trainer's {checked.document.language.upper()} reader"
        message = f"{said}; it is meant as the number {text.number!r}."
        severity: Severity | None = "info" if place in harmless else None  # the schedulers call float() on it
        yield checked.finding("number-as-text", message, f"Write {text.spelling}.", place, severity)


class TextNumber(NamedTuple):
    """A scalar that is text and means `number`, which is to be written as `spelling`."""

    key: str
    node: ScalarNode
    number: int | float
    spelling: str


@lru_cache(maxsize=1)
def text_numbers(checked: Checked) -> dict[Place, TextNumber]:
    """All of them in a document, by their places."""
    return {
        checked.document.place(node.start): TextNumber(path[-1], node, number, spelling(number, node.value))
        for path, node in walk(checked.document.root)
        if isinstance(node, ScalarNode) and (number := _meant(checked, path, node)) is not None
    }


def _meant(checked: Checked, path: KeyPath, node: ScalarNode) -> int | float | None:
    """The number that a text stands for; None for what is a number already, or plainly none."""
    key, plain = path[-1] if path else "", node.style is None
    if node.tag is not None or key in _NAMES or any(part.startswith(_FOLDERS) for part in path):
        return None
    if not (plain or (node.style in ("'", '"') and key in NUMERIC)):
        return None
    text = node.value.strip()
    matches = (_SCIENTIFIC if plain else NUMBER).fullmatch(text)
    if not matches or not isinstance(read_scalar(checked.document, node), str):
        return None
    number = float(text.replace("_", ""))
    if math.isinf(number):
        return None
    return int(number) if key in WHOLE and number.is_integer() else number


def spelling(number: int | float, text: str) -> str:
    """A number as every YAML reader takes it, in the manner in which it was written.

    >>> spelling(2e-4, "2e-4"), spelling(40000, "4e4"), spelling(0.99, "0.99")
    ('2.0e-04', '40000', '0.99')
    """
    mantissa, letter, exponent = text.strip().replace("_", "").lower().partition("e")
    if isinstance(number, int) or not letter:
        return write_scalar(number)
    return with_exponent(mantissa, exponent)


def walk(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
    """Every value of a tree, with the keys that lead to it; items of a list have the list's."""
    yield path, node
    if isinstance(node, SequenceNode):
        for item in node.items:
            yield from walk(item, path)
    elif isinstance(node, MappingNode):
        for pair in node.pairs:
            yield from walk(pair.value, (*path, _key(pair)))


@rule(
    "block/key-twice [error]: A key stands twice",
    why="YAML readers keep the last of two equal keys, so what the first says is lost without a word.",
    source="PyYAML, tried",
    bad=nano("auto_calibrate: true", "momentum: 0.85", "^momentum: 0.87"),
    good=nano("auto_calibrate: true", "momentum: 0.85"),
)
def keys_twice(checked: Checked) -> Iterator[Finding]:
    """A key that stands twice in one mapping; of those on the way to the block the reader of the config tells."""
    told = {problem.place for problem in checked.problems}
    for path, node in walk(checked.document.root):
        first: dict[str, Place] = {}
        for pair in node.pairs if isinstance(node, MappingNode) else ():
            key, place = _key(pair), checked.document.place(pair.key.start)
            if key in first and key != "<<" and place not in told:
                twice = f"`{'.'.join((*path, key))}` stands twice (first in line {first[key].line})"
                yield checked.finding("key-twice", f"{twice}; the trainer reads the last alone.", "Remove one.", place)
            first.setdefault(key, place)


NEAR = 0.75  # of difflib, for a suggestion; chosen
SURE = 0.8  # for --fix; chosen: over 1,400 option files no right key comes so near to another


def nearest(name: str, known: Mapping[str, object] | Sequence[str], cutoff: float) -> str | None:
    """The one name that another resembles most, or is the beginning of, whatever its case; None where it resembles
    none, or two alike. `cutoff` is the least ratio of difflib that counts; from SURE on no beginning does."""
    lower = {one.lower(): one for one in known}
    if name.lower() in lower:
        return lower[name.lower()]
    near = difflib.get_close_matches(name.lower(), [*lower], n=2, cutoff=cutoff)
    ratios = [difflib.SequenceMatcher(None, one, name.lower()).ratio() for one in near]
    begun = [one for one in lower if one.startswith(name.lower())] if not near and cutoff < SURE else []
    if len(begun) == 1:
        return lower[begun[0]]
    return lower[near[0]] if near and (len(near) == 1 or ratios[0] > ratios[1]) else None


def _key(pair: Pair) -> str:
    return str(getattr(pair.key, "value", ""))


@rule(
    "run/length-unknown [warning]: The length of the run is not said",
    why="Phases, and the rules on the length of a run, count in shares of total_iter; without it they stay silent.",
    source="traiNNer-redux, redux_options.py: `total_iter: int`, without a default",
    when="A config without total_iter is calibrated, or checked where the trainer's options are not known here.",
)
@rule(
    "run/length-mismatch [warning]: Two lengths of the run",
    why="The trainer stops at its own total_iter. Phases that count by another length begin too early, or never.",
    source="guide: `training_config.total_iterations` may stand in the block; the trainer stops at its own",
    fixable=True,
    bad=nano("auto_calibrate: true", "training_config:", "  total_iterations: ^400000"),
    good=nano("auto_calibrate: true", "training_config:", "  total_iterations: 40000"),
)
def length_findings(checked: Checked) -> Iterator[Finding]:
    config, layout = checked.config, checked.layout
    stated = checked.number(*TOTAL_ITERATIONS)
    if config.total_iter is None:
        if not any(lookup(checked.document, path) for path in layout.total_iter):
            name = ".".join(layout.total_iter[0])
            message = f"The config does not say how long the run is ({name})."
            yield checked.finding("length-unknown", message, f"Add {name}.", config.place)
    elif stated is not None and stated != config.total_iter:
        message = f"training_config.total_iterations is {stated:,}, but the trainer stops at {config.total_iter:,}."
        yield checked.finding("length-mismatch", message, "Make them equal.", checked.at(*TOTAL_ITERATIONS))


@cache
def trainer_facts() -> dict[str, Any]:
    """presets/trainers.toml."""
    return tomllib.loads(preset_text("trainers.toml"))


@rule(
    "trainer/fp16-overflow [warning]: fp16 with a network that overflows in it",
    why="Attention and normalisation of some networks pass 65,504, the largest number of fp16; bf16 has the range of "
    "fp32. traiNNer-redux declines fp16 for them by itself, and trains without AMP where the GPU lacks bf16.",
    source="presets/trainers.toml: ARCHS_WITHOUT_FP16 of traiNNer-redux",
    bad=nano(top="use_amp: true\namp_bf16: ^false\nnetwork_g: {type: swinir_m}"),
    good=nano(top="use_amp: true\namp_bf16: true\nnetwork_g: {type: swinir_m}"),
)
def half_precision(checked: Checked) -> Iterator[Finding]:
    """fp16 with a network that overflows in it."""
    network, neosr = checked.config.network, checked.layout.trainer == "neosr"
    key = "bfloat16" if neosr else "amp_bf16"
    if network is None or checked.option("use_amp") is not True or checked.option(key) is True:
        return
    if network.type.lower() in trainer_facts()["overflows_in_fp16"]["types"]:
        then = "traiNNer-redux then takes bf16 by itself, or no AMP at all where the GPU lacks it"
        message = f"use_amp without {key} is fp16, in which {network.type} overflows{'' if neosr else f'; {then}'}."
        place = checked.value_at((key,)) or checked.value_at(("use_amp",))
        yield checked.finding("fp16-overflow", message, f"Set `{key}` to true.", place)
