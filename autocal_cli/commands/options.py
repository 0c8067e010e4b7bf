"""Options that several commands have, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autocal_cli.errors import AutocalError, Finding

if TYPE_CHECKING:
    from autocal_cli.workflow.dataset import DatasetOptions, ProgressCallback


# How `calibrate --help` groups its options.
OUTPUT, IMAGES, NETWORK, LOSSES = "Output", "Images", "Network", "Losses"

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A training config (YAML or TOML).", show_default=False)
]
HrOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--hr", metavar="DIR", help="Scan this folder instead of the config's own. Repeatable.", rich_help_panel=IMAGES
    ),
]
NoDatasetOption = Annotated[
    bool, typer.Option("--no-dataset", help="Scan nothing; complexity counts as neutral, 0.5.", rich_help_panel=IMAGES)
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="Where metrics are computed: cuda, mps or cpu. [default: the first present]",
        rich_help_panel=IMAGES,
    ),
]
TrainerKindOption = Annotated[
    str | None,
    typer.Option(
        "--trainer-kind",
        metavar="KIND",
        help="The trainer that CONFIG is for: traiNNer-redux, traiNNer-redux-fork, BasicSR, Real-ESRGAN or neosr. "
        "[default: told by the file's shape]",
        show_default=False,
    ),
]
BatchesOption = Annotated[
    int | None,
    typer.Option(
        "--batches",
        metavar="N",
        min=1,
        help="Measure as many random training crops as N optimiser steps read, drawn by --seed, not by the trainer's.",
        rich_help_panel=IMAGES,
    ),
]
ProbeOption = Annotated[
    int | None,
    typer.Option(
        "--probe",
        metavar="N",
        min=1,
        help="Measure every loss on N batches of the training's crops, 20 for example: its noise, its gradient at the "
        "network's output, and its share of the pull.",
        rich_help_panel=LOSSES,
    ),
]
SeedOption = Annotated[
    int,
    typer.Option("--seed", help="Seed of the order of the images that are sampled or probed.", rich_help_panel=IMAGES),
]
NoCacheOption = Annotated[
    bool,
    typer.Option(
        "--no-cache", help="Measure every image anew, and keep nothing of it for the next time.", rich_help_panel=IMAGES
    ),
]
TrainerOption = Annotated[
    Path | None,
    typer.Option(
        "--trainer",
        metavar="DIR",
        help="Build the network with the architectures of this trainer: a checkout of traiNNer-redux or a fork of it, "
        "of neosr or BasicSR. [default: AUTOCAL_TRAINER, or the working directory if it is one] This runs the "
        "trainer's code, in a process of its own.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
OwnNetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="MODULE:NAME",
        help="Build the network with this class or function of your own, called with network_g's arguments and "
        "the scale. This runs its code.",
        rich_help_panel=NETWORK,
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Take the number of parameters from this checkpoint if nothing builds the network; it is not unpickled. "
        "[default: path.pretrain_network_g]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
NoImagesOption = Annotated[bool, typer.Option("--no-dataset", help="Do not look at the folders that it names.")]
NoNetworkOption = Annotated[bool, typer.Option("--no-network", help="Do not build the network.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.", rich_help_panel=OUTPUT)]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress, notices or summary on standard error.", rich_help_panel=OUTPUT),
]


def dataset_options(
    hr: list[Path] | None,
    no_dataset: bool,
    device: str | None,
    no_cache: bool,
    seed: int,
    on_progress: ProgressCallback | None,
    batches: int | None = None,
) -> DatasetOptions:
    from autocal_cli.workflow.dataset import DatasetOptions

    refuse_together(("--hr", bool(hr)), ("--no-dataset", no_dataset))
    refuse_together(("--batches", batches is not None), ("--no-dataset", no_dataset))
    return DatasetOptions(
        folders=tuple(hr or ()),
        skip=no_dataset,
        device=device,
        seed=seed,
        batches=batches,
        use_cache=not no_cache,
        on_progress=on_progress,
    )


def check_parameter(name: str | None) -> None:
    """Raises AutocalError for a name that is no parameter."""
    from autocal_cli.calibration.model import PARAMETERS

    if name is not None and name not in PARAMETERS:
        raise AutocalError(f"There is no parameter {name}.", fix=f"Parameters: {', '.join(PARAMETERS)}.")


def refuse_together(*options: tuple[str, bool]) -> None:
    given = [name for name, present in options if present]
    if len(given) > 1:
        raise AutocalError(f"{' and '.join(given)} cannot be used together.", fix=f"Leave out {given[-1]}.")


def exit_with(findings: Iterable[Finding]) -> None:
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


# What a command says on standard error, and which of several processes says it.


def complain(message: str, code: int) -> int:
    """An error is told by every process that has it, since it may be that one's alone."""
    _write(message if is_first_rank() else f"rank {os.environ['RANK']}: {message}")
    return code


def is_first_rank() -> bool:
    """Whether this process shows and writes: of those that torchrun started one does."""
    return os.environ.get("RANK", "0") == "0"


def say(message: str) -> None:
    if is_first_rank():
        _write(message)


def _write(message: str) -> None:
    from rich.text import Text

    from autocal_cli.report.console import one_line, show

    show(Text(f"autocal: {one_line(message)}"), stderr=True)
