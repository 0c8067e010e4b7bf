"""`autocal presets`: the tool's own numbers, each with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autocal_cli.commands.options import JsonOption
from autocal_cli.errors import AutocalError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from autocal_cli.calibration.record import Preset, Presets

_PARTS = ("rules", "bounds", "phases", "ceilings", "stability")


def presets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One preset, e.g. nano or paragonsr2_nano.", show_default=False),
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="How run and data bend a preset.")] = False,
    bounds: Annotated[bool, typer.Option("--bounds", help="What a calibrated value may be at all.")] = False,
    phases: Annotated[bool, typer.Option("--phases", help="How the drift changes over the run.")] = False,
    ceilings: Annotated[
        bool, typer.Option("--ceilings", help="The largest share of the pull by kind of loss.")
    ] = False,
    stability: Annotated[bool, typer.Option("--stability", help="When the watch speaks, and what it does.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All of these, and the presets.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the numbers that calibration starts from, each with its source; or one preset in full.

    A source is the guide, its implementation, a measurement, or "chosen, untested".
    """
    from autocal_cli.calibration.presets import load_presets
    from autocal_cli.report.as_json import dump
    from autocal_cli.report.output import show, write
    from autocal_cli.report.presets_json import presets_json

    loaded = load_presets()
    asked = dict(zip(_PARTS, (rules, bounds, phases, ceilings, stability), strict=True))
    parts = [part for part, wanted in asked.items() if wanted or everything]
    table = everything or not parts or name is not None
    chosen = _named(name, loaded) if name is not None else loaded.presets
    if as_json:
        shown = [*(["presets", "fallback"] if table else []), *parts]
        write(dump(presets_json(loaded, chosen, shown)).encode())
    else:
        show(*_views(loaded, chosen if name is not None else None, table, parts))


def _named(name: str, loaded: Presets) -> tuple[Preset, ...]:
    """The presets of that variant, one a family; `family_variant` names one. Raises AutocalError."""
    import difflib

    wanted = name.lower()
    found = tuple(one for one in loaded.presets if wanted in (one.variant, f"{one.family}_{one.variant}"))
    if not found:
        known = dict.fromkeys(name for one in loaded.presets for name in (one.variant, f"{one.family}_{one.variant}"))
        near = difflib.get_close_matches(wanted, known, n=1)
        variants = ", ".join(dict.fromkeys(one.variant for one in loaded.presets))
        raise AutocalError(
            f"There is no preset {name}.", fix=f"Did you mean {near[0]}?" if near else f"Presets: {variants}."
        )
    return found


def _views(loaded: Presets, one: tuple[Preset, ...] | None, table: bool, parts: list[str]) -> list[RenderableType]:
    from rich.text import Text

    from autocal_cli.report import presets_terminal as terminal

    views: list[RenderableType] = []
    if one is not None:
        views += [terminal.preset_view(preset, loaded) for preset in one]
    elif table:
        views += [terminal.presets_view(loaded)]
    views += [terminal.PART_VIEWS[part](loaded) for part in parts]
    return [part for view in views for part in (Text(), view)][1:]
