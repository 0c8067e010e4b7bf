"""Results as a person reads them in a terminal. One function a view; each returns something rich can print."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocal_cli.calibration.record import Calibration, Number, Parameter, Step
from autocal_cli.dataset.record import DatasetFingerprint
from autocal_cli.errors import Finding

_SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_NAMES = {"texture_variance": "texture variance", "edge_density": "edge density", "color_variation": "colour variation"}
_SHOWN_FAILURES = 20


def calibration_view(calibration: Calibration) -> RenderableType:
    """The summary of `calibrate`: network, dataset, and every parameter beside its preset."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("parameter")
    table.add_column("preset", justify="right")
    table.add_column("value", justify="right", style="bold")
    table.add_column("by")
    for name, parameter in calibration.parameters.items():
        preset = parameter.trail[0].after
        codes = [step.code for step in parameter.trail[1:] if step.code == "manual" or _counts(step)]
        table.add_row(name, number(preset), number(parameter.value), ", ".join(codes) or "preset")
    return Group(*heading(calibration), Text(), table)


def _counts(step: Step) -> bool:
    return step.before != step.after and step.code != "rounding"


def explanation_view(calibration: Calibration, only: str | None = None) -> RenderableType:
    """The trail of every parameter, or of the one named, step by step."""
    parts: list[RenderableType] = list(heading(calibration))
    for name, parameter in calibration.parameters.items():
        if only in (None, name):
            parts += [Text(), Text.assemble((name, "bold"), " = ", (number(parameter.value), "bold")), trail(parameter)]
    return Group(*parts)


def heading(calibration: Calibration) -> list[Text]:
    """Two lines: what the network is, what the images are."""
    network, placement = calibration.network, calibration.placement
    measured = ""
    if network.parameters is not None:
        measured = f", {network.parameters:,} parameters"
        measured += f", {network.macs_per_pixel:,.0f} MACs per pixel" if network.macs_per_pixel is not None else ""
        measured += f" at x{network.scale}" if network.scale else ""
    lines = [
        Text.assemble(("network  ", "bold"), f"{network.type or 'not named'}{measured}"),
        Text(f"         {placement.reason}", style="dim"),
    ]
    scores = ", ".join(f"{_NAMES[name]} {calibration.dataset_info[name]:.2f}" for name in _NAMES)
    overall = f"complexity {calibration.dataset_info['overall_complexity']:.2f} ({scores})"
    dataset = calibration.dataset
    how = f"{dataset.read:,} of {dataset.found:,} images" if dataset else "not measured"
    return [*lines, Text.assemble(("dataset  ", "bold"), f"{overall}, {how}")]


def trail(parameter: Parameter) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("  step", no_wrap=True)
    table.add_column("before", justify="right", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("reason", ratio=1)
    for step in parameter.trail:
        before = "" if step.before is None else number(step.before)
        margin = f" +-{number(step.margin)}" if step.margin else ""
        reason = Text.assemble(step.reason, (f" [{step.source}]", "dim"))
        table.add_row(f"  {step.code}", before, number(step.after) + margin, reason)
    return table


def dataset_view(dataset: DatasetFingerprint) -> RenderableType:
    """The table of `analyze-dataset`: the metrics, what was read, and what was not."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric")
    for column in ("score", "95% interval", "p5", "median", "p95", "raw mean"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, summary in dataset.metrics.items():
        spread = (summary.p5, summary.median, summary.p95)
        cells = (f"{summary.score:.3f}", interval(summary.ci95), *(f"{quantile:.2f}" for quantile in spread))
        table.add_row(_NAMES[name], *cells, f"{summary.raw_mean:.4g}")
    table.add_row(
        "overall complexity", f"{dataset.overall_complexity:.3f}", interval(dataset.overall_ci95), style="bold"
    )
    skipped = ", ".join(f"{count:,} {reason}" for reason, count in dataset.skipped.items())
    counts = (
        f"{dataset.found:,} images found, {dataset.read:,} read, {len(dataset.failures):,} failed, "
        f"{sum(dataset.skipped.values()):,} other files skipped{f' ({skipped})' if skipped else ''}"
    )
    note = f"{dataset.seconds:.1f} s on {dataset.device}; 0.5 is an ordinary photograph"
    parts: list[RenderableType] = [table, Text(), Text(counts), Text(note, style="dim")]
    parts += [
        Text(f"failed: {issue.path}: {issue.reason}", style="yellow") for issue in dataset.failures[:_SHOWN_FAILURES]
    ]
    if len(dataset.failures) > _SHOWN_FAILURES:
        parts.append(
            Text(f"... and {len(dataset.failures) - _SHOWN_FAILURES:,} more; --json lists all.", style="yellow")
        )
    return Group(*parts)


def findings_view(findings: Iterable[Finding]) -> list[Text]:
    """One line a finding: place, severity, code, what, fix."""
    lines = []
    for finding in findings:
        place = f"{finding.place}: " if finding.place else ""
        fix = f" {finding.fix}" if finding.fix else ""
        severity = (f"{finding.severity} ", _SEVERITY_STYLE[finding.severity])
        lines.append(Text.assemble(place, severity, (finding.code, "dim"), f": {finding.message}{fix}"))
    return lines


def interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def number(value: Number) -> str:
    """As short as it can be read back: 0.015, 1e-06, 50."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
