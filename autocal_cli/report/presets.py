"""The tool's own numbers as a person reads them in a terminal: presets, rules, bounds, phases, budgets, stability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocal_cli.calibration.model import PRESET_PARAMETERS, Bound, Number, Preset, Presets
from autocal_cli.calibration.placement import scale_key
from autocal_cli.calibration.rules import formula, target
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.report.calibration import number
from autocal_cli.report.console import one_line

Row = Sequence[str]


def presets_view(presets: Presets) -> RenderableType:
    """The table of all presets, their sizes, and where each column comes from."""
    parts: list[RenderableType] = []
    for family in dict.fromkeys(preset.family for preset in presets.presets):
        members = [preset for preset in presets.presets if preset.family == family]
        parts += [Text(family, style="bold"), _values(members), Text(), _sizes(members), Text()]
    stand_in = f"{presets.fallback} stands in for a network that nothing can build [{presets.sources['fallback']}]."
    return Group(*parts, _columns(presets), Text(), Text(stand_in))


def preset_view(preset: Preset, presets: Presets) -> RenderableType:
    """One preset in full: what it is for, its sizes, every value with its source and the room that rules have."""
    sizes = ", ".join(f"{count:,} at x{scale}" for scale, count in sorted(preset.parameters.items()))
    costs = ", ".join(f"{macs:,.0f} at x{scale}" for scale, macs in sorted(preset.macs_per_pixel.items()))
    rows = [
        (
            name,
            number(preset.values[name]),
            presets.sources[name],
            bound_told(presets.bounds[name]),
            _moved_by(name, presets),
        )
        for name in PRESET_PARAMETERS
    ]
    table = _table(("parameter", "value", "source", "calibrated within", "rules"), rows, right=(1,))
    return Group(
        Text.assemble((preset.variant, "bold"), f", {preset.family}: {preset.use}"),
        Text(f"parameters of the network: {sizes}"),
        Text(f"MACs per pixel: {costs}"),
        Text(),
        table,
    )


def rules_view(presets: Presets) -> RenderableType:
    """The rules in the order in which they apply."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for rule in presets.rules:
        changed = f"{target(rule)} times {formula(rule)}"
        table.add_row(rule.code, Text.assemble(changed, "\n", rule.reason, (f" [{rule.source}]", "dim")))
    return _titled("rules, in this order", table)


def bounds_view(presets: Presets) -> RenderableType:
    rows = [(name, bound_told(bound)) for name, bound in presets.bounds.items()]
    table = _table(("parameter", "calibrated within"), rows)
    return _titled("bounds", Group(table, Text(f"[{presets.bounds_source}]", style="dim")))


def phases_view(presets: Presets) -> RenderableType:
    rows = [
        (phase.name, f"{phase.until:g}", f"{phase.rate:g}", presets.sources[f"phases.{phase.name}"])
        for phase in presets.phases
    ]
    return _titled("phases", _table(("phase", "until", "rate", "source"), rows, right=(1, 2)))


def budgets_view(presets: Presets) -> RenderableType:
    title = "fidelity budget: dB of PSNR that the adversarial losses may cost, by scale"
    budgets = ((scale_key(scale), budget) for scale, budget in presets.budgets.items())
    return _titled(title, _sourced("scale", "budgets", budgets, presets))


def stability_view(presets: Presets) -> RenderableType:
    return _titled("stability", _sourced("key", "stability", presets.stability.items(), presets))


PART_VIEWS: Mapping[str, Callable[[Presets], RenderableType]] = {
    "rules": rules_view,
    "bounds": bounds_view,
    "phases": phases_view,
    "budgets": budgets_view,
    "stability": stability_view,
}


def presets_page(
    presets: Presets, one: Sequence[Preset] | None, parts: Iterable[str], table: bool
) -> list[RenderableType]:
    """The table of the presets, or `one` of them in full, and the `parts` asked for."""
    views: list[RenderableType] = [preset_view(preset, presets) for preset in one or ()]
    views += [presets_view(presets)] if table else []
    views += [PART_VIEWS[part](presets) for part in parts]
    return [part for view in views for part in (Text(), view)][1:]


def bound_told(bound: Bound) -> str:
    """`1 to 400, at most 5% of the run`."""
    share = f", at most {bound.share_of_run:.0%} of the run" if bound.share_of_run else ""
    return f"{bound.low:g} to {bound.high:g}{share}"


def _values(members: Sequence[Preset]) -> Table:
    header = ("preset", *(name.replace("_", "\n") for name in PRESET_PARAMETERS), "use")
    rows = [
        (preset.variant, *(number(preset.values[name]) for name in PRESET_PARAMETERS), preset.use) for preset in members
    ]
    return _table(header, rows, right=range(1, len(PRESET_PARAMETERS) + 1))


def _sizes(members: Sequence[Preset]) -> Table:
    scales = sorted({scale for preset in members for scale in preset.parameters})
    counts = ([preset.parameters.get(scale) for scale in scales] for preset in members)
    rows = [
        (preset.variant, *("" if count is None else f"{count:,}" for count in row))
        for preset, row in zip(members, counts, strict=True)
    ]
    return _table(
        ("parameters of the network", *(f"x{scale}" for scale in scales)), rows, right=range(1, len(scales) + 1)
    )


def _columns(presets: Presets) -> Table:
    return _table(("parameter", "source"), [(name, presets.sources[name]) for name in PRESET_PARAMETERS])


def _moved_by(name: str, presets: Presets) -> str:
    return ", ".join(rule.code for rule in presets.rules if rule.parameter == name) or "none"


def _sourced(what: str, group: str, values: Iterable[tuple[str, Number]], presets: Presets) -> Table:
    rows = [(name, number(value), presets.sources[f"{group}.{name}"]) for name, value in values]
    return _table((what, "value", "source"), rows, right=(1,))


def _titled(title: str, table: RenderableType) -> RenderableType:
    return Group(Text(title, style="bold"), table)


def _table(header: Row, rows: Iterable[Row], right: Iterable[int] = ()) -> Table:
    """The last column wraps; the others keep their words together."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, name in enumerate(header):
        last = index == len(header) - 1
        table.add_column(
            name, justify="right" if index in right else "left", overflow="fold", ratio=1 if last else None
        )
    for row in rows:
        table.add_row(*row)
    return table


# The networks that can be built here, as a table and as plain data.


def networks_view(found: Sequence[NetworkFingerprint]) -> list[RenderableType]:
    """One line a network; those that could not be built follow with the reason."""
    built = [network for network in found if network.parameters is not None]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("network", no_wrap=True)
    for name in ("parameters", "MACs per pixel"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("builder", no_wrap=True)
    for network in built:
        table.add_row(
            one_line(network.type or ""), _number(network.parameters), _number(network.macs_per_pixel), network.builder
        )
    parts: list[RenderableType] = [table] if built else []
    for network in found:
        if network.parameters is None:
            reasons = " ".join(finding.message for finding in network.findings)
            parts.append(Text(one_line(f"{network.type}: {reasons}"), style="dim"))
    return parts


def troubles_view(troubles: Iterable[str]) -> list[Text]:
    """What keeps a builder from building more, one line each."""
    return [Text(one_line(trouble), style="dim") for trouble in troubles]


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.0f}"
