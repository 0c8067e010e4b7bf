"""The entry point: which commands there are, and what exit code an error has. The commands stand in `commands`.

Exit codes: 0 done; 1 findings of severity error (of `check` also warnings), or what `--exit-code` asks for; 2 wrong
usage or input that cannot be read; 130 interrupted.
Heavy modules (torch, numpy, pillow, yaml) are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from autocal_cli.commands.analyze_dataset import analyze_dataset
from autocal_cli.commands.calibrate import calibrate
from autocal_cli.commands.check import check
from autocal_cli.commands.explain import diff, explain
from autocal_cli.commands.info import networks, schema
from autocal_cli.commands.options import complain
from autocal_cli.commands.training import diagnose, run
from autocal_cli.errors import AutocalError
from autocal_cli.version import __version__

# click's error of a wrong command line, whichever way typer carries click
UsageError: Any = typer.BadParameter.__mro__[1]


class Command(TyperCommand):
    """A command whose flags are shown as flags, without a type."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _bare_flags(super().get_params(ctx))


class Group(TyperGroup):
    """As `Command`, for autocal itself; its own help is plain text, which answers in half the time."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)

    def get_params(self, ctx: Any) -> list[Any]:
        return _bare_flags(super().get_params(ctx))


def _bare_flags(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params


app = typer.Typer(
    name="autocal",
    cls=Group,
    help="Sets the loss schedule of a super-resolution training, explains every number, and rewrites the config "
    "without disturbing a byte of the rest.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",  # in the other mode rich swallows what stands in [brackets]
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autocal {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The options of autocal itself; `--version` is carried out while it is parsed."""
    del version


app.command(cls=Command, short_help="Choose the loss schedule and write it where the trainer takes it.")(calibrate)
app.command(cls=Command, short_help="Why a value is what it is; what a finding means.")(explain)
app.command(cls=Command, short_help="Find what is wrong in training configs.")(check)
app.command("analyze-dataset", cls=Command, short_help="Measure a folder of images; what to drop and why.")(
    analyze_dataset
)
app.command(
    cls=Command,
    short_help="Start an unmodified trainer with the scheduler.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)(run)
app.command(cls=Command, short_help="What happened in a training; which checkpoint to keep.")(diagnose)
app.command(cls=Command, short_help="Compare the schedules of two configs.")(diff)
app.command(cls=Command, short_help="The JSON schema of a config, for editors.")(schema)
app.command(cls=Command, short_help="List the networks that are known here.")(networks)


def main() -> None:
    """Entry point: the exit code is set here and nowhere else."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed: whoever started this wants nothing of it
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (open to the end)
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="autocal", standalone_mode=False)
    except AutocalError as error:
        code = complain(str(error), 2)
    except UsageError as error:
        command = f" See {error.ctx.command_path} --help." if error.ctx else ""
        said = error.format_message().replace("Value error, ", "").rstrip(".")  # typer's words for a choice
        code = complain(f"{said}{'' if said.endswith('?') else '.'}{command}", 2)
    except OSError as error:  # the system refuses a path: too long, not allowed, disk gone
        named = f"{error.filename}: " if error.filename else ""
        code = complain(f"{named}{error.strerror or error}.", 2)
    except KeyboardInterrupt:
        code = 130
    if code == 130:
        given = {argument.partition("=")[0] for argument in sys.argv}
        keeps = sys.argv[1:2] == ["analyze-dataset"] and not given & {"--no-cache", "--batches"}
        kept = " What was measured is kept: the next scan goes on there." if keeps else ""
        complain(f"interrupted; nothing was written.{kept}", code)
    sys.exit(code)
