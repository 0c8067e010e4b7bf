"""The block `dynamic_loss_scheduling`: where it stands, which keys it has, and whether the scheduler takes them."""

from __future__ import annotations

from collections.abc import Iterator

from autocal_cli.calibration.overrides import refuse_foreign_record, refuse_phases_out_of_order, refuse_wrong_shape
from autocal_cli.calibration.record import PARAMETERS
from autocal_cli.calibration.resolved import has_record, recorded_calibration
from autocal_cli.calibration.schema import check_value, unknown_key
from autocal_cli.calibration.shares import SHARE_KEYS, by_loss, read_shares
from autocal_cli.check.record import Checked
from autocal_cli.check.values import crossed
from autocal_cli.config.document import MappingNode, SequenceNode
from autocal_cli.config.record import BLOCK_KEY
from autocal_cli.config.trainers import TrainerLayout
from autocal_cli.errors import AutocalError, Finding, Place


def block_misplaced(checked: Checked) -> Iterator[Finding]:
    """A block anywhere else than where the trainer looks for it."""
    right = checked.document.follow(checked.document.root)
    home = ".".join(checked.layout.block)
    waiting: list[tuple[tuple[str, ...], object]] = [((), right)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, SequenceNode):
            waiting += [(path, item) for item in node.items]
        if not isinstance(node, MappingNode):
            continue
        for pair in node.pairs:
            key = getattr(pair.key, "value", None)
            if key == BLOCK_KEY and (*path, key) != checked.layout.block:
                message = f"`{BLOCK_KEY}` stands under `{'.'.join(path) or 'the top level'}`, where nothing reads it."
                place = checked.document.place(pair.key.start)
                yield Finding("block-misplaced", "error", message, f"Move it to `{home}`.", place)
            elif key != BLOCK_KEY:
                waiting.append(((*path, str(key)), pair.value))


def block_rejected(checked: Checked) -> Iterator[Finding]:
    if checked.block is not None and not checked.layout.accepts_block:
        yield rejected(checked.layout, checked.block.place)


def rejected(layout: TrainerLayout, place: Place) -> Finding:
    """A warning and no error, since two ways of starting such a trainer work."""
    message = f"{layout.trainer} by itself refuses a config with a `{BLOCK_KEY}` block: it is a key unknown to it."
    fix = (
        "Two ways work: start it with `autocal run`, which keeps the block from it; or calibrate with --sidecar, "
        "which leaves the config as it is and writes the block beside it, where `autocal run` finds it. If it "
        "is the fork's config, say so: --trainer-kind traiNNer-redux-fork."
    )
    return Finding("block-rejected", "warning", message, fix, place)


def block_disabled(checked: Checked) -> Iterator[Finding]:
    if checked.block is not None and checked.active is None:
        message = "The block says `enabled: false`: it stays switched off."
        yield Finding("block-disabled", "info", message, "Write `enabled: true`.", checked.at("enabled"))


def record_unusable(checked: Checked) -> Iterator[Finding]:
    """A `calibration` that is no record, is of a later version, or was damaged."""
    if checked.block is None:
        return
    try:
        refuse_foreign_record(checked.block)
        if has_record(checked.block):
            recorded_calibration(checked.block, checked.own)
    except AutocalError as error:
        yield Finding("record-unusable", "error", error.message, error.fix, error.place)


def unknown_keys(checked: Checked) -> Iterator[Finding]:
    for path, value in checked.leaves:
        if path not in checked.schema and not _wrong_shape(checked, path, value):
            if value in (None, {}) and checked.is_section(path):
                continue
            place = checked.key_at((*checked.layout.block, *path)) or checked.at(*path)
            yield unknown_key(path, checked.schema, place)


def invalid_values(checked: Checked) -> Iterator[Finding]:
    """Every value that the scheduler does not accept."""
    for path, value in checked.leaves:
        try:
            if path not in checked.schema:
                refuse_wrong_shape(path, value, checked.schema, checked.at(*path))
            elif value is not None and not (crossed(checked) and path in (("min_weight",), ("max_weight",))):
                check_value(path, value, checked.schema[path], checked.at(*path))
        except AutocalError as error:
            yield Finding(
                "value-invalid", "error", error.message, error.fix or "Write that, or delete it.", error.place
            )
    try:
        refuse_phases_out_of_order(checked.values, checked.presets, checked.block)
    except AutocalError as error:
        yield Finding("phases-out-of-order", "error", error.message, error.fix, error.place)


def invalid_shares(checked: Checked) -> Iterator[Finding]:
    """`ceilings`, `gradient_shares` and `kinds` that the scheduler would refuse."""
    if checked.block is None:
        return
    for key in (*SHARE_KEYS, "kinds"):
        try:
            read_shares(checked.block, key) if key in SHARE_KEYS else by_loss(checked.block, key)
        except AutocalError as error:
            yield Finding(
                "shares-invalid", "error", error.message, error.fix or "Write that, or delete it.", error.place
            )


def everything_by_hand(checked: Checked) -> Iterator[Finding]:
    """`auto_calibrate: true` beside a value for everything that it could choose."""
    if checked.values.get(("auto_calibrate",)) is True and all((name,) in checked.by_hand for name in PARAMETERS):
        message = "`auto_calibrate: true`, but every parameter is set by hand: there is nothing left to calibrate."
        fix = "Delete those that should be chosen for you, or write `auto_calibrate: false`."
        yield Finding("nothing-to-calibrate", "warning", message, fix, checked.at("auto_calibrate"))


def _wrong_shape(checked: Checked, path: tuple[str, ...], value: object) -> bool:
    """Told by `invalid_values`."""
    inside = any(path[:length] in checked.schema for length in range(1, len(path)))
    return inside or (value not in (None, {}) and checked.is_section(path))
