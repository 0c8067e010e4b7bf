"""`autocal explain` and `autocal diff`: why a config's values are what they are, what a finding means, and the numbers
behind it all; what changed between two configs' schedules, and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autocal_cli.commands import options as shared
from autocal_cli.errors import AutocalError
from autocal_cli.network.sources import NetworkSources

if TYPE_CHECKING:
    from autocal_cli.calibration.model import Preset, Presets

ALL_CODES = "codes"
_PARTS = ("rules", "bounds", "phases", "budgets", "stability")


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG|CODE",
            help="A training config (YAML or TOML), or the code of a finding, e.g. value-unsupported, "
            "or of a reason to drop an image, e.g. jpeg-blocks; "
            f"`{ALL_CODES}` lists them. With --presets: one preset, a part ({', '.join(_PARTS)}), or all.",
            show_default=False,
        ),
    ] = None,
    parameter: Annotated[
        str | None,
        typer.Argument(metavar="PARAMETER", help="Every step that led to this parameter.", show_default=False),
    ] = None,
    presets: Annotated[
        bool, typer.Option("--presets", help="The numbers that calibration starts from, each with its source.")
    ] = False,
    as_json: shared.JsonOption = False,
    quiet: shared.QuietOption = False,
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
    """Explain the values of CONFIG: each with its preset and the steps that changed it; or one PARAMETER in full.

    A resolved config is explained from what its record says was measured; another is calibrated on the fly. With the
    code of a finding: what it means, why it matters, an example, and its source. Nothing is written.
    """
    from autocal_cli.report.calibration import explanation_view, findings_view, trail_view
    from autocal_cli.report.console import progress, show, write
    from autocal_cli.report.json import calibration_json, dump
    from autocal_cli.workflow.explain import explain_file
    from autocal_cli.workflow.probe import ProbeOptions

    if presets:
        _explain_presets(what, as_json)
        return
    if what is None:
        raise AutocalError("Name a config, the code of a finding, or --presets.", fix="See autocal explain --help.")
    if not Path(what).exists() and _is_code(what):
        if parameter is not None:
            raise AutocalError(f"{what} is no config, so it has no {parameter}.", fix="Name one thing alone.")
        _explain_code(what, as_json)
        return
    shared.check_parameter(parameter)
    with progress(quiet) as (on_scan, on_probe):
        options = shared.dataset_options(hr, no_dataset, device, no_cache, seed, on_scan, batches)
        probing = ProbeOptions(probe, options.folders, seed, on_probe)
        sources = NetworkSources(trainer, network, weights)
        told = explain_file(Path(what), options, trainer_kind, sources, probing)
    if as_json:
        write(dump(calibration_json(told.calibration, told.findings, told.probe, parameter)).encode())
    elif parameter is not None:
        show(trail_view(told.calibration, parameter))
    else:
        show(explanation_view(told.calibration, told.probe))
    if not quiet:
        show(*findings_view(told.findings), stderr=True)
    shared.exit_with(told.findings)


def _is_code(what: str) -> bool:
    return what == ALL_CODES or not (Path(what).suffix or "/" in what or "\\" in what)


def _explain_code(code: str, as_json: bool) -> None:
    from rich.text import Text

    from autocal_cli.check.checks import find_rule, load_catalogue
    from autocal_cli.diagnose.verdict import FAULTS
    from autocal_cli.report.check import rule_text, rules_list
    from autocal_cli.report.console import show, write
    from autocal_cli.report.json import dump, plain

    catalogue, every = load_catalogue(), code == ALL_CODES
    others = list(FAULTS)
    if not (every or code in FAULTS or code in catalogue):
        from autocal_cli.calibration.presets import load_presets
        from autocal_cli.report.dataset import reason_view, told_reasons  # takes numpy and Pillow

        if code in {rule.code for rule in load_presets().rules}:
            raise AutocalError(f"{code} is a rule of calibration.", fix="See autocal explain --presets rules.")
        if code in (reasons := told_reasons()):
            if as_json:
                write(dump({"reason": code, "told": plain(reasons[code])}).encode())
            else:
                show(*reason_view(code, reasons[code]))
            return
        others += reasons
    rules = [*catalogue.values(), *FAULTS.values()] if every else [FAULTS.get(code) or find_rule(code, others)]
    text = rules_list(rules) if every else rule_text(rules[0])
    if as_json:
        write(dump({"rules": plain(rules)}).encode())
    else:
        show(Text(text.removesuffix("\n")))


def _explain_presets(name: str | None, as_json: bool) -> None:
    from autocal_cli.calibration.presets import load_presets
    from autocal_cli.report.console import show, write
    from autocal_cli.report.json import dump, presets_json
    from autocal_cli.report.presets import presets_page

    loaded = load_presets()
    parts = _PARTS if name == "all" else (name,) if name in _PARTS else ()
    one = _named(name, loaded) if name is not None and not parts else None
    if as_json:
        shown = [*(["presets", "fallback", "sources"] if name == "all" or not parts else []), *parts]
        write(dump(presets_json(loaded, one or loaded.presets, shown)).encode())
    else:
        show(*presets_page(loaded, one, parts, all_of_them=name in (None, "all")))


def _named(name: str, loaded: Presets) -> tuple[Preset, ...]:
    """The presets of that variant, one a family; `family_variant` names one. Raises AutocalError."""
    from autocal_cli.network.arguments import nearest

    wanted = name.lower()
    by_name: dict[str, list[Preset]] = {}
    for one in loaded.presets:
        for known in (one.variant, f"{one.family}_{one.variant}"):
            by_name.setdefault(known, []).append(one)
    if wanted not in by_name:
        near = nearest(wanted, by_name, 0.6)
        variants = ", ".join(dict.fromkeys(one.variant for one in loaded.presets))
        fix = f"Did you mean {near}?" if near else f"Presets: {variants}. Parts: {', '.join(_PARTS)}, all."
        raise AutocalError(f"There is no preset {name}.", fix=fix)
    return tuple(by_name[wanted])


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A training config (YAML or TOML).", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another.", show_default=False)],
    parameter: Annotated[str | None, typer.Option("--parameter", metavar="NAME", help="Only this parameter.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what does not differ.")] = False,
    scan: Annotated[
        bool, typer.Option("--scan", help="Read the training images of a config that is not resolved.")
    ] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if the schedules differ.")] = False,
    as_json: shared.JsonOption = False,
    quiet: shared.QuietOption = False,
) -> None:
    """Print what differs between the schedules of two configs: every value, and of each parameter the steps behind it.

    A resolved config is told from its record, a block with `auto_calibrate: false` as it stands; any other config is
    calibrated for the comparison, without a look at its images unless --scan. Nothing is written.
    """
    from autocal_cli.report.calibration import findings_view
    from autocal_cli.report.comparison import comparison_view
    from autocal_cli.report.console import progress, show, write
    from autocal_cli.report.json import comparison_json, dump
    from autocal_cli.workflow.dataset import DatasetOptions
    from autocal_cli.workflow.explain import compare_files

    shared.check_parameter(parameter)
    with progress(quiet) as (advance, _):
        ours, theirs, differences, findings = compare_files(a, b, DatasetOptions(skip=not scan, on_progress=advance))
    asked = [one for one in differences if parameter is None or (one.section, one.name) == ("parameters", parameter)]
    shown = [one for one in asked if everything or one.differs]
    if as_json:
        write(dump(comparison_json(ours, theirs, shown, findings)).encode())
    else:
        show(comparison_view(ours, theirs, shown))
    if not quiet:
        show(*findings_view(findings), stderr=True)
    if exit_code and any(one.differs for one in asked):
        raise typer.Exit(1)
