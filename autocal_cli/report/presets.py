"""The tool's own numbers as a person reads them in a terminal: presets, rules, bounds, phases, budgets, stability."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocal_cli.calibration.model import PRESET_PARAMETERS, Bound, Preset, Presets
from autocal_cli.calibration.placement import scale_key
from autocal_cli.calibration.rules import formula, target
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.report.calibration import number
from autocal_cli.report.console import one_line, table, table_without_head

Rows = Iterable[Sequence[str]]


def presets_page(
    presets: Presets, one: Sequence[Preset] | None, parts: Iterable[str], all_of_them: bool
) -> list[RenderableType]:
    """The table of the presets (`all_of_them`), or `one` of them in full, and the `parts` asked for."""
    views: list[RenderableType] = [preset_view(preset, presets) for preset in one or ()]
    views += [presets_view(presets)] if all_of_them else []
    views += [part_view(part, presets) for part in parts]
    return [part for view in views for part in (Text(), view)][1:]


def presets_view(presets: Presets) -> RenderableType:
    """The table of all presets, their sizes, and where each column comes from."""
    parts: list[RenderableType] = []
    for family in dict.fromkeys(preset.family for preset in presets.presets):
        members = [preset for preset in presets.presets if preset.family == family]
        header = ["parameter", *(p.variant for p in members)]
        rows = [(name.replace("_", " "), *(number(p.values[name]) for p in members)) for name in PRESET_PARAMETERS]
        values = _filled(header, rows, range(1, len(header)))
        values.padding = (0, 1, 0, 0)  # so that 60 columns hold it
        uses = _filled(("preset", "use"), [(p.variant, p.use) for p in members])
        parts += [Text(family, style="bold"), values, Text(), uses, Text()]
        scales = sorted({scale for preset in members for scale in preset.parameters})
        header = ["parameters of the network", *(f"x{scale}" for scale in scales)]
        counts = [
            (p.variant, *(f"{p.parameters[scale]:,}" if scale in p.parameters else "" for scale in scales))
            for p in members
        ]
        parts += [_filled(header, counts, range(1, len(header))), Text()]
    stand_in = f"{presets.fallback} stands in for a network that nothing can build [{presets.sources['fallback']}]."
    sources = [(name, presets.sources[name]) for name in PRESET_PARAMETERS]
    return Group(*parts, _filled(("parameter", "source"), sources), Text(), Text(stand_in))


def preset_view(preset: Preset, presets: Presets) -> RenderableType:
    """One preset in full: what it is for, its sizes, every value with its source and the room that rules have."""
    sizes = ", ".join(f"{count:,} at x{scale}" for scale, count in sorted(preset.parameters.items()))
    costs = ", ".join(f"{macs:,.0f} at x{scale}" for scale, macs in sorted(preset.macs_per_pixel.items()))
    values = table_without_head(None, None)
    for name in PRESET_PARAMETERS:
        rules = ", ".join(rule.code for rule in presets.rules if rule.parameter == name) or "none"
        told = f", calibrated within {bound_told(presets.bounds[name])}\nrules: {rules}"
        values.add_row(name, f"{number(preset.values[name])} [{presets.sources[name]}]{told}")
    return Group(
        Text.assemble((preset.variant, "bold"), f", {preset.family}: {preset.use}"),
        Text(f"parameters of the network: {sizes}"),
        Text(f"MACs per pixel: {costs}"),
        Text(),
        values,
    )


def part_view(part: str, presets: Presets) -> RenderableType:
    """The rules in the order in which they apply, or the bounds, phases, budgets or stability settings."""
    title, sources = part, presets.sources
    if part == "rules":
        title, shown = "rules, in this order", table_without_head(None, None)
        for rule in presets.rules:
            changed = f"{target(rule)} {formula(rule)}"
            shown.add_row(rule.code, Text.assemble(changed, "\n", rule.reason, (f" [{rule.source}]", "dim")))
    elif part == "bounds":
        within = [(name, bound_told(bound)) for name, bound in presets.bounds.items()]
        shown = _filled(("parameter", "calibrated within"), within)
    elif part == "phases":
        rows = [(p.name, f"{p.until:g}", f"{p.rate:g}", sources[f"phases.{p.name}"]) for p in presets.phases]
        shown = _filled(("phase", "until", "rate", "source"), rows, (1, 2))
    else:
        budgets = {scale_key(scale): budget for scale, budget in presets.budgets.items()}
        values = budgets if part == "budgets" else presets.stability
        if part == "budgets":
            title = "fidelity budget: dB of PSNR that the adversarial losses may cost, by scale"
        told = [(name, number(value), sources[f"{part}.{name}"]) for name, value in values.items()]
        shown = _filled(("scale" if part == "budgets" else "key", "value", "source"), told, (1,))
    source = [Text(f"[{presets.bounds_source}]", style="dim")] if part == "bounds" else []
    return Group(Text(title, style="bold"), shown, *source)


def bound_told(bound: Bound) -> str:
    """`1 to 400, at most 5% of the run`."""
    share = f", at most {bound.share_of_run:.0%} of the run" if bound.share_of_run else ""
    return f"{bound.low:g} to {bound.high:g}{share}"


def _filled(header: Sequence[str], rows: Rows, right: Sequence[int] = ()) -> Table:
    made = table(*header, right=right, wraps=range(len(header)))
    for row in rows:
        made.add_row(*row)
    return made


def networks_view(found: Sequence[NetworkFingerprint]) -> list[RenderableType]:
    """The networks that can be built here, one line each, by who builds them; why others could not be built follows."""
    reasons = []
    shown: dict[str, Table] = {}
    for network in found:
        if network.parameters is None:
            told = " ".join(finding.message for finding in network.findings)
            reasons.append(f"{network.type}: {told}")
            continue
        if (builder := network.builder or "") not in shown:
            shown[builder] = table("parameters", "MACs per pixel", "network", header="bold", right=(0, 1))
            shown[builder].columns[0].min_width = len("100,000,000")
        macs = "not known" if network.macs_per_pixel is None else f"{network.macs_per_pixel:,.0f}"
        shown[builder].add_row(f"{network.parameters:,}", macs, one_line(network.type or ""))
    parts = [part for name, made in shown.items() for part in (Text(), Text(f"by {one_line(name)}"), made)]
    return [*parts[1:], *troubles_view(reasons)]


def troubles_view(troubles: Iterable[str]) -> list[Text]:
    """What keeps a builder from building more, one line each."""
    return [Text(one_line(trouble), style="dim") for trouble in troubles]
