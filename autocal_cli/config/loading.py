"""ConfigDocument -> TrainingConfig: the facts of a training config, by the layout of the trainer it is for.

traiNNer-redux writes `train.losses` as a list; BasicSR, Real-ESRGAN and older files write `train.*_opt` mappings. Both
are read whatever the trainer, since both stand in real folders of option files.
"""

from __future__ import annotations

import contextlib
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

META_INFO_KEYS = ("meta_info", "meta_info_file")  # traiNNer-redux and Real-ESRGAN; BasicSR

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
    return _Reader(document, layout or recognise_trainer(document), tolerate).training()


def read_block(document: ConfigDocument, layout: TrainerLayout) -> SchedulingBlock | None:
    """The scheduling block, None where there is none. Raises AutocalError where it is no mapping, or a key twice.

    A record that stands in comments above the block, as the fork's scheduler needs it, counts as the block's own.
    """
    return _Reader(document, layout, None).block()


class _Reader:
    """Reads the parts of one config, each by itself."""

    def __init__(self, document: ConfigDocument, layout: TrainerLayout, tolerate: Tolerate | None) -> None:
        self.document, self.layout, self.tolerate = document, layout, tolerate

    def part(self, code: str, read: Callable[[], Part], otherwise: Part) -> Part:
        """What `read` gives; where it raises and that is tolerated, `otherwise`."""
        try:
            return read()
        except AutocalError as error:
            if self.tolerate is None:
                raise
            self.tolerate(code, error)
            return otherwise

    def training(self) -> TrainingConfig:
        document, layout = self.document, self.layout
        for depth in range(1, len(layout.block) + 1):
            self.part("key-twice", lambda depth=depth: self.refuse_twins(layout.block[:depth]), None)  # type: ignore[misc]
        train = lookup(document, layout.block[:-1])
        if train is None:
            message = "There is no `train` mapping, so this is not a training config."
            raise AutocalError(message, place=Place(document.path))
        target = document.follow(train.value)
        if not isinstance(target, MappingNode) and not is_null(document, target):
            raise self.document.refusal("`train` should be a mapping.", train.key)
        return TrainingConfig(
            path=document.path,
            trainer=layout.trainer,
            scale=(scale := self.part("count-invalid", lambda: self.count((layout.scale,)), None)),
            total_iter=self.part(
                "count-invalid", lambda: self.count(layout.total_iter) or layout.total_iter_default, None
            ),
            batch_size=self.part("count-invalid", self.batch_size, None),
            losses=tuple(self.part("losses-malformed", self.losses, [])),
            network=self.part("network-malformed", lambda: self.network(layout.network), None),
            discriminator=self.part("network-malformed", lambda: self.network(layout.discriminator), None),
            weights=self.part("network-malformed", lambda: next(iter(self.named(layout.weights)), None), None),
            dataset_roots=self.part("datasets-malformed", lambda: self.named(layout.training_images), ()),
            datasets=self.part("datasets-malformed", lambda: self.sections(scale), ()),
            block=self.part("block-malformed", self.block, None),
            model_type=text_at(document, ("model_type",)) or None,
            place=document.place(train.key.start),
        )

    def refuse_twins(self, path: KeyPath) -> None:
        parent = node_at(self.document, path[:-1])
        twins = parent.all_pairs(path[-1]) if isinstance(parent, MappingNode) else []
        if len(twins) > 1:
            twice = f"`{'.'.join(path)}` stands twice (first in line {self.document.place(twins[0].key.start).line})"
            raise self.document.refusal(f"{twice}; the trainer would read only the last.", twins[1].key, "Remove one.")

    def count(self, paths: tuple[KeyPath, ...]) -> int | None:
        """A positive whole number, or None where it is absent, null or left to the trainer (`auto`)."""
        path, pair = next(((path, pair) for path in paths if (pair := lookup(self.document, path))), ((), None))
        value = read_value(self.document, pair.value) if pair else None
        if pair is None or value is None or value == "auto":
            return None
        if isinstance(value, float) and value.is_integer():  # `!!float 5e3`, as BasicSR's files write it
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            shown, fix = type(value).__name__ if isinstance(value, list | dict) else str(value), None
            if isinstance(value, str):  # YAML 1.1 reads `4e4` and `1e-4` as text, which is hard to see
                shown = quoted(value)
                with contextlib.suppress(ValueError, OverflowError):
                    if (number := float(value)).is_integer():
                        fix = f"{self.document.language.upper()} reads this as text; write {int(number)}."
            message = f"`{'.'.join(path)}` should be a whole number of at least 1. Found {shown}."
            raise self.document.refusal(message, self.document.follow(pair.value), fix)
        return value

    def batch_size(self) -> int | None:
        """Images per optimiser step: per GPU x accumulation x GPUs (`auto` and 0, the CPU, count as one)."""
        per_gpu = self.count(self.layout.batch_per_gpu)
        if per_gpu is None:
            return None
        node = node_at(self.document, self.layout.gpus)
        gpus = read_scalar(self.document, node) if isinstance(node, ScalarNode) else None
        number = gpus if isinstance(gpus, int) and not isinstance(gpus, bool) and gpus > 0 else 1
        return per_gpu * (self.count(self.layout.accumulation) or 1) * number

    def losses(self) -> list[LossTerm]:
        path = self.layout.losses
        node, owner = node_at(self.document, path), node_at(self.document, path[:-1])
        if isinstance(node, SequenceNode):

            def listed(item: Node) -> LossTerm:
                if term := self.loss(item):
                    return term
                raise self.document.refusal(f"A loss in `{'.'.join(path)}` should be a mapping with a `type`.", item)

            found = [self.part("losses-malformed", lambda item=item: listed(item), None) for item in node.items]  # type: ignore[misc]
        elif node is not None and not is_null(self.document, node):
            raise self.document.refusal(f"`{'.'.join(path)}` should be a list of losses.", node)
        else:
            pairs = pairs_of(self.document, owner) if isinstance(owner, MappingNode) else {}
            found = [self.loss(pair.value, key) for key, pair in pairs.items() if key.endswith("_opt")]
        return [term for term in found if term]

    def loss(self, item: Node, table: str | None = None) -> LossTerm | None:
        """One loss, under the key `table` where they are no list; None for what has no type."""
        node = self.document.follow(item)
        type_name = self.scalar(node, "type")[0] if isinstance(node, MappingNode) else None
        if not isinstance(node, MappingNode) or not isinstance(type_name, str):
            return None
        weights = [self.number(node, key) for key in ("loss_weight", "perceptual_weight")]  # BasicSR has the other
        weight = next((stated for stated in weights if stated is not None), 1.0)
        style_weight = (self.number(node, "style_weight") or 0.0) if table else 0.0
        arguments = read_value(self.document, node)
        assert isinstance(arguments, dict)
        place = self.document.place(node.start)
        return LossTerm(type_name, loss_kind(type_name), weight, place, table, style_weight, arguments)

    def number(self, mapping: MappingNode, key: str) -> float | None:
        stated, _ = self.scalar(mapping, key)
        return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) else None

    def scalar(self, mapping: MappingNode, key: str) -> tuple[Scalar, Place | None]:
        """The value of a key, and the place of the key; None where it has none, or is no single value."""
        pair = child(self.document, mapping, key)
        node = self.document.follow(pair.value) if pair else None
        if pair is None or not isinstance(node, ScalarNode):
            return None, None
        return read_scalar(self.document, node), self.document.place(pair.key.start)

    def network(self, path: KeyPath) -> NetworkOptions | None:
        document, pair, node = self.document, lookup(self.document, path), node_at(self.document, path)
        if pair is None or node is None or is_null(document, node):
            return None
        if not isinstance(node, MappingNode):
            raise self.document.refusal(f"`{'.'.join(path)}` should be a mapping with a `type`.", node)
        type_name, _ = self.scalar(node, "type")
        if not isinstance(type_name, str):
            raise self.document.refusal(f"`{'.'.join(path)}.type` should name a network.", pair.key)
        options = read_value(document, node)
        assert isinstance(options, dict)
        pairs = dict(pairs_of(document, node))
        place = document.place(pairs.pop("type").value.start)
        del options["type"]
        places = {key: document.place(pair.value.start) for key, pair in pairs.items()}
        places |= {f"{key}:": document.place(pair.key.start) for key, pair in pairs.items()}
        return NetworkOptions(type_name, options, place, places)

    def named(self, path: KeyPath) -> tuple[DatasetRoot, ...]:
        return self.roots(lookup(self.document, path), path)

    def roots(self, pair: Pair | None, path: KeyPath) -> tuple[DatasetRoot, ...]:
        """The folders or files that a key names: a string, or a list of strings."""
        node = self.document.follow(pair.value) if pair else None
        items = node.items if isinstance(node, SequenceNode) else (node,) if node else ()
        roots = []
        for item in items:
            target = self.document.follow(item)
            value = read_scalar(self.document, target) if isinstance(target, ScalarNode) else None
            if isinstance(value, str):
                roots.append(DatasetRoot(".".join(path), value, self.document.place(item.start)))
        return tuple(roots)

    def sections(self, scale: int | None) -> tuple[DatasetSection, ...]:
        """Every mapping below `datasets`. What is not understood is left out: it is the trainer's to complain of."""
        owner = node_at(self.document, self.layout.datasets)
        pairs = pairs_of(self.document, owner) if isinstance(owner, MappingNode) else {}
        nodes = {name: self.document.follow(pair.value) for name, pair in pairs.items()}
        return tuple(self.section(name, one, scale) for name, one in nodes.items() if isinstance(one, MappingNode))

    def section(self, name: str, node: MappingNode, scale: int | None) -> DatasetSection:
        document, layout, path = self.document, self.layout, (*self.layout.datasets, name)
        gt, lq, *meta_info = (
            self.roots(child(document, node, key), (*path, key))
            for key in ("dataroot_gt", "dataroot_lq", *META_INFO_KEYS)
        )
        template, _ = self.scalar(node, "filename_tmpl")
        template = template if isinstance(template, str) else "{}"
        section = DatasetSection(name, gt, lq, next((root for roots in meta_info for root in roots), None), template)
        # The side of the GT crop in pixels, and where the config says so: e.g. `gt_size`, or `lq_size` x scale.
        stated = [(self.scalar(node, key), scale if in_lq_pixels else 1) for key, in_lq_pixels in layout.crop]
        if section.trains and layout.training_crop:
            stated.insert(0, (self.scalar(document.root, layout.training_crop), 1))
        for (size, place), factor in stated:
            if isinstance(size, int) and not isinstance(size, bool) and size > 0 and factor:
                return replace(section, gt_size=size * factor, crop_place=place)
        return section

    def block(self) -> SchedulingBlock | None:
        document, path = self.document, self.layout.block
        pair, node = lookup(document, path), node_at(document, path)
        if pair is None or node is None:
            return None
        place = document.place(pair.key.start)
        if is_null(document, node):
            return SchedulingBlock({}, {}, place)
        if not isinstance(node, MappingNode):
            found = "a list" if isinstance(node, SequenceNode) else "a single value"
            raise self.document.refusal(f"`{'.'.join(path)}` should be a mapping. Found {found}.", pair.key)
        values = read_value(document, node)
        assert isinstance(values, dict)
        places: dict[KeyPath, Place] = {}
        self.collect_places(node, (), places)
        if RECORD_KEY not in values and (record := record_above(document, path)):
            values = {**values, RECORD_KEY: record}
        return SchedulingBlock(values, places, place)

    def collect_places(self, node: MappingNode, path: KeyPath, places: dict[KeyPath, Place]) -> None:
        for pair in node.pairs:
            if not isinstance(pair.key, ScalarNode):
                continue
            here = (*path, pair.key.value)
            if here in places:
                message = f"`{BLOCK_KEY}.{'.'.join(here)}` stands twice; the trainer would read only the last."
                twice = self.document.refusal(message, pair.key, "Remove one.")
                if self.tolerate is None:
                    raise twice
                self.tolerate("key-twice", twice)
            omitted = isinstance(pair.value, ScalarNode) and pair.value.omitted
            places[here] = self.document.place(pair.key.start if omitted else pair.value.start)
            if isinstance(pair.value, MappingNode) and len(here) < 8:
                self.collect_places(pair.value, here, places)
