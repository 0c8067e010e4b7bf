"""Reads what a pickle would build, as plain data, without building it: nothing is imported and nothing is called.

Enough for what `torch.save` writes of a state dict. Whatever it doesn't know becomes a `Named` or `Called`, inert.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any

MOST_OPERATIONS = 20_000_000  # far over any checkpoint; a hostile file ends there


@dataclass(frozen=True, slots=True)
class Named:
    """A class or function that the pickle names, `module name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Called:
    """What a call would give."""

    function: Any
    arguments: Any


@dataclass(frozen=True, slots=True)
class Persistent:
    """A reference to something outside of the pickle, such as a tensor's storage."""

    identity: Any


_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = {"BINPUT", "LONG_BINPUT", "PUT"}
_GETS = {"BINGET", "LONG_BINGET", "GET"}
_IGNORED = {"PROTO", "FRAME", "STOP"}


def read_pickle(data: bytes) -> Any:
    """What the pickle would give, of dicts, lists, tuples, text, numbers and the records above.

    Raises ValueError where it is no pickle, or one with what `torch.save` doesn't write.
    """
    machine = _Machine()
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
            if count > MOST_OPERATIONS:
                raise ValueError("it has too many operations")
            machine.carry_out(operation.name, argument)
        return machine.stack[-1]
    except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"its pickle is damaged ({type(error).__name__}: {error})") from None


class _Machine:
    """The stack and memory of the pickle machine, and what each operation does to them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def carry_out(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _IGNORED:
            return
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _PUTS:
            self.memory[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self.memory[len(self.memory)] = stack[-1]
        elif name in _GETS:
            stack.append(self.memory[int(argument)])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET"):
            stack.append({} if name == "EMPTY_DICT" else [])
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name == "TUPLE":
            stack.append(tuple(self._to_mark()))
        elif argument is not None and name not in ("GLOBAL", "PERSID"):
            stack.append(argument)  # text, bytes and numbers
        else:
            self._compose(name, argument)

    def _compose(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name == "GLOBAL":
            stack.append(Named(argument))
        elif name == "STACK_GLOBAL":
            function, module = stack.pop(), stack.pop()
            stack.append(Named(f"{module} {function}"))
        elif name == "BINPERSID":
            stack.append(Persistent(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            given, function = stack.pop(), stack.pop()
            stack.append(_called(function, given))
        elif name == "BUILD":
            stack.pop()  # the state of an object, such as an OrderedDict's metadata
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            pairs = self._to_mark()
            stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name in ("APPENDS", "ADDITEMS"):
            values = self._to_mark()
            stack[-1].extend(values)
        else:
            raise ValueError(f"it holds the operation {name}")

    def _to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values


def _called(function: Any, given: Any) -> Any:
    if isinstance(function, Named) and function.name in ("collections OrderedDict", "builtins dict"):
        return dict(given[0]) if given else {}
    return Called(function, given)
