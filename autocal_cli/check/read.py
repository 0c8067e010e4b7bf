"""A document -> Checked: every part is read by itself, so that one mistake hides no other."""

from __future__ import annotations

from autocal_cli.calibration.record import Presets
from autocal_cli.check.record import Checked
from autocal_cli.config.document import ConfigDocument
from autocal_cli.config.layout import read_training_config
from autocal_cli.config.trainers import TrainerLayout
from autocal_cli.errors import AutocalError, Finding

_FIXES = {"losses-malformed": "Give it a `type`, or remove it.", "count-invalid": "Write such a number."}


def read_checked(document: ConfigDocument, layout: TrainerLayout, presets: Presets) -> Checked:
    """Reads a config leniently. Raises AutocalError where it is no training config at all."""
    problems: list[Finding] = []

    def tolerate(code: str, error: AutocalError) -> None:
        problems.append(Finding(code, "error", error.message, error.fix or _FIXES.get(code), error.place))

    config = read_training_config(document, layout, tolerate)
    return Checked(document, layout, config, tuple(dict.fromkeys(problems)), presets)
