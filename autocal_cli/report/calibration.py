"""Results as a person reads them in a terminal. One function a view; each returns something rich can print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autocal_cli.calibration.calibrate import DATASET_INFO
from autocal_cli.calibration.model import Calibration, DatasetScores, Number, Parameter, Placement
from autocal_cli.calibration.resolved import reasons
from autocal_cli.errors import Finding
from autocal_cli.probing.model import ProbeFingerprint
from autocal_cli.report.console import SEVERITY_STYLE, one_line, shows_blocks

if TYPE_CHECKING:
    from autocal_cli.dataset.model import DatasetFingerprint

METRIC_LABELS = {
    "texture_variance": "texture variance",
    "edge_density": "edge density",
    "color_variation": "colour variation",
}


def calibration_view(calibration: Calibration, probe: ProbeFingerprint | None = None) -> RenderableType:
    """The summary of `calibrate`: network, dataset, losses, and every parameter with its short reason."""
    return Group(*heading(calibration), *([probe_view(probe)] if probe else []), *_parameters(calibration))


def explanation_view(calibration: Calibration, probe: ProbeFingerprint | None = None) -> RenderableType:
    """The page of `explain`: as the summary, and how to ask for one value's whole trail."""
    more = "autocal explain CONFIG PARAMETER tells every step and its source."
    return Group(calibration_view(calibration, probe), Text(), Text(more, style="dim"))


def _parameters(calibration: Calibration) -> list[RenderableType]:
    if not calibration.parameters:
        return []
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("parameter", no_wrap=True)
    table.add_column("value", justify="right", style="bold", no_wrap=True)
    table.add_column("because", ratio=1)
    short = reasons(calibration)
    for name, parameter in calibration.parameters.items():
        table.add_row(name, number(parameter.value), one_line(short[(name,)]))
    return [Text(), table]


def trail_view(calibration: Calibration, name: str) -> RenderableType:
    """Every step that led to one parameter."""
    parameter = calibration.parameters.get(name)
    if parameter is None:
        return Text(f"{name} is not set: the block is the user's own and does not hold it.")
    return Group(Text.assemble((name, "bold"), " = ", (number(parameter.value), "bold")), *trail(parameter))


def unknown_view(calibration: Calibration, forced: bool) -> Text:
    """Said first where neither the network nor the images are known."""
    preset = calibration.placement.variant
    told = f"Nothing is known of the network and nothing of the images: these are the numbers of the preset {preset}. "
    cure = "Name what builds the network (--trainer, --network, --weights) or the images (--hr)"
    return Text(f"{told}{cure}{'' if forced else ', or write them all the same with --force'}.", style="bold yellow")


def heading(calibration: Calibration) -> list[RenderableType]:
    """What the network is, and what the images are."""
    network, placement = calibration.network, calibration.placement
    measured = "not measured"
    if network.parameters is not None:
        measured = f"{network.parameters:,} parameters"
        measured += f", {network.macs_per_pixel:,.0f} MACs per pixel" if network.macs_per_pixel is not None else ""
        measured += f" at x{network.scale}" if network.scale else ""
    scores = ", ".join(f"{METRIC_LABELS[name]} {calibration.dataset_info[name]:.2f}" for name in METRIC_LABELS)
    overall = f"complexity {calibration.dataset_info['overall_complexity']:.2f} ({scores})"
    return [
        _rows(
            ("network", f"{one_line(network.type or 'not named')}, {measured}"),
            ("", Text(one_line(placement.reason), style="dim")),
            *(("", Text(told, style="dim")) for told in _builder(calibration)),
        ),
        Padding(WholeOrNot(axis_drawing(placement, shows_blocks())), (0, 0, 0, 9)),
        _rows(
            *(("against", told) for told in _rival(calibration)),
            ("dataset", overall),
            ("", Text(_seen(calibration), style="dim")),
        ),
    ]


def _rows(*rows: tuple[str, RenderableType]) -> Table:
    """A word before each paragraph, which wraps beside it."""
    grid = Table.grid()
    grid.add_column(width=9, style="bold")
    grid.add_column()
    for row in rows:
        grid.add_row(*row)
    return grid


