"""`autocal presets`: the tool's own numbers, each with its source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autocal_cli.commands.options import JsonOption, QuietOption, TrainerOption, network_sources
from autocal_cli.errors import AutocalError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from autocal_cli.calibration.model import Preset, Presets


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
    from autocal_cli.report.console import show, write
    from autocal_cli.report.json import dump, presets_json

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

    from autocal_cli.report import presets as terminal

    views: list[RenderableType] = []
    if one is not None:
        views += [terminal.preset_view(preset, loaded) for preset in one]
    elif table:
        views += [terminal.presets_view(loaded)]
    views += [terminal.PART_VIEWS[part](loaded) for part in parts]
    return [part for view in views for part in (Text(), view)][1:]


# `autocal schema`: the scheduling block as a JSON schema, for editors.


def schema(
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Write the schema here; - is standard output.", show_default=False
        ),
    ] = None,
    config: Annotated[
        bool, typer.Option("--config", help="The schema of a whole config, with the block under train.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse keys that autocal does not know, so that editors mark misspelt ones."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that autocal did not write.")] = False,
) -> None:
    """Print the JSON schema (draft 2020-12) of the block train.dynamic_loss_scheduling.

    By it an editor completes and checks the block. Keys that autocal does not know are allowed, as calibrate keeps
    them, unless --strict.
    """
    from autocal_cli.calibration.json_schema import json_schema
    from autocal_cli.calibration.presets import load_presets
    from autocal_cli.report.console import write
    from autocal_cli.report.json import dump
    from autocal_cli.workflow.output import write_schema

    text = dump(json_schema(load_presets(), config, strict))
    if out and str(out) != "-":
        write_schema(out.expanduser(), text, force)
    else:
        write(text.encode())


# `autocal rule`: what the code of a finding means.


def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="The code of a finding, e.g. value-unsupported.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every code.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print what the finding CODE means: why it matters, a config that has it, one that has not, and the source."""
    from autocal_cli.check.catalogue import find_rule, load_catalogue
    from autocal_cli.report.check import rule_text, rules_list
    from autocal_cli.report.console import write
    from autocal_cli.report.diagnose import training_rules
    from autocal_cli.report.json import FORMAT_VERSION, dump, rule_json

    if every == (code is not None):
        raise AutocalError("Name one CODE, or give --all.")
    training = training_rules()
    known = [*load_catalogue().values(), *training.values()]
    rules = known if code is None else [training.get(code) or find_rule(code)]
    if as_json:
        write(dump({"format_version": FORMAT_VERSION, "rules": [rule_json(rule) for rule in rules]}).encode())
    elif code is not None:
        write(rule_text(rules[0]).encode())
    else:
        write(rules_list(rules).encode())


# `autocal networks`: what can be built here, by which builder, with parameters and MACs.


def networks(
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Part of a name, or a glob such as '*_light'.")
    ] = None,
    scale: Annotated[int, typer.Option("--scale", min=1, help="The enlargement at which they are built.")] = 4,
    trainer: TrainerOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the networks that can be built here, by which builder, with their parameters and MACs.

    Each is built with its own default arguments; with a trainer, all of its architectures take some minutes.
    """
    from autocal_cli.report.console import networks_progress, show, write
    from autocal_cli.report.json import dump
    from autocal_cli.report.presets import networks_json, networks_view, troubles_view
    from autocal_cli.workflow.networks import list_networks

    with networks_progress(quiet) as advance:
        found, troubles = list_networks(pattern, scale, network_sources(trainer, None, None), advance)
    if as_json:
        write(dump(networks_json(found, scale)).encode())
    else:
        show(*networks_view(found))
    if not quiet:
        show(*troubles_view(troubles), stderr=True)
