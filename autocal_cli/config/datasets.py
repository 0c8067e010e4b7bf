"""The `datasets` mapping of a config -> DatasetSections: roots, pairing and crop of every set."""

from __future__ import annotations

from autocal_cli.config.document import ConfigDocument, MappingNode, Pair, ScalarNode, SequenceNode
from autocal_cli.config.reading import child, lookup, pairs_of, read_scalar
from autocal_cli.config.record import DatasetRoot, DatasetSection, KeyPath, Scalar
from autocal_cli.errors import Place

META_INFO_KEYS = ("meta_info", "meta_info_file")  # traiNNer-redux and Real-ESRGAN; BasicSR


def read_sections(document: ConfigDocument, path: KeyPath, scale: int | None) -> tuple[DatasetSection, ...]:
    """Every mapping below `datasets`. What is not understood is left out: it is the trainer's to complain of."""
    pair = lookup(document, path)
    owner = document.follow(pair.value) if pair else None
    entries = pairs_of(document, owner) if isinstance(owner, MappingNode) else {}
    nodes = {name: document.follow(entry.value) for name, entry in entries.items()}
    return tuple(
        _section(document, (*path, name), node, scale) for name, node in nodes.items() if isinstance(node, MappingNode)
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


def _section(document: ConfigDocument, path: KeyPath, node: MappingNode, scale: int | None) -> DatasetSection:
    def roots(key: str) -> tuple[DatasetRoot, ...]:
        return tuple(read_roots(document, child(document, node, key), ".".join((*path, key))))

    template, _ = _scalar(document, node, "filename_tmpl")
    gt_size, crop_place = _crop(document, node, scale)
    return DatasetSection(
        name=path[-1],
        gt=roots("dataroot_gt"),
        lq=roots("dataroot_lq"),
        meta_info=next((root for key in META_INFO_KEYS for root in roots(key)), None),
        filename_tmpl=template if isinstance(template, str) else "{}",
        gt_size=gt_size,
        crop_place=crop_place,
    )


def _crop(document: ConfigDocument, node: MappingNode, scale: int | None) -> tuple[int | None, Place | None]:
    """The side of the GT crop: `gt_size`, or `lq_size` x scale."""
    for key, factor in (("gt_size", 1), ("lq_size", scale)):
        size, place = _scalar(document, node, key)
        if isinstance(size, int) and not isinstance(size, bool) and size > 0 and factor:
            return size * factor, place
    return None, None


def _scalar(document: ConfigDocument, mapping: MappingNode, key: str) -> tuple[Scalar, Place | None]:
    pair = child(document, mapping, key)
    node = document.follow(pair.value) if pair else None
    if pair is None or not isinstance(node, ScalarNode):
        return None, None
    return read_scalar(document, node), document.place(pair.key.start)
