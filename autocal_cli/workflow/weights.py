"""Reads the headers of the checkpoints that a config names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from autocal_cli.check.model import Checked
from autocal_cli.check.weights import KEYS, WeightsFile, weights_findings
from autocal_cli.config.model import DatasetRoot
from autocal_cli.errors import Finding, Place
from autocal_cli.network.checkpoint import checkpoint_contents
from autocal_cli.workflow.images import find_root


def check_weights(checked: Checked) -> Iterator[Finding]:
    """Findings on pretrained and resume files, missing ones and what the headers of the others say."""
    files = [file for key in KEYS if (file := _file(checked, key))]
    if not files:
        return
    folder = Path(checked.config.path).parent
    roots = [root for section in checked.config.datasets for root in (*section.gt, *section.lq)]
    elsewhere = not any(find_root(root, folder) for root in roots) and all(file.states is None for file in files)
    yield from weights_findings(checked, files, elsewhere)


def _file(checked: Checked, key: tuple[str, ...]) -> WeightsFile | None:
    path = checked.option(*key)
    if not isinstance(path, str) or not path:
        return None
    place = checked.value_at(key)
    root = DatasetRoot(".".join(key), path, place or Place(checked.config.path))
    found = find_root(root, Path(checked.config.path).parent)
    if found is None:
        return WeightsFile(key, path, place, None)
    if key[-1] == "resume_state":
        return WeightsFile(key, path, place, {})
    try:
        contents = checkpoint_contents(found)
    except (ValueError, OSError, RecursionError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return WeightsFile(key, path, place, {}, trouble=reason)
    return WeightsFile(key, path, place, contents.states, contents.keys)
