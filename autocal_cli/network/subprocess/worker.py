"""Where foreign constructors run: `python -m autocal_cli.network.subprocess.worker`, JSON lines in and out.

The first line in says where the networks come from, every other is a network to measure; `client` is the other end.
What a constructor prints goes nowhere; when the other end goes away, so does this process, whatever it is at. Foreign
code is imported by this file alone, and this file runs only ever in a process of its own.
"""

from __future__ import annotations

import collections.abc
import copy
import importlib
import importlib.util
import inspect
import json
import os
import queue
import re
import signal
import sys
import threading
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, TextIO, TypeVar

import torch
from torch import nn

from autocal_cli.network.measure import Count, count_macs, count_parameters, reason_of, structure_hash
from autocal_cli.network.subprocess.spandrel import TrainerNames, spandrel_types

CHANNEL_ARGUMENTS = (
    *("in_chans", "num_in_ch", "in_nc", "in_ch", "in_channels"),
    *("img_channel", "inp_channels", "n_colors", "channels"),
)
COUNT_SECONDS = 8.0  # after which no further size is tried; `client` limits the whole

Job = Mapping[str, Any]  # a line of JSON
Reply = Callable[..., None]  # of an event by name, with facts
Opened = TypeVar("Opened", bound="Source")


def serve(start: Callable[[Job], Opened], answer: Callable[[Opened, Job, Reply], None]) -> None:
    """Opens the source that the first line names, and answers every other line; whatever is raised is told."""
    jobs, replies = _channels()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end decides
    waiting: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_receive, args=(jobs, waiting), daemon=True).start()

    def reply(event: str, **facts: Any) -> None:
        replies.write(json.dumps({"event": event, **facts}) + "\n")
        replies.flush()

    try:
        source = start(json.loads(waiting.get()))
    except BaseException as error:
        reply("unusable", reason=reason_of(error), missing=sorted(missing_packages(error, "autocal_cli")))
        return
    reply("ready", types=source.types, unimported=source.unimported, missing=sorted(source.missing))
    while True:
        job = json.loads(waiting.get())
        try:
            answer(source, job, reply)
        except BaseException as error:
            reply("failed", reason=reason_of(error))


def measure(source: Source, job: Job, reply: Reply) -> None:
    """Answers `unknown`; `lacking`; or `built`, then `counted` or `uncounted`. Raises what a constructor does."""
    target = source.find(job["type"])
    if target is None:
        reply("unknown")
        return
    described = describe(target.call)
    if target.names is not None:
        lacking = list(target.names.lacking(job["arguments"], (*described["accepted"], "scale")))
        if lacking:
            reply("lacking", arguments=lacking, takes=target.names.takes(described["accepted"]))
            return
    arguments: Mapping[str, Any] = target.arguments(job["arguments"], job["scale"])
    scale = arguments.get(target.scale_argument)
    if target.names is not None and target.names.unshuffled is not None:  # the trainer unshuffles pixels first
        arguments = target.names.unshuffled.applied(arguments, target.scale_argument)
    built = construct(target.call, arguments, described)
    network = built.network
    reply(
        "built",
        **described,
        scale=scale,
        parameters=count_parameters(network),
        structure=structure_hash(network),
        rejected=built.rejected,
        swallowed=built.swallowed,
        inner=list(describe(type(network))["accepted"]),
    )
    given = {name: value for name, value in arguments.items() if name not in built.rejected}
    on_meta = network if built.device == "meta" else copy.deepcopy(network).to("meta")
    count = count_macs(on_meta, lambda: on_cpu(target.call, given), channels_of(target.call, given), COUNT_SECONDS)
    if isinstance(count, Count):
        reply("counted", **{name: getattr(count, name) for name in Count.__dataclass_fields__})
    else:
        reply("uncounted", reason=count)


