"""ConfigDocument -> TrainingConfig: the facts of a training config, by the layout of the trainer it is for.

traiNNer-redux writes `train.losses` as a list; BasicSR, Real-ESRGAN and older files write `train.*_opt` mappings. Both
are read whatever the trainer, since both stand in real folders of option files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from autocal_cli.config.losses import loss_kind
from autocal_cli.config.model import (
    BLOCK_KEY,
    RECORD_KEY,
    DatasetRoot,
    DatasetSection,
    KeyPath,
    LossTerm,
    NetworkOptions,
    Scalar,
    SchedulingBlock,
    TrainingConfig,
    Value,
)
from autocal_cli.config.trainers import TrainerLayout, recognise_trainer, text_at
from autocal_cli.config.yaml.comments import record_above
from autocal_cli.config.yaml.document import (
    ConfigDocument,
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    child,
    is_null,
    lookup,
    node_at,
    pairs_of,
    quoted,
    read_scalar,
    read_value,
)
from autocal_cli.errors import AutocalError, Place

Tolerate = Callable[[str, AutocalError], None]
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a config that cannot be read: the code of the finding that tells it, and the error."""

    code: str
    error: AutocalError


def read_training_config(
    document: ConfigDocument, layout: TrainerLayout | None = None, tolerate: Tolerate | None = None
) -> TrainingConfig:
    """Reads the facts of a training config; without a `layout`, by that of the trainer that its shape tells.

    Raises AutocalError, with the place, when there is no `train` mapping, when `train` or the block stand twice, or
    when a number that calibration needs is none. All but the first are handed to `tolerate` where it is given, under
    the code of a finding, and the part in question is left out.
    """
    layout = layout or recognise_trainer(document)
    for depth in range(1, len(layout.block) + 1):
        path = layout.block[:depth]
        _part(tolerate, "key-twice", lambda path=path: _refuse_duplicates(document, path), None)  # type: ignore[misc]
    train = lookup(document, layout.block[:-1])
    if train is None:
        message = "There is no `train` mapping, so this is not a training config."
        raise AutocalError(message, place=Place(document.path))
    target = document.follow(train.value)
    if not isinstance(target, MappingNode) and not is_null(document, target):
        raise AutocalError("`train` should be a mapping.", place=document.place(train.key.start))
    return TrainingConfig(
        path=document.path,
        trainer=layout.trainer,
        scale=(scale := _part(tolerate, "count-invalid", lambda: _count(document, (layout.scale,)), None)),
        total_iter=_part(tolerate, "count-invalid", lambda: _count(document, layout.total_iter), None),
        batch_size=_part(tolerate, "count-invalid", lambda: _batch_size(document, layout), None),
        losses=tuple(_part(tolerate, "losses-malformed", lambda: _losses(document, layout, tolerate), [])),
        network=_part(tolerate, "network-malformed", lambda: _network(document, layout.network), None),
        discriminator=_part(tolerate, "network-malformed", lambda: _network(document, layout.discriminator), None),
        weights=_part(tolerate, "network-malformed", lambda: _weights(document, layout), None),
        dataset_roots=tuple(
            _part(tolerate, "datasets-malformed", lambda: _named(document, layout.training_images), [])
        ),
        datasets=_part(tolerate, "datasets-malformed", lambda: read_sections(document, layout, scale), ()),
        block=_part(tolerate, "block-malformed", lambda: read_block(document, layout, tolerate), None),
        model_type=text_at(document, ("model_type",)) or None,
        place=document.place(train.key.start),
    )


def _part(tolerate: Tolerate | None, code: str, read: Callable[[], Part], otherwise: Part) -> Part:
    """What `read` gives; where it raises and that is tolerated, `otherwise`."""
    try:
        return read()
    except AutocalError as error:
        if tolerate is None:
            raise
        tolerate(code, error)
        return otherwise


def _refuse_duplicates(document: ConfigDocument, path: KeyPath) -> None:
    parent: Node = document.root
    if len(path) > 1:
        pair = lookup(document, path[:-1])
        if pair is None:
            return
        parent = document.follow(pair.value)
    if not isinstance(parent, MappingNode):
        return
    twins = parent.all_pairs(path[-1])
    if len(twins) > 1:
        first = document.place(twins[0].key.start)
        message = f"`{'.'.join(path)}` stands twice (first in line {first.line}); the trainer would read only the last."
        raise AutocalError(message, place=document.place(twins[1].key.start), fix="Remove one.")


def _first(document: ConfigDocument, paths: tuple[KeyPath, ...]) -> tuple[KeyPath, Pair] | None:
    for path in paths:
        pair = lookup(document, path)
        if pair is not None:
            return path, pair
    return None


def _count(document: ConfigDocument, paths: tuple[KeyPath, ...]) -> int | None:
    """A positive whole number, or None where it is absent, null or left to the trainer (`auto`)."""
    found = _first(document, paths)
    if found is None:
        return None
    path, pair = found
    node = document.follow(pair.value)
    value = read_scalar(document, node) if isinstance(node, ScalarNode) else read_value(document, node)
    if value is None or value == "auto":
        return None
    if isinstance(value, float) and value.is_integer():  # `!!float 5e3`, as BasicSR's files write it
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        message = f"`{'.'.join(path)}` should be a whole number of at least 1. Found {_shown(value)}."
        raise AutocalError(message, place=document.place(node.start), fix=_text_number_hint(document, value))
    return value


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return quoted(value)
    return type(value).__name__ if isinstance(value, list | dict) else str(value)


