"""`autocal schema` and `autocal networks`: what autocal knows, for editors and for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autocal_cli.commands.options import JsonOption, QuietOption, TrainerOption
from autocal_cli.network.sources import NetworkSources


def schema(
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Write the schema here; - is standard output.", show_default=False
        ),
    ] = None,
    config: Annotated[
        bool, typer.Option("--config", help="The schema of a whole config, with the block under train.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse keys that autocal does not know, so that editors mark misspelt ones."),
    ] = False,
    trainer: Annotated[
        str | None,
        typer.Option(
            "--trainer", metavar="NAME", help="The schema of a whole config of this trainer, every key of it."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that autocal did not write.")] = False,
) -> None:
    """Print the JSON schema (draft 2020-12) of the block train.dynamic_loss_scheduling, or of a trainer's whole config.

    By it an editor completes and checks the block. Keys that autocal does not know are allowed, as calibrate keeps
    them, unless --strict.
    """
    from autocal_cli.calibration.json_schema import json_schema
    from autocal_cli.calibration.presets import load_presets
    from autocal_cli.report.console import write
    from autocal_cli.report.json import json_text
    from autocal_cli.workflow.output import owner_of_schema, write_report

    schema = json_schema(load_presets(), config, strict)
    text = json_text(schema if trainer is None else _of_trainer(trainer, schema))
    if out and str(out) != "-":
        write_report(out.expanduser(), [text], force, owner_of_schema)
    else:
        write(text.encode())


def _of_trainer(name: str, block: dict[str, Any]) -> dict[str, Any]:
    """The schema of a whole config. Raises AutocalError where no trainer of that name is known."""
    from autocal_cli.check.trainer_options import config_schema, options_of
    from autocal_cli.config.trainers import trainer_named

    options = options_of(trainer_named(name).trainer)
    assert options is not None  # every trainer with a layout has its options in presets/options
    return config_schema(options, block)


def networks(
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Part of a name, or a glob such as '*_light'.")
    ] = None,
    scale: Annotated[int, typer.Option("--scale", min=1, help="The enlargement at which they are built.")] = 4,
    trainer: TrainerOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the networks that can be built here, by which builder, with their parameters and MACs.

    Each is built with its own default arguments; with a trainer, all of its architectures take some minutes.
    """
    from autocal_cli.report.console import progress, show, write
    from autocal_cli.report.json import dump, plain
    from autocal_cli.report.presets import networks_view, troubles_view
    from autocal_cli.workflow.networks import list_networks

    with progress(quiet, "building") as (_, on_count):
        found, troubles = list_networks(pattern, scale, NetworkSources(trainer), on_count)
    if as_json:
        write(dump({"scale": scale, "networks": plain(found)}).encode())
    else:
        show(*networks_view(found))
    if not quiet:
        show(*troubles_view(troubles), stderr=True)