def channels_of(call: Callable[..., Any], arguments: Mapping[str, Any]) -> list[int]:
    """The channels of the input, as the arguments or their defaults say, then 3, then 1."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(call).parameters.items()}
    said = [value for name in CHANNEL_ARGUMENTS if isinstance(value := arguments.get(name, defaults.get(name)), int)]
    return list(dict.fromkeys([*(value for value in said if 0 < value <= 64), 3, 1]))


def _channels() -> tuple[TextIO, TextIO]:
    """The two ends of the conversation, out of reach of what a constructor reads and prints."""
    jobs = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return jobs, replies


def _receive(jobs: TextIO, waiting: queue.Queue[str]) -> None:
    for line in jobs:
        waiting.put(line)
    os._exit(0)


# Where foreign networks come from, seen from inside their own process: a trainer, spandrel, a callable of the user's.


@dataclass(frozen=True, slots=True)
class Target:
    """A constructor. The config's scale is handed over as `scale_argument`, if `hands_scale`; `fixed` are defaults.

    `names` is set where the constructor is not the trainer's own: what the trainer calls its arguments.
    """

    call: Callable[..., Any]
    scale_argument: str = "scale"
    hands_scale: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    names: TrainerNames | None = None

    def arguments(self, given: Mapping[str, Any], scale: int | None) -> dict[str, Any]:
        arguments = {**self.fixed, **(given if self.names is None else self.names.translated(given))}
        if self.scale_argument != "scale" and "scale" in arguments:
            arguments[self.scale_argument] = arguments.pop("scale")
        if self.hands_scale and scale is not None:
            arguments[self.scale_argument] = scale
        return arguments


@dataclass(slots=True)
class Source:
    """`types` can be built; `unimported` are the parts that could not be imported, each with the reason, and `missing`
    the packages that they ask for.
    """

    find: Callable[[str], Target | None]
    types: list[str] = field(default_factory=list)
    unimported: list[tuple[str, str]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)


def open_source(spec: Mapping[str, Any]) -> Source:
    """Imports what the spec names. Raises whatever that raises."""
    if spec["source"] == "trainer":
        return open_trainer(spec)
    return _spandrel() if spec["source"] == "spandrel" else _own(spec["callable"])


def open_trainer(spec: Mapping[str, Any], part: str = "archs", ending: str = "_arch.py") -> Source:
    """A trainer's registries, filled by its architectures or another part of it."""
    if spec["scale_at_import"]:  # neosr reads it from its command line; --input spares it the options file
        sys.argv = ["autocal", "--input", "none", "--scale", str(spec["scale"] or 4)]
    unimported, missing = import_architectures(Path(spec["folder"]), spec["package"], part, ending, spec["home"])
    registries = registries_of(spec["home"] or spec["package"], spec["registries"])

    def find(type: str) -> Target | None:
        call = look_up(registries, type)
        return None if call is None else Target(call, hands_scale=spec["gives_scale"])

    types = sorted({name for registry in registries for name in registry.keys()})  # noqa: SIM118
    return Source(find, types, unimported, missing)


