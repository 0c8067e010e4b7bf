"""`autocal run` and `autocal diagnose`: a training with the scheduler, and what happened in one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from autocal_cli.commands.options import JsonOption, QuietOption, refuse_together, say


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


def diagnose(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="An experiment's folder, a log, TensorBoard events, or the config of the run.",
            show_default=False,
        ),
    ],
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="OTHER", help="Another run, told side by side.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Read again and print what is new, until it ends.")] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=1.0, help="How often --follow reads.")
    ] = 30.0,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with all curves, in one file.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that autocal did not write.")] = False,
) -> None:
    """Say what happened in a training: is the GAN healthy, what went wrong first, which checkpoint to keep, what next.

    Reads what the trainer wrote (text logs, TensorBoard events, the scheduler's own events), joined over resumes, of
    traiNNer-redux and its fork, BasicSR, Real-ESRGAN and neosr; also while the run is going on. `autocal explain CODE`
    explains a code. Exit code 1: an error was found; 2: no run could be read.
    """
    from autocal_cli.diagnose.logs import LogReader
    from autocal_cli.report.console import show, write
    from autocal_cli.report.diagnose import (
        comparison_of_runs,
        diagnosis_page,
        diagnosis_view,
        news,
        unknown_view,
    )
    from autocal_cli.report.json import diagnosis_json, dump
    from autocal_cli.workflow.diagnose import diagnose_run, ended
    from autocal_cli.workflow.diagnose import follow as follow_run
    from autocal_cli.workflow.output import report_destinations, write_report

    refuse_together(("--follow", follow), ("--json", as_json))
    refuse_together(("--follow", follow), ("--compare", compare is not None))
    page, _ = report_destinations(html, None, force)
    reader, shown = LogReader(), dict[str, str]()
    followed = follow_run(lambda: diagnose_run(path, reader=reader), lambda: time.sleep(every), say)
    for found in followed if follow else [diagnose_run(path)]:
        if follow:
            if new := news(found, shown, ended(found)):
                head = f"{time.strftime('%H:%M:%S')}, iteration {found.log.last:,}"
                write("\n".join([*([""] if shown else []), head, *new.values(), ""]).encode())
            shown |= new
    other = diagnose_run(compare) if compare else None
    if as_json:
        sides = diagnosis_json(found) if other is None else {"a": diagnosis_json(found), "b": diagnosis_json(other)}
        write(dump(sides).encode())
    elif other is not None and compare is not None:
        show(comparison_of_runs(found, other, (str(path), str(compare))))
    elif not follow:
        show(diagnosis_view(found))
    if page:
        write_report(page, [diagnosis_page(found, other)], force)
    if not quiet:
        show(*unknown_view(found), stderr=True)
    if any(one.severity == "error" for one in found.findings):
        raise typer.Exit(1)
