"""What a probe measured, as a person reads it: what the configured weights amount to."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autocal_cli.calibration.suggested_weights import kept_loss
from autocal_cli.probing.record import ProbeFingerprint
from autocal_cli.report.output import one_line


def probe_view(probe: ProbeFingerprint) -> RenderableType:
    """One line a loss: weight, value, noise, gradient norm at the output, share of the pull."""
    table = _table("loss", "weight", "value", "noise", "gradient", "noise", "share")
    for loss in probe.losses:
        noise, gradient_noise = (_deviation(found) for found in (loss.noise, loss.gradient_noise))
        share = f"{loss.share:.1%}" + ("*" if loss.kind == "adversarial" else "")
        table.add_row(
            one_line(loss.label), f"{loss.weight:g}", f"{loss.value:.4g}", noise, f"{loss.gradient:.3g}",
            gradient_noise, share,
        )  # fmt: skip
    for missing in probe.unmeasured:
        table.add_row(one_line(missing.label), *("",) * 5, "not measured")
    return Group(
        Text.assemble(("losses   ", "bold"), "what the weights amount to, before anything is trained"),
        Padding(Text(_told(probe), style="dim"), (0, 0, 0, 9)),
        Padding(table, (0, 0, 0, 9)),
    )


def suggestion_view(probe: ProbeFingerprint, weights: Mapping[str, float]) -> RenderableType:
    """The weights that would give the shares asked for, beside the configured ones."""
    table = _table("loss", "weight", "suggested")
    for loss in probe.losses:
        table.add_row(one_line(loss.label), f"{loss.weight:g}", f"{weights[loss.label]:g}")
    kept = one_line(kept_loss(probe.losses).label)
    told = f"suggested, at the weight that {kept} has; the config's losses are left as they are"
    return Group(Text.assemble(("weights  ", "bold"), told), Padding(table, (0, 0, 0, 9)))


def _told(probe: ProbeFingerprint) -> str:
    of_how_many = f" of the training's {probe.batch_size}" if probe.batch_size not in (None, probe.images) else ""
    told = (
        f"{probe.batches} batches of {probe.images}{of_how_many} crops, {probe.crop} x {probe.crop}, input from "
        f"{probe.lq}; {probe.network}. Noise is the standard deviation of the logarithm between batches; gradient the "
        "norm at the network's output; share weight x gradient over their sum."
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
