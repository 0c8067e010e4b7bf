"""`autocal check`: everything that is wrong in training configs, each with its place and its cure."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autocal_cli.commands.options import (
    JsonOption,
    NoImagesOption,
    NoNetworkOption,
    QuietOption,
    TrainerKindOption,
    TrainerOption,
    refuse_together,
)
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.sources import NetworkSources

if TYPE_CHECKING:
    from autocal_cli.check.model import CheckRun
    from autocal_cli.workflow.check import CheckOptions


class Format(StrEnum):
    """How findings are printed."""

    text = "text"
    json = "json"
    github = "github"


def check(
    configs: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONFIG...", help="Training configs, folders of them, or - for standard input.", show_default=False
        ),
    ],
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select", metavar="CODE", help="Only these: a code, a family, a beginning or a glob. Repeatable."
        ),
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option("--ignore", metavar="CODE", help="Not these. Repeatable.")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without doubt.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what --fix would change, and write nothing.")] = False,
    trainer: TrainerOption = None,
    trainer_kind: TrainerKindOption = None,
    no_network: NoNetworkOption = False,
    no_dataset: NoImagesOption = False,
    output: Annotated[Format, typer.Option("--format", help="How findings are printed.")] = Format.text,
    as_json: JsonOption = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell what is usual too, such as losses of weight 0.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Report everything that is wrong in training configs: file:line:column, what, why, and the fix.

    Exit code 0: nothing found, or notices (info) alone; 1: errors or warnings; 2: a config could not be read.
    `autocal explain CODE` explains a code.
    """
    from autocal_cli.check.checks import expand
    from autocal_cli.workflow.check import CheckOptions, check_files, find_configs

    refuse_together(("--json", as_json), (f"--format {output}", output is Format.github))
    output = Format.json if as_json else output
    if (fix or diff) and any(str(path) == "-" for path in configs):
        raise AutocalError("Standard input cannot be mended.", fix="Name the file.")
    refuse_together(("--diff", diff), ("--json or --format", output is not Format.text))
    refuse_together(("--trainer", trainer is not None), ("--no-network", no_network))
    sources = NetworkSources(trainer)
    chosen = expand(select or []), expand(ignore or [])
    options = CheckOptions(not no_network, not no_dataset, trainer_kind, *chosen, sources)
    run = check_files(find_configs(configs), options)
    if diff:
        _show_differences(run.told(verbose), options, quiet)
    elif fix:
        run = _mend(run, options, quiet)
    if not diff:
        _print(run, output, quiet, verbose)
    if run.exit_code:
        raise typer.Exit(run.exit_code)


def _show_differences(run: CheckRun, options: CheckOptions, quiet: bool) -> None:
    """What mending would change; where that is nothing, a line that says so."""
    from autocal_cli.commands.options import say
    from autocal_cli.report.check import error_line, summary_line
    from autocal_cli.report.comparison import unified_diff
    from autocal_cli.report.console import show, write
    from autocal_cli.workflow.check import mend_file

    mended = [found for file in run.files if (found := mend_file(file, options))]
    write("".join(unified_diff(one.before, one.after, one.file.name, one.file.name) for one in mended).encode())
    show(*(error_line(file.error, file.name) for file in run.files if file.error), stderr=True)
    count = len(run.findings)
    if not mended and not quiet and count:
        remain = "1 finding remains" if count == 1 else f"{count:,} findings remain"
        say(f"Nothing here can be mended without doubt; {remain} (run without --diff to see them).")
    elif not mended and not quiet:
        show(summary_line(run), stderr=True)


def _mend(run: CheckRun, options: CheckOptions, quiet: bool) -> CheckRun:
    """The run as it is after mending, with every file written."""
    from autocal_cli.commands.options import say
    from autocal_cli.config.files import read_bytes, replace_file
    from autocal_cli.workflow.check import mend_file

    files = []
    for file in run.files:
        mended = mend_file(file, options)
        files.append(mended.file if mended else file)
        if mended is None or file.path is None:
            continue
        if read_bytes(file.path) != mended.before:
            message = "The config changed while it was checked, so it was not mended."
            raise AutocalError(message, place=Place(file.name), fix="Check it again.")
        replace_file(file.path, [mended.after])
        if not quiet:
            say(f"{file.name}: {mended.mended} mended.")
    return replace(run, files=tuple(files))


def _print(run: CheckRun, output: Format, quiet: bool, verbose: bool) -> None:
    from autocal_cli.report.check import check_github, error_line, file_lines, installation_line, summary_line
    from autocal_cli.report.console import show, write
    from autocal_cli.report.json import check_json, dump

    told = run.told(verbose)
    if output is not Format.text:
        write((dump(check_json(run)) if output is Format.json else check_github(told)).encode())
        return
    show(*(line for file in told.files for line in file_lines(file)))
    show(*(error_line(file.error, file.name) for file in told.files if file.error), stderr=True)
    if not quiet:
        show(*([installation_line(run)] if run.unbuilt else []), summary_line(told), stderr=True)
