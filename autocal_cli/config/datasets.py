"""The `datasets` mapping of a config -> DatasetSections: roots, pairing and crop of every set."""

from __future__ import annotations

from dataclasses import replace

from autocal_cli.config.document import ConfigDocument, MappingNode, Pair, ScalarNode, SequenceNode
from autocal_cli.config.reading import child, lookup, pairs_of, read_scalar
from autocal_cli.config.record import DatasetRoot, DatasetSection, KeyPath, Scalar
from autocal_cli.config.trainers import TrainerLayout
from autocal_cli.errors import Place

META_INFO_KEYS = ("meta_info", "meta_info_file")  # traiNNer-redux and Real-ESRGAN; BasicSR


def read_sections(document: ConfigDocument, layout: TrainerLayout, scale: int | None) -> tuple[DatasetSection, ...]:
    """Every mapping below `datasets`. What is not understood is left out: it is the trainer's to complain of."""
    pair = lookup(document, layout.datasets)
    owner = document.follow(pair.value) if pair else None
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
