"""Numbers that the trainer's YAML reader takes for text: `1e-4` without a dot, `4e4`, and numbers in quotes.

YAML 1.1, by which trainers read, wants a dot in the mantissa and a sign in the exponent: only `1.0e-04` is a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from autocal_cli.check.record import Checked
from autocal_cli.config.document import MappingNode, Node, ScalarNode, SequenceNode
from autocal_cli.config.reading import read_scalar
from autocal_cli.config.record import KeyPath
from autocal_cli.config.scalars import write_scalar
from autocal_cli.errors import AutocalError, Finding, Place

_SCIENTIFIC = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)[eE][-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
# Values of these are words, however much they look like a number.
_NAMES = frozenset({"name", "type", "suffix", "project", "resume_id", "filename_tmpl", "meta_info", "meta_info_file"})
_FOLDERS = ("path", "dataroot", "pretrain", "resume")
WHOLE = frozenset(
    {
        "total_iter", "niter", "warmup_iter", "milestones", "periods", "restarts", "total_iterations",
        "baseline_iterations", "freeze_steps", "recovery_steps", "val_freq", "print_freq", "save_checkpoint_freq",
        "scale", "batch_size_per_gpu", "batch_size", "accum_iter", "num_worker_per_gpu", "lq_size", "gt_size",
        "manual_seed", "num_gpu", "T_max", "step_size",
    }
)  # fmt: skip
NUMERIC = WHOLE | {
    "lr", "weight_decay", "betas", "eps", "eta_min", "eta_mins", "gamma", "loss_weight", "perceptual_weight",
    "style_weight", "ema_decay", "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight",
    "restart_weights", "grad_clip_max_norm",
}  # fmt: skip


def numbers_as_text(checked: Checked) -> Iterator[Finding]:
    """Every scalar, wherever it stands, that is a number to its writer and text to the trainer."""
    for place, text in text_numbers(checked).items():
        said = f"`{text.key}: {text.node.value}` is text to the trainer's {checked.document.language.upper()} reader"
        message = f"{said}; it is meant as the number {text.number!r}."
        yield Finding("number-as-text", "warning", message, f"Write {text.spelling}.", place)


@dataclass(frozen=True, slots=True)
class TextNumber:
    """A scalar that is text and means `number`."""

    key: str
    node: ScalarNode
    number: int | float

    @property
    def spelling(self) -> str:
        return spelling(self.number, self.node.value)


@lru_cache(maxsize=1)
def text_numbers(checked: Checked) -> dict[Place, TextNumber]:
    """All of them in a document, by their places."""
    return {
        checked.document.place(node.start): TextNumber(path[-1], node, number)
        for path, node in scalars(checked.document.root)
        if (number := _meant(checked, path, node)) is not None
    }


def _meant(checked: Checked, path: KeyPath, node: ScalarNode) -> int | float | None:
    """The number that a text stands for; None for what is a number already, or plainly none."""
    key = path[-1] if path else ""
    if node.tag is not None or key in _NAMES or any(part.startswith(_FOLDERS) for part in path):
        return None
    if node.style not in (None, "'", '"') or (node.style is not None and key not in NUMERIC):
        return None
    pattern = _SCIENTIFIC if node.style is None else _NUMBER
    text = node.value.strip()
    if not pattern.fullmatch(text) or not _is_text(checked, node):
        return None
    number = float(text.replace("_", ""))
    if number in (float("inf"), float("-inf")):
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
    whole, _, part = mantissa.partition(".")
    sign = "-" if exponent.startswith("-") else "+"
    return f"{whole if whole.strip('+-') else whole + '0'}.{part or '0'}e{sign}{exponent.lstrip('+-'):0>2}"


def scalars(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, ScalarNode]]:
    """Every scalar value of a tree, with the keys that lead to it; items of a list have the list's."""
    match node:
        case ScalarNode():
            yield path, node
        case SequenceNode():
            for item in node.items:
                yield from scalars(item, path)
        case MappingNode():
            for pair in node.pairs:
                key = pair.key.value if isinstance(pair.key, ScalarNode) else ""
                yield from scalars(pair.value, (*path, key))


def _is_text(checked: Checked, node: ScalarNode) -> bool:
    try:
        return isinstance(read_scalar(checked.document, node), str)
    except AutocalError:
        return False
