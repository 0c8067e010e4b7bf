"""`autocal schema`: the scheduling block as a JSON schema, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that autocal did not write.")] = False,
) -> None:
    """Print the JSON schema (draft 2020-12) of the block train.dynamic_loss_scheduling.

    By it an editor completes and checks the block. Keys that autocal does not know are allowed, as calibrate keeps
    them, unless --strict.
    """
    from autocal_cli.calibration.json_schema import json_schema
    from autocal_cli.calibration.presets import load_presets
    from autocal_cli.report.as_json import dump
    from autocal_cli.report.output import write
    from autocal_cli.workflow.schema_file import write_schema

    text = dump(json_schema(load_presets(), config, strict))
    if out and str(out) != "-":
        write_schema(out.expanduser(), text, force)
    else:
        write(text.encode())
