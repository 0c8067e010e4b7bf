"""Results as a person reads them in a terminal. One function a view; each returns something rich can print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autocal_cli.calibration.calibrate import DATASET_INFO
from autocal_cli.calibration.model import Calibration, DatasetScores, Number, Parameter, Placement
from autocal_cli.calibration.resolved import reasons
from autocal_cli.errors import Finding
from autocal_cli.probing.model import ProbeFingerprint
from autocal_cli.report.console import SEVERITY_STYLE, FirstThatFits, one_line, shows_blocks, table

if TYPE_CHECKING:
    from autocal_cli.dataset.model import DatasetFingerprint

METRIC_LABELS = {
    "texture_variance": "texture variance",
    "edge_density": "edge density",
    "color_variation": "colour variation",
}


def calibration_view(calibration: Calibration, probe: ProbeFingerprint | None = None) -> RenderableType:
    """The summary of `calibrate`: network, dataset, losses, and every parameter with its short reason."""
    parts = [*heading(calibration), *([probe_view(probe)] if probe else [])]
    if calibration.parameters:
        shown = table("parameter", "value", "because", header="bold", right=(1,))
        shown.columns[1].style = "bold"
        for path, reason in reasons(calibration).items():
            shown.add_row(path[0], number(calibration.parameters[path[0]].value), one_line(reason))
        parts += [Text(), shown]
    return Group(*parts)


def explanation_view(calibration: Calibration, probe: ProbeFingerprint | None = None) -> RenderableType:
    """The page of `explain`: as the summary, and how to ask for one value's whole trail."""
    more = "autocal explain CONFIG PARAMETER tells every step and its source."
    return Group(calibration_view(calibration, probe), Text(), Text(more, style="dim"))


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
    network, placement, scores = calibration.network, calibration.placement, calibration.dataset_info
    measured = "not measured"
    if network.parameters is not None:
        measured = f"{network.parameters:,} parameters"
        measured += f", {network.macs_per_pixel:,.0f} MACs per pixel" if network.macs_per_pixel is not None else ""
        measured += f" at x{network.scale}" if network.scale else ""
    grid, below = Table.grid(), Table.grid()
    for one in (grid, below):  # a word before each paragraph, which wraps beside it
        one.add_column(width=9, style="bold")
        one.add_column()
    grid.add_row("network", f"{one_line(network.type or 'not named')}, {measured}")
    grid.add_row("", Text(one_line(placement.reason), style="dim"))
    passed = [who for who in network.passed if who.failed or who.reason != f"has no {network.type}"]
    if network.builder is not None and (network.builder != "built-in" or passed):
        before = "".join(f"; {who.builder} {who.reason}" for who in passed)
        grid.add_row("", Text(one_line(f"measured by {network.builder}{before}"), style="dim"))
    rival = network.discriminator
    if rival is not None:
        told = "not measured" if rival.parameters is None else f"{rival.parameters:,} parameters"
        if rival.parameters is not None and network.parameters:
            told += f", {rival.parameters / network.parameters:.3g} times the network's"
        below.add_row("against", f"{one_line(rival.type or '')}, {told}")
    each = ", ".join(f"{label} {scores[name]:.2f}" for name, label in METRIC_LABELS.items())
    below.add_row("dataset", f"complexity {scores['overall_complexity']:.2f} ({each})")
    dataset, by_hand = calibration.dataset, any(path[:-1] == DATASET_INFO for path in calibration.manual)
    seen = "set by hand" if by_hand else "not measured: neutral, as ordinary photographs have it"
    if dataset is not None:
        seen = f"{of_how_many(dataset)}{'; some scores set by hand' if by_hand else ''}"
    below.add_row("", Text(seen, style="dim"))
    drawing = Group(*map(Text, axis_drawing(placement, shows_blocks())))
    return [grid, Padding(FirstThatFits(drawing, Group()), (0, 0, 0, 9)), below]  # the words say the same


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


def outcome_view(config: Path, changed: bool | None, written: Sequence[Path], start: str, form: str = "block") -> Text:
    """The last lines of `calibrate`: what was written (None: nothing is known to write), and how to start."""
    what = "resolved" if changed else "nothing to change"
    if changed is None:
        return Text(one_line(f"{config}: not resolved, since nothing is known of it; --force writes these numbers."))
    if not written:
        return Text(one_line(f"{config}: {what}; no file was written."))
    files, lacking = " and ".join(map(str, written)), ""
    if form == "native":
        lacking = "\nwithout  fidelity_budget and phases: autocal's scheduler alone has them (--write block)"
    return Text.assemble(one_line(f"{what}: {files}"), lacking, "\n", ("start    ", "bold"), one_line(start))


def interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def number(value: Number) -> str:
    """As short as it can be read back: 0.015, 1e-06, 50."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


STEP = 8  # columns from one preset to the next: eight presets and a label, 69, fit into 80 columns, indented by 9


def axis_drawing(placement: Placement, blocks: bool) -> list[str]:
    """The axis with the network's place by parameters, the presets' names, and its span by MACs where it is known.

    Nothing where no place is known. Without `blocks`, in ASCII alone.
    """
    if placement.position is None or len(placement.axis) < 2:
        return []
    end = STEP * (len(placement.axis) - 1)
    ticks = ["-" if column % STEP else "+" for column in range(end + 1)]
    ticks[round(STEP * placement.position)] = "#"
    names = ""
    for index, name in enumerate(placement.axis):  # centred under its tick, the first and the last within the axis
        start = min(max(STEP * index - len(name) // 2, 0), end + 1 - len(name))
        names = names.ljust(start) + name
    line, bar, width = "".join(ticks), "", len(ticks) + 2
    if placement.macs_span is not None:
        first, last = (round(STEP * position) for position in placement.macs_span)
        bar = " " * first + ("^" if first == last else f"[{'-' * (last - first - 1)}]")
    if blocks:
        line, bar = (text.translate(str.maketrans("+-#^[]", "┼─●▲├┤")) for text in (line, bar))
        line = ("├" if line[0] == "┼" else line[0]) + line[1:-1] + ("┤" if line[-1] == "┼" else line[-1])
    return [f"{line:<{width}}parameters", names, *([f"{bar:<{width}}MACs"] if bar else [])]


def probe_view(probe: ProbeFingerprint) -> RenderableType:
    """One line a loss: weight, value, noise, gradient norm at the output, share of the pull.

    Shares are of all losses, or say that they are of those measured; below the table stands what was not measured and
    why, and what must be said of a number.
    """
    share = "of those measured" if probe.unmeasured else "share"
    whole = table("loss", "weight", "value", "noise", "gradient", "noise", share, right=range(1, 7))
    short = table("loss", share, right=(1,), wraps=(0, 1))  # for a narrow terminal
    for loss in probe.losses:
        noise, gradient_noise = ("" if one is None else f"{one:.2g}" for one in (loss.noise, loss.gradient_noise))
        share = f"{loss.share:.1%}" + ("*" if loss.kind == "adversarial" else "")
        numbers = (f"{loss.weight:g}", f"{loss.value:.4g}", noise, f"{loss.gradient:.3g}", gradient_noise, share)
        whole.add_row(one_line(loss.label), *numbers)
        short.add_row(one_line(loss.label), share)
    notes: list[RenderableType] = []
    for missing in probe.unmeasured:
        weight = "" if missing.weight is None else f"{missing.weight:g}"
        whole.add_row(one_line(missing.label), weight, *("",) * 4, "not measured")
        short.add_row(one_line(missing.label), "not measured")
        reason = f"not measured: {one_line(missing.reason)}."
        notes.append(Text.assemble((f"{one_line(missing.label)} ", "yellow"), reason))
    if probe.unmeasured:
        notes.append(Text(f"{'Its' if len(probe.unmeasured) == 1 else 'Their'} pull is in none of the shares."))
    notes += [
        Text(f"{one_line(loss.label)}: {one_line(loss.note)}.", style="dim") for loss in probe.losses if loss.note
    ]
    parts: list[RenderableType] = [
        Text(_how_measured(probe), style="dim"),
        FirstThatFits(whole, short, wrapped=True),
        *notes,
    ]
    head = Text.assemble(("losses   ", "bold"), "what the weights amount to, before anything is trained")
    return Group(head, *(Padding(part, (0, 0, 0, 9)) for part in parts))


def _how_measured(probe: ProbeFingerprint) -> str:
    batch = f" of the training's {probe.batch_size}" if probe.batch_size not in (None, probe.images) else ""
    smaller = f" of the training's {probe.training_crop}" if probe.training_crop not in (None, probe.crop) else ""
    code = f"; losses by the code of {probe.code}, where it has them" if probe.code else ""
    told = (
        f"{probe.batches} batches of {probe.images}{batch} crops, {probe.crop} x {probe.crop}{smaller}, input "
        f"from {probe.lq}; {probe.network}{code}. Noise is the standard deviation of the logarithm between batches; "
        "gradient the norm at the network's output; share weight x gradient over their sum."
    )
    if probe.adversarial:
        told += " *: against random weights of the discriminator; the share grows as that learns."
    return one_line(told)
