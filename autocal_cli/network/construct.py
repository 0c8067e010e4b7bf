"""Builds a network out of a constructor that autocal doesn't know: on the meta device if that works, else on the CPU.

Runs foreign code: only ever in a process of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import nn

CO_VARKEYWORDS = 0x08  # the flag of a function with **kwargs, as the module inspect has it


@dataclass(frozen=True, slots=True)
class Constructed:
    """`device` is where it was built; `rejected` arguments were left out, `swallowed` ones reached nobody."""

    network: nn.Module
    device: str
    rejected: tuple[str, ...]
    swallowed: tuple[str, ...]


def construct(call: Callable[..., Any], arguments: Mapping[str, Any], described: Mapping[str, Any]) -> Constructed:
    """The network of `call(**arguments)`. `described` is what `signature.describe` says of `call`.

    Arguments that the constructor would refuse are left out, so that the rest can be measured. Raises whatever the
    constructor raises, SystemExit included; TypeError where it returns no module.
    """
    given = {name: v for name, v in arguments.items() if described["swallows"] or name in described["accepted"]}
    rejected = [name for name in arguments if name not in given]
    loose = [name for name in given if name not in described["accepted"]]
    while True:
        watch = _Watch(loose)
        try:
            network, device = _anywhere(call, given, watch)
            return Constructed(network, device, tuple(rejected), tuple(name for name in loose if name in watch.left))
        except TypeError as error:
            refused = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if refused is None or refused[1] not in loose:
                raise
            rejected.append(refused[1])
            loose.remove(refused[1])
            del given[refused[1]]


def on_cpu(call: Callable[..., Any], arguments: Mapping[str, Any]) -> nn.Module:
    """The network with real values."""
    network = call(**arguments)
    if not isinstance(network, nn.Module):
        raise TypeError(f"it returned {type(network).__name__}, which is no torch.nn.Module")
    return network


def _anywhere(call: Callable[..., Any], arguments: Mapping[str, Any], watch: _Watch) -> tuple[nn.Module, str]:
    try:
        with torch.device("meta"), watch:
            network = on_cpu(call, arguments)
        return network.to("meta"), "meta"
    except BaseException:  # `.item()` or numpy on a value that isn't there; what is wrong everywhere is raised below
        with watch:
            return on_cpu(call, arguments), "cpu"


class _Watch:
    """Sees which of the arguments that fall into a function's **kwargs are used further on.

    One is used when a function that holds it in its **kwargs names it (`kwargs["dim"]`), or calls another that has an
    argument of that name. Costs nothing where nothing fell into **kwargs.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.left = set(names)

    def __enter__(self) -> None:
        if self.left:
            sys.setprofile(self._called)

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or not self.left:
            return
        code = frame.f_code
        self.left -= {name for name in _held(frame) if name in code.co_consts}
        if frame.f_back is not None:
            named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            self.left -= {name for name in _held(frame.f_back) if name in named}


def _held(frame: FrameType) -> Iterable[str]:
    """The names in a function's **kwargs."""
    code = frame.f_code
    if not code.co_flags & CO_VARKEYWORDS:
        return ()
    at = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04)  # behind *args
    held = frame.f_locals.get(code.co_varnames[at])
    return tuple(held) if isinstance(held, dict) else ()