def _text_number_hint(document: ConfigDocument, value: Value) -> str | None:
    """YAML 1.1 reads `4e4` and `1e-4` as text, which is hard to see."""
    if not isinstance(value, str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if not number.is_integer():
        return None
    return f"{document.language.upper()} reads this as text; write {int(number)}."


def _batch_size(document: ConfigDocument, layout: TrainerLayout) -> int | None:
    """Images per optimiser step: per GPU x accumulation x GPUs (`auto` and 0, the CPU, count as one)."""
    per_gpu = _count(document, layout.batch_per_gpu)
    if per_gpu is None:
        return None
    node = node_at(document, layout.gpus)
    stated = read_scalar(document, node) if isinstance(node, ScalarNode) else None
    number = stated if isinstance(stated, int) and not isinstance(stated, bool) and stated > 0 else 1
    return per_gpu * (_count(document, layout.accumulation) or 1) * number


def _losses(document: ConfigDocument, layout: TrainerLayout, tolerate: Tolerate | None) -> list[LossTerm]:
    node = node_at(document, layout.losses)
    if isinstance(node, SequenceNode):
        terms = (
            _part(tolerate, "losses-malformed", lambda item=item: _listed_loss(document, layout, item), None)  # type: ignore[misc]
            for item in node.items
        )
        return [term for term in terms if term]
    if node is not None and not is_null(document, node):
        message = f"`{'.'.join(layout.losses)}` should be a list of losses."
        raise AutocalError(message, place=document.place(node.start))
    owner = node_at(document, layout.losses[:-1])
    items = [
        (key, document.follow(entry.value))
        for key, entry in (pairs_of(document, owner) if isinstance(owner, MappingNode) else {}).items()
        if key.endswith("_opt")
    ]
    return [term for key, item in items if isinstance(item, MappingNode) and (term := _loss(document, item, key))]


def _listed_loss(document: ConfigDocument, layout: TrainerLayout, item: Node) -> LossTerm:
    node = document.follow(item)
    term = _loss(document, node) if isinstance(node, MappingNode) else None
    if term is None:
        message = f"A loss in `{'.'.join(layout.losses)}` should be a mapping with a `type`."
        raise AutocalError(message, place=document.place(item.start))
    return term


def _loss(document: ConfigDocument, node: MappingNode, table: str | None = None) -> LossTerm | None:
    type_name = _scalar_at(document, node, "type")
    if not isinstance(type_name, str):
        return None
    weights = [_number_at(document, node, key) for key in ("loss_weight", "perceptual_weight")]  # BasicSR has the other
    weight = next((stated for stated in weights if stated is not None), 1.0)
    style_weight = (_number_at(document, node, "style_weight") or 0.0) if table else 0.0
    arguments = read_value(document, node)
    assert isinstance(arguments, dict)
    place = document.place(node.start)
    return LossTerm(type_name, loss_kind(type_name), weight, place, table, style_weight, arguments)


def _number_at(document: ConfigDocument, mapping: MappingNode, key: str) -> float | None:
    stated = _scalar_at(document, mapping, key)
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) else None


def _scalar_at(document: ConfigDocument, mapping: MappingNode, key: str) -> Scalar:
    return _scalar(document, mapping, key)[0]


def _network(document: ConfigDocument, path: KeyPath) -> NetworkOptions | None:
    pair = lookup(document, path)
    node = document.follow(pair.value) if pair else None
    if pair is None or node is None or is_null(document, node):
        return None
    if not isinstance(node, MappingNode):
        message = f"`{'.'.join(path)}` should be a mapping with a `type`."
        raise AutocalError(message, place=document.place(node.start))
    type_pair = child(document, node, "type")
    type_name = _scalar_at(document, node, "type")
    if type_pair is None or not isinstance(type_name, str):
        raise AutocalError(f"`{'.'.join(path)}.type` should name a network.", place=document.place(pair.key.start))
    options = read_value(document, node)
    assert isinstance(options, dict)
    arguments = {key: value for key, value in options.items() if key != "type"}
    places = {key: document.place(found.value.start) for key in arguments if (found := child(document, node, key))}
    return NetworkOptions(type_name, arguments, document.place(type_pair.value.start), places)


def _weights(document: ConfigDocument, layout: TrainerLayout) -> DatasetRoot | None:
    """The checkpoint that the network begins from."""
    return next(iter(_named(document, layout.weights)), None)


def _named(document: ConfigDocument, path: KeyPath) -> list[DatasetRoot]:
    """The folders or files that a key names: a string, or a list of strings."""
    return read_roots(document, lookup(document, path), ".".join(path))


