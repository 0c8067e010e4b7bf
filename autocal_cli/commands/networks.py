"""`autocal networks`: what can be built here, by which builder, with parameters and MACs."""

from __future__ import annotations

from typing import Annotated

import typer

from autocal_cli.commands.options import JsonOption, QuietOption, TrainerOption, network_sources


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
    from autocal_cli.report.as_json import dump
    from autocal_cli.report.networks_view import networks_json, networks_view, troubles_view
    from autocal_cli.report.output import show, write
    from autocal_cli.report.progress import networks_progress
    from autocal_cli.workflow.list_networks import list_networks

    with networks_progress(quiet) as advance:
        found, troubles = list_networks(pattern, scale, network_sources(trainer, None, None), advance)
    if as_json:
        write(dump(networks_json(found, scale)).encode())
    else:
        show(*networks_view(found))
    if not quiet:
        show(*troubles_view(troubles), stderr=True)
