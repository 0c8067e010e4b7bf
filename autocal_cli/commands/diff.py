"""`autocal diff`: what changed between two configs' schedules, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autocal_cli.commands.options import JsonOption, QuietOption, check_parameter


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A training config (YAML or TOML).", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another.", show_default=False)],
    parameter: Annotated[str | None, typer.Option("--parameter", metavar="NAME", help="Only this parameter.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what does not differ.")] = False,
    scan: Annotated[
        bool, typer.Option("--scan", help="Read the training images of a config that is not resolved.")
    ] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if the schedules differ.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print what differs between the schedules of two configs: every value, and of each parameter the steps behind it.

    A resolved config is told from its record, a block with `auto_calibrate: false` as it stands; any other config is
    calibrated for the comparison, without a look at its images unless --scan. Nothing is written.
    """
    from autocal_cli.report.calibration import findings_view
    from autocal_cli.report.comparison import comparison_view
    from autocal_cli.report.console import progress, show, write
    from autocal_cli.report.json import comparison_json, dump
    from autocal_cli.workflow.dataset import DatasetOptions
    from autocal_cli.workflow.explain import compare_files

    check_parameter(parameter)
    with progress(quiet) as (advance, _):
        ours, theirs, differences, findings = compare_files(a, b, DatasetOptions(skip=not scan, on_progress=advance))
    asked = [one for one in differences if parameter is None or (one.section, one.name) == ("parameters", parameter)]
    shown = [one for one in asked if everything or one.differs]
    if as_json:
        write(dump(comparison_json(ours, theirs, shown, findings)).encode())
    else:
        show(comparison_view(ours, theirs, shown))
    if not quiet:
        show(*findings_view(findings), stderr=True)
    if exit_code and any(one.differs for one in asked):
        raise typer.Exit(1)