def read_block(
    document: ConfigDocument, layout: TrainerLayout, tolerate: Tolerate | None = None
) -> SchedulingBlock | None:
    """The scheduling block, None where there is none. Raises AutocalError where it is no mapping, or a key twice.

    A record that stands in comments above the block, as the fork's scheduler needs it, counts as the block's own.

    `tolerate` is as for `read_training_config`, of a key that stands twice.
    """
    pair = lookup(document, layout.block)
    if pair is None:
        return None
    node = document.follow(pair.value)
    place = document.place(pair.key.start)
    if is_null(document, node):
        return SchedulingBlock({}, {}, place)
    if not isinstance(node, MappingNode):
        found = "a list" if isinstance(node, SequenceNode) else "a single value"
        raise AutocalError(f"`{'.'.join(layout.block)}` should be a mapping. Found {found}.", place=place)
    values = read_value(document, node)
    assert isinstance(values, dict)
    places: dict[KeyPath, Place] = {}
    _collect_places(document, node, (), places, tolerate)
    if RECORD_KEY not in values and (record := record_above(document, layout.block)):
        values = {**values, RECORD_KEY: record}
    return SchedulingBlock(values, places, place)


def _collect_places(
    document: ConfigDocument,
    node: MappingNode,
    path: KeyPath,
    places: dict[KeyPath, Place],
    tolerate: Tolerate | None,
) -> None:
    for pair in node.pairs:
        if not isinstance(pair.key, ScalarNode):
            continue
        here = (*path, pair.key.value)
        if here in places:
            message = f"`{BLOCK_KEY}.{'.'.join(here)}` stands twice; the trainer would read only the last."
            twice = AutocalError(message, place=document.place(pair.key.start), fix="Remove one.")
            if tolerate is None:
                raise twice
            tolerate("key-twice", twice)
        omitted = isinstance(pair.value, ScalarNode) and pair.value.omitted
        places[here] = document.place(pair.key.start if omitted else pair.value.start)
        if isinstance(pair.value, MappingNode) and len(here) < 8:
            _collect_places(document, pair.value, here, places, tolerate)


# The `datasets` mapping of a config -> DatasetSections: roots, pairing and crop of every set.


META_INFO_KEYS = ("meta_info", "meta_info_file")  # traiNNer-redux and Real-ESRGAN; BasicSR


def read_sections(document: ConfigDocument, layout: TrainerLayout, scale: int | None) -> tuple[DatasetSection, ...]:
    """Every mapping below `datasets`. What is not understood is left out: it is the trainer's to complain of."""
    owner = node_at(document, layout.datasets)
    entries = pairs_of(document, owner) if isinstance(owner, MappingNode) else {}
    nodes = {name: document.follow(entry.value) for name, entry in entries.items()}
    return tuple(
        _section(document, layout, (*layout.datasets, name), node, scale)
        for name, node in nodes.items()
        if isinstance(node, MappingNode)
    )


def read_roots(document: ConfigDocument, pair: Pair | None, key: str) -> list[DatasetRoot]:
    """The folders that a key names: a string, or a list of strings."""
    node = document.follow(pair.value) if pair else None
    items = node.items if isinstance(node, SequenceNode) else (node,) if node else ()
    roots = []
    for item in items:
        target = document.follow(item)
        value = read_scalar(document, target) if isinstance(target, ScalarNode) else None
        if isinstance(value, str):
            roots.append(DatasetRoot(key, value, document.place(item.start)))
    return roots


def _section(
    document: ConfigDocument, layout: TrainerLayout, path: KeyPath, node: MappingNode, scale: int | None
) -> DatasetSection:
    def roots(key: str) -> tuple[DatasetRoot, ...]:
        return tuple(read_roots(document, child(document, node, key), ".".join((*path, key))))

    template, _ = _scalar(document, node, "filename_tmpl")
    section = DatasetSection(
        name=path[-1],
        gt=roots("dataroot_gt"),
        lq=roots("dataroot_lq"),
        meta_info=next((root for key in META_INFO_KEYS for root in roots(key)), None),
        filename_tmpl=template if isinstance(template, str) else "{}",
    )
    crop = _crop(document, layout, node, scale, section.trains)
    return replace(section, gt_size=crop[0], crop_place=crop[1]) if crop else section


def _crop(
    document: ConfigDocument, layout: TrainerLayout, node: MappingNode, scale: int | None, trains: bool
) -> tuple[int, Place | None] | None:
    """The side of the GT crop in pixels, and where the config says so: e.g. `gt_size`, or `lq_size` x scale."""
    stated = [(_scalar(document, node, key), scale if in_lq_pixels else 1) for key, in_lq_pixels in layout.crop]
    if trains and layout.training_crop:
        stated.insert(0, (_scalar(document, document.root, layout.training_crop), 1))
    for (size, place), factor in stated:
        if isinstance(size, int) and not isinstance(size, bool) and size > 0 and factor:
            return size * factor, place
    return None


def _scalar(document: ConfigDocument, mapping: MappingNode, key: str) -> tuple[Scalar, Place | None]:
    pair = child(document, mapping, key)
    node = document.follow(pair.value) if pair else None
    if pair is None or not isinstance(node, ScalarNode):
        return None, None
    return read_scalar(document, node), document.place(pair.key.start)