class WholeOrNot:
    """Lines of a drawing, or nothing where the terminal is too narrow for one of them: the words say the same."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = [Text(line, no_wrap=True) for line in lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if all(line.cell_len <= options.max_width for line in self.lines):
            yield from self.lines


def _builder(calibration: Calibration) -> list[str]:
    """Who built the network, where it was not autocal itself, and why those asked before did not."""
    network = calibration.network
    if network.builder is None or (network.builder == "built-in" and not network.passed):
        return []
    before = "".join(f"; {who.builder} {who.reason}" for who in network.passed)
    return [one_line(f"measured by {network.builder}{before}")]


def _rival(calibration: Calibration) -> list[str]:
    """The discriminator with its size, where there is one."""
    rival, parameters = calibration.network.discriminator, calibration.network.parameters
    if rival is None:
        return []
    told = "not measured"
    if rival.parameters is not None:
        told = f"{rival.parameters:,} parameters"
        told += f", {rival.parameters / parameters:.3g} times the network's" if parameters else ""
    return [f"{one_line(rival.type or '')}, {told}"]


def _seen(calibration: Calibration) -> str:
    """Where the scores come from."""
    dataset = calibration.dataset
    by_hand = any(path[:-1] == DATASET_INFO for path in calibration.manual)
    if dataset is not None:
        return f"{of_how_many(dataset)}{'; some scores set by hand' if by_hand else ''}"
    return "set by hand" if by_hand else "not measured: neutral, as ordinary photographs have it"


def of_how_many(dataset: DatasetScores | DatasetFingerprint) -> str:
    """What was read: images, or crops of images."""
    crops = dataset.crops
    drawn = f"{crops.count:,} crops of {crops.side} x {crops.side} from " if crops else ""
    return f"{drawn}{dataset.read:,} of {dataset.found:,} images read"


def trail(parameter: Parameter) -> list[RenderableType]:
    """The steps of one value, two paragraphs each: what it did, and why. Nothing is cut at any width."""
    parts: list[RenderableType] = []
    for step in parameter.trail:
        change = number(step.after) if step.before is None else f"{number(step.before)} -> {number(step.after)}"
        margin = f" +-{step.margin:.2g}" if step.margin else ""
        parts.append(Text.assemble("  ", (f"{change}{margin}", "bold"), "  ", one_line(step.code)))
        why = Text.assemble(one_line(step.reason), (f" [{one_line(step.source)}]", "dim"))
        parts.append(Padding(why, (0, 0, 0, 6)))
    return parts


def findings_view(findings: Iterable[Finding]) -> list[Text]:
    """One line a finding, however long: place, severity, code, what, fix."""
    lines = []
    for finding in findings:
        place = f"{finding.place}: " if finding.place else ""
        fix = f" {finding.fix}" if finding.fix else ""
        severity = (f"{finding.severity} ", SEVERITY_STYLE[finding.severity])
        told = one_line(f"{finding.message}{fix}")
        lines.append(Text.assemble(one_line(place), severity, (finding.code, "dim"), f": {told}"))
    return lines


def outcome_view(config: Path, changed: bool, written: Sequence[Path], start: str) -> Text:
    """The last lines of `calibrate`: what was written, and how to start."""
    what = "resolved" if changed else "nothing to change"
    if not written:
        return Text(one_line(f"{config}: {what}; no file was written."))
    files = " and ".join(map(str, written))
    return Text.assemble(one_line(f"{what}: {files}"), "\n", ("start    ", "bold"), one_line(start))


def interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def number(value: Number) -> str:
    """As short as it can be read back: 0.015, 1e-06, 50."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


# Where a network stands among the presets, drawn with characters; 69 columns wide at most.


STEP = 8  # columns from one preset to the next: eight presets and a label fit into 80 columns, indented by 9


def axis_drawing(placement: Placement, blocks: bool) -> list[str]:
    """The axis with the network's place by parameters, the presets' names, and its span by MACs where it is known.

    Nothing where no place is known. Without `blocks`, in ASCII alone.
    """
    if placement.position is None or len(placement.axis) < 2:
        return []
    tick, line, mark = ("┼", "─", "●") if blocks else ("+", "-", "#")
    ticks = [tick if column % STEP == 0 else line for column in range(STEP * (len(placement.axis) - 1) + 1)]
    if blocks:
        ticks[0], ticks[-1] = "├", "┤"
    ticks[_column(placement.position)] = mark
    width = len(ticks) + 2
    lines = [f"{''.join(ticks):<{width}}parameters", _labels(placement.axis)]
    if placement.macs_span is not None:
        lines.append(f"{_bar(*placement.macs_span, blocks):<{width}}MACs")
    return lines


