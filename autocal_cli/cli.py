"""The commands: parse arguments, call one function, render, set the exit code. Nothing else.

Exit codes: 0 done; 1 findings of severity error; 2 wrong usage or input that cannot be read; 130 interrupted.
Heavy modules (torch, numpy, pillow, ruamel) are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autocal_cli.errors import AutocalError, Finding
from autocal_cli.version import __version__

if TYPE_CHECKING:
    from autocal_cli.workflow.measure import DatasetOptions, ProgressCallback

# click's error of a wrong command line, whichever way typer carries click
UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="autocal",
    help="Sets the loss schedule of a super-resolution training, explains every number, and rewrites the config "
    "without disturbing a byte of the rest.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A training config (YAML).", show_default=False)]
HrOption = Annotated[
    list[Path] | None,
    typer.Option("--hr", metavar="DIR", help="Scan this folder instead of the config's own. Repeatable."),
]
NoDatasetOption = Annotated[bool, typer.Option("--no-dataset", help="Scan nothing; complexity counts as neutral, 0.5.")]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="Where metrics are computed: cuda, mps or cpu. [default: the first present]"),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the order in which images are sampled.")]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Measure every image anew, and keep nothing of it for the next time.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notices or summary on standard error.")]


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


@app.command()
def calibrate(
    config: ConfigArgument,
    out: Annotated[
        str | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write the resolved config here; - is standard output."),
    ] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Rewrite CONFIG itself.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what changes, as a unified diff.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show the summary.")] = False,
    hr: HrOption = None,
    no_dataset: NoDatasetOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
    seed: SeedOption = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a value by hand, e.g. momentum=0.9. Repeatable."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE even if autocal did not write it.")] = False,
) -> None:
    """Choose the loss schedule for CONFIG and write it, fully resolved, into the config.

    Without -o or --in-place the resolved config goes to standard output. Nothing but the block
    train.dynamic_loss_scheduling changes; values written by hand are kept.
    """
    from autocal_cli.report.as_json import calibration_json, dump
    from autocal_cli.report.differences import unified_diff
    from autocal_cli.report.output import show, write
    from autocal_cli.report.progress import scan_progress
    from autocal_cli.report.terminal import calibration_view, findings_view, outcome_view
    from autocal_cli.workflow.calibrate_file import calibrate_file
    from autocal_cli.workflow.destination import check_destination, write_result
    from autocal_cli.workflow.settings import parse_settings

    _refuse_together(("--in-place", in_place), ("-o", out is not None))
    _refuse_together(("--json", as_json), ("--diff", diff), ("-o -", out == "-"))
    target = config if in_place else Path(out) if out not in (None, "-") else None
    by_hand = parse_settings(settings or [])
    if target and not in_place:
        check_destination(target, config, force)
    with scan_progress(quiet) as advance:
        run = calibrate_file(config, by_hand, _dataset_options(hr, no_dataset, device, no_cache, seed, advance))

    if target and not dry_run:
        write_result(target, config, run.before, run.after, force)
    if not quiet:
        show(calibration_view(run.calibration), *findings_view(run.findings), stderr=True)
    if as_json:
        write(dump(calibration_json(run.calibration, run.findings)).encode())
    elif diff:
        write(unified_diff(run.before, run.after, str(config), str(target or config)).encode())
    elif target is None and not dry_run:
        write(run.after)
    if not quiet:
        show(outcome_view(run.path, target, run.after != run.before, dry_run), stderr=True)
    _exit_with(run.findings)


@app.command()
def explain(
    config: ConfigArgument,
    parameter: Annotated[str | None, typer.Option("--parameter", metavar="NAME", help="Only this parameter.")] = None,
    hr: HrOption = None,
    no_dataset: NoDatasetOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print every chosen parameter with the steps that led to it.

    A resolved config is told from its record; another is calibrated on the fly. Nothing is written.
    """
    from autocal_cli.report.as_json import calibration_json, dump
    from autocal_cli.report.output import show, write
    from autocal_cli.report.progress import scan_progress
    from autocal_cli.report.terminal import explanation_view, findings_view
    from autocal_cli.workflow.explain_file import explain_file

    _check_parameter(parameter)
    with scan_progress(quiet) as advance:
        calibration, findings = explain_file(config, _dataset_options(hr, no_dataset, device, no_cache, seed, advance))
    if as_json:
        write(dump(calibration_json(calibration, findings, parameter)).encode())
    else:
        show(explanation_view(calibration, parameter))
    if not quiet:
        show(*findings_view(findings), stderr=True)
    _exit_with(findings)


