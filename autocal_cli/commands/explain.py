"""`autocal explain`: every chosen parameter with the steps that led to it."""

from __future__ import annotations

from autocal_cli.commands.options import (
    BatchesOption,
    ConfigArgument,
    DeviceOption,
    HrOption,
    JsonOption,
    NoCacheOption,
    NoDatasetOption,
    OwnNetworkOption,
    ParameterOption,
    ProbeOption,
    QuietOption,
    SeedOption,
    SuggestOption,
    TrainerKindOption,
    TrainerOption,
    WeightsOption,
    check_parameter,
    dataset_options,
    exit_with,
    network_sources,
    probe_options,
)


def explain(
    config: ConfigArgument,
    parameter: ParameterOption = None,
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
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print every chosen parameter with the steps that led to it.

    A resolved config is told from its record; another is calibrated on the fly. Nothing is written.
    """
    from autocal_cli.report.calibration import explanation_view, findings_view
    from autocal_cli.report.console import calibration_progress, show, write
    from autocal_cli.report.json import calibration_json, dump
    from autocal_cli.workflow.explain import explain_file
    from autocal_cli.workflow.probe import parse_shares, suggest

    check_parameter(parameter)
    shares = parse_shares(suggest_weights) if suggest_weights else None
    sources = network_sources(trainer, network, weights)
    with calibration_progress(quiet) as (on_scan, on_probe):
        options = dataset_options(hr, no_dataset, device, no_cache, seed, on_scan, batches)
        probing = probe_options(probe, options, on_probe)
        calibration, findings = explain_file(config, options, trainer_kind, sources, probing)
    suggested = suggest(calibration.probe, shares)
    if as_json:
        write(dump(calibration_json(calibration, findings, parameter, suggested)).encode())
    else:
        show(explanation_view(calibration, parameter, suggested))
    if not quiet:
        show(*findings_view(findings), stderr=True)
    exit_with(findings)