def _own(named: str) -> Source:
    """A callable of the user's, `module:name`, whatever the type in the config says."""
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` would
    module, _, name = named.partition(":")
    call: Any = importlib.import_module(module)
    for part in name.split("."):
        call = getattr(call, part)
    described = describe(call)
    takes = "scale" in described["accepted"] or described["swallows"]
    target = Target(call, "scale" if takes or "upscale" not in described["accepted"] else "upscale")
    return Source(lambda _type: target)


def _spandrel() -> Source:
    """spandrel's classes. Its packages are imported one by one, so that one that needs torchvision stops no other."""
    found = importlib.util.find_spec("spandrel")
    if found is None or not found.submodule_search_locations:
        raise ImportError("spandrel is not installed")
    bare_package("spandrel", Path(found.submodule_search_locations[0]))

    def find(type: str) -> Target | None:
        known = spandrel_types().get(type.lower())
        if known is None:
            return None
        call = getattr(importlib.import_module(f"spandrel.architectures.{known.package}"), known.class_name)
        enlarges = known.scale_argument is not None
        return Target(call, known.scale_argument or "scale", enlarges, known.arguments, known.names)

    return Source(find, sorted(spandrel_types()))


def import_architectures(
    folder: Path, package: str, part: str = "archs", ending: str = "_arch.py", home: str | None = None
) -> tuple[list[tuple[str, str]], set[str]]:
    """Imports the architectures (or another `part`) of a trainer's checkout, file by file, after those of the `home`
    that it stands on; those that failed, with the reason, and the packages that they ask for.

    The trainer's own way comes first. Where its packages fail as a whole (a package that is missing, no CUDA), they are
    left empty and the files imported one by one, so that one that fails doesn't take the others with it.
    """
    failed: list[tuple[str, str]] = []
    missing: set[str] = set()
    if home:
        failed, missing = import_architectures(folder_of(home), home, part, ending)
    sys.path.insert(0, str(folder))
    try:
        importlib.import_module(f"{package}.{part}")
    except BaseException as error:
        missing |= missing_packages(error, package) | _empty_packages(folder, package, ("archs", part))
    for file in sorted((folder / package / part).glob(f"*{ending}")):
        try:
            importlib.import_module(f"{package}.{part}.{file.stem}")
        except BaseException as error:
            failed.append((file.name, reason_of(error)))
            missing |= missing_packages(error, package)
    return failed, missing


def _empty_packages(folder: Path, package: str, parts: Iterable[str]) -> set[str]:
    """Puts packages that hold nothing in place of those whose `__init__` fails; returns what those asked for."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
    bare_package(package, folder / package)
    for part in parts:
        bare_package(f"{package}.{part}", folder / package / part)
    try:
        importlib.import_module(f"{package}.utils")
    except BaseException as error:
        bare_package(f"{package}.utils", folder / package / "utils")
        return missing_packages(error, package)
    return set()


def missing_packages(error: BaseException | None, package: str) -> set[str]:
    """The packages, other than the trainer's own, whose absence led to an error."""
    missing = set()
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != package:
            missing.add(error.name.partition(".")[0])
        error = error.__cause__ or error.__context__
    return missing


def folder_of(package: str) -> Path:
    """Where an installed package stands. Raises ModuleNotFoundError."""
    if package in sys.modules:  # by `bare_package`, it may be, of which the import system knows nothing
        return Path(sys.modules[package].__path__[0]).parent
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(found.submodule_search_locations[0]).parent


def bare_package(name: str, folder: Path) -> None:
    """A package whose modules can be imported without its `__init__` being run."""
    module = ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


def registries_of(package: str, names: Sequence[str]) -> list[Any]:
    module = importlib.import_module(f"{package}.utils.registry")
    return [getattr(module, name) for name in names if hasattr(module, name)]


def look_up(registries: Sequence[Any], type: str) -> Callable[..., Any] | None:
    """What a trainer has registered under a type, with the case as its registry takes it."""
    for registry in registries:
        with suppress(KeyError):
            found: Callable[..., Any] = registry.get(type)
            return found
    return None


# Builds a network out of a constructor that autocal doesn't know: on the meta device if that works, else on the CPU.


@dataclass(frozen=True, slots=True)
class Constructed:
    """`device` is where it was built; `rejected` arguments were left out, `swallowed` ones reached nobody."""

    network: nn.Module
    device: str
    rejected: tuple[str, ...]
    swallowed: tuple[str, ...]


def construct(call: Callable[..., Any], arguments: Mapping[str, Any], described: Mapping[str, Any]) -> Constructed:
    """The network of `call(**arguments)`. `described` is what `describe` says of `call`.

    Arguments that the constructor would refuse are left out, so that the rest can be measured. Raises whatever the
    constructor raises, SystemExit included; TypeError where it returns no module.
    """
    given = {name: v for name, v in arguments.items() if described["swallows"] or name in described["accepted"]}
    rejected = [name for name in arguments if name not in given]
    loose = [name for name in given if name not in described["accepted"]]
    while True:
        unused = set(loose)
        try:
            network, device = _anywhere(call, given, unused)
            return Constructed(network, device, tuple(rejected), tuple(name for name in loose if name in unused))
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


def _anywhere(call: Callable[..., Any], arguments: Mapping[str, Any], unused: set[str]) -> tuple[nn.Module, str]:
    try:
        with torch.device("meta"), _crossing_off(unused):
            network = on_cpu(call, arguments)
        return network.to("meta"), "meta"
    except BaseException:  # `.item()` or numpy on a value that isn't there; what is wrong everywhere is raised below
        with _crossing_off(unused):
            return on_cpu(call, arguments), "cpu"


@contextmanager
def _crossing_off(unused: set[str]) -> Iterator[None]:
    """Takes from `unused`, arguments that fall into a function's **kwargs, those that are used further on.

    One is used when a function that holds it in its **kwargs names it (`kwargs["dim"]`), or calls another that has an
    argument of that name. Costs nothing where nothing fell into **kwargs.
    """

    def called(frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or not unused:
            return
        code, caller = frame.f_code, frame.f_back
        named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        unused.difference_update([name for name in _held(frame) if name in code.co_consts])
        unused.difference_update([name for name in _held(caller) if name in named] if caller else ())

    sys.setprofile(called if unused else None)
    try:
        yield
    finally:
        sys.setprofile(None)


def _held(frame: FrameType) -> Iterable[str]:
    """The names in a function's **kwargs."""
    if not frame.f_code.co_flags & inspect.CO_VARKEYWORDS:
        return ()
    found = inspect.getargvalues(frame)
    held = found.locals.get(found.keywords or "")
    return tuple(held) if isinstance(held, dict) else ()


# What a constructor takes, read from its signature and type hints, as plain data.

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def describe(call: Callable[..., Any]) -> dict[str, Any]:
    """`{"accepted": {name: kinds or None}, "required": [names], "swallows": bool}`.

    Kinds are what a value may be: "int", "float", "str", "bool", "none", "list", "dict", or ["one of", value, ...] for
    a Literal; None where the signature doesn't say, or says something that a config cannot hold.
    """
    signature = inspect.signature(call)
    try:
        hints = typing.get_type_hints(inspect.unwrap(call.__init__ if inspect.isclass(call) else call))
    except Exception:  # a hint that names what only a type checker imports
        hints = {}
    named = {name: parameter for name, parameter in signature.parameters.items() if parameter.kind in NAMED}
    return {
        "accepted": {name: _accepted(hints.get(name), parameter.default) for name, parameter in named.items()},
        "required": [name for name, parameter in named.items() if parameter.default is inspect.Parameter.empty],
        "swallows": any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature.parameters.values()),
    }


def _accepted(hint: Any, default: Any) -> list[Any] | None:
    if hint is not None:
        kinds = _kinds(hint)
    else:  # a number's default says only that text is wrong, and text's default that a number is
        kinds = ["int", "float", "bool", "none", "list"] if isinstance(default, (bool, int, float)) else None
    return [*kinds, "none"] if kinds and default is None else kinds


def _kinds(hint: Any) -> list[Any] | None:
    origin = typing.get_origin(hint) or hint
    if origin in (typing.Union, types.UnionType):
        parts = [_kinds(part) for part in typing.get_args(hint)]
        return None if None in parts else [kind for part in parts if part for kind in part]
    if origin is typing.Literal:
        return [["one of", *typing.get_args(hint)]]
    if origin is type(None):
        return ["none"]
    if origin is float:
        return ["int", "float"]
    if origin in (int, str, bool):
        return [origin.__name__]
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Mapping):
        return ["dict"]
    if inspect.isclass(origin) and issubclass(origin, (list, tuple, collections.abc.Sequence)):
        return ["list"]
    return None


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    serve(open_source, measure)