@app.command("analyze-dataset")
def analyze_dataset(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Folders of images, or images.", show_default=False)
    ],
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
    seed: SeedOption = 0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Stop when every mean is known to +- this much.")
    ] = 0.02,
    images: Annotated[
        int | None, typer.Option("--images", metavar="N", min=1, help="Read at most so many images.")
    ] = None,
    read_all: Annotated[bool, typer.Option("--all", help="Read every image.")] = False,
    crop: Annotated[
        int | None,
        typer.Option(
            "--crop", metavar="N", min=1, help="The training's crop in pixels of these images, as lq_size x scale."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Decoding threads. [default: by the machine]")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with histograms, thumbnails and health.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a table with one row an image.")
    ] = None,
    max_pixels: Annotated[
        int,
        typer.Option("--max-pixels", metavar="N", min=1, help="Leave out images of more pixels than this, by header."),
    ] = 300_000_000,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that autocal did not write.")] = False,
) -> None:
    """Measure texture, edges and colour of a folder of images, as percentiles among ordinary photographs.

    In the same pass their health: sizes, grey, flat and blocky images, duplicates; near duplicates need
    `pip install 'autocal-cli[health]'`. The folder is never written to. Several processes share the work under
    `torchrun --nproc-per-node N -m autocal_cli analyze-dataset ...`, to the same numbers.
    """
    from autocal_cli.dataset.trainer_view import trainer_findings
    from autocal_cli.report.as_json import dump
    from autocal_cli.report.dataset_csv import dataset_csv
    from autocal_cli.report.dataset_html import dataset_page
    from autocal_cli.report.dataset_json import dataset_json
    from autocal_cli.report.dataset_terminal import dataset_view
    from autocal_cli.report.output import show, shows_blocks, write
    from autocal_cli.report.progress import scan_progress
    from autocal_cli.report.terminal import findings_view
    from autocal_cli.workflow.measure import DatasetOptions, survey_folders, usable_cache
    from autocal_cli.workflow.report_files import report_destinations, write_report

    _refuse_together(("--all", read_all), ("--images", images is not None))
    page, table = report_destinations(html, csv, force)
    with scan_progress(quiet or not _is_first_rank()) as advance:
        limit = None if read_all else tolerance
        options = DatasetOptions(
            device=device,
            seed=seed,
            tolerance=limit,
            images=images,
            workers=workers,
            max_pixels=max_pixels,
            use_cache=not no_cache,
            on_progress=advance,
        )
        report = survey_folders(tuple(paths), options, crop)
    findings = (*usable_cache(options)[1], *trainer_findings(report.fingerprint.sightings))
    if not _is_first_rank():
        return

    if page:
        write_report(page, dataset_page(report), force)
    if table:
        write_report(table, dataset_csv(report), force)
    if as_json:
        write(dump(dataset_json(report, findings)).encode())
    else:
        show(*dataset_view(report, shows_blocks()))
    if not quiet:
        show(*findings_view(findings), stderr=True)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
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
    from autocal_cli.workflow.run_trainer import run_trainer

    run_trainer(script, arguments or [], allow_unscheduled, say=_say)


@app.command()
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
    _exit_with(run.findings)


def main() -> None:
    """Entry point: the exit code is set here and nowhere else."""
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="autocal", standalone_mode=False)
    except AutocalError as error:
        code = _complain(str(error), 2)
    except UsageError as error:
        command = f" See {error.ctx.command_path} --help." if error.ctx else ""
        code = _complain(f"{error.format_message().rstrip('.')}.{command}", 2)
    except OSError as error:  # the system refuses a path: too long, not allowed, disk gone
        named = f"{error.filename}: " if error.filename else ""
        code = _complain(f"{named}{error.strerror or error}.", 2)
    except KeyboardInterrupt:
        code = 130
    if code == 130:
        _complain("interrupted; nothing was written.", code)
    sys.exit(code)


def _complain(message: str, code: int) -> int:
    """An error is told by every process that has it, since it may be that one's alone."""
    _write(message if _is_first_rank() else f"rank {os.environ['RANK']}: {message}")
    return code


def _is_first_rank() -> bool:
    """Whether this process shows and writes: of those that torchrun started one does."""
    return os.environ.get("RANK", "0") == "0"


def _say(message: str) -> None:
    if _is_first_rank():
        _write(message)


def _write(message: str) -> None:
    from autocal_cli.report.output import one_line

    sys.stderr.write(f"autocal: {one_line(message)}\n")


def _dataset_options(
    hr: list[Path] | None,
    no_dataset: bool,
    device: str | None,
    no_cache: bool,
    seed: int,
    on_progress: ProgressCallback | None,
) -> DatasetOptions:
    from autocal_cli.workflow.measure import DatasetOptions

    _refuse_together(("--hr", bool(hr)), ("--no-dataset", no_dataset))
    return DatasetOptions(
        tuple(hr or ()), skip=no_dataset, device=device, use_cache=not no_cache, seed=seed, on_progress=on_progress
    )


def _refuse_together(*options: tuple[str, bool]) -> None:
    given = [name for name, present in options if present]
    if len(given) > 1:
        raise AutocalError(f"{' and '.join(given)} cannot be used together.", fix=f"Leave out {given[-1]}.")


def _check_parameter(name: str | None) -> None:
    from autocal_cli.calibration.record import PARAMETERS

    if name is not None and name not in PARAMETERS:
        raise AutocalError(f"There is no parameter {name}.", fix=f"Parameters: {', '.join(PARAMETERS)}.")


def _exit_with(findings: Iterable[Finding]) -> None:
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)
