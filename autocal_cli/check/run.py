"""The length of the run and its scale: whether the config says them, and the length once only."""

from __future__ import annotations

from collections.abc import Iterator

from autocal_cli.calibration.calibrate import TOTAL_ITERATIONS
from autocal_cli.check.record import Checked
from autocal_cli.check.spelling import did_you_mean
from autocal_cli.config.document import ScalarNode
from autocal_cli.config.reading import lookup, read_scalar
from autocal_cli.errors import Finding


def length_findings(checked: Checked) -> Iterator[Finding]:
    config, layout = checked.config, checked.layout
    stated = checked.number(*TOTAL_ITERATIONS)
    if config.total_iter is None:
        if not any(lookup(checked.document, path) for path in layout.total_iter):
            name = ".".join(layout.total_iter[0])
            message = f"The config does not say how long the run is ({name})."
            fix = did_you_mean(checked, layout.total_iter[0]) or f"Add {name}."
            yield Finding("length-unknown", "warning", message, fix, config.place)
    elif stated is not None and stated != config.total_iter:
        message = f"training_config.total_iterations is {stated:,}, but the trainer stops at {config.total_iter:,}."
        place = checked.at(*TOTAL_ITERATIONS)
        yield Finding("length-mismatch", "warning", message, "Make them equal.", place)


def scale_missing(checked: Checked) -> Iterator[Finding]:
    """No scale, or one left empty, under a trainer that ends without it, whatever the network says."""
    layout = checked.layout
    pair = lookup(checked.document, layout.scale)
    node = checked.document.follow(pair.value) if pair else None
    stated = read_scalar(checked.document, node) if isinstance(node, ScalarNode) else None
    if not layout.needs_scale or (pair and node and not isinstance(node, ScalarNode)) or stated not in (None, "auto"):
        return
    name = ".".join(layout.scale)
    found = f"`{name}` is {stated or 'empty'}" if pair else f"The config has no `{name}`"
    fix = did_you_mean(checked, layout.scale) or f"Write the scale at the top level, e.g. `{name}: 4`."
    place = checked.value_at(layout.scale) or checked.document.place(checked.document.root.start)
    yield Finding("scale-missing", "error", f"{found}, without which {layout.trainer} does not start.", fix, place)
