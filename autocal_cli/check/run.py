"""The length of the run: whether the config says it, and once only."""

from __future__ import annotations

from collections.abc import Iterator

from autocal_cli.calibration.calibrate import TOTAL_ITERATIONS
from autocal_cli.check.record import Checked
from autocal_cli.config.reading import lookup
from autocal_cli.errors import Finding


def length_findings(checked: Checked) -> Iterator[Finding]:
    config, layout = checked.config, checked.layout
    stated = checked.number(*TOTAL_ITERATIONS)
    if config.total_iter is None:
        if not any(lookup(checked.document, path) for path in layout.total_iter):
            name = ".".join(layout.total_iter[0])
            message = f"The config does not say how long the run is ({name})."
            yield Finding("length-unknown", "warning", message, f"Add {name}.", config.place)
    elif stated is not None and stated != config.total_iter:
        message = f"training_config.total_iterations is {stated:,}, but the trainer stops at {config.total_iter:,}."
        place = checked.at(*TOTAL_ITERATIONS)
        yield Finding("length-mismatch", "warning", message, "Make them equal.", place)
