"""What a particular trainer does not know, or cannot do with a particular network."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

from autocal_cli.check.record import Checked
from autocal_cli.config.document import ScalarNode
from autocal_cli.config.reading import lookup, read_scalar
from autocal_cli.config.record import KeyPath, Scalar
from autocal_cli.errors import Finding
from autocal_cli.packaged import preset_text


@cache
def trainer_facts() -> dict[str, Any]:
    """presets/trainers.toml."""
    return tomllib.loads(preset_text("trainers.toml"))


def clipping_unknown(checked: Checked) -> Iterator[Finding]:
    """`grad_clip_max_norm` under a trainer that has no such key."""
    deed = trainer_facts()["without_grad_clip_max_norm"].get(checked.layout.trainer)
    path = ("train", "grad_clip_max_norm")
    if deed and lookup(checked.document, path):
        message = f"{checked.layout.trainer} has no `grad_clip_max_norm`: {deed}."
        yield Finding("grad-clip-unknown", "warning", message, "Remove it.", checked.key_at(path))


def half_precision(checked: Checked) -> Iterator[Finding]:
    """fp16 with a network that overflows in it."""
    network = checked.config.network
    if network is None or _flag(checked, ("use_amp",)) is not True or _flag(checked, ("amp_bf16",)) is True:
        return
    if network.type.lower() in trainer_facts()["overflows_in_fp16"]["types"]:
        message = (
            f"use_amp without amp_bf16 is fp16, in which {network.type} overflows; traiNNer-redux then takes bf16 by "
            "itself, or no AMP at all where the GPU lacks it."
        )
        place = checked.value_at(("amp_bf16",)) or checked.value_at(("use_amp",))
        yield Finding("fp16-overflow", "warning", message, "Write `amp_bf16: true`.", place)


def _flag(checked: Checked, path: KeyPath) -> Scalar:
    pair = lookup(checked.document, path)
    node = checked.document.follow(pair.value) if pair else None
    return read_scalar(checked.document, node) if isinstance(node, ScalarNode) else None