def _column(position: float) -> int:
    return round(STEP * position)


def _bar(low: float, high: float, blocks: bool) -> str:
    """One mark for a place, a bar for a span."""
    first, last = _column(low), _column(high)
    if first == last:
        return " " * first + ("▲" if blocks else "^")
    left, line, right = ("├", "─", "┤") if blocks else ("[", "-", "]")
    return " " * first + left + line * (last - first - 1) + right


def _labels(names: tuple[str, ...]) -> str:
    """Each name centred under its tick, the first and the last kept within the axis."""
    end = STEP * (len(names) - 1) + 1
    text = ""
    for index, name in enumerate(names):
        start = min(max(STEP * index - len(name) // 2, 0), end - len(name))
        text = text.ljust(start) + name
    return text


# What a probe measured, as a person reads it: what the configured weights amount to.


def probe_view(probe: ProbeFingerprint) -> RenderableType:
    """One line a loss: weight, value, noise, gradient norm at the output, share of the pull.

    Shares are of all losses, or say that they are of those measured; below the table stands what was not measured and
    why, and what must be said of a number.
    """
    whole = not probe.unmeasured
    table = _table("loss", "weight", "value", "noise", "gradient", "noise", "share" if whole else "of those measured")
    for loss in probe.losses:
        noise, gradient_noise = (_deviation(found) for found in (loss.noise, loss.gradient_noise))
        share = f"{loss.share:.1%}" + ("*" if loss.kind == "adversarial" else "")
        table.add_row(
            one_line(loss.label), f"{loss.weight:g}", f"{loss.value:.4g}", noise, f"{loss.gradient:.3g}",
            gradient_noise, share,
        )  # fmt: skip
    for missing in probe.unmeasured:
        weight = "" if missing.weight is None else f"{missing.weight:g}"
        table.add_row(one_line(missing.label), weight, *("",) * 4, "not measured")
    return Group(
        Text.assemble(("losses   ", "bold"), "what the weights amount to, before anything is trained"),
        Padding(Text(_told(probe), style="dim"), (0, 0, 0, 9)),
        Padding(table, (0, 0, 0, 9)),
        *(Padding(line, (0, 0, 0, 9)) for line in _remarks(probe)),
    )


def _remarks(probe: ProbeFingerprint) -> Iterator[Text]:
    """What is missing from the shares, then the notes of the losses that were measured."""
    for missing in probe.unmeasured:
        yield Text.assemble((f"{one_line(missing.label)} ", "yellow"), f"not measured: {one_line(missing.reason)}.")
    if probe.unmeasured:
        yield Text(
            "Its pull is in none of the shares."
            if len(probe.unmeasured) == 1
            else "Their pull is in none of the shares."
        )
    for loss in probe.losses:
        if loss.note:
            yield Text(f"{one_line(loss.label)}: {one_line(loss.note)}.", style="dim")


def _told(probe: ProbeFingerprint) -> str:
    of_how_many = f" of the training's {probe.batch_size}" if probe.batch_size not in (None, probe.images) else ""
    smaller = f" of the training's {probe.training_crop}" if probe.training_crop not in (None, probe.crop) else ""
    code = f"; losses by the code of {probe.code}, where it has them" if probe.code else ""
    told = (
        f"{probe.batches} batches of {probe.images}{of_how_many} crops, {probe.crop} x {probe.crop}{smaller}, input "
        f"from {probe.lq}; {probe.network}{code}. Noise is the standard deviation of the logarithm between batches; "
        "gradient the norm at the network's output; share weight x gradient over their sum."
    )
    if probe.adversarial:
        told += " *: against random weights of the discriminator; the share grows as that learns."
    return one_line(told)


def _deviation(noise: float | None) -> str:
    return "" if noise is None else f"{noise:.2g}"


def _table(name: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(name, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
