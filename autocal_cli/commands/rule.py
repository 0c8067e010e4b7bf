"""`autocal rule`: what the code of a finding means."""

from __future__ import annotations

from typing import Annotated

import typer

from autocal_cli.commands.options import JsonOption
from autocal_cli.errors import AutocalError


def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="The code of a finding, e.g. value-unsupported.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every code.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print what the finding CODE means: why it matters, a config that has it, one that has not, and the source."""
    from autocal_cli.check.catalogue import find_rule, load_catalogue
    from autocal_cli.report.as_json import FORMAT_VERSION, dump
    from autocal_cli.report.check_json import rule_json
    from autocal_cli.report.output import write
    from autocal_cli.report.rule_text import rule_text, rules_list

    if every == (code is not None):
        raise AutocalError("Name one CODE, or give --all.")
    rules = [find_rule(code)] if code is not None else list(load_catalogue().values())
    if as_json:
        write(dump({"format_version": FORMAT_VERSION, "rules": [rule_json(rule) for rule in rules]}).encode())
    elif code is not None:
        write(rule_text(rules[0]).encode())
    else:
        write(rules_list(rules).encode())
