"""`autocal run`: an unmodified trainer with the scheduler attached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autocal_cli.commands.options import say


def run(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="The trainer's train.py.", show_default=False)],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGS...", help="Its arguments, -opt CONFIG among them.", show_default=False),
    ] = None,
    allow_unscheduled: Annotated[
        bool,
        typer.Option("--allow-unscheduled", help="Train without the scheduler if the trainer is of no known shape."),
    ] = False,
) -> None:
    """Start an unmodified trainer with the scheduler attached to its losses.

    The block is taken from the config or its sidecar CONFIG.autocal.yml and kept from the trainer. The scheduler's
    state is saved and resumed beside the trainer's; multipliers and events go to its log and its TensorBoard.
    """
    from autocal_cli.workflow.run import run_trainer

    run_trainer(script, arguments or [], allow_unscheduled, say=say)
