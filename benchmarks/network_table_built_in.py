"""The table's lines of the networks that autocal has itself, so that the usual ones need no torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from network_table_worker import effect_among, others, plain

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.paragonsr2 import family
from autocal_cli.network.paragonsr2.first import ParagonSR2
from autocal_cli.network.paragonsr2.second import SecondParagonSR2
from autocal_cli.version import __version__


def built_in_lines() -> dict[tuple[str, str], dict[str, Any]]:
    """By role and type, as network_table.py writes them."""
    return {("generator", type.lower()): built_in_line(type) for type in family.TYPES}


def built_in_line(type: str) -> dict[str, Any]:
    defaults, foreign = built_in_arguments(type)
    arguments = {name: built_in_argument(type, name, default) for name, default in defaults.items()}
    return {
        "type": type.lower(),
        "role": "generator",
        "arguments": arguments | {name: {} for name in foreign},
        "sizes": [built_in_sizes(type, scale) for scale in family.SCALES],
    }


def built_in_arguments(type: str) -> tuple[dict[str, Any], list[str]]:
    """The defaults of what a type takes but its scale; and what makes it a network of the other generation."""
    variant = family.VARIANT_OF[type.lower()]
    second = variant in family.SECOND_VARIANTS
    parameters = inspect.signature(SecondParagonSR2 if second else ParagonSR2).parameters.values()
    of_class = {one.name: one.default for one in parameters} | {"scale": family.DEFAULT_SCALE}
    if variant is None:
        return of_class, [name for name in family.SECOND_ARGUMENTS if name not in family.ARGUMENTS]
    return {name: {**of_class, **family.ALL_VARIANTS[variant]}[name] for name in family.accepted_by(variant)}, []


def built_in_argument(type: str, name: str, default: Any) -> dict[str, Any]:
    if name == "scale":
        return {"default": default}
    found = [built_in_sizes(type, 4, {name: value}) for value in [*others(default, None)][:2]]
    effect = effect_among([one for one in found if one], built_in_sizes(type, 4))
    return {"default": plain(default), **({"effect": effect} if effect else {})}


def built_in_sizes(type: str, scale: int, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Empty where the network does not take the arguments."""
    network = NetworkOptions(type, arguments or {}, Place(""), {})
    try:
        family.check(network)
        found = family.measure_built(network, scale)
    except AutocalError:
        return {}
    sizes = {"parameters": found.parameters, "structure": found.structure, "macs": found.macs_per_pixel}
    return {"scale": scale, **sizes}


def built_in_header(measured: str) -> dict[str, Any]:
    head = {"trainer": "built-in", "repository": "autocal", "commit": __version__, "measured": measured}
    return {**head, "torch": torch.__version__.partition("+")[0], "hands_scale": True, "case_matters": False}
