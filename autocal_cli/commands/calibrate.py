"""`autocal calibrate`: chooses the schedule and writes it where the trainer takes it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autocal_cli.commands import options as shared
from autocal_cli.commands.options import OUTPUT
from autocal_cli.network.sources import NetworkSources


class Write(StrEnum):
    """Where the block goes."""

    block = "block"
    sidecar = "sidecar"
    native = "native"


def calibrate(
    config: shared.ConfigArgument,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Write the resolved config here; - is standard output.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Rewrite CONFIG itself, or its sidecar.", rich_help_panel=OUTPUT)
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what changes, as a unified diff.", rich_help_panel=OUTPUT)
    ] = False,
    write: Annotated[
        Write | None,
        typer.Option(
            "--write",
            help="block: in the config. sidecar: beside it, in NAME.autocal.yml, for `autocal run`. native: the flat "
            "keys that the fork of traiNNer-redux takes. [default: where the block stands, else what the trainer "
            "accepts]",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace FILE even if autocal did not write it; write numbers that rest on nothing.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    as_json: shared.JsonOption = False,
    quiet: shared.QuietOption = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a value by hand, e.g. momentum=0.9. Repeatable."),
    ] = None,
    trainer_kind: shared.TrainerKindOption = None,
    hr: shared.HrOption = None,
    no_dataset: shared.NoDatasetOption = False,
    batches: shared.BatchesOption = None,
    seed: shared.SeedOption = 0,
    device: shared.DeviceOption = None,
    no_cache: shared.NoCacheOption = False,
    trainer: shared.TrainerOption = None,
    network: shared.OwnNetworkOption = None,
    weights: shared.WeightsOption = None,
    probe: shared.ProbeOption = None,
) -> None:
    """Choose the loss schedule for CONFIG and write it, fully resolved, where its trainer takes it.

    Without -o or --in-place it goes to standard output. Nothing but the block train.dynamic_loss_scheduling changes;
    values written by hand are kept.
    """
    from autocal_cli.report.calibration import calibration_view, findings_view, outcome_view, unknown_view
    from autocal_cli.report.comparison import unified_diff
    from autocal_cli.report.console import progress, show
    from autocal_cli.report.console import write as put
    from autocal_cli.report.json import calibration_json, dump
    from autocal_cli.workflow.calibrate import calibrate_file, parse_settings
    from autocal_cli.workflow.output import check_config_outputs, write_config_outputs
    from autocal_cli.workflow.probe import ProbeOptions

    shared.refuse_together(("--in-place", in_place), ("-o", out is not None))
    shared.refuse_together(("--json", as_json), ("--diff", diff), ("-o -", out == "-"))
    place = Path(out) if out not in (None, "-") else None
    by_hand = parse_settings(settings or [])
    if place:
        check_config_outputs(config, place, force)
    with progress(quiet) as (on_scan, on_probe):
        options = shared.dataset_options(hr, no_dataset, device, no_cache, seed, on_scan, batches)
        probing = ProbeOptions(probe, options.folders, seed, on_probe)
        sources = NetworkSources(trainer, network, weights)
        into = config if in_place else place
        run = calibrate_file(
            config, by_hand, options, trainer_kind, write.value if write else None, sources, probing, into
        )
    unsure = not run.known and not force
    outputs = run.outputs(place) if (place or in_place) and not unsure else ()
    changed = write_config_outputs(outputs, force) if outputs else run.after != run.before
    if not quiet:
        about_unknown = () if run.known else (unknown_view(run.calibration, force),)
        show(*about_unknown, calibration_view(run.calibration, run.probe), stderr=True)
        show(*findings_view(run.findings), stderr=True)
    if as_json:
        put(dump(calibration_json(run.calibration, run.findings, run.probe)).encode())
    elif diff:
        put(unified_diff(run.before, run.after, str(run.target.file.path), str(place or config)).encode())
    elif not (place or in_place or unsure):
        put(run.after)
    if not quiet:
        written = [output.path for output in outputs]
        shown = outcome_view(config, None if unsure else changed, written, run.start(outputs), run.target.form)
        show(shown, stderr=True)
    shared.exit_with(run.findings)
    if unsure:
        raise typer.Exit(1)
