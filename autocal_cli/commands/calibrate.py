"""`autocal calibrate`: chooses the schedule and writes it into the config."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autocal_cli.commands.options import (
    BatchesOption,
    ConfigArgument,
    DeviceOption,
    HrOption,
    JsonOption,
    NoCacheOption,
    NoDatasetOption,
    OwnNetworkOption,
    ProbeOption,
    QuietOption,
    SeedOption,
    SuggestOption,
    TrainerKindOption,
    TrainerOption,
    WeightsOption,
    dataset_options,
    exit_with,
    network_sources,
    probe_options,
    refuse_together,
)


class Target(StrEnum):
    """Whose scheduler the block is for."""

    runtime = "runtime"
    native = "native"


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
    trainer: TrainerOption = None,
    network: OwnNetworkOption = None,
    weights: WeightsOption = None,
    seed: SeedOption = 0,
    batches: BatchesOption = None,
    probe: ProbeOption = None,
    suggest_weights: SuggestOption = None,
    trainer_kind: TrainerKindOption = None,
    target: Annotated[
        Target,
        typer.Option(
            "--target",
            help="Whose scheduler the block is for: autocal's runtime, or the one that the fork of traiNNer-redux has "
            "itself, which takes the flat keys alone.",
        ),
    ] = Target.runtime,
    sidecar: Annotated[
        bool,
        typer.Option("--sidecar", help="Leave CONFIG as it is; write the block to CONFIG's name with .autocal.yml."),
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a value by hand, e.g. momentum=0.9. Repeatable."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE even if autocal did not write it.")] = False,
) -> None:
    """Choose the loss schedule for CONFIG and write it, fully resolved, into the config.

    Without -o, --in-place or --sidecar the resolved config goes to standard output. Nothing but the block
    train.dynamic_loss_scheduling changes; values written by hand are kept.
    """
    from autocal_cli.report.calibration import calibration_view, findings_view, outcome_view
    from autocal_cli.report.comparison import unified_diff
    from autocal_cli.report.console import calibration_progress, show, write
    from autocal_cli.report.json import calibration_json, dump
    from autocal_cli.workflow.calibrate import calibrate_file
    from autocal_cli.workflow.config_file import parse_settings, sidecar_of
    from autocal_cli.workflow.output import check_destination, check_sidecar_beside, write_result
    from autocal_cli.workflow.probe import parse_shares, suggest

    refuse_together(("--in-place", in_place), ("-o", out is not None), ("--sidecar", sidecar))
    refuse_together(("--sidecar", sidecar), ("--target native", target is Target.native))
    refuse_together(("--json", as_json), ("--diff", diff), ("-o -", out == "-"))
    place = config if in_place else Path(out) if out not in (None, "-") else None
    if sidecar:
        place = sidecar_of(config)
    by_hand = parse_settings(settings or [])
    shares = parse_shares(suggest_weights) if suggest_weights else None
    if place and not in_place:
        check_destination(place, place if sidecar else config, force or sidecar)
    if place and not sidecar and target is Target.runtime:
        check_sidecar_beside(place)
    sources = network_sources(trainer, network, weights)
    with calibration_progress(quiet) as (on_scan, on_probe):
        options = dataset_options(hr, no_dataset, device, no_cache, seed, on_scan, batches)
        probing = probe_options(probe, options, on_probe)
        run = calibrate_file(config, by_hand, options, trainer_kind, target.value, sidecar, sources, probing)
    suggested = suggest(run.calibration.probe, shares)

    if place and not dry_run:
        write_result(place, run.holder, run.before, run.after, force)
    if not quiet:
        show(calibration_view(run.calibration, suggested), *findings_view(run.findings), stderr=True)
    if as_json:
        write(dump(calibration_json(run.calibration, run.findings, suggested=suggested)).encode())
    elif diff:
        write(unified_diff(run.before, run.after, str(run.holder), str(place or config)).encode())
    elif place is None and not dry_run:
        write(run.after)
    if not quiet:
        show(outcome_view(run.path, place, run.after != run.before, dry_run), stderr=True)
    exit_with(run.findings)
