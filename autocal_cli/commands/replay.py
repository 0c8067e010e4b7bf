"""`autocal replay`: what the scheduler would have done in a past run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autocal_cli.commands.options import JsonOption, QuietOption, exit_with


def replay(
    logs: Annotated[
        Path,
        typer.Argument(
            metavar="LOGDIR", help="A run's folder in experiments/ or tb_logger/, or one log file.", show_default=False
        ),
    ],
    config: Annotated[
        Path,
        typer.Option("--config", metavar="FILE", help="The resolved config of that run. Required.", show_default=False),
    ],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with the figure and all tables.")
    ] = None,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Write the figure as a PNG.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that autocal did not write.")] = False,
) -> None:
    """Run the scheduler over the logs of a past training and show what it would have done.

    Reads TensorBoard event files, or the trainers' text logs. Only what the logged values allow is replayed: gradients
    are not in the logs. What cannot be known is said. Event files and drawing need `pip install 'autocal-cli[replay]'`.
    """
    from autocal_cli.replay.drawing import figure_as_png, figure_as_svg
    from autocal_cli.report.as_json import dump
    from autocal_cli.report.output import show, write
    from autocal_cli.report.progress import replay_progress
    from autocal_cli.report.replay_html import replay_page
    from autocal_cli.report.replay_json import replay_json
    from autocal_cli.report.replay_terminal import replay_view
    from autocal_cli.report.terminal import findings_view
    from autocal_cli.workflow.destination import drawing_destinations, write_drawing
    from autocal_cli.workflow.replay_run import replay_run

    page, picture = drawing_destinations(html, png, (logs, config), force)
    with replay_progress(quiet) as advance:
        run = replay_run(logs, config, advance)

    if page:
        write_drawing(page, replay_page(run, figure_as_svg(run)).encode(), force)
    if picture:
        write_drawing(picture, figure_as_png(run), force)
    if as_json:
        write(dump(replay_json(run)).encode())
    else:
        show(replay_view(run))
    if not quiet:
        show(*findings_view(run.findings), stderr=True)
    exit_with(run.findings)
